//! Letting old journal rows go. Fills, deals, intents, commands and the last state stay for ever.

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

/// Rows deleted in one transaction, so that no commit waits for long.
const STEP_ROWS: u64 = 2000;

impl Store {
    /// Deletes old journal rows of every account and gives their space back. The answer is how many went.
    /// It may be stopped at any time; the next call goes on.
    pub async fn retain(&self, retention: Retention) -> Result<u64, StoreError> {
        let accounts = Statement::new("SELECT account FROM accounts ORDER BY account");
        let mut gone = 0_u64;
        places::note(&self.write).await;
        for mut row in self.read.rows("accounts", accounts).await? {
            let account = AccountId::new(row.id()?);
            let mark = self.raise_mark(account, retention).await?;
            gone = gone.saturating_add(self.delete_below(account, mark).await?);
        }
        self.compact().await?;
        Ok(gone)
    }

    /// Says first what may be deleted, by the account's own row: the tables refuse everything else.
    async fn raise_mark(
        &self,
        account: AccountId,
        retention: Retention,
    ) -> Result<Seq, StoreError> {
        let raise = Statement::new(
            "UPDATE accounts SET journal_from = (SELECT COALESCE(MIN(journal.seq), $3) FROM journal \
             WHERE journal.account = $1 AND $2 <= journal.at AND journal.seq < $3) \
             WHERE account = $1 AND journal_from < (SELECT COALESCE(MIN(journal.seq), $3) \
             FROM journal WHERE journal.account = $1 AND $2 <= journal.at AND journal.seq < $3)",
        );
        let standing = self.standing(account).await?;
        let (_, seq) = standing.ok_or(StoreError::NoAccount(account))?;
        // The first input that stays because of its number alone.
        let kept = seq.get().saturating_add(1).saturating_sub(u64::from(retention.keep));
        if 0 < kept {
            let raise = raise.bind(account).bind(retention.before).bind(kept);
            self.write.run(raise).await?;
        }
        let mark = Statement::new("SELECT journal_from FROM accounts WHERE account = $1");
        let row = self.write.row("accounts", mark.bind(account)).await?;
        row.ok_or(StoreError::NoAccount(account))?.seq()
    }

    async fn delete_below(&self, account: AccountId, mark: Seq) -> Result<u64, StoreError> {
        let first = Statement::new("SELECT MIN(seq) FROM journal WHERE account = $1").bind(account);
        let first = match self.read.row("journal", first).await? {
            Some(mut row) => row.id_or_null::<u64>()?,
            None => None,
        };
        let mut from = first.unwrap_or_else(|| mark.get());
        let mut gone = 0_u64;
        while from < mark.get() {
            from = from.saturating_add(STEP_ROWS).min(mark.get());
            let step = Statement::new(if self.write.is_postgres() {
                "DELETE FROM journal WHERE account = $1 AND seq < $2"
            } else {
                "DELETE FROM journal_rows WHERE row IN \
                 (SELECT row FROM journal_index WHERE account = $1 AND seq < $2)"
            });
            gone = gone.saturating_add(self.write.run(step.bind(account).bind(from)).await?);
        }
        Ok(gone)
    }

    /// Gives free pages back to the disk. PostgreSQL does that by itself.
    async fn compact(&self) -> Result<(), StoreError> {
        if let Pool::Sqlite(_) = &self.write {
            self.write.rows("pages", Statement::new("PRAGMA incremental_vacuum(4096)")).await?;
            self.write.rows("pages", Statement::new("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        }
        Ok(())
    }
}
