//! What is kept of the exchange's word although it can be asked for again: balances, last prices, and how
//! much of the limit was used. Nobody trades on it; people look at it, and a restart remembers the limit.

use std::collections::BTreeMap;

use tranche_model::{
    asset::Asset,
    balance::Balance,
    ids::{AccountId, InstrumentId},
    money::Price,
    time::Timestamp,
};
use tranche_trading::dispatch::Usage;

/// What was told and is not kept yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    pub balances: BTreeMap<AccountId, Holdings>,
    /// The last price of an instrument, with its time.
    pub prices: BTreeMap<InstrumentId, (Price, Timestamp)>,
    pub usage: Option<Usage>,
}

/// Balances as the exchange told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Whether what is absent is gone; else it stays as it was.
    pub is_whole: bool,
    pub balances: BTreeMap<Asset, Balance>,
    /// When the last of them was told.
    pub at: Timestamp,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.balances.is_empty() && self.prices.is_empty() && self.usage.is_none()
    }

    /// The exchange answered with every balance.
    pub(crate) fn all_balances(&mut self, account: AccountId, told: &[Balance], at: Timestamp) {
        let balances = told.iter().map(|balance| (balance.asset, *balance)).collect();
        self.balances.insert(account, Holdings { is_whole: true, balances, at });
    }

    /// The exchange told, unasked, which balances changed.
    pub(crate) fn changed_balances(&mut self, account: AccountId, told: &[Balance], at: Timestamp) {
        let none = || Holdings { is_whole: false, balances: BTreeMap::new(), at };
        let known = self.balances.entry(account).or_insert_with(none);
        known.balances.extend(told.iter().map(|balance| (balance.asset, *balance)));
        known.at = at;
    }

    /// Takes out all but the balances of accounts beyond the first `most`.
    pub(crate) fn take(&mut self, most: usize) -> Self {
        let rest = match self.balances.keys().nth(most).copied() {
            Some(first) => self.balances.split_off(&first),
            None => BTreeMap::new(),
        };
        let rest = Self { balances: rest, ..Self::default() };
        std::mem::replace(self, rest)
    }

    /// Puts what came later over this.
    pub(crate) fn add(&mut self, later: Self) {
        for (account, holdings) in later.balances {
            match self.balances.get_mut(&account) {
                Some(known) if !holdings.is_whole => {
                    known.balances.extend(holdings.balances);
                    known.at = holdings.at;
                }
                Some(_) | None => {
                    self.balances.insert(account, holdings);
                }
            }
        }
        self.prices.extend(later.prices);
        self.usage = later.usage.or(self.usage);
    }
}

#[cfg(test)]
mod tests {
    use tranche_model::money::Amount;

    use super::*;

    const OURS: AccountId = AccountId::new(1);

    fn balance(asset: &str, free: i64) -> Balance {
        let asset = Asset::parse(asset).unwrap();
        Balance { asset, free: Amount::new(free.into()), locked: Amount::ZERO }
    }

    fn held(notes: &Notes) -> Vec<String> {
        let holdings = &notes.balances[&OURS];
        let lines = holdings.balances.values().map(|one| format!("{} {}", one.free, one.asset));
        lines.collect()
    }

    #[test]
    fn a_change_goes_over_what_was_told_whole_and_the_next_whole_one_over_all() {
        let at = Timestamp::from_ms;
        let mut notes = Notes::default();
        notes.all_balances(OURS, &[balance("AAA", 1), balance("BBB", 2)], at(1));
        notes.changed_balances(OURS, &[balance("BBB", 3)], at(2));
        assert_eq!(held(&notes), ["1 AAA", "3 BBB"]);
        assert!(notes.balances[&OURS].is_whole);

        let mut later = Notes::default();
        later.changed_balances(OURS, &[balance("CCC", 4)], at(3));
        notes.add(later);
        assert_eq!(held(&notes), ["1 AAA", "3 BBB", "4 CCC"]);
        assert_eq!((notes.balances[&OURS].is_whole, notes.balances[&OURS].at), (true, at(3)));

        let mut last = Notes::default();
        last.all_balances(OURS, &[balance("AAA", 9)], at(4));
        notes.add(last);
        assert_eq!(held(&notes), ["9 AAA"]);
    }
}
