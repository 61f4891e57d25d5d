//! Notes: off the way of commits, now and then, and only of what changed.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tranche_model::{
    candle::Tick,
    ids::AccountId,
    record::{Answer, Outcome, PrivateEvent},
};
use tranche_trading::dispatch::Usage;

use super::{Engine, Stored};
use crate::{lease::now, notes::Notes, store::StoreError, tasks};

/// How often what was told is written down.
const NOTES_EVERY: Duration = Duration::from_secs(2);
/// How often last prices are; they change all the time.
const PRICES_EVERY: Duration = Duration::from_secs(15);
/// Balances of so many accounts go into one transaction; the others' follow.
const ACCOUNTS_AT_ONCE: usize = 1000;
/// How long the start waits for what a former process noted.
const RECALL_WITHIN: Duration = Duration::from_secs(5);

/// What waits to be written down.
pub(super) struct Jotter {
    notes: Notes,
    prices: Notes,
    notes_at: Instant,
    prices_at: Instant,
    is_writing: bool,
    /// The use of the limit as it was written last.
    written: Option<Usage>,
}

impl Jotter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            notes: Notes::default(),
            prices: Notes::default(),
            notes_at: now + NOTES_EVERY,
            prices_at: now + NOTES_EVERY,
            is_writing: false,
            written: None,
        }
    }

    pub(super) fn tick(&mut self, tick: &Tick) {
        self.prices.prices.insert(tick.instrument, (tick.price, tick.at));
    }

    /// Another has the account: what it writes must not be overwritten.
    pub(super) fn forget(&mut self, account: AccountId) {
        self.notes.balances.remove(&account);
    }
}

impl Engine {
    /// Goes on with the exchange's limit where a former process was. Without an answer in time the
    /// exchange's own count, which comes with its first answer, has to do.
    pub(super) async fn recall(&mut self) {
        let usage = match timeout(RECALL_WITHIN, self.store.usage()).await {
            Ok(Ok(usage)) => usage,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was used of the exchange's limit is not known");
                None
            }
            Err(_) => {
                tracing::warn!("what was used of the exchange's limit is not known in time");
                None
            }
        };
        if let Some(usage) = usage {
            self.dispatch.recall(usage, self.venue.now());
        }
    }

    pub(super) fn note_answer(&mut self, account: AccountId, outcome: &Outcome) {
        if let Outcome::Done(Answer::Balances(balances)) = outcome {
            self.jotter.notes.all_balances(account, balances, self.venue.now());
        }
    }

    pub(super) fn note_private(&mut self, account: AccountId, event: &PrivateEvent) {
        if let PrivateEvent::Balances(balances) = event {
            self.jotter.notes.changed_balances(account, balances, self.venue.now());
        }
    }

    /// Writes down what was told since the last time, one transaction at a time.
    pub(super) fn jot(&mut self, moment: Instant) {
        let usage = self.dispatch.usage(self.venue.now());
        self.running.weight_used = usage.used;
        let jotter = &mut self.jotter;
        if jotter.is_writing || moment < jotter.notes_at {
            return;
        }
        jotter.notes_at = moment + NOTES_EVERY;
        if jotter.prices_at <= moment {
            jotter.prices_at = moment + PRICES_EVERY;
            jotter.notes.add(std::mem::take(&mut jotter.prices));
        }
        let is_news = usage.used != 0 || usage.banned_until.is_some();
        if is_news && jotter.written != Some(usage) {
            jotter.notes.usage = Some(usage);
        }
        if jotter.notes.is_empty() {
            return;
        }
        jotter.is_writing = true;
        let notes = jotter.notes.take(ACCOUNTS_AT_ONCE);
        let died = StoreError::Failed("the task of the notes died".to_owned());
        let dead = Stored::Noted(notes.clone(), Err(died));
        let store = Arc::clone(&self.store);
        let work = async move {
            let result = store.note(notes.clone()).await;
            Stored::Noted(notes, result)
        };
        tasks::deliver("notes", self.stored.into.clone(), work, dead);
    }

    /// At a graceful end.
    pub(super) async fn jot_last(&mut self, within: Duration) {
        let mut notes = std::mem::take(&mut self.jotter.notes);
        notes.add(std::mem::take(&mut self.jotter.prices));
        notes.usage = Some(self.dispatch.usage(self.venue.now()));
        match timeout(within, self.store.note(notes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "balances and prices were not noted"),
            Err(_) => tracing::warn!("balances and prices were not noted in time"),
        }
    }

    /// What could not be written is written with the next ones, under what came meanwhile.
    pub(super) fn noted(&mut self, notes: Notes, result: Result<(), StoreError>) {
        let jotter = &mut self.jotter;
        jotter.is_writing = false;
        match result {
            Ok(()) => jotter.written = notes.usage.or(jotter.written),
            Err(error) => {
                tracing::warn!(%error, "balances and prices cannot be noted; tried again");
                let later = std::mem::replace(&mut jotter.notes, notes);
                jotter.notes.add(later);
                jotter.notes_at = now() + NOTES_EVERY;
            }
        }
    }
}
