//! Candle files: `open_time_ms,open,high,low,close,volume` under a header, columns in any order.

mod columns;
mod growing;
#[cfg(test)]
mod tests;

use std::path::Path;

use sha2::{Digest as _, Sha256};
use tranche_model::{
    candle::{Candle, CandleError},
    cast::count,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

pub use self::{
    columns::Columns,
    growing::{Ends, GrowError, Growing, Grown},
};
use crate::{
    bytes,
    fault::{Fault, FileError},
    memory, number,
    source::Source,
    table::{Layout, Row, Table},
};

const TIME: &str = "open_time_ms";
const LAYOUT: Layout<6> =
    Layout { names: [TIME, "open", "high", "low", "close", "volume"], optional: 0 };

/// Earlier and later times are seconds or microseconds by mistake.
pub(crate) const TIME_MS_MIN: i64 = 946_684_800_000;
pub(crate) const TIME_MS_MAX: i64 = 4_102_444_800_000;
const SECOND_MS: i64 = 1000;

/// 38 years of minutes; a stray line must not fill the memory.
const DENSE_MAX: u64 = 20_000_000;

/// The candles of one instrument, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandleFile {
    pub source: Source,
    /// The smallest distance between two candles, or what the reader was told.
    pub interval: Millis,
    pub candles: Vec<Candle>,
    pub gaps: Vec<Gap>,
}

/// A stretch of time without candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When the first missing candle would have opened.
    pub from: Timestamp,
    /// When the next candle opened.
    pub to: Timestamp,
    pub missing: u64,
}

/// Why missing candles are not filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file would have {rows} candles without gaps, the most is {rows_max}: split it")]
pub struct TooLong {
    pub rows: u64,
    pub rows_max: u64,
}

/// Reads a `.csv` or `.csv.zst` file. Without an `interval`, or with zero, the smallest distance
/// between two candles is taken for it; who knows the interval should name it, so that a stray line
/// is an error and not a shorter interval.
pub fn read(path: &Path, interval: Option<Millis>) -> Result<CandleFile, FileError> {
    let (name, text) = (bytes::name(path), bytes::read(path)?);
    let lines = text.split(|byte| *byte == b'\n').count();
    memory::room_for(count(lines)).map_err(|fault| FileError::whole(&name, fault))?;
    parse(&name, &text, interval)
}

/// Reads the text of a candle file; `name` is what errors and the source call it.
pub fn parse(name: &str, text: &[u8], interval: Option<Millis>) -> Result<CandleFile, FileError> {
    let mut candles: Vec<Candle> = Vec::new();
    let mut distance = i64::MAX;
    for row in Table::open(name, text, LAYOUT)? {
        let row = row?;
        let candle = candle(&row).map_err(|fault| FileError::at(name, row.line, fault))?;
        if let Some(before) = candles.last() {
            let step = after(before.open_at, candle.open_at)
                .map_err(|fault| FileError::at(name, row.line, fault))?;
            distance = distance.min(step);
        }
        candles.push(candle);
    }
    let interval = match interval.filter(|interval| *interval != Millis::ZERO) {
        Some(interval) => interval,
        None => found(candles.len(), distance).map_err(|fault| FileError::whole(name, fault))?,
    };
    let gaps = gaps(name, &candles, interval)?;
    Ok(CandleFile { source: Source::Recorded { file: name.to_owned() }, interval, candles, gaps })
}

impl CandleFile {
    /// Sixteen digits of a SHA-256 of all candles: the same numbers give the same, from any file.
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        for candle in &self.candles {
            let Candle { open_at, open, high, low, close, volume } = candle;
            hash.update(open_at.ms().to_le_bytes());
            for value in [open.get(), high.get(), low.get(), close.get(), volume.get()] {
                hash.update(value.normalize().serialize());
            }
        }
        let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).take(16).collect()
    }

    /// Fills each missing candle with the close before it and no volume, as if nobody had traded.
    /// What is filled in was not recorded, though the source stays.
    pub fn dense(&self) -> Result<Self, TooLong> {
        let missing = self.gaps.iter().fold(0, |sum: u64, gap| sum.saturating_add(gap.missing));
        let rows = count(self.candles.len()).saturating_add(missing);
        if DENSE_MAX < rows {
            return Err(TooLong { rows, rows_max: DENSE_MAX });
        }
        let mut candles: Vec<Candle> = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
        for candle in &self.candles {
            while let Some(flat) = self.missing_before(candles.last(), candle) {
                candles.push(flat);
            }
            candles.push(*candle);
        }
        Ok(Self { source: self.source.clone(), interval: self.interval, candles, gaps: Vec::new() })
    }

    fn missing_before(&self, last: Option<&Candle>, next: &Candle) -> Option<Candle> {
        let last = last?;
        let open_at = last.open_at.plus(self.interval);
        let price = last.close;
        let flat = Candle {
            open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
        };
        (last.open_at < open_at && open_at < next.open_at).then_some(flat)
    }
}

fn candle(row: &Row<'_, 6>) -> Result<Candle, Fault> {
    let [at, open, high, low, close, volume] = row.fields;
    let candle = Candle {
        open_at: time(at)?,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume: Qty::new(number::decimal("volume", volume)?),
    };
    candle.check().map_err(|error| impossible(error, &candle))?;
    Ok(candle)
}

fn time(text: &[u8]) -> Result<Timestamp, Fault> {
    time_of(TIME, number::whole(TIME, text)?)
}

/// A moment at which a candle may open.
pub(crate) fn time_of(field: &'static str, value: i64) -> Result<Timestamp, Fault> {
    if !(TIME_MS_MIN..TIME_MS_MAX).contains(&value) {
        let (min, max) = (TIME_MS_MIN, TIME_MS_MAX);
        return Err(Fault::TimeOutOfRange { field, min, max, value });
    }
    if value % SECOND_MS != 0 {
        return Err(Fault::TimeNotWhole { field, step: SECOND_MS, value });
    }
    Ok(Timestamp::from_ms(value))
}

fn price(field: &'static str, text: &[u8]) -> Result<Price, Fault> {
    let price = Price::new(number::decimal(field, text)?);
    if price.is_positive() {
        return Ok(price);
    }
    Err(Fault::NotPositive { field, value: price.to_string() })
}

pub(crate) fn impossible(error: CandleError, candle: &Candle) -> Fault {
    let Candle { open_at: _, open, high, low, close, volume } = candle;
    let candle = format!("open {open} high {high} low {low} close {close} volume {volume}");
    Fault::Impossible { error, candle }
}

/// The milliseconds from one line to the next.
fn after(before: Timestamp, at: Timestamp) -> Result<i64, Fault> {
    let (before, value) = (before.ms(), at.ms());
    if value == before {
        return Err(Fault::TimeRepeated { field: TIME, value });
    }
    if value < before {
        return Err(Fault::TimeUnsorted { field: TIME, before, value });
    }
    Ok(value - before)
}

fn found(rows: usize, distance: i64) -> Result<Millis, Fault> {
    match rows {
        0 => Err(Fault::NoRow),
        1 => Err(Fault::IntervalUnknown),
        _ => u32::try_from(distance).map(Millis::new).map_err(|_| Fault::IntervalTooLong {
            interval_ms: distance,
            interval_ms_max: u32::MAX,
        }),
    }
}

fn gaps(name: &str, candles: &[Candle], interval: Millis) -> Result<Vec<Gap>, FileError> {
    let first = candles.first().ok_or_else(|| FileError::whole(name, Fault::NoRow))?;
    let step = i64::from(interval.ms());
    let mut gaps = Vec::new();
    // The header is line 1 and the first candle line 2.
    for (line, pair) in (3..).zip(candles.windows(2)) {
        let [before, next] = pair else { continue };
        let distance = next.open_at.ms() - before.open_at.ms();
        if distance % step != 0 {
            let (first, value) = (first.open_at.ms(), next.open_at.ms());
            let interval_ms = interval.ms();
            let fault = Fault::TimeOffGrid { field: TIME, interval_ms, first, value };
            return Err(FileError::at(name, line, fault));
        }
        if distance != step {
            let missing = u64::try_from(distance / step - 1).unwrap_or(0);
            gaps.push(Gap { from: before.open_at.plus(interval), to: next.open_at, missing });
        }
    }
    Ok(gaps)
}
