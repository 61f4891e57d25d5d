//! The auditor: compares our books with the exchange's own, rule by rule.
//!
//! It reads the exchange's truth and the accounts' state and shares no code with either's
//! book-keeping. The numbers are those of the project's list of invariants.

use std::{collections::BTreeMap, fmt};

use tranche_model::{
    asset::Asset,
    decimal::MathError,
    ids::{AccountId, BotId, DealNo, InstrumentId, TradeId},
    instrument::Instruments,
    money::{Amount, Qty},
    order::{OrderReport, OrderStatus, Side},
    time::Timestamp,
};
use tranche_trading::{
    account::Account,
    bot::Bot,
    dca::{Deal, Scene},
    shard::Output,
};

use crate::{driver::Driver, exchange::Exchange, memory::Memory};

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule's number, such as `I-07`.
    pub invariant: &'static str,
    pub text: String,
}

/// What was told so far, and what the last look saw.
#[derive(Debug, Clone, Default)]
pub struct Auditor {
    /// Fills that were told as booked, with how often.
    booked: BTreeMap<(AccountId, InstrumentId, TradeId), u32>,
    /// What the exchange had executed of each order when last looked at.
    executed: BTreeMap<(AccountId, tranche_model::client_order_id::ClientOrderId), Qty>,
}

impl Auditor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of what a driver told.
    pub fn observe(&mut self, told: &Output) {
        if let Output::Booked { account, row } = told {
            let key = (*account, row.fill.instrument, row.fill.trade_id);
            let times = self.booked.entry(key).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Looks at everything. Call it at a quiet moment: between two ticks, with nothing under way.
    pub fn check<'a>(
        &mut self,
        books: Books<'a>,
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        for (key, times) in self.booked.iter().filter(|(_, times)| 1 < **times) {
            found.push(violation("I-04", format!("fill {key:?} was booked {times} times")));
        }
        if let Err(error) = books.exchange.audit() {
            found.push(violation("I-06", format!("the exchange's own books: {error}")));
        }
        for account in accounts {
            let checked = Look { books, account }.all(&mut found);
            if let Err(error) = checked {
                found.push(violation("I-06", format!("account {}: {error}", account.desk.id)));
            }
            self.check_executions(account.desk.id, books.exchange, &mut found);
        }
        found
    }

    /// I-07: what was executed lies between nothing and all, and never falls.
    fn check_executions(
        &mut self,
        account: AccountId,
        exchange: &Exchange,
        found: &mut Vec<Violation>,
    ) {
        for order in exchange.open_orders(account) {
            let id = order.client_id;
            let before = self.executed.insert((account, id), order.executed).unwrap_or_default();
            let most = order.kind.qty().unwrap_or(order.executed);
            if order.executed < before || most < order.executed {
                let text = format!("{id}: executed {} after {before} of {most}", order.executed);
                found.push(violation("I-07", text));
            }
        }
    }
}

/// Both sides' books.
#[derive(Debug, Clone, Copy)]
pub struct Books<'a> {
    pub exchange: &'a Exchange,
    pub memory: &'a Memory,
    /// As our side knows them.
    pub instruments: &'a Instruments,
    pub now: Timestamp,
}

impl<'a> Books<'a> {
    pub fn of(driver: &'a Driver) -> Self {
        Self {
            exchange: &driver.exchange,
            memory: driver.memory.memory(),
            instruments: driver.shard.instruments(),
            now: driver.now(),
        }
    }
}

/// One account under the glass.
struct Look<'a> {
    books: Books<'a>,
    account: &'a Account,
}

/// Own orders at the exchange that belong to one deal.
type ByDeal = BTreeMap<(BotId, DealNo), Vec<OrderReport>>;

impl Look<'_> {
    fn all(&self, found: &mut Vec<Violation>) -> Result<(), MathError> {
        self.fills(found);
        self.ledger(found)?;
        self.reservations(found)?;
        let by_deal = self.orders_by_deal();
        for ((bot, deal), orders) in &by_deal {
            slots((*bot, *deal), orders, found);
        }
        for bot in self.account.bots.values() {
            self.deals(bot, &by_deal, found)?;
        }
        Ok(())
    }

    fn id(&self) -> AccountId {
        self.account.desk.id
    }

    /// I-04: what is stored is what was traded, each trade once.
    fn fills(&self, found: &mut Vec<Violation>) {
        let Some(stored) = self.books.memory.stored(self.id()) else { return };
        if stored.fills.is_empty() {
            return;
        }
        let mut rows = stored.fills.clone();
        for instrument in self.books.instruments {
            let trades = self.books.exchange.trades(self.id(), instrument.id, Timestamp::MIN);
            for trade in trades.iter().filter(|trade| trade.client_id.is_some()) {
                let row = rows.remove(&(instrument.id, trade.trade_id));
                if row.is_none_or(|row| row.fill.qty != trade.qty || row.fill.quote != trade.quote)
                {
                    let text = format!("trade {} is not booked as it was made", trade.trade_id);
                    found.push(violation("I-04", text));
                }
            }
        }
        for (_, row) in rows {
            let text = format!("fill {} was never traded", row.fill.trade_id);
            found.push(violation("I-04", text));
        }
    }

    /// I-06: our totals are the exchange's, to the last unit.
    fn ledger(&self, found: &mut Vec<Violation>) -> Result<(), MathError> {
        let mut theirs: BTreeMap<Asset, Amount> = BTreeMap::new();
        for balance in self.books.exchange.balances(self.id()) {
            theirs.insert(balance.asset, balance.total()?);
        }
        for (asset, ours) in self.account.desk.ledger.totals() {
            let total = theirs.remove(&asset).unwrap_or_default();
            if ours != total {
                let text = format!(
                    "account {}: {asset} {ours} in our books, {total} in theirs",
                    self.id()
                );
                found.push(violation("I-06", text));
            }
        }
        for (asset, total) in theirs.into_iter().filter(|(_, total)| !total.is_zero()) {
            let text = format!("account {}: {asset} {total} is not in our books", self.id());
            found.push(violation("I-06", text));
        }
        Ok(())
    }

    /// I-18: nothing is reserved that is not there.
    fn reservations(&self, found: &mut Vec<Violation>) -> Result<(), MathError> {
        for balance in self.books.exchange.balances(self.id()) {
            let reserved = self.account.desk.exposure.reserved(balance.asset);
            if balance.total()? < reserved {
                let text = format!(
                    "account {}: {reserved} {} reserved of {}",
                    self.id(),
                    balance.asset,
                    balance.total()?
                );
                found.push(violation("I-18", text));
            }
        }
        Ok(())
    }

    fn orders_by_deal(&self) -> ByDeal {
        let mut by_deal = ByDeal::new();
        let ours = self.account.desk.settings.origin.installation;
        for order in self.books.exchange.open_orders(self.id()) {
            let key = order.client_id.key();
            if order.client_id.origin().installation == ours {
                by_deal.entry((key.bot, key.deal)).or_default().push(order);
            }
        }
        by_deal
    }

    fn deals(
        &self,
        bot: &Bot,
        by_deal: &ByDeal,
        found: &mut Vec<Violation>,
    ) -> Result<(), MathError> {
        let most = bot.head.current().map_or(0, |config| config.max_active_deals());
        // Settings that were lowered do not end deals that are open.
        let is_edited = 1 < bot.head.version;
        if most < bot.active_deals() && !is_edited {
            let text = format!("bot {}: {} deals of {most}", bot.head.id, bot.active_deals());
            found.push(violation("I-11", text));
        }
        for lane in &bot.lanes {
            let Some(deal) = &lane.deal else { continue };
            let Some(config) = bot.head.config(deal.version) else { continue };
            let Some(instrument) = self.books.instruments.get(lane.instrument) else { continue };
            let fees = self.account.desk.settings.fees;
            let now = self.books.now;
            let scene = Scene { config: &config, instrument, fees, now, is_whole: true };
            let orders = by_deal.get(&(bot.head.id, deal.no)).map_or(&[][..], Vec::as_slice);
            spending((bot.head.id, deal), orders, &scene, found)?;
            exits((bot.head.id, deal), orders, &scene, found)?;
        }
        Ok(())
    }
}

/// I-10: one live order in a slot.
fn slots((bot, deal): (BotId, DealNo), orders: &[OrderReport], found: &mut Vec<Violation>) {
    let mut seen = BTreeMap::new();
    for order in orders {
        if let Some(other) = seen.insert(order.client_id.key().slot, order.client_id) {
            let text = format!("bot {bot} deal {deal}: {other} and {}", order.client_id);
            found.push(violation("I-10", text));
        }
    }
}

/// I-11: no more safety orders and no more money than the settings say.
fn spending(
    (bot, deal): (BotId, &Deal),
    orders: &[OrderReport],
    scene: &Scene<'_>,
    found: &mut Vec<Violation>,
) -> Result<(), MathError> {
    let buys = orders.iter().filter(|order| order.side == Side::Buy);
    let live = buys.clone().filter(|order| order.client_id.key().slot.safety_number().is_some());
    let live = u16::try_from(live.count()).unwrap_or(u16::MAX);
    let most = scene.config.max_safety_orders();
    if most < deal.levels.count().saturating_add(live) {
        let text = format!("bot {bot} deal {}: more than {most} safety orders", deal.no);
        found.push(violation("I-11", text));
    }
    let mut committed = deal.position.spent()?;
    for order in buys {
        let worth = order.kind.quote_max().transpose()?.unwrap_or_default();
        committed = committed.plus(worth.minus_floored(order.executed_quote)?)?;
    }
    if deal.budget < committed {
        let text = format!("bot {bot} deal {}: {committed} of {}", deal.no, deal.budget);
        found.push(violation("I-11", text));
    }
    Ok(())
}

/// I-13: exits never exceed what can be sold.
fn exits(
    (bot, deal): (BotId, &Deal),
    orders: &[OrderReport],
    scene: &Scene<'_>,
    found: &mut Vec<Violation>,
) -> Result<(), MathError> {
    let mut open = Qty::ZERO;
    let sells = orders.iter().filter(|order| order.side == Side::Sell);
    for order in sells.filter(|order| order.status != OrderStatus::Filled) {
        let qty = order.kind.qty().unwrap_or_default();
        open = open.plus(qty.minus_floored(order.executed)?)?;
    }
    let sellable = deal.sellable(scene)?;
    if sellable < open {
        let text = format!("bot {bot} deal {}: exits of {open} over {sellable}", deal.no);
        found.push(violation("I-13", text));
    }
    Ok(())
}

const fn violation(invariant: &'static str, text: String) -> Violation {
    Violation { invariant, text }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}
