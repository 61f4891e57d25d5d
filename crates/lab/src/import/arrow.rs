//! Arrow files, which freqtrade calls feather, batch by batch.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray as _,
    types::{
        Float64Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use arrow_ipc::{Block, reader::FileReader, root_as_footer, root_as_message};

use super::{Line, in_row};
use crate::{
    fault::{Fault, FileError},
    guarded::guarded,
};

const KIND: &str = "Arrow";
/// What one batch may unpack to. freqtrade writes all minutes of ten years in one.
const BATCH_MAX: i64 = 2 << 30;
/// LZ4 cannot do better.
const PACKED_RATIO_MAX: i64 = 256;

pub(super) struct Lines {
    header: Vec<String>,
    reader: FileReader<File>,
    batch: Option<RecordBatch>,
    next: usize,
    number: u64,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let mut file = File::open(path).map_err(|error| Fault::Unreadable(error.to_string()))?;
        guarded(KIND, || check(&mut file))?;
        let reader = guarded(KIND, || FileReader::try_new(file, None).map_err(damaged))?;
        let fields = reader.schema().fields().clone();
        let header = fields.iter().map(|field| field.name().clone()).collect();
        Ok(Self { header, reader, batch: None, next: 0, number: 0 })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn next(&mut self, name: &str) -> Result<Option<Line>, FileError> {
        self.number += 1;
        let wrong = |fault| in_row(name, self.number, fault);
        while self.batch.as_ref().is_none_or(|batch| batch.num_rows() <= self.next) {
            let batch = guarded(KIND, || self.reader.next().transpose().map_err(damaged));
            let Some(batch) = batch.map_err(wrong)? else { return Ok(None) };
            self.batch = Some(batch);
            self.next = 0;
        }
        let cells = guarded(KIND, || {
            let columns = self.batch.iter().flat_map(RecordBatch::columns);
            Ok(columns.map(|column| cell(column, self.next)).collect())
        });
        self.next += 1;
        Ok(Some(Line { number: self.number, cells: cells.map_err(wrong)? }))
    }
}

fn damaged(error: impl std::fmt::Display) -> Fault {
    Fault::DamagedKind { kind: KIND, text: error.to_string() }
}

fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    let number = column
        .as_primitive_opt::<Int64Type>()
        .map(|numbers| numbers.value(row))
        .or_else(|| Some(column.as_primitive_opt::<TimestampSecondType>()?.value(row)))
        .or_else(|| Some(column.as_primitive_opt::<TimestampMillisecondType>()?.value(row)))
        .or_else(|| Some(column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)))
        .or_else(|| Some(column.as_primitive_opt::<TimestampNanosecondType>()?.value(row)))
        .map(|value| value.to_string());
    let float = || Some(column.as_primitive_opt::<Float64Type>()?.value(row).to_string());
    let text = || Some(column.as_string_opt::<i32>()?.value(row).to_owned());
    let long = || Some(column.as_string_opt::<i64>()?.value(row).to_owned());
    // A column of another kind may be there and not be wanted; as a number it is refused.
    let other = || format!("<{}>", column.data_type());
    number.or_else(float).or_else(text).or_else(long).unwrap_or_else(other)
}

/// Looks at the stated lengths before the library takes memory for them: some bytes must not be able
/// to ask for all of it.
fn check(file: &mut File) -> Result<(), Fault> {
    let io = |error: std::io::Error| damaged(error);
    let mut tail = [0; 10];
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.seek(SeekFrom::Start(length.saturating_sub(10))).map_err(io)?;
    file.read_exact(&mut tail).map_err(io)?;
    let [a, b, c, d, rest @ ..] = tail;
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    if rest != *b"ARROW1" || length < footer.saturating_add(20) {
        return Err(damaged("no footer"));
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(length - 10 - footer)).map_err(io)?;
    file.take(footer).read_to_end(&mut bytes).map_err(io)?;
    let footer = root_as_footer(&bytes).map_err(|error| damaged(format!("{error:?}")))?;
    let blocks = footer.recordBatches().into_iter().flatten();
    let dictionaries = footer.dictionaries().into_iter().flatten();
    for block in blocks.chain(dictionaries) {
        check_block(file, block)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    Ok(())
}

fn check_block(file: &mut File, block: &Block) -> Result<(), Fault> {
    let io = |error: std::io::Error| damaged(error);
    let odd = || damaged("a length is out of range");
    let start = u64::try_from(block.offset()).map_err(|_| odd())?;
    let head = u64::try_from(block.metaDataLength()).map_err(|_| odd())?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| odd())?;
    let length = file.metadata().map_err(io)?.len();
    let end = start.checked_add(head).and_then(|end| end.checked_add(body));
    if end.is_none_or(|end| length < end) {
        return Err(odd());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(io)?;
    file.take(head).read_to_end(&mut bytes).map_err(io)?;
    // Since 2019 four bytes of 255 stand before the length.
    let text = bytes.strip_prefix(&[255; 4]).unwrap_or(&bytes).get(4..).unwrap_or_default();
    let message = root_as_message(text).map_err(|error| damaged(format!("{error:?}")))?;
    let batch = message
        .header_as_record_batch()
        .or_else(|| message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
    let Some(batch) = batch else { return Err(damaged("no batch where one was promised")) };
    for buffer in batch.buffers().into_iter().flatten() {
        let end = buffer.offset().checked_add(buffer.length());
        let is_inside = end.is_some_and(|end| 0 <= buffer.length() && end <= block.bodyLength());
        if buffer.offset() < 0 || !is_inside {
            return Err(odd());
        }
    }
    if batch.compression().is_none() {
        return Ok(());
    }
    let mut sum = 0_i64;
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| 8 <= buffer.length()) {
        let place = u64::try_from(buffer.offset()).map_err(|_| odd())?;
        let at = start.saturating_add(head).saturating_add(place);
        let mut stated = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        file.read_exact(&mut stated).map_err(io)?;
        let stated = i64::from_le_bytes(stated).max(0);
        sum = sum.saturating_add(stated);
        let most = buffer.length().saturating_mul(PACKED_RATIO_MAX);
        if BATCH_MAX < sum || most < stated {
            return Err(Fault::TooLarge { bytes_max: u64::try_from(BATCH_MAX).unwrap_or(0) });
        }
    }
    Ok(())
}
