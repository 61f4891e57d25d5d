//! A SQLite file belongs to one engine: the operating system's lock on a file beside it says to whom.

use std::{
    fmt,
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use tranche_model::time::Timestamp;

use crate::private;

/// Who has a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The process; `None` when it did not get to write it down.
    pub pid: Option<u32>,
    pub since: Option<Timestamp>,
}

/// The lock, held while this lives; also a killed process gives it back.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum LockError {
    Held(Holder),
    Io(io::Error),
}

impl FileLock {
    /// Takes the lock of a database, or says who has it.
    pub(crate) fn take(database: &Path, pid: u32, now: Timestamp) -> Result<Self, LockError> {
        let mut file = open(&path(database)).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        write(&mut file, pid, now).map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }
}

/// The file beside the database that carries its lock.
fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<File> {
    private::options().read(true).create(true).truncate(false).open(path)
}

fn write(file: &mut File, pid: u32, now: Timestamp) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{pid} {}", now.ms())
}

fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    if file.read_to_string(&mut text).is_err() {
        text.clear();
    }
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    let since = words.next().and_then(|word| word.parse().ok()).map(Timestamp::from_ms);
    Holder { pid, since }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, self.since) {
            (Some(pid), Some(since)) => write!(f, "process {pid} since {since}"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => f.write_str("another process"),
        }
    }
}
