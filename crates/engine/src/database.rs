//! The engine's store in a database.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tranche_model::{
    ids::{AccountId, CommandId, InstrumentId, TradeId},
    record::{Batch, VerdictRow},
    time::Millis,
};
use tranche_store::{self as database, Database};
use tranche_trading::{codec, event::Command};
use tranche_venue::venue::Later;

use crate::store::{Loaded, Store, StoreError};

/// A database that other engines may use too, if it is one for several.
#[derive(Debug)]
pub struct DatabaseStore {
    inner: Arc<database::Store>,
    /// Whether others may have an account, so that each is leased.
    lease: Option<Duration>,
    /// Commands whose bytes are not ours: told once.
    unreadable: Mutex<BTreeSet<CommandId>>,
}

impl DatabaseStore {
    /// `lease` is that of the settings that the database was opened with.
    pub fn new(inner: Arc<database::Store>, lease: Millis) -> Self {
        let lease = match inner.database() {
            // The file belongs to this process as long as it lives.
            Database::Sqlite(_) => None,
            Database::Postgres(_) => Some(Duration::from_millis(lease.ms().into())),
        };
        Self { inner, lease, unreadable: Mutex::default() }
    }

    fn read(&self, queued: database::QueuedCommand) -> Option<(AccountId, Command)> {
        let database::Command { command: id, account, body, .. } = queued.command;
        match codec::decode(&body) {
            Ok(body) => Some((account, Command { id, body })),
            Err(error) => {
                let mut known = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
                if known.insert(id) {
                    tracing::error!(command = %id, %error, "a command cannot be read; it waits");
                }
                None
            }
        }
    }
}

impl Store for DatabaseStore {
    fn commit(&self, batches: Vec<Batch>) -> Later<'_, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            let answers = self.inner.commit(batches).await;
            answers.into_iter().map(|answer| answer.map_err(StoreError::from)).collect()
        })
    }

    fn load(&self, account: AccountId) -> Later<'_, Result<Loaded, StoreError>> {
        Box::pin(async move {
            if self.lease.is_some() && self.inner.lease(&[account]).await?.is_empty() {
                return Err(StoreError::Held("its lease runs".to_owned()));
            }
            match self.inner.load(account).await {
                Ok(database::Loaded { epoch, seq, snapshot }) => {
                    Ok(Loaded { epoch, seq, snapshot })
                }
                Err(database::StoreError::Stale) => {
                    Err(StoreError::Held("its lease runs".to_owned()))
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    fn fill_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trade: TradeId,
    ) -> Later<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.inner.fill_known(account, instrument, trade).await?) })
    }

    fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Later<'_, Result<Option<VerdictRow>, StoreError>> {
        Box::pin(async move { Ok(self.inner.verdict(account, command).await?) })
    }

    fn commands(
        &self,
        accounts: Vec<AccountId>,
    ) -> Later<'_, Result<Vec<(AccountId, Command)>, StoreError>> {
        Box::pin(async move {
            let open = self.inner.open_commands(&accounts).await?;
            Ok(open.into_iter().filter_map(|queued| self.read(queued)).collect())
        })
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn renew(&self, accounts: Vec<AccountId>) -> Later<'_, Result<Vec<AccountId>, StoreError>> {
        Box::pin(async move {
            let ours: BTreeSet<AccountId> = self.inner.renew().await?.into_iter().collect();
            Ok(accounts.into_iter().filter(|account| ours.contains(account)).collect())
        })
    }

    fn release(&self, accounts: Vec<AccountId>) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.inner.release(&accounts).await?) })
    }
}

impl From<database::StoreError> for StoreError {
    fn from(error: database::StoreError) -> Self {
        match error {
            database::StoreError::Stale => Self::Stale,
            database::StoreError::NoAccount(account) => Self::NoAccount(account),
            database::StoreError::NoBot(_)
            | database::StoreError::Taken(_)
            | database::StoreError::Failed(_)
            | database::StoreError::Corrupt { .. } => Self::Failed(error.to_string()),
        }
    }
}
