//! Prices over time.

use serde::{Deserialize, Serialize};

use crate::{
    ids::InstrumentId,
    money::{Price, Qty},
    time::Timestamp,
};

/// Open, high, low, close and volume of one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    pub open_at: Timestamp,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    /// In base units.
    pub volume: Qty,
}

/// Why a candle cannot have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CandleError {
    #[error("a price is not above zero")]
    NotPositive,
    #[error("the high is below another price of the candle")]
    HighTooLow,
    #[error("the low is above another price of the candle")]
    LowTooHigh,
    #[error("the volume is below zero")]
    NegativeVolume,
}

/// One trade of the market, the only price that triggers anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    pub instrument: InstrumentId,
    pub price: Price,
    /// Zero when the source does not tell, as for a point made from a candle.
    pub qty: Qty,
    pub at: Timestamp,
}

impl Candle {
    /// Refuses what no market can print.
    pub fn check(&self) -> Result<(), CandleError> {
        let body = [self.open, self.close];
        if !self.low.is_positive() {
            return Err(CandleError::NotPositive);
        }
        if self.high < self.low || body.iter().any(|price| self.high < *price) {
            return Err(CandleError::HighTooLow);
        }
        if body.iter().any(|price| *price < self.low) {
            return Err(CandleError::LowTooHigh);
        }
        if self.volume.is_negative() {
            return Err(CandleError::NegativeVolume);
        }
        Ok(())
    }
}
