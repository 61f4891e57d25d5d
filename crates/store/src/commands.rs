//! What users want, written before it is done: taken in order, answered once, idempotent by id.

use tranche_model::{
    ids::{AccountId, CommandId},
    record::VerdictRow,
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::{Cells, Statement},
    store::Store,
};

/// What somebody wants done with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub command: CommandId,
    pub account: AccountId,
    /// Who asked, for the record.
    pub issued_by: String,
    /// Opaque here.
    pub body: Vec<u8>,
    pub at: Timestamp,
}

/// A command with its place in the order of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedCommand {
    pub place: u64,
    pub command: Command,
}

const COMMAND: &str = "SELECT place, command, account, issued_by, body, at FROM commands";

impl Store {
    /// Writes a command. The same one again changes nothing and is fine; another one under the same id
    /// is [`StoreError::Taken`].
    pub async fn submit(&self, command: &Command) -> Result<(), StoreError> {
        let added = Statement::new(
            "INSERT INTO commands (command, account, issued_by, body, at) \
             SELECT $1, account, $3, $4, $5 FROM accounts WHERE account = $2 \
             ON CONFLICT (command) DO NOTHING",
        );
        let added = added
            .bind(command.command)
            .bind(command.account)
            .bind(command.issued_by.as_str())
            .bind(command.body.as_slice())
            .bind(command.at);
        if self.write.run(added).await? == 1 {
            return Ok(());
        }
        match self.command(command.command).await? {
            Some(known) if is_same(&known.command, command) => Ok(()),
            Some(_) => Err(StoreError::Taken(format!("a command {}", command.command))),
            None => Err(StoreError::NoAccount(command.account)),
        }
    }

    pub async fn command(&self, command: CommandId) -> Result<Option<QueuedCommand>, StoreError> {
        let one = Statement::composed(format!("{COMMAND} WHERE command = $1")).bind(command);
        self.read.row("commands", one).await?.map(read_command).transpose()
    }

    /// The commands of these accounts that have no verdict, in order. Ask again and again: a command may
    /// become visible after one with a later place.
    pub async fn open_commands(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<QueuedCommand>, StoreError> {
        let all = format!("{COMMAND} WHERE answered = 0 ORDER BY account, place");
        let rows = self.read.rows("commands", Statement::composed(all)).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in rows {
            let queued = read_command(row)?;
            if accounts.contains(&queued.command.account) {
                open.push(queued);
            }
        }
        Ok(open)
    }

    /// What became of a command; `None` while nobody knows. Also when the answer to the commit that
    /// held it was lost, this tells.
    pub async fn verdict(
        &self,
        account: AccountId,
        command: CommandId,
    ) -> Result<Option<VerdictRow>, StoreError> {
        let one = Statement::new(
            "SELECT accepted, reason FROM verdicts WHERE account = $1 AND command = $2",
        );
        let row = self.read.row("verdicts", one.bind(account).bind(command)).await?;
        row.map(|mut row| {
            let (is_accepted, reason) = (row.flag()?, row.text()?);
            let verdict = if is_accepted { Ok(()) } else { Err(reason) };
            Ok(VerdictRow { command, verdict })
        })
        .transpose()
    }
}

/// Asked for again: who asks and when does not count.
fn is_same(known: &Command, asked: &Command) -> bool {
    (known.account, &known.body) == (asked.account, &asked.body)
}

fn read_command(mut row: Cells) -> Result<QueuedCommand, StoreError> {
    let place = row.id()?;
    let command = Command {
        command: CommandId::new(row.wide()?),
        account: AccountId::new(row.id()?),
        issued_by: row.text()?,
        body: row.bytes()?,
        at: row.time()?,
    };
    Ok(QueuedCommand { place, command })
}
