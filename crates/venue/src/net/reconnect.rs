//! When to try again: exponential back-off with full jitter, from a generator that is handed in.

use std::time::Duration;

/// A generator of chance (`SplitMix64`). The same seed gives the same draws.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

/// Bounds of the waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffLimits {
    /// The longest possible wait after the first failure; doubled with each further one.
    pub first: Duration,
    pub most: Duration,
}

/// Counts failures and says how long to wait.
#[derive(Debug, Clone)]
pub struct Backoff {
    limits: BackoffLimits,
    dice: Dice,
    failures: u32,
}

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number from zero to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.draw() % count,
            None => self.draw(),
        }
    }
}

impl Default for BackoffLimits {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    pub const fn new(limits: BackoffLimits, dice: Dice) -> Self {
        Self { limits, dice, failures: 0 }
    }

    /// One more failure: how long to wait before the next attempt. At least a tenth of the ceiling, so
    /// that a broken peer is never called in a tight loop.
    pub fn failed(&mut self) -> Duration {
        let doubled = 2_u32.checked_pow(self.failures.min(20)).unwrap_or(u32::MAX);
        let ceiling = self.limits.first.saturating_mul(doubled).min(self.limits.most);
        self.failures = self.failures.saturating_add(1);
        let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
        let floor = ceiling / 10;
        Duration::from_millis(floor.saturating_add(self.dice.up_to(ceiling - floor)))
    }

    /// It works: the next failure is a first one.
    pub const fn worked(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: u64, count: usize) -> Vec<u128> {
        let mut backoff = Backoff::new(BackoffLimits::default(), Dice::new(seed));
        (0..count).map(|_| backoff.failed().as_millis()).collect()
    }

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        for seed in 0..50 {
            for (failures, wait) in waits(seed, 12).into_iter().enumerate() {
                let ceiling = (1000_u128 << failures).min(30_000);
                assert!((ceiling / 10..=ceiling).contains(&wait), "{failures}: {wait}");
            }
        }
        let last: std::collections::BTreeSet<_> = (0..50).map(|seed| waits(seed, 9)[8]).collect();
        assert!(40 < last.len());
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        assert_eq!(waits(7, 10), waits(7, 10));
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::new(BackoffLimits::default(), Dice::new(3));
        for _ in 0..8 {
            backoff.failed();
        }
        backoff.worked();
        assert!(backoff.failed() <= Duration::from_secs(1));
    }
}
