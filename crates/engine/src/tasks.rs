//! The one place where tasks begin.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

/// Begins a task that nobody waits for, under a name. Its death by a panic is told. `work` carries its own
/// way of saying that it is done.
#[expect(clippy::disallowed_methods, reason = "the one door to the runtime's tasks")]
pub(crate) fn spawn(name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let task = tokio::spawn(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(task = name, "task died");
        }
    });
    drop(task);
}
