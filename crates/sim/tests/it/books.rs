//! Holds an account against the exchange's own books: what must be true at every moment, and what
//! once everything is quiet.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{AccountId, BotId, DealNo, Slot},
    money::{Amount, Qty, Quote},
    order::{OrderKind, Side},
    time::Timestamp,
};
use tranche_sim::driver::Driver;
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

type Checked = Result<(), String>;
type DealKey = (BotId, DealNo);

macro_rules! hold {
    ($claim:expr, $($text:tt)*) => {
        if !$claim {
            return Err(format!($($text)*));
        }
    };
}

/// What a run did from outside, so that the checks know what to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Disturbed {
    /// Funds came, went or were held by another hand.
    pub(crate) funds: bool,
    /// Open deals took over other settings.
    pub(crate) edits: bool,
}

/// What must be true after every input.
pub(crate) fn always(driver: &Driver, id: AccountId, disturbed: Disturbed) -> Checked {
    driver.exchange.audit().map_err(|error| error.to_string())?;
    let Some(account) = driver.shard.account(id) else { return Err(format!("{id} is gone")) };
    let venue = Venue::read(driver, id);
    venue.check_ids(driver, id)?;
    venue.check_slots()?;
    check_fills(driver, id, account, &venue)?;
    for bot in account.bots.values() {
        for lane in &bot.lanes {
            check_orders(lane)?;
            check_deal(driver, account, (bot, lane), &venue, disturbed)?;
        }
    }
    check_deal_rows(driver, id)?;
    if !disturbed.funds {
        check_reserved(driver, id, account)?;
    }
    Ok(())
}

/// What must be true once nothing happens any more.
pub(crate) fn quiet(driver: &Driver, id: AccountId) -> Checked {
    let Some(account) = driver.shard.account(id) else { return Err(format!("{id} is gone")) };
    let venue = Venue::read(driver, id);
    hold!(account.desk.state == AccountState::Ready, "the account is {:?}", account.desk.state);
    let mut known: BTreeSet<ClientOrderId> = BTreeSet::new();
    for bot in account.bots.values() {
        if matches!(bot.head.status, BotStatus::Quarantined { .. }) {
            return Err(format!("bot {} is in quarantine", bot.head.id));
        }
        for lane in &bot.lanes {
            for (slot, order) in lane.orders() {
                hold!(
                    order.stage == Stage::Open && order.booked() == order.executed(),
                    "bot {} {slot}: {order:?} is not at rest",
                    bot.head.id
                );
                hold!(
                    order.cancel() == Cancel::No,
                    "bot {} {slot}: a cancel is under way",
                    bot.head.id
                );
                known.insert(order.client_id);
            }
            check_cover(driver, account, (bot, lane), &venue)?;
            check_start(account, (bot, lane), driver.now())?;
            check_rungs(driver, account, (bot, lane))?;
        }
    }
    let open: BTreeSet<ClientOrderId> = venue.open.keys().copied().collect();
    hold!(open == known, "open at the exchange {open:?}, here {known:?}");
    check_totals(driver, id, account)?;
    let stored = driver.memory.memory().stored(id).ok_or("not stored")?;
    let (theirs, ours): (usize, usize) = (venue.fills.len(), stored.fills.len());
    hold!(theirs == ours, "{theirs} own executions at the exchange, {ours} booked");
    Ok(())
}

/// The exchange's books of one account: what carries our ids.
struct Venue {
    open: BTreeMap<ClientOrderId, (Slot, Side, OrderKind, Qty)>,
    fills: Vec<Fill>,
    by_deal: BTreeMap<DealKey, Vec<Fill>>,
}

impl Venue {
    fn read(driver: &Driver, id: AccountId) -> Self {
        let mut fills = Vec::new();
        for instrument in driver.exchange.instruments() {
            let trades = driver.exchange.trades(id, instrument.id, Timestamp::MIN);
            fills.extend(trades.into_iter().filter(|fill| fill.client_id.is_some()));
        }
        let mut by_deal: BTreeMap<DealKey, Vec<Fill>> = BTreeMap::new();
        for fill in &fills {
            let key = fill.client_id.unwrap().key();
            by_deal.entry((key.bot, key.deal)).or_default().push(*fill);
        }
        let open = driver.exchange.open_orders(id).into_iter();
        let open = open.map(|order| {
            let leaves = order.kind.qty().unwrap_or_default();
            let leaves = leaves.minus_floored(order.executed).unwrap();
            (order.client_id, (order.client_id.key().slot, order.side, order.kind, leaves))
        });
        Self { open: open.collect(), fills, by_deal }
    }

    /// At most one order ever under an id, and an intent for each.
    fn check_ids(&self, driver: &Driver, id: AccountId) -> Checked {
        let stored = driver.memory.memory().stored(id).ok_or("not stored")?;
        let mut intents = BTreeSet::new();
        for row in &stored.intents {
            let client_id = row.request.client_id;
            hold!(intents.insert(client_id), "two intents with {client_id} {:?}", client_id.key());
            let orders = driver.exchange.orders_with_id(id, client_id).len();
            hold!(orders <= 1, "{orders} orders with {client_id}");
        }
        let filled = self.fills.iter().filter_map(|fill| fill.client_id);
        for client_id in self.open.keys().copied().chain(filled) {
            hold!(intents.contains(&client_id), "no intent for {client_id}");
        }
        Ok(())
    }

    /// One live order per slot.
    fn check_slots(&self) -> Checked {
        let mut slots = BTreeSet::new();
        for client_id in self.open.keys() {
            let key = client_id.key();
            hold!(slots.insert((key.bot, key.deal, key.slot)), "two live orders in {key:?}");
        }
        Ok(())
    }

    fn fills_of(&self, key: DealKey) -> &[Fill] {
        self.by_deal.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Base units that the deal holds by the exchange's books.
    fn held(&self, key: DealKey, base: Asset) -> Qty {
        let mut held = Qty::ZERO;
        for fill in self.fills_of(key) {
            held = match fill.side {
                Side::Buy => held.plus(fill.qty).unwrap(),
                Side::Sell => held.minus(fill.qty).unwrap(),
            };
            if fill.fee.asset == base {
                held = held.minus(fill.fee.amount.qty()).unwrap();
            }
        }
        held
    }

    fn selling(&self, key: DealKey) -> Qty {
        let of_deal = self.open.iter().filter(|(id, _)| (id.key().bot, id.key().deal) == key);
        let sales = of_deal.filter(|(_, (_, side, _, _))| *side == Side::Sell);
        sales.fold(Qty::ZERO, |sum, (_, (_, _, _, leaves))| sum.plus(*leaves).unwrap())
    }
}

/// Each execution is booked once, as the exchange has it.
fn check_fills(driver: &Driver, id: AccountId, account: &Account, venue: &Venue) -> Checked {
    let stored = driver.memory.memory().stored(id).ok_or("not stored")?;
    let theirs: BTreeMap<_, _> =
        venue.fills.iter().map(|fill| ((fill.instrument, fill.trade_id), *fill)).collect();
    let mut booked: BTreeMap<DealKey, (Qty, Qty)> = BTreeMap::new();
    for (key, row) in &stored.fills {
        hold!(theirs.get(key) == Some(&row.fill), "{:?} is not the exchange's", row.fill);
        let named = row.fill.client_id.unwrap().key();
        hold!((row.bot, row.deal) == (named.bot, named.deal), "{row:?} is booked elsewhere");
        let (bought, sold) = booked.entry((row.bot, row.deal)).or_default();
        let sum = if row.fill.side == Side::Buy { bought } else { sold };
        *sum = sum.plus(row.fill.qty).unwrap();
    }
    if driver.memory.is_busy() {
        return Ok(());
    }
    for bot in account.bots.values() {
        for deal in bot.lanes.iter().filter_map(|lane| lane.deal.as_ref()) {
            let (bought, sold) = booked.get(&(bot.head.id, deal.no)).copied().unwrap_or_default();
            let position = &deal.position;
            hold!(
                (position.bought, position.sold) == (bought, sold),
                "bot {} deal {}: {position:?}, booked {bought} and {sold}",
                bot.head.id,
                deal.no
            );
        }
    }
    Ok(())
}

fn check_orders(lane: &Lane) -> Checked {
    for (slot, order) in lane.orders() {
        let qty = order.kind.qty();
        hold!(
            order.booked() <= order.executed() && qty.is_none_or(|qty| order.executed() <= qty),
            "{slot}: {order:?}"
        );
    }
    Ok(())
}

fn check_deal(
    driver: &Driver,
    account: &Account,
    (bot, lane): (&Bot, &Lane),
    venue: &Venue,
    disturbed: Disturbed,
) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let instrument = driver.exchange.instruments().get(lane.instrument).ok_or("no instrument")?;
    let key = (bot.head.id, deal.no);
    let name = format!("bot {} deal {}", key.0, key.1);
    let held = venue.held(key, instrument.symbol.base);
    let selling = venue.selling(key);
    hold!(selling <= held, "{name} sells {selling} of {held}");

    let config = bot.head.config(deal.version).ok_or("no settings")?;
    if !disturbed.edits {
        let mut spent = Quote::ZERO;
        let mut levels = BTreeSet::new();
        for fill in venue.fills_of(key).iter().filter(|fill| fill.side == Side::Buy) {
            spent = spent.plus(fill.quote).unwrap();
            if fill.fee.asset != instrument.symbol.base {
                spent = spent.plus(fill.fee.in_quote.unwrap_or_default()).unwrap();
            }
            levels.extend(fill.client_id.unwrap().key().slot.safety_number());
        }
        let open = venue.open.keys().map(|id| id.key());
        let open = open.filter(|open| (open.bot, open.deal) == key);
        levels.extend(open.filter_map(|open| open.slot.safety_number()));
        hold!(spent <= deal.budget, "{name} spent {spent} of {}", deal.budget);
        let most = usize::from(config.max_safety_orders());
        hold!(levels.len() <= most, "{name}: safety orders {levels:?} of {most}");
        check_ladder(driver, account, (key, &config))?;
    }
    check_take_profit(account, lane, &config, instrument)
}

/// Prices fall from one safety order to the next.
fn check_ladder(driver: &Driver, account: &Account, (key, config): (DealKey, &Config)) -> Checked {
    let stored = driver.memory.memory().stored(account.desk.id).ok_or("not stored")?;
    if config.deviation_reference() == DeviationReference::Average {
        return Ok(());
    }
    let mut prices: BTreeMap<u16, _> = BTreeMap::new();
    for row in &stored.intents {
        let named = row.request.client_id.key();
        if let (true, Some(number), Some(price)) =
            ((named.bot, named.deal) == key, named.slot.safety_number(), row.request.kind.price())
        {
            prices.insert(number, price);
        }
    }
    let prices: Vec<_> = prices.into_iter().collect();
    for pair in prices.windows(2) {
        // Where a tick is coarse, neighbors may meet on one price.
        hold!(pair[1].1 <= pair[0].1, "{key:?}: the ladder does not fall: {prices:?}");
    }
    Ok(())
}

/// Selling at the take profit brings what was configured, after fees.
fn check_take_profit(
    account: &Account,
    lane: &Lane,
    config: &Config,
    instrument: &tranche_model::instrument::Instrument,
) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let (Phase::Holding(_), Some(price)) = (deal.phase, deal.take_profit) else { return Ok(()) };
    let fees = account.desk.settings.fees;
    let fee = if config.trailing_deviation().is_some() { fees.taker } else { fees.maker };
    let position = &deal.position;
    let qty = position.sellable(instrument).unwrap();
    if position.sold.is_positive() {
        return Ok(());
    }
    let brought = price.get() * qty.get() * (Decimal::ONE - fee.get());
    let spent = position.spent().unwrap().get();
    let base = match config.take_profit_type() {
        TakeProfitType::Total => spent,
        TakeProfitType::Base => deal.base_spent.get(),
    };
    let wanted = base * config.take_profit().get();
    hold!(wanted <= brought - spent, "take profit {price}: {brought} for {spent}, not {wanted}");
    Ok(())
}

/// A deal is closed once, with the profit of its fills.
fn check_deal_rows(driver: &Driver, id: AccountId) -> Checked {
    let stored = driver.memory.memory().stored(id).ok_or("not stored")?;
    let mut seen = BTreeSet::new();
    for row in &stored.deals {
        hold!(seen.insert((row.bot, row.deal)), "closed twice: {row:?}");
        if row.ended == "cancelled" {
            continue;
        }
        let fills =
            stored.fills.values().filter(|fill| (fill.bot, fill.deal) == (row.bot, row.deal));
        let base = driver.exchange.instruments().get(row.instrument).unwrap().symbol.base;
        let mut profit = Quote::ZERO;
        for fill in fills.map(|row| row.fill).filter(|fill| fill.at <= row.closed_at) {
            profit = match fill.side {
                Side::Buy => profit.minus(fill.quote).unwrap(),
                Side::Sell => profit.plus(fill.quote).unwrap(),
            };
            if fill.fee.asset != base {
                profit = profit.minus(fill.fee.in_quote.unwrap_or_default()).unwrap();
            }
        }
        hold!(profit == row.profit, "{row:?} made {profit}");
    }
    Ok(())
}

/// No unit is reserved that is not there.
fn check_reserved(driver: &Driver, id: AccountId, account: &Account) -> Checked {
    for balance in driver.exchange.balances(id) {
        let reserved = account.desk.exposure.reserved(balance.asset);
        let total = balance.total().unwrap();
        // What was executed and not told yet is still reserved here.
        let is_known = account.desk.ledger.total(balance.asset) == total;
        hold!(
            !is_known || reserved <= total,
            "{reserved} {} are reserved of {total}",
            balance.asset
        );
    }
    Ok(())
}

/// A lane without a deal has a reason for that, and one that holds now.
fn check_start(account: &Account, (bot, lane): (&Bot, &Lane), now: Timestamp) -> Checked {
    let config = bot.head.current().ok_or("no settings")?;
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
            bot.head.entries_paused || account.desk.entries() != Entries::Allowed
        }
        Some(NoDeal::Unread) => account.desk.unread.contains(&lane.instrument),
        Some(NoDeal::Stopped) => {
            config.stop_after_deals().is_some_and(|most| most <= bot.head.deals_opened)
        }
        Some(NoDeal::NotAllowed | NoDeal::DailyLoss) => true,
    };
    hold!(holds, "bot {}: no deal on {}, for {:?}", bot.head.id, lane.instrument, lane.no_deal);
    Ok(())
}

/// As many safety orders rest as should, or a reason is shown.
fn check_rungs(driver: &Driver, account: &Account, (bot, lane): (&Bot, &Lane)) -> Checked {
    let Some(deal) = &lane.deal else { return Ok(()) };
    let config = bot.head.config(deal.version).ok_or("no settings")?;
    let is_allowed = account.desk.entries() == Entries::Allowed && !bot.head.entries_paused;
    if !matches!(deal.phase, Phase::Holding(_)) || !is_allowed || config.stop_loss().is_some() {
        return Ok(());
    }
    let open = deal.levels.open(config.max_safety_orders());
    for number in open.take(usize::from(config.active_safety_orders_count())) {
        let slot = Slot::safety(number).ok_or("no slot")?;
        let is_out = lane
            .seat(slot)
            .is_some_and(|seat| seat.order.is_some() || seat.blocked().is_some() || seat.queued);
        let instrument = driver.exchange.instruments().get(lane.instrument);
        let tick = instrument.ok_or("no instrument")?.tick;
        let (origin, level) = (deal.origin.unwrap_or_default(), config.level(number));
        let at = origin.get() * level.map_or(Decimal::ZERO, |level| level.factor.get());
        let is_real = tick.get() <= at;
        hold!(is_out || !is_real, "bot {} deal {}: no {slot}: {deal:?}", bot.head.id, deal.no);
    }
    Ok(())
}

/// What can be sold is up for sale, unless a reason is shown.
fn check_cover(
    driver: &Driver,
    account: &Account,
    (bot, lane): (&Bot, &Lane),
    venue: &Venue,
) -> Checked {
    let Some(deal) = &lane.deal else {
        hold!(lane.orders().next().is_none(), "orders without a deal: {lane:?}");
        return Ok(());
    };
    let name = format!("bot {} deal {}", bot.head.id, deal.no);
    let instrument = driver.exchange.instruments().get(lane.instrument).ok_or("no instrument")?;
    let key = (bot.head.id, deal.no);
    let sellable = deal.position.sellable(instrument).unwrap();
    let is_shown = |slot| lane.seat(slot).is_some_and(|seat| seat.blocked().is_some());
    let config = bot.head.config(deal.version).ok_or("no settings")?;
    match deal.phase {
        Phase::Holding(_) if config.trailing_deviation().is_none() => {
            let price = deal.take_profit.ok_or_else(|| format!("{name} has no take profit"))?;
            let is_covered = venue.selling(key) == sellable;
            hold!(
                is_covered
                    || is_shown(Slot::TAKE_PROFIT)
                    || !instrument.is_tradable(sellable, price),
                "{name} sells {} of {sellable}: {deal:?}",
                venue.selling(key)
            );
        }
        Phase::Holding(_) => {}
        Phase::Entering(entry) => {
            let is_out = lane.orders().next().is_some();
            let is_frozen = account.desk.entries() != Entries::Allowed || bot.head.entries_paused;
            hold!(
                is_out || is_shown(Slot::BASE) || is_frozen,
                "{name} enters without an order: {entry:?} {:?}",
                lane.seats
            );
        }
        Phase::Exiting { .. } | Phase::Abandoned => {
            hold!(is_shown(Slot::CLOSE), "{name} does not end: {deal:?} {:?}", lane.seats);
        }
    }
    Ok(())
}

fn check_totals(driver: &Driver, id: AccountId, account: &Account) -> Checked {
    for balance in driver.exchange.balances(id) {
        let (theirs, ours): (Amount, Amount) =
            (balance.total().unwrap(), account.desk.ledger.total(balance.asset));
        hold!(theirs == ours, "{} {}: here {ours}", theirs, balance.asset);
    }
    Ok(())
}
