//! SQLite's log of what was committed, brought into the file beside the commits and not inside of them.
//!
//! By itself SQLite does it in the commit that makes the log long, every few commits when they are large,
//! and whoever waits for that one waits for all of it. Here another connection does nearly all of it. The
//! last pages, and with them the end of the log, need a moment in which nobody writes: the committer gives
//! it, seldom. A log that begins anew overwrites itself, which a disk does faster than to let it grow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::JoinHandle, time::timeout};

use crate::{
    sql::{Pool, Statement},
    tasks,
};

/// Pages in the log at which SQLite itself brings them into the file, whatever happens here: 256 MiB.
pub(crate) const PAGES_MAX: u32 = 65_536;
/// Groups after which the log is brought into the file: at most one of so many waits for its end.
const GROUPS: u64 = 300;
/// Rows kept by account after which it is done however few groups there were. Each changes about one page.
const ROWS_MOST: u64 = 49_152;
/// Up to here one group's wait for the whole log is short, and two connections at the disk are worse.
const ROWS_SHORT: u64 = 4000;
/// Pages that may be left for the moment in which nobody writes.
const PAGES_LEFT: i64 = 500;
/// Walks through the log at most: while it grows, each leaves less than the one before.
const WALKS: u32 = 4;
/// How long a commit waits for the end of the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks after the log.
#[derive(Debug)]
pub(crate) struct Log {
    state: Arc<State>,
    pool: Pool,
    task: JoinHandle<()>,
}

/// What committer and task tell each other.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Since the log was short.
    rows: AtomicU64,
    groups: AtomicU64,
    is_long: Notify,
    /// Nearly all is in the file.
    is_nearly_done: AtomicBool,
}

impl State {
    /// Between two groups: counts the rows of the last one, and ends the log when the time has come.
    pub(crate) async fn committed(&self, rows: u64, writer: &Pool) {
        let rows = rows.saturating_add(self.rows.fetch_add(rows, Ordering::Relaxed));
        self.groups.fetch_add(1, Ordering::Relaxed);
        let is_nearly_done = self.is_nearly_done.swap(false, Ordering::Relaxed);
        if is_nearly_done || (self.is_due() && rows <= ROWS_SHORT) {
            // Who waits for the next commit is not held up by a disk that hangs.
            drop(timeout(PATIENCE, walk(writer)).await);
            self.rows.store(0, Ordering::Relaxed);
            self.groups.store(0, Ordering::Relaxed);
        } else if self.is_due() {
            self.is_long.notify_one();
        }
    }

    fn is_due(&self) -> bool {
        GROUPS <= self.groups.load(Ordering::Relaxed)
            || ROWS_MOST <= self.rows.load(Ordering::Relaxed)
    }
}

impl Log {
    /// `pool` is a connection that nobody else uses.
    pub(crate) fn keep(pool: Pool) -> Self {
        let state = Arc::new(State::default());
        let task = tasks::spawn(run(pool.clone(), Arc::clone(&state)));
        Self { state, pool, task }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Stops it. What is in the log goes into the file when the last connection closes.
    pub(crate) async fn close(&self) {
        self.task.abort();
        self.pool.close().await;
    }
}

async fn run(pool: Pool, state: Arc<State>) {
    loop {
        state.is_long.notified().await;
        // It may have been asked for while the last time was not over.
        if !state.is_due() {
            continue;
        }
        for _ in 0..WALKS {
            if walk(&pool).await.is_none_or(|left| left <= PAGES_LEFT) {
                break;
            }
        }
        state.is_nearly_done.store(true, Ordering::Relaxed);
    }
}

/// Brings into the file what nobody else holds up, without waiting for anybody; how many pages are left.
async fn walk(pool: &Pool) -> Option<i64> {
    let rows = pool.row("the log", Statement::new("PRAGMA wal_checkpoint(PASSIVE)")).await;
    let left = rows.and_then(|row| {
        let Some(mut row) = row else { return Ok(0) };
        let (_, pages, done) = (row.int()?, row.int()?, row.int()?);
        Ok(pages.saturating_sub(done))
    });
    left.inspect_err(|error| tracing::warn!(%error, "the log is not brought into the file yet"))
        .ok()
}
