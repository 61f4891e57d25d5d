//! Prices that wander, jump and return: one walk for each instrument, from the seed.

use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    ids::InstrumentId,
    instrument::Instruments,
    money::{Price, Qty},
    time::Timestamp,
};

use super::chance::Chance;

/// The first price of every instrument.
pub(super) const START: i64 = 100;
/// Prices are kept in these parts of one, finer than any tick.
const PARTS: i64 = 10_000;
const FIRST: i64 = START * PARTS;

/// Prices of all instruments, before they are brought onto their ticks.
#[derive(Debug, Clone)]
pub(super) struct Market {
    walks: Vec<Walk>,
    /// How far a price moves in a minute, in hundred-thousandths.
    restlessness: i64,
}

#[derive(Debug, Clone)]
struct Walk {
    chance: Chance,
    price: i64,
}

impl Market {
    pub(super) fn new(mut chance: Chance, instruments: &Instruments, restlessness: i64) -> Self {
        let walks = instruments.iter().map(|_| Walk { chance: chance.fork(), price: FIRST });
        Self { walks: walks.collect(), restlessness }
    }

    /// The next price of an instrument; in calm times it only sways about the last one.
    pub(super) fn step(&mut self, place: usize, is_calm: bool, minute: u32) -> i64 {
        let Some(walk) = self.walks.get_mut(place) else { return FIRST };
        let drawn = walk.chance.draw();
        if is_calm {
            let sway = if minute.is_multiple_of(2) { 1_000 } else { -1_000 };
            return walk.price.saturating_add(sway);
        }
        let wide = i64::try_from(drawn % 2_001).unwrap_or(0).saturating_sub(1_000);
        let mut moved = wide.saturating_mul(self.restlessness) / 1_000;
        // Now and then it jumps; the farther from home, the more often towards it.
        let rare = (drawn >> 32) % 4_000;
        if rare < 2 {
            let sign = if rare == 0 { 1 } else { -1 };
            moved = sign * i64::try_from((drawn >> 16) % 9_000).unwrap_or(0);
        }
        let home = (FIRST.saturating_sub(walk.price) / 2_000).clamp(-200, 200);
        let by = walk.price.saturating_mul(moved) / 100_000;
        let price = walk.price.saturating_add(by).saturating_add(home);
        walk.price = price.clamp(FIRST / 5, FIRST * 5);
        walk.price
    }

    pub(super) fn price(&self, place: usize) -> i64 {
        self.walks.get(place).map_or(FIRST, |walk| walk.price)
    }

    /// Moves a price for good, by hundredths.
    pub(super) fn jump(&mut self, place: usize, hundredths: i64) {
        if let Some(walk) = self.walks.get_mut(place) {
            let by = walk.price.saturating_mul(hundredths) / 100;
            walk.price = walk.price.saturating_add(by).clamp(FIRST / 5, FIRST * 5);
        }
    }
}

/// A print at a price on its instrument's grid.
pub(super) fn tick(instruments: &Instruments, id: InstrumentId, parts: i64, at: Timestamp) -> Tick {
    let price = match instruments.get(id) {
        Some(instrument) => {
            let tick = instrument.tick.get();
            let scaled = tick.checked_mul(Decimal::from(PARTS)).unwrap_or(Decimal::ONE);
            let ticks = Decimal::from(parts).checked_div(scaled).unwrap_or_default().trunc();
            ticks.max(Decimal::ONE).checked_mul(tick).unwrap_or(tick)
        }
        None => Decimal::from(START),
    };
    Tick { instrument: id, price: Price::new(price), qty: Qty::ZERO, at }
}
