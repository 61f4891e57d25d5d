//! Whose an order is: executions name their order by the exchange's number only.

use std::collections::{BTreeMap, VecDeque};

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::{InstrumentId, VenueOrderId},
};

/// How many orders are remembered. What was forgotten is asked for again.
const ORDERS_MAX: usize = 20_000;

type Name = (InstrumentId, VenueOrderId);

/// Whose an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Ours(ClientOrderId),
    Foreign,
}

/// Orders with the id of ours that they carry, or none.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_number: BTreeMap<Name, Option<ClientOrderId>>,
    /// Oldest first.
    learned: VecDeque<Name>,
}

impl Owners {
    pub(super) fn put(
        &mut self,
        instrument: InstrumentId,
        venue_id: VenueOrderId,
        owner: Option<ClientOrderId>,
    ) {
        let name = (instrument, venue_id);
        if self.by_number.insert(name, owner).is_some() {
            return;
        }
        self.learned.push_back(name);
        if ORDERS_MAX < self.learned.len()
            && let Some(oldest) = self.learned.pop_front()
        {
            self.by_number.remove(&oldest);
        }
    }

    /// `None` for an order that nothing is known about.
    pub(super) fn get(&self, instrument: InstrumentId, venue_id: VenueOrderId) -> Option<Owner> {
        let owner = self.by_number.get(&(instrument, venue_id))?;
        Some(owner.map_or(Owner::Foreign, Owner::Ours))
    }
}
