//! What goes out: commits, calls, places, news.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tranche_model::{
    fill::Fill,
    ids::{AccountId, Ticket},
    record::{Batch, Call},
};
use tranche_trading::{
    dispatch::{Action, Applicant, CallNumber},
    event::Event,
    shard::{Input, Output},
};
use tranche_venue::venue::{Topic, Watched};

use super::{Answered, Engine, Stored};
use crate::tasks;

/// After a store failed, it is asked again.
const STORE_RETRY: Duration = Duration::from_secs(1);

impl Engine {
    /// Carries out everything that can be carried out now.
    pub(super) fn pump(&mut self) {
        self.has_more = false;
        loop {
            self.shard.flush(&mut self.outputs);
            if self.outputs.is_empty() && !self.is_dispatch_due() {
                break;
            }
            for output in std::mem::take(&mut self.outputs) {
                self.carry_out(output);
            }
            self.turn_dispatch();
        }
        self.commit();
        self.watch();
        if self.has_more {
            self.input(Input::More);
        }
    }

    fn is_dispatch_due(&self) -> bool {
        let now = self.venue.now();
        self.dispatch.next_time().is_some_and(|due| due <= now)
    }

    fn carry_out(&mut self, output: Output) {
        let now = self.venue.now();
        match output {
            Output::Commit { ticket, batch } => self.commits.push((ticket, *batch)),
            Output::Reload { account } => {
                self.running.stored = self.running.stored.saturating_add(1);
                self.load(account, Duration::ZERO);
            }
            Output::Call { account, user, lane, call } => {
                self.running.calls = self.running.calls.saturating_add(1);
                self.dispatch.send(Applicant { account, user }, lane, call, now);
            }
            Output::Ask { account, user, lane, places } => {
                self.dispatch.ask(Applicant { account, user }, lane, places, now);
            }
            Output::HandBack { account, lane, places } => {
                self.dispatch.hand_back(account, lane, places);
            }
            Output::Forget { account } => self.forget(account),
            Output::Lookup { account, fill } => {
                self.running.stored = self.running.stored.saturating_add(1);
                self.look_up(account, fill, Duration::ZERO);
            }
            Output::More => self.has_more = true,
            Output::Verdict { account, ref row } => {
                self.pending.give(account, row);
                self.is_watched_stale = true;
                self.tell(output);
            }
            Output::Booked { .. }
            | Output::Closed { .. }
            | Output::Why { .. }
            | Output::BadTick { .. }
            | Output::Quarantined { .. }
            | Output::Dead { .. }
            | Output::Recorded { .. } => self.tell(output),
        }
    }

    fn tell(&mut self, told: Output) {
        if self.told.try_send(told).is_err() {
            self.running.untold = self.running.untold.saturating_add(1);
        }
    }

    fn forget(&mut self, account: AccountId) {
        let queued = self.dispatch.forget(account);
        let gone = u32::try_from(queued.len()).unwrap_or(u32::MAX);
        self.running.calls = self.running.calls.saturating_sub(gone);
        if let Some(owned) = self.owned.get_mut(&account) {
            owned.life = owned.life.saturating_add(1);
        }
    }

    fn turn_dispatch(&mut self) {
        let mut actions = Vec::new();
        self.dispatch.advance(self.venue.now(), &mut actions);
        for action in actions {
            match action {
                Action::Granted { account, lane, n: places } => {
                    self.event(account, Event::Granted { lane, places });
                }
                Action::Transmit { number, account, call } => self.transmit(number, account, call),
                Action::NotSent { account, call } => {
                    self.running.calls = self.running.calls.saturating_sub(1);
                    self.not_sent(account, call);
                }
            }
        }
    }

    fn transmit(&self, number: CallNumber, account: AccountId, call: Call) {
        let Some(owned) = self.owned.get(&account) else { return };
        let (venue, life) = (Arc::clone(&owned.venue), owned.life);
        let answers = self.answers.into.clone();
        tasks::spawn("call", async move {
            let report = venue.call(call).await;
            // The queue has a place for each call in flight; when it is gone, so is the engine.
            drop(answers.send(Answered { number, account, call, life, report }).await);
        });
    }

    /// One transaction for all accounts that have something, once the one before is answered.
    fn commit(&mut self) {
        if self.in_commit != 0 || self.commits.is_empty() {
            return;
        }
        self.in_commit = self.commits.len();
        let (tickets, batches): (Vec<Ticket>, Vec<Batch>) =
            std::mem::take(&mut self.commits).into_iter().unzip();
        let count = u32::try_from(tickets.len()).unwrap_or(u32::MAX);
        self.running.stored = self.running.stored.saturating_add(count);
        let (store, stored) = (Arc::clone(&self.store), self.stored.into.clone());
        tasks::spawn("commit", async move {
            let results = store.commit(batches).await;
            let results = tickets.into_iter().zip(results).collect();
            drop(stored.send(Stored::Committed(results)).await);
        });
    }

    fn load(&self, account: AccountId, pause: Duration) {
        let (store, stored) = (Arc::clone(&self.store), self.stored.into.clone());
        tasks::spawn("load", async move {
            sleep(pause).await;
            let result = store.load(account).await;
            drop(stored.send(Stored::Loaded(account, result)).await);
        });
    }

    pub(super) fn load_later(&self, account: AccountId) {
        self.load(account, STORE_RETRY);
    }

    fn look_up(&self, account: AccountId, fill: Fill, pause: Duration) {
        let (store, stored) = (Arc::clone(&self.store), self.stored.into.clone());
        tasks::spawn("look up", async move {
            sleep(pause).await;
            let result = store.fill_known(account, fill.instrument, fill.trade_id).await;
            drop(stored.send(Stored::Known(account, fill, result)).await);
        });
    }

    pub(super) fn look_up_later(&self, account: AccountId, fill: Fill) {
        self.look_up(account, fill, STORE_RETRY);
    }

    /// Watches the market of every instrument that a bot has a lane on.
    fn watch(&mut self) {
        if !std::mem::take(&mut self.is_watched_stale) {
            return;
        }
        let bots = self.shard.accounts().flat_map(|account| account.bots.values());
        let lanes = bots.flat_map(|bot| &bot.lanes);
        let wished: Watched = lanes.map(|lane| (lane.instrument, Topic::Trades)).collect();
        if wished == self.watched {
            return;
        }
        self.polls.keep(|instrument| wished.contains(&(*instrument, Topic::Trades)));
        match self.market.control.watch(wished.clone()) {
            Ok(()) => self.watched = wished,
            Err(error) => tracing::error!(%error, "the market cannot be watched"),
        }
    }
}
