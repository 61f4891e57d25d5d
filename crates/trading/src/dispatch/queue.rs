//! Calls that wait to leave, by lane.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::AccountId,
    record::{Call, CallLane},
    time::Timestamp,
};

use super::{Applicant, fair::Fair, lanes::Lanes};

#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    lanes: Lanes<Fair<LineKey, Queued>>,
    /// Finds an order when its cancel comes.
    orders: BTreeMap<(AccountId, ClientOrderId), BTreeSet<(CallLane, u64)>>,
    deadlines: BTreeSet<(Timestamp, AccountId, CallLane, u64)>,
}

/// Orders have a line of their own: order counts may hold them up, and nothing else with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    pub(super) account: AccountId,
    pub(super) kind: LineKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineKind {
    Orders,
    Others,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub(super) call: Call,
    pub(super) cost: u64,
    /// Its weight is promised.
    pub(super) is_granted: bool,
}

impl Queue {
    pub(super) fn push(&mut self, who: Applicant, lane: CallLane, queued: Queued, now: Timestamp) {
        let account = who.account;
        let order = order(&queued.call);
        let kind = if order.is_some() { LineKind::Orders } else { LineKind::Others };
        let key = LineKey { account, kind };
        let number = self.lanes.get_mut(lane).push(who.user, key, queued, now);
        if let Some((client_id, send_by)) = order {
            self.orders.entry((account, client_id)).or_default().insert((lane, number));
            self.deadlines.insert((send_by, account, lane, number));
        }
    }

    pub(super) fn head(&self, lane: CallLane) -> Option<(LineKey, u64, Queued)> {
        self.lanes.get(lane).head().map(|(key, number, queued)| (key, number, *queued))
    }

    /// Takes the head of a lane; it had its turn.
    pub(super) fn take(&mut self, lane: CallLane, key: LineKey, number: u64) {
        let queued = self.lanes.get_mut(lane).take(key, number);
        self.unlist(key.account, lane, number, queued.as_ref());
    }

    /// Takes out an order by its id.
    pub(super) fn remove_order(
        &mut self,
        account: AccountId,
        client_id: ClientOrderId,
    ) -> Option<(CallLane, Queued)> {
        let (lane, number) = *self.orders.get(&(account, client_id))?.first()?;
        Some((lane, self.remove(account, lane, number)?))
    }

    /// Takes out an order that may not leave any more.
    pub(super) fn remove_expired(
        &mut self,
        now: Timestamp,
    ) -> Option<(AccountId, CallLane, Queued)> {
        let (send_by, account, lane, number) = *self.deadlines.first()?;
        if now <= send_by {
            return None;
        }
        Some((account, lane, self.remove(account, lane, number)?))
    }

    pub(super) fn remove_account(&mut self, account: AccountId, lane: CallLane) -> Vec<Queued> {
        let mut all = Vec::new();
        for kind in [LineKind::Orders, LineKind::Others] {
            let line = self.lanes.get_mut(lane).remove_line(LineKey { account, kind });
            for (number, queued) in line {
                self.unlist(account, lane, number, Some(&queued));
                all.push(queued);
            }
        }
        all
    }

    fn remove(&mut self, account: AccountId, lane: CallLane, number: u64) -> Option<Queued> {
        let key = LineKey { account, kind: LineKind::Orders };
        let queued = self.lanes.get_mut(lane).remove(key, number);
        self.unlist(account, lane, number, queued.as_ref());
        queued
    }

    fn unlist(&mut self, account: AccountId, lane: CallLane, number: u64, queued: Option<&Queued>) {
        let Some((client_id, send_by)) = queued.and_then(|queued| order(&queued.call)) else {
            return;
        };
        self.deadlines.remove(&(send_by, account, lane, number));
        if let Some(places) = self.orders.get_mut(&(account, client_id)) {
            places.remove(&(lane, number));
            if places.is_empty() {
                self.orders.remove(&(account, client_id));
            }
        }
    }

    pub(super) fn park_orders(&mut self, account: AccountId, lane: CallLane) {
        self.lanes.get_mut(lane).park(LineKey { account, kind: LineKind::Orders });
    }

    pub(super) fn unpark_orders(&mut self, account: AccountId, lane: CallLane) {
        self.lanes.get_mut(lane).unpark(LineKey { account, kind: LineKind::Orders });
    }

    pub(super) fn first_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(send_by, ..)| *send_by)
    }

    pub(super) fn len(&self, lane: CallLane) -> usize {
        self.lanes.get(lane).len()
    }

    pub(super) fn oldest(&self, lane: CallLane) -> Option<Timestamp> {
        self.lanes.get(lane).oldest()
    }
}

/// The id and the deadline of an order to be placed.
pub(super) const fn order(call: &Call) -> Option<(ClientOrderId, Timestamp)> {
    match call {
        Call::Place { request, send_by } => Some((request.client_id, *send_by)),
        Call::Cancel { .. }
        | Call::CancelByVenueId { .. }
        | Call::QueryOrder { .. }
        | Call::OpenOrders
        | Call::Trades { .. }
        | Call::Balances
        | Call::Highs { .. } => None,
    }
}
