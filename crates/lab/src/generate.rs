//! Endless made-up markets from a seed: volatility that comes in bursts, trends, jumps, busy and
//! quiet hours, spreads.
//!
//! The model: returns are normal with a GARCH(1,1) variance around a level that itself changes
//! between calm, usual and wild; a drift lasts some days; jumps come at random. All arithmetic is in
//! integers.

mod clock;
mod fixed;
mod params;
mod path;
pub(crate) mod rng;
#[cfg(test)]
mod tests;
mod variance;

use rust_decimal::Decimal;
use tranche_model::{
    candle::Candle,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

use self::{
    fixed::{DAY_MS, FACTOR_BITS, FACTOR_ONE, RETURN_BITS, root, saturated, scaled},
    rng::{NORMAL_ONE, Rng},
    variance::Variance,
};
pub use self::{
    params::{Params, ParamsError},
    path::{PathError, TickPath},
};
use crate::source::Source;

/// How many trades a candle is made of.
const TRADES: i64 = 8;
/// The bits of a price level below one tick.
const LEVEL_BITS: u32 = 16;
/// The price stays within this factor of where it began.
const REACH: i64 = 64;
/// Beyond this factor, trends lead back.
const PULL: i64 = 4;

/// Candles without end. The same seed and parameters give the same candles.
#[derive(Debug, Clone)]
pub struct Generator {
    seed: u64,
    rng: Rng,
    at: Timestamp,
    interval: Millis,
    /// Ticks × 2^16.
    level: i64,
    /// The last traded price in ticks.
    last: i64,
    start_level: i64,
    variance: Variance,
    /// The part of the present trend in one candle, as a return.
    drift: i64,
    drift_max: i64,
    /// Chances in 2^32 that a trend ends or a jump comes within a candle.
    trend_ends: u64,
    jump_comes: u64,
    jump: i64,
    /// Half the usual spread, as a return.
    half_spread: i64,
    /// The steps of volume in a usual candle, × 2^16.
    volume: i64,
    tick: Decimal,
    qty_step: Decimal,
}

/// A candle and the usual distance of best bid and ask in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    pub candle: Candle,
    pub spread: Price,
}

/// Prices of one candle, in ticks.
#[derive(Debug, Clone, Copy)]
struct Prices {
    open: i64,
    high: i64,
    low: i64,
    close: i64,
}

impl Generator {
    pub fn new(seed: u64, params: &Params) -> Result<Self, ParamsError> {
        params.check()?;
        let (tick, qty_step) = (params.tick.get(), params.qty_step.get());
        let interval_ms = i64::from(params.interval.ms());
        let per_candle = |daily: i64| {
            saturated(i128::from(daily) * i128::from(interval_ms) / i128::from(DAY_MS))
        };
        let price = fixed::steps(params.start_price.get(), tick).unwrap_or(1);
        let volume = fixed::steps(params.daily_volume.get(), qty_step).unwrap_or(1);
        let mut generator = Self {
            seed,
            rng: Rng::new(seed),
            at: params.start_at,
            interval: params.interval,
            level: price << LEVEL_BITS,
            last: price,
            start_level: price << LEVEL_BITS,
            variance: Variance::new(params)?,
            drift: 0,
            drift_max: per_candle(fixed::return_of(params.trend.get())),
            trend_ends: chance(interval_ms, params.trend_days),
            jump_comes: chance(interval_ms, params.jump_days),
            jump: fixed::return_of(params.jump.get()),
            half_spread: fixed::return_of(params.spread.get()) / 2,
            volume: saturated(
                (i128::from(volume) << FACTOR_BITS) * i128::from(interval_ms) / i128::from(DAY_MS),
            ),
            tick,
            qty_step,
        };
        generator.turn();
        Ok(generator)
    }

    /// Says that these prices are generated.
    pub const fn source(&self) -> Source {
        Source::Generated { seed: self.seed }
    }

    pub const fn interval(&self) -> Millis {
        self.interval
    }

    /// The next candle with its spread; `None` only at the end of time.
    pub fn next_bar(&mut self) -> Option<Bar> {
        let shape = clock::shape(self.at);
        if self.rng.happens(self.trend_ends) {
            self.turn();
        }
        let sigma = self.variance.sigma(shape);
        let half_spread = self.half_spread_ticks(sigma);
        let before = self.level;
        let prices = self.trade(sigma, half_spread);
        let moved = change(before, self.level);
        let volume = self.traded(shape, sigma, moved);
        self.variance.step(&mut self.rng, moved.saturating_sub(self.drift), sigma);
        let candle = Candle {
            open_at: self.at,
            open: self.price(prices.open)?,
            high: self.price(prices.high)?,
            low: self.price(prices.low)?,
            close: self.price(prices.close)?,
            volume: Qty::new(times(volume, self.qty_step)?),
        };
        let next_at = self.at.plus(self.interval);
        (self.at < next_at).then_some(())?;
        self.at = next_at;
        Some(Bar { candle, spread: self.price(half_spread * 2)?.max(Price::new(self.tick)) })
    }

    /// Begins a new trend; far from the start it leads back.
    fn turn(&mut self) {
        let drift = self.rng.within(self.drift_max);
        let (high, low) = (self.start_level * PULL, self.start_level / PULL);
        self.drift = match self.level {
            level if high < level => -drift.abs(),
            level if level < low => drift.abs(),
            _ => drift,
        };
    }

    /// Trades through one candle: the fair level moves, each trade is at the bid or at the ask.
    fn trade(&mut self, sigma: i64, half_spread: i64) -> Prices {
        let jump_at = self.rng.happens(self.jump_comes).then(|| self.rng.below(8).into());
        let part = scaled(sigma, root(FACTOR_ONE * FACTOR_ONE / TRADES), FACTOR_BITS);
        // Half the variance keeps the middle of all possible prices where it is.
        let lift = scaled(sigma, sigma, RETURN_BITS) / 2;
        let steady = (self.drift + lift) / TRADES;
        let open = self.last;
        let mut prices = Prices { open, high: open, low: open, close: open };
        for trade in 0..TRADES {
            let mut step = steady + part * self.rng.normal() / NORMAL_ONE;
            if jump_at == Some(trade) {
                step += self.jump_step();
            }
            self.shift(step);
            prices.print(self.print(half_spread));
        }
        self.last = prices.close;
        prices
    }

    fn jump_step(&mut self) -> i64 {
        let size = self.jump + self.rng.within(self.jump / 2);
        if self.rng.happens(1 << 31) { size } else { -size }
    }

    fn shift(&mut self, step: i64) {
        let level = self.level.saturating_add(scaled(self.level, step, RETURN_BITS));
        let low = (self.start_level / REACH).max(2 << LEVEL_BITS);
        self.level = level.clamp(low, self.start_level * REACH);
    }

    /// The price of one trade, in ticks.
    fn print(&mut self, half_spread: i64) -> i64 {
        let fair = (self.level + (1 << (LEVEL_BITS - 1))) >> LEVEL_BITS;
        let side = if self.rng.happens(1 << 31) { half_spread } else { -half_spread };
        (fair + side).max(1)
    }

    /// Half the spread in ticks: wider when the market is wild.
    fn half_spread_ticks(&self, sigma: i64) -> i64 {
        let wildness = self.variance.wildness(sigma);
        let half = scaled(scaled(self.level, self.half_spread, RETURN_BITS), wildness, FACTOR_BITS);
        half >> LEVEL_BITS
    }

    /// The volume in steps: busy hours, wild times and large moves have more.
    fn traded(&mut self, shape: i64, sigma: i64, moved: i64) -> i64 {
        let wildness = self.variance.wildness(sigma);
        let surprise = (moved.abs() * FACTOR_ONE / sigma.max(1)).min(8 * FACTOR_ONE);
        let chance = self.rng.normal();
        let noise = FACTOR_ONE / 4 + scaled(chance, chance, FACTOR_BITS) / 2 + surprise / 3;
        let busy = scaled(scaled(shape, wildness, FACTOR_BITS), noise, FACTOR_BITS);
        scaled(self.volume, busy, FACTOR_BITS) >> FACTOR_BITS
    }

    fn price(&self, ticks: i64) -> Option<Price> {
        times(ticks, self.tick).map(Price::new)
    }
}

impl Iterator for Generator {
    type Item = Candle;

    fn next(&mut self) -> Option<Candle> {
        self.next_bar().map(|bar| bar.candle)
    }
}

impl Prices {
    fn print(&mut self, price: i64) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
    }
}

/// The chance in 2^32 that something that comes every `days` days comes within an interval.
fn chance(interval_ms: i64, days: u32) -> u64 {
    let chance = (interval_ms << 32).checked_div(i64::from(days) * DAY_MS).unwrap_or(0);
    u64::try_from(chance).unwrap_or(0)
}

/// From one level to another as a return.
fn change(before: i64, after: i64) -> i64 {
    let moved = i128::from(after - before) << RETURN_BITS;
    saturated(moved / i128::from(before.max(1)))
}

/// `count` units of `unit`, without rounding.
fn times(count: i64, unit: Decimal) -> Option<Decimal> {
    let mantissa = unit.mantissa().checked_mul(i128::from(count))?;
    Decimal::try_from_i128_with_scale(mantissa, unit.scale()).ok()
}
