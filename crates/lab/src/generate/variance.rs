//! How wild the market is: GARCH(1,1) around a level that changes between calm, usual and wild.

use super::{
    Params, ParamsError,
    fixed::{self, DAY_MS, FACTOR_BITS, FACTOR_ONE, root, saturated, scaled},
    rng::Rng,
};

const MINUTE_MS: i64 = 60_000;
/// For one-minute candles: the share of the variance that fades in a candle, and that follows the
/// last move.
const FADE_MINUTE: i64 = FACTOR_ONE / 200;
const FOLLOW_MINUTE: i64 = FACTOR_ONE / 25;
const FADE_MAX: i64 = FACTOR_ONE / 4;
const FOLLOW_MAX: i64 = FACTOR_ONE / 6;
/// A move counts for at most five standard deviations, or one jump would shake a whole week.
const SQUARE_MAX: i64 = 25;
/// Times the usual variance when calm, usual and wild; with the weights below the mean is one.
const LEVELS: [i64; 3] = [FACTOR_ONE * 3 / 10, FACTOR_ONE, FACTOR_ONE * 31 / 10];
const WEIGHTS_PCT: [u32; 3] = [45, 40, 15];
/// A level lasts half a day on average.
const LEVEL_MS: i64 = DAY_MS / 2;

/// The variance of one candle, as squared returns of 2^−64.
#[derive(Debug, Clone)]
pub(super) struct Variance {
    usual: i64,
    now: i64,
    level: i64,
    fade: i64,
    follow: i64,
    level_ends: u64,
}

impl Variance {
    pub(super) fn new(params: &Params) -> Result<Self, ParamsError> {
        let interval_ms = i64::from(params.interval.ms());
        let daily = square(fixed::return_of(params.daily_volatility.get()));
        let steady = daily - jumps(params);
        // A tenth is kept, or the market would stand still between jumps.
        if steady < daily / 10 {
            return Err(ParamsError::JumpsTooLarge { value: params.jump.get() });
        }
        let usual = saturated(steady * i128::from(interval_ms) / i128::from(DAY_MS)).max(1);
        let minutes = (interval_ms * FACTOR_ONE / MINUTE_MS).max(1);
        let level_ends = (i128::from(interval_ms) << 32) / i128::from(LEVEL_MS);
        Ok(Self {
            usual,
            now: usual,
            level: FACTOR_ONE,
            fade: scaled(FADE_MINUTE, minutes, FACTOR_BITS).clamp(1, FADE_MAX),
            follow: scaled(FOLLOW_MINUTE, root(minutes * FACTOR_ONE), FACTOR_BITS).min(FOLLOW_MAX),
            level_ends: u64::try_from(level_ends).unwrap_or(u64::MAX),
        })
    }

    /// The standard deviation of a candle at this time of the day, as a return.
    pub(super) fn sigma(&self, shape: i64) -> i64 {
        scaled(root(self.now), root(shape * FACTOR_ONE), FACTOR_BITS).max(1)
    }

    /// `sigma` in units of the usual one; 2^16 is the usual.
    pub(super) fn wildness(&self, sigma: i64) -> i64 {
        (sigma.saturating_mul(FACTOR_ONE) / root(self.usual).max(1)).clamp(1, 16 * FACTOR_ONE)
    }

    /// Learns from the move of a candle that had `sigma`.
    pub(super) fn step(&mut self, rng: &mut Rng, moved: i64, sigma: i64) {
        if rng.happens(self.level_ends) {
            self.level = level(rng.below(100));
        }
        let square = (square(moved) << FACTOR_BITS) / square(sigma).max(1);
        let surprise = saturated(square).min(SQUARE_MAX * FACTOR_ONE) - FACTOR_ONE;
        let followed = scaled(scaled(self.now, surprise, FACTOR_BITS), self.follow, FACTOR_BITS);
        let target = scaled(self.usual, self.level, FACTOR_BITS);
        let faded = scaled(target - self.now, self.fade, FACTOR_BITS);
        let next = self.now.saturating_add(followed).saturating_add(faded);
        self.now = next.clamp(self.usual / 50, self.usual.saturating_mul(50)).max(1);
    }
}

fn level(mut draw: u32) -> i64 {
    for (level, weight) in LEVELS.into_iter().zip(WEIGHTS_PCT) {
        match draw.checked_sub(weight) {
            Some(rest) => draw = rest,
            None => return level,
        }
    }
    FACTOR_ONE
}

/// The variance that jumps add in a day: an even draw between a half and one and a half of a size
/// has 13/12 of its square.
fn jumps(params: &Params) -> i128 {
    let each = square(fixed::return_of(params.jump.get())) * 13 / 12;
    each.checked_div(i128::from(params.jump_days)).unwrap_or(0)
}

fn square(value: i64) -> i128 {
    i128::from(value) * i128::from(value)
}
