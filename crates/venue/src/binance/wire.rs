//! The exchange's messages in its own words. Everything that may be missing is optional; what is not
//! named here is ignored.
//!
//! Binance spot API documents, REST API, WebSocket API, user data stream (2026-07-21).

#![expect(clippy::struct_field_names, reason = "the names are the exchange's")]

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, SeqAccess, Visitor},
};

#[derive(Debug, Deserialize)]
pub(super) struct Error<'a> {
    pub(super) code: i32,
    #[serde(borrow, default)]
    pub(super) msg: Cow<'a, str>,
    #[serde(default)]
    pub(super) data: Option<ErrorData>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorData {
    /// Milliseconds since 1970.
    #[serde(default)]
    pub(super) retry_after: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Time {
    pub(super) server_time: i64,
}

/// An order in an answer to POST, GET or DELETE.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) order_id: u64,
    #[serde(borrow)]
    pub(super) client_order_id: Cow<'a, str>,
    /// In an answer to a cancel: the id of the order; the other one is that of the cancel.
    #[serde(borrow, default)]
    pub(super) orig_client_order_id: Option<Cow<'a, str>>,
    pub(super) price: &'a str,
    pub(super) orig_qty: &'a str,
    pub(super) executed_qty: &'a str,
    /// The exchange's spelling. Below zero: not known (very old orders).
    pub(super) cummulative_quote_qty: &'a str,
    #[serde(default)]
    pub(super) orig_quote_order_qty: Option<&'a str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) time_in_force: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) side: &'a str,
    #[serde(default)]
    pub(super) transact_time: Option<i64>,
    #[serde(default)]
    pub(super) update_time: Option<i64>,
    #[serde(borrow, default)]
    pub(super) fills: Vec<OrderFill<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderFill<'a> {
    pub(super) price: &'a str,
    pub(super) qty: &'a str,
    pub(super) commission: &'a str,
    #[serde(borrow)]
    pub(super) commission_asset: Cow<'a, str>,
    pub(super) trade_id: u64,
}

/// A row of `myTrades`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trade<'a> {
    pub(super) id: u64,
    pub(super) order_id: u64,
    pub(super) price: &'a str,
    pub(super) qty: &'a str,
    #[serde(default)]
    pub(super) quote_qty: Option<&'a str>,
    pub(super) commission: &'a str,
    #[serde(borrow)]
    pub(super) commission_asset: Cow<'a, str>,
    pub(super) time: i64,
    pub(super) is_buyer: bool,
    pub(super) is_maker: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account<'a> {
    #[serde(default)]
    pub(super) can_trade: Option<bool>,
    #[serde(borrow, default)]
    pub(super) permissions: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) balances: Vec<Balance<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Balance<'a> {
    #[serde(borrow)]
    pub(super) asset: Cow<'a, str>,
    pub(super) free: &'a str,
    pub(super) locked: &'a str,
}

/// Rights of the key itself; only on the live exchange.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restrictions {
    pub(super) ip_restrict: bool,
    pub(super) enable_withdrawals: bool,
    #[serde(default)]
    pub(super) enable_spot_and_margin_trading: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Commission<'a> {
    #[serde(borrow)]
    pub(super) standard_commission: Rates<'a>,
    #[serde(borrow, default)]
    pub(super) special_commission: Option<Rates<'a>>,
    #[serde(borrow, default)]
    pub(super) tax_commission: Option<Rates<'a>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Rates<'a> {
    pub(super) maker: &'a str,
    pub(super) taker: &'a str,
    pub(super) buyer: &'a str,
    pub(super) seller: &'a str,
}

/// A row of `klines`: open time, open, high, low, close, volume, close time, and what we do not use.
#[derive(Debug)]
pub(super) struct Kline<'a>(
    pub(super) i64,
    pub(super) &'a str,
    pub(super) &'a str,
    pub(super) &'a str,
    pub(super) &'a str,
    pub(super) &'a str,
    pub(super) i64,
);

impl<'de> Deserialize<'de> for Kline<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(KlineVisitor)
    }
}

struct KlineVisitor;

impl<'de> Visitor<'de> for KlineVisitor {
    type Value = Kline<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row of seven values or more")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<Self::Value, A::Error> {
        fn value<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(row: &mut A) -> Result<T, A::Error> {
            row.next_element()?.ok_or_else(|| de::Error::custom("the row is too short"))
        }
        let kline = Kline(
            value(&mut row)?,
            value(&mut row)?,
            value(&mut row)?,
            value(&mut row)?,
            value(&mut row)?,
            value(&mut row)?,
            value(&mut row)?,
        );
        while row.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kline)
    }
}

/// A row of `ticker/price`.
#[derive(Debug, Deserialize)]
pub(super) struct LastPrice<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    pub(super) price: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExchangeInfo<'a> {
    #[serde(borrow, default)]
    pub(super) rate_limits: Vec<RateLimit<'a>>,
    #[serde(borrow, default)]
    pub(super) exchange_filters: Vec<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    pub(super) symbols: Vec<&'a serde_json::value::RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateLimit<'a> {
    #[serde(borrow)]
    pub(super) rate_limit_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) interval: Cow<'a, str>,
    pub(super) interval_num: u32,
    pub(super) limit: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Symbol<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) base_asset: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) quote_asset: Cow<'a, str>,
    pub(super) base_asset_precision: u32,
    #[serde(default)]
    pub(super) quote_asset_precision: Option<u32>,
    #[serde(default)]
    pub(super) quote_precision: Option<u32>,
    #[serde(default)]
    pub(super) is_spot_trading_allowed: Option<bool>,
    #[serde(borrow)]
    pub(super) filters: Vec<&'a serde_json::value::RawValue>,
}

/// A filter: its type, and the fields of all types.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter<'a> {
    #[serde(borrow)]
    pub(super) filter_type: Cow<'a, str>,
    #[serde(default)]
    pub(super) min_price: Option<&'a str>,
    #[serde(default)]
    pub(super) max_price: Option<&'a str>,
    #[serde(default)]
    pub(super) tick_size: Option<&'a str>,
    #[serde(default)]
    pub(super) multiplier_up: Option<&'a str>,
    #[serde(default)]
    pub(super) multiplier_down: Option<&'a str>,
    #[serde(default)]
    pub(super) bid_multiplier_up: Option<&'a str>,
    #[serde(default)]
    pub(super) bid_multiplier_down: Option<&'a str>,
    #[serde(default)]
    pub(super) ask_multiplier_up: Option<&'a str>,
    #[serde(default)]
    pub(super) ask_multiplier_down: Option<&'a str>,
    #[serde(default)]
    pub(super) min_qty: Option<&'a str>,
    #[serde(default)]
    pub(super) max_qty: Option<&'a str>,
    #[serde(default)]
    pub(super) step_size: Option<&'a str>,
    #[serde(default)]
    pub(super) min_notional: Option<&'a str>,
    #[serde(default)]
    pub(super) max_notional: Option<&'a str>,
    #[serde(default)]
    pub(super) apply_to_market: Option<bool>,
    #[serde(default)]
    pub(super) apply_min_to_market: Option<bool>,
    #[serde(default)]
    pub(super) apply_max_to_market: Option<bool>,
    /// A number in most filters, a decimal in `MAX_ASSET`.
    #[serde(borrow, default)]
    pub(super) limit: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    pub(super) asset: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) max_num_orders: Option<u32>,
    #[serde(default)]
    pub(super) max_num_algo_orders: Option<u32>,
    #[serde(default)]
    pub(super) max_num_iceberg_orders: Option<u32>,
    #[serde(default)]
    pub(super) max_num_order_amends: Option<u32>,
    #[serde(default)]
    pub(super) max_num_order_lists: Option<u32>,
    #[serde(default)]
    pub(super) max_position: Option<&'a str>,
    #[serde(default)]
    pub(super) min_trailing_above_delta: Option<u32>,
    #[serde(default)]
    pub(super) max_trailing_above_delta: Option<u32>,
    #[serde(default)]
    pub(super) min_trailing_below_delta: Option<u32>,
    #[serde(default)]
    pub(super) max_trailing_below_delta: Option<u32>,
}

/// A frame of a combined stream.
#[derive(Debug, Deserialize)]
pub(super) struct Combined<T> {
    pub(super) data: T,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamTrade<'a> {
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(rename = "t")]
    pub(super) trade_id: u64,
    #[serde(rename = "p")]
    pub(super) price: &'a str,
    #[serde(rename = "q")]
    pub(super) qty: &'a str,
    #[serde(rename = "T")]
    pub(super) time: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamBest<'a> {
    #[serde(rename = "u")]
    pub(super) update_id: u64,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(rename = "b")]
    pub(super) bid: &'a str,
    #[serde(rename = "B")]
    pub(super) bid_qty: &'a str,
    #[serde(rename = "a")]
    pub(super) ask: &'a str,
    #[serde(rename = "A")]
    pub(super) ask_qty: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamKline<'a> {
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow, rename = "k")]
    pub(super) candle: StreamCandle<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamCandle<'a> {
    #[serde(rename = "t")]
    pub(super) open_time: i64,
    #[serde(rename = "o")]
    pub(super) open: &'a str,
    #[serde(rename = "h")]
    pub(super) high: &'a str,
    #[serde(rename = "l")]
    pub(super) low: &'a str,
    #[serde(rename = "c")]
    pub(super) close: &'a str,
    #[serde(rename = "v")]
    pub(super) volume: &'a str,
    #[serde(rename = "x")]
    pub(super) is_closed: bool,
}

/// A frame that is no data of a stream: an acknowledgement, an error, a word on the connection.
#[derive(Debug, Deserialize)]
pub(super) struct Control<'a> {
    #[serde(default)]
    pub(super) id: Option<u64>,
    #[serde(borrow, default, rename = "e")]
    pub(super) event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) stream: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) code: Option<i64>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a serde_json::value::RawValue>,
}

/// A frame of the WebSocket API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiFrame<'a> {
    #[serde(default)]
    pub(super) id: Option<u64>,
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) result: Option<Subscribed>,
    #[serde(borrow, default)]
    pub(super) error: Option<Error<'a>>,
    #[serde(default)]
    pub(super) subscription_id: Option<u64>,
    #[serde(borrow, default)]
    pub(super) event: Option<&'a serde_json::value::RawValue>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscribed {
    #[serde(default)]
    pub(super) subscription_id: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventName<'a> {
    #[serde(borrow, rename = "e")]
    pub(super) name: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ExecutionReport<'a> {
    #[serde(rename = "E")]
    pub(super) event_time: i64,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    /// The order's id; on a cancel that of the cancel.
    #[serde(borrow, rename = "c")]
    pub(super) client_order_id: Cow<'a, str>,
    /// The order's id on a cancel, else empty.
    #[serde(borrow, rename = "C", default)]
    pub(super) orig_client_order_id: Cow<'a, str>,
    #[serde(rename = "S")]
    pub(super) side: &'a str,
    #[serde(borrow, rename = "o")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, rename = "f")]
    pub(super) time_in_force: Cow<'a, str>,
    #[serde(rename = "q")]
    pub(super) qty: &'a str,
    #[serde(rename = "p")]
    pub(super) price: &'a str,
    #[serde(borrow, rename = "x")]
    pub(super) execution: Cow<'a, str>,
    #[serde(borrow, rename = "X")]
    pub(super) status: Cow<'a, str>,
    #[serde(rename = "i")]
    pub(super) order_id: u64,
    #[serde(rename = "I", default)]
    pub(super) execution_id: u64,
    #[serde(rename = "l")]
    pub(super) last_qty: &'a str,
    #[serde(rename = "z")]
    pub(super) executed_qty: &'a str,
    #[serde(rename = "L")]
    pub(super) last_price: &'a str,
    #[serde(rename = "n", default)]
    pub(super) commission: Option<&'a str>,
    #[serde(borrow, rename = "N", default)]
    pub(super) commission_asset: Option<Cow<'a, str>>,
    #[serde(rename = "T")]
    pub(super) time: i64,
    /// Minus one when nothing traded.
    #[serde(rename = "t")]
    pub(super) trade_id: i64,
    #[serde(rename = "m", default)]
    pub(super) is_maker: Option<bool>,
    #[serde(rename = "Z")]
    pub(super) executed_quote: &'a str,
    #[serde(rename = "Y", default)]
    pub(super) last_quote: Option<&'a str>,
    #[serde(rename = "Q", default)]
    pub(super) quote_qty: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AccountPosition<'a> {
    #[serde(rename = "E")]
    pub(super) event_time: i64,
    #[serde(rename = "u")]
    pub(super) updated: i64,
    #[serde(borrow, rename = "B")]
    pub(super) balances: Vec<PositionBalance<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PositionBalance<'a> {
    #[serde(borrow, rename = "a")]
    pub(super) asset: Cow<'a, str>,
    #[serde(rename = "f")]
    pub(super) free: &'a str,
    #[serde(rename = "l")]
    pub(super) locked: &'a str,
}
