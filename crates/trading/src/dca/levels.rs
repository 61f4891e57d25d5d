//! Builds the ladder of a draft, and refuses one that nobody can climb down.

use rust_decimal::Decimal;
use tranche_model::{
    decimal::{self, MathError, Rounding},
    money::{Fraction, Quote},
};

use super::{
    check::{
        Checked, SHARE_MIN, VOLUME_MAX, VOLUME_MIN, fraction, refuse, shown, shown_pct, too_large,
    },
    config::{ConfigError, Level},
    digits,
    draft::{DeviationReference, Draft},
};

/// The safety orders of a draft whose settings are checked.
pub(super) fn build(draft: &Draft) -> Result<Vec<Level>, ConfigError> {
    deep_enough(draft)?;
    let first = fraction("safety_order_step_pct", draft.safety_order_step_pct)?;
    let mut rung = Rung::first(draft.base_order_volume, first, draft.safety_order_volume);
    let mut levels = Vec::with_capacity(usize::from(draft.max_safety_orders));
    for number in 1..=draft.max_safety_orders {
        if 1 < number {
            rung.grow(draft).map_err(|_| too_large("volume_scale"))?;
        }
        rung.check(draft, number)?;
        let level = rung
            .level(draft.deviation_reference)
            .map_err(|_| too_large("safety_order_step_pct"))?;
        falls(draft, number, rung.factor, level.factor.get())?;
        rung.take(level).map_err(|_| too_large("volume_scale"))?;
        levels.push(level);
    }
    if VOLUME_MAX < rung.cost {
        let value = format!("{}: one deal needs {}", draft.volume_scale, shown(rung.cost));
        let bound = format!("such that it needs at most {VOLUME_MAX}");
        let advice = "lower it, the volumes or the number of safety orders";
        return refuse("volume_scale", value, bound, advice).map(|()| Vec::new());
    }
    Ok(levels)
}

/// The ladder while it is built; prices are shares of the origin.
struct Rung {
    step: Decimal,
    volume: Decimal,
    deviation: Decimal,
    /// The price of the order before.
    factor: Decimal,
    /// Volumes of all orders before, and what they bought.
    cost: Decimal,
    qty: Decimal,
}

impl Rung {
    fn first(base_volume: Quote, step: Fraction, volume: Quote) -> Self {
        Self {
            step: step.get(),
            volume: volume.get(),
            deviation: Decimal::ZERO,
            factor: Decimal::ONE,
            cost: base_volume.get(),
            qty: base_volume.get(),
        }
    }

    fn grow(&mut self, draft: &Draft) -> Result<(), MathError> {
        self.step = digits::mul(self.step, draft.step_scale.get())?;
        self.volume = digits::mul(self.volume, draft.volume_scale.get())?;
        Ok(())
    }

    fn check(&self, draft: &Draft, number: u16) -> Checked {
        if self.step < SHARE_MIN || Decimal::ONE <= self.step {
            return refuse(
                "step_scale",
                format!("{}: step {number} is {} %", draft.step_scale, shown_pct(self.step)),
                format!("such that each step is from {} % to below 100 %", shown_pct(SHARE_MIN)),
                "bring it closer to 1 or lower the number of safety orders",
            );
        }
        if self.volume < VOLUME_MIN || VOLUME_MAX < self.volume {
            let volume = shown(self.volume);
            return refuse(
                "volume_scale",
                format!("{}: safety order {number} has a volume of {volume}", draft.volume_scale),
                format!("such that each volume is from {VOLUME_MIN} to {VOLUME_MAX}"),
                "bring it closer to 1 or lower the number of safety orders",
            );
        }
        Ok(())
    }

    fn level(&self, reference: DeviationReference) -> Result<Level, MathError> {
        let deviation = digits::add(self.deviation, self.step)?;
        let rest = decimal::sub(Decimal::ONE, self.step)?;
        let factor = match reference {
            DeviationReference::Base => digits::sub(Decimal::ONE, deviation)?,
            DeviationReference::Previous => digits::mul(self.factor, rest)?,
            DeviationReference::Average => {
                let average = decimal::div(self.cost, self.qty, 20, Rounding::HalfUp)?;
                digits::mul(average, rest)?
            }
        };
        Ok(Level {
            step: Fraction::new(self.step),
            deviation: Fraction::new(deviation),
            factor: Fraction::new(factor),
            volume: Quote::new(self.volume),
        })
    }

    /// Counts the order as filled at its own price.
    fn take(&mut self, level: Level) -> Result<(), MathError> {
        let bought = decimal::div(self.volume, level.factor.get(), 20, Rounding::HalfUp)?;
        self.qty = digits::add(self.qty, bought)?;
        self.cost = digits::add(self.cost, self.volume)?;
        self.deviation = level.deviation.get();
        self.factor = level.factor.get();
        Ok(())
    }
}

/// A ladder measured from the base order must end above a price of zero.
fn deep_enough(draft: &Draft) -> Checked {
    if draft.deviation_reference != DeviationReference::Base {
        return Ok(());
    }
    let depth = depth_pct(draft);
    if depth.is_some_and(|pct| pct < Decimal::ONE_HUNDRED) {
        return Ok(());
    }
    let depth = depth.map_or_else(|| "far more than 100".to_owned(), shown);
    refuse(
        "safety_order_step_pct",
        format!(
            "{}: with {} safety orders the ladder goes {depth} % below the base order",
            draft.safety_order_step_pct, draft.max_safety_orders
        ),
        "below 100 %",
        "lower the step, its scale or the number of safety orders",
    )
}

/// The sum of all steps, in per cent; `None` when it cannot be held.
fn depth_pct(draft: &Draft) -> Option<Decimal> {
    let mut step = draft.safety_order_step_pct.get();
    let mut depth = Decimal::ZERO;
    for number in 1..=draft.max_safety_orders {
        if 1 < number {
            step = digits::mul(step, draft.step_scale.get()).ok()?;
        }
        depth = digits::add(depth, step).ok()?;
    }
    Some(depth)
}

fn falls(draft: &Draft, number: u16, before: Decimal, price: Decimal) -> Checked {
    let field = "safety_order_step_pct";
    let step = draft.safety_order_step_pct;
    if price < SHARE_MIN {
        return refuse(
            field,
            format!(
                "{step}: safety order {number} stands at {} % of the base price",
                shown_pct(price)
            ),
            format!("such that each stands at {} % or more", shown_pct(SHARE_MIN)),
            "lower the step, its scale or the number of safety orders",
        );
    }
    if before <= price {
        return refuse(
            field,
            format!("{step}: safety order {number} would not stand below the one before"),
            "such that prices fall from one safety order to the next",
            "raise step_scale or measure from the previous order instead of the average",
        );
    }
    Ok(())
}
