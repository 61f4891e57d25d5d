//! Copies of a SQLite database that is in use, and putting one back.
//!
//! A file is never copied while it is in use: its newest part lies beside it. PostgreSQL has tools of
//! its own; what has to happen after them is [`Store::mark_restored`].

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process,
};

use tranche_model::{ids::Incarnation, time::Timestamp};

use crate::{
    connect,
    error::{OpenError, StoreError},
    identity::Identity,
    lock::{FileLock, LockError},
    private,
    settings::{Database, Role, Settings},
    sql::Statement,
    store::Store,
    verify::Trouble,
};

/// Why there is no backup, or why it was not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The text says what to do instead.
    #[error("PostgreSQL is backed up by its own tools: {0}")]
    OtherTools(&'static str),
    #[error("{0} is already there")]
    Exists(PathBuf),
    #[error("{path} cannot be used")]
    File { path: PathBuf, source: io::Error },
    #[error("the backup is damaged: {}", .0.first().map_or_else(String::new, ToString::to_string))]
    Damaged(Vec<Trouble>),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to do about a database that is where a backup is to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// Leave it, and put nothing back.
    Refuse,
    /// Keep it under another name.
    MoveAside,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub identity: Identity,
    /// Where the former database is.
    pub moved_to: Option<PathBuf>,
}

/// For PostgreSQL.
const GUIDANCE: &str = "take base backups and archive the write-ahead log (pgBackRest, WAL-G), or \
    run `pg_dump --format=custom`; after putting one back, run `tranche restore --mark` before the \
    engine starts";

impl Store {
    /// Writes a copy of the database as it stands, beside a running engine. The copy appears under its
    /// name when it is whole, and only its owner may read it.
    pub async fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let Database::Sqlite(_) = self.database() else {
            return Err(BackupError::OtherTools(GUIDANCE));
        };
        if to.exists() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let partial = beside(to, ".partial");
        // An empty file may be written into; this one has the right mode before anything is in it.
        create(&partial)?;
        let copied = Statement::new("VACUUM INTO $1").bind(partial.display().to_string());
        // A connection of its own: the committer does not wait for the copy.
        let own = connect::connect(self.database(), Role::Client, self.lease).await?;
        let done = own.write.run(copied).await;
        own.write.close().await;
        if let Err(error) = done {
            remove(&partial);
            return Err(StoreError::from(error).into());
        }
        finish(&partial, to)
    }
}

/// Puts a backup where `settings` says, brings it to the schema of this version, and marks it: the next
/// engine boots in quarantine under a new incarnation. Nobody may use the database meanwhile.
pub async fn restore(
    from: &Path,
    settings: Settings,
    present: Present,
) -> Result<Restored, BackupError> {
    let Database::Sqlite(to) = settings.database.clone() else {
        return Err(BackupError::OtherTools(GUIDANCE));
    };
    let _lock = FileLock::take(&to, process::id(), settings.now).map_err(|error| match error {
        LockError::Held(holder) => BackupError::Open(OpenError::Held(holder)),
        LockError::Io(source) => BackupError::File { path: to.clone(), source },
    })?;
    if to.exists() && present == Present::Refuse {
        return Err(BackupError::Exists(to));
    }
    let partial = beside(&to, ".partial");
    create(&partial)?;
    let former = incarnations(&to, &settings).await;
    let identity = match prepare(from, &partial, settings.clone(), &former).await {
        Ok(identity) => identity,
        Err(error) => {
            remove_all(&partial);
            return Err(error);
        }
    };
    let moved_to = move_aside(&to, settings.now)?;
    finish(&partial, &to)?;
    Ok(Restored { identity, moved_to })
}

/// Copies, checks, upgrades and marks, all before the database has its name.
async fn prepare(
    from: &Path,
    partial: &Path,
    settings: Settings,
    former: &[Incarnation],
) -> Result<Identity, BackupError> {
    fs::copy(from, partial).map_err(|error| failed(from, error))?;
    let now = settings.now;
    let database = Database::Sqlite(partial.to_owned());
    // An engine would make a database of an empty file.
    let looked = Settings { database: database.clone(), role: Role::Client, ..settings.clone() };
    match Store::open(looked).await {
        Ok(store) => store.close().await,
        Err(OpenError::Older { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let store = Store::open(Settings { database, role: Role::Engine, ..settings }).await?;
    let troubles = store.verify().await?;
    let marked = if troubles.is_empty() {
        let reason = format!("restored from a backup at {now}");
        store.mark_restored(&reason, now).await?;
        Ok(store.avoid_incarnations(former, now).await?)
    } else {
        Err(BackupError::Damaged(troubles))
    };
    // Brings everything into the one file.
    store.close().await;
    remove(&beside(partial, ".lock"));
    marked
}

/// The incarnations of the database that is replaced, as far as it can be read: a backup does not know
/// those that came after it.
async fn incarnations(path: &Path, settings: &Settings) -> Vec<Incarnation> {
    if !path.exists() {
        return Vec::new();
    }
    let settings = Settings { role: Role::Client, ..settings.clone() };
    let Ok(store) = Store::open(settings).await else { return Vec::new() };
    let had = store.incarnations().await.unwrap_or_default();
    store.close().await;
    had
}

/// Gives the former database and what lies beside it another name.
fn move_aside(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    if !path.exists() {
        return Ok(None);
    }
    let aside = beside(path, &format!(".before-{}", now.ms()));
    if aside.exists() {
        return Err(BackupError::Exists(aside));
    }
    // What lies beside goes first: alone, the file would be taken for whole.
    for suffix in ["-wal", "-shm", ""] {
        let old = beside(path, suffix);
        if old.exists() {
            fs::rename(&old, beside(&aside, suffix)).map_err(|error| failed(&old, error))?;
        }
    }
    Ok(Some(aside))
}

/// Brings a whole file to the disk and gives it its name.
fn finish(partial: &Path, to: &Path) -> Result<(), BackupError> {
    let synced = File::open(partial).and_then(|file| file.sync_all());
    synced.map_err(|error| failed(partial, error))?;
    fs::rename(partial, to).map_err(|error| failed(to, error))?;
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed(folder, error))
}

fn create(path: &Path) -> Result<(), BackupError> {
    remove_all(path);
    let created = private::options().create_new(true).open(path);
    created.map(drop).map_err(|error| failed(path, error))
}

/// Removes an unfinished database with what lies beside it.
fn remove_all(path: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        remove(&beside(path, suffix));
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file stays");
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, source: io::Error) -> BackupError {
    BackupError::File { path: path.to_owned(), source }
}
