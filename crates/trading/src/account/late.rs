//! Executions that are told after their order is gone here, or that a store replaced by an older copy of
//! itself does not know: only the store can say whether they were booked.
//!
//! No deal ends while executions on its instrument are being read or looked up: it would end without some
//! of its buys.

use std::collections::BTreeSet;

use tranche_model::{
    fill::Fill,
    ids::{InstrumentId, Slot},
    order::OrderStatus,
    record::FillRow,
    time::Timestamp,
};

use super::{Account, AccountState, FORGOTTEN_MOST, World, note, reads::Read, turn::Turn};
use crate::{
    bot::{Head, Lane},
    dca::{Deal, Fact},
    event::{Effects, LaneKey, StepError},
    why::Why,
};

impl Account {
    /// The store's answer to a fill that came too late for its order. Those of a deal are booked together,
    /// in their order, once all are answered.
    pub(super) fn fill_known(
        &mut self,
        fill: &Fill,
        known: bool,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        // Fills of deals that are over are asked about as well, and nothing waits for them.
        let is_waited_for = self.desk.waits_for(fill);
        let Some(unknown) = self.desk.look_up_answered(fill, known) else { return Ok(()) };
        let mut touched = BTreeSet::new();
        for fill in &unknown {
            touched.extend(self.late_fill(fill, world, out)?);
        }
        if is_waited_for {
            self.desk.end_lookups(fill.instrument);
            self.note_read(fill.instrument);
            if self.desk.strays.booked(fill.instrument) {
                touched.extend(self.lanes_on(fill.instrument));
            }
            touched.extend(self.maybe_over_on(fill.instrument));
            self.catch_up(touched, world, out)?;
            return self.ready_when_read(world, out);
        }
        for key in touched {
            self.run(key, world, out)?;
        }
        Ok(())
    }

    /// Books a fill that the store does not know and whose order no slot holds. Returns the lane that it
    /// concerned.
    fn late_fill(
        &mut self,
        fill: &Fill,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Option<LaneKey>, StepError> {
        let Some(client_id) = fill.client_id else { return Ok(None) };
        if !self.desk.is_new_late_fill(fill) {
            return Ok(None);
        }
        let named = client_id.key();
        let (slot, lane) = (named.slot, self.lane_of(&named));
        if let Some(key) = lane
            && let Some(mut turn) = self.turn(key, world)?
        {
            turn.book(slot, fill, out)?;
            turn.note(Why::LateFill { slot, qty: fill.qty, price: fill.price }, out);
            if turn.lane.seat(slot).is_none_or(|seat| seat.order.is_none()) {
                // The deal was told of an end without it.
                let (executed, status) = (fill.qty, OrderStatus::Expired);
                turn.tell(Fact::Settled { slot, executed, status }, out)?;
            }
            return Ok(Some(key));
        }
        // The deal is closed: the account holds what was traded, and no bot claims it.
        let symbol = world.instruments.get(fill.instrument).map(|instrument| instrument.symbol);
        let symbol = symbol.ok_or(StepError::NoInstrument(fill.instrument))?;
        self.desk.ledger.book(fill, symbol)?;
        out.fills.push(FillRow { bot: named.bot, deal: named.deal, fill: *fill });
        out.account_dirty = true;
        note(Why::LateFill { slot, qty: fill.qty, price: fill.price }, world, out);
        Ok(None)
    }

    /// What was read while executions were looked up is booked now.
    fn note_read(&mut self, instrument: InstrumentId) {
        let spans: Vec<_> = self.desk.read_meanwhile.iter().copied().collect();
        self.desk.read_meanwhile.retain(|(known, _)| *known != instrument);
        for (_, span) in spans.into_iter().filter(|(known, _)| *known == instrument) {
            let lanes = self.bots.values_mut().flat_map(|bot| &mut bot.lanes);
            for lane in lanes.filter(|lane| lane.instrument == instrument) {
                lane.trades_are_read(span);
            }
        }
    }

    /// Lanes on the instrument whose deals may wait for what is read of it.
    fn maybe_over_on(&self, instrument: InstrumentId) -> BTreeSet<LaneKey> {
        let may_be_over = |key: &LaneKey| self.lane(*key).is_some_and(may_be_over);
        self.lanes_on(instrument).into_iter().filter(may_be_over).collect()
    }

    /// Lanes whose deals may wait for the list of open orders.
    fn maybe_over_before_a_restore(&self) -> BTreeSet<LaneKey> {
        let waits = |key: &LaneKey| {
            let lane = self.lane(*key).filter(|lane| may_be_over(lane));
            let head = self.bots.get(&key.bot).map(|bot| &bot.head);
            head.zip(lane).is_some_and(|(head, lane)| may_have_forgotten(head, lane))
        };
        self.all_lanes().into_iter().filter(waits).collect()
    }

    /// Something was being read, and these waited for it.
    pub(super) fn catch_up(
        &mut self,
        lanes: BTreeSet<LaneKey>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        for key in lanes {
            if let Some(mut turn) = self.turn(key, world)? {
                turn.catch_up(out)?;
                self.run(key, world, out)?;
            }
        }
        Ok(())
    }

    /// One answer less to wait for; with the last one the account is ready. `asked_at` is when the question
    /// was asked, `None` when the venue refuses to answer.
    pub(super) fn was_awaited(
        &mut self,
        read: Read,
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        if self.desk.reads.is_due(read, world.now) {
            // Meanwhile it was wanted anew: the answer is from before what is to be learned.
            return Ok(());
        }
        let is_of_stray = match read {
            Read::Trades(instrument) => {
                self.desk.strays.trades_read(instrument, asked_at);
                if let Some((due, since)) = self.desk.strays.trades_wanted(instrument) {
                    self.desk.reads.want(read, due, since);
                }
                // What was read may not be booked yet.
                !self.desk.is_looking_up(instrument) && self.desk.strays.booked(instrument)
            }
            Read::OpenOrders | Read::Balances | Read::Highs(..) | Read::Order(..) => false,
        };
        if !self.desk.awaited.remove(&read) && !is_of_stray {
            return Ok(());
        }
        if self.desk.awaited.is_empty() {
            // An empty tree keeps a node for eleven questions.
            self.desk.awaited = BTreeSet::new();
        }
        match read {
            Read::Trades(instrument) if is_of_stray => {
                let held = self.lanes_on(instrument).into_iter().collect();
                self.catch_up(held, world, out)?;
            }
            Read::Trades(instrument) => {
                self.catch_up(self.maybe_over_on(instrument), world, out)?;
            }
            Read::OpenOrders => {
                self.catch_up(self.maybe_over_before_a_restore(), world, out)?;
            }
            Read::Balances | Read::Highs(..) | Read::Order(..) => {}
        }
        self.ready_when_read(world, out)
    }

    /// With the last answer the account is ready.
    pub(super) fn ready_when_read(
        &mut self,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        if self.desk.state == AccountState::Syncing && self.desk.is_read() {
            self.desk.state = self.desk.synced_state();
            self.run_all(world, out)?;
        }
        Ok(())
    }
}

/// Whether an end of the deal may have been held back.
pub(super) fn may_be_over(lane: &Lane) -> bool {
    let has_sold = |deal: &Deal| deal.position.sold.is_positive();
    lane.deal.as_ref().is_some_and(|deal| has_sold(deal) || !lane.has_orders())
}

fn may_have_forgotten(head: &Head, lane: &Lane) -> bool {
    let beyond = |deal: &Deal| deal.no.get().saturating_add(FORGOTTEN_MOST);
    lane.deal.as_ref().map(beyond).is_some_and(|beyond| beyond < head.next_deal.get())
}

impl Turn<'_> {
    /// Whether executions on the instrument are being read or looked up, or an order of the deal may be left
    /// that still trades.
    pub(super) fn is_reading(&self) -> bool {
        let (instrument, awaited) = (self.lane.instrument, &self.desk.awaited);
        awaited.contains(&Read::Trades(instrument))
            || self.desk.is_looking_up(instrument)
            || self.has_strays(None)
            || (awaited.contains(&Read::OpenOrders) && self.may_have_forgotten())
    }

    /// Whether the store may be an older copy of itself, made while the deal was open.
    pub(super) fn may_have_forgotten(&self) -> bool {
        may_have_forgotten(self.head, self.lane)
    }

    /// Judges what could not be judged while executions were being read.
    fn catch_up(&mut self, out: &mut Effects) -> Result<(), StepError> {
        let is_out = self.lane.seat(Slot::TAKE_PROFIT).is_some_and(|seat| seat.order.is_some());
        if is_out || self.is_reading() { Ok(()) } else { self.tell(Fact::Whole, out) }
    }
}
