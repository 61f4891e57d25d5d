//! The committer: one line of transactions, each with all that was asked for while the last one ran.

mod group;
mod rows;

pub(crate) use rows::first_snapshots;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, yield_now},
};
use tranche_model::record::Batch;

use crate::{error::StoreError, log, places, settings::Versions, sql::Pool, tasks};

type Answers = Vec<Result<(), StoreError>>;

/// Callers that wait for the committer; the next one waits to be let in.
const INBOX: usize = 1024;
/// Batches in one transaction: more would let the first of them wait too long.
const GROUP_BATCHES: usize = 2048;

#[derive(Debug)]
pub(crate) struct Committer {
    inbox: Mutex<Option<mpsc::Sender<Request>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Request {
    batches: Vec<Batch>,
    reply: oneshot::Sender<Answers>,
}

impl Committer {
    /// `log` hears how much was written.
    pub(crate) fn start(pool: Pool, versions: Versions, log: Option<Arc<log::State>>) -> Self {
        let (inbox, requests) = mpsc::channel(INBOX);
        let task = tasks::spawn(run(Writer { pool, versions, log, unnoted: 0 }, requests));
        Self { inbox: Mutex::new(Some(inbox)), task: Mutex::new(Some(task)) }
    }

    /// Answers for each batch. A caller that does not wait for the answer does not stop the commit.
    pub(crate) async fn commit(&self, batches: Vec<Batch>) -> Answers {
        let count = batches.len();
        let failed = |what: &str| vec![Err(StoreError::Failed(what.to_owned())); count];
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(inbox) = inbox else { return failed("the store is closed") };
        let (reply, answer) = oneshot::channel();
        if inbox.send(Request { batches, reply }).await.is_err() {
            return failed("the committer is gone");
        }
        drop(inbox);
        answer.await.unwrap_or_else(|_| failed("the committer is gone"))
    }

    /// Lets nobody in any more and waits until the last transaction is over.
    pub(crate) async fn close(&self) {
        drop(self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the committer died");
        }
    }
}

/// What a group is written with.
struct Writer {
    pool: Pool,
    versions: Versions,
    log: Option<Arc<log::State>>,
    /// Rows since it was last noted where rows are.
    unnoted: u64,
}

async fn run(mut writer: Writer, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.recv().await {
        // Who was just answered may have the next one at hand: together they are one turn of the disk.
        yield_now().await;
        let mut size = first.batches.len();
        let mut group = vec![first];
        while size < GROUP_BATCHES
            && let Ok(next) = requests.try_recv()
        {
            size = size.saturating_add(next.batches.len());
            group.push(next);
        }
        writer.serve(group).await;
    }
}

impl Writer {
    /// Commits a group and gives each caller its part of the answers.
    async fn serve(&mut self, group: Vec<Request>) {
        let batches: Vec<&Batch> = group.iter().flat_map(|request| &request.batches).collect();
        let answers = group::commit(&self.pool, self.versions, &batches).await;
        let scattered = batches.iter().map(|batch| scattered(batch)).sum();
        let unnoted: u64 = batches.iter().map(|batch| unnoted(batch)).sum();
        let mut answers = answers.into_iter();
        for Request { batches, reply } in group {
            let part: Answers = answers.by_ref().take(batches.len()).collect();
            if reply.send(part).is_err() {
                tracing::debug!("nobody waits for the answer to a commit");
            }
        }
        if let Some(log) = &self.log {
            log.committed(scattered, &self.pool).await;
        }
        self.note(unnoted).await;
    }

    /// Between two groups: notes where rows are, when they are many.
    async fn note(&mut self, rows: u64) {
        self.unnoted = self.unnoted.saturating_add(rows);
        if self.unnoted < places::ROWS {
            return;
        }
        self.unnoted = 0;
        places::note(&self.pool).await;
    }
}

/// Rows that change a page each, or nearly: those that are kept by account. What is appended does not.
fn scattered(batch: &Batch) -> u64 {
    let Batch { snapshots, fills, .. } = batch;
    let account = 1_u64;
    account.saturating_add(count(snapshots.len())).saturating_add(count(fills.len()))
}

/// Rows of the tables whose places are noted later.
fn unnoted(batch: &Batch) -> u64 {
    count(batch.journal.len()).saturating_add(count(batch.intents.len()))
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
