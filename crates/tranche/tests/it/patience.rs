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
