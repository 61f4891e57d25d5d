//! A candle file that grows while it is fetched. Until it is whole it has the ending `.part`, and a fetch
//! that was cut off goes on behind its last whole line.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tranche_model::{
    candle::{Candle, CandleError},
    time::{Millis, Timestamp},
};

use super::{TIME, parse};
use crate::fault::FileError;

/// How much is read at once to compute a checksum.
const CHUNK: usize = 1 << 16;

/// Why a candle file does not grow.
#[derive(Debug, thiserror::Error)]
pub enum GrowError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{path} is there already: remove it, or name another file")]
    IsThere { path: PathBuf },
    #[error("{path} is being written by another program: wait for it, or name another file")]
    Busy { path: PathBuf },
    /// What was fetched before cannot be gone on with.
    #[error("{0}; remove the file and fetch again")]
    Part(FileError),
    #[error("the candle of {at} is impossible: {error}")]
    Impossible { at: Timestamp, error: CandleError },
    #[error("the candle of {at} comes after that of {last}")]
    Unsorted { at: Timestamp, last: Timestamp },
}

/// An open file.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    found: Option<Ends>,
    last: Option<Timestamp>,
    rows: u64,
}

/// The first and the last candle of what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub first: Candle,
    pub last: Candle,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    pub rows: u64,
    /// In hexadecimal, as `sha256sum` writes it; also in a file beside it, with the ending `.sha256`.
    pub sha256: String,
}

impl Growing {
    /// Begins a file, or goes on with one that was cut off. `interval` is that of its candles.
    pub fn open(path: &Path, interval: Millis) -> Result<Self, GrowError> {
        if path.exists() {
            return Err(GrowError::IsThere { path: path.to_owned() });
        }
        let part = with_ending(path, "part");
        let wrong = |error| GrowError::Io { path: part.clone(), error };
        let mut options = OpenOptions::new();
        let mut file = options.create(true).read(true).append(true).open(&part).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(GrowError::Busy { path: part }),
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(wrong)?;
        let (whole, found, rows) = known(&part, &text, interval)?;
        file.set_len(whole).map_err(wrong)?;
        let path = path.to_owned();
        let last = found.map(|ends| ends.last.open_at);
        let mut growing = Self { path, part, file: BufWriter::new(file), found, last, rows };
        if whole == 0 {
            growing.write(&format!("{TIME},open,high,low,close,volume\n"))?;
        }
        Ok(growing)
    }

    /// What was there when the file was opened.
    pub const fn found(&self) -> Option<Ends> {
        self.found
    }

    /// When the last candle opened.
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds candles, in order of time. What was added before is passed over.
    pub fn append(&mut self, candles: &[Candle]) -> Result<(), GrowError> {
        for candle in candles {
            let at = candle.open_at;
            if self.last == Some(at) {
                continue;
            }
            if let Some(last) = self.last.filter(|last| at < *last) {
                return Err(GrowError::Unsorted { at, last });
            }
            candle.check().map_err(|error| GrowError::Impossible { at, error })?;
            let Candle { open, high, low, close, volume, .. } = candle;
            self.write(&format!("{},{open},{high},{low},{close},{volume}\n", at.ms()))?;
            self.last = Some(at);
            self.rows = self.rows.saturating_add(1);
        }
        let flushed = self.file.flush();
        flushed.map_err(|error| GrowError::Io { path: self.part.clone(), error })
    }

    /// The file is whole: it gets its name, and a checksum beside it.
    pub fn finish(self) -> Result<Grown, GrowError> {
        let Self { path, part, file, rows, .. } = self;
        let wrong = |error| GrowError::Io { path: part.clone(), error };
        let file = file.into_inner().map_err(|error| wrong(error.into_error()))?;
        file.sync_all().map_err(wrong)?;
        let sha256 = checksum(&part).map_err(wrong)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let beside = with_ending(&path, "sha256");
        fs::write(&beside, format!("{sha256}  {}\n", name.unwrap_or_default()))
            .map_err(|error| GrowError::Io { path: beside.clone(), error })?;
        fs::rename(&part, &path).map_err(wrong)?;
        Ok(Grown { rows, sha256 })
    }

    fn write(&mut self, line: &str) -> Result<(), GrowError> {
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| GrowError::Io { path: self.part.clone(), error })
    }
}

/// How much of a file that was cut off is whole, with its ends and how many candles there are.
fn known(
    part: &Path,
    text: &[u8],
    interval: Millis,
) -> Result<(u64, Option<Ends>, u64), GrowError> {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let whole = text.get(..end).unwrap_or_default();
    if whole.split(|byte| *byte == b'\n').nth(2).is_none() {
        // Not one candle behind the header.
        return Ok((0, None, 0));
    }
    let name = part.display().to_string();
    let file = parse(&name, whole, Some(interval)).map_err(GrowError::Part)?;
    let ends = file.candles.first().copied().zip(file.candles.last().copied());
    let ends = ends.map(|(first, last)| Ends { first, last });
    let count = tranche_model::cast::count(file.candles.len());
    Ok((tranche_model::cast::count(end), ends, count))
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = reader.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
    }
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    Ok(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect())
}

/// The file's name with one more ending.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use tranche_model::money::{Price, Qty};

    use super::*;

    const MINUTE: Millis = Millis::from_secs(60);

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tranche-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn candle(minute: i64) -> Candle {
        let price = |text: &str| Price::parse(text).unwrap();
        Candle {
            open_at: Timestamp::from_ms(1_600_000_020_000 + minute * 60_000),
            open: price("10.5"),
            high: price("11"),
            low: price("10"),
            close: price("10.75"),
            volume: Qty::parse("3.25").unwrap(),
        }
    }

    #[test]
    fn a_fetch_that_was_cut_off_goes_on_behind_its_last_whole_line() {
        let folder = folder("growing");
        let path = folder.join("x.csv");
        let mut first = Growing::open(&path, MINUTE).unwrap();
        first.append(&[candle(0), candle(1)]).unwrap();
        assert!(matches!(Growing::open(&path, MINUTE), Err(GrowError::Busy { .. })));
        drop(first);
        let part = folder.join("x.csv.part");
        let mut text = fs::read(&part).unwrap();
        text.extend(b"1600000140000,10,1");
        fs::write(&part, &text).unwrap();

        let mut second = Growing::open(&path, MINUTE).unwrap();
        assert_eq!((second.last(), second.rows()), (Some(candle(1).open_at), 2));
        assert_eq!(second.found(), Some(Ends { first: candle(0), last: candle(1) }));
        second.append(&[candle(1), candle(2)]).unwrap();
        let grown = second.finish().unwrap();

        assert_eq!(grown.rows, 3);
        let read = super::super::read(&path, None).unwrap();
        assert_eq!(read.candles, [candle(0), candle(1), candle(2)]);
        let beside = fs::read_to_string(folder.join("x.csv.sha256")).unwrap();
        assert_eq!(beside, format!("{}  x.csv\n", grown.sha256));
        assert!(matches!(Growing::open(&path, MINUTE), Err(GrowError::IsThere { .. })));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_have_happened_is_not_written() {
        let folder = folder("impossible");
        let mut file = Growing::open(&folder.join("y.csv"), MINUTE).unwrap();
        let upside_down = Candle { high: candle(0).low, low: candle(0).high, ..candle(0) };

        assert!(matches!(file.append(&[upside_down]), Err(GrowError::Impossible { .. })));
        file.append(&[candle(5)]).unwrap();
        assert!(matches!(file.append(&[candle(4)]), Err(GrowError::Unsorted { .. })));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_checksum_is_the_usual_one() {
        let folder = folder("checksum");
        let path = folder.join("abc");
        fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(checksum(&path).unwrap(), known);
        fs::remove_dir_all(folder).unwrap();
    }
}
