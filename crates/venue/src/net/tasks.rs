//! Tasks with names, whose death is told.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

/// Aborts its task when dropped.
#[derive(Debug)]
pub struct Task {
    name: &'static str,
    handle: JoinHandle<()>,
}

impl Task {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Starts a task in the present runtime. A task that throws is reported with its name; the work of a
/// venue's tasks is to run until they are dropped, so an end by itself is told as well.
#[expect(clippy::disallowed_methods, reason = "the one door to the runtime's tasks")]
pub fn spawn(name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
    let handle = tokio::spawn(async move {
        let end = AssertUnwindSafe(work).catch_unwind().await;
        if end.is_err() {
            tracing::error!(task = name, "task died");
        } else {
            tracing::debug!(task = name, "task ended");
        }
    });
    Task { name, handle }
}
