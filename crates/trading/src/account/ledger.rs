//! What the account holds by its own books: opening balances and postings, exact. The venue's word is
//! compared with it, never mixed into it unseen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    decimal::MathError,
    fill::Fill,
    money::Amount,
    order::Side,
};

/// The account's holdings by its own reckoning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// By asset, ascending. They are few, and there are many ledgers: trees would be half empty.
    totals: Vec<(Asset, Amount)>,
    /// Held by orders that are not ours.
    foreign_locked: BTreeMap<Asset, Amount>,
    /// Whether the opening balances were read.
    opened: bool,
}

impl Ledger {
    pub fn total(&self, asset: Asset) -> Amount {
        let found = self.place(asset).ok().and_then(|place| self.totals.get(place));
        found.map(|(_, total)| *total).unwrap_or_default()
    }

    pub fn totals(&self) -> impl Iterator<Item = (Asset, Amount)> {
        self.totals.iter().copied()
    }

    /// What nobody else holds: ours to reserve.
    pub fn ours(&self, asset: Asset) -> Result<Amount, MathError> {
        let locked = self.foreign_locked.get(&asset).copied().unwrap_or_default();
        self.total(asset).minus(locked)
    }

    pub fn set_foreign_locked(&mut self, locked: BTreeMap<Asset, Amount>) {
        self.foreign_locked = locked;
    }

    /// Whether the opening balances were read.
    pub const fn is_open(&self) -> bool {
        self.opened
    }

    /// Books an execution: what came, what went, and the fee.
    pub(crate) fn book(&mut self, fill: &Fill, symbol: Symbol) -> Result<(), MathError> {
        let (base, quote) = (fill.qty.amount(), fill.quote.amount());
        match fill.side {
            Side::Buy => {
                self.post(symbol.base, base)?;
                self.post(symbol.quote, Amount::ZERO.minus(quote)?)?;
            }
            Side::Sell => {
                self.post(symbol.base, Amount::ZERO.minus(base)?)?;
                self.post(symbol.quote, quote)?;
            }
        }
        self.post(fill.fee.asset, Amount::ZERO.minus(fill.fee.amount)?)
    }

    /// Where the venue's totals differ from ours: (asset, venue minus ours). Assets that the venue
    /// does not name are not compared.
    pub fn differences(&self, balances: &[Balance]) -> Result<Vec<(Asset, Amount)>, MathError> {
        let mut found = Vec::new();
        for balance in balances {
            let by = balance.total()?.minus(self.total(balance.asset))?;
            if !by.is_zero() {
                found.push((balance.asset, by));
            }
        }
        Ok(found)
    }

    /// Takes the venue's totals over. The first time they are the opening balances; later whatever
    /// moved outside our orders, which is returned to be told.
    pub(crate) fn adopt(
        &mut self,
        balances: &[Balance],
    ) -> Result<Vec<(Asset, Amount)>, MathError> {
        let moved = self.differences(balances)?;
        for (asset, by) in &moved {
            self.post(*asset, *by)?;
        }
        let is_opening = !self.opened;
        self.opened = true;
        Ok(if is_opening { Vec::new() } else { moved })
    }

    fn post(&mut self, asset: Asset, by: Amount) -> Result<(), MathError> {
        if by.is_zero() {
            return Ok(());
        }
        let place = self.place(asset).unwrap_or_else(|place| {
            self.totals.reserve_exact(1);
            self.totals.insert(place, (asset, Amount::ZERO));
            place
        });
        if let Some((_, total)) = self.totals.get_mut(place) {
            *total = total.plus(by)?;
        }
        Ok(())
    }

    fn place(&self, asset: Asset) -> Result<usize, usize> {
        self.totals.binary_search_by_key(&asset, |(known, _)| *known)
    }
}
