//! Numbers with a kind: a price cannot be passed where a quantity is meant.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::{self, MathError, ParseDecimalError, Rounding};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Decimal);

        impl $name {
            pub const ZERO: Self = Self(Decimal::ZERO);

            pub const fn new(value: Decimal) -> Self {
                Self(value)
            }

            pub const fn get(self) -> Decimal {
                self.0
            }

            /// Reads a decimal text exactly.
            pub fn parse(text: &str) -> Result<Self, ParseDecimalError> {
                decimal::parse(text).map(Self)
            }

            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            /// Above zero.
            pub fn is_positive(self) -> bool {
                Decimal::ZERO < self.0
            }

            /// Below zero.
            pub fn is_negative(self) -> bool {
                self.0 < Decimal::ZERO
            }

            pub fn plus(self, other: Self) -> Result<Self, MathError> {
                decimal::add(self.0, other.0).map(Self)
            }

            pub fn minus(self, other: Self) -> Result<Self, MathError> {
                decimal::sub(self.0, other.0).map(Self)
            }

            /// `self − other`, but never below zero.
            pub fn minus_floored(self, other: Self) -> Result<Self, MathError> {
                Ok(self.minus(other)?.max(Self::ZERO))
            }

            /// Scales by a fraction or factor without rounding.
            pub fn scaled(self, factor: Decimal) -> Result<Self, MathError> {
                decimal::mul(self.0, factor).map(Self)
            }

            /// Brings the number to a multiple of `step`.
            pub fn to_step(self, step: Self, rounding: Rounding) -> Result<Self, MathError> {
                decimal::to_step(self.0, step.0, rounding).map(Self)
            }

            /// Whether the number is a multiple of `step`; every number is one of a zero step.
            pub fn is_multiple_of(self, step: Self) -> bool {
                step.is_zero() || self.0.checked_rem(step.0).is_some_and(|rest| rest.is_zero())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.normalize(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.normalize())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                decimal::serialize(self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                decimal::deserialize(deserializer).map(Self)
            }
        }
    };
}

number! {
    /// Quote units for one base unit.
    Price
}
number! {
    /// An amount of the base asset.
    Qty
}
number! {
    /// An amount of the quote asset.
    Quote
}
number! {
    /// An amount of an asset that is named beside it: balances, fees.
    Amount
}
number! {
    /// A share of one: 0.015 is 1.5 %.
    Fraction
}

impl Price {
    /// The notional: price × quantity, exact.
    pub fn times(self, qty: Qty) -> Result<Quote, MathError> {
        decimal::mul(self.0, qty.0).map(Quote)
    }
}

impl Qty {
    pub const fn amount(self) -> Amount {
        Amount(self.0)
    }
}

impl Quote {
    pub const fn amount(self) -> Amount {
        Amount(self.0)
    }

    /// How much base this buys at `price`, brought to `step`.
    pub fn buys(self, price: Price, step: Qty, rounding: Rounding) -> Result<Qty, MathError> {
        decimal::div_to_step(self.0, price.0, step.0, rounding).map(Qty)
    }

    /// The price at which `qty` is worth this, brought to `tick`.
    pub fn per(self, qty: Qty, tick: Price, rounding: Rounding) -> Result<Price, MathError> {
        decimal::div_to_step(self.0, qty.0, tick.0, rounding).map(Price)
    }
}

impl Amount {
    pub const fn qty(self) -> Qty {
        Qty(self.0)
    }

    pub const fn quote(self) -> Quote {
        Quote(self.0)
    }
}

impl Fraction {
    pub const ONE: Self = Self(Decimal::ONE);

    /// From per cent: 1.5 becomes 0.015.
    pub fn from_pct(pct: Decimal) -> Result<Self, MathError> {
        decimal::mul(pct, Decimal::new(1, 2)).map(|value| Self(value.normalize()))
    }

    /// In per cent: 0.015 becomes 1.5.
    pub fn pct(self) -> Result<Decimal, MathError> {
        decimal::mul(self.0, Decimal::ONE_HUNDRED).map(|value| value.normalize())
    }

    /// `1 + self`.
    pub fn grown(self) -> Result<Decimal, MathError> {
        decimal::add(Decimal::ONE, self.0)
    }

    /// `1 − self`.
    pub fn rest(self) -> Result<Decimal, MathError> {
        decimal::sub(Decimal::ONE, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_amount_buys_whole_steps() {
        let quote = Quote::parse("100").unwrap();
        let price = Price::parse("60000").unwrap();
        let step = Qty::parse("0.00001").unwrap();

        let qty = quote.buys(price, step, Rounding::Down).unwrap();

        assert_eq!(qty.to_string(), "0.00166");
        assert_eq!(price.times(qty).unwrap().to_string(), "99.6");
    }

    #[test]
    fn per_cent_and_fractions_convert_exactly() {
        let fraction = Fraction::from_pct(decimal::parse("1.5").unwrap()).unwrap();

        assert_eq!(fraction.to_string(), "0.015");
        assert_eq!(fraction.pct().unwrap().to_string(), "1.5");
    }
}
