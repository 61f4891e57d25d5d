//! A whole commit in as few statements as the database takes: accounts move on, each only from where it
//! is said to stand, and rows are inserted. On PostgreSQL that is one statement, because each is a walk
//! to the server and back.

use sqlx::{
    Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tranche_model::ids::{AccountId, Epoch, Seq};

use super::{
    insert::{Arrays, Insert},
    pool::{Pool, Tx},
    statement::{Statement, rows_of, sized},
    value::Value,
};

/// An account that goes from one input to another under its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) account: AccountId,
    pub(crate) epoch: Epoch,
    pub(crate) before: Seq,
    pub(crate) now: Seq,
}

const COLUMNS: usize = 4;
/// Every account stands where it is said to.
const IF_WHOLE: &str = "EXISTS (SELECT FROM whole)";

/// Carries it out, and says how many of the accounts moved. When these are not all, the transaction must
/// not be committed. `moves` are sorted by account.
pub(crate) async fn write(
    tx: &mut Tx,
    moves: &[Move],
    inserts: Vec<Insert>,
) -> Result<u64, sqlx::Error> {
    match tx {
        Tx::Sqlite(_) => by_values(tx, values(moves), inserts).await,
        Tx::Postgres(tx) => match by_arrays(moves, inserts) {
            Some(query) => moved(&tx.rows(query).await?),
            None => Ok(0),
        },
    }
}

/// Carries it out as a transaction of its own: either all accounts move and all rows are there, or nothing
/// happened. Says how many accounts moved; `None` on a database that takes several statements for it, where
/// nothing was done.
pub(crate) async fn write_alone(
    pool: &Pool,
    moves: &[Move],
    inserts: Vec<Insert>,
) -> Result<Option<u64>, sqlx::Error> {
    match pool {
        Pool::Sqlite(_) => Ok(None),
        Pool::Postgres(server) => match by_arrays(moves, inserts) {
            Some(query) => moved(&server.rows(query).await?).map(Some),
            None => Ok(Some(0)),
        },
    }
}

fn values(moves: &[Move]) -> Vec<Value> {
    let columns = |moved: &Move| -> [Value; COLUMNS] {
        [moved.account.into(), moved.epoch.into(), moved.before.into(), moved.now.into()]
    };
    moves.iter().flat_map(columns).collect()
}

async fn by_values(
    tx: &mut Tx,
    moves: Vec<Value>,
    inserts: Vec<Insert>,
) -> Result<u64, sqlx::Error> {
    let mut count: u64 = 0;
    for (rows, values) in sized(moves, COLUMNS) {
        let text = format!(
            "UPDATE accounts SET seq = asked.column4 FROM (VALUES {}) AS asked \
             WHERE accounts.account = asked.column1 AND accounts.epoch = asked.column2 \
             AND accounts.seq = asked.column3",
            rows_of(rows, COLUMNS)
        );
        count = count.saturating_add(tx.run(Statement::with(text, values)).await?);
    }
    for insert in inserts {
        insert.run(tx).await?;
    }
    Ok(count)
}

/// `None` when nobody moves.
fn by_arrays(
    moves: &[Move],
    inserts: Vec<Insert>,
) -> Option<Query<'static, Postgres, PgArguments>> {
    if moves.is_empty() {
        return None;
    }
    let mut arrays = Arrays::default();
    let text = in_one_statement(values(moves), inserts, &mut arrays);
    Some(arrays.bind(text))
}

/// How many accounts did, as the statement says.
fn moved(rows: &[PgRow]) -> Result<u64, sqlx::Error> {
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    row.try_get::<i64, _>(0).map(i64::cast_unsigned)
}

/// The rows of the accounts are locked in one order for all, so that nobody waits in a circle. When one of
/// them stands elsewhere, nothing is written.
fn in_one_statement(moves: Vec<Value>, inserts: Vec<Insert>, arrays: &mut Arrays) -> String {
    let places = arrays.add(moves, COLUMNS);
    let mut text = format!(
        "WITH asked AS (SELECT * FROM UNNEST({places}) AS asked (account, epoch, before, now)), \
         locked AS (SELECT accounts.account, asked.now FROM accounts JOIN asked \
         ON accounts.account = asked.account AND accounts.epoch = asked.epoch \
         AND accounts.seq = asked.before ORDER BY accounts.account FOR UPDATE OF accounts), \
         whole AS (SELECT 1 FROM locked HAVING COUNT(*) = (SELECT COUNT(*) FROM asked)), \
         moved AS (UPDATE accounts SET seq = locked.now FROM locked \
         WHERE accounts.account = locked.account AND {IF_WHOLE} RETURNING accounts.account)"
    );
    for insert in inserts.into_iter().filter(|insert| !insert.is_empty()) {
        let name = arrays.count();
        let insert = insert.by_arrays(arrays, IF_WHOLE);
        text.extend([", rows_", &name.to_string(), " AS (", &insert, ")"]);
    }
    text + " SELECT COUNT(*) FROM moved"
}
