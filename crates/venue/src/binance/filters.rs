//! What the exchange lists: pairs, their rules, its limits.
//!
//! Binance spot API documents, "Exchange information" and "Filters" (2026-07-21).

use std::collections::BTreeSet;

use tranche_model::{
    asset::{Asset, Symbol},
    decimal::ParseDecimalError,
    filter::Filter,
    ids::InstrumentId,
    instrument::{Instrument, TradingStatus},
    money::{Amount, Price, Qty, Quote},
    time::Millis,
};

use super::wire;
use crate::venue::{Listing, Listings};

/// Why a pair is left out.
enum Skip {
    Unnamed,
    Unreadable,
}

/// Reads the whole list. A pair that cannot be read is counted; it does not spoil the others.
pub(super) fn listings(body: &[u8]) -> Result<Listings, serde_json::Error> {
    let info: wire::ExchangeInfo<'_> = serde_json::from_slice(body)?;
    let mut listings = Listings::default();
    let mut account_filters = Vec::new();
    for raw in &info.exchange_filters {
        match serde_json::from_str(raw.get()) {
            Ok(row) => note_filter(&row, &mut account_filters, &mut listings.unknown_filters),
            Err(_) => Some(()),
        };
    }
    for raw in &info.symbols {
        match listing(raw.get(), &account_filters, &mut listings.unknown_filters) {
            Ok(listing) => listings.list.push(listing),
            Err(Skip::Unnamed) => listings.unnamed = listings.unnamed.saturating_add(1),
            Err(Skip::Unreadable) => listings.unreadable = listings.unreadable.saturating_add(1),
        }
    }
    for limit in &info.rate_limits {
        let Some(window) = window(&limit.interval, limit.interval_num) else { continue };
        match limit.rate_limit_type.as_ref() {
            "ORDERS" => listings.order_limits.push((window, limit.limit)),
            "REQUEST_WEIGHT" if window == Millis::from_secs(60) => {
                listings.weight_per_minute = Some(limit.limit);
            }
            _ => {}
        }
    }
    Ok(listings)
}

/// A window of the exchange's limits: `SECOND` or `S` and so on, times a number.
pub(super) fn window(interval: &str, count: u32) -> Option<Millis> {
    let seconds = match interval {
        "SECOND" | "S" | "s" => 1,
        "MINUTE" | "M" | "m" => 60,
        "HOUR" | "H" | "h" => 3600,
        "DAY" | "D" | "d" => 86_400,
        _ => return None,
    };
    let seconds = count.checked_mul(seconds)?;
    (seconds != 0 && seconds <= u32::MAX / 1000).then(|| Millis::from_secs(seconds))
}

fn listing(
    text: &str,
    account_filters: &[Filter],
    unknown: &mut BTreeSet<String>,
) -> Result<Listing, Skip> {
    let row: wire::Symbol<'_> = serde_json::from_str(text).map_err(|_| Skip::Unreadable)?;
    let asset = |name: &str| Asset::parse(name).map_err(|_| Skip::Unnamed);
    let symbol = Symbol { base: asset(&row.base_asset)?, quote: asset(&row.quote_asset)? };
    let mut filters = Vec::new();
    for raw in &row.filters {
        let filter = serde_json::from_str(raw.get()).map_err(|_| Skip::Unreadable)?;
        note_filter(&filter, &mut filters, unknown).ok_or(Skip::Unreadable)?;
    }
    let has_grid = |wanted: fn(&Filter) -> bool| filters.iter().any(wanted);
    if !has_grid(|filter| matches!(filter, Filter::Price { .. }))
        || !has_grid(|filter| matches!(filter, Filter::LotSize { .. }))
    {
        return Err(Skip::Unreadable);
    }
    filters.extend_from_slice(account_filters);
    let mut draft = Instrument::new(InstrumentId::new(0), symbol, filters);
    draft.base_precision = row.base_asset_precision;
    draft.quote_precision = row.quote_asset_precision.or(row.quote_precision).unwrap_or(8);
    draft.status = status(&row.status, row.is_spot_trading_allowed.unwrap_or(true));
    Ok(Listing { text: row.symbol.into_owned(), draft })
}

/// A status that we do not know takes no orders.
fn status(text: &str, is_spot: bool) -> TradingStatus {
    match text {
        "TRADING" if is_spot => TradingStatus::Trading,
        "CANCEL_ONLY" => TradingStatus::CancelOnly,
        _ => TradingStatus::Halted,
    }
}

/// Adds a filter, or its name to those not known. `None` when a known one cannot be read.
fn note_filter(
    row: &wire::Filter<'_>,
    filters: &mut Vec<Filter>,
    unknown: &mut BTreeSet<String>,
) -> Option<()> {
    match read(row) {
        Ok(Some(filter)) => filters.push(filter),
        Ok(None) => {
            if unknown.len() < 100 {
                unknown.insert(row.filter_type.chars().take(60).collect());
            }
        }
        Err(_) => return None,
    }
    Some(())
}

/// A field that is missing or cannot be read.
struct BadField;

impl From<ParseDecimalError> for BadField {
    fn from(_: ParseDecimalError) -> Self {
        Self
    }
}

/// `None` for a filter that we do not know.
fn read(row: &wire::Filter<'_>) -> Result<Option<Filter>, BadField> {
    Ok(Some(match row.filter_type.as_ref() {
        "PRICE_FILTER" => Filter::Price {
            min: price(row.min_price)?,
            max: price(row.max_price)?,
            tick: price(row.tick_size)?,
        },
        "PERCENT_PRICE" => Filter::PercentPrice {
            up: price(row.multiplier_up)?,
            down: price(row.multiplier_down)?,
        },
        "PERCENT_PRICE_BY_SIDE" => Filter::PercentPriceBySide {
            bid_up: price(row.bid_multiplier_up)?,
            bid_down: price(row.bid_multiplier_down)?,
            ask_up: price(row.ask_multiplier_up)?,
            ask_down: price(row.ask_multiplier_down)?,
        },
        "LOT_SIZE" => {
            let (min, max, step) = lot(row)?;
            Filter::LotSize { min, max, step }
        }
        "MARKET_LOT_SIZE" => {
            let (min, max, step) = lot(row)?;
            Filter::MarketLotSize { min, max, step }
        }
        "MIN_NOTIONAL" => Filter::MinNotional {
            min: quote(row.min_notional)?,
            market: row.apply_to_market.unwrap_or(true),
        },
        "NOTIONAL" => Filter::Notional {
            min: quote(row.min_notional)?,
            min_market: row.apply_min_to_market.unwrap_or(true),
            max: row.max_notional.map_or(Ok(Quote::ZERO), Quote::parse)?,
            max_market: row.apply_max_to_market.unwrap_or(true),
        },
        "MAX_POSITION" => {
            Filter::MaxPosition { max: Qty::parse(row.max_position.ok_or(BadField)?)? }
        }
        "TRAILING_DELTA" => Filter::TrailingDelta {
            above: (count(row.min_trailing_above_delta)?, count(row.max_trailing_above_delta)?),
            below: (count(row.min_trailing_below_delta)?, count(row.max_trailing_below_delta)?),
        },
        "MAX_ASSET" => Filter::MaxAsset {
            asset: Asset::parse(row.asset.as_deref().ok_or(BadField)?).map_err(|_| BadField)?,
            limit: Amount::parse(raw_limit(row)?)?,
        },
        _ => return counts(row),
    }))
}

/// The filters that bound how many there may be of something.
fn counts(row: &wire::Filter<'_>) -> Result<Option<Filter>, BadField> {
    Ok(Some(match row.filter_type.as_ref() {
        "ICEBERG_PARTS" => Filter::IcebergParts { limit: limit(row, None)? },
        "MAX_NUM_ORDERS" => Filter::MaxNumOrders { limit: limit(row, row.max_num_orders)? },
        "MAX_NUM_ALGO_ORDERS" => {
            Filter::MaxNumAlgoOrders { limit: limit(row, row.max_num_algo_orders)? }
        }
        "MAX_NUM_ICEBERG_ORDERS" => {
            Filter::MaxNumIcebergOrders { limit: limit(row, row.max_num_iceberg_orders)? }
        }
        "MAX_NUM_ORDER_AMENDS" => {
            Filter::MaxNumOrderAmends { limit: limit(row, row.max_num_order_amends)? }
        }
        "MAX_NUM_ORDER_LISTS" => {
            Filter::MaxNumOrderLists { limit: limit(row, row.max_num_order_lists)? }
        }
        "EXCHANGE_MAX_NUM_ORDERS" => {
            Filter::ExchangeMaxNumOrders { limit: limit(row, row.max_num_orders)? }
        }
        "EXCHANGE_MAX_NUM_ALGO_ORDERS" => {
            Filter::ExchangeMaxNumAlgoOrders { limit: limit(row, row.max_num_algo_orders)? }
        }
        "EXCHANGE_MAX_NUM_ICEBERG_ORDERS" => {
            Filter::ExchangeMaxNumIcebergOrders { limit: limit(row, row.max_num_iceberg_orders)? }
        }
        "EXCHANGE_MAX_NUM_ORDER_LISTS" => {
            Filter::ExchangeMaxNumOrderLists { limit: limit(row, row.max_num_order_lists)? }
        }
        _ => return Ok(None),
    }))
}

fn price(text: Option<&str>) -> Result<Price, BadField> {
    Ok(Price::parse(text.ok_or(BadField)?)?)
}

fn quote(text: Option<&str>) -> Result<Quote, BadField> {
    Ok(Quote::parse(text.ok_or(BadField)?)?)
}

fn lot(row: &wire::Filter<'_>) -> Result<(Qty, Qty, Qty), BadField> {
    let qty = |text: Option<&str>| Ok::<_, BadField>(Qty::parse(text.ok_or(BadField)?)?);
    Ok((qty(row.min_qty)?, qty(row.max_qty)?, qty(row.step_size)?))
}

fn count(value: Option<u32>) -> Result<u32, BadField> {
    value.ok_or(BadField)
}

/// The bound under its own name, or as `limit`, as some documents show it.
fn limit(row: &wire::Filter<'_>, named: Option<u32>) -> Result<u32, BadField> {
    match named {
        Some(limit) => Ok(limit),
        None => raw_limit(row)?.parse().map_err(|_| BadField),
    }
}

fn raw_limit<'a>(row: &wire::Filter<'a>) -> Result<&'a str, BadField> {
    Ok(row.limit.ok_or(BadField)?.get().trim_matches('"'))
}

#[cfg(test)]
mod tests;
