//! The store in memory: what a database keeps, under the same rules.

use std::collections::BTreeMap;

use tranche_model::{
    ids::{AccountId, BotId, CommandId, Epoch, InstrumentId, Seq, TradeId},
    record::{Batch, DealRow, FillRow, IntentRow, JournalRow, Snapshot, SnapshotRow, VerdictRow},
};

mod faults;

pub use faults::{CommitFault, CommitPlan, FaultyMemory};

/// All accounts with everything that their owners committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    accounts: BTreeMap<AccountId, Stored>,
}

/// One account's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    pub epoch: Epoch,
    pub seq: Seq,
    pub account: Vec<u8>,
    pub bots: BTreeMap<BotId, Vec<u8>>,
    pub journal: Vec<JournalRow>,
    pub intents: Vec<IntentRow>,
    pub fills: BTreeMap<(InstrumentId, TradeId), FillRow>,
    pub deals: Vec<DealRow>,
    pub verdicts: BTreeMap<CommandId, VerdictRow>,
}

/// Why a commit has no effect, or why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another owner, or another commit, was there first.
    #[error("the account stands at epoch {epoch}, input {seq}")]
    Stale { epoch: Epoch, seq: Seq },
    #[error("no such account: {0}")]
    NoAccount(AccountId),
    /// The store did nothing.
    #[error("the store failed")]
    Failed,
    /// It may or may not have taken effect: only a load tells.
    #[error("the outcome of the commit is unknown")]
    Unknown,
}

impl Memory {
    /// Adds an account that starts from `snapshot`; one that is there stays as it is.
    pub fn add_account(&mut self, account: AccountId, snapshot: Snapshot) {
        self.accounts.entry(account).or_insert_with(|| Stored {
            account: snapshot.account,
            bots: snapshot.bots.into_iter().collect(),
            ..Stored::default()
        });
    }

    /// Writes a batch whole, where the account still stands at its epoch and input, and no input is
    /// without its row in the journal; a fill or a verdict that is known is left out. A database leaves
    /// out the second row of a deal as well: here it is kept, for the checks that look for one.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let stored = self.accounts.get_mut(&batch.account);
        let stored = stored.ok_or(CommitError::NoAccount(batch.account))?;
        if (stored.epoch, stored.seq) != (batch.epoch, batch.seq_before) {
            return Err(CommitError::Stale { epoch: stored.epoch, seq: stored.seq });
        }
        if !batch.is_whole() {
            return Err(CommitError::Failed);
        }
        stored.write(batch);
        Ok(())
    }

    /// Takes the account over: raises its epoch, so that commits of the former owner lose.
    pub fn load(&mut self, account: AccountId) -> Option<(Epoch, Seq, Snapshot)> {
        let stored = self.accounts.get_mut(&account)?;
        stored.epoch = stored.epoch.next();
        let bots = stored.bots.iter().map(|(bot, body)| (*bot, body.clone())).collect();
        Some((stored.epoch, stored.seq, Snapshot { account: stored.account.clone(), bots }))
    }

    pub fn fill_known(&self, account: AccountId, instrument: InstrumentId, trade: TradeId) -> bool {
        let stored = self.accounts.get(&account);
        stored.is_some_and(|stored| stored.fills.contains_key(&(instrument, trade)))
    }

    /// Journals go: whoever never repeats them does not need them.
    pub fn forget_journals(&mut self) {
        for stored in self.accounts.values_mut() {
            stored.journal.clear();
        }
    }

    /// The rows of an account, for checks.
    pub fn stored(&self, account: AccountId) -> Option<&Stored> {
        self.accounts.get(&account)
    }

    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Stored)> {
        self.accounts.iter().map(|(account, stored)| (*account, stored))
    }
}

impl Stored {
    fn write(&mut self, batch: &Batch) {
        self.seq = batch.seq;
        for SnapshotRow { bot, body } in &batch.snapshots {
            match bot {
                None => self.account.clone_from(body),
                Some(bot) if body.is_empty() => {
                    self.bots.remove(bot);
                }
                Some(bot) => {
                    self.bots.insert(*bot, body.clone());
                }
            }
        }
        for row in &batch.fills {
            self.fills.entry((row.fill.instrument, row.fill.trade_id)).or_insert(*row);
        }
        for row in &batch.verdicts {
            self.verdicts.entry(row.command).or_insert_with(|| row.clone());
        }
        self.journal.extend_from_slice(&batch.journal);
        self.intents.extend_from_slice(&batch.intents);
        self.deals.extend_from_slice(&batch.deals);
    }
}

#[cfg(test)]
pub(crate) mod tests;
