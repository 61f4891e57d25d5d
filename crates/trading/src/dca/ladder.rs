//! The safety orders: how far below, how large, and what a deal may spend on them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tranche_model::{
    balance::FeeRates,
    decimal::{self, MathError, Rounding},
    instrument::Instrument,
    money::{Fraction, Price, Qty, Quote},
};

use super::{
    config::{Config, Level},
    digits,
    draft::{DeviationReference, LadderOrigin, QtyRounding},
    position::Position,
};

/// Digits after the point that a budget is rounded up to.
const BUDGET_SCALE: u32 = 8;

/// What the ladder hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The ladder's origin, see [`base_price`].
    pub base: Price,
    /// Cost and quantity of all buys so far; used by [`DeviationReference::Average`] only, which
    /// falls back to `base` without them.
    pub average: Option<(Quote, Qty)>,
}

/// The ladder's origin after the base order: its average price, with fees where that is configured.
/// `None` before the first buy.
pub fn base_price(config: &Config, base_order: &Position) -> Result<Option<Price>, MathError> {
    match config.ladder_origin() {
        LadderOrigin::Fill => base_order.average(),
        LadderOrigin::FeeInclusive => base_order.average_with_fees(),
    }
}

/// The volume of safety order `number` in quote, without fees: `v_i = v_1 · k^(i−1)`.
///
/// Numbers run from 1 to the configured maximum; here and below another one is an error.
pub fn volume(config: &Config, number: u16) -> Result<Quote, MathError> {
    level(config, number).map(|level| level.volume)
}

/// The sum of the steps down to safety order `number`: `d_i = s_1 + … + s_i`.
pub fn deviation(config: &Config, number: u16) -> Result<Fraction, MathError> {
    level(config, number).map(|level| level.deviation)
}

/// The price of safety order `number`, rounded down to the tick: never worse than configured.
///
/// From the base `P_0 (1 − d_i)`, from the previous one `P_(i−1) (1 − s_i)` without roundings in
/// between, from the average `C / Q · (1 − s_i)`.
pub fn price(
    config: &Config,
    instrument: &Instrument,
    number: u16,
    origin: Origin,
) -> Result<Price, MathError> {
    let level = level(config, number)?;
    if let Some((cost, qty)) = average(config, origin) {
        let lowered = digits::mul(cost.get(), level.step.rest()?)?;
        return Quote::new(lowered).per(qty, instrument.tick, Rounding::Down);
    }
    instrument.round_price(below_base(config, level, origin.base)?, Rounding::Down)
}

/// The price of safety order `number` before it is rounded to a tick.
pub fn price_unrounded(config: &Config, number: u16, origin: Origin) -> Result<Price, MathError> {
    let level = level(config, number)?;
    if let Some((cost, qty)) = average(config, origin) {
        let lowered = digits::mul(cost.get(), level.step.rest()?)?;
        return Quote::new(lowered).per(qty, Price::ZERO, Rounding::HalfUp);
    }
    below_base(config, level, origin.base)
}

/// The quantity of safety order `number` at `price`, in whole steps.
pub fn qty(
    config: &Config,
    instrument: &Instrument,
    number: u16,
    price: Price,
) -> Result<Qty, MathError> {
    qty_for(config, instrument, volume(config, number)?, price)
}

/// The quantity of the base order at `price`, in whole steps.
pub fn base_qty(config: &Config, instrument: &Instrument, price: Price) -> Result<Qty, MathError> {
    qty_for(config, instrument, config.base_order_volume(), price)
}

/// How much base `volume` buys at `price`, in whole steps, rounded as configured.
pub fn qty_for(
    config: &Config,
    instrument: &Instrument,
    volume: Quote,
    price: Price,
) -> Result<Qty, MathError> {
    let rounding = match config.qty_rounding() {
        QtyRounding::Down => Rounding::Down,
        QtyRounding::Up => Rounding::Up,
    };
    volume.buys(price, instrument.step, rounding)
}

/// What a deal spends when every safety order fills, in quote, without fees and roundings.
pub fn funds_per_deal(config: &Config) -> Result<Quote, MathError> {
    let base = config.base_order_volume().get();
    let mut volumes = config.levels().iter().map(|level| level.volume.get());
    volumes.try_fold(base, digits::add).map(Quote::new)
}

/// The most that a deal spends, in quote, with taker fees, rounded up to 8 digits.
///
/// `step_and_price` are the instrument's step and the price of the base order. Quantities that are
/// rounded up cost up to one step more per order; without the two that is left out.
pub fn budget_per_deal(
    config: &Config,
    fees: &FeeRates,
    step_and_price: Option<(Qty, Price)>,
) -> Result<Quote, MathError> {
    let mut spent = funds_per_deal(config)?.get();
    match (config.qty_rounding(), step_and_price) {
        (QtyRounding::Up, Some((step, price))) => {
            let orders = u32::from(config.max_safety_orders()).saturating_add(1);
            let more = digits::mul(digits::mul(step.get(), price.get())?, orders.into())?;
            spent = digits::add(spent, more)?;
        }
        (QtyRounding::Up, None) | (QtyRounding::Down, _) => {}
    }
    let with_fees = digits::mul(spent, fees.taker.grown()?)?;
    decimal::to_step(with_fees, Decimal::new(1, BUDGET_SCALE), Rounding::Up).map(Quote::new)
}

fn level(config: &Config, number: u16) -> Result<&Level, MathError> {
    config.level(number).ok_or(MathError::Overflow)
}

/// Cost and quantity when the ladder is measured from them.
fn average(config: &Config, origin: Origin) -> Option<(Quote, Qty)> {
    match config.deviation_reference() {
        DeviationReference::Average => origin.average.filter(|(_, qty)| qty.is_positive()),
        DeviationReference::Base | DeviationReference::Previous => None,
    }
}

fn below_base(config: &Config, level: &Level, base: Price) -> Result<Price, MathError> {
    let factor = match config.deviation_reference() {
        DeviationReference::Average => level.step.rest()?,
        DeviationReference::Base | DeviationReference::Previous => level.factor.get(),
    };
    digits::mul(base.get(), factor).map(Price::new)
}
