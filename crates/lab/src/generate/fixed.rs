//! Fractions as integers of 2^−32, so that a seed gives the same market on every platform.

use rust_decimal::Decimal;

/// The bits after the point of a return.
pub(super) const RETURN_BITS: u32 = 32;
/// The bits after the point of factors such as the shape of a day.
pub(super) const FACTOR_BITS: u32 = 16;
pub(super) const FACTOR_ONE: i64 = 1 << FACTOR_BITS;

pub(super) const DAY_MS: i64 = 86_400_000;

/// The most steps of volume that a day may have.
pub(super) const STEPS_MAX: i64 = 1 << 46;

/// A fraction as a return; the check of the parameters keeps it in range.
pub(super) fn return_of(fraction: Decimal) -> i64 {
    let scaled = fraction.saturating_mul(Decimal::from(1_i64 << RETURN_BITS));
    i64::try_from(scaled.trunc()).unwrap_or(i64::MAX >> 20)
}

/// How many times `step` is in `value`.
pub(super) fn steps(value: Decimal, step: Decimal) -> Option<i64> {
    i64::try_from(value.checked_div(step)?.trunc()).ok()
}

/// `value × factor`, where 2^`bits` is a factor of one.
pub(super) fn scaled(value: i64, factor: i64, bits: u32) -> i64 {
    saturated((i128::from(value) * i128::from(factor)) >> bits)
}

pub(super) fn saturated(value: i128) -> i64 {
    let bound = if value < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(value).unwrap_or(bound)
}

/// The square root, rounded down; zero of a negative number.
pub(super) fn root(value: i64) -> i64 {
    value.max(0).isqrt()
}
