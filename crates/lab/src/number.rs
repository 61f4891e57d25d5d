//! Numbers out of text: a fast exact path for plain digits, the general reader for the rest.

use std::str;

use rust_decimal::Decimal;
use tranche_model::decimal::{self, ParseDecimalError};

use crate::fault::{Fault, shown};

/// Digits that are sure to fit an `i64`.
const FAST_LEN_MAX: usize = 18;

/// Reads a decimal exactly, also in scientific notation.
pub(crate) fn decimal(field: &'static str, text: &[u8]) -> Result<Decimal, Fault> {
    match plain(text) {
        Some(value) => Ok(value),
        None => general(field, text),
    }
}

/// Reads a whole number.
pub(crate) fn whole<T: str::FromStr>(field: &'static str, text: &[u8]) -> Result<T, Fault> {
    let read = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    read.ok_or_else(|| Fault::NotWhole { field, value: shown(text) })
}

/// Reads `123` and `123.45`; `None` for anything else. Zeros at the end are dropped, as the general
/// reader does.
fn plain(text: &[u8]) -> Option<Decimal> {
    let ends_in_digits = text.first()?.is_ascii_digit() && text.last()?.is_ascii_digit();
    if !ends_in_digits || FAST_LEN_MAX < text.len() {
        return None;
    }
    let (mut mantissa, mut scale, mut zeros) = (0_i64, 0_u32, 0_u32);
    let mut is_past_point = false;
    for &byte in text {
        match byte {
            b'.' if !is_past_point => is_past_point = true,
            b'0' if is_past_point => zeros += 1,
            b'0'..=b'9' => {
                let digit = i64::from(byte - b'0');
                if is_past_point {
                    scale += zeros + 1;
                    mantissa *= power_of_ten(zeros);
                    zeros = 0;
                }
                mantissa = mantissa * 10 + digit;
            }
            _ => return None,
        }
    }
    Decimal::try_new(mantissa, scale).ok()
}

fn power_of_ten(exponent: u32) -> i64 {
    (0..exponent).fold(1, |power, _| power * 10)
}

fn general(field: &'static str, text: &[u8]) -> Result<Decimal, Fault> {
    let not_decimal = || Fault::NotDecimal { field, value: shown(text) };
    // The library also takes `1_000`, which no exchange writes.
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.iter().all(is_number) {
        return Err(not_decimal());
    }
    let text = str::from_utf8(text).map_err(|_| not_decimal())?;
    decimal::parse(text).map_err(|error| match error {
        ParseDecimalError::NotANumber(value) => Fault::NotDecimal { field, value },
        ParseDecimalError::TooManyDigits(value) => Fault::TooManyDigits { field, value },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_digits_read_as_the_general_reader_reads_them() {
        for text in ["0", "7", "13000", "0.0", "0.10", "100.00100", "966.61", "00012.5", "10.0"] {
            let fast = plain(text.as_bytes()).unwrap();
            let slow = decimal::parse(text).unwrap();
            assert_eq!((fast.mantissa(), fast.scale()), (slow.mantissa(), slow.scale()), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_goes_to_the_general_reader() {
        for text in ["", ".", ".5", "5.", "1.2.3", "-1", "1e5", "1234567890123456789"] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decimal("price", b"5.33e-05"), Ok(Decimal::new(533, 7)));
        assert!(matches!(decimal("price", b"1_000"), Err(Fault::NotDecimal { .. })));
        assert!(matches!(decimal("price", b"1e-40"), Err(Fault::TooManyDigits { .. })));
    }

    proptest! {
        #[test]
        fn any_plain_text_reads_exactly(text in "[0-9]{1,12}(\\.[0-9]{1,12})?") {
            prop_assert_eq!(decimal("price", text.as_bytes()).unwrap(), decimal::parse(&text).unwrap());
        }

        #[test]
        fn no_text_stops_the_program(text in "[-+0-9eE._]{0,45}") {
            let _read = decimal("price", text.as_bytes());
        }
    }
}
