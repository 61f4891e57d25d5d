//! The one place that makes a runtime for what waits: sockets, timers, signals.

use std::io;

use anyhow::{Context as _, Result};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// Enough for one exchange; the machine has other things to do.
const THREADS: usize = 2;

/// Runs to the end of `work`.
pub(crate) fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    build()?.block_on(work)
}

/// For who goes in and out of it.
pub(crate) fn build() -> Result<Runtime> {
    let built = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    built.context("the system gives no threads for sockets and timers")
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

/// Begins a task that ends by itself. One that dies by a panic takes only its own work with it.
#[expect(clippy::disallowed_methods, reason = "the one door to the runtime's tasks")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

/// Begins a task that lives as long as what is returned.
pub(crate) fn keep(work: impl Future<Output = ()> + Send + 'static) -> Task {
    Task(spawn(work))
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Listens for Ctrl-C and for the signal that ends services.
#[derive(Debug)]
pub(crate) struct Stop {
    #[cfg(unix)]
    ends: tokio::signal::unix::Signal,
    #[cfg(unix)]
    breaks: tokio::signal::unix::Signal,
}

impl Stop {
    /// From now on a signal does not end the process by itself.
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            ends: signal(SignalKind::terminate())?,
            breaks: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns at the next signal.
    #[cfg(unix)]
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.ends.recv() => {}
            _ = self.breaks.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn wait(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nobody can end us this way: wait for the work instead.
            std::future::pending().await
        }
    }
}
