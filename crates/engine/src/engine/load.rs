//! Accounts out of the store, those with something to sell first.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};
use tranche_model::{
    ids::{AccountId, CommandId},
    record::VerdictRow,
};
use tranche_trading::{
    event::Event,
    shard::{self, Input},
};

use super::{Engine, Place, Stored, carry::STORE_RETRY};
use crate::{
    lease::now,
    store::{Loaded, Store, StoreError},
    tasks,
};

/// How many accounts the store is asked for in one go.
const TOGETHER: usize = 256;
/// How often it is asked at the same time: what one list waits for, another may use.
const ABREAST: usize = 2;

/// The store's answer for one account.
pub(super) struct Load {
    account: AccountId,
    /// When the store was asked: its lease counts from there.
    asked: Instant,
    result: Result<Loaded, StoreError>,
    /// Of commands whose commit stands, but whose answer was lost.
    verdicts: Vec<VerdictRow>,
}

/// Which account, and which of its commands somebody waits for.
type Wish = (AccountId, Vec<CommandId>);

impl Engine {
    /// Asks for all accounts that are to be loaded.
    pub(super) fn load(&mut self) {
        let accounts = std::mem::take(&mut self.reloads);
        if !accounts.is_empty() {
            self.ask_for(accounts, Duration::ZERO);
        }
    }

    fn ask_for(&self, accounts: Vec<AccountId>, pause: Duration) {
        let died = || StoreError::Failed("the task of the load died".to_owned());
        let dead = accounts.iter().map(|account| Load {
            account: *account,
            asked: now(),
            result: Err(died()),
            verdicts: Vec::new(),
        });
        let dead = Stored::Loaded(dead.collect());
        let wishes: Vec<Wish> = accounts
            .into_iter()
            .map(|account| (account, self.pending.of(account).iter().map(|one| one.id).collect()))
            .collect();
        let store = Arc::clone(&self.store);
        let work = async move {
            sleep(pause).await;
            let lists: Vec<Vec<Wish>> = in_lists(wishes);
            let lists = lists.into_iter().map(|list| load_list(&*store, list));
            let lists: Vec<Vec<Load>> = stream::iter(lists).buffered(ABREAST).collect().await;
            let mut loads: Vec<Load> = lists.into_iter().flatten().collect();
            if 1 < loads.len() {
                loads.sort_by_cached_key(|load| !load.has_exits());
            }
            Stored::Loaded(loads)
        };
        tasks::deliver("load", self.stored.into.clone(), work, dead);
    }

    pub(super) fn loaded(&mut self, load: Load) {
        let Load { account, asked, result, verdicts } = load;
        let Loaded { epoch, seq, snapshot } = match result {
            Ok(loaded) => loaded,
            Err(error) => {
                self.not_loaded(account, &error);
                return;
            }
        };
        self.running.stored = self.running.stored.saturating_sub(1);
        let term = self.store.lease();
        let Some(owned) = self.owned.get_mut(&account) else { return };
        owned.lease.hold(asked, term);
        let (is_live, may_withdraw) = (owned.is_live, owned.rights.may_withdraw());
        let is_fresh = std::mem::replace(&mut owned.place, Place::Loaded) == Place::Elsewhere;
        if let Some(paper) = self.paper.as_ref().filter(|paper| is_fresh && paper.has(account))
            && let Err(error) = paper.take_over(account, &snapshot)
        {
            tracing::error!(%account, %error, "the paper account begins with other books than ours");
        }
        for row in &verdicts {
            self.pending.give(account, row);
        }
        self.input(Input::Loaded { account, epoch, seq, snapshot: Box::new(snapshot) });
        self.is_watched_stale = true;
        if !is_live {
            self.event(account, Event::Stream { live: false });
        }
        if may_withdraw {
            self.event(account, Event::Key { may_withdraw });
        }
        for command in self.pending.of(account) {
            self.event(account, Event::Command(command));
        }
    }

    /// Asked again after a pause: the store may come back, the other engine's lease may run out.
    fn not_loaded(&self, account: AccountId, error: &StoreError) {
        match error {
            StoreError::Held(_) => tracing::debug!(%account, %error, "waits for its turn"),
            StoreError::Stale | StoreError::NoAccount(_) | StoreError::Failed(_) => {
                tracing::error!(%account, %error, "the account cannot be loaded; tried again");
            }
        }
        self.ask_for(vec![account], STORE_RETRY);
    }
}

impl Load {
    fn has_exits(&self) -> bool {
        self.result.as_ref().is_ok_and(|loaded| shard::has_exits(&loaded.snapshot))
    }
}

fn in_lists(mut wishes: Vec<Wish>) -> Vec<Vec<Wish>> {
    let mut lists = Vec::with_capacity(wishes.len().div_ceil(TOGETHER));
    while !wishes.is_empty() {
        let rest = wishes.split_off(wishes.len().min(TOGETHER));
        lists.push(std::mem::replace(&mut wishes, rest));
    }
    lists
}

async fn load_list(store: &dyn Store, wishes: Vec<Wish>) -> Vec<Load> {
    let asked = now();
    let results = store.load(wishes.iter().map(|(account, _)| *account).collect()).await;
    let mut results = results.into_iter();
    let mut loads = Vec::with_capacity(wishes.len());
    for (account, commands) in wishes {
        let silent = || Err(StoreError::Failed("the store gave no answer".to_owned()));
        let result = results.next().unwrap_or_else(silent);
        let mut verdicts = Vec::new();
        for command in commands {
            // Without an answer it is handed in again, and the account knows whether it was carried out.
            if let Ok(Some(row)) = store.verdict(account, command).await {
                verdicts.push(row);
            }
        }
        loads.push(Load { account, asked, result, verdicts });
    }
    loads
}
