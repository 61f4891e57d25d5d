//! Who may act for which account, and until when by the clock of the database.
//!
//! A SQLite file has one engine, which may do without. On PostgreSQL an engine acts only while it
//! has the lease; what it sends is fenced by the epoch in the commit and by the deadline at the door.

use tranche_model::{ids::AccountId, time::Timestamp};

use crate::{
    error::StoreError,
    sql::{Statement, in_chunks, places},
    store::Store,
};

/// A row of the table of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub account: AccountId,
    pub owner: String,
    /// By the clock of the database.
    pub expires_at: Timestamp,
    pub has_expired: bool,
}

/// Microseconds of the database's clock, as SQL.
pub(crate) const fn now_sql(is_postgres: bool) -> &'static str {
    if is_postgres {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"
    } else {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    }
}

impl Store {
    /// Takes the lease of each account that is free, expired or ours, for the span of the settings
    /// from now. The answer is what was taken. A take from another owner raises the account's epoch.
    /// Whoever counts on a lease counts from *before* this call.
    pub async fn lease(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, StoreError> {
        let mut taken = Vec::with_capacity(accounts.len());
        for account in accounts {
            if self.lease_one(*account).await? {
                taken.push(*account);
            }
        }
        Ok(taken)
    }

    async fn lease_one(&self, account: AccountId) -> Result<bool, StoreError> {
        let mut tx = self.write.begin().await?;
        let now = now_sql(tx.is_postgres());
        let upsert = Statement::composed(format!(
            "INSERT INTO leases (account, owner, expires_at) VALUES ($1, $2, {now} + $3) \
             ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, \
             expires_at = excluded.expires_at \
             WHERE leases.owner = excluded.owner OR leases.expires_at <= {now}"
        ));
        let before = Statement::new("SELECT owner FROM leases WHERE account = $1").bind(account);
        let former = match tx.row("leases", before).await? {
            Some(mut row) => Some(row.text()?),
            None => None,
        };
        let upsert = upsert.bind(account).bind(self.owner.as_str()).bind(self.lease_micros());
        if tx.run(upsert).await? == 0 {
            return Ok(false);
        }
        if former.is_some_and(|former| former != self.owner) {
            let raise = Statement::new("UPDATE accounts SET epoch = epoch + 1 WHERE account = $1");
            tx.run(raise.bind(account)).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Prolongs all our leases; the answer is what is still ours. An account that is absent belongs to
    /// another: stop sending for it, then forget it.
    pub async fn renew(&self) -> Result<Vec<AccountId>, StoreError> {
        let now = now_sql(self.write.is_postgres());
        let text =
            format!("UPDATE leases SET expires_at = {now} + $2 WHERE owner = $1 RETURNING account");
        let statement = Statement::composed(text);
        let statement = statement.bind(self.owner.as_str()).bind(self.lease_micros());
        let rows = self.write.rows("leases", statement).await?;
        rows.into_iter().map(|mut row| row.id().map(AccountId::new)).collect()
    }

    /// Gives leases back, so that others need not wait for their end.
    pub async fn release(&self, accounts: &[AccountId]) -> Result<(), StoreError> {
        for chunk in in_chunks(accounts) {
            // The owner is bound last: the places of the accounts are counted from one.
            let text = format!(
                "DELETE FROM leases WHERE account IN {} AND owner = ${}",
                places(1, chunk.len()),
                chunk.len().saturating_add(1)
            );
            let statement = chunk
                .iter()
                .fold(Statement::composed(text), |statement, account| statement.bind(*account));
            self.write.run(statement.bind(self.owner.as_str())).await?;
        }
        Ok(())
    }

    pub async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let now = now_sql(self.read.is_postgres());
        let text = format!("SELECT account, owner, expires_at, {now} FROM leases ORDER BY account");
        let rows = self.read.rows("leases", Statement::composed(text)).await?;
        rows.into_iter()
            .map(|mut row| {
                let account = AccountId::new(row.id()?);
                let (owner, expires_at, now) = (row.text()?, row.time()?, row.time()?);
                Ok(Lease { account, owner, expires_at, has_expired: expires_at <= now })
            })
            .collect()
    }

    fn lease_micros(&self) -> i64 {
        i64::from(self.lease.ms()).saturating_mul(1000)
    }
}
