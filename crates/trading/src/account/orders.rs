//! What the venue says of orders: replies, pushes and fills find their order, whatever their order of
//! arrival and however often they come.

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey},
    decimal::MathError,
    fill::Fill,
    ids::{BotId, Slot},
    order::{OrderReport, OrderRequest, OrderStatus, Side},
    record::{Answer, Call, FillRow, Outcome, PrivateEvent, Refusal, RefusalReason, Reply},
    time::{Millis, Timestamp},
};

use super::{Account, World, reads::Read, turn::Turn};
use crate::{
    bot::{RETRY_LAST, Seat, backoff},
    dca::Fact,
    event::{Effects, LaneKey, StepError},
    order::{Booking, Cancel, Order, Stage, Word},
    why::{BlockReason, Why},
};

/// When a reading that lagged behind a push is repeated.
pub(super) const SECOND_READING_AFTER: Millis = Millis::from_secs(2);

impl Account {
    pub(super) fn reply(
        &mut self,
        reply: &Reply,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        match &reply.call {
            Call::Place { request, .. } => self.placed(request, &reply.outcome, world, out),
            Call::Cancel { client_id, instrument } if self.seat_of(*client_id).is_none() => {
                self.stray_cancelled((*client_id, *instrument), &reply.outcome, world, out)
            }
            Call::Cancel { client_id, .. } => {
                self.cancelled(*client_id, &reply.outcome, world, out)
            }
            // The next census looks whether it worked.
            Call::CancelByVenueId { .. } => Ok(()),
            Call::QueryOrder { .. }
            | Call::OpenOrders
            | Call::Trades { .. }
            | Call::Balances
            | Call::Highs { .. } => self.read(&reply.call, &reply.outcome, world, out),
        }
    }

    pub(super) fn private(
        &mut self,
        event: &PrivateEvent,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        match event {
            PrivateEvent::Order(report) => self.reported(report, Reading::Pushed, world, out),
            PrivateEvent::Fill(fill) => self.fill_and_run(fill, world, out),
            PrivateEvent::Balances(balances) => self.balances_pushed(balances, world),
        }
    }

    /// The venue's word on an order of ours.
    pub(super) fn reported(
        &mut self,
        report: &OrderReport,
        reading: Reading,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        if !self.is_ours(report.client_id) {
            return Ok(());
        }
        let Some((key, slot)) = self.seat_of(report.client_id) else {
            return self.unknown_own_order(report, reading, world, out);
        };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let known = turn.lane.seat(slot).and_then(|seat| seat.order.as_deref());
        let was_unknown = known.is_some_and(Order::is_unknown);
        let was_missing = known.is_some_and(|order| order.stage == Stage::Missing);
        let (word, second_after) = match reading {
            Reading::Pushed | Reading::Listed => (Word::Hint, Millis::ZERO),
            Reading::Queried => (Word::Reading, SECOND_READING_AFTER),
            Reading::Asked => (Word::Reply, SECOND_READING_AFTER),
        };
        if turn.is_echo(slot, report) {
            // Nothing follows from it: no fill is awaited, and nothing waits for another try.
            turn.lane.seat_mut(slot).order.iter_mut().for_each(|o| o.report(report, word));
            out.dirty(key.bot);
            return Ok(());
        }
        let stage = turn.change(slot, |order| {
            order.report(report, word);
            Ok(order.stage)
        })?;
        if was_unknown && stage != Some(Stage::Unknown) {
            turn.note(Why::ProvedPlaced { order: report.client_id }, out);
        }
        if was_missing && stage == Some(Stage::Open) && reading == Reading::Listed {
            // The venue lists what it does not find: asked at once again, it would be asked for ever.
            let read = Read::Order(report.client_id, report.instrument);
            turn.desk.reads.postpone(read, world.now.plus(RETRY_LAST));
        }
        let is_answer_due = word == Word::Hint && self.is_cancel_asked(report.client_id);
        if stage == Some(Stage::Ending) && !is_answer_due {
            // A second reading decides whether it really ended; one that lags decides nothing.
            let read = Read::Order(report.client_id, report.instrument);
            self.desk.reads.want(read, world.now.plus(second_after), world.now);
        }
        self.run(key, world, out)
    }

    pub(super) fn fill_and_run(
        &mut self,
        fill: &Fill,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        match self.fill(fill, world, out)? {
            Some(key) => self.run(key, world, out),
            None => Ok(()),
        }
    }

    /// Books a fill once. Returns the lane that it concerned.
    pub(super) fn fill(
        &mut self,
        fill: &Fill,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Option<LaneKey>, StepError> {
        let Some(client_id) = fill.client_id.filter(|id| self.is_ours(*id)) else {
            return Ok(None);
        };
        let Some((key, slot)) = self.seat_of(client_id) else {
            if self.is_told_again(client_id, fill) {
                return Ok(None);
            }
            // Its order is settled or not known: only the store knows whether it was booked.
            out.lookups.push(*fill);
            if self.lane_of(&client_id.key()).is_some() {
                self.desk.looked_up(fill);
            }
            return Ok(None);
        };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(None) };
        let booking = turn.change(slot, |order| order.fill(fill))?;
        // One that came before its order was known here is booked already.
        if booking != Some(Booking::New) || turn.desk.is_late_fill(fill) {
            return Ok(Some(key));
        }
        turn.book(slot, fill, out)?;
        Ok(Some(key))
    }

    /// The lane whose open deal an id names.
    pub(super) fn lane_of(&self, named: &OrderKey) -> Option<LaneKey> {
        let bot = self.bots.get(&named.bot)?;
        let is_named =
            |lane: &crate::bot::Lane| lane.deal.as_ref().is_some_and(|deal| deal.no == named.deal);
        let lane = u16::try_from(bot.lanes.iter().position(is_named)?).ok()?;
        Some(LaneKey { bot: named.bot, lane })
    }

    /// The slot whose present order an id names.
    pub(super) fn seat_of(&self, id: ClientOrderId) -> Option<(LaneKey, Slot)> {
        let named = id.key();
        let key = self.lane_of(&named)?;
        let lane = self.bots.get(&named.bot)?.lanes.get(usize::from(key.lane))?;
        let order = lane.seat(named.slot)?.order.as_ref()?;
        (order.client_id == id).then_some((key, named.slot))
    }

    /// Whether the fill belongs to the last settled order of its slot and was booked with it.
    fn is_told_again(&self, id: ClientOrderId, fill: &Fill) -> bool {
        let named = id.key();
        let lane = self.lane_of(&named).and_then(|key| {
            self.bots.get(&key.bot).and_then(|bot| bot.lanes.get(usize::from(key.lane)))
        });
        let seat = lane.and_then(|lane| lane.seat(named.slot));
        seat.is_some_and(|seat| {
            seat.generation == Some(named.generation) && seat.settled(fill.trade_id)
        })
    }

    /// Ids of another installation are foreign, and never touched.
    pub(super) fn is_ours(&self, id: ClientOrderId) -> bool {
        id.origin().installation == self.desk.settings.origin.installation
            && id.key().bot != BotId::new(0)
    }

    fn placed(
        &mut self,
        request: &OrderRequest,
        outcome: &Outcome,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let id = request.client_id;
        match outcome {
            Outcome::Done(Answer::Order { report, fills }) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                self.reported(report, Reading::Asked, world, out)
            }
            Outcome::Refused(refusal) if refusal.reason == RefusalReason::DuplicateId => {
                self.order_lost(id, world, out)
            }
            Outcome::Refused(refusal) => self.order_refused(id, refusal, world, out),
            Outcome::NotSent => self.order_not_sent(id, None, world, out),
            Outcome::Throttled { retry_at } => self.order_not_sent(id, Some(*retry_at), world, out),
            // An answer that does not belong to a placement tells nothing.
            Outcome::Done(
                Answer::OrderNotFound
                | Answer::OpenOrders { .. }
                | Answer::Trades(_)
                | Answer::Balances(_)
                | Answer::Highs(_),
            )
            | Outcome::Unknown => self.order_lost(id, world, out),
        }
    }

    fn order_refused(
        &mut self,
        id: ClientOrderId,
        refusal: &Refusal,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        self.desk.note_refusal(refusal.reason);
        let Some((key, slot)) = self.seat_of(id) else { return Ok(()) };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let order = turn.lane.seat(slot).and_then(|seat| seat.order.as_deref());
        if order.is_some_and(|order| !matches!(order.stage, Stage::Intent | Stage::Unknown)) {
            // It was seen: what is refused is a second copy of the request.
            let read = Read::Order(id, turn.lane.instrument);
            turn.desk.reads.want(read, world.now, world.now);
            return Ok(());
        }
        if refusal.reason == RefusalReason::InsufficientFunds {
            // Another hand moved them.
            if order.is_some_and(|order| order.side == Side::Buy) {
                turn.desk.short.put(turn.instrument.symbol.quote);
            }
            turn.desk.reads.want(Read::Balances, world.now, world.now);
            // Or holds them with an order of its own.
            turn.desk.reads.want(Read::OpenOrders, world.now, world.now);
        }
        turn.refuse(slot)?;
        turn.lane.seat_mut(slot).block(BlockReason::Refused(refusal.reason), world.now);
        let why = Why::Refused {
            slot,
            reason: refusal.reason,
            code: refusal.code,
            text: refusal.text.clone(),
        };
        turn.note(why, out);
        self.run(key, world, out)
    }

    fn order_not_sent(
        &mut self,
        id: ClientOrderId,
        retry_at: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some((key, slot)) = self.seat_of(id) else { return Ok(()) };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let was_out = turn.lane.seat(slot).and_then(|seat| seat.order.as_deref());
        if was_out.is_some_and(|order| order.stage != Stage::Intent) {
            return Ok(());
        }
        turn.refuse(slot)?;
        let seat = turn.lane.seat_mut(slot);
        match retry_at {
            Some(moment) => seat.block_until(BlockReason::NotSent, moment),
            None => {
                seat.block(BlockReason::NotSent, world.now);
            }
        }
        self.run(key, world, out)
    }

    fn cancelled(
        &mut self,
        id: ClientOrderId,
        outcome: &Outcome,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let again_at = match outcome {
            Outcome::Done(Answer::Order { report, fills }) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                self.reported(report, Reading::Asked, world, out)?;
                if !self.is_open(id) {
                    return Ok(());
                }
                // The venue has only taken note of it: whether it is carried out is to be seen.
                None
            }
            Outcome::Throttled { retry_at } => Some(*retry_at),
            Outcome::NotSent | Outcome::Unknown => None,
            Outcome::Refused(_) | Outcome::Done(_) => {
                // It may have been filled, or was never there: the order itself is asked for.
                if let Some((key, _)) = self.seat_of(id)
                    && let Some(turn) = self.turn(key, world)?
                {
                    let read = Read::Order(id, turn.lane.instrument);
                    turn.desk.reads.want(read, world.now, world.now);
                }
                None
            }
        };
        self.cancel_again(id, again_at, world, out)
    }

    /// Whether the answer to a cancel is awaited: it will say how the order ended.
    fn is_cancel_asked(&self, id: ClientOrderId) -> bool {
        let order = self.order_of(id);
        order.is_some_and(|order| matches!(order.cancel(), Cancel::Asked { .. }))
    }

    fn order_of(&self, id: ClientOrderId) -> Option<&Order> {
        let (key, slot) = self.seat_of(id)?;
        self.lane(key)?.seat(slot)?.order.as_deref()
    }

    fn is_open(&self, id: ClientOrderId) -> bool {
        self.order_of(id).is_some_and(|order| order.stage == Stage::Open)
    }

    /// The cancel is asked for again later if it is still wanted then.
    fn cancel_again(
        &mut self,
        id: ClientOrderId,
        not_before: Option<Timestamp>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some((key, slot)) = self.seat_of(id) else { return Ok(()) };
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let is_ending = |order: &Order| order.stage == Stage::Ending;
        if turn.lane.seat(slot).and_then(|seat| seat.order.as_deref()).is_some_and(is_ending) {
            // The venue said meanwhile that it ended: now nobody else will tell whether it did.
            let read = Read::Order(id, turn.lane.instrument);
            turn.desk.reads.want(read, world.now, world.now);
        }
        turn.change(slot, |order| {
            let attempts = match order.cancel() {
                Cancel::Asked { attempts } | Cancel::Again { attempts, .. } => attempts,
                Cancel::No => 1,
            };
            let at = world.now.plus(backoff(attempts));
            let at = not_before.map_or(at, |m| m.max(at));
            order.set_cancel(Cancel::Again { at, attempts });
            Ok(())
        })?;
        self.run(key, world, out)
    }
}

/// How much a reading of an order settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Unasked: a hint, perhaps an echo.
    Pushed,
    /// In a list of open orders: a hint too, for lists lag.
    Listed,
    /// The answer to a question about the order itself.
    Queried,
    /// The answer to its own placement or cancel.
    Asked,
}

/// Whether nothing is under way in the seat but an order that rests, or is about to.
fn is_still(seat: &Seat) -> bool {
    let is_still = |order: &Order| {
        order.kind.rests() && order.cancel() == Cancel::No && order.booked() == order.executed()
    };
    !seat.queued && seat.blocked().is_none() && seat.order.as_deref().is_none_or(is_still)
}

impl Turn<'_> {
    /// Whether a report says of an order that rests only what is known already, while nothing in the lane
    /// waits for anything: then everything that follows from the facts was done when they came.
    fn is_echo(&self, slot: Slot, report: &OrderReport) -> bool {
        let is_known = |order: &Order| {
            order.stage == Stage::Open
                && report.status == OrderStatus::Open
                && report.executed == order.executed()
        };
        let order = self.lane.seat(slot).and_then(|seat| seat.order.as_deref());
        order.is_some_and(is_known) && self.lane.seats.iter().all(is_still)
    }

    /// Books a fill to the deal, the account and the journal.
    pub(super) fn book(
        &mut self,
        slot: Slot,
        fill: &Fill,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let named = fill.client_id.map(ClientOrderId::key);
        let deal = named.map(|named| named.deal).unwrap_or_default();
        self.desk.ledger.book(fill, self.instrument.symbol)?;
        out.account_dirty = true;
        out.fills.push(FillRow { bot: self.key.bot, deal, fill: *fill });
        self.tell(Fact::Filled { slot, fill }, out)
    }

    pub(super) fn refuse(&mut self, slot: Slot) -> Result<(), MathError> {
        self.change(slot, |order| {
            order.refused();
            Ok(())
        })?;
        Ok(())
    }
}
