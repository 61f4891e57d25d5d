//! Users and accounts, and what an account is loaded from.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    ids::{AccountId, BotId, Epoch, InstrumentId, Seq, TradeId, UserId},
    record::Snapshot,
    time::Timestamp,
};

use crate::{
    commit::first_snapshots,
    error::StoreError,
    leases::{bind_all, now_sql},
    sql::{Cells, Statement, in_lists, padded, places},
    store::Store,
    vault::CredentialId,
};

/// A person who owns accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub user: UserId,
    /// Unique.
    pub name: String,
    pub created_at: Timestamp,
}

/// An account as it was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub account: AccountId,
    /// `None` for an account of the installation itself.
    pub user: Option<UserId>,
    /// The venue's name in settings, such as `binance`.
    pub venue: String,
    pub name: String,
    /// Whether it trades on the simulated exchange.
    pub is_paper: bool,
    /// The sealed key; `None` on paper.
    pub credential: Option<CredentialId>,
    pub created_at: Timestamp,
}

/// An account as the store holds it, under its new owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub epoch: Epoch,
    pub seq: Seq,
    pub snapshot: Snapshot,
}

const ACCOUNT: &str =
    "SELECT account, user_id, venue, name, paper, credential, created_at FROM accounts";

impl Store {
    /// Adds a person; the same name and number again change nothing.
    pub async fn add_user(&self, user: &User) -> Result<(), StoreError> {
        let added = Statement::new(
            "INSERT INTO users (user_id, name, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        );
        let added = added.bind(user.user).bind(user.name.as_str()).bind(user.created_at);
        if self.write.run(added).await? == 1 {
            return Ok(());
        }
        let same = Statement::new("SELECT user_id FROM users WHERE user_id = $1 AND name = $2");
        let same = same.bind(user.user).bind(user.name.as_str());
        match self.write.row("users", same).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Taken(format!("a user {} or `{}`", user.user, user.name))),
        }
    }

    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let all = Statement::new("SELECT user_id, name, created_at FROM users ORDER BY user_id");
        let rows = self.read.rows("users", all).await?;
        rows.into_iter()
            .map(|mut row| {
                let (user, name) = (UserId::new(row.id()?), row.text()?);
                Ok(User { user, name, created_at: row.time()? })
            })
            .collect()
    }

    /// Adds an account that starts from `snapshot`. One with this number that is there stays as it is,
    /// and the answer is false.
    pub async fn add_account(
        &self,
        account: &Account,
        snapshot: &Snapshot,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write.begin().await?;
        let added = Statement::new(
            "INSERT INTO accounts (account, user_id, venue, name, paper, credential, created_at, \
             epoch, seq, journal_from) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 1) \
             ON CONFLICT (account) DO NOTHING",
        );
        let added = added
            .bind(account.account)
            .bind(account.user.map(|user| i64::from(user.get())))
            .bind(account.venue.as_str())
            .bind(account.name.as_str())
            .bind(account.is_paper)
            .bind(account.credential.map(|credential| i64::from(credential.get())))
            .bind(account.created_at);
        if tx.run(added).await? == 0 {
            return Ok(false);
        }
        // Nothing of an account that begins now was lost with a backup.
        let free = Statement::new(
            "INSERT INTO released (account) SELECT account FROM accounts WHERE account = $1 \
             AND EXISTS (SELECT 1 FROM installation WHERE quarantined_at IS NOT NULL)",
        );
        tx.run(free.bind(account.account)).await?;
        first_snapshots(account.account, snapshot, self.versions).run(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let all = Statement::composed(format!("{ACCOUNT} ORDER BY account"));
        self.read.rows("accounts", all).await?.into_iter().map(read_account).collect()
    }

    pub async fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError> {
        let one = Statement::composed(format!("{ACCOUNT} WHERE account = $1")).bind(account);
        self.read.row("accounts", one).await?.map(read_account).transpose()
    }

    /// Where an account stands, without taking it over.
    pub async fn standing(&self, account: AccountId) -> Result<Option<(Epoch, Seq)>, StoreError> {
        let one =
            Statement::new("SELECT epoch, seq FROM accounts WHERE account = $1").bind(account);
        let row = self.read.row("accounts", one).await?;
        row.map(|mut row| Ok((Epoch::new(row.id()?), row.seq()?))).transpose()
    }

    /// Takes an account over: raises its epoch, so that commits of a former owner lose, and tells the
    /// state that the last commit left. While another process has its lease, the answer is
    /// [`StoreError::Stale`].
    pub async fn load(&self, account: AccountId) -> Result<Loaded, StoreError> {
        let loaded = self.load_all(&[account]).await?;
        match loaded.into_iter().next() {
            Some((_, loaded)) => Ok(loaded),
            None => match self.standing(account).await? {
                Some(_) => Err(StoreError::Stale),
                None => Err(StoreError::NoAccount(account)),
            },
        }
    }

    /// The same for many accounts, in few transactions: for a start. Absent in the answer is what does
    /// not exist, and what another process has a lease of.
    pub async fn load_all(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, Loaded)>, StoreError> {
        let mut sorted = accounts.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut loaded = Vec::with_capacity(sorted.len());
        for list in in_lists(&sorted) {
            loaded.extend(self.load_list(&padded(list)).await?);
        }
        Ok(loaded)
    }

    async fn load_list(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, Loaded)>, StoreError> {
        let mut tx = self.write.begin().await?;
        let now = now_sql(tx.is_postgres());
        let text = format!(
            "UPDATE accounts SET epoch = epoch + 1 WHERE account IN {places} AND NOT EXISTS \
             (SELECT 1 FROM leases WHERE leases.account = accounts.account \
             AND owner <> ${owner} AND {now} < expires_at) RETURNING account, epoch, seq",
            places = places(1, accounts.len()),
            owner = accounts.len().saturating_add(1),
        );
        let raise = bind_all(Statement::composed(text), accounts).bind(self.owner.as_str());
        let mut loaded = BTreeMap::new();
        for mut row in tx.rows("accounts", raise).await? {
            let account = AccountId::new(row.id()?);
            let (epoch, seq) = (Epoch::new(row.id()?), row.seq()?);
            loaded.insert(account, Loaded { epoch, seq, snapshot: Snapshot::default() });
        }
        let text = format!(
            "SELECT account, bot, body FROM snapshots WHERE account IN {} ORDER BY account, bot",
            places(1, accounts.len())
        );
        let all = bind_all(Statement::composed(text), accounts);
        for mut row in tx.rows("snapshots", all).await? {
            let account = AccountId::new(row.id()?);
            if let Some(loaded) = loaded.get_mut(&account) {
                read_body(&mut loaded.snapshot, row)?;
            }
        }
        tx.commit().await?;
        Ok(loaded.into_iter().collect())
    }

    /// The state that the last commit left, for whoever only looks.
    pub async fn snapshot(&self, account: AccountId) -> Result<Snapshot, StoreError> {
        let all = "SELECT bot, body FROM snapshots WHERE account = $1 ORDER BY bot";
        let all = Statement::new(all).bind(account);
        let mut snapshot = Snapshot::default();
        for row in self.read.rows("snapshots", all).await? {
            read_body(&mut snapshot, row)?;
        }
        Ok(snapshot)
    }

    /// Which of an instrument's fills were booked.
    pub async fn fills_known(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        trades: &[TradeId],
    ) -> Result<BTreeSet<TradeId>, StoreError> {
        let mut known = BTreeSet::new();
        for list in in_lists(trades) {
            let list = padded(list);
            let text = format!(
                "SELECT trade_id FROM fills WHERE trade_id IN {places} \
                 AND account = ${account} AND instrument = ${instrument}",
                places = places(1, list.len()),
                account = list.len().saturating_add(1),
                instrument = list.len().saturating_add(2),
            );
            let some = Statement::composed(text);
            let some = list.iter().fold(some, |some, trade| some.bind(*trade));
            for mut row in self.read.rows("fills", some.bind(account).bind(instrument)).await? {
                known.insert(TradeId::new(row.wide()?));
            }
        }
        Ok(known)
    }
}

fn read_body(snapshot: &mut Snapshot, mut row: Cells) -> Result<(), StoreError> {
    let (bot, body) = (BotId::new(row.id()?), row.bytes()?);
    if bot == BotId::default() {
        snapshot.account = body;
    } else {
        snapshot.bots.push((bot, body));
    }
    Ok(())
}

fn read_account(mut row: Cells) -> Result<Account, StoreError> {
    Ok(Account {
        account: AccountId::new(row.id()?),
        user: row.id_or_null()?.map(UserId::new),
        venue: row.text()?,
        name: row.text()?,
        is_paper: row.flag()?,
        credential: row.id_or_null()?.map(CredentialId::new),
        created_at: row.time()?,
    })
}
