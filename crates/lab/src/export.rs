//! Results as Parquet, for pandas, polars and everything else that reads tables. Money is exact.

use std::{fs::File, path::Path, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{
        ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
    },
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{Type, TypePtr},
};
use rust_decimal::Decimal;
use tranche_model::{instrument::Instruments, order::Side, record::FillRow};
use tranche_sim::backtest::Report;

use crate::{
    fault::{Fault, FileError},
    stats::{Equity, METRICS},
    sweep::{Outcome, Scene},
};

/// Digits after the point of exact money: those of the simulated exchange's amounts.
const SCALE: u32 = 16;
const PRECISION: i32 = 38;

/// A column with its values.
#[derive(Debug)]
enum Values {
    /// Milliseconds since 1970.
    Time(Vec<i64>),
    Whole(Vec<i64>),
    Money(Vec<Decimal>),
    Text(Vec<String>),
    /// `None` where there is no value.
    Float(Vec<Option<f64>>),
}

type Columns = Vec<(String, Values)>;

/// Every execution, in order.
pub fn fills(path: &Path, report: &Report, instruments: &Instruments) -> Result<(), FileError> {
    let rows = &report.booked;
    let of = |pick: fn(&FillRow) -> Decimal| Values::Money(rows.iter().map(pick).collect());
    let slot = |row: &FillRow| row.fill.client_id.map(|id| id.key().slot.to_string());
    let side = |row: &FillRow| match row.fill.side {
        Side::Buy => "buy".to_owned(),
        Side::Sell => "sell".to_owned(),
    };
    let pair = |row: &FillRow| instruments.get(row.fill.instrument).map(|it| it.symbol.to_string());
    write(
        path,
        vec![
            column("time", Values::Time(rows.iter().map(|row| row.fill.at.ms()).collect())),
            column("pair", Values::Text(rows.iter().filter_map(pair).collect())),
            column("deal", Values::Whole(rows.iter().map(|row| row.deal.get().into()).collect())),
            column(
                "slot",
                Values::Text(rows.iter().map(|row| slot(row).unwrap_or_default()).collect()),
            ),
            column("side", Values::Text(rows.iter().map(side).collect())),
            column("price", of(|row| row.fill.price.get())),
            column("qty", of(|row| row.fill.qty.get())),
            column("quote", of(|row| row.fill.quote.get())),
            column("fee", of(|row| row.fill.fee.amount.get())),
            column(
                "fee_asset",
                Values::Text(rows.iter().map(|row| row.fill.fee.asset.to_string()).collect()),
            ),
        ],
    )
}

/// Every deal that ended.
pub fn deals(path: &Path, report: &Report, instruments: &Instruments) -> Result<(), FileError> {
    let rows = &report.deals;
    let pair = rows.iter().filter_map(|row| instruments.get(row.instrument));
    write(
        path,
        vec![
            column("deal", Values::Whole(rows.iter().map(|row| row.deal.get().into()).collect())),
            column("pair", Values::Text(pair.map(|it| it.symbol.to_string()).collect())),
            column("opened", Values::Time(rows.iter().map(|row| row.opened_at.ms()).collect())),
            column("closed", Values::Time(rows.iter().map(|row| row.closed_at.ms()).collect())),
            column("ended", Values::Text(rows.iter().map(|row| row.ended.clone()).collect())),
            column(
                "safety_orders",
                Values::Whole(rows.iter().map(|row| row.safety_orders.into()).collect()),
            ),
            column("bought", Values::Money(rows.iter().map(|row| row.bought.get()).collect())),
            column("profit", Values::Money(rows.iter().map(|row| row.profit.get()).collect())),
            column("fees", Values::Money(rows.iter().map(|row| row.fees.get()).collect())),
        ],
    )
}

/// The worth of the account at each hour.
pub fn equity(path: &Path, equity: &Equity) -> Result<(), FileError> {
    let times = equity.hourly.iter().map(|sample| sample.at.ms()).collect();
    let worth = equity.hourly.iter().map(|sample| Some(sample.worth)).collect();
    let held = equity.held.iter().map(|held| Some(*held)).collect();
    write(
        path,
        vec![
            column("time", Values::Time(times)),
            column("worth", Values::Float(worth)),
            column("held", Values::Float(held)),
        ],
    )
}

/// Every try of a sweep: its settings, why it was refused, and its figures on the training range.
pub fn tries<'a>(
    path: &Path,
    scene: &Scene<'_>,
    outcomes: impl Iterator<Item = &'a Outcome>,
) -> Result<(), FileError> {
    let rows: Vec<&Outcome> = outcomes.collect();
    let named: Vec<Vec<(String, String)>> =
        rows.iter().map(|row| scene.named(&row.point)).collect();
    let mut columns =
        vec![column("try", Values::Whole(rows.iter().map(|row| row.number.into()).collect()))];
    for (place, parameter) in scene.study.space.parameters().iter().enumerate() {
        let values = named.iter().map(|settings| {
            settings.get(place).map(|(_, value)| value.clone()).unwrap_or_default()
        });
        columns.push(column(&parameter.name, Values::Text(values.collect())));
    }
    let refused = rows.iter().map(|row| row.result.as_ref().err().cloned().unwrap_or_default());
    columns.push(column("refused", Values::Text(refused.collect())));
    for metric in &METRICS {
        let value = |row: &&Outcome| row.result.as_ref().ok()?.first()?.value(metric.key);
        columns.push(column(metric.key, Values::Float(rows.iter().map(value).collect())));
    }
    write(path, columns)
}

fn column(name: &str, values: Values) -> (String, Values) {
    (name.to_owned(), values)
}

fn write(path: &Path, columns: Columns) -> Result<(), FileError> {
    let name = path.display().to_string();
    let io = |error: std::io::Error| FileError::whole(&name, Fault::Unreadable(error.to_string()));
    let wrong = |error: ParquetError| {
        FileError::whole(&name, Fault::DamagedKind { kind: "Parquet", text: error.to_string() })
    };
    let file = File::create(path).map_err(io)?;
    let file = table(file, columns).map_err(wrong)?;
    file.sync_all().map_err(io)
}

fn table(file: File, columns: Columns) -> Result<File, ParquetError> {
    let mut fields: Vec<TypePtr> = Vec::with_capacity(columns.len());
    for (name, values) in &columns {
        fields.push(Arc::new(field(name, values)?));
    }
    let schema = Arc::new(Type::group_type_builder("row").with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_created_by("tranche".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut rows = writer.next_row_group()?;
    for (_, values) in columns {
        put(&mut rows, values)?;
    }
    rows.close()?;
    writer.into_inner()
}

fn field(name: &str, values: &Values) -> Result<Type, ParquetError> {
    let of = |kind| Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED);
    let scale = i32::try_from(SCALE).unwrap_or(0);
    match values {
        Values::Time(_) => of(Physical::INT64)
            .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MILLIS)))
            .build(),
        Values::Whole(_) => of(Physical::INT64).build(),
        Values::Money(_) => of(Physical::FIXED_LEN_BYTE_ARRAY)
            .with_length(16)
            .with_logical_type(Some(LogicalType::decimal(scale, PRECISION)))
            .with_precision(PRECISION)
            .with_scale(scale)
            .build(),
        Values::Text(_) => {
            of(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()
        }
        Values::Float(_) => of(Physical::DOUBLE).with_repetition(Repetition::OPTIONAL).build(),
    }
}

fn put(rows: &mut SerializedRowGroupWriter<'_, File>, values: Values) -> Result<(), ParquetError> {
    let Some(mut column) = rows.next_column()? else { return Ok(()) };
    match values {
        Values::Time(values) | Values::Whole(values) => {
            column.typed::<Int64Type>().write_batch(&values, None, None)?;
        }
        Values::Money(values) => {
            let values: Option<Vec<FixedLenByteArray>> = values.into_iter().map(bytes).collect();
            let values = values
                .ok_or_else(|| ParquetError::General("an amount has too many digits".to_owned()))?;
            column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None)?;
        }
        Values::Text(values) => {
            let values: Vec<ByteArray> =
                values.iter().map(|text| ByteArray::from(text.as_str())).collect();
            column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        Values::Float(values) => {
            let there: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
            let values: Vec<f64> = values.into_iter().flatten().collect();
            column.typed::<DoubleType>().write_batch(&values, Some(&there), None)?;
        }
    }
    column.close()
}

/// The decimal as 16 bytes, the highest first. `None` if it is not exact.
fn bytes(value: Decimal) -> Option<FixedLenByteArray> {
    let value = value.normalize();
    let up = 10_i128.checked_pow(SCALE.checked_sub(value.scale())?)?;
    let units = value.mantissa().checked_mul(up)?;
    Some(FixedLenByteArray::from(units.to_be_bytes().to_vec()))
}
