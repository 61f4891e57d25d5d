//! The connections, and the only place that knows both drivers.
//!
//! A server may fall silent without a word: it lost its power, or something between forgot the line. Each
//! statement to a server ends therefore by our own clock.

use std::{io, time::Duration};

use rust_decimal::Decimal;
use sqlx::{
    Column as _, Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _,
    postgres::{PgArguments, PgPool, PgRow},
    query::Query,
    sqlite::{SqliteArguments, SqlitePool, SqliteRow},
};
use tokio::time::timeout;

use super::{cells::Cells, statement::Statement, value::Value};
use crate::error::StoreError;

/// Connections to one database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool, Within),
}

/// A transaction. Dropped, it is rolled back.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>, Within),
}

/// How long a server is waited for, with the wait for a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within(pub(crate) Duration);

impl Within {
    /// Beyond this nobody knows what became of the statement.
    pub(super) async fn ask<T>(
        self,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let silent =
            || io::Error::new(io::ErrorKind::TimedOut, "the server gave no answer in time");
        timeout(self.0, asked).await.unwrap_or_else(|_| Err(silent().into()))
    }
}

impl Pool {
    /// Begins a transaction that may write. SQLite takes the write lock at once: an upgrade later
    /// would fail without waiting.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => pool.begin_with(BEGIN).await.map(Tx::Sqlite),
            Self::Postgres(pool, within) => {
                Ok(Tx::Postgres(within.ask(pool.begin()).await?, *within))
            }
        }
    }

    /// Runs one statement by itself; the number of rows that it changed.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(sqlite(statement).execute(pool).await?.rows_affected()),
            Self::Postgres(pool, within) => {
                Ok(within.ask(postgres(statement).execute(pool)).await?.rows_affected())
            }
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
            Self::Postgres(pool, within) => {
                let rows = within.ask(postgres(statement).fetch_all(pool)).await?;
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
            Self::Postgres(pool, _) => pool.close().await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(..))
    }
}

const BEGIN: &str = "BEGIN IMMEDIATE";

impl Tx {
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => Ok(sqlite(statement).execute(&mut **tx).await?.rows_affected()),
            Self::Postgres(tx, within) => {
                Ok(within.ask(postgres(statement).execute(&mut **tx)).await?.rows_affected())
            }
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
            Self::Postgres(tx, within) => {
                let rows = within.ask(postgres(statement).fetch_all(&mut **tx)).await?;
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
            Self::Postgres(tx, within) => within.ask(tx.commit()).await,
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(..))
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
