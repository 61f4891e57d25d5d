//! One file of the folder: columns of whole numbers in row groups, so that a range is read alone.

use std::{fs::File, path::Path};

use parquet::{
    column::reader::{ColumnReader, get_typed_column_reader},
    data_type::Int64Type,
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        reader::{FileReader as _, RowGroupReader},
        serialized_reader::SerializedFileReader,
        statistics::Statistics,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tranche_model::{
    asset::Symbol,
    candle::Candle,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

use super::{
    Range, Series, io,
    numbers::{self, DIGITS_MAX, Scales},
};
use crate::{
    candles::CandleFile,
    fault::{Fault, FileError},
    guarded::guarded,
    memory, resample,
    source::Source,
};

const KIND: &str = "Parquet";
pub(super) const KEY: &str = "tranche.candles";
pub(super) const VERSION: u32 = 1;
/// Forty-five days of minutes: what is read at once when a range is wanted.
pub(super) const GROUP_ROWS: usize = 65_536;
pub(super) const COLUMNS: [&str; 6] = ["open_time", "open", "high", "low", "close", "volume"];

/// What a file of the folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub series: Series,
    pub rows: u64,
    /// When the first candle opened.
    pub first: Timestamp,
    /// When the last candle opened.
    pub last: Timestamp,
    pub gaps: u64,
    /// Candles that the gaps would hold.
    pub missing: u64,
    /// SHA-256 of the candles, in hexadecimal: the same wherever they are.
    pub checksum: String,
    /// Of the file.
    pub bytes: u64,
}

/// What a whole look at a file found. It has no fault, or there is no such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub entry: Entry,
    pub gaps: Vec<crate::candles::Gap>,
}

/// What stands in the file's footer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) version: u32,
    pub(super) venue: String,
    pub(super) symbol: String,
    pub(super) interval_ms: u32,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) gaps: u64,
    pub(super) missing: u64,
    pub(super) checksum: String,
}

/// Times, open, high, low, close, volume.
#[derive(Debug, Default)]
pub(super) struct Group(pub(super) [Vec<i64>; 6]);

/// Reads the footer alone.
pub(super) fn entry(path: &Path) -> Result<Entry, FileError> {
    Open::new(path).map(|open| open.entry)
}

/// Reads the candles of a range.
pub(super) fn read(path: &Path, range: Range) -> Result<CandleFile, FileError> {
    let open = Open::new(path)?;
    let wanted: Vec<usize> = (0..open.groups()).filter(|place| open.is_in(*place, range)).collect();
    let rows = wanted.iter().map(|place| open.rows(*place)).fold(0, u64::saturating_add);
    memory::room_for(rows).map_err(|fault| FileError::whole(&open.name, fault))?;
    let mut candles = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
    for place in wanted {
        let group = open.group(place)?;
        open.candles(&group, range, &mut candles)?;
    }
    let interval = open.entry.series.interval();
    let gaps = resample::gaps(&candles, interval);
    let name = format!("{}, sha256 {:.16}", open.entry.series, open.entry.checksum);
    if candles.is_empty() {
        return Err(FileError::whole(&open.name, Fault::NoRow));
    }
    Ok(CandleFile { source: Source::Recorded { file: name }, interval, candles, gaps })
}

/// Reads all of it, group by group, and compares the checksum.
pub(super) fn check(path: &Path) -> Result<Checked, FileError> {
    let open = Open::new(path)?;
    let mut hash = Sha256::new();
    hash.update(open.scales.price.to_le_bytes());
    hash.update(open.scales.volume.to_le_bytes());
    let mut gaps = Vec::new();
    let mut last: Option<Timestamp> = None;
    for place in 0..open.groups() {
        let group = open.group(place)?;
        for row in group.rows() {
            for value in row {
                hash.update(value.to_le_bytes());
            }
        }
        let mut candles = Vec::new();
        open.candles(&group, Range::ALL, &mut candles)?;
        for candle in &candles {
            if last.is_some_and(|last| candle.open_at <= last) {
                return Err(FileError::whole(&open.name, Fault::Altered));
            }
            let interval = open.entry.series.interval();
            gaps.extend(last.and_then(|last| resample::gap(last, candle.open_at, interval)));
            last = Some(candle.open_at);
        }
    }
    if hexadecimal(hash) != open.entry.checksum {
        return Err(FileError::whole(&open.name, Fault::Altered));
    }
    Ok(Checked { entry: open.entry, gaps })
}

/// The candles of a file, one group after the other.
pub(super) fn stream(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Candle, FileError>> + use<>, FileError> {
    let open = Open::new(path)?;
    let groups = (0..open.groups()).flat_map(move |place| {
        let mut candles = Vec::new();
        let read =
            open.group(place).and_then(|group| open.candles(&group, Range::ALL, &mut candles));
        let rows = candles.into_iter().map(Ok);
        rows.chain(read.err().map(Err))
    });
    Ok(groups)
}

/// An open file.
struct Open {
    name: String,
    reader: SerializedFileReader<File>,
    entry: Entry,
    scales: Scales,
}

impl Open {
    fn new(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| io(path, &error))?;
        let bytes = file.metadata().map_err(|error| io(path, &error))?.len();
        let reader =
            guarded(KIND, || SerializedFileReader::new(file).map_err(|error| kind(&error)));
        let reader = reader.map_err(|fault| FileError::whole(&name, fault))?;
        let not_ours =
            |text: &str| FileError::whole(&name, Fault::NotOurs { text: text.to_owned() });
        let entry = described(reader.metadata(), bytes).map_err(|text| not_ours(&text))?;
        let scales = scales(reader.metadata()).ok_or_else(|| not_ours("other columns"))?;
        Ok(Self { name, reader, entry, scales })
    }

    fn groups(&self) -> usize {
        self.reader.metadata().num_row_groups()
    }

    fn rows(&self, place: usize) -> u64 {
        let group = self.reader.metadata().row_groups().get(place);
        group.and_then(|group| u64::try_from(group.num_rows()).ok()).unwrap_or(0)
    }

    /// Whether a group may hold candles of a range; without statistics it may.
    fn is_in(&self, place: usize, range: Range) -> bool {
        let groups = self.reader.metadata().row_groups();
        let times = groups.get(place).and_then(|group| group.columns().first());
        let Some(Statistics::Int64(values)) = times.and_then(|column| column.statistics()) else {
            return true;
        };
        let is_early = values.max_opt().is_some_and(|max| *max < range.from.ms());
        let is_late = values.min_opt().is_some_and(|min| range.to.ms() <= *min);
        !is_early && !is_late
    }

    fn group(&self, place: usize) -> Result<Group, FileError> {
        let read = guarded(KIND, || {
            let rows = self.reader.metadata().row_groups().get(place);
            let rows = rows.and_then(|rows| usize::try_from(rows.num_rows()).ok()).unwrap_or(0);
            let reader = self.reader.get_row_group(place).map_err(|error| kind(&error))?;
            let mut group = Group::default();
            for (number, column) in group.0.iter_mut().enumerate() {
                read_column(reader.as_ref(), number, column).map_err(|error| kind(&error))?;
                if column.len() != rows {
                    return Err(Fault::Altered);
                }
            }
            Ok(group)
        });
        read.map_err(|fault| FileError::whole(&self.name, fault))
    }

    /// The candles of a group that are in the range. What cannot be a candle was altered.
    fn candles(
        &self,
        group: &Group,
        range: Range,
        into: &mut Vec<Candle>,
    ) -> Result<(), FileError> {
        let altered = || FileError::whole(&self.name, Fault::Altered);
        let mut last = into.last().map_or(i64::MIN, |candle| candle.open_at.ms());
        let step = i64::from(self.entry.series.interval().ms());
        let first = self.entry.first.ms();
        for row in group.rows() {
            let [at, open, high, low, close, volume] = row;
            let open_at = Timestamp::from_ms(at);
            if !range.contains(open_at) {
                continue;
            }
            let is_sound = 0 < low
                && low <= open.min(close)
                && open.max(close) <= high
                && 0 <= volume
                && last < at
                && at.checked_sub(first).and_then(|past| past.checked_rem(step)) == Some(0);
            if !is_sound {
                return Err(altered());
            }
            last = at;
            let price = |units: i64| {
                numbers::decimal(units, self.scales.price).map(Price::new).ok_or_else(altered)
            };
            let volume = numbers::decimal(volume, self.scales.volume).ok_or_else(altered)?;
            into.push(Candle {
                open_at,
                open: price(open)?,
                high: price(high)?,
                low: price(low)?,
                close: price(close)?,
                volume: Qty::new(volume),
            });
        }
        Ok(())
    }
}

impl Group {
    fn rows(&self) -> impl Iterator<Item = [i64; 6]> {
        let [at, open, high, low, close, volume] = &self.0;
        let prices = open.iter().zip(high).zip(low.iter().zip(close));
        let rows = at.iter().zip(prices).zip(volume);
        rows.map(|((at, ((open, high), (low, close))), volume)| {
            [*at, *open, *high, *low, *close, *volume]
        })
    }
}

fn read_column(
    reader: &dyn RowGroupReader,
    number: usize,
    into: &mut Vec<i64>,
) -> Result<(), ParquetError> {
    let column = reader.get_column_reader(number)?;
    if !matches!(column, ColumnReader::Int64ColumnReader(_)) {
        return Err(ParquetError::General("a column of another kind".to_owned()));
    }
    let mut column = get_typed_column_reader::<Int64Type>(column);
    loop {
        let (records, _, _) = column.read_records(GROUP_ROWS, None, None, into)?;
        if records == 0 {
            return Ok(());
        }
    }
}

fn described(metadata: &ParquetMetaData, bytes: u64) -> Result<Entry, String> {
    let pairs = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    let text = pairs.iter().find(|pair| pair.key == KEY).and_then(|pair| pair.value.as_deref());
    let text = text.ok_or_else(|| format!("no `{KEY}` in the footer"))?;
    let footer: Footer = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if footer.version != VERSION || footer.interval_ms == 0 {
        return Err(format!("version {}", footer.version));
    }
    let symbol = Symbol::parse(&footer.symbol).map_err(|error| error.to_string())?;
    let series = Series::new(&footer.venue, symbol, Millis::new(footer.interval_ms));
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    Ok(Entry {
        series: series.map_err(|error| error.to_string())?,
        rows,
        first: Timestamp::from_ms(footer.first_ms),
        last: Timestamp::from_ms(footer.last_ms),
        gaps: footer.gaps,
        missing: footer.missing,
        checksum: footer.checksum,
        bytes,
    })
}

fn scales(metadata: &ParquetMetaData) -> Option<Scales> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let names = columns.iter().map(|column| column.name());
    let scale = |place: usize| u32::try_from(columns.get(place)?.type_scale()).ok();
    let is_ours = names.eq(COLUMNS);
    let scales = Scales { price: scale(1)?, volume: scale(5)? };
    let is_exact = scales.price <= DIGITS_MAX && scales.volume <= DIGITS_MAX;
    (is_ours && is_exact).then_some(scales)
}

pub(super) fn hexadecimal(hash: Sha256) -> String {
    let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn kind(error: &ParquetError) -> Fault {
    Fault::DamagedKind { kind: KIND, text: error.to_string() }
}

pub(super) fn damaged(path: &Path, error: &ParquetError) -> FileError {
    FileError::whole(&path.display().to_string(), kind(error))
}

/// How many rows a whole number of groups has, for tests that cross a border.
#[cfg(test)]
pub(super) fn group_rows() -> u64 {
    tranche_model::cast::count(GROUP_ROWS)
}
