//! What the screen shows of the world, computed anew for each picture.

use rust_decimal::Decimal;
use tranche_model::{
    ids::BotId,
    instrument::Instrument,
    money::{Price, Quote},
};
use tranche_trading::{
    account::{Account, Entries},
    bot::{Bot, BotStatus, Lane},
    dca::{
        Deal, Phase, Scene, ladder,
        ladder::Origin,
        targets::{self},
    },
};

use super::world::World;

/// A bot with the deal on its first instrument.
#[derive(Debug, Clone)]
pub(crate) struct BotView {
    pub(crate) bot: BotId,
    pub(crate) name: String,
    pub(crate) symbol: String,
    pub(crate) deals_closed: u32,
    pub(crate) profit: Quote,
    pub(crate) state: State,
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    /// No deal is open, for this reason.
    Idle(String),
    Open(Box<DealView>),
}

/// An open deal. Prices that do not apply are absent.
#[derive(Debug, Clone)]
pub(crate) struct DealView {
    pub(crate) no: u32,
    pub(crate) phase: &'static str,
    pub(crate) price: Price,
    pub(crate) stop: Option<Price>,
    pub(crate) next_safety: Option<Price>,
    pub(crate) safety_orders: (u16, u16),
    pub(crate) break_even: Option<Price>,
    pub(crate) take_profit: Option<Price>,
    pub(crate) peak: Option<Price>,
    /// What selling everything now would bring over everything spent.
    pub(crate) unrealised: Option<Quote>,
    pub(crate) spent: Option<Quote>,
}

/// All bots in the order of their numbers.
pub(crate) fn bots(world: &World) -> Vec<BotView> {
    let accounts = world.floor.accounts().into_iter();
    let mut views: Vec<BotView> = accounts
        .flat_map(|account| account.bots.values().map(move |bot| (account, bot)))
        .filter_map(|(account, bot)| bot_view(world, account, bot))
        .collect();
    views.sort_by_key(|view| view.bot);
    views
}

fn bot_view(world: &World, account: &Account, bot: &Bot) -> Option<BotView> {
    let lane = bot.lanes.first()?;
    let instrument = world.floor.instruments().get(lane.instrument)?;
    let config = bot.head.current()?;
    let deal =
        lane.deal.as_ref().and_then(|deal| deal_view(world, (account, bot), deal, instrument));
    Some(BotView {
        bot: bot.head.id,
        name: config.name().to_owned(),
        symbol: instrument.symbol.to_string(),
        deals_closed: bot.head.deals_closed,
        profit: bot.head.profit,
        state: match deal {
            Some(deal) => State::Open(Box::new(deal)),
            None => State::Idle(idle(world, account, bot, lane)),
        },
    })
}

fn idle(world: &World, account: &Account, bot: &Bot, lane: &Lane) -> String {
    match &bot.head.status {
        BotStatus::Quarantined { reason } => return format!("put aside: {reason}"),
        BotStatus::Stopped => return "stopped".to_owned(),
        BotStatus::Running => {}
    }
    if account.desk.entries() != Entries::Allowed || bot.head.entries_paused {
        return "entries paused, r resumes".to_owned();
    }
    let wait = lane.cooldown_until.since(world.floor.bot_now()).ms().div_ceil(1000);
    if 0 < wait {
        return format!("next deal in {wait} s");
    }
    "waits for a price".to_owned()
}

fn deal_view(
    world: &World,
    (account, bot): (&Account, &Bot),
    deal: &Deal,
    instrument: &Instrument,
) -> Option<DealView> {
    let config = bot.head.config(deal.version)?;
    let price = world.floor.price(instrument.id).unwrap_or(deal.seen);
    let fees = account.desk.settings.fees;
    let now = world.floor.bot_now();
    let scene = Scene { config: &config, instrument, fees, now, is_whole: true };
    let most = config.max_safety_orders();
    let next = deal.levels.open(most).next();
    let next_safety = deal.origin.zip(next).and_then(|(base, number)| {
        let average = Some((deal.position.cost, deal.position.bought));
        ladder::price(&config, instrument, number, Origin { base, average }).ok()
    });
    let is_trailing = deal.peak().is_some();
    Some(DealView {
        no: deal.no.get(),
        phase: match deal.phase {
            Phase::Entering(_) => "buying",
            Phase::Holding(_) if is_trailing => "trailing",
            Phase::Holding(_) => "holding",
            Phase::Exiting { .. } => "selling",
            Phase::Abandoned => "left to you",
        },
        price,
        stop: deal.stop(&scene).ok().flatten(),
        next_safety,
        safety_orders: (deal.levels.count(), most),
        break_even: targets::breakeven(&deal.position, fees.maker, instrument).ok().flatten(),
        take_profit: deal.take_profit,
        peak: deal.peak().map(|peak| peak.price),
        unrealised: unrealised(deal, price, fees.taker.get()),
        spent: deal.position.spent().ok(),
    })
}

fn unrealised(deal: &Deal, price: Price, fee: Decimal) -> Option<Quote> {
    let worth = price.times(deal.position.held().ok()?).ok()?.get();
    let brought = worth.checked_mul(Decimal::ONE.checked_sub(fee)?)?;
    let profit = deal.position.profit().ok()?.get();
    profit.checked_add(brought).map(|value| Quote::new(value.round_dp(2)))
}
