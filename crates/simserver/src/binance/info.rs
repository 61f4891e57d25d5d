//! `exchangeInfo`: instruments with their filters, and the limits.

use serde_json::{Value, json};
use tranche_model::{
    filter::Filter,
    instrument::{Instrument, TradingStatus},
    time::Timestamp,
};
use tranche_sim::exchange::SelfTradePrevention;

use crate::{
    settings::RateLimits,
    world::{World, wire_symbol},
};

use super::{
    refused::Refused,
    words::{decimal, self_trade},
};

/// Minutes of the mean price that filters name. The exchange's reference is the last price: zero.
const MEAN_MINUTES: u32 = 0;

const ORDER_TYPES: [&str; 7] = [
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
];

impl World {
    pub(super) fn exchange_info(
        &self,
        symbols: Option<&[String]>,
        wanted_status: Option<&str>,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let rule = self.exchange.settings().self_trade;
        let rows = match symbols {
            None => {
                let all = self.exchange.instruments().iter();
                let wanted = |it: &&Instrument| {
                    wanted_status.is_none_or(|wanted| wanted == status(it.status))
                };
                all.filter(wanted).map(|it| instrument(it, rule)).collect::<Vec<_>>()
            }
            Some(names) => {
                let row = |name: &String| {
                    let found = self.instrument(name).ok_or_else(Refused::bad_symbol)?;
                    Ok(instrument(found, rule))
                };
                names.iter().map(row).collect::<Result<_, Refused>>()?
            }
        };
        Ok(json!({
            "timezone": "UTC",
            "serverTime": now.ms(),
            "rateLimits": rate_limits(self.limits.limits()),
            "exchangeFilters": self.exchange_filters(),
            "symbols": rows,
        }))
    }

    /// Filters that hold for an account on all instruments, from those that carry them.
    fn exchange_filters(&self) -> Value {
        let all = self.exchange.instruments().iter().flat_map(|it| &it.filters);
        let mut rows: Vec<Value> = Vec::new();
        for row in all.filter(|it| is_of_exchange(it)).map(filter) {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows.into()
    }
}

/// The limits as `exchangeInfo` and each frame of the WebSocket API tell them.
pub(super) fn rate_limits(limits: &RateLimits) -> Value {
    json!([
        rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
        rate_limit("ORDERS", "SECOND", 10, limits.orders_per_ten_seconds),
        rate_limit("ORDERS", "DAY", 1, limits.orders_per_day),
        rate_limit("RAW_REQUESTS", "MINUTE", 5, limits.raw_per_five_minutes),
    ])
}

pub(super) fn rate_limit(kind: &str, interval: &str, count: u32, limit: u32) -> Value {
    json!({"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit})
}

const fn status(status: TradingStatus) -> &'static str {
    match status {
        TradingStatus::Trading => "TRADING",
        TradingStatus::Halted => "HALT",
        TradingStatus::CancelOnly => "CANCEL_ONLY",
        TradingStatus::Delisted => "BREAK",
    }
}

fn instrument(instrument: &Instrument, rule: SelfTradePrevention) -> Value {
    let (base, quote) = (instrument.symbol.base, instrument.symbol.quote);
    let of_symbol = |filter: &&Filter| !is_of_exchange(filter) && !is_of_asset(filter);
    let filters: Vec<Value> = instrument.filters.iter().filter(of_symbol).map(filter).collect();
    json!({
        "symbol": wire_symbol(instrument),
        "status": status(instrument.status),
        "baseAsset": base.as_str(),
        "baseAssetPrecision": instrument.base_precision,
        "quoteAsset": quote.as_str(),
        "quotePrecision": instrument.quote_precision,
        "quoteAssetPrecision": instrument.quote_precision,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": false,
        "ocoAllowed": true,
        "otoAllowed": true,
        "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": true,
        "cancelReplaceAllowed": true,
        "amendAllowed": true,
        "pegInstructionsAllowed": false,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": filters,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": self_trade(rule),
        "allowedSelfTradePreventionModes": [self_trade(rule)],
    })
}

const fn is_of_exchange(filter: &Filter) -> bool {
    matches!(
        filter,
        Filter::ExchangeMaxNumOrders { .. }
            | Filter::ExchangeMaxNumAlgoOrders { .. }
            | Filter::ExchangeMaxNumIcebergOrders { .. }
            | Filter::ExchangeMaxNumOrderLists { .. }
    )
}

/// Told by another endpoint only (`myFilters`).
const fn is_of_asset(filter: &Filter) -> bool {
    matches!(filter, Filter::MaxAsset { .. })
}

fn filter(filter: &Filter) -> Value {
    let mut row = match *filter {
        Filter::Price { min, max, tick } => json!({
            "minPrice": decimal(min.get()),
            "maxPrice": decimal(max.get()),
            "tickSize": decimal(tick.get()),
        }),
        Filter::PercentPrice { up, down } => json!({
            "multiplierUp": up.to_string(),
            "multiplierDown": down.to_string(),
            "avgPriceMins": MEAN_MINUTES,
        }),
        Filter::PercentPriceBySide { bid_up, bid_down, ask_up, ask_down } => json!({
            "bidMultiplierUp": bid_up.to_string(),
            "bidMultiplierDown": bid_down.to_string(),
            "askMultiplierUp": ask_up.to_string(),
            "askMultiplierDown": ask_down.to_string(),
            "avgPriceMins": MEAN_MINUTES,
        }),
        Filter::LotSize { min, max, step } | Filter::MarketLotSize { min, max, step } => json!({
            "minQty": decimal(min.get()),
            "maxQty": decimal(max.get()),
            "stepSize": decimal(step.get()),
        }),
        Filter::MinNotional { min, market } => json!({
            "minNotional": decimal(min.get()),
            "applyToMarket": market,
            "avgPriceMins": MEAN_MINUTES,
        }),
        Filter::Notional { min, min_market, max, max_market } => json!({
            "minNotional": decimal(min.get()),
            "applyMinToMarket": min_market,
            "maxNotional": decimal(max.get()),
            "applyMaxToMarket": max_market,
            "avgPriceMins": MEAN_MINUTES,
        }),
        Filter::IcebergParts { limit } => json!({"limit": limit}),
        Filter::MaxPosition { max } => json!({"maxPosition": decimal(max.get())}),
        Filter::TrailingDelta { above, below } => json!({
            "minTrailingAboveDelta": above.0,
            "maxTrailingAboveDelta": above.1,
            "minTrailingBelowDelta": below.0,
            "maxTrailingBelowDelta": below.1,
        }),
        Filter::MaxNumOrders { limit } | Filter::ExchangeMaxNumOrders { limit } => {
            json!({"maxNumOrders": limit})
        }
        Filter::MaxNumAlgoOrders { limit } | Filter::ExchangeMaxNumAlgoOrders { limit } => {
            json!({"maxNumAlgoOrders": limit})
        }
        Filter::MaxNumIcebergOrders { limit } | Filter::ExchangeMaxNumIcebergOrders { limit } => {
            json!({"maxNumIcebergOrders": limit})
        }
        Filter::MaxNumOrderAmends { limit } => json!({"maxNumOrderAmends": limit}),
        Filter::MaxNumOrderLists { limit } | Filter::ExchangeMaxNumOrderLists { limit } => {
            json!({"maxNumOrderLists": limit})
        }
        Filter::MaxAsset { asset, limit } => {
            json!({"asset": asset.as_str(), "limit": decimal(limit.get())})
        }
    };
    if let Some(row) = row.as_object_mut() {
        row.insert("filterType".to_owned(), filter.rule().to_string().into());
    }
    row
}
