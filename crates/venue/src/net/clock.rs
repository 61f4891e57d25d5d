//! Time comes from outside: the host's clock as a trait, and the venue's clock estimated from it.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tranche_model::time::Timestamp;

/// The host's clocks.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day as the host believes it. May jump.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment. Never jumps, never goes back.
    fn steady(&self) -> Duration;
}

/// The clocks of the machine. The only place that reads them.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(millis(since))
    }

    fn steady(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The moment that timers count from; a test can hold it still.
pub(crate) fn timer_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Whole milliseconds, cut off.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// One question for the venue's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub sent: Duration,
    pub received: Duration,
    pub venue: Timestamp,
}

/// Where the venue's clock stood at a steady moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    at: Duration,
    venue: Timestamp,
    /// Half the round trip: the estimate is not further off than this.
    error: Duration,
}

/// The venue's time, carried on by the steady clock between measurements: a jump of the host's clock
/// does not move it.
#[derive(Debug, Default)]
pub struct VenueClock {
    anchor: Mutex<Option<Anchor>>,
}

impl VenueClock {
    /// The venue's time; the host's until the first measurement.
    pub fn now(&self, clock: &dyn Clock) -> Timestamp {
        match self.anchor() {
            Some(anchor) => {
                let since = millis(clock.steady().saturating_sub(anchor.at));
                Timestamp::from_ms(anchor.venue.ms().saturating_add(since))
            }
            None => clock.wall(),
        }
    }

    /// By how many milliseconds the venue's clock is ahead of the host's; `None` before the first
    /// measurement.
    pub fn offset_ms(&self, clock: &dyn Clock) -> Option<i64> {
        self.anchor()?;
        Some(self.now(clock).ms().saturating_sub(clock.wall().ms()))
    }

    /// How far the estimate may be off.
    pub fn error(&self) -> Option<Duration> {
        self.anchor().map(|anchor| anchor.error)
    }

    /// Takes the probe with the smallest round trip; the venue is assumed to have looked at its clock
    /// half way. Without probes nothing changes.
    pub fn set(&self, probes: &[Probe]) {
        let Some(anchor) = best(probes) else { return };
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = Some(anchor);
    }

    fn anchor(&self) -> Option<Anchor> {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn best(probes: &[Probe]) -> Option<Anchor> {
    let round_trip = |probe: &&Probe| probe.received.saturating_sub(probe.sent);
    let probe = probes.iter().min_by_key(round_trip)?;
    let error = round_trip(&probe) / 2;
    Some(Anchor { at: probe.sent.saturating_add(error), venue: probe.venue, error })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Hand {
        wall: AtomicI64,
        steady: AtomicI64,
    }

    impl Hand {
        fn set(&self, wall: i64, steady: i64) {
            self.wall.store(wall, Ordering::SeqCst);
            self.steady.store(steady, Ordering::SeqCst);
        }
    }

    impl Clock for Hand {
        fn wall(&self) -> Timestamp {
            Timestamp::from_ms(self.wall.load(Ordering::SeqCst))
        }

        fn steady(&self) -> Duration {
            ms(u64::try_from(self.steady.load(Ordering::SeqCst)).unwrap())
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn probe(sent: u64, received: u64, venue: i64) -> Probe {
        Probe { sent: ms(sent), received: ms(received), venue: Timestamp::from_ms(venue) }
    }

    #[test]
    fn the_quickest_answer_sets_the_clock() {
        let (clock, hand) = (VenueClock::default(), Hand::default());
        hand.set(5000, 130);
        assert_eq!(clock.now(&hand).ms(), 5000);

        clock.set(&[probe(0, 60, 9000), probe(60, 80, 9045), probe(80, 130, 9100)]);

        // 9045 was true at 70, and 60 ms have passed since.
        assert_eq!(clock.now(&hand).ms(), 9105);
        assert_eq!(clock.error(), Some(ms(10)));
        assert_eq!(clock.offset_ms(&hand), Some(4105));
    }

    #[test]
    fn a_jump_of_the_host_does_not_move_the_venue() {
        let (clock, hand) = (VenueClock::default(), Hand::default());
        clock.set(&[probe(0, 10, 9000)]);

        hand.set(3_600_000, 1005);

        assert_eq!(clock.now(&hand).ms(), 10_000);
    }

    #[test]
    fn no_probe_leaves_the_clock_alone() {
        let (clock, hand) = (VenueClock::default(), Hand::default());
        clock.set(&[probe(0, 10, 9000)]);
        clock.set(&[]);
        hand.set(0, 5);
        assert_eq!(clock.now(&hand).ms(), 9000);
    }
}
