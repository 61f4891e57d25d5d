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

impl Exchange {
    pub(super) fn check(&self, draft: &Draft) -> Result<Checked, Refusal> {
        let terms = self.terms.get(&draft.account).ok_or_else(bad_key)?;
        let instrument = self.instruments.get(draft.instrument).ok_or_else(bad_symbol)?;
        let plan = self.plan(draft);
        let market = self.market_state(draft).map_err(too_many_digits)?;
        let proposal = proposal(draft, plan.as_ref().ok());
        instrument.check(&proposal, &market).map_err(|rule| broken(&rule))?;
        positive(draft)?;
        let mut plan = plan.map_err(too_many_digits)?;
        self.check_unique(draft)?;
        if instrument.status != TradingStatus::Trading {
            return Err(closed());
        }
        let reserve = terms.reserve(draft.side);
        let lock = self.needed(draft, &plan, reserve).map_err(too_many_digits)?;
        if self.ledger.free(draft.account, locked_asset(instrument, draft.side)) < lock {
            return Err(poor());
        }
        if matches!(draft.kind, OrderKind::LimitMaker { .. }) && self.would_trade(draft) {
            return Err(would_take());
        }
        if fills_or_dies(draft) && draft.kind.qty() != Some(plan.qty) {
            plan.steps.clear();
        }
        Ok(Checked { plan, lock, reserve })
    }

    fn market_state(&self, draft: &Draft) -> Result<MarketState, MathError> {
        let (account, instrument) = (draft.account, draft.instrument);
        let (on_instrument, on_account) = self.orders.counts(account, instrument);
        let count = |all| OpenOrders { all: cast::u32_saturating(all), ..OpenOrders::default() };
        Ok(MarketState {
            reference: self.last_price(instrument),
            open: count(on_instrument),
            open_account: count(on_account),
            position: self.position(draft)?,
        })
    }

    /// Free and locked base and the rest of open buys; only summed for instruments that limit it.
    fn position(&self, draft: &Draft) -> Result<Qty, MathError> {
        let Some(instrument) = self.instruments.get(draft.instrument) else {
            return Ok(Qty::ZERO);
        };
        let is_limited =
            instrument.filters.iter().any(|filter| matches!(filter, Filter::MaxPosition { .. }));
        if !is_limited {
            return Ok(Qty::ZERO);
        }
        let held = self.ledger.total(draft.account, instrument.symbol.base)?;
        self.orders
            .open_on(draft.account, draft.instrument)
            .filter(|order| order.draft.side == Side::Buy)
            .try_fold(held, |sum, order| sum.plus(order.remaining()?))
    }

    /// An id is taken only while an order with it is open (Binance, "New order", newClientOrderId).
    fn check_unique(&self, draft: &Draft) -> Result<(), Refusal> {
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
fn proposal(draft: &Draft, plan: Option<&Plan>) -> Proposal {
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
        stop_price: None,
        qty: draft.kind.qty().or(bought),
        quote,
        iceberg_qty: None,
        is_algo: false,
        trailing: None,
        is_list: false,
        amends: 0,
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

fn duplicate() -> Refusal {
    refusal(RefusalReason::DuplicateId, -2010, "Duplicate order sent.")
}

fn closed() -> Refusal {
    refusal(RefusalReason::MarketClosed, -2010, "Market is closed.")
}

fn would_take() -> Refusal {
    refusal(RefusalReason::WouldTrade, -2010, "Order would immediately match and take.")
}

fn refusal(reason: RefusalReason, code: i32, text: &str) -> Refusal {
    Refusal { reason, code, text: text.to_owned() }
}

/// Whether the instrument is one that the exchange lists.
pub(super) fn listed(exchange: &Exchange, instrument: InstrumentId) -> Result<(), Refusal> {
    exchange.instruments.get(instrument).map(|_| ()).ok_or_else(bad_symbol)
}
