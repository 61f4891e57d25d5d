//! The outcomes of a sweep, a line each, so that it goes on where it was cut.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{Outcome, Study};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    known: BTreeMap<u32, Outcome>,
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is being written by another program: wait for it, or name another file", path.display())]
    Busy { path: PathBuf },
    #[error(
        "{} is the journal of another sweep (other bot, space, candles, terms or version): remove it, \
         or name another file", path.display()
    )]
    OtherStudy { path: PathBuf },
    #[error("{}, line {line}: cannot be read, remove the file and begin again: {error}", path.display())]
    Line { path: PathBuf, line: usize, error: String },
}

impl Journal {
    /// Begins a journal, or goes on with one of the same study. What a cut left of its last line is
    /// removed.
    pub fn open(path: &Path, study: &Study) -> Result<Self, JournalError> {
        let wrong = |error| JournalError::Io { path: path.to_owned(), error };
        let mut options = OpenOptions::new();
        let mut file = options.create(true).read(true).append(true).open(path).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Busy { path: path.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(wrong)?;
        let whole = text.rfind('\n').map_or(0, |place| place + 1);
        file.set_len(tranche_model::cast::count(whole)).map_err(wrong)?;
        let mut journal = Self { path: path.to_owned(), file, known: BTreeMap::new() };
        let mut lines = text.get(..whole).unwrap_or_default().lines();
        match lines.next() {
            None => {
                let line = journal.line(study)?;
                journal.write(&line)?;
            }
            Some(line) => {
                let found: Result<Study, _> = serde_json::from_str(line);
                if found.ok().map(|found| found.id()) != Some(study.id()) {
                    return Err(JournalError::OtherStudy { path: path.to_owned() });
                }
            }
        }
        for (number, line) in (2..).zip(lines) {
            let read: Result<Outcome, _> = serde_json::from_str(line);
            let outcome = read.map_err(|error| JournalError::Line {
                path: path.to_owned(),
                line: number,
                error: error.to_string(),
            })?;
            journal.known.insert(outcome.number, outcome);
        }
        Ok(journal)
    }

    /// What is there, by number.
    pub const fn known(&self) -> &BTreeMap<u32, Outcome> {
        &self.known
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) -> Result<(), JournalError> {
        let mut text = String::new();
        for outcome in &outcomes {
            text += &self.line(outcome)?;
        }
        self.write(&text)?;
        self.known.extend(outcomes.into_iter().map(|outcome| (outcome.number, outcome)));
        Ok(())
    }

    fn line(&self, value: &impl serde::Serialize) -> Result<String, JournalError> {
        let text = serde_json::to_string(value).map_err(|error| JournalError::Io {
            path: self.path.clone(),
            error: io::Error::other(error),
        })?;
        Ok(text + "\n")
    }

    fn write(&mut self, text: &str) -> Result<(), JournalError> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| JournalError::Io { path: self.path.clone(), error })
    }
}
