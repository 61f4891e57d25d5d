//! Which copy of Tranche this database belongs to, and which life of it this is.

use std::collections::BTreeSet;

use tranche_model::{
    ids::{AccountId, Incarnation, Installation},
    time::Timestamp,
};

use crate::{
    chance,
    error::StoreError,
    sql::{Cells, Insert, Statement, Tx},
    store::Store,
};

/// What client order ids begin with, and whether anything may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub installation: Installation,
    pub incarnation: Incarnation,
    pub created_at: Timestamp,
    /// Set after a restore: nothing is sent until each account was compared with its exchange.
    pub quarantine: Option<Quarantine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    pub since: Timestamp,
    pub reason: String,
}

/// An incarnation has 14 bits in a client order id.
const INCARNATION_MASK: u16 = (1 << 14) - 1;
/// More owners than an account has between two backups.
const EPOCHS_OF_A_LIFE: i64 = 1 << 20;
const QUARANTINED: &str = "SELECT account FROM accounts WHERE EXISTS \
    (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL) \
    AND account NOT IN (SELECT account FROM released) ORDER BY account";
/// Draws before the choice is made by looking.
const DRAWS: u32 = 64;

impl Store {
    /// Who this database is; drawn at the first call, the same ever after.
    pub async fn identity(&self, now: Timestamp) -> Result<Identity, StoreError> {
        let mut tx = self.write.begin().await?;
        if let Some(identity) = read(&mut tx).await? {
            return Ok(identity);
        }
        // Zero is left to simulations.
        let installation = chance::number()?.max(1);
        let incarnation = draw(&mut tx).await?;
        let created = Statement::new(
            "INSERT INTO installation (one, installation, incarnation, created_at) \
             VALUES (1, $1, $2, $3) ON CONFLICT (one) DO NOTHING",
        );
        tx.run(created.bind(installation).bind(incarnation).bind(now)).await?;
        note(&mut tx, incarnation, "first", now).await?;
        let identity = read(&mut tx).await?;
        tx.commit().await?;
        identity.ok_or_else(|| StoreError::Failed("the installation has no row".to_owned()))
    }

    /// Marks a database that was put back from a backup: a new incarnation that it never had, no
    /// leases, a much higher epoch for each account, and quarantine until [`Store::release_quarantine`].
    /// Do this to a PostgreSQL database that was restored by its own tools.
    pub async fn mark_restored(
        &self,
        reason: &str,
        now: Timestamp,
    ) -> Result<Identity, StoreError> {
        self.identity(now).await?;
        let mut tx = self.write.begin().await?;
        let incarnation = draw(&mut tx).await?;
        let marked = Statement::new(
            "UPDATE installation SET incarnation = $1, quarantined_at = $2, quarantine_reason = $3",
        );
        tx.run(marked.bind(incarnation).bind(now).bind(reason)).await?;
        note(&mut tx, incarnation, reason, now).await?;
        tx.run(Statement::new("DELETE FROM leases")).await?;
        tx.run(Statement::new("DELETE FROM released")).await?;
        // An engine of the former life may have gone on after the backup, and may still run.
        // By chance, because it may have been restored as well.
        let lives = i64::from(chance::number()?).saturating_add(1);
        let raise = Statement::new("UPDATE accounts SET epoch = epoch + $1");
        let raise = raise.bind(EPOCHS_OF_A_LIFE.saturating_mul(lives));
        tx.run(raise).await?;
        let identity = read(&mut tx).await?;
        tx.commit().await?;
        identity.ok_or_else(|| StoreError::Failed("the installation has no row".to_owned()))
    }

    /// Accounts for which nothing may be sent: those that were there when the database was put back, and
    /// were not released since.
    pub async fn quarantined(&self) -> Result<Vec<AccountId>, StoreError> {
        let held = self.read.rows("accounts", Statement::new(QUARANTINED)).await?;
        held.into_iter().map(|mut row| row.id().map(AccountId::new)).collect()
    }

    /// Ends the quarantine of one account, when it agrees with its exchange; with the last one, of the
    /// database.
    pub async fn release_account(&self, account: AccountId) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        let released = Statement::new(
            "INSERT INTO released (account) SELECT account FROM accounts WHERE account = $1 \
             ON CONFLICT (account) DO NOTHING",
        );
        tx.run(released.bind(account)).await?;
        if tx.rows("accounts", Statement::new(QUARANTINED)).await?.is_empty() {
            end_quarantine(&mut tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends the quarantine, when every account agrees with its exchange.
    pub async fn release_quarantine(&self) -> Result<(), StoreError> {
        let mut tx = self.write.begin().await?;
        end_quarantine(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Whether the database takes writes at present: writes what is there already.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write.run(Statement::new("UPDATE installation SET one = one")).await?;
        Ok(())
    }

    /// Every incarnation that this database had or met.
    pub(crate) async fn incarnations(&self) -> Result<Vec<Incarnation>, StoreError> {
        let all = Statement::new("SELECT incarnation FROM incarnations ORDER BY incarnation");
        let rows = self.read.rows("incarnations", all).await?;
        rows.into_iter().map(|mut row| row.id().map(Incarnation::new)).collect()
    }

    /// Gets another incarnation, because `seen` was found at an exchange in ids of this installation
    /// that this database did not make.
    pub async fn avoid_incarnations(
        &self,
        seen: &[Incarnation],
        now: Timestamp,
    ) -> Result<Identity, StoreError> {
        let mut tx = self.write.begin().await?;
        let rows = seen.iter().map(|incarnation| {
            [incarnation.get().into(), now.into(), "seen at an exchange".into()]
        });
        let into = "incarnations (incarnation, began_at, reason)";
        let rows = Insert::new(into, rows.collect());
        rows.on_conflict("ON CONFLICT DO NOTHING").run(&mut tx).await?;
        let incarnation = draw(&mut tx).await?;
        let moved = Statement::new("UPDATE installation SET incarnation = $1").bind(incarnation);
        tx.run(moved).await?;
        note(&mut tx, incarnation, "after one that was seen", now).await?;
        let identity = read(&mut tx).await?;
        tx.commit().await?;
        identity.ok_or_else(|| StoreError::Failed("the installation has no row".to_owned()))
    }
}

async fn end_quarantine(tx: &mut Tx) -> Result<(), StoreError> {
    let ended =
        Statement::new("UPDATE installation SET quarantined_at = NULL, quarantine_reason = NULL");
    tx.run(ended).await?;
    tx.run(Statement::new("DELETE FROM released")).await?;
    Ok(())
}

async fn read(tx: &mut Tx) -> Result<Option<Identity>, StoreError> {
    let one = Statement::new(
        "SELECT installation, incarnation, created_at, quarantined_at, quarantine_reason \
         FROM installation",
    );
    tx.row("installation", one).await?.map(read_identity).transpose()
}

fn read_identity(mut row: Cells) -> Result<Identity, StoreError> {
    let (installation, incarnation) = (row.id()?, row.id()?);
    let created_at = row.time()?;
    let since = row.time_or_null()?;
    let reason = row.text_or_null()?.unwrap_or_default();
    Ok(Identity {
        installation: Installation::new(installation),
        incarnation: Incarnation::new(incarnation),
        created_at,
        quarantine: since.map(|since| Quarantine { since, reason }),
    })
}

async fn note(
    tx: &mut Tx,
    incarnation: u16,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let noted = Statement::new(
        "INSERT INTO incarnations (incarnation, began_at, reason) VALUES ($1, $2, $3) \
         ON CONFLICT (incarnation) DO NOTHING",
    );
    tx.run(noted.bind(incarnation).bind(now).bind(reason)).await?;
    Ok(())
}

/// An incarnation that this database never had, by chance.
async fn draw(tx: &mut Tx) -> Result<u16, StoreError> {
    let all = Statement::new("SELECT incarnation FROM incarnations");
    let mut had = BTreeSet::new();
    for mut row in tx.rows("incarnations", all).await? {
        had.insert(row.id::<u16>()?);
    }
    for _ in 0..DRAWS {
        let drawn = chance::number()? & INCARNATION_MASK;
        if !had.contains(&drawn) {
            return Ok(drawn);
        }
    }
    let free = (0..=INCARNATION_MASK).find(|incarnation| !had.contains(incarnation));
    free.ok_or_else(|| StoreError::Failed("every incarnation was used".to_owned()))
}
