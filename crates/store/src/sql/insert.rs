//! Inserts of many rows: by values on SQLite, by arrays on PostgreSQL, where each statement is a walk to
//! the server and back.

use rust_decimal::Decimal;
use sqlx::{Postgres, postgres::PgArguments, query::Query};

use super::{
    pool::Tx,
    statement::{Statement, by_values},
    value::Value,
};

/// Rows for one table.
#[derive(Debug)]
pub(crate) struct Insert<const N: usize> {
    /// The table with its columns in brackets.
    into: &'static str,
    rows: Vec<[Value; N]>,
    /// What to do about rows that are there.
    conflict: &'static str,
}

/// Rows in one statement on a server.
const ROWS_MAX: usize = 2048;

impl<const N: usize> Insert<N> {
    pub(crate) const fn new(into: &'static str, rows: Vec<[Value; N]>) -> Self {
        Self { into, rows, conflict: "" }
    }

    pub(crate) const fn on_conflict(mut self, conflict: &'static str) -> Self {
        self.conflict = conflict;
        self
    }

    pub(crate) async fn run(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        match tx {
            Tx::Sqlite(_) => {
                for statement in by_values(self.into, self.rows, self.conflict) {
                    tx.run(statement).await?;
                }
            }
            Tx::Postgres(tx) => {
                for rows in self.rows.chunks(ROWS_MAX) {
                    by_arrays(self.into, rows, self.conflict).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

/// One statement with an array for each column.
fn by_arrays<const N: usize>(
    into: &'static str,
    rows: &[[Value; N]],
    conflict: &'static str,
) -> Query<'static, Postgres, PgArguments> {
    let columns: Vec<Column> = (0..N).map(|place| column(rows, place)).collect();
    let arrays: Vec<String> = (1..)
        .zip(&columns)
        .map(|(place, column): (usize, _)| format!("${place}::{}[]", column.kind()))
        .collect();
    let text = format!("INSERT INTO {into} SELECT * FROM UNNEST({}) {conflict}", arrays.join(", "));
    let query = sqlx::query(Statement::composed(text).text);
    columns.into_iter().fold(query, |query, column| match column {
        Column::Int(values) => query.bind(values),
        Column::Text(values) => query.bind(values),
        Column::Bytes(values) => query.bind(values),
        Column::Decimal(values) => query.bind(values),
    })
}

/// The values of one column.
enum Column {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Decimal(Vec<Option<Decimal>>),
}

impl Column {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "BIGINT",
            Self::Text(_) => "TEXT",
            Self::Bytes(_) => "BYTEA",
            Self::Decimal(_) => "NUMERIC",
        }
    }
}

/// A column has one type in all rows, also where it is absent; a value of another one would be absent,
/// which the tables refuse where it matters.
fn column<const N: usize>(rows: &[[Value; N]], place: usize) -> Column {
    let values = || rows.iter().filter_map(move |row| row.get(place));
    match values().next() {
        Some(Value::Text(_)) => Column::Text(
            values()
                .map(|value| if let Value::Text(text) = value { text.clone() } else { None })
                .collect(),
        ),
        Some(Value::Bytes(_)) => Column::Bytes(
            values()
                .map(|value| if let Value::Bytes(bytes) = value { bytes.clone() } else { None })
                .collect(),
        ),
        Some(Value::Decimal(_)) => Column::Decimal(
            values()
                .map(|value| if let Value::Decimal(number) = value { *number } else { None })
                .collect(),
        ),
        Some(Value::Int(_)) | None => Column::Int(
            values()
                .map(|value| if let Value::Int(number) = value { *number } else { None })
                .collect(),
        ),
    }
}
