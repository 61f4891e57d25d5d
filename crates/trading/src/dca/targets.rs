//! Where a deal ends: take profit, break-even, stop loss, trailing.

use rust_decimal::Decimal;
use tranche_model::{
    decimal::{MathError, Rounding},
    instrument::Instrument,
    money::{Fraction, Price, Qty, Quote},
};

use super::{
    config::Config,
    digits,
    draft::{StopLossReference, TakeProfitType},
    position::Position,
};

/// The price at which selling everything sellable reaches the configured profit after all fees,
/// rounded up to the tick; `None` when nothing is sellable.
///
/// `base_spent` is the cost of the base order with its fees, in quote; `exit_fee` the fee rate of the
/// sell. Of everything spent: `((C + F)(1 + tp) − R) / (Q (1 − f))`; of the base order:
/// `(C + F + tp · B − R) / (Q (1 − f))`, with `R` what sells brought after fees and `Q` what can be
/// sold. When the profit is already made the price is one tick.
pub fn take_profit(
    config: &Config,
    position: &Position,
    base_spent: Quote,
    exit_fee: Fraction,
    instrument: &Instrument,
) -> Result<Option<Price>, MathError> {
    let spent = position.spent()?.get();
    let profit = match config.take_profit_type() {
        TakeProfitType::Total => digits::mul(spent, config.take_profit().get())?,
        TakeProfitType::Base => digits::mul(base_spent.get(), config.take_profit().get())?,
    };
    price_for(profit, position, exit_fee, instrument)
}

/// The price at which selling everything sellable returns what was spent after all fees, rounded up
/// to the tick: `(C + F − R) / (Q (1 − f))`. `None` when nothing is sellable.
pub fn breakeven(
    position: &Position,
    exit_fee: Fraction,
    instrument: &Instrument,
) -> Result<Option<Price>, MathError> {
    price_for(Decimal::ZERO, position, exit_fee, instrument)
}

/// The trigger of the stop loss, rounded up to the tick: never later than configured. `None` when
/// there is no stop loss, or no average to measure it from.
///
/// From the base `P_0 (1 − sl)` with `origin` as `P_0`; from the average `(C + F) / Q · (1 − sl)`
/// over all buys.
pub fn stop(
    config: &Config,
    instrument: &Instrument,
    origin: Price,
    position: &Position,
) -> Result<Option<Price>, MathError> {
    let Some(loss) = config.stop_loss() else { return Ok(None) };
    let rest = loss.rest()?;
    match config.stop_loss_reference() {
        StopLossReference::Base => {
            let exact = Price::new(digits::mul(origin.get(), rest)?);
            instrument.round_price(exact, Rounding::Up).map(Some)
        }
        StopLossReference::Average if position.bought.is_positive() => {
            let lowered = Quote::new(digits::mul(position.spent()?.get(), rest)?);
            lowered.per(position.bought, instrument.tick, Rounding::Up).map(Some)
        }
        StopLossReference::Average => Ok(None),
    }
}

/// The price at or below which a trailing take profit sells: `peak · (1 − deviation)`, not rounded.
pub fn retrace_level(peak: Price, deviation: Fraction) -> Result<Price, MathError> {
    digits::mul(peak.get(), deviation.rest()?).map(Price::new)
}

/// The price that brings `profit` (in quote) over everything spent.
fn price_for(
    profit: Decimal,
    position: &Position,
    exit_fee: Fraction,
    instrument: &Instrument,
) -> Result<Option<Price>, MathError> {
    let sellable = position.sellable(instrument)?;
    if !sellable.is_positive() {
        return Ok(None);
    }
    let needed = digits::sub(position.spent()?.get(), position.received()?.get())?;
    let needed = Quote::new(digits::add(needed, profit)?);
    let net = digits::mul(sellable.get(), exit_fee.rest()?)?;
    let price = needed.per(Qty::new(net), instrument.tick, Rounding::Up)?;
    Ok(Some(price.max(instrument.tick)))
}
