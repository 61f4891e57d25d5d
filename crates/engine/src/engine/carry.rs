//! What goes out: commits, calls, places, news.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tranche_model::{
    fill::Fill,
    ids::{AccountId, Ticket},
    record::{Batch, Call, Outcome},
};
use tranche_trading::{
    dispatch::{Action, Applicant, CallNumber},
    event::Event,
    shard::{Input, Output},
};
use tranche_venue::venue::{Report, Topic, Watched};

use super::{Answered, Engine, Place, Stored};
use crate::{lease::now, store::StoreError, tasks};

/// After a store failed, it is asked again.
pub(super) const STORE_RETRY: Duration = Duration::from_secs(1);

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
        self.load();
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

    pub(super) fn carry_out(&mut self, output: Output) {
        let now = self.venue.now();
        match output {
            Output::Commit { ticket, batch } => {
                self.tell_unvalued(&batch);
                self.commits.push((ticket, *batch));
            }
            Output::Reload { account } => {
                self.running.stored = self.running.stored.saturating_add(1);
                self.reloads.push(account);
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
            if owned.place == Place::Loaded {
                owned.place = Place::Stored;
            }
        }
    }

    pub(super) fn turn_dispatch(&mut self) {
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

    fn transmit(&mut self, number: CallNumber, account: AccountId, call: Call) {
        let Some(owned) = self.owned.get(&account) else { return };
        let (venue, lease, life) = (Arc::clone(&owned.venue), Arc::clone(&owned.lease), owned.life);
        let is_held = owned.is_held && !call.is_question();
        self.in_flight = self.in_flight.saturating_add(1);
        self.running.sent = self.running.sent.saturating_add(1);
        let answered = move |report, is_withheld| Answered {
            number,
            account,
            call,
            life,
            report,
            is_withheld,
        };
        let work = async move {
            // The last look before the write: this task may have waited for long, or the whole process.
            if is_held || !lease.is_held() {
                return answered(Report::bare(Outcome::NotSent), true);
            }
            if let Call::Place { request, .. } = call {
                tracing::info!(%account, order = %request.client_id, "order sent");
            }
            answered(venue.call(call).await, false)
        };
        let dead = answered(Report::bare(Outcome::Unknown), false);
        tasks::deliver("call", self.answers.into.clone(), work, dead);
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
        self.running.commits = self.running.commits.saturating_add(1);
        let asked = now();
        let lost = || Err(StoreError::Failed("the task of the commit died".to_owned()));
        let dead = tickets.iter().map(|ticket| (*ticket, lost())).collect();
        let dead = Stored::Committed { asked, results: dead };
        let store = Arc::clone(&self.store);
        let work = async move {
            let mut results = store.commit(batches).await.into_iter();
            // A ticket without an answer stands nowhere: the account is loaded anew.
            let silent = || Err(StoreError::Failed("the store gave no answer".to_owned()));
            let answer = |ticket| (ticket, results.next().unwrap_or_else(silent));
            Stored::Committed { asked, results: tickets.into_iter().map(answer).collect() }
        };
        tasks::deliver("commit", self.stored.into.clone(), work, dead);
    }

    fn look_up(&self, account: AccountId, fill: Fill, pause: Duration) {
        let store = Arc::clone(&self.store);
        let work = async move {
            sleep(pause).await;
            let trade = fill.trade_id;
            let result = store.fills_known(account, fill.instrument, vec![trade]).await;
            Stored::Known(account, fill, result.map(|known| known.contains(&trade)))
        };
        let died = StoreError::Failed("the task of the question died".to_owned());
        let dead = Stored::Known(account, fill, Err(died));
        tasks::deliver("look up", self.stored.into.clone(), work, dead);
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
        self.count_dark();
        match self.market.control.watch(wished.clone()) {
            Ok(()) => {
                self.watched = wished;
                self.stamper.look_at_pairs();
            }
            Err(error) => tracing::error!(%error, "the market cannot be watched"),
        }
    }
}
