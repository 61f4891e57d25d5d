//! Orders whose fate is unknown, and everything else that is read from the venue.
//!
//! An order leaves `Unknown` only by evidence: it, or a trade of it, was seen; or it is proved never
//! placed: three explicit not-founds spread over the grace window, all asked for after the last moment
//! at which the request could have arrived and been worked on, and no trace in trades or balances.
//! That nobody could be asked is no evidence.

use tranche_model::{
    balance::Balance,
    client_order_id::ClientOrderId,
    ids::InstrumentId,
    money::Price,
    order::Side,
    record::{Answer, Call, Outcome},
    time::{Millis, Timestamp},
};

use super::{Account, World, desk::AccountState, note, orders::Reading, reads::Read, turn::Turn};
use crate::{
    dca::Fact,
    event::{Effects, StepError, Timing},
    order::{Evidence, Order, Stage},
    why::Why,
};

/// The first question after an answer was lost; most lost answers are found at once.
const FIRST_QUESTION_AFTER: Millis = Millis::new(500);
const NOT_FOUNDS_NEEDED: u8 = 3;
/// A balance that differs is read again after this, once fills had time to arrive.
const BALANCE_CHECK_AFTER: Millis = Millis::from_secs(5);
/// How long it must differ in the same way, with nothing to explain it: longer than reads lag.
const BALANCE_BELIEVED_AFTER: Millis = Millis::from_secs(12);

impl Account {
    /// No usable answer to a placement came.
    pub(super) fn order_lost(
        &mut self,
        id: ClientOrderId,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some((key, slot)) = self.seat_of(id) else { return Ok(()) };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        turn.change(slot, |order| {
            order.lost();
            Ok(())
        })?;
        let read = Read::Order(id, turn.lane.instrument);
        turn.desk.reads.want(read, world.now.plus(FIRST_QUESTION_AFTER), world.now);
        turn.note(Why::OutcomeUnknown { order: id }, out);
        self.run(key, world, out)
    }

    /// The answer to a question.
    pub(super) fn read(
        &mut self,
        call: &Call,
        outcome: &Outcome,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some(read) = Read::of(call) else { return Ok(()) };
        let answer = match outcome {
            Outcome::Done(answer) => answer,
            Outcome::Throttled { retry_at } => {
                self.desk.reads.failed(read, world.now, Some(*retry_at));
                return Ok(());
            }
            Outcome::Refused(refusal) => {
                self.desk.note_refusal(refusal.reason);
                self.desk.reads.failed(read, world.now, None);
                return Ok(());
            }
            Outcome::NotSent | Outcome::Unknown => {
                self.desk.reads.failed(read, world.now, None);
                return Ok(());
            }
        };
        let asked_at = self.desk.reads.answered(read);
        if self.desk.key_invalid && !matches!(read, Read::Highs(_)) {
            // The key works again.
            self.desk.key_invalid = false;
            self.read_everything(world, out)?;
        }
        match (read, answer) {
            (Read::Order(..), Answer::Order { report, fills }) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                self.reported(report, Reading::Final, world, out)?;
            }
            (Read::Order(id, instrument), Answer::OrderNotFound) => {
                self.not_found((id, instrument), asked_at, world, out)?;
            }
            (Read::OpenOrders, Answer::OpenOrders { own, foreign }) => {
                self.census(own, foreign, world, out)?;
            }
            (Read::Trades(instrument), Answer::Trades(fills)) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                self.trades_read(instrument, asked_at, world, out)?;
            }
            (Read::Balances, Answer::Balances(balances)) => {
                self.balances_read(balances, world, out)?;
            }
            (Read::Highs(instrument), Answer::Highs(high)) => {
                self.highs_read(instrument, *high, world, out)?;
            }
            // An answer to another question is none.
            (
                Read::Order(..)
                | Read::OpenOrders
                | Read::Trades(_)
                | Read::Balances
                | Read::Highs(_),
                Answer::Order { .. }
                | Answer::OrderNotFound
                | Answer::OpenOrders { .. }
                | Answer::Trades(_)
                | Answer::Balances(_)
                | Answer::Highs(_),
            ) => {
                self.desk.reads.want(read, world.now.plus(BALANCE_CHECK_AFTER), world.now);
                return Ok(());
            }
        }
        if asked_at.is_none() {
            // It answers what a former owner asked.
            return Ok(());
        }
        self.was_awaited(read, world, out)
    }

    /// One answer less to wait for; with the last one the account is ready.
    fn was_awaited(
        &mut self,
        read: Read,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let was_awaited = self.desk.awaited.remove(&read);
        if !was_awaited || !self.desk.awaited.is_empty() {
            return Ok(());
        }
        if self.desk.state == AccountState::Syncing {
            self.desk.state = AccountState::Ready;
            self.run_all(world, out)?;
        }
        Ok(())
    }

    fn not_found(
        &mut self,
        (id, instrument): (ClientOrderId, InstrumentId),
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some((key, slot)) = self.seat_of(id) else { return Ok(()) };
        let timing = self.desk.settings.timing;
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let now = world.now;
        let counted = turn.change(slot, |order| Ok(count_not_found(order, &timing, asked_at)))?;
        let Some(Some((evidence, last_arrival, since))) = counted else {
            // The venue has shown the order before: its memory lags, and it is asked again.
            let again = now.plus(BALANCE_CHECK_AFTER);
            turn.desk.reads.want(Read::Order(id, instrument), again, now);
            return Ok(());
        };
        let is_spread = evidence.first_not_found_at.is_some_and(|first| {
            asked_at.is_some_and(|last| first.plus(timing.not_found_grace) <= last)
        });
        if NOT_FOUNDS_NEEDED <= evidence.not_found && is_spread && evidence.trades_read {
            turn.refuse(slot)?;
            turn.note(Why::ProvedNotPlaced { order: id }, out);
            return self.run(key, world, out);
        }
        if evidence.not_found != 0 && !evidence.trades_read {
            turn.desk.reads.want(Read::Trades(instrument), now, since);
            turn.desk.reads.want(Read::Balances, now, now);
        }
        let pause = Millis::new(timing.not_found_grace.ms() / 2);
        let again = if now < last_arrival { last_arrival } else { now.plus(pause) };
        turn.desk.reads.want(Read::Order(id, instrument), again, now);
        Ok(())
    }

    /// Trades were read: unknown orders of the instrument without one have left no trace there.
    fn trades_read(
        &mut self,
        instrument: InstrumentId,
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let timing = self.desk.settings.timing;
        for key in self.lanes_on(instrument) {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            let slots: Vec<_> = turn.lane.orders().map(|(slot, _)| slot).collect();
            for slot in slots {
                turn.change(slot, |order| {
                    let last = last_arrival(order, &timing);
                    if let Stage::Unknown(evidence) = &mut order.stage
                        && asked_at.is_some_and(|asked_at| last <= asked_at)
                    {
                        evidence.trades_read = true;
                    }
                    Ok(())
                })?;
            }
            turn.run(out)?;
        }
        Ok(())
    }

    /// Pushed balances only say where to look.
    pub(super) fn balances_pushed(
        &mut self,
        balances: &[Balance],
        world: &World<'_>,
    ) -> Result<(), StepError> {
        if !self.desk.ledger.differences(balances)?.is_empty() {
            let due = world.now.plus(BALANCE_CHECK_AFTER);
            self.desk.reads.want(Read::Balances, due, world.now);
        }
        Ok(())
    }

    fn balances_read(
        &mut self,
        balances: &[Balance],
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let moved = self.desk.ledger.differences(balances)?;
        let is_told_before = moved == self.desk.suspected.1;
        if !is_told_before {
            self.desk.suspected = (world.now, moved);
        }
        if self.desk.suspected.1.is_empty() {
            self.desk.ledger.adopt(balances)?;
            return Ok(());
        }
        let is_pending = self.moves_are_pending() || self.desk.reads.is_asking();
        let believed_at = self.desk.suspected.0.plus(BALANCE_BELIEVED_AFTER);
        if self.desk.ledger.is_open() && (is_pending || world.now < believed_at) {
            // Fills may be on their way, or may have been lost.
            if !is_told_before {
                self.note_traces(world);
            }
            self.desk.reads.want(Read::OpenOrders, world.now, world.now);
            let due = world.now.plus(BALANCE_CHECK_AFTER);
            self.desk.reads.want(Read::Balances, due, world.now);
            return Ok(());
        }
        self.desk.suspected.1.clear();
        for (asset, by) in self.desk.ledger.adopt(balances)? {
            note(Why::BalanceMoved { asset, by }, world, out);
        }
        out.account_dirty = true;
        Ok(())
    }

    /// Whether an order may have traded without our knowing yet.
    fn moves_are_pending(&self) -> bool {
        let mut orders =
            self.bots.values().flat_map(|bot| &bot.lanes).flat_map(crate::bot::Lane::orders);
        orders.any(|(_, order)| match order.stage {
            Stage::Intent | Stage::Unknown(_) | Stage::Ending => true,
            Stage::Open | Stage::Ended(_) => order.booked() != order.executed(),
        })
    }

    /// Balances that moved the way an unknown order would move them speak against "never placed":
    /// the proof begins anew. A deposit moves one of the two only. What stays moved in the same way
    /// while the venue still shows no such order was moved by another hand.
    fn note_traces(&mut self, world: &World<'_>) {
        let moved = &self.desk.suspected.1;
        let by = |asset| moved.iter().find(|(known, _)| *known == asset).map(|(_, by)| *by);
        for bot in self.bots.values_mut() {
            for lane in &mut bot.lanes {
                let Some(instrument) = world.instruments.get(lane.instrument) else { continue };
                let symbol = instrument.symbol;
                let (Some(base), Some(quote)) = (by(symbol.base), by(symbol.quote)) else {
                    continue;
                };
                for order in lane.seats.iter_mut().filter_map(|seat| seat.order.as_deref_mut()) {
                    let is_trace = match order.side {
                        Side::Buy => base.is_positive() && quote.is_negative(),
                        Side::Sell => base.is_negative() && quote.is_positive(),
                    };
                    if let Stage::Unknown(evidence) = &mut order.stage
                        && is_trace
                    {
                        *evidence = Evidence::default();
                    }
                }
            }
        }
    }

    /// Running maxima are rebuilt from the venue's one-minute highs.
    fn highs_read(
        &mut self,
        instrument: InstrumentId,
        high: Option<Price>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some(peak) = high else { return Ok(()) };
        for key in self.lanes_on(instrument) {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            turn.tell(Fact::Checkpoint { peak }, out)?;
            turn.run(out)?;
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Asks for the highs since the running maximum of the lane was last written down.
    pub(super) fn want_highs(&mut self) {
        let peak = self.lane.deal.as_ref().and_then(crate::dca::Deal::peak);
        if let Some(peak) = peak {
            let read = Read::Highs(self.lane.instrument);
            self.desk.reads.want(read, self.world.now, peak.known_at);
        }
    }
}

/// When a request that was committed could last have arrived and been worked on.
fn last_arrival(order: &Order, timing: &Timing) -> Timestamp {
    order.send_by.plus(timing.arrival_margin).plus(timing.processing_bound)
}

/// Counts an explicit not-found if it counts. Returns the evidence, the last possible arrival and the
/// creation of an unknown order; `None` for one that was seen.
fn count_not_found(
    order: &mut Order,
    timing: &Timing,
    asked_at: Option<Timestamp>,
) -> Option<(Evidence, Timestamp, Timestamp)> {
    let last = last_arrival(order, timing);
    let Stage::Unknown(evidence) = &mut order.stage else { return None };
    if let Some(asked_at) = asked_at.filter(|asked_at| last <= *asked_at) {
        evidence.not_found = evidence.not_found.saturating_add(1);
        evidence.first_not_found_at.get_or_insert(asked_at);
    }
    Some((*evidence, last, order.created_at))
}
