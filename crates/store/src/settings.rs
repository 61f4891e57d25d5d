//! How a database is named, and how it is opened.

use std::{fmt, path::PathBuf, str::FromStr as _};

use sqlx::postgres::PgConnectOptions;
use tranche_model::time::{Millis, Timestamp};

use crate::error::OpenError;

/// Which database.
#[derive(Clone)]
pub enum Database {
    /// A file on this machine, for one engine.
    Sqlite(PathBuf),
    /// A server, for any number of engines.
    Postgres(Box<PgConnectOptions>),
}

/// What this process is to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Commits accounts. It brings the schema to this version, and is the only one with a SQLite file.
    Engine,
    /// Reads, and writes commands, bots and keys, beside a running engine or without one.
    Client,
}

/// The versions that snapshots and journal are written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Of the bytes.
    pub schema: u16,
    /// Of the rules that made them.
    pub rules: u16,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    pub database: Database,
    pub role: Role,
    /// Names this process among all that share the database; unique in each of its lives.
    pub owner: String,
    pub versions: Versions,
    /// How long a lease lasts when nobody renews it.
    pub lease: Millis,
    /// For the record of who opened it when.
    pub now: Timestamp,
}

impl Settings {
    /// A lease that is long enough for a slow network and short enough for a takeover.
    pub const LEASE: Millis = Millis::from_secs(15);
}

impl Database {
    /// Reads `sqlite:<path>` or `postgres://…`.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(refused(text))
            } else {
                Ok(Self::Sqlite(path.into()))
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text).map_err(|_| refused(text))?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        Err(refused(text))
    }
}

/// The text may hold a password: what follows the scheme is not repeated.
fn refused(text: &str) -> OpenError {
    let scheme = text.split(':').next().unwrap_or_default();
    OpenError::Address(format!("{}:…", scheme.chars().take(20).collect::<String>()))
}

impl fmt::Display for Database {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(options) => {
                let name = options.get_database().unwrap_or_default();
                write!(f, "postgres://{}:{}/{name}", options.get_host(), options.get_port())
            }
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
