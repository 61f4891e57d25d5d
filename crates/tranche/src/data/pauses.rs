//! What is done between two questions when an exchange wants to be left alone, or is not there.

use std::time::Duration;

use tranche_model::time::Timestamp;
use tranche_venue::{
    net::{
        http::HttpFault,
        reconnect::{Backoff, BackoffLimits, Dice},
    },
    venue::ReadError,
};

/// A question that fails this often in a row is given up; with the pauses that is two to three minutes.
const FAILURES_MAX: u32 = 10;
/// Who has to wait longer than this may as well begin anew later.
const WAIT_MAX: Duration = Duration::from_mins(15);

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Pauses {
    backoff: Backoff,
    failures: u32,
}

impl Pauses {
    pub(super) const fn new(seed: u64) -> Self {
        let limits = BackoffLimits { first: Duration::from_secs(1), most: Duration::from_secs(30) };
        Self { backoff: Backoff::new(limits, Dice::new(seed)), failures: 0 }
    }

    pub(super) const fn worked(&mut self) {
        self.failures = 0;
        self.backoff.worked();
    }

    /// How long to wait before the question is asked again; `None` when that is of no use. `now` is
    /// the venue's time.
    pub(super) fn failed(&mut self, error: &ReadError, now: Timestamp) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        match error {
            ReadError::Throttled { retry_at, .. } => {
                let wait = Duration::from_millis(retry_at.since(now).ms().into());
                // The exchange counts in whole seconds.
                let wait = wait.saturating_add(Duration::from_secs(1));
                (wait <= WAIT_MAX && self.failures <= FAILURES_MAX).then_some(wait)
            }
            ReadError::Failed { .. } => self.again(),
            ReadError::Http(fault) => match fault {
                HttpFault::Malformed
                | HttpFault::Tls
                | HttpFault::Certificate(_)
                | HttpFault::TooLarge => None,
                HttpFault::Dns
                | HttpFault::ConnectionRefused
                | HttpFault::Unreachable
                | HttpFault::Timeout
                | HttpFault::Broken => self.again(),
            },
            ReadError::Refused(_)
            | ReadError::Unreadable(_)
            | ReadError::NotThisVenue { .. }
            | ReadError::NoInstrument(_) => None,
        }
    }

    fn again(&mut self) -> Option<Duration> {
        (self.failures <= FAILURES_MAX).then(|| self.backoff.failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    #[test]
    fn a_wish_of_the_exchange_is_kept() {
        let mut pauses = Pauses::new(1);
        let wait = |seconds: i64| ReadError::Throttled {
            retry_at: Timestamp::from_ms(NOW.ms() + seconds * 1000),
            banned: false,
        };

        assert_eq!(pauses.failed(&wait(7), NOW), Some(Duration::from_secs(8)));
        assert_eq!(pauses.failed(&wait(-5), NOW), Some(Duration::from_secs(1)));
        assert_eq!(pauses.failed(&wait(3600), NOW), None);
    }

    #[test]
    fn outages_are_waited_for_and_then_given_up() {
        let mut pauses = Pauses::new(1);
        let down = ReadError::Http(HttpFault::ConnectionRefused);

        let waits: Vec<Option<Duration>> = (0..12).map(|_| pauses.failed(&down, NOW)).collect();

        assert!(waits[..10].iter().all(Option::is_some), "{waits:?}");
        assert_eq!(waits[10..], [None, None]);
        pauses.worked();
        assert!(pauses.failed(&down, NOW).is_some());
    }

    #[test]
    fn a_no_is_not_asked_again() {
        let strange = ReadError::NotThisVenue { name: "binance" };

        assert_eq!(Pauses::new(1).failed(&strange, NOW), None);
    }
}
