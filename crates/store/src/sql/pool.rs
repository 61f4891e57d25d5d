//! The connections, and the only place that knows both drivers.

use rust_decimal::Decimal;
use sqlx::{
    Column as _, Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _,
    postgres::{PgArguments, PgRow},
    query::Query,
    sqlite::{SqliteArguments, SqlitePool, SqliteRow},
};

use super::{
    cells::Cells,
    server::{Server, ServerTx},
    statement::Statement,
    value::Value,
};
use crate::error::StoreError;

/// Connections to one database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(Server),
}

/// A transaction. Dropped, it is rolled back.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(ServerTx),
}

impl Pool {
    /// Begins a transaction that may write. SQLite takes the write lock at once: an upgrade later
    /// would fail without waiting.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => pool.begin_with(BEGIN).await.map(Tx::Sqlite),
            Self::Postgres(server) => server.begin().await.map(Tx::Postgres),
        }
    }

    /// Runs one statement by itself; the number of rows that it changed.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(sqlite(statement).execute(pool).await?.rows_affected()),
            Self::Postgres(server) => server.run(postgres(statement)).await,
        }
    }

    pub(crate) async fn rows(
        &self,
        table: &'static str,
        statement: Statement,
    ) -> Result<Vec<Cells>, StoreError> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlite(statement).fetch_all(pool).await?;
                rows.iter().map(|row| read_sqlite(table, row)).collect()
            }
            Self::Postgres(server) => {
                let rows = server.rows(postgres(statement)).await?;
                rows.iter().map(|row| read_postgres(table, row)).collect()
            }
        }
    }

    pub(crate) async fn row(
        &self,
        table: &'static str,
        statement: Statement,
    ) -> Result<Option<Cells>, StoreError> {
        Ok(self.rows(table, statement).await?.into_iter().next())
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(server) => server.close().await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

const BEGIN: &str = "BEGIN IMMEDIATE";

impl Tx {
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => Ok(sqlite(statement).execute(&mut **tx).await?.rows_affected()),
            Self::Postgres(tx) => tx.run(postgres(statement)).await,
        }
    }

    pub(crate) async fn rows(
        &mut self,
        table: &'static str,
        statement: Statement,
    ) -> Result<Vec<Cells>, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                let rows = sqlite(statement).fetch_all(&mut **tx).await?;
                rows.iter().map(|row| read_sqlite(table, row)).collect()
            }
            Self::Postgres(tx) => {
                let rows = tx.rows(postgres(statement)).await?;
                rows.iter().map(|row| read_postgres(table, row)).collect()
            }
        }
    }

    pub(crate) async fn row(
        &mut self,
        table: &'static str,
        statement: Statement,
    ) -> Result<Option<Cells>, StoreError> {
        Ok(self.rows(table, statement).await?.into_iter().next())
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn sqlite(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    let query = sqlx::query(statement.text);
    statement.values.into_iter().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Decimal(value) => query.bind(value.map(|value| value.normalize().to_string())),
    })
}

fn postgres(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let query = sqlx::query(statement.text);
    statement.values.into_iter().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Decimal(value) => query.bind(value),
    })
}

fn read_sqlite(table: &'static str, row: &SqliteRow) -> Result<Cells, StoreError> {
    let cell = |place: usize| -> Result<Value, sqlx::Error> {
        let raw = row.try_get_raw(place)?;
        if raw.is_null() {
            return Ok(Value::Text(None));
        }
        Ok(match raw.type_info().name() {
            "INTEGER" => Value::Int(row.try_get(place)?),
            "BLOB" => Value::Bytes(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        })
    };
    collect(table, row.len(), cell)
}

fn read_postgres(table: &'static str, row: &PgRow) -> Result<Cells, StoreError> {
    let cell = |place: usize| -> Result<Value, sqlx::Error> {
        Ok(match row.try_column(place)?.type_info().name() {
            "INT8" => Value::Int(row.try_get(place)?),
            "BYTEA" => Value::Bytes(row.try_get(place)?),
            "NUMERIC" => Value::Decimal(row.try_get::<Option<Decimal>, _>(place)?),
            _ => Value::Text(row.try_get(place)?),
        })
    };
    collect(table, row.len(), cell)
}

fn collect(
    table: &'static str,
    columns: usize,
    cell: impl Fn(usize) -> Result<Value, sqlx::Error>,
) -> Result<Cells, StoreError> {
    let cells: Result<Vec<Value>, sqlx::Error> = (0..columns).map(cell).collect();
    let cells = cells.map_err(|error| StoreError::Corrupt { table, what: error.to_string() })?;
    Ok(Cells::new(table, cells))
}
