//! Whether a venue would take every order of a deal.

use rust_decimal::Decimal;
use tranche_model::{
    decimal::{MathError, Rounding},
    instrument::{Instrument, TradingStatus},
    money::{Price, Qty, Quote},
};

use super::{
    check::{Checked, refuse},
    config::{Config, ConfigError},
    digits,
    draft::StopLossReference,
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
    for (number, level) in (1_u16..).zip(config.levels()) {
        let order = format!("safety order {number}");
        let (at, qty) = safety(config, instrument, number, (price, level.factor.get()))
            .map_err(|_| unfit(instrument))?;
        tradable(SAFETY, &order, (qty, at), instrument)?;
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
