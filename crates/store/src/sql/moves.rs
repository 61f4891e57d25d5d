//! A whole commit in as few statements as the database takes: accounts move on, each only from where it
//! is said to stand, and rows are inserted. On PostgreSQL that is one statement, because each is a walk
//! to the server and back.

use sqlx::Row as _;
use tranche_model::ids::{AccountId, Epoch, Seq};

use super::{
    insert::{Arrays, Insert},
    pool::Tx,
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

/// Carries it out, and says how many of the accounts moved. When these are not all, the transaction must
/// not be committed. `moves` are sorted by account.
pub(crate) async fn write(
    tx: &mut Tx,
    moves: &[Move],
    inserts: Vec<Insert>,
) -> Result<u64, sqlx::Error> {
    let moves: Vec<Value> = moves
        .iter()
        .flat_map(|moved| {
            [moved.account.into(), moved.epoch.into(), moved.before.into(), moved.now.into()]
        })
        .collect();
    match tx {
        Tx::Sqlite(_) => by_values(tx, moves, inserts).await,
        Tx::Postgres(tx) => {
            if moves.is_empty() {
                return Ok(0);
            }
            let mut arrays = Arrays::default();
            let text = by_arrays(moves, inserts, &mut arrays);
            arrays
                .bind(text)
                .fetch_one(&mut **tx)
                .await?
                .try_get::<i64, _>(0)
                .map(i64::cast_unsigned)
        }
    }
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

/// The rows of the accounts are locked in one order for all, so that nobody waits in a circle.
fn by_arrays(moves: Vec<Value>, inserts: Vec<Insert>, arrays: &mut Arrays) -> String {
    let places = arrays.add(moves, COLUMNS);
    let mut text = format!(
        "WITH asked AS (SELECT * FROM UNNEST({places}) AS asked (account, epoch, before, now)), \
         locked AS (SELECT accounts.account, asked.now FROM accounts JOIN asked \
         ON accounts.account = asked.account AND accounts.epoch = asked.epoch \
         AND accounts.seq = asked.before ORDER BY accounts.account FOR UPDATE OF accounts), \
         moved AS (UPDATE accounts SET seq = locked.now FROM locked \
         WHERE accounts.account = locked.account RETURNING accounts.account)"
    );
    for insert in inserts.into_iter().filter(|insert| !insert.is_empty()) {
        let name = arrays.count();
        let insert = insert.by_arrays(arrays);
        text.extend([", rows_", &name.to_string(), " AS (", &insert, ")"]);
    }
    text + " SELECT COUNT(*) FROM moved"
}
