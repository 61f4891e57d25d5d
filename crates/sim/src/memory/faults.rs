//! The store behind a committer that answers later, wrongly or never, as a plan says.

use std::collections::{BTreeMap, VecDeque};

use tranche_model::{
    ids::{AccountId, Epoch, InstrumentId, Seq, Ticket, TradeId},
    record::{Batch, Snapshot},
};

use super::{CommitError, Memory};

/// What goes wrong with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is written, and the committer says so.
    Fail,
    /// It is written, but the committer does not know.
    ApplyLoseReply,
    /// It, and what the same account commits behind it, is carried out some turns later.
    Delay { turns: u32 },
    /// Nothing is written, and the committer does not know.
    Lose,
}

/// Faults by the number of the commit, counted from 1 in order of submission.
pub type CommitPlan = BTreeMap<u64, CommitFault>;

/// A store with a queue of commits before it.
#[derive(Debug, Clone, Default)]
pub struct FaultyMemory {
    memory: Memory,
    plan: CommitPlan,
    submitted: u64,
    queue: VecDeque<Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    ticket: Ticket,
    batch: Batch,
    fault: Option<CommitFault>,
    turns: u32,
}

impl FaultyMemory {
    pub const fn new(memory: Memory, plan: CommitPlan) -> Self {
        Self { memory, plan, submitted: 0, queue: VecDeque::new() }
    }

    /// Hands a batch to the committer; [`FaultyMemory::turn`] says what became of it.
    pub fn submit(&mut self, ticket: Ticket, batch: Batch) {
        self.submitted = self.submitted.saturating_add(1);
        let fault = self.plan.remove(&self.submitted);
        let turns = match fault {
            Some(CommitFault::Delay { turns }) => turns,
            Some(CommitFault::Fail | CommitFault::ApplyLoseReply | CommitFault::Lose) | None => 0,
        };
        self.queue.push_back(Waiting { ticket, batch, fault, turns });
    }

    /// Lets the committer work once: carries out what is due and says how it went, in order.
    pub fn turn(&mut self) -> Vec<(Ticket, Result<(), CommitError>)> {
        let mut done = Vec::new();
        let mut held: Vec<AccountId> = Vec::new();
        for mut waiting in std::mem::take(&mut self.queue) {
            let account = waiting.batch.account;
            if held.contains(&account) || 0 < waiting.turns {
                waiting.turns = waiting.turns.saturating_sub(1);
                held.push(account);
                self.queue.push_back(waiting);
            } else {
                done.push((waiting.ticket, self.carry_out(&waiting)));
            }
        }
        done
    }

    fn carry_out(&mut self, waiting: &Waiting) -> Result<(), CommitError> {
        match waiting.fault {
            Some(CommitFault::Fail) => Err(CommitError::Failed),
            Some(CommitFault::Lose) => Err(CommitError::Unknown),
            Some(CommitFault::ApplyLoseReply) => {
                // A stale batch is not applied either; nobody hears of that.
                let _unheard = self.memory.commit(&waiting.batch);
                Err(CommitError::Unknown)
            }
            Some(CommitFault::Delay { .. }) | None => self.memory.commit(&waiting.batch),
        }
    }

    /// The process dies: what was not carried out is gone, what was is kept.
    pub fn crash(&mut self) {
        self.queue.clear();
    }

    pub fn load(&mut self, account: AccountId) -> Option<(Epoch, Seq, Snapshot)> {
        self.memory.load(account)
    }

    pub fn fill_known(&self, account: AccountId, instrument: InstrumentId, trade: TradeId) -> bool {
        self.memory.fill_known(account, instrument, trade)
    }

    /// Whether commits wait.
    pub fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// How many commits were submitted: the number that the plan counts by.
    pub const fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Adds faults to the plan while it runs.
    pub fn plan_mut(&mut self) -> &mut CommitPlan {
        &mut self.plan
    }

    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    pub const fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}
