//! A way through a candle, trade by trade: open, one extreme, the other, close.

use rust_decimal::Decimal;
use tranche_model::{
    candle::{Candle, Tick},
    ids::InstrumentId,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

use super::{fixed, rng::Rng, times};

/// Open, both extremes and close.
const POINTS_MIN: u32 = 4;
/// Seven times in ten, a candle that rises makes its low first.
const USUAL_ORDER: u64 = (1 << 32) / 10 * 7;

/// How ticks are made from candles. The points are made up, whether the candle was recorded or not;
/// each tick has a quantity of zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickPath {
    pub instrument: InstrumentId,
    pub interval: Millis,
    /// Every price is a multiple of it.
    pub tick: Price,
    /// Ticks for each candle, at least four.
    pub points: u32,
    /// With the candle's time, decides the way.
    pub seed: u64,
}

/// Why there is no way through a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("a price of the candle is not a multiple of the tick {tick}: {price}")]
    OffTick { tick: Price, price: Price },
    #[error("the candle is too large for the tick {tick}: {price}")]
    TooLarge { tick: Price, price: Price },
}

impl TickPath {
    /// The ticks inside a candle: the first at the open, the last at the close, high and low among
    /// them, none outside.
    pub fn through(&self, candle: &Candle) -> Result<Vec<Tick>, PathError> {
        let mut rng = Rng::new(self.seed ^ candle.open_at.ms().unsigned_abs());
        let corners = self.corners(candle, &mut rng)?;
        let bounds = (self.ticks(candle.low)?, self.ticks(candle.high)?);
        let points = self.points.max(POINTS_MIN);
        let mut ticks = Vec::with_capacity(tranche_model::cast::index(points));
        for (place, price) in (0..points).zip(walk(corners, points, bounds, &mut rng)) {
            let price = Price::new(times(price, self.tick.get()).unwrap_or(Decimal::ZERO));
            let at = self.at(candle.open_at, place, points);
            ticks.push(Tick { instrument: self.instrument, price, qty: Qty::ZERO, at });
        }
        Ok(ticks)
    }

    fn corners(&self, candle: &Candle, rng: &mut Rng) -> Result<[i64; 4], PathError> {
        let (open, close) = (self.ticks(candle.open)?, self.ticks(candle.close)?);
        let (high, low) = (self.ticks(candle.high)?, self.ticks(candle.low)?);
        let is_low_first = (open <= close) == rng.happens(USUAL_ORDER);
        Ok(if is_low_first { [open, low, high, close] } else { [open, high, low, close] })
    }

    fn ticks(&self, price: Price) -> Result<i64, PathError> {
        let tick = self.tick;
        if !price.is_multiple_of(tick) {
            return Err(PathError::OffTick { tick, price });
        }
        fixed::steps(price.get(), tick.get()).ok_or(PathError::TooLarge { tick, price })
    }

    fn at(&self, open_at: Timestamp, place: u32, points: u32) -> Timestamp {
        let span = u64::from(self.interval.ms()) * u64::from(place) / u64::from(points);
        open_at.plus(Millis::new(u32::try_from(span).unwrap_or(u32::MAX)))
    }
}

/// Prices in ticks: through the corners in order, with noise between them.
fn walk(corners: [i64; 4], points: u32, bounds: (i64, i64), rng: &mut Rng) -> Vec<i64> {
    // The two extremes are at two different places between the first and the last.
    let first = 1 + rng.below(points - 3);
    let second = first + 1 + rng.below(points - 2 - first);
    let places = [0, first, second, points - 1];
    let mut prices = Vec::new();
    for (from, to) in places.into_iter().zip(corners).zip(places.into_iter().zip(corners).skip(1)) {
        let ((from_place, from), (to_place, to)) = (from, to);
        let steps = i64::from(to_place - from_place);
        prices.push(from);
        for step in 1..steps {
            let line = i128::from(to - from) * i128::from(step) / i128::from(steps);
            let noise = rng.within((to - from).abs() / 4 + 1);
            let price = from + fixed::saturated(line) + noise;
            prices.push(price.clamp(bounds.0, bounds.1));
        }
    }
    let [_, _, _, close] = corners;
    prices.push(close);
    prices
}
