//! Who may act for which account, and until when by the clock of the database.
//!
//! A SQLite file has one engine, which may do without. On PostgreSQL an engine acts only while it
//! has the lease; what it sends is fenced by the epoch in the commit and by the deadline at the door.

use std::collections::BTreeMap;

use tranche_model::{ids::AccountId, time::Timestamp};

use crate::{
    error::StoreError,
    sql::{Statement, Tx, in_chunks, places},
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
        let mut sorted = accounts.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut taken = Vec::with_capacity(sorted.len());
        for chunk in in_chunks(&sorted) {
            taken.extend(self.lease_chunk(chunk).await?);
        }
        Ok(taken)
    }

    async fn lease_chunk(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, StoreError> {
        let mut tx = self.write.begin().await?;
        let former = former_owners(&mut tx, accounts).await?;
        let now = now_sql(tx.is_postgres());
        let text = format!(
            "INSERT INTO leases (account, owner, expires_at) \
             SELECT account, ${owner}, {now} + ${span} FROM accounts WHERE account IN {places} \
             ORDER BY account ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, \
             expires_at = excluded.expires_at \
             WHERE leases.owner = excluded.owner OR leases.expires_at <= {now} RETURNING account",
            owner = accounts.len().saturating_add(1),
            span = accounts.len().saturating_add(2),
            places = places(1, accounts.len()),
        );
        let upsert = bind_all(Statement::composed(text), accounts);
        let upsert = upsert.bind(self.owner.as_str()).bind(self.lease_micros());
        let mut taken = Vec::with_capacity(accounts.len());
        for mut row in tx.rows("leases", upsert).await? {
            taken.push(AccountId::new(row.id()?));
        }
        let is_taken_over =
            |account: &AccountId| former.get(account).is_some_and(|former| *former != self.owner);
        let taken_over: Vec<AccountId> = taken.iter().copied().filter(is_taken_over).collect();
        for chunk in in_chunks(&taken_over) {
            let places = places(1, chunk.len());
            let text = format!("UPDATE accounts SET epoch = epoch + 1 WHERE account IN {places}");
            tx.run(bind_all(Statement::composed(text), chunk)).await?;
        }
        tx.commit().await?;
        taken.sort_unstable();
        Ok(taken)
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

/// Who has or had the leases; their rows stay locked.
async fn former_owners(
    tx: &mut Tx,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, String>, StoreError> {
    let lock = if tx.is_postgres() { "FOR UPDATE" } else { "" };
    let text = format!(
        "SELECT account, owner FROM leases WHERE account IN {} ORDER BY account {lock}",
        places(1, accounts.len())
    );
    let rows = tx.rows("leases", bind_all(Statement::composed(text), accounts)).await?;
    rows.into_iter().map(|mut row| Ok((AccountId::new(row.id()?), row.text()?))).collect()
}

pub(crate) fn bind_all(statement: Statement, accounts: &[AccountId]) -> Statement {
    accounts.iter().fold(statement, |statement, account| statement.bind(*account))
}
