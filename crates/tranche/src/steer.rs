//! `tranche account`, `bot` and `deal`: from another process than the one that trades. What is wanted is
//! written into the database, carried out by `tranche serve`, and answered with a verdict.

mod account;
mod bot;
mod deal;
mod show;
mod story;
mod told;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tranche_model::{
    ids::{AccountId, BotId, CommandId},
    time::Timestamp,
};
use tranche_store::{Account, BotRow, Command};
use tranche_trading::{codec, event::CommandBody};

pub(crate) use account::{add_account, paper_account};
pub(crate) use show::print;

use crate::{
    bot_file::BotFile,
    cli::{AccountTask, BotTask, DealTask, SendOptions},
    console,
    ground::Ground,
    runtime,
    settings::{self, Settings},
};

/// How often it is looked whether there is a verdict.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Nobody has answered in time.
const NO_ANSWER: u8 = 3;

pub(crate) fn account_task(task: &AccountTask, settings: &Settings) -> Result<ExitCode> {
    runtime::run(account::run(&task.what, settings))
}

pub(crate) fn bot_task(task: &BotTask) -> Result<ExitCode> {
    runtime::run(bot::run(&task.what))
}

pub(crate) fn deal_task(task: &DealTask) -> Result<ExitCode> {
    runtime::run(deal::run(&task.what))
}

/// The account of this name.
pub(crate) async fn account(ground: &Ground, name: &str) -> Result<Account> {
    let all = ground.store.accounts().await?;
    let names: Vec<String> = all.iter().map(|account| account.name.clone()).collect();
    all.into_iter()
        .find(|account| account.name == name)
        .ok_or_else(|| anyhow!("there is no account `{name}`; known are: {}", names.join(", ")))
}

/// The bot of this number, unless it was taken away.
async fn bot_of(ground: &Ground, number: u32) -> Result<BotRow> {
    let bot = ground.store.bot(BotId::new(number)).await?;
    let bot = bot.with_context(|| format!("there is no bot {number}; see `tranche bot list`"))?;
    if let Some(ended) = bot.ended_at {
        bail!("bot {number} was deleted at {ended}");
    }
    Ok(bot)
}

/// Makes a bot: its number, and the command that the engine makes it by.
pub(crate) async fn submit_bot(
    ground: &Ground,
    account: AccountId,
    file: &BotFile,
) -> Result<(BotId, CommandId)> {
    let name = file.config.name();
    let bot = ground.store.add_bot(account, name, file.text(), ground.now()).await?;
    let config = Box::new(file.config.clone());
    let command = submit(ground, account, &CommandBody::CreateBot { bot, config }).await?;
    Ok((bot, command))
}

/// Writes a command down. From here on it will be carried out, now or later.
async fn submit(ground: &Ground, account: AccountId, body: &CommandBody) -> Result<CommandId> {
    let command = ground.command_id();
    let at: Timestamp = ground.now();
    let row = Command {
        command,
        account,
        issued_by: "command line".to_owned(),
        body: codec::encode(body)?,
        at,
    };
    ground.store.submit(&row).await?;
    Ok(command)
}

/// What became of a command.
enum Answer {
    Accepted,
    Refused(String),
    /// It stays written and is carried out later.
    None,
}

async fn answer(
    ground: &Ground,
    (account, command): (AccountId, CommandId),
    send: &SendOptions,
) -> Result<Answer> {
    let wait = settings::duration(&send.wait)?;
    let until = Instant::now() + wait;
    loop {
        if let Some(row) = ground.store.verdict(account, command).await? {
            return Ok(match row.verdict {
                Ok(()) => Answer::Accepted,
                Err(reason) => Answer::Refused(reason),
            });
        }
        if until <= Instant::now() {
            return Ok(Answer::None);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Writes a command, waits for its verdict and tells it. `done` is what is said then.
async fn order(
    ground: &Ground,
    account: AccountId,
    body: &CommandBody,
    (send, done): (&SendOptions, &str),
) -> Result<ExitCode> {
    let command = submit(ground, account, body).await?;
    let answer = answer(ground, (account, command), send).await?;
    report(&answer, command, send, (done, None))
}

fn report(
    answer: &Answer,
    command: CommandId,
    send: &SendOptions,
    (done, bot): (&str, Option<BotId>),
) -> Result<ExitCode> {
    let (verdict, reason, code) = match answer {
        Answer::Accepted => ("accepted", None, ExitCode::SUCCESS),
        Answer::Refused(reason) => ("refused", Some(reason.as_str()), ExitCode::FAILURE),
        Answer::None => ("none", None, ExitCode::from(NO_ANSWER)),
    };
    if send.json {
        let bot = bot.map(BotId::get);
        let line = json!({
            "command": command.to_string(), "verdict": verdict, "reason": reason, "bot": bot,
        });
        console::say(&line.to_string())?;
        return Ok(code);
    }
    match answer {
        Answer::Accepted => console::say(done)?,
        Answer::Refused(reason) => console::complain(&format!("refused: {reason}")),
        Answer::None => console::complain(&format!(
            "no answer within {}; command {command} is written and will be carried out when \
             `tranche serve` runs and the account is ready",
            send.wait
        )),
    }
    Ok(code)
}

/// What costs money, or cannot be undone, has to be said twice.
fn confirmed(send: &SendOptions, what: &str) -> Result<()> {
    if send.yes {
        return Ok(());
    }
    bail!("this {what}; add --yes if that is meant")
}
