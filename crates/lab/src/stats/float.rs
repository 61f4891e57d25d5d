//! The only casts to floats, and sums of them.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use rust_decimal::{Decimal, prelude::ToPrimitive as _};

/// Exact up to 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts and milliseconds are far below 2^53, and a statistic may lose a digit"
)]
pub(crate) const fn of_int(value: i64) -> f64 {
    value as f64
}

pub(crate) fn of_count(value: usize) -> f64 {
    of_int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The nearest float.
pub(crate) fn of(value: Decimal) -> f64 {
    value.to_f64().unwrap_or(f64::NAN)
}

/// `None` for what is no number.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    if b == 0.0 { None } else { finite(a / b) }
}

pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    ratio(values.iter().sum(), of_count(values.len()))
}

/// The standard deviation of a sample, with n − 1.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    ratio(squares, of_count(values.len()) - 1.0).map(f64::sqrt)
}

/// The middle one, or the lower of two; of sorted values.
pub(crate) fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}
