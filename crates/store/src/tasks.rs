//! The one place where a task begins.

use tokio::task::JoinHandle;

/// Begins a task; its handle tells when it is over.
#[expect(clippy::disallowed_methods, reason = "the one door to the runtime's tasks")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}
