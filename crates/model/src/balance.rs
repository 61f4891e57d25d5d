//! What an account holds, and what it pays.

use serde::{Deserialize, Serialize};

use crate::{
    asset::Asset,
    decimal::MathError,
    fill::Liquidity,
    money::{Amount, Fraction},
};

/// Holdings of one asset, as the venue states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub asset: Asset,
    /// Can be spent.
    pub free: Amount,
    /// Held by open orders.
    pub locked: Amount,
}

/// Fee rates of an account, as fractions of what a fill is worth. Estimates only: what was paid is
/// read from fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRates {
    pub maker: Fraction,
    pub taker: Fraction,
}

/// In which asset a venue takes its fees from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeAsset {
    /// From what the trade brings: base on a buy, quote on a sale (Binance spot without BNB).
    Received,
    /// From the quote asset on both sides.
    Quote,
    /// From a third asset, such as BNB, while there is enough of it.
    Third(Asset),
}

impl Balance {
    /// Free and locked together.
    pub fn total(&self) -> Result<Amount, MathError> {
        self.free.plus(self.locked)
    }
}

impl FeeRates {
    pub const fn rate(&self, liquidity: Liquidity) -> Fraction {
        match liquidity {
            Liquidity::Maker => self.maker,
            Liquidity::Taker => self.taker,
        }
    }
}
