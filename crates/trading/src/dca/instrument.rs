//! Whether a venue would take every order of a deal.

use rust_decimal::Decimal;
use tranche_model::{
    balance::FeeRates,
    decimal::{MathError, Rounding},
    instrument::{Instrument, TradingStatus},
    money::{Price, Qty, Quote},
};

use super::{
    check::{Checked, refuse, shown_pct},
    config::{Config, ConfigError},
    digits,
    draft::{BaseOrderType, StopLossReference},
    ladder,
};

const BASE: &str = "base_order_volume";
const SAFETY: &str = "safety_order_volume";
const STEP: &str = "safety_order_step_pct";

/// See [`Config::check_instrument`].
pub(super) fn check(config: &Config, instrument: &Instrument, price: Option<Price>) -> Checked {
    trades(instrument)?;
    let least = instrument.notional_min;
    notional(BASE, "the base order", config.base_order_volume(), least)?;
    for (number, level) in (1_u16..).zip(config.levels()) {
        notional(SAFETY, &format!("safety order {number}"), level.volume, least)?;
    }
    let Some(price) = price else { return Ok(()) };
    orders(config, instrument, price)?;
    ladder_prices(config, instrument, price)
}

fn trades(instrument: &Instrument) -> Checked {
    let status = match instrument.status {
        TradingStatus::Trading => return Ok(()),
        TradingStatus::Halted => "halted",
        TradingStatus::CancelOnly => "closed to new orders",
        TradingStatus::Delisted => "delisted",
    };
    let value = format!("{}, which is {status}", instrument.symbol);
    refuse("pairs", value, "open for trading", "choose another pair or wait")
}

fn notional(field: &'static str, order: &str, volume: Quote, least: Quote) -> Checked {
    if volume < least {
        let value = format!("such that {order} has a volume of {volume}");
        return refuse(field, value, format!("at least {least}"), "raise the volume");
    }
    Ok(())
}

fn orders(config: &Config, instrument: &Instrument, price: Price) -> Checked {
    let base = ladder::base_qty(config, instrument, price).map_err(|_| unfit(instrument))?;
    tradable(BASE, "the base order", (base, price), instrument)?;
    let is_market = config.base_order_type() == BaseOrderType::Market;
    largest(BASE, "the base order", (base, is_market), instrument)?;
    for (number, level) in (1_u16..).zip(config.levels()) {
        let order = format!("safety order {number}");
        let (at, qty) = safety(config, instrument, number, (price, level.factor.get()))
            .map_err(|_| unfit(instrument))?;
        tradable(SAFETY, &order, (qty, at), instrument)?;
        let is_market = config.active_safety_orders_count() == 0;
        largest(SAFETY, &order, (qty, is_market), instrument)?;
    }
    exit(config, instrument, base, price)
}

/// Price and quantity of a safety order when all before it filled at their own prices.
fn safety(
    config: &Config,
    instrument: &Instrument,
    number: u16,
    (price, factor): (Price, Decimal),
) -> Result<(Price, Qty), MathError> {
    let exact = Price::new(digits::mul(price.get(), factor)?);
    let at = instrument.round_price(exact, Rounding::Down)?;
    if !at.is_positive() {
        return Ok((at, Qty::ZERO));
    }
    Ok((at, ladder::qty(config, instrument, number, at)?))
}

/// The smallest take profit sells the base order less its fee. A fee that is taken in the bought
/// coin costs up to a whole step, so one is left out whatever the fee is paid in.
fn exit(config: &Config, instrument: &Instrument, base: Qty, price: Price) -> Checked {
    let target = || -> Result<(Qty, Price), MathError> {
        let qty = base.minus_floored(instrument.step)?;
        let exact = price.scaled(config.take_profit().grown()?)?;
        Ok((qty, instrument.round_price(exact, Rounding::Up)?))
    };
    let target = target().map_err(|_| unfit(instrument))?;
    tradable(BASE, "the first take profit, less one step for the fee,", target, instrument)
}

fn tradable(
    field: &'static str,
    order: &str,
    (qty, price): (Qty, Price),
    instrument: &Instrument,
) -> Checked {
    if instrument.is_tradable(qty, price) {
        return Ok(());
    }
    let (symbol, base, quote) =
        (instrument.symbol, instrument.symbol.base, instrument.symbol.quote);
    refuse(
        field,
        format!("such that on {symbol} {order} comes to {qty} {base} at {price}"),
        format!(
            "at least {} {base} and {} {quote} after rounding",
            instrument.qty_min, instrument.notional_min
        ),
        "raise the volume",
    )
}

/// A buy is one order: it goes out whole or not at all.
fn largest(
    field: &'static str,
    order: &str,
    (qty, is_market): (Qty, bool),
    instrument: &Instrument,
) -> Checked {
    let most = instrument.capped(qty, is_market);
    if qty <= most {
        return Ok(());
    }
    let (symbol, base) = (instrument.symbol, instrument.symbol.base);
    let value = format!("such that on {symbol} {order} comes to {qty} {base}");
    refuse(field, value, format!("at most {most} {base} in one order"), "lower the volume")
}

/// A stop measured from the average, which counts the fee, must not stand above the price paid.
pub(super) fn stop_beyond_fee(config: &Config, fees: &FeeRates) -> Checked {
    let (Some(loss), StopLossReference::Average) =
        (config.stop_loss(), config.stop_loss_reference())
    else {
        return Ok(());
    };
    let stop = loss.rest().and_then(|rest| digits::mul(rest, fees.taker.grown()?));
    if stop.is_ok_and(|share| share < Decimal::ONE) {
        return Ok(());
    }
    let (loss, fee) = (shown_pct(loss.get()), shown_pct(fees.taker.get()));
    let value = format!("{loss}: measured from an average that counts the fee");
    let bound = format!("above the fee of {fee} %");
    refuse("stop_loss_pct", value, bound, "raise it, or measure it from the base order")
}

/// Prices must still differ once they are rounded to the tick, and stand above the stop.
fn ladder_prices(config: &Config, instrument: &Instrument, price: Price) -> Checked {
    let mut before = price;
    for (number, level) in (1_u16..).zip(config.levels()) {
        let (at, _) = safety(config, instrument, number, (price, level.factor.get()))
            .map_err(|_| unfit(instrument))?;
        if before <= at {
            let value = format!(
                "such that on {} safety order {number} falls on the same price as the one before, \
                 {at}",
                instrument.symbol
            );
            let bound = format!("at least one tick of {}", instrument.tick);
            return refuse(STEP, value, bound, "raise the step or its scale");
        }
        before = at;
    }
    let (stop, lowest) = match (config.stop_loss(), config.stop_loss_reference()) {
        (Some(loss), StopLossReference::Base) => (loss, before),
        // It falls with each safety order; the first order must stand above it.
        (Some(loss), StopLossReference::Average) => (loss, price),
        (None, _) => return Ok(()),
    };
    let stop = stop
        .rest()
        .and_then(|rest| price.scaled(rest))
        .and_then(|exact| instrument.round_price(exact, Rounding::Up))
        .map_err(|_| unfit(instrument))?;
    if lowest <= stop {
        let value = format!("such that on {} the stop stands at {stop}", instrument.symbol);
        let bound = format!("below the last order, at {lowest}");
        return refuse("stop_loss_pct", value, bound, "raise it or shorten the ladder");
    }
    Ok(())
}

fn unfit(instrument: &Instrument) -> ConfigError {
    ConfigError {
        field: "pairs",
        value: format!("{}, whose prices need more digits than there are", instrument.symbol),
        bound: "within 28 digits".to_owned(),
        advice: "choose another pair",
    }
}
