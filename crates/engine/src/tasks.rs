//! The one place where tasks begin. A task that dies is noticed: who waits for it hears so, and what has to
//! go on is begun anew.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

/// A task that died is begun anew after this pause, so that one that dies at once does not eat the machine.
const RESTART: Duration = Duration::from_millis(500);

/// A task that lives as long as this is held.
#[derive(Debug)]
pub(crate) struct Kept(JoinHandle<()>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins a task under a name; `dead` runs when it dies by a panic, which is told.
pub(crate) fn spawn(
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
    dead: impl FnOnce() + Send + 'static,
) {
    drop(begin(async move {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(task = name, "task died");
            dead();
        }
    }));
}

/// Begins a task whose result comes into the queue; when it dies, `dead` comes in its place. The queue is
/// gone only when the engine is.
pub(crate) fn deliver<T: Send + 'static>(
    name: &'static str,
    into: mpsc::Sender<T>,
    work: impl Future<Output = T> + Send + 'static,
    dead: T,
) {
    drop(begin(async move {
        let result = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(task = name, "task died");
            dead
        });
        drop(into.send(result).await);
    }));
}

/// Begins a task that ends by itself only when there is nothing left to do, and anew when it died.
pub(crate) fn keep<F: Future<Output = ()> + Send>(
    name: &'static str,
    mut work: impl FnMut() -> F + Send + 'static,
) -> Kept {
    Kept(begin(async move {
        while AssertUnwindSafe(async { work().await }).catch_unwind().await.is_err() {
            tracing::error!(task = name, "task died; it is begun anew");
            sleep(RESTART).await;
        }
    }))
}

#[expect(clippy::disallowed_methods, reason = "the one door to the runtime's tasks")]
fn begin(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn result_of_a_task_that_dies_is_that_it_died() {
        let (into, mut from) = mpsc::channel(1);

        deliver("dies", into.clone(), async { panic!("a fault") }, "dead");
        assert_eq!(from.recv().await, Some("dead"));
        deliver("lives", into, async { "alive" }, "dead");
        assert_eq!(from.recv().await, Some("alive"));
    }

    #[tokio::test]
    async fn what_has_to_go_on_is_begun_anew() {
        let (into, mut from) = mpsc::channel(1);
        let begun = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&begun);

        let kept = keep("dies twice", move || {
            let (into, number) = (into.clone(), counter.fetch_add(1, Ordering::SeqCst));
            async move {
                assert!(1 < number, "a fault");
                into.send(number).await.unwrap();
            }
        });

        assert_eq!(from.recv().await, Some(2));
        assert_eq!(begun.load(Ordering::SeqCst), 3);
        drop(kept);
    }
}
