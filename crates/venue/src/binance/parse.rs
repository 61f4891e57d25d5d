//! From the exchange's words to ours. Each function is total: it reads, or says what it cannot read.

use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeRates},
    candle::{Candle, Tick},
    client_order_id::ClientOrderId,
    decimal::{MathError, ParseDecimalError},
    fill::{Fee, Fill, Liquidity},
    ids::{Installation, TradeId, VenueOrderId},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{ForeignOrder, OrderKind, OrderReport, OrderStatus, Side, Size, TimeInForce},
    record::PrivateEvent,
    time::Timestamp,
};

use super::{events::Private, wire};
use crate::{catalog::Listed, venue::Best};

/// What could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("not JSON of the documented form")]
    Form,
    #[error("a number")]
    Number,
    #[error("a side that is neither BUY nor SELL")]
    Side,
    #[error("an asset's name")]
    Asset,
    #[error("a candle that cannot have happened")]
    Candle,
    #[error("an instrument that is not in the catalogue")]
    Instrument,
    #[error("another order than the one asked for")]
    Order,
    #[error("an execution that does not tell its fee or its side of the book")]
    Execution,
}

/// An order is ours, or somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Own(OrderReport),
    Foreign(ForeignOrder),
}

/// What tells an event from every other one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Execution {
        at: i64,
        symbol: String,
        id: u64,
    },
    /// Balances have no number, and change more than once in a millisecond.
    Position {
        at: i64,
        updated: i64,
        balances: Vec<(Asset, Amount, Amount)>,
    },
}

impl From<ParseDecimalError> for Unreadable {
    fn from(_: ParseDecimalError) -> Self {
        Self::Number
    }
}

impl From<MathError> for Unreadable {
    fn from(_: MathError) -> Self {
        Self::Number
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(_: serde_json::Error) -> Self {
        Self::Form
    }
}

/// The id, if it is one of this installation.
pub(super) fn own_id(text: &str, installation: Installation) -> Option<ClientOrderId> {
    ClientOrderId::parse(text).filter(|id| id.origin().installation == installation)
}

/// The id of the order itself, not of a cancel.
pub(super) fn order_id_text<'a>(row: &'a wire::Order<'_>) -> &'a str {
    match &row.orig_client_order_id {
        Some(id) if !id.is_empty() => id,
        Some(_) | None => &row.client_order_id,
    }
}

pub(super) fn order(
    row: &wire::Order<'_>,
    listed: &Listed,
    installation: Installation,
) -> Result<Seen, Unreadable> {
    let executed = Qty::parse(row.executed_qty)?;
    let kind = kind(&Terms {
        kind: &row.kind,
        time_in_force: row.time_in_force.as_deref(),
        price: row.price,
        qty: row.orig_qty,
        quote_qty: row.orig_quote_order_qty,
    })?;
    let venue_id = VenueOrderId::new(row.order_id.into());
    let (instrument, side) = (listed.id(), side(row.side)?);
    let Some(client_id) = own_id(order_id_text(row), installation) else {
        let order = ForeignOrder { venue_id, instrument, side, kind, executed };
        return Ok(Seen::Foreign(order));
    };
    let executed_quote = Quote::parse(row.cummulative_quote_qty)?;
    if executed_quote.is_negative() {
        return Err(Unreadable::Number);
    }
    let updated_at = row.update_time.or(row.transact_time).ok_or(Unreadable::Form)?;
    Ok(Seen::Own(OrderReport {
        client_id,
        venue_id,
        instrument,
        side,
        kind,
        status: status(&row.status),
        executed,
        executed_quote,
        updated_at: Timestamp::from_ms(updated_at),
    }))
}

/// What an execution came to, where the exchange does not say it: amounts have at most as many digits as
/// its quote asset (`quotePrecision`), the rest is cut off. That it is cut and not rounded is inferred.
fn worth(price: Price, qty: Qty, listed: &Listed) -> Result<Quote, Unreadable> {
    Ok(listed.instrument.cut_quote(price.times(qty)?)?)
}

/// The fills that came with the answer to a placement; there the order was always the taker.
pub(super) fn order_fills(
    row: &wire::Order<'_>,
    report: &OrderReport,
    listed: &Listed,
) -> Result<Vec<Fill>, Unreadable> {
    let read = |fill: &wire::OrderFill<'_>| {
        let (price, qty) = (Price::parse(fill.price)?, Qty::parse(fill.qty)?);
        Ok(Fill {
            trade_id: TradeId::new(fill.trade_id.into()),
            client_id: Some(report.client_id),
            venue_order_id: report.venue_id,
            instrument: listed.id(),
            side: report.side,
            price,
            qty,
            quote: worth(price, qty, listed)?,
            fee: fee(fill.commission, &fill.commission_asset, price, listed)?,
            liquidity: Liquidity::Taker,
            at: report.updated_at,
        })
    };
    row.fills.iter().map(read).collect()
}

/// A row of the list of executions; whose order it was has to be looked up.
pub(super) fn trade(row: &wire::Trade<'_>, listed: &Listed) -> Result<Fill, Unreadable> {
    let (price, qty) = (Price::parse(row.price)?, Qty::parse(row.qty)?);
    let quote = match row.quote_qty {
        Some(text) => Quote::parse(text)?,
        None => worth(price, qty, listed)?,
    };
    Ok(Fill {
        trade_id: TradeId::new(row.id.into()),
        client_id: None,
        venue_order_id: VenueOrderId::new(row.order_id.into()),
        instrument: listed.id(),
        side: if row.is_buyer { Side::Buy } else { Side::Sell },
        price,
        qty,
        quote,
        fee: fee(row.commission, &row.commission_asset, price, listed)?,
        liquidity: liquidity(row.is_maker),
        at: Timestamp::from_ms(row.time),
    })
}

/// Balances of assets whose names we can hold.
pub(super) fn balances(row: &wire::Account<'_>) -> Result<Vec<Balance>, Unreadable> {
    let named = row.balances.iter().filter_map(|row| Some((Asset::parse(&row.asset).ok()?, row)));
    named.map(|(asset, row)| balance(asset, row.free, row.locked)).collect()
}

fn balance(asset: Asset, free: &str, locked: &str) -> Result<Balance, Unreadable> {
    Ok(Balance { asset, free: Amount::parse(free)?, locked: Amount::parse(locked)? })
}

/// Standard, special and tax rates together, the dearer of buyer and seller. The discount for fees in
/// BNB is left out: the documents contradict each other on its arithmetic.
pub(super) fn fee_rates(row: &wire::Commission<'_>) -> Result<FeeRates, Unreadable> {
    let (mut maker, mut taker) = (Fraction::ZERO, Fraction::ZERO);
    let (mut buyer, mut seller) = (Fraction::ZERO, Fraction::ZERO);
    let parts = [Some(row.standard_commission), row.special_commission, row.tax_commission];
    for rates in parts.into_iter().flatten() {
        maker = maker.plus(Fraction::parse(rates.maker)?)?;
        taker = taker.plus(Fraction::parse(rates.taker)?)?;
        buyer = buyer.plus(Fraction::parse(rates.buyer)?)?;
        seller = seller.plus(Fraction::parse(rates.seller)?)?;
    }
    let side = buyer.max(seller);
    Ok(FeeRates { maker: maker.plus(side)?, taker: taker.plus(side)? })
}

/// A candle and the moment at which it closes.
pub(super) fn kline(row: &wire::Kline<'_>) -> Result<(Candle, Timestamp), Unreadable> {
    let candle = Candle {
        open_at: Timestamp::from_ms(row.0),
        open: Price::parse(row.1)?,
        high: Price::parse(row.2)?,
        low: Price::parse(row.3)?,
        close: Price::parse(row.4)?,
        volume: Qty::parse(row.5)?,
    };
    candle.check().map_err(|_| Unreadable::Candle)?;
    Ok((candle, Timestamp::from_ms(row.6)))
}

/// `None` when the candle is still running.
pub(super) fn stream_candle(row: &wire::StreamCandle<'_>) -> Result<Option<Candle>, Unreadable> {
    if !row.is_closed {
        return Ok(None);
    }
    let candle = Candle {
        open_at: Timestamp::from_ms(row.open_time),
        open: Price::parse(row.open)?,
        high: Price::parse(row.high)?,
        low: Price::parse(row.low)?,
        close: Price::parse(row.close)?,
        volume: Qty::parse(row.volume)?,
    };
    candle.check().map_err(|_| Unreadable::Candle)?;
    Ok(Some(candle))
}

pub(super) fn tick(row: &wire::StreamTrade<'_>, listed: &Listed) -> Result<Tick, Unreadable> {
    let (price, qty) = (Price::parse(row.price)?, Qty::parse(row.qty)?);
    if !price.is_positive() || qty.is_negative() {
        return Err(Unreadable::Number);
    }
    Ok(Tick { instrument: listed.id(), price, qty, at: Timestamp::from_ms(row.time) })
}

/// A crossed or empty book is not one.
pub(super) fn best(
    row: &wire::StreamBest<'_>,
    listed: &Listed,
    at: Timestamp,
) -> Result<Best, Unreadable> {
    let (bid, ask) = (Price::parse(row.bid)?, Price::parse(row.ask)?);
    if !bid.is_positive() || ask < bid {
        return Err(Unreadable::Number);
    }
    let (bid_qty, ask_qty) = (Qty::parse(row.bid_qty)?, Qty::parse(row.ask_qty)?);
    Ok(Best { instrument: listed.id(), bid, bid_qty, ask, ask_qty, at })
}

/// An order's change, and its fill when it traded.
pub(super) fn execution(
    row: &wire::ExecutionReport<'_>,
    listed: &Listed,
    installation: Installation,
) -> Result<Private, Unreadable> {
    // "C" names the order when "c" names the request that cancelled it.
    let id = match row.orig_client_order_id.as_ref() {
        "" => &row.client_order_id,
        _ => &row.orig_client_order_id,
    };
    let client_id = own_id(id, installation);
    let venue_id = VenueOrderId::new(row.order_id.into());
    let mut events = Vec::new();
    if row.execution == "TRADE" && 0 <= row.trade_id {
        events.push(PrivateEvent::Fill(stream_fill(row, listed, client_id)?));
    }
    if let Some(client_id) = client_id {
        events.push(PrivateEvent::Order(OrderReport {
            client_id,
            venue_id,
            instrument: listed.id(),
            side: side(row.side)?,
            kind: kind(&Terms {
                kind: &row.kind,
                time_in_force: Some(&row.time_in_force),
                price: row.price,
                qty: row.qty,
                quote_qty: row.quote_qty,
            })?,
            status: status(&row.status),
            executed: Qty::parse(row.executed_qty)?,
            executed_quote: Quote::parse(row.executed_quote)?,
            updated_at: Timestamp::from_ms(row.time),
        }));
    }
    let symbol = row.symbol.to_string();
    let mark = Mark::Execution { at: row.event_time, symbol, id: row.execution_id };
    Ok(Private { mark, order: Some((listed.id(), venue_id, client_id)), events })
}

fn stream_fill(
    row: &wire::ExecutionReport<'_>,
    listed: &Listed,
    client_id: Option<ClientOrderId>,
) -> Result<Fill, Unreadable> {
    let (price, qty) = (Price::parse(row.last_price)?, Qty::parse(row.last_qty)?);
    let quote = match row.last_quote {
        Some(text) => Quote::parse(text)?,
        None => worth(price, qty, listed)?,
    };
    let fee = match (&row.commission_asset, row.commission) {
        (Some(asset), Some(amount)) => fee(amount, asset, price, listed)?,
        // No asset is named when nothing was taken.
        (None, amount) if Amount::parse(amount.unwrap_or("0"))?.is_zero() => {
            fee("0", listed.quote().as_str(), price, listed)?
        }
        (Some(_) | None, _) => return Err(Unreadable::Execution),
    };
    let is_maker = row.is_maker.ok_or(Unreadable::Execution)?;
    Ok(Fill {
        trade_id: TradeId::new(u128::try_from(row.trade_id).map_err(|_| Unreadable::Number)?),
        client_id,
        venue_order_id: VenueOrderId::new(row.order_id.into()),
        instrument: listed.id(),
        side: side(row.side)?,
        price,
        qty,
        quote,
        fee,
        liquidity: liquidity(is_maker),
        at: Timestamp::from_ms(row.time),
    })
}

pub(super) fn position(row: &wire::AccountPosition<'_>) -> Result<Private, Unreadable> {
    let named = row.balances.iter().filter_map(|row| Some((Asset::parse(&row.asset).ok()?, row)));
    let read = named.map(|(asset, row)| balance(asset, row.free, row.locked));
    let balances = read.collect::<Result<Vec<_>, _>>()?;
    let told = balances.iter().map(|it| (it.asset, it.free, it.locked)).collect();
    let mark = Mark::Position { at: row.event_time, updated: row.updated, balances: told };
    Ok(Private { mark, order: None, events: vec![PrivateEvent::Balances(balances)] })
}

/// The parts of an order that make its kind.
struct Terms<'a> {
    kind: &'a str,
    time_in_force: Option<&'a str>,
    price: &'a str,
    qty: &'a str,
    quote_qty: Option<&'a str>,
}

/// Kinds that we do not send are read as what they will be in the book: limit orders if they have a
/// price, else market orders.
fn kind(terms: &Terms<'_>) -> Result<OrderKind, Unreadable> {
    let (price, qty) = (Price::parse(terms.price)?, Qty::parse(terms.qty)?);
    let quote = terms.quote_qty.map(Quote::parse).transpose()?.filter(|quote| quote.is_positive());
    let time_in_force = match terms.time_in_force {
        Some("IOC") => TimeInForce::ImmediateOrCancel,
        Some("FOK") => TimeInForce::FillOrKill,
        Some(_) | None => TimeInForce::GoodTillCancelled,
    };
    Ok(match (terms.kind, quote) {
        ("LIMIT_MAKER", _) => OrderKind::LimitMaker { price, qty },
        ("MARKET", Some(quote)) => OrderKind::Market { size: Size::Quote(quote) },
        ("MARKET", None) => OrderKind::Market { size: Size::Base(qty) },
        _ if price.is_positive() => OrderKind::Limit { price, qty, time_in_force },
        _ => OrderKind::Market { size: Size::Base(qty) },
    })
}

/// A word that we do not know is no end.
fn status(text: &str) -> OrderStatus {
    match text {
        "NEW" | "PENDING_NEW" | "PENDING_CANCEL" => OrderStatus::Open,
        "PARTIALLY_FILLED" => OrderStatus::PartiallyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Cancelled,
        "REJECTED" => OrderStatus::Rejected,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        _ => OrderStatus::Unrecognized,
    }
}

fn side(text: &str) -> Result<Side, Unreadable> {
    match text {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(Unreadable::Side),
    }
}

const fn liquidity(is_maker: bool) -> Liquidity {
    if is_maker { Liquidity::Maker } else { Liquidity::Taker }
}

fn fee(amount: &str, asset: &str, price: Price, listed: &Listed) -> Result<Fee, Unreadable> {
    let amount = Amount::parse(amount)?;
    let asset = Asset::parse(asset).map_err(|_| Unreadable::Asset)?;
    let symbol = listed.instrument.symbol;
    let in_quote = if amount.is_zero() {
        Some(Quote::ZERO)
    } else if asset == symbol.quote {
        Some(amount.quote())
    } else if asset == symbol.base {
        price.times(amount.qty()).ok()
    } else {
        None
    };
    Ok(Fee { asset, amount, in_quote })
}

#[cfg(test)]
pub(super) mod tests;
