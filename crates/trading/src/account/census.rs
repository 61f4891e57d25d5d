//! The census of open orders: every one is known, adopted, taken back, or foreign and left alone.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    decimal::MathError,
    ids::InstrumentId,
    instrument::Instruments,
    money::Amount,
    order::{ForeignOrder, OrderKind, OrderReport, Side},
    record::CallLane,
    time::Timestamp,
};

use super::{
    Account, World, compare::SECOND_LIST_AFTER, orders::Reading, reads::Read, turn::TRADES_MARGIN,
};
use crate::{
    event::{Effects, LaneKey, StepError},
    order::{Order, Stage, Word},
    why::Why,
};

impl Account {
    /// Compares the venue's list of open orders with ours.
    pub(super) fn census(
        &mut self,
        (own, foreign): (&[OrderReport], &[ForeignOrder]),
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        for report in own {
            self.reported(report, Reading::Listed, world, out)?;
        }
        self.count_foreign(own, foreign, world.instruments)?;
        let listed: BTreeSet<_> = own.iter().map(|report| report.client_id).collect();
        let mut missing = Vec::new();
        for lane in self.bots.values_mut().flat_map(|bot| &mut bot.lanes) {
            for order in lane.seats.iter_mut().filter_map(|seat| seat.order.as_deref_mut()) {
                if listed.contains(&order.client_id) {
                    continue;
                }
                let is_open = order.stage == Stage::Open;
                let evidence = order.evidence_mut();
                let is_last =
                    evidence.is_some_and(|known| known.note(asked_at, |known| &mut known.unlisted));
                if is_open || is_last {
                    missing.push(Read::Order(order.client_id, lane.instrument));
                }
            }
        }
        let strays = self.desk.strays.unlisted(|id| listed.contains(&id));
        missing.extend(strays.into_iter().map(|(id, instrument)| Read::Order(id, instrument)));
        // Absent from the list is a reason to ask, never an end.
        for read in missing {
            self.desk.reads.want(read, world.now, world.now);
        }
        let mut pause = self.desk.census_every();
        if self.is_comparing(asked_at, world.now) {
            self.compare(own, world)?;
            pause = pause.min(SECOND_LIST_AFTER);
            // An execution of an order that is settled shows in the balance alone, and that lags as well.
            self.desk.reads.want(Read::Balances, world.now.plus(pause), world.now);
        }
        let next = world.now.plus(pause);
        self.desk.reads.want(Read::OpenOrders, next, world.now);
        Ok(())
    }

    /// An order with our mark that no slot holds. Pushes and lists lag behind, so the order itself is
    /// asked for first; if it is open then, it is adopted when its slot is free and waits for it,
    /// otherwise taken back. It is never ignored.
    pub(super) fn unknown_own_order(
        &mut self,
        report: &OrderReport,
        reading: Reading,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let (client_id, instrument) = (report.client_id, report.instrument);
        if report.status.is_terminal() && matches!(reading, Reading::Queried | Reading::Asked) {
            let told = (Some(report.executed), Some(world.now));
            self.stray_not_seen(client_id, told, world, out)?;
        } else if report.status.is_terminal() && self.desk.strays.has(client_id) {
            self.desk.reads.want(Read::Order(client_id, instrument), world.now, world.now);
        }
        if report.status.is_terminal() || (reading == Reading::Pushed && self.is_past(client_id)) {
            return Ok(());
        }
        if matches!(reading, Reading::Pushed | Reading::Listed) {
            if reading == Reading::Listed && self.desk.strays.hurry(client_id, world.now) {
                return Ok(());
            }
            let lane = self.lane_of(&client_id.key()).and_then(|key| self.lane(key));
            let is_named = lane.is_some_and(|lane| lane.instrument == instrument);
            if is_named && client_id.origin() != self.desk.settings.origin {
                self.desk.strays.suspect(report);
            }
            self.desk.reads.want(Read::Order(client_id, instrument), world.now, world.now);
            return Ok(());
        }
        if let Some(key) = self.free_place(report) {
            return self.adopt(key, report, world, out);
        }
        self.take_back(report, world, out);
        Ok(())
    }

    /// Whether the id is one that we settled: what is still said of it is an echo.
    fn is_past(&self, id: ClientOrderId) -> bool {
        let named = id.key();
        let Some(bot) = self.bots.get(&named.bot) else { return false };
        match self.lane_of(&named) {
            None => named.deal < bot.head.next_deal,
            Some(key) => bot.lanes.get(usize::from(key.lane)).is_some_and(|lane| {
                lane.seat(named.slot).is_some_and(|seat| Some(named.generation) <= seat.generation)
            }),
        }
    }

    /// The lane whose slot the order could fill: the deal is open, the slot empty, and the order
    /// younger than any that the slot remembers.
    fn free_place(&self, report: &OrderReport) -> Option<LaneKey> {
        let named = report.client_id.key();
        let is_this_life = report.client_id.origin() == self.desk.settings.origin;
        let key = self.lane_of(&named)?;
        let lane = self.bots.get(&key.bot)?.lanes.get(usize::from(key.lane))?;
        let is_free = lane.seat(named.slot).is_none_or(|seat| {
            seat.order.is_none() && seat.generation.is_none_or(|last| last < named.generation)
        });
        (is_this_life && is_free && lane.instrument == report.instrument).then_some(key)
    }

    fn adopt(
        &mut self,
        key: LaneKey,
        report: &OrderReport,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let named = report.client_id.key();
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let lane = match report.side {
            Side::Buy => CallLane::Entry,
            Side::Sell => CallLane::Exit,
        };
        let ask = (report.side, report.kind, lane);
        let mut order = Order::intent(report.client_id, ask, world.now, world.now);
        order.report(report, Word::Reply);
        turn.lane.seat_mut(named.slot).generation = Some(named.generation);
        turn.seat_order(named.slot, order)?;
        turn.desk.strays.gone(report.client_id);
        let since = turn.lane.deal.as_ref().map_or(world.now, |deal| deal.opened_at);
        let since = since.minus(TRADES_MARGIN);
        turn.desk.reads.want(Read::Trades(report.instrument), world.now, since);
        turn.note(Why::Adopted { order: report.client_id }, out);
        self.run(key, world, out)
    }

    /// Orders of other hands take places and funds that we must leave alone.
    fn count_foreign(
        &mut self,
        own: &[OrderReport],
        foreign: &[ForeignOrder],
        instruments: &Instruments,
    ) -> Result<(), MathError> {
        let mut open: BTreeMap<InstrumentId, u32> = BTreeMap::new();
        let mut locked: BTreeMap<Asset, Amount> = BTreeMap::new();
        let strangers = own.iter().filter(|report| !self.is_ours(report.client_id));
        let strangers = strangers.map(|report| ForeignOrder {
            venue_id: report.venue_id,
            instrument: report.instrument,
            side: report.side,
            kind: report.kind,
            executed: report.executed,
        });
        for order in foreign.iter().copied().chain(strangers) {
            let count = open.entry(order.instrument).or_default();
            *count = count.saturating_add(1);
            if let Some((asset, amount)) = held_back(&order, instruments)? {
                let total = locked.entry(asset).or_default();
                *total = total.plus(amount)?;
            }
        }
        self.desk.foreign_open = open;
        self.desk.ledger.set_foreign_locked(locked);
        Ok(())
    }
}

fn held_back(
    order: &ForeignOrder,
    instruments: &Instruments,
) -> Result<Option<(Asset, Amount)>, MathError> {
    let Some(instrument) = instruments.get(order.instrument) else { return Ok(None) };
    let (price, qty) = match order.kind {
        OrderKind::Limit { price, qty, .. } | OrderKind::LimitMaker { price, qty } => (price, qty),
        OrderKind::Market { .. } => return Ok(None),
    };
    let rest = qty.minus_floored(order.executed)?;
    Ok(Some(match order.side {
        Side::Buy => (instrument.symbol.quote, price.times(rest)?.amount()),
        Side::Sell => (instrument.symbol.base, rest.amount()),
    }))
}
