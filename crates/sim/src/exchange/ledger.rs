//! Double entry: whatever one place gains, another loses.

use std::collections::BTreeMap;

use tranche_model::{
    asset::Asset,
    balance::Balance,
    decimal::MathError,
    ids::AccountId,
    money::{Amount, Qty},
};

/// Who holds an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Account(AccountId),
    /// Fees that the exchange took.
    Fees,
    /// The other side of every execution: nets to zero between participants, else it is the tape.
    Market,
    /// Where deposits come from.
    Outside,
}

/// A change of one holding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) asset: Asset,
    pub(super) free: Amount,
    pub(super) locked: Amount,
}

/// Why amounts did not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error("not enough {0}")]
    Insufficient(Asset),
    #[error("no such account: {0}")]
    NoAccount(AccountId),
    #[error("no such order")]
    NoOrder,
    #[error(transparent)]
    Math(#[from] MathError),
}

/// What the books show when they are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error("the books of {asset} differ by {by}")]
    Unbalanced { asset: Asset, by: Amount },
    #[error("account {account} holds less than nothing of {asset}")]
    Negative { account: AccountId, asset: Asset },
    #[error("account {account} has locked {locked} {asset}, but its open orders need {needed}")]
    Locks { account: AccountId, asset: Asset, locked: Amount, needed: Amount },
    #[error("the sums of {asset} have too many digits")]
    TooManyDigits { asset: Asset },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) free: Amount,
    pub(super) locked: Amount,
}

/// All holdings of all places.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    holdings: BTreeMap<(Place, Asset), Holding>,
}

impl Entry {
    pub(super) const fn free(place: Place, asset: Asset, free: Amount) -> Self {
        Self { place, asset, free, locked: Amount::ZERO }
    }

    /// Moves an amount between the free and the locked part.
    pub(super) fn lock(account: AccountId, asset: Asset, amount: Amount) -> Self {
        let place = Place::Account(account);
        Self { place, asset, free: negated(amount), locked: amount }
    }
}

impl Ledger {
    /// Applies all entries, or none when a holding of an account would fall below zero.
    pub(super) fn post(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        let before: Vec<_> = entries
            .iter()
            .map(|entry| ((entry.place, entry.asset), self.holding(entry.place, entry.asset)))
            .collect();
        let applied = entries.iter().try_for_each(|entry| self.apply(entry));
        let outcome =
            applied.and_then(|()| entries.iter().try_for_each(|entry| self.covered(entry)));
        if outcome.is_err() {
            self.holdings.extend(before);
        }
        outcome
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let holding = self.holdings.entry((entry.place, entry.asset)).or_default();
        holding.free = holding.free.plus(entry.free)?;
        holding.locked = holding.locked.plus(entry.locked)?;
        Ok(())
    }

    fn covered(&self, entry: &Entry) -> Result<(), LedgerError> {
        let Place::Account(_) = entry.place else { return Ok(()) };
        let holding = self.holding(entry.place, entry.asset);
        if holding.free.is_negative() || holding.locked.is_negative() {
            return Err(LedgerError::Insufficient(entry.asset));
        }
        Ok(())
    }

    pub(super) fn holding(&self, place: Place, asset: Asset) -> Holding {
        self.holdings.get(&(place, asset)).copied().unwrap_or_default()
    }

    pub(super) fn free(&self, account: AccountId, asset: Asset) -> Amount {
        self.holding(Place::Account(account), asset).free
    }

    pub(super) fn total(&self, account: AccountId, asset: Asset) -> Result<Qty, MathError> {
        let holding = self.holding(Place::Account(account), asset);
        holding.free.plus(holding.locked).map(Amount::qty)
    }

    pub(super) fn balance(&self, account: AccountId, asset: Asset) -> Balance {
        let Holding { free, locked } = self.holding(Place::Account(account), asset);
        Balance { asset, free, locked }
    }

    pub(super) fn balances(&self, account: AccountId) -> Vec<Balance> {
        let place = Place::Account(account);
        self.holdings
            .iter()
            .filter(|((holder, _), _)| *holder == place)
            .map(|((_, asset), holding)| Balance {
                asset: *asset,
                free: holding.free,
                locked: holding.locked,
            })
            .collect()
    }

    /// Checks that each asset sums to zero over all places and that no account owes anything.
    pub(super) fn audit(&self) -> Result<(), AuditError> {
        let mut sums: BTreeMap<Asset, Amount> = BTreeMap::new();
        for ((place, asset), holding) in &self.holdings {
            if let Place::Account(account) = *place
                && (holding.free.is_negative() || holding.locked.is_negative())
            {
                return Err(AuditError::Negative { account, asset: *asset });
            }
            let sum = sums.entry(*asset).or_default();
            *sum = sum
                .plus(holding.free)
                .and_then(|sum| sum.plus(holding.locked))
                .map_err(|_| AuditError::TooManyDigits { asset: *asset })?;
        }
        match sums.into_iter().find(|(_, sum)| !sum.is_zero()) {
            Some((asset, by)) => Err(AuditError::Unbalanced { asset, by }),
            None => Ok(()),
        }
    }

    /// Checks that what each account has locked is what its open orders need.
    pub(super) fn audit_locks(
        &self,
        needed: &BTreeMap<(AccountId, Asset), Amount>,
    ) -> Result<(), AuditError> {
        for ((place, asset), holding) in &self.holdings {
            let Place::Account(account) = *place else { continue };
            let need = needed.get(&(account, *asset)).copied().unwrap_or_default();
            if need != holding.locked {
                let (asset, locked) = (*asset, holding.locked);
                return Err(AuditError::Locks { account, asset, locked, needed: need });
            }
        }
        Ok(())
    }
}

pub(super) fn negated(amount: Amount) -> Amount {
    Amount::new(-amount.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset() -> Asset {
        Asset::parse("USDT").unwrap()
    }

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn a_posting_that_overdraws_changes_nothing() {
        let mut ledger = Ledger::default();
        let place = Place::Account(AccountId::new(1));
        let deposit = [
            Entry::free(place, asset(), amount("10")),
            Entry::free(Place::Outside, asset(), amount("-10")),
        ];
        ledger.post(&deposit).unwrap();

        let too_much = [
            Entry::free(Place::Fees, asset(), amount("11")),
            Entry::free(place, asset(), amount("-11")),
        ];

        assert_eq!(ledger.post(&too_much), Err(LedgerError::Insufficient(asset())));
        assert_eq!(ledger.free(AccountId::new(1), asset()), amount("10"));
        assert_eq!(ledger.audit(), Ok(()));
    }

    #[test]
    fn an_amount_out_of_nowhere_is_named() {
        let mut ledger = Ledger::default();
        ledger.post(&[Entry::free(Place::Fees, asset(), amount("1"))]).unwrap();

        assert_eq!(ledger.audit(), Err(AuditError::Unbalanced { asset: asset(), by: amount("1") }));
    }
}
