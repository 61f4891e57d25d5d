//! What must not be lost: SQLite and PostgreSQL under one contract, and the vault of keys.
//!
//! Invariants: only here is SQL; an account's part of a transaction is guarded by its epoch and
//! sequence; journal and fills are only appended to; bodies of snapshots, journal entries and
//! commands are opaque. Start with [`Store`]; [`Settings`] says how it is opened.

mod accounts;
mod backup;
mod bots;
mod chance;
mod commands;
mod commit;
mod connect;
mod error;
mod history;
mod identity;
mod leases;
mod lock;
mod log;
mod market;
mod migrate;
mod places;
mod private;
mod retention;
#[cfg(feature = "scratch")]
pub mod scratch;
mod settings;
mod sql;
mod store;
mod tasks;
mod vault;
mod verify;
mod words;

pub use accounts::{Account, Loaded, User};
pub use backup::{BackupError, Present, Restored, restore};
pub use bots::BotRow;
pub use commands::{Command, QueuedCommand};
pub use error::{OpenError, StoreError};
pub use history::JournalEntry;
pub use identity::{Identity, Quarantine};
pub use leases::Lease;
pub use lock::Holder;
pub use market::{BalancesNote, Listing, Notes, PriceRow, UsedWeight};
pub use retention::Retention;
pub use settings::{Database, Role, Settings, Versions};
pub use store::Store;
pub use vault::{
    Credential, CredentialId, MasterKeyError, MasterKeyFile, MasterKeys, NewCredential,
    OpenCredential, Rotation, Secret, VaultError,
};
pub use verify::Trouble;
