//! Arithmetic for values that end on a grid: exact while 28 digits hold the result, rounded after.

use rust_decimal::{Decimal, RoundingStrategy};
use tranche_model::decimal::{self, MathError};

/// Digits after the point that a result keeps once it does not fit exactly.
const SCALE: u32 = 20;

/// Multiplies; a product that does not fit is rounded half up, at 20 digits or earlier.
pub(super) fn mul(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    decimal::mul(a, b).or_else(|_| a.checked_mul(b).map(cut).ok_or(MathError::Overflow))
}

/// Adds; a sum that does not fit is rounded half up, at 20 digits or earlier.
pub(super) fn add(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    decimal::add(a, b).or_else(|_| a.checked_add(b).map(cut).ok_or(MathError::Overflow))
}

/// Subtracts like [`add`].
pub(super) fn sub(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    add(a, -b)
}

fn cut(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointAwayFromZero)
}
