//! What a new owner, or a stream that is up again, must ask for, and what the list of open orders answers
//! for many orders at once.
//!
//! Questions cost weight, and an order that rests as it is known needs none: the list vouches for it. All
//! others are asked for by id, and with one of them, the executions of its instrument are read. An execution
//! of an order that is settled shows in no list; it shows in the balance of the coin that was traded.

use std::collections::BTreeMap;

use tranche_model::{
    client_order_id::{ClientOrderId, Origin},
    ids::InstrumentId,
    order::{OrderReport, OrderStatus},
    time::{Millis, Timestamp},
};

use super::{
    Account, World,
    late::may_be_over,
    reads::Read,
    turn::{TRADES_MARGIN, Turn},
};
use crate::{
    event::StepError,
    order::{Cancel, Order, Stage},
};

/// A list that vouched for orders is read once more after this: longer than reads lag.
pub(super) const SECOND_LIST_AFTER: Millis = Millis::from_secs(60);

impl Account {
    /// Whether an answer that came is the list of the comparison that is under way, asked for after it began.
    pub(super) fn is_comparing(&self, asked_at: Option<Timestamp>, now: Timestamp) -> bool {
        let reads = &self.desk.reads;
        asked_at.is_some()
            && self.desk.awaited.contains(&Read::OpenOrders)
            && !reads.is_due(Read::OpenOrders, now)
    }

    /// Asks for everything that the list does not vouch for.
    pub(super) fn compare(
        &mut self,
        listed: &[OrderReport],
        world: &World<'_>,
    ) -> Result<(), StepError> {
        let listed: BTreeMap<_, _> = listed.iter().map(|one| (one.client_id, one)).collect();
        for key in self.all_lanes() {
            if let Some(mut turn) = self.turn(key, world)? {
                turn.want_unlisted(&listed);
            }
        }
        Ok(())
    }

    /// Where the balance of a coin differs, executions may be unknown: they are read, once since it differs
    /// so and once for each comparison.
    pub(super) fn want_trades_of_moved(&mut self, world: &World<'_>) -> Result<(), StepError> {
        for key in self.all_lanes() {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            let base = turn.instrument.symbol.base;
            let is_moved = turn.desk.suspected.1.iter().any(|(asset, _)| *asset == base);
            let read_to = turn.lane.deal.as_ref().map(|_| turn.lane.trades_read_to);
            let due = turn.desk.compared_from.max(turn.desk.suspected.0);
            if let Some(since) = read_to.filter(|to| is_moved && *to < due) {
                turn.want_trades(since);
            }
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Asks for what no list could vouch for: orders of which it is not known that they rest, and then, or
    /// when the deal has no order at all, for its executions. They are also read before a deal ends that a
    /// former owner held back from its end, and for one from before a backup took the place of the store.
    pub(super) fn want_doubtful(&mut self) {
        self.want_orders(|order, _| !may_rest(order));
        if may_be_over(self.lane) || self.may_have_forgotten() {
            self.want_trades(self.lane.trades_read_to);
        }
    }

    /// Asks for orders that the list does not show as they are known, and for their executions. Of what
    /// was in doubt before the list came, the question is out.
    fn want_unlisted(&mut self, listed: &BTreeMap<ClientOrderId, &OrderReport>) {
        if self.lane.has_orders() {
            let origin = self.desk.settings.origin;
            self.want_orders(|order, instrument| {
                let listed = listed.get(&order.client_id).copied();
                order.stage == Stage::Open && !is_vouched(order, listed, (origin, instrument))
            });
        }
    }

    /// Asks for the orders of the lane that are meant. With one of them, or without any order in the lane,
    /// also for the executions since the oldest of them, and since they were last read.
    fn want_orders(&mut self, is_meant: impl Fn(&Order, InstrumentId) -> bool) {
        let instrument = self.lane.instrument;
        let now = self.world.now;
        let has_orders = self.lane.has_orders();
        let mut oldest: Option<Timestamp> = None;
        for (_, order) in self.lane.orders().filter(|(_, order)| is_meant(order, instrument)) {
            self.desk.reads.want(Read::Order(order.client_id, instrument), now, now);
            oldest = oldest.into_iter().chain([order.created_at]).min();
        }
        let of_deal = self.lane.deal.as_ref().map(|_| self.lane.trades_read_to);
        if has_orders && oldest.is_none() {
            return;
        }
        if let Some(since) = oldest.into_iter().chain(of_deal).min() {
            self.want_trades(since);
        }
    }

    /// Asks for the executions since then. While everything is compared, the account waits for them.
    pub(super) fn want_trades(&mut self, since: Timestamp) {
        let read = Read::Trades(self.lane.instrument);
        self.desk.reads.want(read, self.world.now, since.minus(TRADES_MARGIN));
        if !self.desk.awaited.is_empty() {
            self.desk.awaited.insert(read);
        }
    }
}

/// Whether a list of open orders can tell all about the order.
fn may_rest(order: &Order) -> bool {
    order.stage == Stage::Open && order.kind.rests() && order.booked() == order.executed()
}

/// Whether the list shows that the order rests and that every execution of it is booked. Nothing is
/// concluded of an order that was to be cancelled, nor of one from before a backup took the place of the
/// store: of its deal, there may be orders that the store does not know.
fn is_vouched(
    order: &Order,
    listed: Option<&OrderReport>,
    (origin, instrument): (Origin, InstrumentId),
) -> bool {
    listed.is_some_and(|listed| {
        let is_open = matches!(listed.status, OrderStatus::Open | OrderStatus::PartiallyFilled);
        let is_same = listed.instrument == instrument
            && listed.side == order.side
            && listed.kind.price() == order.kind.price()
            && listed.kind.qty() == order.kind.qty();
        may_rest(order)
            && order.cancel() == Cancel::No
            && order.client_id.origin() == origin
            && is_open
            && is_same
            && listed.executed == order.executed()
            && order.reported_at <= listed.updated_at
    })
}
