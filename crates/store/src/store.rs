//! An open database.

use std::{fmt, path::Path, process};

use tranche_model::{record::Batch, time::Millis};

use crate::{
    commit::Committer,
    connect::{self, Connections},
    error::{OpenError, StoreError},
    lock::{FileLock, LockError},
    log::Log,
    migrate, places,
    settings::{Database, Role, Settings, Versions},
    sql::Pool,
};

/// An open database: ground state, never lost once a call says that it was written.
///
/// Share it behind an `Arc`. Methods take no lock of their own; they may be called at the same time.
pub struct Store {
    pub(crate) write: Pool,
    pub(crate) read: Pool,
    pub(crate) owner: String,
    pub(crate) versions: Versions,
    pub(crate) lease: Millis,
    database: Database,
    committer: Committer,
    log: Option<Log>,
    /// Of an engine on SQLite.
    _lock: Option<FileLock>,
}

impl Store {
    /// Opens a database. An engine creates or upgrades it, and gets a SQLite file for itself.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let lock = match (&settings.database, settings.role) {
            (Database::Sqlite(path), Role::Engine) => Some(take(path, &settings)?),
            (Database::Sqlite(path), Role::Client) if !path.exists() => {
                return Err(OpenError::NotReady);
            }
            (Database::Sqlite(_), Role::Client) | (Database::Postgres(_), _) => None,
        };
        let Connections { write, read, log } =
            connect::connect(&settings.database, settings.role, settings.lease).await?;
        match settings.role {
            Role::Engine => {
                migrate::upgrade(&write).await?;
                places::note(&write).await;
            }
            Role::Client => migrate::check(&read).await?,
        }
        let log = log.map(Log::keep);
        let state = log.as_ref().map(Log::state);
        let committer = Committer::start(write.clone(), settings.versions, state);
        Ok(Self {
            write,
            read,
            owner: settings.owner,
            versions: settings.versions,
            lease: settings.lease,
            database: settings.database,
            committer,
            log,
            _lock: lock,
        })
    }

    /// Writes each batch whole or not at all, in order, and answers for each. A batch whose account
    /// stands at another epoch or input is left out; a fill, a deal or a verdict that is known stays as
    /// it is. What several callers ask for at the same time goes into one transaction.
    pub async fn commit(&self, batches: Vec<Batch>) -> Vec<Result<(), StoreError>> {
        self.committer.commit(batches).await
    }

    /// Ends it: what was asked for before is finished, then the connections close.
    pub async fn close(&self) {
        self.committer.close().await;
        if let Some(log) = &self.log {
            log.close().await;
        }
        self.read.close().await;
        self.write.close().await;
    }

    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Names this process among all that share the database.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

fn take(path: &Path, settings: &Settings) -> Result<FileLock, OpenError> {
    FileLock::take(path, process::id(), settings.now).map_err(|error| match error {
        LockError::Held(holder) => OpenError::Held(holder),
        LockError::Io(error) => OpenError::Failed(format!("{}: {error}", path.display())),
    })
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("database", &self.database)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
