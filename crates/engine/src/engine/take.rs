//! What comes in: answers, the store's word, private news, questions of the outside, the market.

use std::sync::Arc;

use tranche_model::{
    candle::Tick,
    fill::Fill,
    ids::AccountId,
    record::{Outcome, Reply},
};
use tranche_trading::{event::Event, shard::Input};
use tranche_venue::venue::{LostReason, MarketEvent, PrivateMessage, VenueAccount};

use super::{Answered, Ask, Engine, Owned, Stored};
use crate::{
    store::{Loaded, StoreError},
    tasks,
};

impl Engine {
    pub(super) fn answered(&mut self, answered: Answered) {
        let Answered { number, account, call, life, report } = answered;
        let now = self.venue.now();
        let counted = self.weights.of(&call);
        self.dispatch.spent(report.spent.saturating_sub(counted), now);
        if let Some(used) = report.used_weight {
            self.dispatch.weight_report(number, used, now);
        }
        for (window, count) in report.order_counts {
            self.dispatch.order_count_report(number, window, count, now);
        }
        if let Some(until) = report.banned_until {
            self.dispatch.banned(until);
        }
        self.dispatch.reply(number, &report.outcome, now);
        self.running.calls = self.running.calls.saturating_sub(1);
        let is_stale = self.owned.get(&account).is_none_or(|owned| owned.life != life);
        if is_stale && call.is_question() {
            return;
        }
        self.event(account, Event::Reply(Reply { call, outcome: report.outcome }));
    }

    pub(super) fn not_sent(&mut self, account: AccountId, call: tranche_model::record::Call) {
        self.event(account, Event::Reply(Reply { call, outcome: Outcome::NotSent }));
    }

    pub(super) fn stored(&mut self, stored: Stored) {
        match stored {
            Stored::Committed(results) => {
                self.in_commit = 0;
                for (ticket, result) in results {
                    self.running.stored = self.running.stored.saturating_sub(1);
                    if let Err(error) = &result {
                        tracing::warn!(%error, "commit failed; the account is loaded anew");
                    }
                    let stands = result.is_ok();
                    self.input(if stands {
                        Input::Committed(ticket)
                    } else {
                        Input::CommitFailed(ticket)
                    });
                }
            }
            Stored::Loaded(account, result) => self.loaded(account, result),
            Stored::Known(account, fill, result) => self.known(account, fill, result),
        }
    }

    fn loaded(&mut self, account: AccountId, result: Result<Loaded, StoreError>) {
        match result {
            Ok(Loaded { epoch, seq, snapshot }) => {
                self.running.stored = self.running.stored.saturating_sub(1);
                let snapshot = Box::new(snapshot);
                self.input(Input::Loaded { account, epoch, seq, snapshot });
                self.is_watched_stale = true;
                if self.owned.get(&account).is_some_and(|owned| !owned.is_live) {
                    self.event(account, Event::Stream { live: false });
                }
                for command in self.pending.of(account) {
                    self.event(account, Event::Command(command));
                }
            }
            Err(error) => {
                tracing::error!(%account, %error, "the account cannot be loaded; tried again");
                self.load_later(account);
            }
        }
    }

    fn known(&mut self, account: AccountId, fill: Fill, result: Result<bool, StoreError>) {
        match result {
            Ok(known) => {
                self.running.stored = self.running.stored.saturating_sub(1);
                self.event(account, Event::FillKnown { fill, known });
            }
            Err(error) => {
                tracing::error!(%account, %error, "the store does not say what it knows; asked again");
                self.look_up_later(account, fill);
            }
        }
    }

    pub(super) fn private(&mut self, account: AccountId, message: PrivateMessage) {
        let Some(owned) = self.owned.get_mut(&account) else { return };
        match message {
            PrivateMessage::Live => {
                owned.is_live = true;
                self.event(account, Event::Stream { live: true });
            }
            PrivateMessage::Lost { reason } => {
                tracing::warn!(%account, %reason, "private stream lost");
                owned.is_live = false;
                self.event(account, Event::Stream { live: false });
            }
            PrivateMessage::Event(event) => self.event(account, Event::Private(event)),
        }
    }

    pub(super) fn asked(&mut self, ask: Option<Ask>) {
        match ask {
            Some(Ask::Own { account, settings, venue }) => {
                self.own(account, Arc::from(venue));
                self.input(Input::Own { account, settings });
            }
            Some(Ask::Command { account, command, verdict }) => {
                self.pending.add(account, command.clone(), verdict);
                // One that is not loaded hears it when it is.
                self.event(account, Event::Command(command));
                self.is_watched_stale = true;
            }
            Some(Ask::Evict(account)) => self.input(Input::Evict { account }),
            Some(Ask::Rules(instrument)) => self.input(Input::Rules(instrument)),
            Some(Ask::Look(look)) => look(&self.shard, &self.running),
            // Nobody can ask any more.
            Some(Ask::Stop) | None => self.is_over = true,
        }
    }

    /// Listens to the account's private news from now on.
    fn own(&mut self, account: AccountId, venue: Arc<dyn VenueAccount>) {
        let mut stream = venue.private_stream();
        let former = self.owned.get(&account).map_or(0, |former| former.life);
        self.owned.insert(account, Owned { venue, life: former, is_live: false });
        let privates = self.privates.into.clone();
        tasks::spawn("private news", async move {
            while let Some(message) = stream.recv().await {
                if privates.send((account, message)).await.is_err() {
                    return;
                }
            }
            let lost = PrivateMessage::Lost { reason: LostReason::Ended };
            drop(privates.send((account, lost)).await);
        });
    }

    /// A price came: paper orders meet it first, as those at an exchange do.
    pub(super) fn tick(&mut self, tick: Tick) {
        self.running.ticks = self.running.ticks.saturating_add(1);
        if let Some(paper) = &self.paper {
            paper.tick(&tick);
        }
        self.input(Input::Tick(tick));
    }

    pub(super) fn market(&mut self, event: MarketEvent) {
        match event {
            MarketEvent::Trade { tick, .. } => {
                self.tick(tick);
            }
            MarketEvent::Gap { instruments, reason } => {
                tracing::warn!(instruments = instruments.len(), %reason, "gap in the market data");
                for instrument in self.polls.lost(instruments, self.venue.now()) {
                    self.input(Input::Gap(instrument));
                }
            }
            MarketEvent::Live(instruments) => {
                tracing::info!(instruments = instruments.len(), "market data is live");
                self.polls.back(&instruments);
            }
            // Triggers use the last trade; books and candles serve others.
            MarketEvent::Best(_) | MarketEvent::Candle { .. } => {}
        }
    }
}
