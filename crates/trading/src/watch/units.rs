//! Prices as positive integers on the grid of an instrument.

use std::num::NonZeroI64;

use rust_decimal::Decimal;
use tranche_model::money::{Fraction, Price};

/// Digits of a deviation.
const DEVIATION_SCALE: u32 = 9;
const BILLION: u32 = 1_000_000_000;

/// A price above zero, counted in `10^-scale`. `None` of it takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Units(NonZeroI64);

impl Units {
    pub(super) const MAX: Self = Self(NonZeroI64::MAX);
    const ONE: Self = match NonZeroI64::new(1) {
        Some(one) => Self(one),
        None => Self::MAX,
    };

    fn new(units: i64) -> Option<Self> {
        NonZeroI64::new(units).filter(|units| units.is_positive()).map(Self)
    }

    pub(super) const fn get(self) -> i64 {
        self.0.get()
    }

    /// `None` when the price is not above zero, too large, or between two grid lines.
    pub(super) fn exact(price: Price, scale: u32) -> Option<Self> {
        if let Some(units) = whole(price.get(), scale) {
            return Self::new(units);
        }
        let (units, rest) = split(price.get(), scale);
        if rest == 0 { Self::new(i64::try_from(units).ok()?) } else { None }
    }

    /// The largest one not above the price: what lies at or below the price lies at or below it.
    /// `None` when no price can be that low.
    pub(super) fn floor(price: Price, scale: u32) -> Option<Self> {
        let units = whole(price.get(), scale);
        Self::new(units.unwrap_or_else(|| clamp(split(price.get(), scale).0)))
    }

    /// The smallest one not below the price: what lies at or above the price lies at or above it.
    pub(super) fn ceil(price: Price, scale: u32) -> Self {
        let units = whole(price.get(), scale).unwrap_or_else(|| {
            let (units, rest) = split(price.get(), scale);
            clamp(if rest == 0 { units } else { units.saturating_add(1) })
        });
        Self::new(units).unwrap_or(Self::ONE)
    }

    /// Without trailing zeros, which are stripped here: a decimal would do it in 96 bits.
    pub(super) fn price(self, scale: u32) -> Price {
        let (mut units, mut scale) = (self.get(), scale);
        while scale != 0 && units % 10 == 0 {
            (units, scale) = (units / 10, scale.saturating_sub(1));
        }
        Price::new(Decimal::new(units, scale))
    }

    /// The same price on another grid, or the next one above it.
    pub(super) fn moved_up(self, from: u32, to: u32) -> Self {
        Self::ceil(self.price(from), to)
    }

    /// The highest price that has fallen from this peak by the deviation. Prices are whole units, so
    /// rounding down is exact. Whole billions and the rest are taken apart, for neither product leaves
    /// 64 bits.
    pub(super) fn trigger(self, deviation: u32) -> i64 {
        let left = i64::from(BILLION.saturating_sub(deviation));
        let whole = i64::from(BILLION);
        let (billions, rest) = (self.get() / whole, self.get() % whole);
        billions.saturating_mul(left).saturating_add(rest.saturating_mul(left) / whole)
    }

    /// Whether this is more than half of `other` away from it.
    pub(super) fn is_far_from(self, other: Self) -> bool {
        (other.get().unsigned_abs() / 2) < self.get().abs_diff(other.get())
    }
}

/// Parts per billion; rounded down, so that nothing fires late.
pub(super) fn deviation(fraction: Fraction) -> u32 {
    let (parts, _) = split(fraction.get(), DEVIATION_SCALE);
    u32::try_from(parts.clamp(0, i128::from(BILLION))).unwrap_or(BILLION)
}

/// Back from [`deviation`].
pub(super) fn fraction(deviation: u32) -> Fraction {
    Fraction::new(Decimal::new(i64::from(deviation), DEVIATION_SCALE))
}

/// Whole units without a rest, when 64 bits do: nearly always, and several times faster than
/// [`split`].
fn whole(value: Decimal, scale: u32) -> Option<i64> {
    let more = scale.checked_sub(value.scale())?;
    i64::try_from(value.mantissa()).ok()?.checked_mul(10_i64.checked_pow(more)?)
}

/// Whole units (towards minus infinity) and the rest.
fn split(value: Decimal, scale: u32) -> (i128, i128) {
    let mantissa = value.mantissa();
    if let Some(more) = scale.checked_sub(value.scale()) {
        return (mantissa.saturating_mul(power(more)), 0);
    }
    let divisor = power(value.scale().saturating_sub(scale));
    (mantissa.div_euclid(divisor), mantissa.rem_euclid(divisor))
}

fn power(exponent: u32) -> i128 {
    10_i128.saturating_pow(exponent)
}

fn clamp(units: i128) -> i64 {
    i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    #[test]
    fn bounds_round_to_the_side_that_misses_nothing() {
        let cases = [
            ("1.23", Some(123), 123, Some(123)),
            ("1.239", Some(123), 124, None),
            ("0.001", None, 1, None),
            ("0", None, 1, None),
            ("-5", None, 1, None),
            ("79228162514264337593543950335", Some(i64::MAX), i64::MAX, None),
            ("1.2300000000000000000000000001", Some(123), 124, None),
        ];
        for (text, floor, ceil, exact) in cases {
            assert_eq!(Units::floor(price(text), 2).map(Units::get), floor, "{text}");
            assert_eq!(Units::ceil(price(text), 2).get(), ceil, "{text}");
            assert_eq!(Units::exact(price(text), 2).map(Units::get), exact, "{text}");
        }
    }

    #[test]
    fn a_trigger_is_the_last_whole_unit_at_or_below_the_exact_one() {
        let peak = Units::exact(price("103.10"), 8).unwrap();

        assert_eq!(peak.trigger(deviation(Fraction::parse("0.005").unwrap())), 10_258_450_000);
        assert_eq!(Units::MAX.trigger(0), i64::MAX);
        assert_eq!(peak.trigger(deviation(Fraction::parse("3").unwrap())), 0);
        assert_eq!(peak.trigger(deviation(Fraction::parse("-1").unwrap())), peak.get());
    }

    #[test]
    fn triggers_and_prices_are_those_of_wide_arithmetic() {
        for peak in [1, 999_999_999, 1_000_000_001, 6_183_763_000_000, i64::MAX - 1, i64::MAX] {
            let units = Units::new(peak).unwrap();
            for deviation in [0, 1, 15_000_000, 333_333_333, BILLION - 1, BILLION, u32::MAX] {
                let left = i128::from(BILLION.saturating_sub(deviation));
                let exact = (i128::from(peak) * left).div_euclid(i128::from(BILLION));
                assert_eq!(i128::from(units.trigger(deviation)), exact, "{peak} {deviation}");
            }
            for scale in [0, 2, 8, 28] {
                let price = Decimal::new(peak, scale).normalize();
                assert_eq!(units.price(scale).to_string(), price.to_string());
            }
        }
    }

    #[test]
    fn far_is_more_than_half() {
        let at = |units| Units::new(units).unwrap();

        assert!(!at(150).is_far_from(at(100)));
        assert!(at(151).is_far_from(at(100)));
        assert!(!at(50).is_far_from(at(100)));
        assert!(at(49).is_far_from(at(100)));
        assert!(!at(3).is_far_from(at(3)));
        assert!(at(Units::MAX.get()).is_far_from(at(1)));
    }
}
