//! How long a test waits for another process before it fails.

use std::time::{Duration, Instant};

pub(crate) struct Patience(Instant);

impl Patience {
    #[expect(clippy::disallowed_methods, reason = "the processes waited for live in real time")]
    pub(crate) fn of(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    #[expect(clippy::disallowed_methods, reason = "as above")]
    pub(crate) fn lasts(&self) -> bool {
        Instant::now() < self.0
    }
}

/// How long something took.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the processes measured live in real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.elapsed().as_secs()
    }
}
