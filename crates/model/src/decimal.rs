//! Exact decimal arithmetic: an operation gives the exact result, a named rounding, or an error.

mod small;

use std::cmp::Ordering;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeTuple as _};

/// Why arithmetic has no exact answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MathError {
    #[error("the number is too large or has too many digits")]
    Overflow,
    #[error("division by zero")]
    DivisionByZero,
}

/// In which direction a number is brought to a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// To the nearest, ties away from zero.
    HalfUp,
}

/// Digits after the point that a quotient keeps before it is rounded to a grid.
const QUOTIENT_SCALE: u32 = 24;

/// Adds without rounding.
pub fn add(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    small::add(a, b).map_or_else(|| wide_add(a, b), Ok)
}

fn wide_add(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    let sum = a.checked_add(b).ok_or(MathError::Overflow)?;
    if a.scale().max(b.scale()) <= sum.scale() {
        return Ok(sum);
    }
    // A sum that needs more than 28 digits is rounded by the library without a word.
    let (a, b) = (a.normalize(), b.normalize());
    let sum = a.checked_add(b).ok_or(MathError::Overflow)?;
    if a.scale().max(b.scale()) <= sum.scale() { Ok(sum) } else { Err(MathError::Overflow) }
}

/// Subtracts without rounding.
pub fn sub(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    add(a, -b)
}

/// Multiplies without rounding.
pub fn mul(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    small::mul(a, b).map_or_else(|| wide_mul(a, b), Ok)
}

fn wide_mul(a: Decimal, b: Decimal) -> Result<Decimal, MathError> {
    let product = a.checked_mul(b).ok_or(MathError::Overflow)?;
    if product.scale() == a.scale() + b.scale() || a.is_zero() || b.is_zero() {
        return Ok(product);
    }
    // The product did not fit: it may still be exact once trailing zeros are gone.
    let (a, b) = (a.normalize(), b.normalize());
    let product = a.checked_mul(b).ok_or(MathError::Overflow)?;
    if product.scale() == a.scale() + b.scale() { Ok(product) } else { Err(MathError::Overflow) }
}

/// Divides and rounds to `scale` digits after the point.
pub fn div(a: Decimal, b: Decimal, scale: u32, rounding: Rounding) -> Result<Decimal, MathError> {
    quotient(a, b, scale, rounding).map(|quotient| quotient.normalize())
}

/// The same, perhaps with zeros at its end: taking off many is slow.
fn quotient(a: Decimal, b: Decimal, scale: u32, rounding: Rounding) -> Result<Decimal, MathError> {
    if b.is_zero() {
        return Err(MathError::DivisionByZero);
    }
    let quotient = a.checked_div(b).ok_or(MathError::Overflow)?;
    Ok(quotient.round_dp_with_strategy(scale, strategy(rounding)))
}

/// Brings `value` to a multiple of `step`; a zero step leaves it as it is.
pub fn to_step(value: Decimal, step: Decimal, rounding: Rounding) -> Result<Decimal, MathError> {
    if step.is_zero() {
        return Ok(value);
    }
    small::to_step(value, step, rounding).map_or_else(|| wide_to_step(value, step, rounding), Ok)
}

fn wide_to_step(value: Decimal, step: Decimal, rounding: Rounding) -> Result<Decimal, MathError> {
    let rest = value.checked_rem(step).ok_or(MathError::Overflow)?;
    if rest.is_zero() {
        return Ok(value.normalize());
    }
    let floor =
        if rest.is_sign_negative() { sub(sub(value, rest)?, step)? } else { sub(value, rest)? };
    let up = match rounding {
        Rounding::Down => false,
        Rounding::Up => true,
        Rounding::HalfUp => step <= mul(sub(value, floor)?, Decimal::TWO)?,
    };
    Ok(if up { add(floor, step)? } else { floor }.normalize())
}

/// Divides and brings the quotient to a multiple of `step`, as if the division had all its digits.
pub fn div_to_step(
    a: Decimal,
    b: Decimal,
    step: Decimal,
    rounding: Rounding,
) -> Result<Decimal, MathError> {
    let small = small::div_to_step(a, b, step, rounding);
    small.map_or_else(|| wide_div_to_step(a, b, step, rounding), Ok)
}

fn wide_div_to_step(
    a: Decimal,
    b: Decimal,
    step: Decimal,
    rounding: Rounding,
) -> Result<Decimal, MathError> {
    let quotient = quotient(a, b, QUOTIENT_SCALE, Rounding::HalfUp)?;
    let near = to_step(quotient, step, rounding)?;
    // The quotient was cut after some digits; the cut must not carry it over a grid line.
    let moved = match rounding {
        Rounding::Down if exceeds(near, b, a) => sub(near, step)?,
        Rounding::Up if exceeds_by_step(near, step, b, a)? => sub(near, step)?,
        Rounding::Down if !exceeds_by(near, step, b, a)? => add(near, step)?,
        Rounding::Up if falls_short(near, b, a) => add(near, step)?,
        Rounding::Down | Rounding::Up | Rounding::HalfUp => near,
    };
    Ok(moved.normalize())
}

/// Whether `quotient × divisor` is above `dividend`.
fn exceeds(quotient: Decimal, divisor: Decimal, dividend: Decimal) -> bool {
    compare_product(quotient, divisor, dividend) == Some(Ordering::Greater)
}

fn falls_short(quotient: Decimal, divisor: Decimal, dividend: Decimal) -> bool {
    compare_product(quotient, divisor, dividend) == Some(Ordering::Less)
}

/// Whether the next grid line up is already above `dividend`, or cannot be compared.
fn exceeds_by(
    quotient: Decimal,
    step: Decimal,
    divisor: Decimal,
    dividend: Decimal,
) -> Result<bool, MathError> {
    let order = compare_product(add(quotient, step)?, divisor, dividend);
    Ok(order != Some(Ordering::Less) && order != Some(Ordering::Equal))
}

/// Whether the next grid line down would still be enough.
fn exceeds_by_step(
    quotient: Decimal,
    step: Decimal,
    divisor: Decimal,
    dividend: Decimal,
) -> Result<bool, MathError> {
    let order = compare_product(sub(quotient, step)?, divisor, dividend);
    Ok(order == Some(Ordering::Greater) || order == Some(Ordering::Equal))
}

/// Compares `a × b` with `c` for a positive `b`; `None` when the product has too many digits to say,
/// in which case the quotient's 24 digits decide.
fn compare_product(a: Decimal, b: Decimal, c: Decimal) -> Option<Ordering> {
    if b.is_sign_negative() {
        return None;
    }
    mul(a, b).ok().map(|product| product.cmp(&c))
}

fn strategy(rounding: Rounding) -> RoundingStrategy {
    match rounding {
        Rounding::Down => RoundingStrategy::ToNegativeInfinity,
        Rounding::Up => RoundingStrategy::ToPositiveInfinity,
        Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
    }
}

/// Why a text is not a decimal number that we can hold exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDecimalError {
    #[error("not a decimal number: `{0}`")]
    NotANumber(String),
    #[error("more digits than can be held exactly (28): `{0}`")]
    TooManyDigits(String),
}

/// Reads a decimal, also in scientific notation, without losing a digit.
pub fn parse(text: &str) -> Result<Decimal, ParseDecimalError> {
    let text = text.trim();
    let read = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    match read {
        Ok(value) => Ok(value.normalize()),
        Err(rust_decimal::Error::ErrorString(_)) => Err(ParseDecimalError::NotANumber(shown(text))),
        Err(_) => Err(ParseDecimalError::TooManyDigits(shown(text))),
    }
}

/// Foreign text is cut before it enters an error.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Writes text for people and formats like JSON, digits and scale for compact ones. These have to write a
/// number the same way however wide its type is, as postcard does: few digits are written as 64 bits.
pub(crate) fn serialize<S: Serializer>(value: Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return serializer.collect_str(&value.normalize());
    }
    if let Some(few) = small::digits(value) {
        return few.serialize(serializer);
    }
    let value = value.normalize();
    let mut pair = serializer.serialize_tuple(2)?;
    pair.serialize_element(&value.mantissa())?;
    pair.serialize_element(&value.scale())?;
    pair.end()
}

/// Reads what [`serialize`] wrote. Floating point numbers are refused: they are not exact.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    if deserializer.is_human_readable() {
        return deserializer.deserialize_any(TextVisitor);
    }
    let (mantissa, scale) = <(i128, u32)>::deserialize(deserializer)?;
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(de::Error::custom)
}

struct TextVisitor;

impl de::Visitor<'_> for TextVisitor {
    type Value = Decimal;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a decimal number in quotes, such as \"1.5\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal::from(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        parse(text).unwrap()
    }

    #[test]
    fn a_product_that_would_lose_digits_is_an_error() {
        let wide = d("1234567.12345678901");

        assert_eq!(mul(wide, wide), Err(MathError::Overflow));
        assert_eq!(mul(d("0.00000846"), d("123456789012.5")), Ok(d("1044444.43504575")));
    }

    #[test]
    fn a_sum_that_would_lose_digits_is_an_error() {
        assert_eq!(add(d("79228162514264337593543950334"), d("0.1")), Err(MathError::Overflow));
        assert_eq!(add(d("0.5"), d("0.5")), Ok(d("1")));
    }

    #[test]
    fn rounding_to_a_step_goes_the_named_way() {
        let cases = [
            ("2.05", "0.1", Rounding::Down, "2"),
            ("2.05", "0.1", Rounding::Up, "2.1"),
            ("2.05", "0.1", Rounding::HalfUp, "2.1"),
            ("-2.05", "0.1", Rounding::Down, "-2.1"),
            ("-2.05", "0.1", Rounding::Up, "-2"),
            ("7.3", "0.005", Rounding::Down, "7.3"),
            ("13", "5", Rounding::Up, "15"),
            ("13.37", "0", Rounding::Down, "13.37"),
        ];
        for (value, step, rounding, want) in cases {
            assert_eq!(to_step(d(value), d(step), rounding), Ok(d(want)), "{value} {step}");
        }
    }

    #[test]
    fn a_quotient_lands_on_the_right_side_of_its_grid_line() {
        // One third of a tick above and below a line; the cut digits must not decide.
        let third = div_to_step(d("1"), d("3"), d("0.01"), Rounding::Up);
        assert_eq!(third, Ok(d("0.34")));
        assert_eq!(div_to_step(d("1"), d("3"), d("0.01"), Rounding::Down), Ok(d("0.33")));
        // 2/3 of 0.03 is exactly 0.02: stays there in every direction.
        for rounding in [Rounding::Down, Rounding::Up, Rounding::HalfUp] {
            assert_eq!(div_to_step(d("0.06"), d("3"), d("0.02"), rounding), Ok(d("0.02")));
        }
    }

    #[test]
    fn parsing_keeps_every_digit_or_refuses() {
        assert_eq!(d("5.33e-05"), d("0.0000533"));
        assert!(matches!(parse("1.5x"), Err(ParseDecimalError::NotANumber(_))));
        assert!(matches!(parse(""), Err(ParseDecimalError::NotANumber(_))));
        assert!(parse("0.1234567890123456789012345678901").is_err());
    }
}
