//! Writing a file of the folder: beside the one that it replaces, and whole before it gets its name.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{
        Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
    },
    data_type::Int64Type,
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::types::{Type, TypePtr},
};
use sha2::{Digest as _, Sha256};
use tranche_model::{candle::Candle, money::Price, time::Timestamp};

use super::{
    Entry, Series,
    file::{COLUMNS, Footer, GROUP_ROWS, Group, KEY, VERSION, damaged, entry, hexadecimal},
    io,
    numbers::{self, DIGITS_MAX, Scales},
};
use crate::{
    fault::{Fault, FileError},
    resample,
};

/// A file that is being written, beside the one that it will replace.
pub(super) struct Writer {
    path: PathBuf,
    temporary: PathBuf,
    parquet: SerializedFileWriter<File>,
    series: Series,
    scales: Scales,
    group: Group,
    hash: Sha256,
    ends: Option<(Timestamp, Timestamp)>,
    rows: u64,
    gaps: u64,
    missing: u64,
    rounded: u64,
}

impl Writer {
    pub(super) fn create(path: &Path, series: &Series, scales: Scales) -> Result<Self, FileError> {
        let temporary = path.with_extension("parquet.new");
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.map_err(|error| io(path, &error))?;
        let file = File::create(&temporary).map_err(|error| io(&temporary, &error))?;
        let wrong = |error: ParquetError| damaged(&temporary, &error);
        let schema = schema(scales).map_err(wrong)?;
        let writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties().map_err(wrong)?));
        let writer = writer.map_err(wrong)?;
        let mut hash = Sha256::new();
        hash.update(scales.price.to_le_bytes());
        hash.update(scales.volume.to_le_bytes());
        Ok(Self {
            path: path.to_owned(),
            temporary,
            parquet: writer,
            series: series.clone(),
            scales,
            group: Group::default(),
            hash,
            ends: None,
            rows: 0,
            gaps: 0,
            missing: 0,
            rounded: 0,
        })
    }

    /// Adds a candle, in order of time and on the grid of the interval.
    pub(super) fn push(&mut self, candle: &Candle) -> Result<(), FileError> {
        let (row, rounded) = row(candle, self.scales).ok_or_else(|| {
            let fault = Fault::TooFine { digits: candle.high.get().scale() };
            FileError::whole(&self.name(), fault)
        })?;
        self.rounded = self.rounded.saturating_add(u64::from(rounded));
        let at = candle.open_at;
        if let Some((_, last)) = self.ends
            && let Some(gap) = resample::gap(last, at, self.series.interval())
        {
            self.gaps = self.gaps.saturating_add(1);
            self.missing = self.missing.saturating_add(gap.missing);
        }
        self.ends = Some((self.ends.map_or(at, |(first, _)| first), at));
        self.rows = self.rows.saturating_add(1);
        for (column, value) in self.group.0.iter_mut().zip(row) {
            column.push(value);
            self.hash.update(value.to_le_bytes());
        }
        let [times, ..] = &self.group.0;
        if GROUP_ROWS <= times.len() { self.flush() } else { Ok(()) }
    }

    /// Gives the file its name. Until then the one before is untouched.
    pub(super) fn finish(mut self) -> Result<(Entry, u64), FileError> {
        self.flush()?;
        let name = self.name();
        let (first, last) = self.ends.ok_or_else(|| FileError::whole(&name, Fault::NoRow))?;
        let footer = Footer {
            version: VERSION,
            venue: self.series.venue().to_owned(),
            symbol: self.series.symbol().to_string(),
            interval_ms: self.series.interval().ms(),
            first_ms: first.ms(),
            last_ms: last.ms(),
            gaps: self.gaps,
            missing: self.missing,
            checksum: hexadecimal(self.hash),
        };
        let text = serde_json::to_string(&footer)
            .map_err(|error| FileError::whole(&name, Fault::Unreadable(error.to_string())))?;
        self.parquet.append_key_value_metadata(KeyValue::new(KEY.to_owned(), text));
        let file = self.parquet.into_inner().map_err(|error| damaged(&self.temporary, &error))?;
        file.sync_all().map_err(|error| io(&self.temporary, &error))?;
        fs::rename(&self.temporary, &self.path).map_err(|error| io(&self.path, &error))?;
        Ok((entry(&self.path)?, self.rounded))
    }

    /// Takes back what was begun.
    pub(super) fn abandon(self) {
        drop(self.parquet);
        drop(fs::remove_file(&self.temporary));
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let [times, ..] = &self.group.0;
        if times.is_empty() {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        write_group(&mut self.parquet, &group).map_err(|error| damaged(&self.temporary, &error))
    }
}

fn write_group(writer: &mut SerializedFileWriter<File>, group: &Group) -> Result<(), ParquetError> {
    let mut rows = writer.next_row_group()?;
    for values in &group.0 {
        if let Some(mut column) = rows.next_column()? {
            column.typed::<Int64Type>().write_batch(values, None, None)?;
            column.close()?;
        }
    }
    rows.close()?;
    Ok(())
}

fn row(candle: &Candle, scales: Scales) -> Option<([i64; 6], bool)> {
    let price = |price: Price| {
        let (units, rounded) = numbers::units(price.get(), scales.price)?;
        (!rounded).then_some(units)
    };
    let (volume, rounded) = numbers::units(candle.volume.get(), scales.volume)?;
    let row = [
        candle.open_at.ms(),
        price(candle.open)?,
        price(candle.high)?,
        price(candle.low)?,
        price(candle.close)?,
        volume,
    ];
    Some((row, rounded))
}

/// Times and exact decimals, as every tool knows them.
fn schema(scales: Scales) -> Result<TypePtr, ParquetError> {
    let precision = i32::try_from(DIGITS_MAX).unwrap_or(18);
    let mut fields: Vec<TypePtr> = Vec::with_capacity(COLUMNS.len());
    for (place, name) in COLUMNS.into_iter().enumerate() {
        let kind = match place {
            0 => LogicalType::timestamp(true, TimeUnit::MILLIS),
            5 => LogicalType::decimal(i32::try_from(scales.volume).unwrap_or(0), precision),
            _ => LogicalType::decimal(i32::try_from(scales.price).unwrap_or(0), precision),
        };
        let scale = if let LogicalType::Decimal(decimal) = &kind { decimal.scale } else { 0 };
        let field = Type::primitive_type_builder(name, Physical::INT64)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(kind))
            .with_precision(if place == 0 { -1 } else { precision })
            .with_scale(if place == 0 { -1 } else { scale })
            .build()?;
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Type::group_type_builder("candle").with_fields(fields).build()?))
}

/// Differences of neighbours are small: they pack well and fast.
fn properties() -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_created_by("tranche".to_owned())
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build())
}
