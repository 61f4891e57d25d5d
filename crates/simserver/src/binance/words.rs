//! Our nouns in the words of the wire.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};
use tranche_model::order::{OrderKind, OrderStatus, Side, Size, TimeInForce};
use tranche_sim::exchange::{
    Ending, ListChange, ListKind, SelfTradePrevention, Stage, Trigger, TriggerKind,
};

use crate::world::records::{Record, State};

/// Digits after the point of every decimal on the wire.
const DIGITS: u32 = 8;

/// Eight digits after the point; more are cut.
pub(crate) fn decimal(value: Decimal) -> String {
    let mut value = value.round_dp_with_strategy(DIGITS, RoundingStrategy::ToZero);
    value.rescale(DIGITS);
    value.to_string()
}

/// Numbers of orders and trades are integers on this wire.
pub(crate) fn id(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(crate) const fn order_type(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Market { .. } => "MARKET",
        OrderKind::Limit { .. } => "LIMIT",
        OrderKind::LimitMaker { .. } => "LIMIT_MAKER",
    }
}

/// The type of an order that may wait for a trigger.
pub(crate) const fn special_type(kind: OrderKind, trigger: Option<Trigger>) -> &'static str {
    let Some(trigger) = trigger else { return order_type(kind) };
    match (trigger.kind, kind) {
        (TriggerKind::StopLoss, OrderKind::Market { .. }) => "STOP_LOSS",
        (TriggerKind::TakeProfit, OrderKind::Market { .. }) => "TAKE_PROFIT",
        (TriggerKind::StopLoss, OrderKind::Limit { .. } | OrderKind::LimitMaker { .. }) => {
            "STOP_LOSS_LIMIT"
        }
        (TriggerKind::TakeProfit, OrderKind::Limit { .. } | OrderKind::LimitMaker { .. }) => {
            "TAKE_PROFIT_LIMIT"
        }
    }
}

/// The number of the order's list; -1 without one.
pub(crate) fn list_id(record: &Record) -> Value {
    record.list().map_or_else(|| Value::from(-1), |list| list.get().into())
}

/// Zero without one.
pub(crate) fn stop_price(record: &Record) -> String {
    let price = record.trigger().and_then(|trigger| trigger.price);
    decimal(price.unwrap_or_default().get())
}

/// -1 before the order works.
pub(crate) fn working_time(state: &State) -> i64 {
    state.working_at.map_or(-1, tranche_model::time::Timestamp::ms)
}

pub(crate) const fn contingency(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Oco => "OCO",
        ListKind::Oto => "OTO",
    }
}

/// Status type and status of a list.
pub(crate) const fn list_status(change: ListChange) -> (&'static str, &'static str) {
    match change {
        ListChange::Started => ("EXEC_STARTED", "EXECUTING"),
        ListChange::Renamed => ("UPDATED", "EXECUTING"),
        ListChange::Done => ("ALL_DONE", "ALL_DONE"),
    }
}

/// Orders without one are shown as good till cancelled.
pub(crate) const fn time_in_force(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Limit { time_in_force: TimeInForce::ImmediateOrCancel, .. } => "IOC",
        OrderKind::Limit { time_in_force: TimeInForce::FillOrKill, .. } => "FOK",
        OrderKind::Limit { time_in_force: TimeInForce::GoodTillCancelled, .. }
        | OrderKind::LimitMaker { .. }
        | OrderKind::Market { .. } => "GTC",
    }
}

/// Zero for a market order.
pub(crate) fn price(kind: OrderKind) -> String {
    decimal(kind.price().unwrap_or_default().get())
}

/// `quoteOrderQty` of an order sized in quote, else zero.
pub(crate) fn quote_qty(kind: OrderKind) -> String {
    let quote = match kind {
        OrderKind::Market { size: Size::Quote(quote) } => quote.get(),
        OrderKind::Market { size: Size::Base(_) }
        | OrderKind::Limit { .. }
        | OrderKind::LimitMaker { .. } => Decimal::ZERO,
    };
    decimal(quote)
}

pub(crate) const fn status(state: &State) -> &'static str {
    match state.status {
        OrderStatus::Open if matches!(state.stage, Stage::Pending) => "PENDING_NEW",
        OrderStatus::Open => "NEW",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Cancelled => "CANCELED",
        OrderStatus::Rejected => "REJECTED",
        OrderStatus::Expired if state.is_prevented => "EXPIRED_IN_MATCH",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::Unrecognized => "PENDING_NEW",
    }
}

/// Why an order expired (`expiryReason`, `eR`); `None` for the rule against trading with oneself.
pub(crate) fn expiry_reason(record: &Record, state: &State) -> Option<&'static str> {
    if state.status != OrderStatus::Expired || state.is_prevented {
        return None;
    }
    match state.why {
        Some(Ending::OcoTriggered) => return Some("OCO_TRIGGER"),
        Some(Ending::WorkingEnded) => return Some("OTO_PHASE_ONE_EXPIRED"),
        Some(Ending::Rejected) => return Some("REJECTED"),
        Some(Ending::Amended) => return Some("EXCHANGE_CANCELED"),
        None if state.stage != Stage::Working => return Some("EXCHANGE_CANCELED"),
        None => {}
    }
    Some(match record.kind {
        OrderKind::Market { .. } => "INSUFFICIENT_LIQUIDITY",
        OrderKind::Limit { time_in_force: TimeInForce::ImmediateOrCancel, .. } => {
            "UNFILLED_IOC_QUANTITY_EXPIRED"
        }
        OrderKind::Limit { time_in_force: TimeInForce::FillOrKill, .. } => {
            "UNFILLED_FOK_ORDER_EXPIRED"
        }
        OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } => "EXCHANGE_CANCELED",
    })
}

pub(crate) const fn self_trade(rule: SelfTradePrevention) -> &'static str {
    match rule {
        SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
        SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
        SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
        SelfTradePrevention::None => "NONE",
    }
}

pub(crate) fn depth(id: u64, bids: &Value, asks: &Value) -> Value {
    json!({"lastUpdateId": id, "bids": bids, "asks": asks})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_eight_digits() {
        let cases = [("0.1", "0.10000000"), ("5", "5.00000000"), ("1.123456789", "1.12345678")];
        for (value, want) in cases {
            assert_eq!(decimal(tranche_model::decimal::parse(value).unwrap()), want);
        }
    }
}
