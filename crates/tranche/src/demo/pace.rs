//! How fast simulated time goes by.

use std::time::Duration;

use tranche_model::time::{Millis, Timestamp};

pub(crate) const SPEED_MAX: u32 = 1_000_000;

/// Where the simulated clock should stand. Time that the machine could not keep up with is not made
/// up for.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) speed: u32,
    pub(crate) paused: bool,
    /// The last stretch took longer than it should have.
    pub(crate) lags: bool,
    target: Timestamp,
    /// What is left of a simulated millisecond, in nanoseconds.
    rest: u128,
    last: Duration,
}

impl Pace {
    pub(crate) const fn new(speed: u32, start: Timestamp) -> Self {
        Self { speed, paused: false, lags: false, target: start, rest: 0, last: Duration::ZERO }
    }

    /// The target at a wall-clock time.
    pub(crate) fn target(&mut self, elapsed: Duration) -> Timestamp {
        let passed = elapsed.saturating_sub(self.last);
        self.last = elapsed;
        if !self.paused {
            let simulated = passed.as_nanos().saturating_mul(self.speed.into()) + self.rest;
            let span = u32::try_from(simulated / 1_000_000).unwrap_or(u32::MAX);
            self.rest = simulated % 1_000_000;
            self.target = self.target.plus(Millis::new(span));
        }
        self.target
    }

    /// The simulation stands at `now`, whatever was aimed at.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.lags = now < self.target;
        if self.lags {
            self.target = now;
        }
    }

    pub(crate) fn faster(&mut self) {
        self.speed = self.speed.saturating_mul(2).min(SPEED_MAX);
    }

    pub(crate) fn slower(&mut self) {
        self.speed = (self.speed / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_at_its_speed() {
        let mut pace = Pace::new(60, Timestamp::from_ms(0));

        assert_eq!(pace.target(Duration::from_millis(500)).ms(), 30_000);
        pace.paused = true;
        assert_eq!(pace.target(Duration::from_millis(900)).ms(), 30_000);
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut pace = Pace::new(1000, Timestamp::from_ms(0));

        pace.target(Duration::from_secs(1));
        pace.settle(Timestamp::from_ms(400_000));

        assert!(pace.lags);
        assert_eq!(pace.target(Duration::from_secs(2)).ms(), 1_400_000);
    }
}
