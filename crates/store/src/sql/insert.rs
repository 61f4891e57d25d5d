//! Inserts of many rows in few statements: by values on SQLite, by arrays on PostgreSQL.

use rust_decimal::Decimal;
use sqlx::{Postgres, postgres::PgArguments, query::Query};

use super::{
    pool::Tx,
    statement::{Statement, rows_of, sized},
    value::Value,
};

/// Rows for one table. The first column is never absent.
#[derive(Debug)]
pub(crate) struct Insert {
    /// The table with its columns in brackets.
    into: &'static str,
    /// What to do about rows that are there.
    conflict: &'static str,
    columns: usize,
    /// Row after row.
    values: Vec<Value>,
}

impl Insert {
    pub(crate) fn new<const N: usize>(into: &'static str, rows: Vec<[Value; N]>) -> Self {
        let values = rows.into_iter().flatten().collect();
        Self { into, conflict: "", columns: N, values }
    }

    pub(crate) const fn on_conflict(mut self, conflict: &'static str) -> Self {
        self.conflict = conflict;
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) async fn run(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        if self.is_empty() {
            return Ok(());
        }
        match tx {
            Tx::Sqlite(_) => {
                let Self { into, conflict, columns, values } = self;
                for (rows, values) in sized(values, columns) {
                    // Rows that only fill up are left out.
                    let text = format!(
                        "INSERT INTO {into} SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL \
                         {conflict}",
                        rows_of(rows, columns)
                    );
                    tx.run(Statement::with(text, values)).await?;
                }
            }
            Tx::Postgres(tx) => {
                let mut arrays = Arrays::default();
                let text = self.by_arrays(&mut arrays, "TRUE");
                tx.run(arrays.bind(text)).await?;
            }
        }
        Ok(())
    }

    /// The text of an insert that takes an array for each column, if the condition holds.
    pub(super) fn by_arrays(self, arrays: &mut Arrays, condition: &str) -> String {
        let Self { into, conflict, columns, values } = self;
        let places = arrays.add(values, columns);
        format!("INSERT INTO {into} SELECT * FROM UNNEST({places}) WHERE {condition} {conflict}")
    }
}

/// The arrays of one statement on PostgreSQL.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    columns: Vec<Column>,
}

impl Arrays {
    /// Adds rows of `columns` values each, and says where they are: `$1::BIGINT[], $2::TEXT[]`.
    pub(super) fn add(&mut self, values: Vec<Value>, columns: usize) -> String {
        let before = self.columns.len();
        let rows = values.len().checked_div(columns).unwrap_or(0);
        let mut places = Vec::with_capacity(columns);
        for value in values.iter().take(columns) {
            let column = Column::like(value, rows);
            let place = self.columns.len().saturating_add(1);
            places.push(format!("${place}::{}[]", column.kind()));
            self.columns.push(column);
        }
        let mut values = values.into_iter();
        while 0 < values.len() {
            for column in self.columns.iter_mut().skip(before) {
                column.push(values.next());
            }
        }
        places.join(", ")
    }

    /// How many there are.
    pub(super) const fn count(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn bind(self, text: String) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(Statement::composed(text).text);
        self.columns.into_iter().fold(query, |query, column| match column {
            Column::Int(values) => query.bind(values),
            Column::Text(values) => query.bind(values),
            Column::Bytes(values) => query.bind(values),
            Column::Decimal(values) => query.bind(values),
        })
    }
}

/// The values of one column.
#[derive(Debug)]
enum Column {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Decimal(Vec<Option<Decimal>>),
}

impl Column {
    /// An empty one. A column has one type in all rows, also where it is absent.
    fn like(value: &Value, rows: usize) -> Self {
        match value {
            Value::Int(_) => Self::Int(Vec::with_capacity(rows)),
            Value::Text(_) => Self::Text(Vec::with_capacity(rows)),
            Value::Bytes(_) => Self::Bytes(Vec::with_capacity(rows)),
            Value::Decimal(_) => Self::Decimal(Vec::with_capacity(rows)),
        }
    }

    /// A value of another type would be absent, which the tables refuse where it matters.
    fn push(&mut self, value: Option<Value>) {
        match (self, value) {
            (Self::Int(values), Some(Value::Int(value))) => values.push(value),
            (Self::Text(values), Some(Value::Text(value))) => values.push(value),
            (Self::Bytes(values), Some(Value::Bytes(value))) => values.push(value),
            (Self::Decimal(values), Some(Value::Decimal(value))) => values.push(value),
            (Self::Int(values), _) => values.push(None),
            (Self::Text(values), _) => values.push(None),
            (Self::Bytes(values), _) => values.push(None),
            (Self::Decimal(values), _) => values.push(None),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "BIGINT",
            Self::Text(_) => "TEXT",
            Self::Bytes(_) => "BYTEA",
            Self::Decimal(_) => "NUMERIC",
        }
    }
}
