//! The data folder: one Parquet file for each exchange, pair and interval, which any tool can read.
//!
//! `folder/<venue>/<BASE>-<QUOTE>-<interval>.parquet`. A file says in its own footer what it holds, and
//! the checksum of its candles, so that it is whole or not there.

mod file;
mod gather;
mod numbers;
mod series;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
};

use tranche_model::{
    asset::Symbol,
    time::{Millis, Timestamp},
};

pub use self::{
    file::{Checked, Entry},
    gather::{Added, Additions},
    series::Series,
};
use crate::{
    candles::CandleFile,
    fault::{Fault, FileError},
    import::Input,
};

const ENDING: &str = "parquet";
/// The lengths that have a name, in seconds.
const INTERVALS: [(&str, u32); 15] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("10m", 600),
    ("15m", 900),
    ("30m", 1800),
    ("1h", 3600),
    ("2h", 7200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
    ("1w", 604_800),
];

/// A folder of candles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depot {
    folder: PathBuf,
}

/// The half-open span of time that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
}

impl Range {
    pub const ALL: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

impl Depot {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the candles of a series are, or would be.
    pub fn path(&self, series: &Series) -> PathBuf {
        self.folder.join(series.venue()).join(format!("{}.{ENDING}", series.stem()))
    }

    /// Everything that is there, by exchange, pair and interval. What cannot be read is in the second
    /// list.
    pub fn list(&self) -> (Vec<Entry>, Vec<FileError>) {
        let (mut entries, mut faults) = (Vec::new(), Vec::new());
        for path in self.files() {
            match file::entry(&path) {
                Ok(entry) => entries.push(entry),
                Err(fault) => faults.push(fault),
            }
        }
        entries.sort_by(|a, b| a.series.cmp(&b.series));
        (entries, faults)
    }

    /// What is there of a pair: the one series that fits, or an error that names those that do.
    pub fn find(
        &self,
        symbol: Symbol,
        venue: Option<&str>,
        interval: Option<Millis>,
    ) -> Result<Entry, FindError> {
        let (entries, faults) = self.list();
        let fits = |entry: &&Entry| {
            entry.series.symbol() == symbol
                && venue.is_none_or(|venue| entry.series.venue() == venue)
                && interval.is_none_or(|interval| entry.series.interval() == interval)
        };
        let mut fitting = entries.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(entry), None) => Ok(entry.clone()),
            (Some(_), Some(_)) => {
                let names = entries.iter().filter(fits).map(|entry| entry.series.to_string());
                Err(FindError::Several { symbol, names: names.collect::<Vec<_>>().join(", ") })
            }
            (None, _) => {
                let names = entries.iter().map(|entry| entry.series.to_string());
                let mut names = names.collect::<Vec<_>>().join(", ");
                if let Some(fault) = faults.first() {
                    names = format!("{names}; {fault}");
                }
                Err(FindError::None { symbol, folder: self.folder.clone(), names })
            }
        }
    }

    /// The candles of a series in a range.
    pub fn read(&self, entry: &Entry, range: Range) -> Result<CandleFile, FileError> {
        file::read(&self.path(&entry.series), range)
    }

    /// Reads every candle of an entry again and compares its checksum.
    pub fn check(&self, entry: &Entry) -> Result<Checked, FileError> {
        file::check(&self.path(&entry.series))
    }

    /// Adds the candles of inputs to what is there. Nothing changes unless all of them can be read and
    /// none contradicts another.
    pub fn add(&self, additions: &Additions, inputs: &[Input]) -> Result<Added, FileError> {
        gather::add(self, additions, inputs)
    }

    /// Replaces a series by candles that are at hand.
    pub fn put(&self, venue: &str, symbol: Symbol, file: &CandleFile) -> Result<Entry, FileError> {
        gather::put(self, (venue, symbol), file)
    }

    fn files(&self) -> Vec<PathBuf> {
        let folders = children(&self.folder).into_iter().filter(|path| path.is_dir());
        let files = folders.flat_map(|folder| children(&folder));
        files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect()
    }
}

/// Why no series is found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("there are no candles of {symbol} in {}; there are: {names}", folder.display())]
    None { symbol: Symbol, folder: PathBuf, names: String },
    #[error("there are several candles of {symbol}, name the exchange or the interval: {names}")]
    Several { symbol: Symbol, names: String },
}

/// The name of a length, or its seconds.
pub fn interval_name(interval: Millis) -> String {
    let seconds = interval.ms() / 1000;
    let known = INTERVALS.iter().find(|(_, length)| *length == seconds);
    known.map_or_else(|| format!("{seconds}s"), |(name, _)| (*name).to_owned())
}

/// `1m`, `4h`, `90s`.
pub fn interval_of(name: &str) -> Option<Millis> {
    if let Some((_, seconds)) = INTERVALS.iter().find(|(known, _)| *known == name) {
        return Some(Millis::from_secs(*seconds));
    }
    let seconds: u32 = name.strip_suffix('s')?.parse().ok()?;
    (0 < seconds && seconds <= 604_800).then(|| Millis::from_secs(seconds))
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = read.map(|child| child.path()).collect();
    paths.sort();
    paths
}

fn io(path: &Path, error: &std::io::Error) -> FileError {
    FileError::whole(&path.display().to_string(), Fault::Unreadable(error.to_string()))
}
