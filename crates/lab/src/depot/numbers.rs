//! Decimals as whole numbers of a fixed scale, which columns hold compactly and exactly.

use rust_decimal::Decimal;
use tranche_model::candle::Candle;

/// What a 64-bit column holds for sure.
pub(super) const DIGITS_MAX: u32 = 18;

/// The scales of a file's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Scales {
    pub(super) price: u32,
    pub(super) volume: u32,
}

/// Which scales candles need, found by looking at all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Needs {
    price: Need,
    volume: Need,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Need {
    /// Digits before and after the point.
    whole: u32,
    fraction: u32,
}

impl Need {
    fn look_at(&mut self, value: Decimal) {
        let value = value.normalize();
        self.fraction = self.fraction.max(value.scale());
        let whole = value.trunc().mantissa().unsigned_abs();
        self.whole = self.whole.max(whole.checked_ilog10().map_or(0, |digits| digits + 1));
    }
}

impl Needs {
    pub(super) fn look_at(&mut self, candle: &Candle) {
        // High and low bound the digits before the point, not those behind it.
        for price in [candle.open, candle.high, candle.low, candle.close] {
            self.price.look_at(price.get());
        }
        self.volume.look_at(candle.volume.get());
    }

    /// `Err` has the digits that prices would take.
    pub(super) fn scales(&self) -> Result<Scales, u32> {
        let digits = self.price.whole + self.price.fraction;
        if DIGITS_MAX < digits {
            return Err(digits);
        }
        // A huge volume gives up digits behind the point, which is counted where it is written.
        let volume = self.volume.fraction.min(DIGITS_MAX.saturating_sub(self.volume.whole));
        Ok(Scales { price: self.price.fraction, volume })
    }
}

/// The number of units of 10^−`scale`, and whether that is not exact.
pub(super) fn units(value: Decimal, scale: u32) -> Option<(i64, bool)> {
    let rounded = value.round_dp(scale);
    let up = 10_i128.checked_pow(scale.checked_sub(rounded.scale())?)?;
    let units = rounded.mantissa().checked_mul(up)?;
    Some((i64::try_from(units).ok()?, rounded != value))
}

/// The decimal of so many units, without zeros at the end, as text reads.
pub(super) fn decimal(mut units: i64, mut scale: u32) -> Option<Decimal> {
    while 0 < scale && units % 10 == 0 {
        units /= 10;
        scale -= 1;
    }
    Decimal::try_new(units, scale).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_and_back_is_the_same(mantissa in -9_999_999_999_i64..9_999_999_999, scale in 0_u32..8) {
            let value = Decimal::new(mantissa, scale);
            let (units, rounded) = units(value, 8).unwrap();
            prop_assert!(!rounded);
            let back = decimal(units, 8).unwrap();
            prop_assert_eq!(back, value);
            prop_assert_eq!(back.scale(), value.normalize().scale());
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert_eq!(units(Decimal::new(12_345, 4), 2), Some((123, true)));
        assert_eq!(units(Decimal::MAX, 0), None);
        let mut need = Need::default();
        need.look_at(Decimal::new(1_234_567, 3));
        assert_eq!(need, Need { whole: 4, fraction: 3 });
    }
}
