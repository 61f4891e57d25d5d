//! Candle files of others: CSV in several layouts, the public archive of Binance, freqtrade's feather
//! and JSON files, Parquet. All are read as streams, so that a file may be larger than the memory.

mod arrow;
mod csv;
mod json;
mod layout;
mod moment;
mod pack;
mod parquet;
#[cfg(test)]
mod tests;

use std::path::Path;

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    candle::Candle,
    money::{Price, Qty},
    time::Timestamp,
};

pub use self::moment::Zone;
use self::{layout::Layout, moment::Moments, pack::Part};
use crate::{
    bytes,
    candles::{impossible, time_of},
    fault::{Fault, FileError},
    number,
};

const TIME: &str = "time";
/// A packed file can say the same row for ever in a few bytes.
const REPEATED_MAX: u64 = 1_000_000;

/// What the file itself does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The columns in order, for files without a header: `time`, `open`, `high`, `low`, `close`,
    /// `volume`, and `-` for what is not wanted.
    pub columns: Vec<String>,
    /// What times without a zone mean.
    pub zone: Zone,
    /// Tells which of several volumes is that of the base asset.
    pub symbol: Option<Symbol>,
}

/// One file, or one file inside an archive, that can be read again and again.
#[derive(Debug, Clone)]
pub struct Input {
    part: Part,
    options: Options,
}

/// The candles of one input, in the order of the file. Each has passed [`Candle::check`]; times only
/// rise, and a candle that is there twice comes once.
#[derive(Debug)]
pub struct Rows {
    name: String,
    cells: Cells,
    layout: Layout,
    moments: Moments,
    /// A line that was read to find the layout and is not a header.
    pending: Option<Line>,
    last: Option<Candle>,
    repeated: u64,
    rounded: u64,
}

/// A line of text cells.
#[derive(Debug, Clone, Default)]
struct Line {
    number: u64,
    cells: Vec<String>,
}

#[derive(Debug)]
enum Cells {
    Csv(csv::Lines),
    Json(json::Lines),
    Parquet(Box<parquet::Lines>),
    Arrow(Box<arrow::Lines>),
}

/// The inputs that a path holds: one, or those inside an archive.
pub fn inputs(path: &Path, options: &Options) -> Result<Vec<Input>, FileError> {
    let parts = pack::parts(path)?;
    Ok(parts.into_iter().map(|part| Input { part, options: options.clone() }).collect())
}

impl Input {
    /// What errors call it.
    pub fn name(&self) -> String {
        self.part.name()
    }

    pub fn rows(&self) -> Result<Rows, FileError> {
        let name = self.name();
        let whole = |fault| FileError::whole(&name, fault);
        let mut cells = match self.part.kind {
            pack::Kind::Csv => Cells::Csv(csv::Lines::new(self.part.open()?)),
            pack::Kind::Json => Cells::Json(json::Lines::new(self.part.open()?)),
            pack::Kind::Parquet => {
                Cells::Parquet(Box::new(parquet::Lines::open(&self.part.path).map_err(whole)?))
            }
            pack::Kind::Arrow => {
                Cells::Arrow(Box::new(arrow::Lines::open(&self.part.path).map_err(whole)?))
            }
        };
        let (layout, pending) = layout::find(&name, &mut cells, &self.options)?;
        Ok(Rows {
            moments: Moments::new(self.options.zone),
            name,
            cells,
            layout,
            pending,
            last: None,
            repeated: 0,
            rounded: 0,
        })
    }
}

impl Rows {
    /// How many candles were there twice, so far.
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// How many volumes were rounded because they had more digits than can be held, so far.
    pub const fn rounded(&self) -> u64 {
        self.rounded
    }

    /// What its times are, once a row was read.
    pub fn times(&self) -> Option<String> {
        self.moments.form()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self) -> Result<Option<Candle>, FileError> {
        loop {
            let line = match self.pending.take() {
                Some(line) => line,
                None => match self.cells.next(&self.name)? {
                    Some(line) => line,
                    None => return Ok(None),
                },
            };
            let wrong = |fault| self.cells.fault(&self.name, line.number, fault);
            let cells = self.layout.pick(&line.cells).map_err(wrong)?;
            let read = candle(cells, &mut self.moments);
            let (candle, rounded) = read.map_err(wrong)?;
            self.rounded += u64::from(rounded);
            match self.last {
                Some(last) if last == candle => {
                    self.repeated = self.repeated.saturating_add(1);
                    if REPEATED_MAX < self.repeated {
                        return Err(wrong(Fault::Repeats { rows_max: REPEATED_MAX }));
                    }
                    continue;
                }
                Some(last) => {
                    follows(&last, &candle).map_err(wrong)?;
                }
                None => {}
            }
            self.last = Some(candle);
            return Ok(Some(candle));
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Candle, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Cells {
    fn next(&mut self, name: &str) -> Result<Option<Line>, FileError> {
        match self {
            Self::Csv(lines) => lines.next(name),
            Self::Json(lines) => lines.next(name),
            Self::Parquet(lines) => lines.next(name),
            Self::Arrow(lines) => lines.next(name),
        }
    }

    /// The names of columns that the form of the file tells apart from its rows.
    fn header(&self) -> Option<Vec<String>> {
        match self {
            Self::Csv(_) => None,
            Self::Json(_) => Some(layout::USUAL.map(str::to_owned).to_vec()),
            Self::Parquet(lines) => Some(lines.header().to_vec()),
            Self::Arrow(lines) => Some(lines.header().to_vec()),
        }
    }

    fn fault(&self, name: &str, number: u64, fault: Fault) -> FileError {
        match self {
            Self::Csv(_) | Self::Json(_) => FileError::at(name, number, fault),
            Self::Parquet(_) | Self::Arrow(_) => in_row(name, number, fault),
        }
    }
}

fn in_row(name: &str, row: u64, fault: Fault) -> FileError {
    FileError::whole(name, Fault::InRow { row, fault: Box::new(fault) })
}

fn candle(cells: [&str; 6], moments: &mut Moments) -> Result<(Candle, bool), Fault> {
    let [at, open, high, low, close, volume] = cells;
    let (volume, rounded) = volume_of(volume)?;
    let candle = Candle {
        open_at: time_of(TIME, moments.read(TIME, at)?)?,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume,
    };
    candle.check().map_err(|error| impossible(error, &candle))?;
    Ok((candle, rounded))
}

fn price(field: &'static str, text: &str) -> Result<Price, Fault> {
    let price = Price::new(number::decimal(field, text.as_bytes())?);
    if price.is_positive() {
        return Ok(price);
    }
    Err(Fault::NotPositive { field, value: price.to_string() })
}

/// A volume, which others often compute with floats: digits that no exchange has are rounded away.
fn volume_of(text: &str) -> Result<(Qty, bool), Fault> {
    /// What exchanges quote at most.
    const DIGITS_MAX: u32 = 8;
    let exact: Decimal = number::decimal("volume", text.as_bytes())?;
    let rounded = exact.round_dp(DIGITS_MAX).normalize();
    Ok((Qty::new(rounded), rounded != exact))
}

/// Whether `next` may stand behind `last`, which it is not equal to.
fn follows(last: &Candle, next: &Candle) -> Result<(), Fault> {
    let (before, value): (Timestamp, Timestamp) = (last.open_at, next.open_at);
    let (before, value) = (before.ms(), value.ms());
    if before == value {
        return Err(Fault::Contradiction { field: TIME, value });
    }
    if value < before {
        return Err(Fault::TimeUnsorted { field: TIME, before, value });
    }
    Ok(())
}

/// The path as errors show it.
fn shown(path: &Path) -> String {
    bytes::name(path)
}
