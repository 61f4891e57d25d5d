//! Deals.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use tranche_model::{asset::Symbol, ids::DealNo};
use tranche_trading::event::CommandBody;

use super::{bot_of, confirmed, order, show};
use crate::{
    cli::{DealNamed, DealWhat},
    ground::Ground,
};

pub(super) async fn run(what: &DealWhat) -> Result<ExitCode> {
    match what {
        DealWhat::List { bot, look } => {
            let ground = Ground::for_client(&look.store).await?;
            show::deals(&ground, *bot, look.json).await
        }
        DealWhat::Start { bot, pair, send } => {
            let symbol = Symbol::parse(pair).with_context(|| format!("pair: {pair}"))?;
            let ground = Ground::for_client(&send.store).await?;
            let row = bot_of(&ground, *bot).await?;
            confirmed(send, "buys")?;
            let account = ground.store.account(row.account).await?;
            let venue = account.map(|account| account.venue).unwrap_or_default();
            let pairs = ground.store.instruments(&venue).await?;
            let Some(known) = pairs.find(symbol) else {
                bail!("{venue} does not list {symbol}");
            };
            let body = CommandBody::StartDeal { bot: row.bot, instrument: known.id };
            order(&ground, row.account, &body, (send, "a deal opens at the next price")).await
        }
        DealWhat::Cancel(named) => {
            confirmed(&named.send, "ends the deal and leaves its coins to you")?;
            let deal = DealNo::new(named.deal);
            let body = |bot| CommandBody::CancelDeal { bot, deal };
            end(named, body, "cancelled: the coins are yours").await
        }
        DealWhat::Close(named) => {
            confirmed(&named.send, "sells at market")?;
            let deal = DealNo::new(named.deal);
            let body = |bot| CommandBody::CloseDeal { bot, deal };
            end(named, body, "closed: it sells at market").await
        }
    }
}

async fn end(
    named: &DealNamed,
    body: impl FnOnce(tranche_model::ids::BotId) -> CommandBody,
    done: &str,
) -> Result<ExitCode> {
    let ground = Ground::for_client(&named.send.store).await?;
    let row = bot_of(&ground, named.bot).await?;
    order(&ground, row.account, &body(row.bot), (&named.send, done)).await
}
