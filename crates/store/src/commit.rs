//! The committer: one line of transactions, each with all that was asked for while the last one ran.

mod group;
mod rows;

pub(crate) use rows::snapshot_rows;

use std::sync::{Mutex, PoisonError};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tranche_model::record::Batch;

use crate::{error::StoreError, settings::Versions, sql::Pool, tasks};

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
    pub(crate) fn start(pool: Pool, versions: Versions) -> Self {
        let (inbox, requests) = mpsc::channel(INBOX);
        let task = tasks::spawn(run(pool, versions, requests));
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

async fn run(pool: Pool, versions: Versions, mut requests: mpsc::Receiver<Request>) {
    while let Some(first) = requests.recv().await {
        let mut size = first.batches.len();
        let mut group = vec![first];
        while size < GROUP_BATCHES
            && let Ok(next) = requests.try_recv()
        {
            size = size.saturating_add(next.batches.len());
            group.push(next);
        }
        serve(&pool, versions, group).await;
    }
}

/// Commits a group and gives each caller its part of the answers.
async fn serve(pool: &Pool, versions: Versions, group: Vec<Request>) {
    let batches: Vec<&Batch> = group.iter().flat_map(|request| &request.batches).collect();
    let mut answers = group::commit(pool, versions, &batches).await.into_iter();
    for Request { batches, reply } in group {
        let part: Answers = answers.by_ref().take(batches.len()).collect();
        if reply.send(part).is_err() {
            tracing::debug!("nobody waits for the answer to a commit");
        }
    }
}
