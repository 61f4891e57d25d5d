//! Writes recordings to files.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tranche_model::instrument::Instruments;
use tranche_sim::replay::{self, Entry, Header};
use tranche_trading::shard::Output;

/// An open recording.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    pub(crate) events: u64,
}

impl Recorder {
    /// Begins a file over.
    pub(crate) fn create(path: &Path, market: String, instruments: Instruments) -> Result<Self> {
        let header =
            Header { written_by: env!("CARGO_PKG_VERSION").to_owned(), market, instruments };
        let file =
            File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
        let mut recorder = Self { path: path.to_owned(), file: BufWriter::new(file), events: 0 };
        recorder.write(&replay::begin(&header)?)?;
        Ok(recorder)
    }

    /// Keeps an event; everything else that is told is passed over.
    pub(crate) fn observe(&mut self, told: &Output) -> Result<()> {
        let Some(entry) = Entry::of(told) else { return Ok(()) };
        self.events = self.events.saturating_add(1);
        self.write(&replay::entry(&entry)?)
    }

    pub(crate) fn finish(mut self) -> Result<u64> {
        self.file.flush().with_context(|| format!("{}: cannot be written", self.path.display()))?;
        Ok(self.events)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("{}: cannot be written", self.path.display()))
    }
}
