//! What can be wrong with a data file, said so that its owner can mend it.

use std::fmt;

use tranche_model::{candle::CandleError, time::Timestamp};

/// A fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    pub file: String,
    /// Counted from 1, the header included; `None` when the fault is not in one line.
    pub line: Option<u64>,
    pub fault: Box<Fault>,
}

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("there is no such file: give the path of a .{0} or .{0}.zst file")]
    NotFound(&'static str),
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    #[error("the name ends neither in .{0} nor in .{0}.zst: rename or convert the file")]
    UnknownKind(&'static str),
    #[error("the zstd data is damaged or cut short, fetch the file again: {0}")]
    Damaged(String),
    #[error("the file holds more than {bytes_max} bytes when unpacked: split it")]
    TooLarge { bytes_max: u64 },
    #[error(
        "the file is larger than the memory: `tranche data import` reads it as a stream, into the data folder"
    )]
    LargerThanMemory,
    #[error(
        "{candles} candles take about {mib} MiB, more than the memory has: take a shorter time with \
         --from and --to, or longer candles of `tranche data resample`"
    )]
    NoRoom { candles: u64, mib: u64 },
    #[error("the file is empty: its first line must be {header}")]
    Empty { header: String },
    #[error("the file has a header but no row: remove it or fetch it again")]
    NoRow,
    #[error("the file has no line: fetch it again")]
    NoLine,
    #[error("must be `<nanoseconds> <text>`, remove the line: `{value}`")]
    NotAFrame { value: String },
    #[error("column {column} is missing: the first line must be {header}")]
    MissingColumn { column: &'static str, header: String },
    #[error("unknown column, remove it or name it as one of {header}: `{column}`")]
    UnknownColumn { column: String, header: String },
    #[error("column {column} is there twice: remove one")]
    RepeatedColumn { column: &'static str },
    #[error("the line has {found} fields where the header has {expected}: correct the line")]
    FieldCount { found: usize, expected: usize },
    #[error("{field}: not a whole number: `{value}`")]
    NotWhole { field: &'static str, value: String },
    #[error("{field}: not a decimal number, write digits and at most one point: `{value}`")]
    NotDecimal { field: &'static str, value: String },
    #[error("{field}: more than the 28 digits that can be held exactly, round it: `{value}`")]
    TooManyDigits { field: &'static str, value: String },
    #[error("{field}: must be above 0: {value}")]
    NotPositive { field: &'static str, value: String },
    #[error(
        "{field}: must be milliseconds since 1970 between {min} (2000-01-01) and {max} \
         (2100-01-01): {value}"
    )]
    TimeOutOfRange { field: &'static str, min: i64, max: i64, value: i64 },
    #[error("{field}: must be a multiple of {step} ms, the start of a second: {value}")]
    TimeNotWhole { field: &'static str, step: i64, value: i64 },
    #[error(
        "{field}: must be a whole number of intervals ({interval_ms} ms) after the first candle \
         ({first}), remove the line or read it with its own interval: {value}"
    )]
    TimeOffGrid { field: &'static str, interval_ms: u32, first: i64, value: i64 },
    #[error("{field}: must be after the line before ({before}), sort the file by time: {value}")]
    TimeUnsorted { field: &'static str, before: i64, value: i64 },
    #[error("{field}: the line before has the same, remove one: {value}")]
    TimeRepeated { field: &'static str, value: i64 },
    #[error("the interval is not told by one candle: add a second one, or name the interval")]
    IntervalUnknown,
    #[error(
        "no two candles are less than {interval_ms_max} ms apart, name the interval: {interval_ms}"
    )]
    IntervalTooLong { interval_ms: i64, interval_ms_max: u32 },
    #[error("{error}, correct or remove the line: {candle}")]
    Impossible { error: CandleError, candle: String },
    #[error("{field}: must be `buy` or `sell`: `{value}`")]
    NotASide { field: &'static str, value: String },
    #[error(
        "{field}: must be above the one before ({before}) at the same time, sort by time and \
         number and remove what is repeated: {value}"
    )]
    TradeUnsorted { field: &'static str, before: u64, value: u64 },
    /// In a file without lines.
    #[error("row {row}: {fault}")]
    InRow { row: u64, fault: Box<Self> },
    #[error(
        "not a kind that can be read: give a .csv, .json, .feather, .arrow or .parquet file, or \
         .csv or .json inside .zip, .gz or .zst"
    )]
    UnknownImport,
    #[error("the {kind} data is damaged or cut short, fetch the file again: {text}")]
    DamagedKind { kind: &'static str, text: String },
    #[error("the archive holds no .csv or .json file")]
    NothingInside,
    #[error("the archive holds more than {files_max} files: split it")]
    TooManyInside { files_max: usize },
    #[error(
        "`{name}` in the archive is encrypted or packed in a way that cannot be read: pack it anew"
    )]
    PackedOddly { name: String },
    #[error("the line is longer than {bytes_max} bytes: this is no candle file")]
    LineTooLong { bytes_max: usize },
    #[error("the last line has no end and may be cut short: fetch the file again, or end the line")]
    CutLine,
    #[error(
        "the file has no header: name its columns in order, such as --columns \
         time,open,high,low,close,volume (a column that is not wanted is called -): `{value}`"
    )]
    NoHeader { value: String },
    #[error("no column for {wanted} among {found}: name the columns in order with --columns")]
    NoColumn { wanted: &'static str, found: String },
    #[error("{found} could all be the {wanted}: name the columns in order with --columns")]
    SeveralColumns { wanted: &'static str, found: String },
    #[error("{field}: neither a moment such as 2024-01-31T12:00:00Z nor a number: `{value}`")]
    NotATime { field: &'static str, value: String },
    #[error(
        "{field}: the file's times are {was} up to here, this one is {is}; give all of them the \
         same form: `{value}`"
    )]
    MixedTimes { field: &'static str, was: String, is: String, value: String },
    #[error("{field}: a different candle has the same time, remove one: {value}")]
    Contradiction { field: &'static str, value: i64 },
    #[error("more than {rows_max} rows repeat the one before: this is no candle file")]
    Repeats { rows_max: u64 },
    #[error("the candle of {at} differs from the one in {other}: remove one of them")]
    Contradicts { at: Timestamp, other: String },
    #[error("prices of {digits} digits do not fit, at most 18 can be stored: is this a price?")]
    TooFine { digits: u32 },
    #[error("this is no candle file of ours, or of a later version: import it anew ({text})")]
    NotOurs { text: String },
    #[error("its candles have another checksum than when they were written: import them anew")]
    Altered,
    #[error("{field}: must be price × amount ({product}) to one part in a million: {value}")]
    CostDiffers { field: &'static str, product: String, value: String },
}

impl FileError {
    pub(crate) fn whole(file: &str, fault: Fault) -> Self {
        Self { file: file.to_owned(), line: None, fault: Box::new(fault) }
    }

    pub(crate) fn at(file: &str, line: u64, fault: Fault) -> Self {
        Self { file: file.to_owned(), line: Some(line), fault: Box::new(fault) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.file, self.fault),
            None => write!(f, "{}: {}", self.file, self.fault),
        }
    }
}

impl std::error::Error for FileError {}

/// Foreign bytes are cut and made printable before they enter an error.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..160).unwrap_or(bytes);
    String::from_utf8_lossy(start).chars().take(40).flat_map(char::escape_debug).collect()
}
