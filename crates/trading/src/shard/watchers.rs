//! Who stands behind a handle of the watch index.

use std::collections::BTreeMap;

use tranche_model::{
    cast,
    ids::{AccountId, InstrumentId},
    instrument::Instruments,
};

use crate::{
    event::WatchKey,
    watch::{Index, Watch, WatchId},
};

/// Handles in use, and those free to be used again.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    owners: Vec<Option<(AccountId, WatchKey)>>,
    free: Vec<WatchId>,
    ids: BTreeMap<(AccountId, WatchKey), WatchId>,
}

impl Watchers {
    pub(super) fn get(&self, id: WatchId) -> Option<(AccountId, WatchKey)> {
        self.owners.get(cast::index(id.get())).copied().flatten()
    }

    /// Hands a lane's answer to the index.
    pub(super) fn apply(
        &mut self,
        account: AccountId,
        key: WatchKey,
        watch: Option<(InstrumentId, Watch)>,
        (index, instruments): (&mut Index, &Instruments),
    ) {
        let Some((instrument, mut watch)) = watch else {
            if let Some(id) = self.ids.remove(&(account, key)) {
                self.release(id, index);
            }
            return;
        };
        let Some(instrument) = instruments.get(instrument) else { return };
        let id = self.id(account, key);
        if let Some(trail) = &mut watch.trail
            && let Some(known) = index.peak(id)
        {
            // The lane knows the maximum as it was last told; the index knows it to the last tick.
            trail.peak = trail.peak.max(known);
        }
        index.set(id, instrument, watch);
    }

    pub(super) fn remove_all(&mut self, account: AccountId, index: &mut Index) {
        let first = (account, WatchKey::Account);
        let theirs = self.ids.range(first..).take_while(|((owner, _), _)| *owner == account);
        let theirs: Vec<_> = theirs.map(|(key, id)| (*key, *id)).collect();
        for (key, id) in theirs {
            self.ids.remove(&key);
            self.release(id, index);
        }
    }

    fn id(&mut self, account: AccountId, key: WatchKey) -> WatchId {
        if let Some(id) = self.ids.get(&(account, key)) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.owners.push(None);
            WatchId::new(cast::u32_saturating(self.owners.len() - 1))
        });
        if let Some(owner) = self.owners.get_mut(cast::index(id.get())) {
            *owner = Some((account, key));
        }
        self.ids.insert((account, key), id);
        id
    }

    fn release(&mut self, id: WatchId, index: &mut Index) {
        index.remove(id);
        if let Some(owner) = self.owners.get_mut(cast::index(id.get())) {
            *owner = None;
        }
        self.free.push(id);
    }
}
