//! Why a store did not do it, named by what the caller can do next.

use tranche_model::ids::{AccountId, BotId};

use crate::lock::Holder;

/// Why a read or a write had no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another owner, or another commit, was there first. Load the account, if its lease is ours.
    #[error("the account stands elsewhere: another owner has it")]
    Stale,
    #[error("no such account: {0}")]
    NoAccount(AccountId),
    #[error("no such bot: {0}")]
    NoBot(BotId),
    /// The name or number is taken by something else.
    #[error("there is already {0}")]
    Taken(String),
    /// It failed, or nobody knows whether it took effect. A load tells.
    #[error("the database failed: {0}")]
    Failed(String),
    /// A row that this version did not write, or that was damaged.
    #[error("a row of {table} cannot be read: {what}")]
    Corrupt { table: &'static str, what: String },
}

/// Why a database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("not a database: `{0}`; say sqlite:<path> or postgres://<user>@<host>/<name>")]
    Address(String),
    /// A SQLite file belongs to one engine.
    #[error("the database is in use by {0}")]
    Held(Holder),
    #[error(
        "the database was written by a newer version of Tranche (its schema is {found}, this one \
         knows {known}); install that version, or restore a backup from before"
    )]
    Newer { found: i64, known: i64 },
    /// Whoever only looks does not upgrade.
    #[error(
        "the database is of an older version of Tranche (its schema is {found}, this one knows \
         {known}); `tranche serve` upgrades it"
    )]
    Older { found: i64, known: i64 },
    /// A schema step that was applied reads otherwise here: not a released version.
    #[error("the database's schema step {0} is not the one that this version knows")]
    Foreign(i64),
    /// Only an engine creates or upgrades a database.
    #[error("there is no database yet; start `tranche serve` once")]
    NotReady,
    #[error("the database cannot be opened: {0}")]
    Failed(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(tell(&error))
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(tell(&error))
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Failed(what) => Self::Failed(what),
            StoreError::Stale
            | StoreError::NoAccount(_)
            | StoreError::NoBot(_)
            | StoreError::Taken(_)
            | StoreError::Corrupt { .. } => Self::Failed(error.to_string()),
        }
    }
}

/// The database's own words, without addresses and without values of rows.
pub(crate) fn tell(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(database) => database.message().to_owned(),
        None => error.to_string(),
    }
}
