//! The plain model: positions, averages, profit and expected orders, computed anew from the exchange's
//! own books and held against ours. Slow, and without memory.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use tranche_model::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    ids::{BotId, DealNo, Slot},
    instrument::Instrument,
    money::{Amount, Price, Qty, Quote},
    order::Side,
    time::{Millis, Timestamp},
};
use tranche_trading::{
    account::{Account, AccountState, Entries},
    bot::{Bot, BotStatus, Lane},
    dca::{
        Config, Phase,
        draft::{DeviationReference, Start, TakeProfitType},
    },
    order::{Cancel, Stage},
    why::NoDeal,
};

use super::venue::Venue;
use crate::{
    exchange::Exchange,
    memory::{Memory, Stored},
};

/// An invariant that does not hold, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Such as `I-07`.
    pub invariant: &'static str,
    pub text: String,
}

pub(crate) type Checked = Result<(), Broken>;
type DealKey = (BotId, DealNo);

impl Broken {
    pub(super) const fn new(invariant: &'static str, text: String) -> Self {
        Self { invariant, text }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

impl From<MathError> for Broken {
    fn from(error: MathError) -> Self {
        Self::new("I-06", error.to_string())
    }
}

pub(super) fn hold(claim: bool, invariant: &'static str, text: impl FnOnce() -> String) -> Checked {
    if claim { Ok(()) } else { Err(Broken::new(invariant, text())) }
}

/// What a run did from outside, so that the checks know what to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disturbed {
    /// Funds came, went or were held by another hand.
    pub funds: bool,
    /// Open deals took over other settings.
    pub edits: bool,
    /// The store was replaced by an older copy: deals that it did not know are nobody's.
    pub restored: bool,
}

/// Both sides of an account.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub exchange: &'a Exchange,
    pub memory: &'a Memory,
    pub account: &'a Account,
    pub now: Timestamp,
    pub disturbed: Disturbed,
    /// Commits are under way: the store does not know all that the account does.
    pub is_writing: bool,
    /// How far the account's clock and the exchange's may be apart.
    pub clock_error: Millis,
}

impl<'a> View<'a> {
    pub(super) fn stored(&self) -> Result<&'a Stored, Broken> {
        let id = self.account.desk.id;
        self.memory.stored(id).ok_or_else(|| Broken::new("I-25", format!("{id} is not stored")))
    }

    fn instrument(&self, lane: &Lane) -> Result<&'a Instrument, Broken> {
        let known = self.exchange.instruments().get(lane.instrument);
        known.ok_or_else(|| Broken::new("I-19", format!("no instrument {}", lane.instrument)))
    }
}

/// What must be true after every input, computed anew.
pub fn always(view: &View<'_>) -> Checked {
    view.exchange.audit().map_err(|error| Broken::new("I-06", error.to_string()))?;
    let venue = Venue::read(view)?;
    let stored = view.stored()?;
    if !view.disturbed.restored {
        venue.check_ids(view, stored)?;
    }
    venue.check_slots()?;
    check_fills(view, stored, &venue)?;
    for bot in view.account.bots.values() {
        for lane in &bot.lanes {
            check_orders(lane)?;
            check_deal(view, (bot, lane), &venue)?;
        }
    }
    check_deal_rows(view, stored)?;
    if !view.disturbed.funds {
        check_reserved(view)?;
    }
    Ok(())
}

/// What must be true soon after the last fault: the account trades, and no order is in doubt. What
/// nobody told us of is found later, by the next reading of everything.
pub fn soon(view: &View<'_>) -> Checked {
    let account = view.account;
    hold(account.desk.state == AccountState::Ready, "I-23", || {
        format!("the account is {:?} long after the last fault", account.desk.state)
    })?;
    for bot in account.bots.values() {
        for (slot, order) in bot.lanes.iter().flat_map(Lane::orders) {
            let is_sure = matches!(order.stage, Stage::Open | Stage::Ended(_));
            hold(is_sure, "I-23", || {
                format!(
                    "bot {} {slot}: {order:?} is in doubt long after the last fault",
                    bot.head.id
                )
            })?;
        }
    }
    Ok(())
}

/// What must be true once nothing happens any more.
pub fn quiet(view: &View<'_>) -> Checked {
    let account = view.account;
    let venue = Venue::read(view)?;
    hold(account.desk.state == AccountState::Ready, "I-23", || {
        format!("the account is {:?}", account.desk.state)
    })?;
    let mut known: BTreeSet<ClientOrderId> = BTreeSet::new();
    for bot in account.bots.values() {
        let is_well = !matches!(bot.head.status, BotStatus::Quarantined { .. });
        hold(is_well, "I-08", || format!("bot {} is in quarantine", bot.head.id))?;
        for lane in &bot.lanes {
            for (slot, order) in lane.orders() {
                let is_settled = order.stage == Stage::Open && order.booked() == order.executed();
                hold(is_settled, "I-23", || {
                    format!("bot {} {slot}: {order:?} is not at rest", bot.head.id)
                })?;
                hold(order.cancel() == Cancel::No, "I-23", || {
                    format!("bot {} {slot}: a cancel is under way", bot.head.id)
                })?;
                known.insert(order.client_id);
            }
            check_cover(view, (bot, lane), &venue)?;
            check_start(view, (bot, lane))?;
            check_rungs(view, (bot, lane))?;
            check_average(view, (bot, lane), &venue)?;
        }
    }
    let open: BTreeSet<ClientOrderId> = venue.open.keys().copied().collect();
    hold(open == known, "I-05", || format!("open at the exchange {open:?}, here {known:?}"))?;
    check_totals(view)?;
    let (theirs, ours) = (venue.fills.len(), view.stored()?.fills.len());
    hold(theirs == ours || view.disturbed.restored, "I-05", || {
        format!("{theirs} own executions at the exchange, {ours} booked")
    })
}

/// Each execution is booked once, as the exchange has it.
fn check_fills(view: &View<'_>, stored: &Stored, venue: &Venue) -> Checked {
    let theirs: BTreeMap<_, _> =
        venue.fills.iter().map(|fill| ((fill.instrument, fill.trade_id), *fill)).collect();
    let mut booked: BTreeMap<DealKey, (Qty, Qty)> = BTreeMap::new();
    for (key, row) in &stored.fills {
        hold(theirs.get(key) == Some(&row.fill), "I-04", || {
            format!("{:?} is not the exchange's", row.fill)
        })?;
        let named = row.fill.client_id.map(ClientOrderId::key);
        let is_named = named.is_some_and(|named| (named.bot, named.deal) == (row.bot, row.deal));
        hold(is_named, "I-04", || format!("{row:?} is booked elsewhere"))?;
        let (bought, sold) = booked.entry((row.bot, row.deal)).or_default();
        let sum = if row.fill.side == Side::Buy { bought } else { sold };
        *sum = sum.plus(row.fill.qty)?;
    }
    if view.disturbed.restored || view.is_writing {
        return Ok(());
    }
    for bot in view.account.bots.values() {
        for deal in bot.lanes.iter().filter_map(|lane| lane.deal.as_ref()) {
            let (bought, sold) = booked.get(&(bot.head.id, deal.no)).copied().unwrap_or_default();
            let position = &deal.position;
            hold((position.bought, position.sold) == (bought, sold), "I-04", || {
                let id = bot.head.id;
                format!("bot {id} deal {}: {position:?}, booked {bought} and {sold}", deal.no)
            })?;
        }
    }
    Ok(())
}

fn check_orders(lane: &Lane) -> Checked {
    for (slot, order) in lane.orders() {
        let qty = order.kind.qty();
        let is_within =
            order.booked() <= order.executed() && qty.is_none_or(|qty| order.executed() <= qty);
        hold(is_within, "I-07", || format!("{slot}: {order:?}"))?;
    }
    Ok(())
}

fn check_deal(view: &View<'_>, (bot, lane): (&Bot, &Lane), venue: &Venue) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let instrument = view.instrument(lane)?;
    let key = (bot.head.id, deal.no);
    let name = format!("bot {} deal {}", key.0, key.1);
    if view.disturbed.restored {
        return Ok(());
    }
    let held = venue.held(key, instrument.symbol.base)?;
    let selling = venue.selling(key)?;
    hold(selling <= held, "I-13", || format!("{name} sells {selling} of {held}"))?;

    let config = settings_of(bot, deal.version)?;
    if !view.disturbed.edits {
        let mut spent = Quote::ZERO;
        let mut levels = BTreeSet::new();
        for fill in venue.fills_of(key).iter().filter(|fill| fill.side == Side::Buy) {
            spent = spent.plus(fill.quote)?;
            if fill.fee.asset != instrument.symbol.base {
                spent = spent.plus(fill.fee.in_quote.unwrap_or_default())?;
            }
            levels.extend(fill.client_id.and_then(|id| id.key().slot.safety_number()));
        }
        let open = venue.open.keys().map(|id| id.key());
        let open = open.filter(|open| (open.bot, open.deal) == key);
        levels.extend(open.filter_map(|open| open.slot.safety_number()));
        hold(spent <= deal.budget, "I-11", || format!("{name} spent {spent} of {}", deal.budget))?;
        let most = usize::from(config.max_safety_orders());
        hold(levels.len() <= most, "I-11", || {
            format!("{name}: safety orders {levels:?} of {most}")
        })?;
        check_ladder(view, (key, &config))?;
    }
    check_take_profit(view, lane, &config)
}

fn settings_of(bot: &Bot, version: u32) -> Result<std::sync::Arc<Config>, Broken> {
    let config = bot.head.config(version);
    config.ok_or_else(|| Broken::new("I-32", format!("bot {}: no settings", bot.head.id)))
}

/// Prices fall from one safety order to the next.
fn check_ladder(view: &View<'_>, (key, config): (DealKey, &Config)) -> Checked {
    if config.deviation_reference() == DeviationReference::Average {
        return Ok(());
    }
    let mut prices: BTreeMap<u16, Price> = BTreeMap::new();
    for row in &view.stored()?.intents {
        let named = row.request.client_id.key();
        if let (true, Some(number), Some(price)) =
            ((named.bot, named.deal) == key, named.slot.safety_number(), row.request.kind.price())
        {
            prices.insert(number, price);
        }
    }
    let falls = prices.values().zip(prices.values().skip(1)).all(|(above, below)| below <= above);
    // Where a tick is coarse, neighbors may meet on one price.
    hold(falls, "I-12", || format!("{key:?}: the ladder does not fall: {prices:?}"))
}

/// Selling at the take profit brings what was configured, after fees.
fn check_take_profit(view: &View<'_>, lane: &Lane, config: &Config) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let (Phase::Holding(_), Some(price)) = (deal.phase, deal.take_profit) else { return Ok(()) };
    let fees = view.account.desk.settings.fees;
    let fee = if config.trailing_deviation().is_some() { fees.taker } else { fees.maker };
    let position = &deal.position;
    let qty = position.sellable(view.instrument(lane)?)?;
    if position.sold.is_positive() {
        return Ok(());
    }
    let rest = Decimal::ONE.checked_sub(fee.get());
    let brought = price.get().checked_mul(qty.get()).zip(rest).and_then(|(a, b)| a.checked_mul(b));
    let brought = brought.ok_or(MathError::Overflow)?;
    let spent = position.spent()?.get();
    let base = match config.take_profit_type() {
        TakeProfitType::Total => spent,
        TakeProfitType::Base => deal.base_spent.get(),
    };
    let wanted = base.checked_mul(config.take_profit().get()).ok_or(MathError::Overflow)?;
    let won = brought.checked_sub(spent).ok_or(MathError::Overflow)?;
    hold(wanted <= won, "I-14", || {
        format!("take profit {price}: {brought} for {spent}, not {wanted}")
    })
}

/// A deal is closed once, with the profit of its fills.
fn check_deal_rows(view: &View<'_>, stored: &Stored) -> Checked {
    let mut seen = BTreeSet::new();
    for row in &stored.deals {
        hold(seen.insert((row.bot, row.deal)), "I-15", || format!("closed twice: {row:?}"))?;
        if row.ended == "cancelled" {
            continue;
        }
        let fills =
            stored.fills.values().filter(|fill| (fill.bot, fill.deal) == (row.bot, row.deal));
        let base = view.exchange.instruments().get(row.instrument).map(|known| known.symbol.base);
        let until = row.closed_at.plus(view.clock_error);
        let mut profit = Quote::ZERO;
        for fill in fills.map(|row| row.fill).filter(|fill| fill.at <= until) {
            profit = match fill.side {
                Side::Buy => profit.minus(fill.quote)?,
                Side::Sell => profit.plus(fill.quote)?,
            };
            if Some(fill.fee.asset) != base {
                profit = profit.minus(fill.fee.in_quote.unwrap_or_default())?;
            }
        }
        hold(profit == row.profit, "I-15", || format!("{row:?} made {profit}"))?;
    }
    Ok(())
}

/// No unit is reserved that is not there.
fn check_reserved(view: &View<'_>) -> Checked {
    let desk = &view.account.desk;
    for balance in view.exchange.balances(desk.id) {
        let reserved = desk.exposure.reserved(balance.asset);
        let total = balance.total()?;
        // What was executed and not told yet is still reserved here.
        let is_known = desk.ledger.total(balance.asset) == total;
        hold(!is_known || reserved <= total, "I-18", || {
            format!("{reserved} {} are reserved of {total}", balance.asset)
        })?;
    }
    Ok(())
}

/// A lane without a deal has a reason for that, and one that holds now.
fn check_start(view: &View<'_>, (bot, lane): (&Bot, &Lane)) -> Checked {
    let (desk, now) = (&view.account.desk, view.now);
    let config = settings_of(bot, bot.head.version)?;
    if lane.deal.is_some() || bot.head.status != BotStatus::Running || config.start() != Start::Asap
    {
        return Ok(());
    }
    let holds = match lane.no_deal.as_deref().copied() {
        // The next price begins one.
        None => true,
        Some(NoDeal::Cooldown { until } | NoDeal::Unfit { until }) => now <= until,
        Some(NoDeal::MaxActiveDeals { most }) => {
            most == config.max_active_deals() && most <= bot.active_deals()
        }
        Some(NoDeal::EntriesPaused) => {
            bot.head.entries_paused || desk.entries() != Entries::Allowed
        }
        Some(NoDeal::KeyMayWithdraw) => desk.rights.may_withdraw(),
        Some(NoDeal::Unread) => desk.unread.contains(&lane.instrument),
        Some(NoDeal::Stopped) => {
            config.stop_after_deals().is_some_and(|most| most <= bot.head.deals_opened)
        }
        Some(NoDeal::NotAllowed | NoDeal::DailyLoss) => true,
    };
    hold(holds, "I-23", || {
        format!("bot {}: no deal on {}, for {:?}", bot.head.id, lane.instrument, lane.no_deal)
    })
}

/// As many safety orders rest as should, or a reason is shown.
fn check_rungs(view: &View<'_>, (bot, lane): (&Bot, &Lane)) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let config = settings_of(bot, deal.version)?;
    let is_allowed = view.account.desk.entries() == Entries::Allowed && !bot.head.entries_paused;
    if !matches!(deal.phase, Phase::Holding(_)) || !is_allowed || config.stop_loss().is_some() {
        return Ok(());
    }
    let tick = view.instrument(lane)?.tick;
    let open = deal.levels.open(config.max_safety_orders());
    for number in open.take(usize::from(config.active_safety_orders_count())) {
        let slot = Slot::safety(number).unwrap_or(Slot::BASE);
        let is_out = lane
            .seat(slot)
            .is_some_and(|seat| seat.order.is_some() || seat.blocked().is_some() || seat.queued);
        let (origin, level) = (deal.origin.unwrap_or_default(), config.level(number));
        let factor = level.map_or(Decimal::ZERO, |level| level.factor.get());
        let at = origin.get().checked_mul(factor).unwrap_or_default();
        let is_real = tick.get() <= at;
        hold(is_out || !is_real, "I-23", || {
            format!("bot {} deal {}: no {slot}: {deal:?}", bot.head.id, deal.no)
        })?;
    }
    Ok(())
}

/// What can be sold is up for sale, unless a reason is shown.
fn check_cover(view: &View<'_>, (bot, lane): (&Bot, &Lane), venue: &Venue) -> Checked {
    let Some(deal) = &lane.deal else {
        return hold(lane.orders().next().is_none(), "I-13", || {
            format!("orders without a deal: {lane:?}")
        });
    };
    let name = format!("bot {} deal {}", bot.head.id, deal.no);
    let instrument = view.instrument(lane)?;
    let sellable = deal.position.sellable(instrument)?;
    let is_shown = |slot| lane.seat(slot).is_some_and(|seat| seat.blocked().is_some());
    let config = settings_of(bot, deal.version)?;
    match deal.phase {
        Phase::Holding(_) if config.trailing_deviation().is_none() => {
            let price = deal.take_profit;
            let price =
                price.ok_or_else(|| Broken::new("I-13", format!("{name} has no take profit")))?;
            let selling = venue.selling((bot.head.id, deal.no))?;
            let holds = selling == sellable
                || is_shown(Slot::TAKE_PROFIT)
                || !instrument.is_tradable(sellable, price);
            hold(holds, "I-13", || format!("{name} sells {selling} of {sellable}: {deal:?}"))
        }
        Phase::Holding(_) => Ok(()),
        Phase::Entering(entry) => {
            let is_out = lane.orders().next().is_some();
            let is_frozen =
                view.account.desk.entries() != Entries::Allowed || bot.head.entries_paused;
            hold(is_out || is_shown(Slot::BASE) || is_frozen, "I-23", || {
                format!("{name} enters without an order: {entry:?} {:?}", lane.seats)
            })
        }
        Phase::Exiting { .. } | Phase::Abandoned => hold(is_shown(Slot::CLOSE), "I-23", || {
            format!("{name} does not end: {deal:?} {:?}", lane.seats)
        }),
    }
}

/// What a deal holds and what it cost are what the exchange's executions say.
fn check_average(view: &View<'_>, (bot, lane): (&Bot, &Lane), venue: &Venue) -> Checked {
    let Some(deal) = lane.deal.as_ref().filter(|_| !view.disturbed.restored) else { return Ok(()) };
    let base = view.instrument(lane)?.symbol.base;
    let key = (bot.head.id, deal.no);
    let held = venue.held(key, base)?;
    let ours = deal.position.held()?;
    hold(held == ours, "I-05", || {
        format!("bot {} deal {}: {ours} here, {held} there", key.0, key.1)
    })?;
    let buys = venue.fills_of(key).iter().filter(|fill| fill.side == Side::Buy);
    let cost = buys.map(|fill| fill.quote).try_fold(Quote::ZERO, Quote::plus)?;
    hold(cost == deal.position.cost, "I-05", || {
        format!("bot {} deal {}: cost {}, there {cost}", key.0, key.1, deal.position.cost)
    })
}

fn check_totals(view: &View<'_>) -> Checked {
    let desk = &view.account.desk;
    for balance in view.exchange.balances(desk.id) {
        let (theirs, ours): (Amount, Amount) = (balance.total()?, desk.ledger.total(balance.asset));
        hold(theirs == ours, "I-06", || format!("{theirs} {}: here {ours}", balance.asset))?;
    }
    Ok(())
}
