//! Orders whose fate is unknown, and everything else that is read from the venue.
//!
//! An order leaves `Unknown` only by evidence: it, or a trade of it, was seen; or it is proved never
//! placed: three explicit not-founds spread over the grace window, all asked for after the last moment
//! at which the request could have arrived and been worked on, and no trace in trades or balances.
//! One that was seen and that the venue then does not know goes the same way, and must be absent from
//! the list of open orders too. That nobody could be asked is no evidence.

use tranche_model::{
    balance::Balance,
    client_order_id::ClientOrderId,
    ids::{InstrumentId, Slot},
    money::Price,
    order::Side,
    record::{Answer, Call, Outcome, Refusal, RefusalReason},
    time::{Millis, Timestamp},
};

use super::{
    Account, World, note,
    orders::Reading,
    reads::Read,
    turn::{TRADES_MARGIN, Turn},
};
use crate::{
    bot::RETRY_LAST,
    dca::{Deal, Fact},
    event::{Effects, StepError, Timing},
    order::{Evidence, Order, Stage},
    why::Why,
};

/// The first question after an answer was lost; most lost answers are found at once.
const FIRST_QUESTION_AFTER: Millis = Millis::new(500);
const NOT_FOUNDS_NEEDED: u8 = 3;
/// After so many the pauses between them double, and after as many again once more.
const NOT_FOUNDS_AT_FIRST: u8 = 6;
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
            Outcome::Refused(refusal) => return self.read_refused(read, refusal, world, out),
            Outcome::NotSent | Outcome::Unknown => {
                self.desk.reads.failed(read, world.now, None);
                return Ok(());
            }
        };
        let asked_at = self.desk.reads.answered(read);
        if self.desk.key_invalid && !matches!(read, Read::Highs(..)) {
            // The key works again, perhaps for some questions only: what it was refused is not asked again
            // at once, or the two would take turns without a pause.
            self.desk.key_invalid = false;
            let pauses = self.desk.reads.pauses();
            self.read_everything(world, out)?;
            for (read, due) in pauses {
                self.desk.reads.postpone(read, due);
            }
        }
        match (read, answer) {
            (Read::Order(..), Answer::Order { report, fills }) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                self.reported(report, Reading::Queried, world, out)?;
            }
            (Read::Order(id, instrument), Answer::OrderNotFound) => {
                self.not_found((id, instrument), asked_at, world, out)?;
            }
            (Read::OpenOrders, Answer::OpenOrders { own, foreign }) => {
                self.census((own, foreign), asked_at, world, out)?;
            }
            (Read::Trades(instrument), Answer::Trades(fills)) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                let asked = asked_at.zip(since_of(call));
                self.trades_read(instrument, asked, world, out)?;
            }
            (Read::Balances, Answer::Balances(balances)) => {
                self.balances_read(balances, asked_at, world, out)?;
            }
            (Read::Highs(instrument, since), Answer::Highs(high)) => {
                self.highs_read((instrument, since), *high, world, out)?;
            }
            // An answer to another question is none.
            (
                Read::Order(..)
                | Read::OpenOrders
                | Read::Trades(_)
                | Read::Balances
                | Read::Highs(..),
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
        self.was_awaited(read, asked_at, world, out)
    }

    /// The venue will not answer. What concerns the key stops the account; what concerns an instrument
    /// stops new deals and orders on it, and the others go on. It is asked again, ever more rarely.
    fn read_refused(
        &mut self,
        read: Read,
        refusal: &Refusal,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        self.desk.note_refusal(refusal.reason);
        let is_first = self.desk.reads.failed(read, world.now, None);
        if refusal.reason == RefusalReason::Key {
            return Ok(());
        }
        let instrument = match read {
            Read::Trades(instrument) | Read::Highs(instrument, _) | Read::Order(_, instrument) => {
                Some(instrument)
            }
            Read::OpenOrders | Read::Balances => None,
        };
        if is_first {
            let (code, text) = (refusal.code, refusal.text.clone());
            note(Why::ReadRefused { instrument, code, text }, world, out);
        }
        if instrument.is_none() {
            return Ok(());
        }
        if let Read::Trades(instrument) = read {
            self.desk.unread.put(instrument);
            // Whoever wanted the answer may not need it any more: it is asked until it is given.
            self.desk.reads.insist(read, world.now);
        }
        self.was_awaited(read, None, world, out)
    }

    fn not_found(
        &mut self,
        (id, instrument): (ClientOrderId, InstrumentId),
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some((key, slot)) = self.seat_of(id) else {
            return self.stray_not_seen(id, (None, asked_at), world, out);
        };
        let timing = self.desk.settings.timing;
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let now = world.now;
        let counted = turn.change(slot, |order| Ok(count_not_found(order, &timing, asked_at)))?;
        let Some(Some(found)) = counted else { return Ok(()) };
        let evidence = found.evidence;
        let is_spread = evidence.first_not_found_at.is_some_and(|first| {
            asked_at.is_some_and(|last| first.plus(timing.not_found_grace) <= last)
        });
        let is_asked = NOT_FOUNDS_NEEDED <= evidence.not_found && is_spread;
        if is_asked && evidence.is_traceless() {
            let why = turn.conclude(slot, id)?;
            turn.note(why, out);
            return self.run(key, world, out);
        }
        if evidence.not_found != 0 {
            let since = found.created_at.minus(TRADES_MARGIN);
            let missing = [
                (!evidence.trades_read, Read::Trades(instrument), since),
                (!evidence.balances_read, Read::Balances, now),
                (!evidence.unlisted, Read::OpenOrders, now),
            ];
            for (_, read, since) in missing.into_iter().filter(|(is_missing, ..)| *is_missing) {
                turn.desk.reads.want(read, now, since);
            }
        }
        let pause = pause_after(&evidence, &timing);
        let again = if now < found.counts_from { found.counts_from } else { now.plus(pause) };
        turn.desk.reads.want(Read::Order(id, instrument), again, now);
        Ok(())
    }

    /// Trades were read: orders in doubt on the instrument without one have left no trace there.
    /// `asked` is when the question was asked, and from when on the trades were read.
    fn trades_read(
        &mut self,
        instrument: InstrumentId,
        asked: Option<(Timestamp, Timestamp)>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        self.desk.unread.retain(|known| *known != instrument);
        let is_looking_up = self.desk.is_looking_up(instrument);
        if let Some(span) = asked.filter(|_| is_looking_up) {
            // Who loads the account before they are booked has to read them again.
            self.desk.read_meanwhile.push((instrument, span));
        }
        for key in self.lanes_on(instrument) {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            if let Some(span) = asked.filter(|_| !is_looking_up) {
                turn.lane.trades_are_read(span);
            }
            let slots: Vec<_> = turn.lane.orders().map(|(slot, _)| slot).collect();
            for slot in slots {
                let asked_for = turn.change(slot, |order| {
                    let first = order.created_at.minus(TRADES_MARGIN);
                    let asked_at = asked.filter(|(_, since)| *since <= first).map(|(at, _)| at);
                    let evidence = order.evidence_mut();
                    let is_last = evidence
                        .is_some_and(|known| known.note(asked_at, |known| &mut known.trades_read));
                    Ok(is_last.then_some(order.client_id))
                })?;
                if let Some(id) = asked_for.flatten() {
                    turn.desk.reads.want(Read::Order(id, instrument), world.now, world.now);
                }
            }
            self.run(key, world, out)?;
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
        asked_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let moved = self.desk.ledger.differences(balances)?;
        let is_told_before = moved == self.desk.suspected.1;
        let is_comparing = self.desk.awaited.contains(&Read::Balances);
        if !is_told_before {
            self.desk.suspected = (world.now, moved);
        }
        if !is_told_before {
            self.note_traces(world);
        }
        if self.desk.ledger.is_open() && (is_comparing || !is_told_before) {
            self.want_trades_of_moved(world)?;
        }
        self.note_balances_read(asked_at, world.now);
        if self.desk.suspected.1.is_empty() {
            self.desk.ledger.adopt(balances)?;
            self.desk.short.clear();
            return Ok(());
        }
        let is_pending = self.moves_are_pending() || self.desk.is_asking();
        let believed_at = self.desk.suspected.0.plus(BALANCE_BELIEVED_AFTER);
        if self.desk.ledger.is_open() && (is_pending || world.now < believed_at) {
            // Fills may be on their way, or may have been lost.
            self.desk.reads.want(Read::OpenOrders, world.now, world.now);
            let due = world.now.plus(BALANCE_CHECK_AFTER);
            self.desk.reads.want(Read::Balances, due, world.now);
            return Ok(());
        }
        self.desk.suspected.1.clear();
        self.desk.short.clear();
        for (asset, by) in self.desk.ledger.adopt(balances)? {
            note(Why::BalanceMoved { asset, by }, world, out);
        }
        out.account_dirty = true;
        Ok(())
    }

    /// Whether an order may have traded without our knowing yet. What the venue refuses to tell is not
    /// waited for.
    fn moves_are_pending(&self) -> bool {
        let lanes = self.bots.values().flat_map(|bot| &bot.lanes);
        let told = lanes.filter(|lane| !self.desk.unread.contains(&lane.instrument));
        told.flat_map(crate::bot::Lane::orders).any(|(_, order)| match order.stage {
            Stage::Intent | Stage::Unknown | Stage::Ending | Stage::Missing => true,
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
                    if let Some(evidence) = order.evidence_mut().filter(|_| is_trace) {
                        *evidence = Evidence::default();
                    }
                }
            }
        }
    }

    /// Orders in doubt have left no trace in the balances, or one that began their proof anew.
    fn note_balances_read(&mut self, asked_at: Option<Timestamp>, now: Timestamp) {
        for lane in self.bots.values_mut().flat_map(|bot| &mut bot.lanes) {
            for order in lane.seats.iter_mut().filter_map(|seat| seat.order.as_deref_mut()) {
                let evidence = order.evidence_mut();
                if evidence
                    .is_some_and(|known| known.note(asked_at, |known| &mut known.balances_read))
                {
                    let read = Read::Order(order.client_id, lane.instrument);
                    self.desk.reads.want(read, now, now);
                }
            }
        }
    }

    /// Running maxima are rebuilt from the venue's one-minute highs. A lane that has trailed only since
    /// later does not take in what was before.
    fn highs_read(
        &mut self,
        (instrument, since): (InstrumentId, Timestamp),
        high: Option<Price>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some(peak) = high else { return Ok(()) };
        for key in self.lanes_on(instrument) {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            let known = turn.lane.deal.as_ref().and_then(Deal::peak);
            if known.is_none_or(|known| since < known.armed_at) {
                continue;
            }
            turn.tell(Fact::Checkpoint { peak }, out)?;
            turn.run(out)?;
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Asks for the highs since the running maximum of the lane was last written down.
    pub(super) fn want_highs(&mut self) {
        if let Some(peak) = self.lane.deal.as_ref().and_then(Deal::peak) {
            let read = Read::Highs(self.lane.instrument, peak.known_at);
            self.desk.reads.want(read, self.world.now, peak.known_at);
        }
    }

    /// The proof is complete: the order never got there, or is not there any more.
    fn conclude(&mut self, slot: Slot, id: ClientOrderId) -> Result<Why, StepError> {
        let was_seen = self.change(slot, |order| {
            let was_seen = matches!(order.stage, Stage::Missing);
            if was_seen {
                order.forgotten();
            } else {
                order.refused();
            }
            Ok(was_seen)
        })?;
        Ok(match was_seen {
            Some(true) => Why::Forgotten { order: id },
            Some(false) | None => Why::ProvedNotPlaced { order: id },
        })
    }
}

/// From when on a not-found may speak against an order: nothing that was committed can arrive or be
/// worked on any more.
fn counts_from(order: &Order, timing: &Timing) -> Timestamp {
    order.send_by.plus(timing.arrival_margin).plus(timing.processing_bound)
}

/// When the question is repeated. A proof that does not come about, because other questions are
/// refused, is tried ever more rarely. With the last of their answers the order is asked for at once.
fn pause_after(evidence: &Evidence, timing: &Timing) -> Millis {
    let half = Millis::new(timing.not_found_grace.ms() / 2);
    if evidence.is_traceless() {
        return half;
    }
    let doublings = u32::from(evidence.not_found / NOT_FOUNDS_AT_FIRST).min(16);
    half.times(1 << doublings).min(RETRY_LAST.max(half))
}

/// What is known of an order in doubt after one more not-found.
struct NotFound {
    evidence: Evidence,
    counts_from: Timestamp,
    created_at: Timestamp,
}

/// Counts an explicit not-found if it counts; `None` for an order whose fate is known.
fn count_not_found(
    order: &mut Order,
    timing: &Timing,
    asked_at: Option<Timestamp>,
) -> Option<NotFound> {
    // The venue may have shown the order before: then its memory lags, or it has forgotten it.
    order.missed();
    let (counts_from, created_at) = (counts_from(order, timing), order.created_at);
    let evidence = order.evidence_mut()?;
    if let Some(asked_at) = asked_at.filter(|asked_at| counts_from <= *asked_at) {
        evidence.not_found = evidence.not_found.saturating_add(1);
        evidence.first_not_found_at.get_or_insert(asked_at);
    }
    Some(NotFound { evidence: *evidence, counts_from, created_at })
}

/// From when on a question about a span of time asks.
const fn since_of(call: &Call) -> Option<Timestamp> {
    match call {
        Call::Trades { since, .. } | Call::Highs { since, .. } => Some(*since),
        Call::Place { .. }
        | Call::Cancel { .. }
        | Call::CancelByVenueId { .. }
        | Call::QueryOrder { .. }
        | Call::OpenOrders
        | Call::Balances => None,
    }
}
