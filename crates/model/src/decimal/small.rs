//! The same arithmetic where the integers of the decimals fit into 64 bits, which almost all do: a
//! decimal's own goes through 96 bits and loops over their parts. `None` is "not here".

use rust_decimal::Decimal;

use super::Rounding;

/// The digits that a decimal can have after the point.
const SCALE_MAX: u32 = 28;

/// The integer and the digits after the point.
fn parts(value: Decimal) -> Option<(i64, u32)> {
    Some((i64::try_from(value.mantissa()).ok()?, value.scale()))
}

fn grown(value: i64, digits: u32) -> Option<i64> {
    value.checked_mul(10_i64.checked_pow(digits)?)
}

/// Without zeros at the end.
fn stripped(value: i64, scale: u32) -> Decimal {
    let (value, scale) = without_zeros(value, scale);
    Decimal::new(value, scale)
}

const fn without_zeros(mut value: i64, mut scale: u32) -> (i64, u32) {
    if value == 0 {
        return (0, 0);
    }
    while scale != 0 && value % 10 == 0 {
        (value, scale) = (value / 10, scale.saturating_sub(1));
    }
    (value, scale)
}

/// Digits and scale without zeros at the end.
pub(super) fn digits(value: Decimal) -> Option<(i64, u32)> {
    parts(value).map(|(value, scale)| without_zeros(value, scale))
}

pub(super) fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, of_a), (b, of_b)) = (parts(a)?, parts(b)?);
    let scale = of_a.max(of_b);
    let sum =
        grown(a, scale.checked_sub(of_a)?)?.checked_add(grown(b, scale.checked_sub(of_b)?)?)?;
    Some(Decimal::new(sum, scale))
}

pub(super) fn mul(a: Decimal, b: Decimal) -> Option<Decimal> {
    let ((a, of_a), (b, of_b)) = (parts(a)?, parts(b)?);
    let product = a.checked_mul(b)?;
    let scale = of_a.checked_add(of_b)?;
    (scale <= SCALE_MAX).then(|| Decimal::new(product, scale))
}

/// For a step above zero.
pub(super) fn to_step(value: Decimal, step: Decimal, rounding: Rounding) -> Option<Decimal> {
    let ((value, of_value), (step, of_step)) = (parts(value)?, parts(step)?);
    let scale = of_value.max(of_step);
    let value = grown(value, scale.checked_sub(of_value)?)?;
    let step = grown(step, scale.checked_sub(of_step)?)?;
    if step <= 0 {
        return None;
    }
    let rest = value.rem_euclid(step);
    let is_up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest != 0,
        Rounding::HalfUp => rest != 0 && step.checked_sub(rest)? <= rest,
    };
    let floor = value.checked_sub(rest)?;
    Some(stripped(if is_up { floor.checked_add(step)? } else { floor }, scale))
}

/// For a divisor and a step above zero: exactly, in 128 bits.
pub(super) fn div_to_step(
    a: Decimal,
    b: Decimal,
    step: Decimal,
    rounding: Rounding,
) -> Option<Decimal> {
    let (of_a, of_b, of_step) = (a.scale(), b.scale(), step.scale());
    let (step, divisor) = (step.mantissa(), b.mantissa());
    if step <= 0 || divisor <= 0 {
        return None;
    }
    let over = of_b.checked_add(of_step)?;
    let power = |digits: u32| 10_i128.checked_pow(digits);
    let dividend = a.mantissa().checked_mul(power(over.saturating_sub(of_a))?)?;
    let divisor = divisor.checked_mul(step)?.checked_mul(power(of_a.saturating_sub(over))?)?;
    let (quotient, rest) = match (u64::try_from(dividend), u64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => {
            (i128::from(dividend.checked_div(divisor)?), i128::from(dividend.checked_rem(divisor)?))
        }
        _ => (dividend.checked_div_euclid(divisor)?, dividend.checked_rem_euclid(divisor)?),
    };
    let is_up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest != 0,
        Rounding::HalfUp => rest != 0 && divisor.checked_sub(rest)? <= rest,
    };
    let steps = quotient.checked_add(i128::from(is_up))?;
    Some(stripped(i64::try_from(steps.checked_mul(step)?).ok()?, of_step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimals() -> impl Strategy<Value = Decimal> {
        let mantissas = prop_oneof![
            -20_i64..20,
            -1_000_000_000..1_000_000_000_i64,
            any::<i64>(),
            (0_u32..18).prop_map(|digits| 10_i64.pow(digits)),
        ];
        (mantissas, 0_u32..=20).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
    }

    fn roundings() -> impl Strategy<Value = Rounding> {
        prop_oneof![Just(Rounding::Down), Just(Rounding::Up), Just(Rounding::HalfUp)]
    }

    proptest! {
        #[test]
        fn what_is_computed_here_is_what_decimals_compute(
            a in decimals(),
            b in decimals(),
            step in decimals(),
            rounding in roundings(),
        ) {
            let is_same = |small: Option<Decimal>, wide: Result<Decimal, super::super::MathError>| {
                // What does not fit here may fit there, and never the other way round.
                small.is_none_or(|small| wide == Ok(small))
            };
            prop_assert!(is_same(add(a, b), super::super::wide_add(a, b)), "{a} + {b}");
            prop_assert!(is_same(mul(a, b), super::super::wide_mul(a, b)), "{a} * {b}");
            if step.is_sign_positive() && !step.is_zero() {
                let wide = super::super::wide_to_step(a, step, rounding);
                prop_assert!(is_same(to_step(a, step, rounding), wide), "{a} to {step} {rounding:?}");
            }
        }

        #[test]
        fn a_quotient_is_the_grid_line_next_to_it(
            a in 0_i64..1_000_000_000_000,
            of_a in 0_u32..10,
            b in 1_i64..1_000_000_000,
            of_b in 0_u32..10,
            step in 1_i64..1000,
            of_step in 0_u32..8,
        ) {
            let (a, b) = (Decimal::new(a, of_a), Decimal::new(b, of_b));
            let step = Decimal::new(step, of_step);
            let line = |rounding| div_to_step(a, b, step, rounding);
            if let (Some(down), Some(up)) = (line(Rounding::Down), line(Rounding::Up)) {
                prop_assert!(down * b <= a && a < (down + step) * b);
                prop_assert!(a <= up * b && (up - step) * b < a);
                prop_assert_eq!(down, super::super::wide_div_to_step(a, b, step, Rounding::Down)?);
                prop_assert_eq!(up, super::super::wide_div_to_step(a, b, step, Rounding::Up)?);
            }
        }
    }
}
