//! What an engine looks after from time to time: leases, commands of other processes, the market connection.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tranche_model::ids::AccountId;
use tranche_trading::{
    event::{Command, Event},
    shard::Input,
};

use super::{Engine, Place, Stored};
use crate::{lease::now, store::StoreError, tasks};

/// How often the store is asked for commands that other processes wrote.
const COMMANDS_EVERY: Duration = Duration::from_millis(200);
/// A lease is renewed when a third of it has passed, so that two renewals may fail.
const RENEWALS: u32 = 3;
/// A market connection whose task is gone is opened anew, at most so often.
const MARKET_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Chores {
    pub(super) commands_at: Instant,
    is_asking: bool,
    renew_at: Instant,
    is_renewing: bool,
    market_at: Instant,
}

impl Chores {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            commands_at: now,
            is_asking: false,
            renew_at: now,
            is_renewing: false,
            market_at: now + MARKET_EVERY,
        }
    }
}

impl Engine {
    pub(super) fn do_chores(&mut self) {
        let now = now();
        self.look_at_leases(now);
        self.ask_for_commands(now);
        self.look_at_market(now);
        self.jot(now);
    }

    /// Accounts whose lease ran out are dropped; the others' are renewed.
    fn look_at_leases(&mut self, now: Instant) {
        let Some(term) = self.store.lease() else { return };
        let loaded = self.owned.iter().filter(|(_, owned)| owned.place == Place::Loaded);
        let over = loaded.filter(|(_, owned)| !owned.lease.is_held());
        for account in over.map(|(account, _)| *account).collect::<Vec<_>>() {
            self.lost(account);
        }
        if self.chores.is_renewing || now < self.chores.renew_at {
            return;
        }
        self.chores.renew_at = now + term / RENEWALS;
        let loaded = self.owned.iter().filter(|(_, owned)| owned.place == Place::Loaded);
        let accounts: Vec<AccountId> = loaded.map(|(account, _)| *account).collect();
        if accounts.is_empty() {
            return;
        }
        self.chores.is_renewing = true;
        let died = StoreError::Failed("the task of the renewal died".to_owned());
        let dead = Stored::Renewed { asked: now, accounts: accounts.clone(), ours: Err(died) };
        let store = Arc::clone(&self.store);
        let work = async move {
            let ours = store.renew(accounts.clone()).await;
            Stored::Renewed { asked: now, accounts, ours }
        };
        tasks::deliver("renew", self.stored.into.clone(), work, dead);
    }

    pub(super) fn renewed(
        &mut self,
        asked: Instant,
        accounts: &[AccountId],
        ours: Result<Vec<AccountId>, StoreError>,
    ) {
        self.chores.is_renewing = false;
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => {
                // What is held runs out by itself.
                tracing::warn!(%error, "leases cannot be renewed");
                return;
            }
        };
        let term = self.store.lease();
        for account in accounts {
            let Some(owned) = self.owned.get(account).filter(|owned| owned.place == Place::Loaded)
            else {
                continue;
            };
            // One that ran out meanwhile is not brought back: it may have been another's in between.
            if ours.contains(account) && owned.lease.is_held() {
                owned.lease.hold(asked, term);
            } else {
                self.lost(*account);
            }
        }
    }

    /// First nothing more is sent, then what is known is dropped. The store is asked again and again: the
    /// other's lease may run out one day.
    fn lost(&mut self, account: AccountId) {
        let Some(owned) = self.owned.get_mut(&account) else { return };
        owned.lease.lose();
        self.jotter.forget(account);
        self.running.leases_lost = self.running.leases_lost.saturating_add(1);
        tracing::warn!(%account, "the lease is over; the account is dropped");
        self.input(Input::Evict { account });
        // What comes back is not what was here.
        if let Some(owned) = self.owned.get_mut(&account) {
            owned.place = Place::Elsewhere;
        }
    }

    fn ask_for_commands(&mut self, now: Instant) {
        if self.chores.is_asking || now < self.chores.commands_at {
            return;
        }
        self.chores.commands_at = now + COMMANDS_EVERY;
        if self.owned.is_empty() {
            return;
        }
        self.chores.is_asking = true;
        let (store, accounts) = (Arc::clone(&self.store), self.owned.keys().copied().collect());
        let died = StoreError::Failed("the task of the question died".to_owned());
        let work = async move { Stored::Commands(store.commands(accounts).await) };
        tasks::deliver("commands", self.stored.into.clone(), work, Stored::Commands(Err(died)));
    }

    pub(super) fn told_commands(&mut self, told: Result<Vec<(AccountId, Command)>, StoreError>) {
        self.chores.is_asking = false;
        match told {
            Ok(commands) => {
                for (account, command) in self.pending.renew(commands) {
                    // One that is not loaded hears it when it is.
                    self.event(account, Event::Command(command));
                    self.is_watched_stale = true;
                }
            }
            Err(error) => tracing::warn!(%error, "commands cannot be read; asked again"),
        }
    }

    /// The venue keeps its connection up by itself; only a fault in it ends the queue.
    fn look_at_market(&mut self, now: Instant) {
        let is_gone = self.market.events.is_closed() && self.market.events.is_empty();
        if !is_gone || now < self.chores.market_at {
            return;
        }
        self.chores.market_at = now + MARKET_EVERY;
        tracing::error!("the market connection is gone; it is opened anew");
        self.market = self.venue.market();
        let watched = std::mem::take(&mut self.watched);
        self.gap(watched.into_iter().map(|(instrument, _)| instrument).collect());
        self.is_watched_stale = true;
    }
}
