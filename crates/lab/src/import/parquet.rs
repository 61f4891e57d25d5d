//! Parquet files of anybody, row by row.

use std::{fs::File, path::Path};

use parquet::{
    errors::ParquetError,
    file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
    record::{Field, reader::RowIter},
};

use super::{Line, in_row};
use crate::{
    fault::{Fault, FileError},
    guarded::guarded,
};

const KIND: &str = "Parquet";

pub(super) struct Lines {
    header: Vec<String>,
    rows: RowIter<'static>,
    number: u64,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|error| Fault::Unreadable(error.to_string()))?;
        guarded(KIND, || {
            let reader = SerializedFileReader::new(file).map_err(|error| damaged(&error))?;
            let fields = reader.metadata().file_metadata().schema().get_fields();
            let header = fields.iter().map(|field| field.name().to_owned()).collect();
            Ok(Self { header, rows: RowIter::from_file_into(Box::new(reader)), number: 0 })
        })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn next(&mut self, name: &str) -> Result<Option<Line>, FileError> {
        self.number += 1;
        let row = guarded(KIND, || self.rows.next().transpose().map_err(|error| damaged(&error)));
        let row = row.map_err(|fault| in_row(name, self.number, fault))?;
        let Some(row) = row else { return Ok(None) };
        let cells = row.get_column_iter().map(|(_, field)| text_of(field)).collect();
        Ok(Some(Line { number: self.number, cells }))
    }
}

fn damaged(error: &ParquetError) -> Fault {
    Fault::DamagedKind { kind: KIND, text: error.to_string() }
}

/// The shortest text that reads as the same number, which is what was meant.
fn text_of(field: &Field) -> String {
    match field {
        Field::Double(value) => value.to_string(),
        Field::Float(value) => value.to_string(),
        Field::Str(text) => text.clone(),
        // In a file without a logical type, text is bytes.
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        Field::TimestampMillis(value) | Field::TimestampMicros(value) => value.to_string(),
        Field::Date(days) => i64::from(*days).saturating_mul(86_400_000).to_string(),
        Field::Null
        | Field::Bool(_)
        | Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_)
        | Field::Float16(_)
        | Field::Decimal(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::Group(_)
        | Field::ListInternal(_)
        | Field::MapInternal(_) => field.to_string(),
    }
}
