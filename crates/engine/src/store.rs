//! What the engine asks of a store, and the store in memory.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tranche_model::{
    ids::{AccountId, CommandId, Epoch, InstrumentId, Seq, TradeId},
    record::{Batch, Snapshot, VerdictRow},
};
use tranche_sim::memory::{CommitError, Memory};
use tranche_trading::{dispatch::Usage, event::Command};
use tranche_venue::venue::Later;

use crate::notes::Notes;

/// What a store keeps: ground state, never lost once it says so.
pub trait Store: fmt::Debug + Send + Sync {
    /// Writes each batch whole or not at all, in order, and answers for each. A batch whose account
    /// stands at another epoch or input is left out.
    fn commit(&self, batches: Vec<Batch>) -> Later<'_, Vec<Result<(), StoreError>>>;

    /// Takes accounts over: raises their epochs, so that commits of a former owner lose. Answers for each,
    /// in their order.
    fn load(&self, accounts: Vec<AccountId>) -> Later<'_, Vec<Result<Loaded, StoreError>>>;

    /// Which of an instrument's fills were booked.
    fn fills_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trades: Vec<TradeId>,
    ) -> Later<'_, Result<BTreeSet<TradeId>, StoreError>>;

    /// The verdict of a command, once it is written.
    fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Later<'_, Result<Option<VerdictRow>, StoreError>>;

    /// Commands of these accounts that other processes wrote and that have no verdict, oldest first.
    fn commands(
        &self,
        accounts: Vec<AccountId>,
    ) -> Later<'_, Result<Vec<(AccountId, Command)>, StoreError>>;

    /// For how long an account stays ours after it was loaded or its lease renewed. `None` where nobody
    /// else can have it as long as this process lives.
    fn lease(&self) -> Option<Duration>;

    /// Renews the leases of these accounts; answers which of them are ours still.
    fn renew(&self, accounts: Vec<AccountId>) -> Later<'_, Result<Vec<AccountId>, StoreError>>;

    /// Gives the leases back at a graceful end, so that another need not wait for them to run out.
    fn release(&self, accounts: Vec<AccountId>) -> Later<'_, Result<(), StoreError>>;

    /// Writes down what can be asked for again.
    fn note(&self, notes: Notes) -> Later<'_, Result<(), StoreError>>;

    /// What a former process used of the exchange's limit, as it was noted last.
    fn usage(&self) -> Later<'_, Result<Option<Usage>, StoreError>>;
}

/// An account as the store holds it, under its new owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub epoch: Epoch,
    pub seq: Seq,
    pub snapshot: Snapshot,
}

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another owner, or another commit, was there first.
    #[error("the account stands elsewhere: another owner has it")]
    Stale,
    /// Another engine has it until its lease runs out.
    #[error("the account is another engine's: {0}")]
    Held(String),
    #[error("no such account: {0}")]
    NoAccount(AccountId),
    /// It failed, or nobody knows. A load tells.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// The store in memory: for paper and for tests. Nothing of it outlives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    memory: Mutex<Memory>,
    notes: Mutex<Notes>,
}

impl MemoryStore {
    /// Adds an account that nothing happened to; one that is there stays as it is.
    pub fn add_account(&self, account: AccountId) {
        self.locked().add_account(account, Snapshot::default());
    }

    /// Lets somebody look at the rows.
    pub fn look<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(&self.locked())
    }

    /// What was noted last of everything.
    pub fn notes(&self) -> Notes {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self) -> MutexGuard<'_, Memory> {
        // Each change is whole before it panics: there is nothing in it that could.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, batches: Vec<Batch>) -> Later<'_, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            let mut memory = self.locked();
            batches.iter().map(|batch| memory.commit(batch).map_err(StoreError::from)).collect()
        })
    }

    fn load(&self, accounts: Vec<AccountId>) -> Later<'_, Vec<Result<Loaded, StoreError>>> {
        Box::pin(async move {
            let mut memory = self.locked();
            let mut load = |account| {
                let loaded = memory.load(account).ok_or(StoreError::NoAccount(account));
                loaded.map(|(epoch, seq, snapshot)| Loaded { epoch, seq, snapshot })
            };
            accounts.into_iter().map(&mut load).collect()
        })
    }

    fn fills_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trades: Vec<TradeId>,
    ) -> Later<'_, Result<BTreeSet<TradeId>, StoreError>> {
        Box::pin(async move {
            let memory = self.locked();
            let is_known = |trade: &TradeId| memory.fill_known(account, instrument, *trade);
            Ok(trades.into_iter().filter(is_known).collect())
        })
    }

    fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Later<'_, Result<Option<VerdictRow>, StoreError>> {
        Box::pin(async move {
            let memory = self.locked();
            let stored = memory.stored(account);
            Ok(stored.and_then(|stored| stored.verdicts.get(&command).cloned()))
        })
    }

    /// No other process sees this memory.
    fn commands(
        &self,
        _: Vec<AccountId>,
    ) -> Later<'_, Result<Vec<(AccountId, Command)>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn lease(&self) -> Option<Duration> {
        None
    }

    fn renew(&self, accounts: Vec<AccountId>) -> Later<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move { Ok(accounts) })
    }

    fn release(&self, _: Vec<AccountId>) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn note(&self, notes: Notes) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.noted().add(notes);
            Ok(())
        })
    }

    fn usage(&self) -> Later<'_, Result<Option<Usage>, StoreError>> {
        Box::pin(async move { Ok(self.noted().usage) })
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Stale { .. } => Self::Stale,
            CommitError::NoAccount(account) => Self::NoAccount(account),
            CommitError::Failed | CommitError::Unknown => Self::Failed(error.to_string()),
        }
    }
}
