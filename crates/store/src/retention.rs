//! Letting old inputs go, with the intents that followed from them. Fills, deals, commands, verdicts and
//! the last state stay for ever.

use std::time::Duration;

use tokio::time::sleep;
use tranche_model::{
    ids::{AccountId, Seq},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    places,
    sql::{Pool, Statement},
    store::Store,
};

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Inputs before this moment.
    pub before: Timestamp,
    /// The newest inputs of each account that stay whatever their age, so that its story can be told.
    pub keep: u32,
}

/// Inputs deleted in one transaction, so that no commit waits for long.
const STEP_INPUTS: u32 = 1000;
/// Pages given back to the disk in one transaction.
const STEP_PAGES: u32 = 256;
/// Free pages that a file keeps, for what comes next.
const SPARE_PAGES: u64 = 4096;
/// Commits that wait go first.
const PAUSE: Duration = Duration::from_millis(10);

impl Store {
    /// Deletes old inputs of these accounts, and the intents that were committed with them. The answer is how
    /// many rows went. It may be stopped at any time; the next call goes on.
    pub async fn retain(
        &self,
        accounts: &[AccountId],
        retention: Retention,
    ) -> Result<u64, StoreError> {
        let mut gone = 0_u64;
        // What is not noted is not found by its account.
        places::note(&self.write).await;
        for account in accounts {
            while let Some(mark) = self.next_mark(*account, retention).await? {
                gone = gone.saturating_add(self.delete_below(*account, mark).await?);
                sleep(PAUSE).await;
            }
        }
        Ok(gone)
    }

    /// The input below which one step may delete; `None` when all that is there stays.
    async fn next_mark(
        &self,
        account: AccountId,
        retention: Retention,
    ) -> Result<Option<Seq>, StoreError> {
        let (from, last) = self.span(account).await?;
        // The first input that stays because of its number alone.
        let kept = last.get().saturating_add(1).saturating_sub(u64::from(retention.keep));
        let oldest = Statement::new(
            "SELECT seq, at FROM journal WHERE account = $1 AND $2 <= seq AND seq < $3 \
             ORDER BY seq LIMIT $4",
        );
        let oldest = oldest.bind(account).bind(from).bind(kept).bind(STEP_INPUTS);
        let mut mark = from;
        for mut row in self.read.rows("journal", oldest).await? {
            let (seq, at) = (row.seq()?, row.time()?);
            if retention.before <= at {
                break;
            }
            mark = seq.next();
        }
        Ok((from < mark).then_some(mark))
    }

    /// The first input of an account that was not let go, and its last one.
    async fn span(&self, account: AccountId) -> Result<(Seq, Seq), StoreError> {
        let span = Statement::new("SELECT journal_from, seq FROM accounts WHERE account = $1");
        let row = self.read.row("accounts", span.bind(account)).await?;
        let mut row = row.ok_or(StoreError::NoAccount(account))?;
        Ok((row.seq()?, row.seq()?))
    }

    /// Says first what may be deleted, by the account's own row: the tables refuse everything else.
    async fn delete_below(&self, account: AccountId, mark: Seq) -> Result<u64, StoreError> {
        let raise =
            "UPDATE accounts SET journal_from = $2 WHERE account = $1 AND journal_from < $2";
        let rows = if self.write.is_postgres() {
            [
                "DELETE FROM journal WHERE account = $1 AND seq < $2",
                "DELETE FROM intents WHERE account = $1 AND seq < $2",
            ]
        } else {
            [
                "DELETE FROM journal_rows WHERE row IN \
                 (SELECT row FROM journal_index WHERE account = $1 AND seq < $2)",
                "DELETE FROM intents_rows WHERE row IN \
                 (SELECT row FROM intents_index WHERE account = $1 AND seq < $2)",
            ]
        };
        let mut tx = self.write.begin().await?;
        tx.run(Statement::new(raise).bind(account).bind(mark)).await?;
        let mut gone = 0_u64;
        for delete in rows {
            let delete = Statement::new(delete).bind(account).bind(mark);
            gone = gone.saturating_add(tx.run(delete).await?);
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// When the first input happened that is still there of an account that some were taken of; `None` while
    /// it has all of them.
    pub async fn remembers_since(
        &self,
        account: AccountId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (from, _) = self.span(account).await?;
        if from <= Seq::new(1) {
            return Ok(None);
        }
        let first = Statement::new(
            "SELECT at FROM journal WHERE account = $1 AND $2 <= seq ORDER BY seq LIMIT 1",
        );
        let row = self.read.row("journal", first.bind(account).bind(from)).await?;
        row.map(|mut row| row.time()).transpose()
    }

    /// Gives free pages of a file back to the disk, but for some. PostgreSQL does that by itself.
    pub async fn compact(&self) -> Result<(), StoreError> {
        let Pool::Sqlite(_) = &self.write else { return Ok(()) };
        let mut free = self.free_pages().await?;
        while SPARE_PAGES < free {
            let step = format!("PRAGMA incremental_vacuum({STEP_PAGES})");
            self.write.rows("pages", Statement::composed(step)).await?;
            let left = self.free_pages().await?;
            // A file that another program made may not be able to.
            if free <= left {
                break;
            }
            free = left;
            sleep(PAUSE).await;
        }
        self.write.rows("pages", Statement::new("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        Ok(())
    }

    async fn free_pages(&self) -> Result<u64, StoreError> {
        let free = self.write.row("pages", Statement::new("PRAGMA freelist_count")).await?;
        free.map_or(Ok(0), |mut row| row.id())
    }
}
