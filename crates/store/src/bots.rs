//! Bots as they were set up, with each version of their settings.

use tranche_model::{
    ids::{AccountId, BotId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::{Cells, Statement},
    store::Store,
};

/// A bot as it was set up. What it does is in the snapshot of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRow {
    pub bot: BotId,
    pub account: AccountId,
    pub name: String,
    pub created_at: Timestamp,
    /// When it was taken away; its history stays.
    pub ended_at: Option<Timestamp>,
    /// The last version of its settings, from 1, and its text.
    pub version: u32,
    pub config: String,
}

const BOT: &str = "SELECT bots.bot, account, name, bots.created_at, ended_at, version, body \
    FROM bots JOIN bot_configs ON bot_configs.bot = bots.bot \
    WHERE version = (SELECT MAX(version) FROM bot_configs WHERE bot_configs.bot = bots.bot)";

impl Store {
    /// Adds a bot with the first version of its settings under the next free number, which is unique in
    /// the installation and never given again.
    pub async fn add_bot(
        &self,
        account: AccountId,
        name: &str,
        config: &str,
        now: Timestamp,
    ) -> Result<BotId, StoreError> {
        let mut tx = self.write.begin().await?;
        // Two that ask at once wait for each other on the account's row, or one of them fails.
        if tx.is_postgres() {
            tx.run(Statement::new("LOCK TABLE bots IN SHARE ROW EXCLUSIVE MODE")).await?;
        }
        let added = Statement::new(
            "INSERT INTO bots (bot, account, name, created_at) \
             SELECT (SELECT COALESCE(MAX(bot), 0) + 1 FROM bots), account, $2, $3 \
             FROM accounts WHERE account = $1 RETURNING bot",
        );
        let row = tx.row("bots", added.bind(account).bind(name).bind(now)).await?;
        let mut row = row.ok_or(StoreError::NoAccount(account))?;
        let bot = BotId::new(row.id()?);
        let first = Statement::new(
            "INSERT INTO bot_configs (bot, version, body, created_at) VALUES ($1, 1, $2, $3)",
        );
        tx.run(first.bind(bot).bind(config).bind(now)).await?;
        tx.commit().await?;
        Ok(bot)
    }

    /// Adds the next version of a bot's settings; the answer is its number.
    pub async fn add_config(
        &self,
        bot: BotId,
        config: &str,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let added = Statement::new(
            "INSERT INTO bot_configs (bot, version, body, created_at) \
             SELECT bot, MAX(version) + 1, $2, $3 FROM bot_configs WHERE bot = $1 GROUP BY bot \
             RETURNING version",
        );
        let row = self.write.row("bot_configs", added.bind(bot).bind(config).bind(now)).await?;
        row.ok_or(StoreError::NoBot(bot))?.id()
    }

    /// Each version of a bot's settings with its number and time, the first one first.
    pub async fn configs(&self, bot: BotId) -> Result<Vec<(u32, Timestamp, String)>, StoreError> {
        let all = Statement::new(
            "SELECT version, created_at, body FROM bot_configs WHERE bot = $1 ORDER BY version",
        );
        let rows = self.read.rows("bot_configs", all.bind(bot)).await?;
        rows.into_iter().map(|mut row| Ok((row.id()?, row.time()?, row.text()?))).collect()
    }

    /// Marks a bot as taken away; everything about it stays.
    pub async fn end_bot(&self, bot: BotId, now: Timestamp) -> Result<(), StoreError> {
        let end =
            Statement::new("UPDATE bots SET ended_at = COALESCE(ended_at, $2) WHERE bot = $1");
        match self.write.run(end.bind(bot).bind(now)).await? {
            0 => Err(StoreError::NoBot(bot)),
            _ => Ok(()),
        }
    }

    pub async fn bot(&self, bot: BotId) -> Result<Option<BotRow>, StoreError> {
        let one = Statement::composed(format!("{BOT} AND bots.bot = $1")).bind(bot);
        self.read.row("bots", one).await?.map(read_bot).transpose()
    }

    /// All bots, also those that were taken away.
    pub async fn bots(&self) -> Result<Vec<BotRow>, StoreError> {
        let all = Statement::composed(format!("{BOT} ORDER BY bots.bot"));
        self.read.rows("bots", all).await?.into_iter().map(read_bot).collect()
    }
}

fn read_bot(mut row: Cells) -> Result<BotRow, StoreError> {
    Ok(BotRow {
        bot: BotId::new(row.id()?),
        account: AccountId::new(row.id()?),
        name: row.text()?,
        created_at: row.time()?,
        ended_at: row.time_or_null()?,
        version: row.id()?,
        config: row.text()?,
    })
}
