//! SQLite: where the rows of each account are.
//!
//! A commit adds rows of all accounts at the end of one table, which changes few pages. An index by account
//! would change one for each account, so it is not kept row by row: many rows are noted at once, in its
//! own order. Until then a reader finds them by looking through what is new.

use crate::sql::{Pool, Statement};

/// New rows of journal and intents after which they are noted. A reader looks through at most so many in a
/// few milliseconds, and one commit of hundreds waits for the noting of them.
pub(crate) const ROWS: u64 = 65_536;

/// What is there twice, which only a stranger's hand can do, is noted once; verifying finds the other.
const NOTE: [&str; 3] = [
    "INSERT INTO journal_index SELECT account, seq, row FROM journal_rows \
     WHERE (SELECT journal FROM indexed) < row ORDER BY account, seq, row ON CONFLICT DO NOTHING",
    "INSERT INTO intents_index SELECT account, seq, place, row FROM intents_rows \
     WHERE (SELECT intents FROM indexed) < row ORDER BY account, seq, place, row \
     ON CONFLICT DO NOTHING",
    "UPDATE indexed SET \
     journal = MAX(journal, (SELECT COALESCE(MAX(row), 0) FROM journal_rows)), \
     intents = MAX(intents, (SELECT COALESCE(MAX(row), 0) FROM intents_rows))",
];

/// Notes all rows that are new, if it can be done: nothing depends on it but how long a reader looks.
/// PostgreSQL keeps its indexes itself.
pub(crate) async fn note(pool: &Pool) {
    if pool.is_postgres() {
        return;
    }
    if let Err(error) = try_note(pool).await {
        tracing::warn!(%error, "it is not noted yet where rows are");
    }
}

async fn try_note(pool: &Pool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    for step in NOTE {
        tx.run(Statement::new(step)).await?;
    }
    tx.commit().await
}
