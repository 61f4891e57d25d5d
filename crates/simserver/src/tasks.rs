//! The server's tasks: started here, told to stop here, waited for here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::timeout};

/// How long tasks may take to end once they are told.
const STOP_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
    stop: Arc<watch::Sender<bool>>,
}

/// Tells a task that it is to end.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns once the server is to stop.
    pub(crate) async fn wait(&mut self) {
        // An error means that the server is gone already.
        self.0.wait_for(|stops| *stops).await.map(|_| ()).unwrap_or_default();
    }
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { set: Arc::default(), stop: Arc::new(watch::Sender::new(false)) }
    }

    pub(crate) fn stopping(&self) -> Stopping {
        Stopping(self.stop.subscribe())
    }

    /// Starts a task; it must end when [`Stopping`] says so.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = set.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a task died");
            }
        }
        tracing::trace!(name, "a task starts");
        set.spawn(work);
    }

    /// Tells all tasks to end, and waits; who does not end in time is aborted.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let mut set = std::mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while set.join_next().await.is_some() {} };
        if timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("tasks did not end in time and are aborted");
            set.shutdown().await;
        }
    }
}
