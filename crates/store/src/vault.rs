//! The vault: users' keys at exchanges, sealed in the database, opened with a key outside of it.
//!
//! Each credential has a data key of its own, drawn by chance; it seals each field separately. The
//! data key is wrapped by the master key. What is sealed is bound to its user, credential, venue and
//! field: moved to another row it does not open.

mod change;
mod master;
mod rows;
mod seal;
mod secret;

use std::fmt;

use tranche_model::{ids::UserId, time::Timestamp};

pub use change::MasterKeyFile;
pub use master::{MasterKeyError, MasterKeys};
pub use secret::Secret;

use crate::error::StoreError;

/// The number of a sealed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(u32);

/// What is known of a sealed key without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub credential: CredentialId,
    pub user: UserId,
    pub venue: String,
    /// What the user calls it.
    pub label: String,
    /// The end of the public half, for people to tell keys apart.
    pub hint: String,
    /// Which master key wraps it.
    pub kek: u32,
    pub created_at: Timestamp,
    /// When it was last wrapped anew.
    pub rotated_at: Option<Timestamp>,
    /// What the exchange said last; `None` when it was not asked, or does not say.
    pub may_withdraw: Option<bool>,
}

/// A key to be sealed.
#[derive(Debug, Clone, Copy)]
pub struct NewCredential<'a> {
    pub user: UserId,
    pub venue: &'a str,
    pub label: &'a str,
    pub hint: &'a str,
    /// Such as `key`, `secret` and `passphrase`.
    pub fields: &'a [(&'a str, &'a Secret)],
}

/// An opened key. Keep it for one use.
#[derive(Debug)]
pub struct OpenCredential {
    pub credential: Credential,
    fields: Vec<(String, Secret)>,
}

/// How far a change of the master key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Wrapped anew by this call.
    pub done: u64,
    /// Still under a former master key, which must be kept until this is zero.
    pub left: u64,
}

/// Why the vault did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("master key {0} is not among those given; give the file that holds it")]
    NoMasterKey(u32),
    #[error("this is not the master key {0} that the database was sealed with")]
    WrongMasterKey(u32),
    #[error("no such credential: {0}")]
    NoCredential(CredentialId),
    #[error("credential {0} belongs to an account; remove it from there first")]
    InUse(CredentialId),
    /// It was changed or moved since it was sealed.
    #[error("credential {credential} cannot be opened: its {part} was changed or moved")]
    Damaged { credential: CredentialId, part: String },
    #[error("not a name for a venue or a field (a-z, 0-9, - and _): `{0}`")]
    BadName(String),
    /// Sealed in a way that this version does not know.
    #[error("credential {0} is sealed by a newer version of Tranche")]
    Newer(CredentialId),
}

impl CredentialId {
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl OpenCredential {
    pub fn field(&self, name: &str) -> Option<&Secret> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, secret)| secret)
    }
}
