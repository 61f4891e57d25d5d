//! How strict the exchange is where a recorded tape leaves room for guesses.

use serde::{Deserialize, Serialize};
use tranche_model::{money::Fraction, time::Millis};

/// Choices that a backtest states beside its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub fill: FillRule,
    /// How long a call travels to the exchange.
    pub latency: Millis,
    /// How much worse than the last price an order that takes from the tape trades.
    pub slippage: Fraction,
    /// The share of a tick's quantity that resting and taking orders may have. A tick whose quantity
    /// is unknown (zero) is not capped.
    pub volume_cap: Option<Fraction>,
    pub self_trade: SelfTradePrevention,
    /// Digits after the point of amounts: notionals, fees and locks are rounded down to them.
    pub amount_digits: u32,
}

/// When a resting order trades with the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillRule {
    /// The price must trade beyond the order.
    #[default]
    Through,
    /// The price must reach the order.
    Touch,
}

/// What happens when an order would trade with another of the same account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTradePrevention {
    ExpireTaker,
    #[default]
    ExpireMaker,
    ExpireBoth,
    /// They trade with each other.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fill: FillRule::default(),
            latency: Millis::ZERO,
            slippage: Fraction::ZERO,
            volume_cap: None,
            self_trade: SelfTradePrevention::default(),
            amount_digits: 16,
        }
    }
}
