//! For how long an account is ours. Whoever sends looks here right before the write: a process that was
//! stopped for longer than its lease finds it over, whatever it had decided before.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// The lease of one account, shared by all who send for it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// What the milliseconds count from.
    origin: Instant,
    /// In milliseconds since the origin; [`FOR_EVER`] for who has no rival, 0 for who has lost it.
    until: AtomicU64,
}

const FOR_EVER: u64 = u64::MAX;

impl Lease {
    /// Not held yet.
    pub(crate) fn new() -> Self {
        Self { origin: now(), until: AtomicU64::new(0) }
    }

    /// Held for `term` from the moment on at which the store was asked, which is before it answered.
    pub(crate) fn hold(&self, asked: Instant, term: Option<Duration>) {
        let until = term.map_or(FOR_EVER, |term| {
            let end = asked.saturating_duration_since(self.origin).saturating_add(term);
            u64::try_from(end.as_millis()).unwrap_or(FOR_EVER - 1)
        });
        self.until.store(until, Ordering::SeqCst);
    }

    /// Nothing is sent any more from here on.
    pub(crate) fn lose(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether the account is still ours at this moment. The clock goes on while the process is stopped.
    pub(crate) fn is_held(&self) -> bool {
        let passed = now().saturating_duration_since(self.origin).as_millis();
        let until = self.until.load(Ordering::SeqCst);
        until == FOR_EVER || passed < u128::from(until)
    }
}

/// The moment that timers count from; a test can hold it still.
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(10);

    #[test]
    fn lease_ends_by_itself_counted_from_the_question() {
        let lease = Lease { origin: now() - Duration::from_secs(100), ..Lease::new() };
        assert!(!lease.is_held(), "nobody gave it");

        lease.hold(now() - Duration::from_secs(9), Some(TERM));
        assert!(lease.is_held());
        lease.hold(now() - TERM, Some(TERM));
        assert!(!lease.is_held());
    }

    #[test]
    fn who_has_no_rival_holds_it_until_it_is_taken_away() {
        let lease = Lease { origin: now() - Duration::from_secs(1_000_000), ..Lease::new() };
        lease.hold(now() - TERM, None);
        assert!(lease.is_held());

        lease.lose();
        assert!(!lease.is_held());
    }
}
