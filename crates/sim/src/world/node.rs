//! A process: a shard, its way out, its commits under way, and a clock of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tranche_model::{
    fill::Fill,
    ids::{AccountId, Ticket},
    instrument::Instruments,
    record::Batch,
    time::Timestamp,
};
use tranche_trading::{
    dispatch::limits::Limits,
    shard::{Input, Options, Output, Shard},
};

use super::line::Caller;
use crate::driver::Sender;

/// What becomes of a commit under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Stands,
    /// Nothing is written, and the process hears so.
    Fails,
    /// It is written, and the process does not hear of it.
    Unheard,
    /// It is written, and then the process dies.
    StandsThenDies,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) ticket: Ticket,
    pub(super) batch: Box<Batch>,
    pub(super) due: Timestamp,
    pub(super) fate: Fate,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Node {
    /// Which process this is, counted from 1.
    pub(super) life: u64,
    pub(super) shard: Shard,
    pub(super) sender: Sender,
    pub(super) outputs: Vec<Output>,
    pub(super) commits: VecDeque<Commit>,
    pub(super) loads: Vec<AccountId>,
    /// Fills of which the store is asked whether it knows them.
    pub(super) lookups: Vec<(AccountId, Fill)>,
    /// How often each account was loaded.
    pub(super) loaded: BTreeMap<AccountId, u64>,
    /// How far its clock is ahead of the venue's, in milliseconds.
    pub(super) skew: i64,
    clock: Timestamp,
    /// Stands still until then.
    pub(super) paused_until: Option<Timestamp>,
    /// Another process owns its accounts: it may finish what it began, and load nothing.
    pub(super) is_fenced: bool,
    /// When a fenced one goes.
    pub(super) ends_at: Option<Timestamp>,
    /// When the next call may leave after a ban that it was told of.
    pub(super) silent_until: Timestamp,
}

impl Node {
    pub(super) fn new(
        life: u64,
        instruments: &Instruments,
        options: Options,
        limits: Option<Limits>,
    ) -> Self {
        Self {
            life,
            shard: Shard::new(Arc::new(instruments.clone()), options),
            sender: Sender::new(limits),
            outputs: Vec::new(),
            commits: VecDeque::new(),
            loads: Vec::new(),
            lookups: Vec::new(),
            loaded: BTreeMap::new(),
            skew: 0,
            clock: Timestamp::MIN,
            paused_until: None,
            is_fenced: false,
            ends_at: None,
            silent_until: Timestamp::MIN,
        }
    }

    /// What its clock says; it never goes back.
    pub(super) fn clock(&mut self, now: Timestamp) -> Timestamp {
        let shown = Timestamp::from_ms(now.ms().saturating_add(self.skew));
        self.clock = self.clock.max(shown);
        self.clock
    }

    pub(super) fn step(&mut self, input: Input, now: Timestamp) {
        let clock = self.clock(now);
        self.shard.step(input, clock, &mut self.outputs);
    }

    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// When it has something to do, in the world's time.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let own = [self.shard.next_time(), self.sender.next_time()].into_iter().flatten().min();
        let own = own.map(|at| Timestamp::from_ms(at.ms().saturating_sub(self.skew)));
        let commit = self.commits.front().map(|commit| commit.due);
        let next = [own, commit, self.ends_at].into_iter().flatten().min()?;
        Some(self.paused_until.map_or(next, |until| next.max(until)))
    }

    pub(super) fn is_idle(&mut self, now: Timestamp) -> bool {
        let clock = self.clock(now);
        self.outputs.is_empty()
            && self.loads.is_empty()
            && self.lookups.is_empty()
            && !self.sender.is_due(clock)
            && self.commits.front().is_none_or(|commit| now < commit.due)
    }

    /// Who asks, for an account.
    pub(super) fn caller(&self, account: AccountId) -> Caller {
        let load = self.loaded.get(&account).copied().unwrap_or(0);
        Caller { life: self.life, account, load }
    }
}
