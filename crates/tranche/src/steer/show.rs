//! Accounts, bots and deals as the last commit left them.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use comfy_table::{Table, TableStyle};
use serde_json::{Value, json};
use tranche_model::{
    asset::Symbol,
    ids::{AccountId, BotId, InstrumentId},
};
use tranche_store::{Account, BotRow, Credential};
use tranche_trading::{
    account::Desk,
    bot::{Bot, BotStatus, Lane},
    codec,
    event::CommandBody,
    why::WhyRecord,
};

use super::{
    story::{self, Story},
    told::Told,
};
use crate::{console, ground::Ground, serve::fee_words};

/// A bot that a command will make.
const NOT_YET: &str = "not made yet";
/// One that none will make.
const NOT_THERE: &str = "not there: refused when it was to be made, or deleted since";

/// What is said of a key that the exchange calls able to withdraw.
const KEY_REFUSED: &str = "may withdraw, no deal begins";

/// An account's state, read out of its snapshot.
struct State {
    /// `None` before the first commit.
    desk: Option<Desk>,
    bots: BTreeMap<BotId, Bot>,
    pairs: BTreeMap<InstrumentId, Symbol>,
}

impl State {
    async fn read(ground: &Ground, account: &Account) -> Result<Self> {
        let snapshot = ground.store.snapshot(account.account).await?;
        let has_desk = !snapshot.account.is_empty();
        let desk = has_desk.then(|| codec::decode_desk(&snapshot.account)).transpose()?;
        let bots = snapshot.bots.iter().map(|(id, body)| Ok((*id, codec::decode_bot(body)?)));
        let bots = bots.collect::<Result<_>>()?;
        let pairs = ground.store.instruments(&account.venue).await?;
        let pairs = pairs.iter().map(|one| (one.id, one.symbol)).collect();
        Ok(Self { desk, bots, pairs })
    }

    fn pair(&self, instrument: InstrumentId) -> String {
        self.pairs.get(&instrument).map_or_else(|| instrument.to_string(), Symbol::to_string)
    }
}

pub(super) async fn accounts(ground: &Ground, is_json: bool) -> Result<ExitCode> {
    let mut rows = Vec::new();
    let keys = ground.store.credentials().await?;
    for account in ground.store.accounts().await? {
        let state = State::read(ground, &account).await?;
        rows.push(json!({
            "account": account.account.get(), "name": account.name, "venue": account.venue,
            "paper": account.is_paper, "bots": state.bots.len(),
            "key": may_withdraw(&keys, &account).then_some(KEY_REFUSED),
            "stopped_by": state.desk.as_ref().and_then(stopped_by),
        }));
    }
    print(&rows, is_json, &["account", "name", "venue", "paper", "bots", "stopped_by", "key"])
}

pub(super) async fn account(
    ground: &Ground,
    account: &Account,
    (count, is_json): (usize, bool),
) -> Result<ExitCode> {
    let state = State::read(ground, account).await?;
    let story = story::last(ground, account.account, (None, count)).await?;
    let totals = state.desk.iter().flat_map(|desk| desk.ledger.totals());
    let holds: BTreeMap<String, String> =
        totals.map(|(asset, total)| (asset.to_string(), total.to_string())).collect();
    let stopped_by = state.desk.as_ref().and_then(stopped_by);
    let told = Told::read(ground, account, &state.pairs).await?;
    let is_held = ground.store.quarantined().await?.contains(&account.account);
    let is_refused = may_withdraw(&ground.store.credentials().await?, account);
    if is_json {
        let log = lines(&state, &story);
        let line = json!({
            "account": account.account.get(), "name": account.name, "venue": account.venue,
            "paper": account.is_paper, "holds": holds, "stopped_by": stopped_by, "told": told,
            "fees": state.desk.as_ref().map(|desk| json!({
                "maker": desk.settings.fees.maker.to_string(),
                "taker": desk.settings.fees.taker.to_string(),
            })),
            "in_quarantine": is_held, "key": is_refused.then_some(KEY_REFUSED),
            "bots": state.bots.keys().map(|bot| bot.get()).collect::<Vec<_>>(), "log": log,
            "log_since": story.since.map(|since| since.to_string()),
        });
        console::say(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let kind = if account.is_paper { "paper" } else { "real money" };
    console::say(&format!(
        "account {} `{}` at {}, {kind}",
        account.account, account.name, account.venue
    ))?;
    if let Some(what) = stopped_by {
        console::say(&format!("entries     {what}"))?;
    }
    if is_refused {
        console::say(&format!("key         {KEY_REFUSED}: take that right away at the exchange"))?;
    }
    if is_held {
        console::say("quarantine  nothing is sent until `tranche account release` names it")?;
    }
    if let Some(desk) = &state.desk {
        console::say(&format!("fees        {}", fee_words(desk.settings.fees)))?;
    }
    for (asset, total) in holds {
        console::say(&format!("holds       {total} {asset}"))?;
    }
    told.say()?;
    tell(&state, &story)
}

fn may_withdraw(keys: &[Credential], account: &Account) -> bool {
    let key = keys.iter().find(|key| Some(key.credential) == account.credential);
    key.is_some_and(|key| key.may_withdraw == Some(true))
}

pub(super) async fn bots(ground: &Ground, is_json: bool) -> Result<ExitCode> {
    let mut rows = Vec::new();
    let all = ground.store.bots().await?;
    let accounts = ground.store.accounts().await?;
    // Before the snapshots: one that is made in between is in its snapshot.
    let asked = asked_for(ground, accounts.iter().map(|account| account.account)).await?;
    for account in accounts {
        let state = State::read(ground, &account).await?;
        let theirs = all.iter().filter(|bot| bot.account == account.account);
        for row in theirs.filter(|bot| bot.ended_at.is_none()) {
            let bot = state.bots.get(&row.bot);
            if bot.is_none() && !asked.contains(&row.bot) {
                continue;
            }
            rows.push(json!({
                "bot": row.bot.get(), "name": row.name, "account": account.name,
                "state": bot.map_or(NOT_YET, state_of),
                "deals_open": bot.map_or(0, Bot::active_deals),
                "deals_closed": bot.map_or(0, |bot| bot.head.deals_closed),
                "profit": bot.map_or_else(String::new, |bot| bot.head.profit.to_string()),
            }));
        }
    }
    let columns = ["bot", "name", "account", "state", "deals_open", "deals_closed", "profit"];
    print(&rows, is_json, &columns)
}

/// The bots that a command which nobody has answered yet will make.
async fn asked_for(
    ground: &Ground,
    accounts: impl IntoIterator<Item = AccountId>,
) -> Result<BTreeSet<BotId>> {
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    let open = ground.store.open_commands(&accounts).await?;
    let bodies = open.iter().filter_map(|queued| codec::decode(&queued.command.body).ok());
    let bots = bodies.filter_map(|body| {
        let CommandBody::CreateBot { bot, .. } = body else { return None };
        Some(bot)
    });
    Ok(bots.collect())
}

pub(super) async fn bot(
    ground: &Ground,
    row: &BotRow,
    (count, is_json): (usize, bool),
) -> Result<ExitCode> {
    let account = of(ground, row.account).await?;
    let asked = asked_for(ground, [row.account]).await?;
    let state = State::read(ground, &account).await?;
    let story = story::last(ground, row.account, (Some(row.bot), count)).await?;
    let bot = state.bots.get(&row.bot);
    let without = if asked.contains(&row.bot) { NOT_YET } else { NOT_THERE };
    let standing = bot.map_or(without, state_of);
    let deals: Vec<Value> =
        bot.iter().flat_map(|bot| &bot.lanes).filter_map(|lane| open_deal(&state, lane)).collect();
    if is_json {
        let line = json!({
            "bot": row.bot.get(), "name": row.name, "account": account.name,
            "version": row.version, "state": standing,
            "deals": deals, "profit": bot.map(|bot| bot.head.profit.to_string()),
            "deals_closed": bot.map_or(0, |bot| bot.head.deals_closed),
            "log": lines(&state, &story), "log_since": story.since.map(|since| since.to_string()),
            "config": row.config,
        });
        console::say(&line.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    console::say(&format!("bot {} `{}` on {}", row.bot, row.name, account.name))?;
    console::say(&format!("state       {standing}"))?;
    if let Some(bot) = bot {
        let (closed, profit) = (bot.head.deals_closed, bot.head.profit);
        console::say(&format!("deals       {closed} closed, profit {profit}"))?;
    }
    for deal in &deals {
        let part = |name: &str| deal.get(name).and_then(Value::as_str).unwrap_or_default();
        let (pair, held, average) = (part("pair"), part("held"), part("average"));
        console::say(&format!("open        {pair}: {held} held, average {average}"))?;
        for order in deal.get("orders").and_then(Value::as_array).into_iter().flatten() {
            console::say(&format!("  order     {}", order.as_str().unwrap_or_default()))?;
        }
    }
    tell(&state, &story)
}

pub(super) async fn deals(ground: &Ground, bot: Option<u32>, is_json: bool) -> Result<ExitCode> {
    let is_meant = |id: BotId| bot.is_none_or(|bot| bot == id.get());
    let mut rows = Vec::new();
    for account in ground.store.accounts().await? {
        let state = State::read(ground, &account).await?;
        for row in ground.store.deals(account.account).await? {
            if is_meant(row.bot) {
                rows.push(json!({
                    "bot": row.bot.get(), "deal": row.deal.get(), "pair": state.pair(row.instrument),
                    "opened": row.opened_at.to_string(), "closed": row.closed_at.to_string(),
                    "ended": row.ended, "profit": row.profit.to_string(),
                    "fees": row.fees.to_string(),
                }));
            }
        }
        for (id, bot) in state.bots.iter().filter(|(id, _)| is_meant(**id)) {
            for lane in &bot.lanes {
                let Some(deal) = &lane.deal else { continue };
                rows.push(json!({
                    "bot": id.get(), "deal": deal.no.get(), "pair": state.pair(lane.instrument),
                    "opened": deal.opened_at.to_string(), "closed": null, "ended": null,
                    "profit": null, "fees": null,
                }));
            }
        }
    }
    print(&rows, is_json, &["bot", "deal", "pair", "opened", "closed", "ended", "profit"])
}

async fn of(ground: &Ground, account: AccountId) -> Result<Account> {
    let account = ground.store.account(account).await?;
    account.context("the account of the bot is gone")
}

const fn state_of(bot: &Bot) -> &'static str {
    match bot.head.status {
        BotStatus::Running if bot.head.entries_paused => "paused",
        BotStatus::Running => "running",
        BotStatus::Stopped => "stopped",
        BotStatus::Quarantined { .. } => "in quarantine",
    }
}

fn stopped_by(desk: &Desk) -> Option<String> {
    match desk.kill {
        Some(level) => Some(format!("kill switch: {level}")),
        None => desk.entries_paused.then(|| "paused".to_owned()),
    }
}

fn open_deal(state: &State, lane: &Lane) -> Option<Value> {
    let deal = lane.deal.as_ref()?;
    let held = deal.position.held().map(|held| held.to_string()).unwrap_or_default();
    let average = deal.position.average().ok().flatten();
    let orders = lane
        .orders()
        .map(|(slot, order)| format!("{slot}: {} {} ({:?})", order.side, order.kind, order.stage));
    Some(json!({
        "deal": deal.no.get(), "pair": state.pair(lane.instrument), "held": held,
        "average": average.map_or_else(|| "none".to_owned(), |price| price.to_string()),
        "orders": orders.collect::<Vec<_>>(),
    }))
}

fn lines(state: &State, story: &Story) -> Vec<String> {
    let line = |record: &WhyRecord| {
        let at = record.at.to_string();
        let bot = record.bot.map(|bot| format!(" bot {bot}")).unwrap_or_default();
        let deal = record.deal.map(|deal| format!(" deal {deal}")).unwrap_or_default();
        let pair = record.instrument.map(|pair| format!(" {}", state.pair(pair)));
        format!("{at}{bot}{deal}{}: {}", pair.unwrap_or_default(), record.why)
    };
    story.decisions.iter().map(line).collect()
}

fn tell(state: &State, story: &Story) -> Result<ExitCode> {
    if let Some(since) = story.since {
        console::say(&format!("why         told since {since}; what is older was let go"))?;
    }
    for line in lines(state, story) {
        console::say(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One line of JSON, or a table.
pub(crate) fn print(rows: &[Value], is_json: bool, columns: &[&str]) -> Result<ExitCode> {
    if is_json {
        console::say(&Value::from(rows).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_header(columns.iter().map(|name| name.replace('_', " ")));
    for row in rows {
        table.add_row(columns.iter().map(|name| match row.get(name) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => "-".to_owned(),
            Some(
                other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
            ) => other.to_string(),
        }));
    }
    console::say(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}
