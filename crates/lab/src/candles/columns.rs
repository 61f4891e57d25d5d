//! Candles as columns of integers, for scans over years.

use rust_decimal::Decimal;

use super::CandleFile;

/// Prices as integers: 966.61 at scale 2 is 96661.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Milliseconds since 1970.
    pub open_at: Vec<i64>,
    pub open: Vec<i64>,
    pub high: Vec<i64>,
    pub low: Vec<i64>,
    pub close: Vec<i64>,
    /// Digits after the point of every price.
    pub scale: u32,
}

impl CandleFile {
    /// The digits after the point that hold every price of the file.
    pub fn price_scale(&self) -> u32 {
        let scales = self.candles.iter().map(|candle| {
            let prices = [candle.open, candle.high, candle.low, candle.close];
            prices.map(|price| price.get().normalize().scale()).into_iter().max().unwrap_or(0)
        });
        scales.max().unwrap_or(0)
    }

    /// `None` when a price has more than `scale` digits after the point, or does not fit.
    pub fn columns(&self, scale: u32) -> Option<Columns> {
        let rows = self.candles.len();
        let mut columns = Columns::with_capacity(rows, scale);
        for candle in &self.candles {
            columns.open_at.push(candle.open_at.ms());
            columns.open.push(units(candle.open.get(), scale)?);
            columns.high.push(units(candle.high.get(), scale)?);
            columns.low.push(units(candle.low.get(), scale)?);
            columns.close.push(units(candle.close.get(), scale)?);
        }
        Some(columns)
    }
}

impl Columns {
    fn with_capacity(rows: usize, scale: u32) -> Self {
        let column = || Vec::with_capacity(rows);
        Self {
            open_at: column(),
            open: column(),
            high: column(),
            low: column(),
            close: column(),
            scale,
        }
    }

    pub fn len(&self) -> usize {
        self.open_at.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open_at.is_empty()
    }
}

/// The number of units of 10^−`scale` in `value`; `None` when that is not whole or too large.
fn units(value: Decimal, scale: u32) -> Option<i64> {
    let value = if scale < value.scale() { value.normalize() } else { value };
    let power = 10_i64.checked_pow(scale.checked_sub(value.scale())?)?;
    i64::try_from(value.mantissa()).ok()?.checked_mul(power)
}
