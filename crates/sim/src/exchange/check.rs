//! The exchange's checks of an order, in its order, with its codes and texts.
//!
//! Binance spot API documents, "Error codes" and "Filters" (2026-07-21); the order of checks is
//! inferred from answers: symbol, precision, filters, duplicate id, engine.

use tranche_model::{
    cast,
    decimal::MathError,
    filter::{Broken, Filter, MarketState, OpenOrders, Proposal, Rule},
    ids::InstrumentId,
    instrument::{Instrument, TradingStatus},
    money::{Amount, Fraction, Qty, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
    record::{Refusal, RefusalReason},
};

use super::{
    Exchange,
    condition::{Stage, Trigger},
    order::Draft,
    plan::{Plan, Stop},
};

/// An order that passed.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) plan: Plan,
    pub(super) lock: Amount,
    /// The fee rate that the lock includes.
    pub(super) reserve: Fraction,
}

/// What the rules have to know of an order beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) trigger: Option<Trigger>,
    /// It begins a list.
    pub(super) is_list: bool,
    /// It is among the open ones already.
    pub(super) is_open: bool,
    /// Orders that come with it and are not among the open ones yet.
    pub(super) beside: usize,
    pub(super) amends: u32,
}

impl Exchange {
    pub(super) fn check(&self, draft: &Draft) -> Result<Checked, Refusal> {
        self.check_with(draft, &Facts::default())
    }

    /// All checks of an order that goes to work at once.
    pub(super) fn check_with(&self, draft: &Draft, facts: &Facts) -> Result<Checked, Refusal> {
        let plan = self.plan(draft);
        let instrument = self.check_rules(draft, facts, plan.as_ref().ok())?;
        let plan = plan.map_err(too_many_digits)?;
        self.check_unique(draft)?;
        open_for_orders(instrument)?;
        let checked = self.priced(draft, plan)?;
        if self.ledger.free(draft.account, locked_asset(instrument, draft.side)) < checked.lock {
            return Err(poor());
        }
        self.check_maker(draft)?;
        Ok(checked)
    }

    /// The checks of an order that was there already and goes to work now; its funds are not looked
    /// at.
    pub(super) fn check_for_work(&self, draft: &Draft) -> Result<Checked, Refusal> {
        let plan = self.plan(draft);
        let facts = Facts { is_open: true, ..Facts::default() };
        let instrument = self.check_rules(draft, &facts, plan.as_ref().ok())?;
        open_for_orders(instrument)?;
        self.check_maker(draft)?;
        self.priced(draft, plan.map_err(too_many_digits)?)
    }

    /// The checks of an order that waits first: what it has to hold meanwhile. Its funds are not
    /// looked at.
    pub(super) fn check_waiting(&self, draft: &Draft, facts: &Facts) -> Result<Amount, Refusal> {
        let instrument = self.check_rules(draft, facts, None)?;
        if !facts.is_open {
            self.check_unique(draft)?;
        }
        open_for_orders(instrument)?;
        let Some(trigger) = facts.trigger else {
            self.check_maker(draft)?;
            return self.needed_waiting(draft, None).map_err(too_many_digits);
        };
        let last = self.last_price(draft.instrument);
        let is_met = trigger.price.is_some()
            && last.is_some_and(|last| trigger.is_reached(draft.side, last));
        if is_met {
            return Err(would_trigger());
        }
        self.needed_waiting(draft, Some(trigger)).map_err(too_many_digits)
    }

    /// The instrument's filters, and what holds where they leave the bounds open.
    pub(super) fn check_rules(
        &self,
        draft: &Draft,
        facts: &Facts,
        plan: Option<&Plan>,
    ) -> Result<&Instrument, Refusal> {
        self.known(draft.account)?;
        let instrument = self.instruments.get(draft.instrument).ok_or_else(bad_symbol)?;
        let market = self.market_state(draft, facts).map_err(too_many_digits)?;
        let proposal = proposal(draft, facts, plan);
        instrument.check(&proposal, &market).map_err(|rule| broken(&rule))?;
        positive(draft)?;
        Ok(instrument)
    }

    /// What the order locks, with the plan that holds for its kind.
    fn priced(&self, draft: &Draft, mut plan: Plan) -> Result<Checked, Refusal> {
        let reserve = self.reserve_of(draft);
        let lock = self.needed(draft, &plan, reserve).map_err(too_many_digits)?;
        if fills_or_dies(draft) && draft.kind.qty() != Some(plan.qty) {
            plan.steps.clear();
        }
        Ok(Checked { plan, lock, reserve })
    }

    /// The fee rate that the locks of an order include.
    pub(super) fn reserve_of(&self, draft: &Draft) -> Fraction {
        self.terms.get(&draft.account).map_or(Fraction::ZERO, |terms| terms.reserve(draft.side))
    }

    fn check_maker(&self, draft: &Draft) -> Result<(), Refusal> {
        if matches!(draft.kind, OrderKind::LimitMaker { .. }) && self.would_trade(draft) {
            return Err(would_take());
        }
        Ok(())
    }

    fn market_state(&self, draft: &Draft, facts: &Facts) -> Result<MarketState, MathError> {
        let (account, instrument) = (draft.account, draft.instrument);
        let (on_instrument, on_account) = self.orders.counts(account, instrument);
        let (mut open, mut open_account) = self.special_counts(draft);
        let all = |count: usize| {
            let count = count.saturating_add(facts.beside);
            cast::u32_saturating(count.saturating_sub(usize::from(facts.is_open)))
        };
        (open.all, open_account.all) = (all(on_instrument), all(on_account));
        if facts.is_open && facts.trigger.is_some() {
            open.algo = open.algo.saturating_sub(1);
            open_account.algo = open_account.algo.saturating_sub(1);
        }
        let reference = self.last_price(instrument);
        Ok(MarketState { reference, open, open_account, position: self.position(draft, facts)? })
    }

    /// Open orders that wait for a trigger, and open lists: on the instrument, and on the account.
    fn special_counts(&self, draft: &Draft) -> (OpenOrders, OpenOrders) {
        let (mut open, mut open_account) = (OpenOrders::default(), OpenOrders::default());
        if self.special.conditions.is_empty() {
            return (open, open_account);
        }
        for order in self.orders.open_of(draft.account) {
            let waits = self
                .condition(order.number)
                .is_some_and(|it| it.trigger.is_some() && it.stage != Stage::Working);
            let one = u32::from(waits);
            open_account.algo = open_account.algo.saturating_add(one);
            if order.draft.instrument == draft.instrument {
                open.algo = open.algo.saturating_add(one);
            }
        }
        for list in self.special.lists.values() {
            if list.account == draft.account && !list.is_done {
                open_account.lists = open_account.lists.saturating_add(1);
                let here = u32::from(list.instrument == draft.instrument);
                open.lists = open.lists.saturating_add(here);
            }
        }
        (open, open_account)
    }

    /// Free and locked base and the rest of open buys; only summed for instruments that limit it.
    fn position(&self, draft: &Draft, facts: &Facts) -> Result<Qty, MathError> {
        let Some(instrument) = self.instruments.get(draft.instrument) else {
            return Ok(Qty::ZERO);
        };
        let is_limited =
            instrument.filters.iter().any(|filter| matches!(filter, Filter::MaxPosition { .. }));
        if !is_limited || facts.is_open {
            return Ok(Qty::ZERO);
        }
        let held = self.ledger.total(draft.account, instrument.symbol.base)?;
        self.orders
            .open_on(draft.account, draft.instrument)
            .filter(|order| order.draft.side == Side::Buy)
            .try_fold(held, |sum, order| sum.plus(order.remaining()?))
    }

    /// An id is taken only while an order with it is open (Binance, "New order", newClientOrderId).
    pub(super) fn check_unique(&self, draft: &Draft) -> Result<(), Refusal> {
        let Some(id) = draft.client_id else { return Ok(()) };
        let is_taken = self
            .orders
            .with_id(draft.account, id)
            .any(|order| order.is_open() && order.draft.instrument == draft.instrument);
        if is_taken { Err(duplicate()) } else { Ok(()) }
    }

    /// What has to be free before the order, and is locked for it.
    fn needed(&self, draft: &Draft, plan: &Plan, reserve: Fraction) -> Result<Amount, MathError> {
        match (draft.side, draft.kind) {
            (Side::Sell, kind) => Ok(kind.qty().unwrap_or(plan.qty).amount()),
            (Side::Buy, OrderKind::Market { size: Size::Quote(quote) }) => {
                self.with_reserve(quote, reserve)
            }
            (Side::Buy, OrderKind::Market { size: Size::Base(_) }) => {
                self.with_reserve(plan.quote, reserve)
            }
            (
                Side::Buy,
                OrderKind::Limit { price, qty, .. } | OrderKind::LimitMaker { price, qty },
            ) => self.buy_lock(price, qty, reserve),
        }
    }

    /// What an order holds while it waits: a buy at market what it would cost at its trigger. How the
    /// exchange reckons that is not documented; when the order goes to work, what is missing is taken.
    pub(super) fn needed_waiting(
        &self,
        draft: &Draft,
        trigger: Option<Trigger>,
    ) -> Result<Amount, MathError> {
        let qty = draft.kind.qty().unwrap_or_default();
        let at_trigger = trigger.and_then(|trigger| trigger.price);
        let last = || at_trigger.or_else(|| self.last_price(draft.instrument));
        let price = draft.kind.price().or_else(last);
        match (draft.side, price) {
            (Side::Sell, _) => Ok(qty.amount()),
            (Side::Buy, Some(price)) => self.buy_lock(price, qty, self.reserve_of(draft)),
            (Side::Buy, None) => Ok(Amount::ZERO),
        }
    }
}

/// The asset that an order holds while it is open.
pub(super) const fn locked_asset(
    instrument: &Instrument,
    side: Side,
) -> tranche_model::asset::Asset {
    match side {
        Side::Buy => instrument.symbol.quote,
        Side::Sell => instrument.symbol.base,
    }
}

/// The order as the filters see it. One sized in quote is also judged by the steps that it buys.
fn proposal(draft: &Draft, facts: &Facts, plan: Option<&Plan>) -> Proposal {
    let quote = match draft.kind {
        OrderKind::Market { size: Size::Quote(quote) } => Some(quote),
        OrderKind::Market { size: Size::Base(_) }
        | OrderKind::Limit { .. }
        | OrderKind::LimitMaker { .. } => None,
    };
    let is_sized = quote.is_some_and(Quote::is_positive);
    let bought = plan
        .filter(|plan| is_sized && (plan.stop == Stop::Done || !plan.steps.is_empty()))
        .map(|plan| plan.qty);
    Proposal {
        side: draft.side,
        is_market: matches!(draft.kind, OrderKind::Market { .. }),
        price: draft.kind.price(),
        stop_price: facts.trigger.and_then(|it| it.price),
        qty: draft.kind.qty().or(bought),
        quote,
        iceberg_qty: None,
        is_algo: facts.trigger.is_some(),
        trailing: facts.trigger.and_then(|it| Some((it.is_above(draft.side), it.trailing?))),
        is_list: facts.is_list,
        amends: facts.amends,
    }
}

fn fills_or_dies(draft: &Draft) -> bool {
    matches!(draft.kind, OrderKind::Limit { time_in_force: TimeInForce::FillOrKill, .. })
}

/// Holds where an instrument's filters leave the bounds open.
fn positive(draft: &Draft) -> Result<(), Refusal> {
    if draft.kind.price().is_some_and(|price| !price.is_positive()) {
        return Err(refusal(RefusalReason::Rule(Rule::PriceFilter), -1013, "Invalid price."));
    }
    let lot = RefusalReason::Rule(Rule::LotSize);
    if draft.kind.qty().is_some_and(|qty| !qty.is_positive()) {
        return Err(refusal(lot, -1013, "Invalid quantity."));
    }
    match draft.kind {
        OrderKind::Market { size: Size::Quote(quote) } if !quote.is_positive() => {
            Err(refusal(lot, -1013, "Invalid quote order quantity."))
        }
        OrderKind::Market { .. } | OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } => Ok(()),
    }
}

fn broken(broken: &Broken) -> Refusal {
    let reason = RefusalReason::Rule(broken.rule);
    if broken.rule != Rule::Precision {
        return refusal(reason, -1013, &format!("Filter failure: {}", broken.rule));
    }
    let parameter = match broken.value.rsplit_once(' ').map_or("", |(name, _)| name) {
        "quote quantity" => "quoteOrderQty",
        name => name,
    };
    refusal(reason, -1111, &format!("Parameter '{parameter}' has too much precision."))
}

/// An order whose worth cannot be held exactly is refused like one with too many digits.
pub(super) fn too_many_digits(_: MathError) -> Refusal {
    let reason = RefusalReason::Rule(Rule::Precision);
    refusal(reason, -1111, "Parameter 'quantity' has too much precision.")
}

pub(super) fn bad_key() -> Refusal {
    refusal(RefusalReason::Key, -2015, "Invalid API-key, IP, or permissions for action.")
}

pub(super) fn bad_symbol() -> Refusal {
    refusal(RefusalReason::Other, -1121, "Invalid symbol.")
}

pub(super) fn too_late() -> Refusal {
    let text = "Timestamp for this request is outside of the recvWindow.";
    refusal(RefusalReason::Other, -1021, text)
}

pub(super) fn unknown_order() -> Refusal {
    refusal(RefusalReason::Other, -2011, "Unknown order sent.")
}

pub(super) fn poor() -> Refusal {
    let text = "Account has insufficient balance for requested action.";
    refusal(RefusalReason::InsufficientFunds, -2010, text)
}

pub(super) fn duplicate() -> Refusal {
    refusal(RefusalReason::DuplicateId, -2010, "Duplicate order sent.")
}

fn open_for_orders(instrument: &Instrument) -> Result<(), Refusal> {
    if instrument.status == TradingStatus::Trading { Ok(()) } else { Err(closed()) }
}

fn closed() -> Refusal {
    refusal(RefusalReason::MarketClosed, -2010, "Market is closed.")
}

fn would_take() -> Refusal {
    refusal(RefusalReason::WouldTrade, -2010, "Order would immediately match and take.")
}

fn would_trigger() -> Refusal {
    refusal(RefusalReason::WouldTrade, -2010, "Stop price would trigger immediately.")
}

pub(super) fn bad_prices() -> Refusal {
    let text = "The relationship of the prices for the orders is not correct.";
    refusal(RefusalReason::WouldTrade, -2010, text)
}

pub(super) fn bad_combination() -> Refusal {
    refusal(RefusalReason::Other, -1014, "Unsupported order combination.")
}

pub(super) fn not_amended(text: &str) -> Refusal {
    refusal(RefusalReason::Other, -2038, text)
}

fn refusal(reason: RefusalReason, code: i32, text: &str) -> Refusal {
    Refusal { reason, code, text: text.to_owned() }
}

/// Whether the instrument is one that the exchange lists.
pub(super) fn listed(exchange: &Exchange, instrument: InstrumentId) -> Result<(), Refusal> {
    exchange.instruments.get(instrument).map(|_| ()).ok_or_else(bad_symbol)
}
