//! Bots.

use std::process::ExitCode;

use anyhow::Result;
use tranche_model::ids::BotId;
use tranche_trading::event::{CommandBody, Scope};

use super::{Answer, account, answer, bot_of, confirmed, order, report, show, submit_bot};
use crate::{
    bot_file::BotFile,
    cli::{BotNamed, BotWhat},
    ground::Ground,
};

pub(super) async fn run(what: &BotWhat) -> Result<ExitCode> {
    match what {
        BotWhat::Create { file, account: name, send } => {
            // What is wrong with the file is said before anything is asked of the database.
            let file = BotFile::read(file)?;
            let ground = Ground::for_client(&send.store).await?;
            let account = account(&ground, name).await?;
            if !account.is_paper {
                confirmed(send, "bot trades with real money")?;
            }
            let (bot, command) = submit_bot(&ground, account.account, &file).await?;
            let answer = answer(&ground, (account.account, command), send).await?;
            if matches!(answer, Answer::Refused(_)) {
                ground.store.end_bot(bot, ground.now()).await?;
            }
            let done = format!("bot {bot} `{}` runs on {name}", file.config.name());
            report(&answer, command, send, (&done, Some(bot)))
        }
        BotWhat::List { look } => {
            let ground = Ground::for_client(&look.store).await?;
            show::bots(&ground, look.json).await
        }
        BotWhat::Show { bot, story, look } => {
            let ground = Ground::for_client(&look.store).await?;
            let row = bot_of(&ground, *bot).await?;
            show::bot(&ground, &row, (*story, look.json)).await
        }
        BotWhat::Pause(named) => {
            let body = |bot| CommandBody::PauseEntries { scope: Scope::Bot(bot) };
            plain(named, body, "paused: entries are taken back, exits stay").await
        }
        BotWhat::Resume(named) => {
            plain(named, |bot| CommandBody::Resume { scope: Scope::Bot(bot) }, "resumed").await
        }
        BotWhat::Start(named) => plain(named, |bot| CommandBody::StartBot { bot }, "started").await,
        BotWhat::Stop(named) => {
            let done = "stopped: no new deals; open ones run to their end";
            plain(named, |bot| CommandBody::StopBot { bot }, done).await
        }
        BotWhat::Edit { bot, file, open_deals, send } => {
            let file = BotFile::read(file)?;
            let ground = Ground::for_client(&send.store).await?;
            let row = bot_of(&ground, *bot).await?;
            if *open_deals {
                confirmed(send, "moves the orders of open deals")?;
            }
            let bot = BotId::new(*bot);
            let config = Box::new(file.config.clone());
            let body = CommandBody::EditBot { bot, config, open_deals: *open_deals };
            let command = super::submit(&ground, row.account, &body).await?;
            let answer = answer(&ground, (row.account, command), send).await?;
            if matches!(answer, Answer::Accepted) {
                ground.store.add_config(bot, file.text(), ground.now()).await?;
            }
            report(&answer, command, send, ("edited", Some(bot)))
        }
        BotWhat::Delete(named) => delete(named).await,
    }
}

async fn plain(
    named: &BotNamed,
    body: impl FnOnce(BotId) -> CommandBody,
    done: &str,
) -> Result<ExitCode> {
    let ground = Ground::for_client(&named.send.store).await?;
    let row = bot_of(&ground, named.bot).await?;
    order(&ground, row.account, &body(row.bot), (&named.send, done)).await
}

async fn delete(named: &BotNamed) -> Result<ExitCode> {
    confirmed(&named.send, "takes the bot away for good")?;
    let ground = Ground::for_client(&named.send.store).await?;
    let row = bot_of(&ground, named.bot).await?;
    let body = CommandBody::DeleteBot { bot: row.bot };
    let command = super::submit(&ground, row.account, &body).await?;
    let answer = answer(&ground, (row.account, command), &named.send).await?;
    if matches!(answer, Answer::Accepted) {
        ground.store.end_bot(row.bot, ground.now()).await?;
    }
    report(&answer, command, &named.send, ("deleted", Some(row.bot)))
}
