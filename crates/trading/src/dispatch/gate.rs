//! Whether anything may leave at all: the venue's word, and the circuit breaker.

use tranche_model::{
    record::Outcome,
    time::{Millis, Timestamp},
};

use super::{CallNumber, Status, limits::BreakerLimits};

/// A venue that says "too much" without a time, or with one that is over, is left alone for this
/// long: going on at once is what turns a warning into a ban.
const PAUSE_MIN: Millis = Millis::from_secs(1);

#[derive(Debug, Clone)]
pub(super) struct Gate {
    limits: BreakerLimits,
    ban_jitter_max: Millis,
    seed: u64,
    throttled_until: Option<Timestamp>,
    banned_until: Option<Timestamp>,
    breaker: Breaker,
    back_off: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaker {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
    },
    /// One call tries whether the venue is there.
    Probing {
        since: Timestamp,
        probe: Option<CallNumber>,
    },
}

/// How much may go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Free,
    One,
    /// Until the time, or until the probe is answered.
    Shut(Option<Timestamp>),
}

impl Gate {
    pub(super) const fn new(limits: BreakerLimits, ban_jitter_max: Millis, seed: u64) -> Self {
        Self {
            limits,
            ban_jitter_max,
            seed,
            throttled_until: None,
            banned_until: None,
            breaker: Breaker::Closed { failures: 0 },
            back_off: limits.back_off_min,
        }
    }

    /// Ends what is over.
    pub(super) fn roll(&mut self, now: Timestamp) {
        self.throttled_until = self.throttled_until.filter(|until| now < *until);
        self.banned_until = self.banned_until.filter(|until| now < *until);
        if let Breaker::Open { until } = self.breaker
            && until <= now
        {
            self.breaker = Breaker::Probing { since: until, probe: None };
        }
    }

    pub(super) fn passage(&self) -> Passage {
        if let Some(until) = self.banned_until.max(self.throttled_until) {
            return Passage::Shut(Some(until));
        }
        match self.breaker {
            Breaker::Closed { .. } => Passage::Free,
            Breaker::Open { until } => Passage::Shut(Some(until)),
            Breaker::Probing { probe: None, .. } => Passage::One,
            Breaker::Probing { probe: Some(_), .. } => Passage::Shut(None),
        }
    }

    pub(super) fn status(&self) -> Status {
        if let Some(until) = self.banned_until {
            return Status::Banned(until);
        }
        match (self.breaker, self.throttled_until) {
            (Breaker::Open { until } | Breaker::Probing { since: until, .. }, _) => {
                Status::Broken(until)
            }
            (Breaker::Closed { .. }, Some(until)) => Status::Throttled(until),
            (Breaker::Closed { .. }, None) => Status::Open,
        }
    }

    /// A call leaves.
    pub(super) const fn pass(&mut self, number: CallNumber) {
        match &mut self.breaker {
            Breaker::Probing { probe, .. } => *probe = Some(number),
            Breaker::Closed { .. } | Breaker::Open { .. } => {}
        }
    }

    pub(super) fn throttle(&mut self, retry_at: Timestamp, now: Timestamp) {
        let until = retry_at.max(now.plus(PAUSE_MIN));
        self.throttled_until = self.throttled_until.max(Some(until));
    }

    /// Silence until the ban ends and a little longer, so that not all who were banned together
    /// come back in the same moment.
    pub(super) fn ban(&mut self, until: Timestamp) {
        let span = u64::from(self.ban_jitter_max.ms()).saturating_add(1);
        let draw = scramble(self.seed ^ until.ms().unsigned_abs()).checked_rem(span).unwrap_or(0);
        let jitter = Millis::new(u32::try_from(draw).unwrap_or(0));
        self.banned_until = self.banned_until.max(Some(until.plus(jitter)));
    }

    pub(super) const fn banned_until(&self) -> Option<Timestamp> {
        self.banned_until
    }

    /// Learns from an outcome whether the venue is there. `expired`: the call was held back here, by its
    /// own deadline or by us, which says nothing of the venue.
    pub(super) fn learn(
        &mut self,
        number: CallNumber,
        outcome: &Outcome,
        expired: bool,
        now: Timestamp,
    ) {
        let failed = match outcome {
            Outcome::Done(_) | Outcome::Refused(_) | Outcome::Throttled { .. } => false,
            Outcome::NotSent | Outcome::Unknown => true,
        };
        match self.breaker {
            Breaker::Closed { .. } if failed && expired => {}
            Breaker::Closed { failures } if failed => self.count(failures.saturating_add(1), now),
            Breaker::Closed { .. } => self.breaker = Breaker::Closed { failures: 0 },
            // Stragglers from before the breaker opened tell nothing new.
            Breaker::Open { .. } => {}
            Breaker::Probing { since, probe } if probe == Some(number) => {
                self.judge(failed, expired, since, now);
            }
            Breaker::Probing { .. } => {}
        }
    }

    fn count(&mut self, failures: u32, now: Timestamp) {
        self.breaker = Breaker::Closed { failures };
        if self.limits.failures <= failures {
            self.open(now);
        }
    }

    fn open(&mut self, now: Timestamp) {
        self.breaker = Breaker::Open { until: now.plus(self.back_off) };
        self.back_off = self.back_off.times(2).min(self.limits.back_off_max);
    }

    fn judge(&mut self, failed: bool, expired: bool, since: Timestamp, now: Timestamp) {
        if failed && expired {
            self.breaker = Breaker::Probing { since, probe: None };
        } else if failed {
            self.open(now);
        } else {
            self.breaker = Breaker::Closed { failures: 0 };
            self.back_off = self.limits.back_off_min;
        }
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014).
const fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
