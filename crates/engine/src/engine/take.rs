//! What comes in: answers, the store's word, private news, questions of the outside, the market.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tranche_model::{
    fill::Fill,
    ids::{AccountId, InstrumentId},
    record::{Outcome, Reply},
};
use tranche_trading::{account::KeyRights, event::Event, shard::Input};
use tranche_venue::venue::{LostReason, MarketEvent, PrivateMessage, VenueAccount};

use super::{Answered, Ask, Engine, Owned, Place, Stored, stamp::News};
use crate::{
    handle::Owning,
    lease::{Lease, now},
    store::StoreError,
    tasks,
};

/// A private stream that ended is begun anew after this pause.
const STREAM_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn answered(&mut self, answered: Answered) {
        let Answered { number, account, call, life, report, is_withheld } = answered;
        let now = self.venue.now();
        let counted = self.weights.of(&call);
        self.dispatch.spent(report.spent.saturating_sub(counted), now);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.running.withheld = self.running.withheld.saturating_add(u64::from(is_withheld));
        let is_unknown = report.outcome == Outcome::Unknown;
        self.running.unknown = self.running.unknown.saturating_add(u64::from(is_unknown));
        if let Some(used) = report.used_weight {
            self.dispatch.weight_report(number, used, now);
        }
        for (window, count) in report.order_counts {
            self.dispatch.order_count_report(number, window, count, now);
        }
        if let Some(until) = report.banned_until {
            self.dispatch.banned(until);
        }
        if is_withheld {
            self.dispatch.withheld(number, now);
        } else {
            self.dispatch.reply(number, &report.outcome, now);
        }
        self.running.calls = self.running.calls.saturating_sub(1);
        let is_stale = self.owned.get(&account).is_none_or(|owned| owned.life != life);
        if is_stale && call.is_question() {
            return;
        }
        // What a call did on paper is told before it is answered, as it was done before.
        self.hear_paper();
        self.note_answer(account, &report.outcome);
        self.tell_account(account, News::Reply(Reply { call, outcome: report.outcome }), life);
    }

    pub(super) fn not_sent(&mut self, account: AccountId, call: tranche_model::record::Call) {
        self.event(account, Event::Reply(Reply { call, outcome: Outcome::NotSent }));
    }

    pub(super) fn stored(&mut self, stored: Stored) {
        match stored {
            Stored::Committed { asked, results } => {
                self.in_commit = 0;
                let took = now().saturating_duration_since(asked).as_micros();
                self.running.commit_micros.add(u64::try_from(took).unwrap_or(u64::MAX));
                let is_whole = results.iter().all(|(_, result)| result.is_ok());
                self.running.commits_failed =
                    self.running.commits_failed.saturating_add(u64::from(!is_whole));
                self.running.commits_failing =
                    if is_whole { 0 } else { self.running.commits_failing.saturating_add(1) };
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
            Stored::Loaded(loads) => loads.into_iter().for_each(|load| self.loaded(load)),
            Stored::Known(account, fill, result) => self.known(account, fill, result),
            Stored::Commands(result) => self.told_commands(result),
            Stored::Renewed { asked, accounts, ours } => self.renewed(asked, &accounts, ours),
            Stored::Noted(notes, result) => self.noted(notes, result),
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
        let life = owned.life;
        match message {
            PrivateMessage::Live => {
                owned.is_live = true;
                self.tell_account(account, News::Stream { live: true }, life);
            }
            PrivateMessage::Lost { reason } => {
                tracing::warn!(%account, %reason, "private stream lost");
                owned.is_live = false;
                self.tell_account(account, News::Stream { live: false }, life);
            }
            PrivateMessage::Event(event) => {
                self.note_private(account, &event);
                self.tell_account(account, News::Private(event), life);
            }
        }
    }

    pub(super) fn asked(&mut self, ask: Option<Ask>) {
        match ask {
            Some(Ask::Own(owning)) => {
                for Owning { account, settings, venue, is_held, may_withdraw } in owning {
                    self.own(account, Arc::from(venue), (is_held, may_withdraw));
                    self.input(Input::Own { account, settings: Box::new(settings) });
                }
            }
            Some(Ask::Hold { account, is_held }) => {
                if let Some(owned) = self.owned.get_mut(&account) {
                    owned.is_held = is_held;
                }
            }
            Some(Ask::Key { account, may_withdraw }) => {
                if let Some(owned) = self.owned.get_mut(&account) {
                    owned.rights = KeyRights::new(may_withdraw);
                    self.event(account, Event::Key { may_withdraw });
                }
            }
            Some(Ask::Command { account, command, verdict }) => {
                self.pending.add(account, command.clone(), verdict);
                // One that is not loaded hears it when it is.
                self.event(account, Event::Command(command));
                self.is_watched_stale = true;
            }
            Some(Ask::Sync) => {
                // A live stream that is told to be live makes an account read everything.
                let live = self.owned.iter().filter(|(_, owned)| owned.is_live);
                for account in live.map(|(account, _)| *account).collect::<Vec<_>>() {
                    self.event(account, Event::Stream { live: true });
                }
            }
            Some(Ask::Terms { account, settings }) => {
                if self.owned.contains_key(&account) {
                    self.input(Input::Own { account, settings });
                }
            }
            Some(Ask::Evict(account)) => self.input(Input::Evict { account }),
            Some(Ask::Rules(instrument)) => {
                if let Some(paper) = &self.paper {
                    paper.rules(&instrument);
                }
                self.input(Input::Rules(instrument));
                self.stamper.look_for_routes();
            }
            Some(Ask::Look(look)) => look(&self.shard, &self.running),
            // Nobody can ask any more.
            Some(Ask::Stop) | None => self.is_over = true,
        }
    }

    /// Listens to the account's private news from now on. A stream that ends is begun anew.
    fn own(
        &mut self,
        account: AccountId,
        venue: Arc<dyn VenueAccount>,
        (is_held, may_withdraw): (bool, bool),
    ) {
        let (privates, door) = (self.privates.into.clone(), Arc::clone(&venue));
        let news = tasks::keep("private news", move || {
            let (privates, door) = (privates.clone(), Arc::clone(&door));
            async move {
                while !privates.is_closed() {
                    let mut stream = door.private_stream();
                    while let Some(message) = stream.recv().await {
                        if privates.send((account, message)).await.is_err() {
                            return;
                        }
                    }
                    let lost = PrivateMessage::Lost { reason: LostReason::Ended };
                    drop(privates.send((account, lost)).await);
                    sleep(STREAM_PAUSE).await;
                }
            }
        });
        let former = self.owned.remove(&account);
        let (life, lease) = match former {
            Some(former) => (former.life, former.lease),
            None => (0, Arc::new(Lease::new())),
        };
        let is_paper = self.paper.as_ref().is_some_and(|paper| paper.has(account));
        let owned = Owned {
            venue,
            is_paper,
            lease,
            life,
            is_live: false,
            place: Place::Elsewhere,
            is_held,
            rights: KeyRights::new(may_withdraw),
            _news: news,
        };
        self.owned.insert(account, owned);
        self.running.owned = u32::try_from(self.owned.len()).unwrap_or(u32::MAX);
    }

    pub(super) fn market(&mut self, event: MarketEvent) {
        match event {
            MarketEvent::Trade { tick, .. } => {
                self.tick(tick);
            }
            MarketEvent::Gap { instruments, reason } => {
                tracing::warn!(instruments = instruments.len(), %reason, "gap in the market data");
                self.gap(instruments);
            }
            MarketEvent::Live(instruments) => {
                tracing::info!(instruments = instruments.len(), "market data is live");
                self.polls.back(&instruments);
                self.count_dark();
            }
            // Triggers use the last trade; books and candles serve others.
            MarketEvent::Best(_) | MarketEvent::Candle { .. } => {}
        }
    }

    pub(super) fn gap(&mut self, instruments: Vec<InstrumentId>) {
        self.held.forget(&instruments);
        for instrument in self.polls.lost(instruments, self.venue.now()) {
            self.input(Input::Gap(instrument));
        }
        self.count_dark();
    }

    pub(super) fn count_dark(&mut self) {
        self.running.dark = self.polls.count();
    }
}
