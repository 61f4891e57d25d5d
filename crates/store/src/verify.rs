//! Looking a database through: is each row whole, and do the rows agree with each other?

use std::fmt;

use tranche_model::{
    ids::{AccountId, BotId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::{Pool, Statement},
    store::Store,
    vault::{MasterKeys, VaultError},
};

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub table: &'static str,
    pub what: String,
}

/// Checks that one statement makes: the name of the table, what is wrong with a row that it finds, and
/// the statement, whose first column names the row.
type Check = (&'static str, &'static str, &'static str);

const CHECKS: [Check; 10] = [
    (
        "journal",
        "its journal has a gap: account",
        "SELECT CAST(account AS TEXT) FROM accounts WHERE (SELECT COUNT(*) FROM journal \
         WHERE journal.account = accounts.account AND journal_from <= journal.seq \
         AND journal.seq <= accounts.seq) <> accounts.seq - journal_from + 1",
    ),
    (
        "journal",
        "its journal goes beyond where it stands: account",
        "SELECT DISTINCT CAST(accounts.account AS TEXT) FROM accounts JOIN journal \
         ON journal.account = accounts.account WHERE accounts.seq < journal.seq",
    ),
    (
        "journal",
        "a row is of a later epoch than its account: account",
        "SELECT DISTINCT CAST(accounts.account AS TEXT) FROM accounts JOIN journal \
         ON journal.account = accounts.account WHERE accounts.epoch < journal.epoch",
    ),
    (
        "snapshots",
        "it has no state: account",
        "SELECT CAST(account AS TEXT) FROM accounts WHERE NOT EXISTS (SELECT 1 FROM snapshots \
         WHERE snapshots.account = accounts.account AND bot = 0)",
    ),
    (
        "snapshots",
        "a state is later than where its account stands: account",
        "SELECT DISTINCT CAST(accounts.account AS TEXT) FROM accounts JOIN snapshots \
         ON snapshots.account = accounts.account WHERE accounts.seq < snapshots.seq",
    ),
    (
        "accounts",
        "it is not there, and rows of it are: account",
        "SELECT CAST(account AS TEXT) || ' in ' || place FROM (SELECT account, 'journal' AS place \
         FROM journal UNION SELECT account, 'snapshots' FROM snapshots UNION SELECT account, 'intents' \
         FROM intents) AS owned WHERE account NOT IN (SELECT account FROM accounts)",
    ),
    (
        "fills",
        "a fill has no account, or is later than where it stands: trade",
        "SELECT trade_id FROM fills LEFT JOIN accounts ON accounts.account = fills.account \
         WHERE accounts.account IS NULL OR accounts.seq < fills.seq",
    ),
    (
        "commands",
        "it is marked as answered and has no verdict: command",
        "SELECT command FROM commands WHERE answered = 1 AND NOT EXISTS (SELECT 1 FROM verdicts \
         WHERE verdicts.command = commands.command AND verdicts.account = commands.account)",
    ),
    (
        "commands",
        "it has a verdict and is marked as open: command",
        "SELECT commands.command FROM commands JOIN verdicts \
         ON verdicts.command = commands.command AND verdicts.account = commands.account \
         WHERE answered = 0",
    ),
    (
        "bot_configs",
        "it has no settings: bot",
        "SELECT CAST(bot AS TEXT) FROM bots WHERE NOT EXISTS (SELECT 1 FROM bot_configs \
         WHERE bot_configs.bot = bots.bot)",
    ),
];

/// What is so of a SQLite file only: each noted row is where it is said to be, and each is noted.
const PLACES: [Check; 4] = [
    (
        "journal",
        "a row is there twice, or cannot be found: row",
        "SELECT CAST(row AS TEXT) FROM journal_rows WHERE row <= (SELECT journal FROM indexed) \
         AND NOT EXISTS (SELECT 1 FROM journal_index WHERE journal_index.account = journal_rows.account \
         AND journal_index.seq = journal_rows.seq AND journal_index.row = journal_rows.row)",
    ),
    (
        "journal",
        "a row is not where it is said to be: row",
        "SELECT CAST(row AS TEXT) FROM journal_index WHERE NOT EXISTS (SELECT 1 FROM journal_rows \
         WHERE journal_rows.row = journal_index.row AND journal_rows.seq = journal_index.seq \
         AND journal_rows.account = journal_index.account)",
    ),
    (
        "intents",
        "a row is there twice, or cannot be found: row",
        "SELECT CAST(row AS TEXT) FROM intents_rows WHERE row <= (SELECT intents FROM indexed) \
         AND NOT EXISTS (SELECT 1 FROM intents_index WHERE intents_index.account = intents_rows.account \
         AND intents_index.seq = intents_rows.seq AND intents_index.place = intents_rows.place \
         AND intents_index.row = intents_rows.row)",
    ),
    (
        "intents",
        "a row is not where it is said to be: row",
        "SELECT CAST(row AS TEXT) FROM intents_index WHERE NOT EXISTS (SELECT 1 FROM intents_rows \
         WHERE intents_rows.row = intents_index.row AND intents_rows.seq = intents_index.seq \
         AND intents_rows.place = intents_index.place \
         AND intents_rows.account = intents_index.account)",
    ),
];

impl Store {
    /// Looks everything through; the answer is what is wrong. Rows may be written meanwhile.
    pub async fn verify(&self) -> Result<Vec<Trouble>, StoreError> {
        let mut troubles = self.verify_file().await?;
        troubles.extend(self.verify_by(&CHECKS).await?);
        for account in self.accounts().await? {
            troubles.extend(self.verify_rows(account.account).await?);
        }
        troubles.extend(self.verify_versions().await?);
        Ok(troubles)
    }

    /// Opens each sealed key with these master keys, and forgets it.
    pub async fn verify_vault(&self, keys: &MasterKeys) -> Result<Vec<Trouble>, StoreError> {
        let mut troubles = Vec::new();
        for credential in self.credentials().await? {
            match self.open_credential(keys, credential.credential).await {
                Ok(opened) => drop(opened),
                Err(VaultError::Store(error)) => return Err(error),
                Err(error) => {
                    troubles.push(Trouble { table: "credentials", what: error.to_string() });
                }
            }
        }
        Ok(troubles)
    }

    /// Shows each state to somebody who can read it: the account's own (`None`) and its bots'.
    pub async fn verify_states(
        &self,
        read: impl Fn(Option<BotId>, &[u8]) -> Result<(), String> + Send,
    ) -> Result<Vec<Trouble>, StoreError> {
        let mut troubles = Vec::new();
        for account in self.accounts().await? {
            let snapshot = self.snapshot(account.account).await?;
            let bots = snapshot.bots.iter().map(|(bot, body)| (Some(*bot), body));
            for (bot, body) in [(None, &snapshot.account)].into_iter().chain(bots) {
                // An account that nothing happened to has no state yet.
                if bot.is_none() && body.is_empty() {
                    continue;
                }
                if let Err(error) = read(bot, body) {
                    let whose = bot.map_or_else(String::new, |bot| format!(", bot {bot}"));
                    let what = format!("account {}{whose}: {error}", account.account);
                    troubles.push(Trouble { table: "snapshots", what });
                }
            }
        }
        Ok(troubles)
    }

    async fn verify_by(&self, checks: &[Check]) -> Result<Vec<Trouble>, StoreError> {
        let mut troubles = Vec::new();
        for (table, what, statement) in checks {
            for mut row in self.read.rows(table, Statement::new(statement)).await? {
                troubles.push(Trouble { table, what: format!("{what} {}", row.text()?) });
            }
        }
        Ok(troubles)
    }

    async fn verify_file(&self) -> Result<Vec<Trouble>, StoreError> {
        let Pool::Sqlite(_) = &self.read else { return Ok(Vec::new()) };
        let mut troubles = Vec::new();
        let integrity = Statement::new("PRAGMA integrity_check(20)");
        for mut row in self.read.rows("file", integrity).await? {
            let what = row.text()?;
            if what != "ok" {
                troubles.push(Trouble { table: "file", what });
            }
        }
        let foreign = Statement::new("PRAGMA foreign_key_check");
        for mut row in self.read.rows("file", foreign).await? {
            let what = format!("a row of {} refers to nothing", row.text()?);
            troubles.push(Trouble { table: "file", what });
        }
        troubles.extend(self.verify_by(&PLACES).await?);
        Ok(troubles)
    }

    /// Reads what the rows of an account say.
    async fn verify_rows(&self, account: AccountId) -> Result<Vec<Trouble>, StoreError> {
        let outcomes = [
            self.fills(account).await.map(drop),
            self.deals(account).await.map(drop),
            self.intents(account, Timestamp::MIN).await.map(drop),
            self.balances(account).await.map(drop),
        ];
        let mut troubles = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(()) => {}
                Err(StoreError::Corrupt { table, what }) => {
                    troubles.push(Trouble { table, what: format!("account {account}: {what}") });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(troubles)
    }

    async fn verify_versions(&self) -> Result<Vec<Trouble>, StoreError> {
        let newer = Statement::new(
            "SELECT account, schema_version FROM snapshots WHERE $1 < schema_version \
             ORDER BY account LIMIT 20",
        );
        let mut troubles = Vec::new();
        for mut row in self.read.rows("snapshots", newer.bind(self.versions.schema)).await? {
            let (account, schema) = (row.int()?, row.int()?);
            let what =
                format!("account {account} was written by a newer version (schema {schema})");
            troubles.push(Trouble { table: "snapshots", what });
        }
        Ok(troubles)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}
