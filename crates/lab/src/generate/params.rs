//! What a generated market is like, with defaults for known instruments.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    money::{Fraction, Price, Qty},
    time::{Millis, Timestamp},
};

use super::fixed;

/// The most that a trend may move a day, and the widest volatility: a tenth and three tenths.
const TREND_MAX: Decimal = Decimal::from_parts(1, 0, 0, false, 1);
const VOLATILITY_MAX: Decimal = Decimal::from_parts(3, 0, 0, false, 1);
const VOLATILITY_MIN: Decimal = Decimal::from_parts(1, 0, 0, false, 4);
const SPREAD_MAX: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
const TICKS_MIN: i64 = 100;
const TICKS_MAX: i64 = 1 << 34;
const INTERVAL_MS_MIN: u32 = 1000;
const INTERVAL_MS_MAX: u32 = 86_400_000;
const DAYS_MAX: u32 = 3650;

/// The character of a generated market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// When the first candle opens.
    pub start_at: Timestamp,
    /// One second to one day.
    pub interval: Millis,
    pub start_price: Price,
    /// Every price is a multiple of it.
    pub tick: Price,
    /// Every volume is a multiple of it.
    pub qty_step: Qty,
    /// The standard deviation of a day's return: 0.035 is 3.5 %.
    pub daily_volatility: Fraction,
    /// The most that a trend moves the price in a day.
    pub trend: Fraction,
    /// How long a trend lasts on average.
    pub trend_days: u32,
    /// The days between two jumps on average; zero for a market without jumps.
    pub jump_days: u32,
    /// The size of a usual jump; single ones are between a half and one and a half of it.
    pub jump: Fraction,
    /// Base units traded in a usual day.
    pub daily_volume: Qty,
    /// The usual distance of best bid and ask; at least one tick.
    pub spread: Fraction,
}

/// Why no market can be made of some parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    #[error("{field}: must be above 0: {value}")]
    NotPositive { field: &'static str, value: Decimal },
    #[error("{field}: must be from {min} to {max}: {value}")]
    OutOfRange { field: &'static str, min: Decimal, max: Decimal, value: Decimal },
    #[error("start_price: must be a multiple of the tick {tick}: {value}")]
    OffTick { tick: Decimal, value: Decimal },
    #[error("jump: jumps this large and frequent move more than daily_volatility allows: {value}")]
    JumpsTooLarge { value: Decimal },
}

impl Params {
    pub fn btc_usdt() -> Self {
        Self::usual(
            Price::new(Decimal::new(60_000, 0)),
            Price::new(Decimal::new(1, 2)),
            Qty::new(Decimal::new(1, 5)),
            Fraction::new(Decimal::new(35, 3)),
            Qty::new(Decimal::new(25_000, 0)),
        )
    }

    pub fn eth_usdt() -> Self {
        Self::usual(
            Price::new(Decimal::new(2500, 0)),
            Price::new(Decimal::new(1, 2)),
            Qty::new(Decimal::new(1, 4)),
            Fraction::new(Decimal::new(4, 2)),
            Qty::new(Decimal::new(400_000, 0)),
        )
    }

    pub fn sol_usdt() -> Self {
        Self::usual(
            Price::new(Decimal::new(150, 0)),
            Price::new(Decimal::new(1, 2)),
            Qty::new(Decimal::new(1, 3)),
            Fraction::new(Decimal::new(5, 2)),
            Qty::new(Decimal::new(3_000_000, 0)),
        )
    }

    pub fn xrp_usdt() -> Self {
        Self::usual(
            Price::new(Decimal::new(6, 1)),
            Price::new(Decimal::new(1, 4)),
            Qty::new(Decimal::ONE),
            Fraction::new(Decimal::new(45, 3)),
            Qty::new(Decimal::new(300_000_000, 0)),
        )
    }

    pub fn eth_btc() -> Self {
        Self::usual(
            Price::new(Decimal::new(5, 2)),
            Price::new(Decimal::new(1, 5)),
            Qty::new(Decimal::new(1, 4)),
            Fraction::new(Decimal::new(2, 2)),
            Qty::new(Decimal::new(30_000, 0)),
        )
    }

    /// The defaults of a known instrument.
    pub fn of(symbol: Symbol) -> Option<Self> {
        match (symbol.base.as_str(), symbol.quote.as_str()) {
            ("BTC", "USDT" | "USD" | "USDC") => Some(Self::btc_usdt()),
            ("ETH", "USDT" | "USD" | "USDC") => Some(Self::eth_usdt()),
            ("SOL", "USDT" | "USD" | "USDC") => Some(Self::sol_usdt()),
            ("XRP", "USDT" | "USD" | "USDC") => Some(Self::xrp_usdt()),
            ("ETH", "BTC") => Some(Self::eth_btc()),
            _ => None,
        }
    }

    /// One-minute candles from 2024-01-01 on, trends of up to 1 % a day for five days, a jump of
    /// about 1.5 % every four days.
    pub fn usual(
        start_price: Price,
        tick: Price,
        qty_step: Qty,
        daily_volatility: Fraction,
        daily_volume: Qty,
    ) -> Self {
        Self {
            start_at: Timestamp::from_ms(1_704_067_200_000),
            interval: Millis::from_secs(60),
            start_price,
            tick,
            qty_step,
            daily_volatility,
            trend: Fraction::new(Decimal::new(1, 2)),
            trend_days: 5,
            jump_days: 4,
            jump: Fraction::new(Decimal::new(15, 3)),
            daily_volume,
            spread: Fraction::new(Decimal::new(1, 5)),
        }
    }

    /// Refuses what no market can be made of.
    pub fn check(&self) -> Result<(), ParamsError> {
        positive("start_price", self.start_price.get())?;
        positive("tick", self.tick.get())?;
        positive("qty_step", self.qty_step.get())?;
        positive("daily_volume", self.daily_volume.get())?;
        let interval = Decimal::from(self.interval.ms());
        range("interval", interval, INTERVAL_MS_MIN.into(), INTERVAL_MS_MAX.into())?;
        let volatility = self.daily_volatility.get();
        range("daily_volatility", volatility, VOLATILITY_MIN, VOLATILITY_MAX)?;
        range("trend", self.trend.get(), Decimal::ZERO, TREND_MAX)?;
        range("trend_days", self.trend_days.into(), Decimal::ONE, DAYS_MAX.into())?;
        range("jump_days", self.jump_days.into(), Decimal::ZERO, DAYS_MAX.into())?;
        range("jump", self.jump.get(), Decimal::ZERO, VOLATILITY_MAX)?;
        range("spread", self.spread.get(), Decimal::ZERO, SPREAD_MAX)?;
        self.check_ticks()
    }

    fn check_ticks(&self) -> Result<(), ParamsError> {
        let (price, tick) = (self.start_price.get(), self.tick.get());
        if !self.start_price.is_multiple_of(self.tick) {
            return Err(ParamsError::OffTick { tick, value: price });
        }
        let min = tick.saturating_mul(TICKS_MIN.into());
        let max = tick.saturating_mul(TICKS_MAX.into());
        range("start_price", price, min, max)?;
        let step = self.qty_step.get();
        let max = step.saturating_mul(Decimal::from(fixed::STEPS_MAX));
        range("daily_volume", self.daily_volume.get(), step, max)
    }
}

fn positive(field: &'static str, value: Decimal) -> Result<(), ParamsError> {
    if Decimal::ZERO < value {
        return Ok(());
    }
    Err(ParamsError::NotPositive { field, value })
}

fn range(
    field: &'static str,
    value: Decimal,
    min: Decimal,
    max: Decimal,
) -> Result<(), ParamsError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ParamsError::OutOfRange { field, min, max, value })
}
