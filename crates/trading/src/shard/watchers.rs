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
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers {
    owners: Vec<Option<(AccountId, WatchKey)>>,
    free: Vec<WatchId>,
    /// Each account's, by key, ascending: few each, and most are added behind the last.
    ids: BTreeMap<AccountId, Vec<(WatchKey, WatchId)>>,
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
            if let Some(id) = self.forget(account, key) {
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
        for (_, id) in self.ids.remove(&account).unwrap_or_default() {
            self.release(id, index);
        }
    }

    fn forget(&mut self, account: AccountId, key: WatchKey) -> Option<WatchId> {
        let theirs = self.ids.get_mut(&account)?;
        let place = place(theirs, key).ok()?;
        let (_, id) = theirs.remove(place);
        if theirs.is_empty() {
            self.ids.remove(&account);
        }
        Some(id)
    }

    fn id(&mut self, account: AccountId, key: WatchKey) -> WatchId {
        let theirs = self.ids.entry(account).or_default();
        let place = match place(theirs, key) {
            Ok(place) => {
                #[expect(clippy::indexing_slicing, reason = "the place was found just above")]
                return theirs[place].1;
            }
            Err(place) => place,
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.owners.push(None);
            WatchId::new(cast::u32_saturating(self.owners.len() - 1))
        });
        if let Some(owner) = self.owners.get_mut(cast::index(id.get())) {
            *owner = Some((account, key));
        }
        theirs.insert(place, (key, id));
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

fn place(theirs: &[(WatchKey, WatchId)], key: WatchKey) -> Result<usize, usize> {
    theirs.binary_search_by_key(&key, |(known, _)| *known)
}
