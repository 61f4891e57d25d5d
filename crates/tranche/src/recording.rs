//! Writes recordings to files.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tranche_model::{ids::AccountId, instrument::Instruments};
use tranche_sim::replay::{self, Entry, Header, Start};
use tranche_trading::{event::Settings, shard::Output};

/// An open recording.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    pub(crate) events: u64,
}

impl Recorder {
    /// Begins a file over, for accounts that nothing has happened to.
    pub(crate) fn create(
        path: &Path,
        market: String,
        instruments: Instruments,
        (accounts, settings): (&[AccountId], &Settings),
    ) -> Result<Self> {
        let header = Header {
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            market,
            instruments,
            accounts: accounts.iter().map(|id| Start::new(*id, settings.clone())).collect(),
        };
        let file =
            File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
        let mut recorder = Self { path: path.to_owned(), file: BufWriter::new(file), events: 0 };
        recorder.write(&replay::begin(&header)?)?;
        Ok(recorder)
    }

    /// Keeps an event; everything else that is told is passed over.
    pub(crate) fn observe(&mut self, told: &Output) -> Result<()> {
        let Output::Recorded { account, at, event, trace } = told else { return Ok(()) };
        let entry =
            Entry { account: *account, at: *at, event: event.clone(), trace: trace.clone() };
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
