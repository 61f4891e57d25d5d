//! Orders with our mark that no slot holds, and that are taken back.
//!
//! Each is taken back again and again until the venue says that it is gone: an answer may be lost, and until
//! a restored account is released nothing leaves at all. The deal that it names, if that is open, buys nothing
//! more and does not end before: what the order trades until then belongs to it.

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::{BotId, DealNo, InstrumentId},
    record::{Answer, Call, CallLane, Outcome},
    time::{Millis, Timestamp},
};

use super::{Account, World, note, reads::Read};
use crate::{
    bot::backoff,
    event::{Effects, StepError},
    few::Few,
    why::Why,
};

/// The pauses between attempts grow up to this.
const RETRY_LAST: Millis = Millis::from_secs(60);

/// Orders that no slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Strays(Few<Stray>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stray {
    client_id: ClientOrderId,
    instrument: InstrumentId,
    stage: Stage,
    attempts: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The order itself is asked for: it may be adopted, or be over.
    Asked,
    /// When it is taken back next.
    Due(Timestamp),
    /// The answer to its cancel is awaited.
    TakingBack,
    /// It does not rest any more. The executions of its deal are being read.
    Ended,
}

impl Strays {
    /// An order of an open deal was seen, and it is asked what it is.
    pub(super) fn suspect(&mut self, client_id: ClientOrderId, instrument: InstrumentId) {
        if self.get_mut(client_id).is_none() {
            self.0.push(Stray { client_id, instrument, stage: Stage::Asked, attempts: 0 });
        }
    }

    /// Takes the order back from now on. Returns whether it is news.
    fn add(&mut self, client_id: ClientOrderId, instrument: InstrumentId, now: Timestamp) -> bool {
        self.suspect(client_id, instrument);
        let Some(stray) = self.get_mut(client_id) else { return false };
        let is_new = stray.stage == Stage::Asked;
        if matches!(stray.stage, Stage::Asked | Stage::Ended) {
            stray.stage = Stage::Due(now);
        }
        is_new
    }

    /// The venue still lists the order: no pause is waited for. Returns whether it is being taken back.
    pub(super) fn hurry(&mut self, client_id: ClientOrderId, now: Timestamp) -> bool {
        let Some(stray) = self.get_mut(client_id) else { return false };
        match stray.stage {
            Stage::Due(due) => {
                stray.stage = Stage::Due(due.min(now));
                true
            }
            Stage::TakingBack => true,
            Stage::Asked | Stage::Ended => false,
        }
    }

    /// It is not known whether it worked.
    fn failed(&mut self, id: ClientOrderId, now: Timestamp, not_before: Option<Timestamp>) {
        if let Some(stray) = self.get_mut(id) {
            let later = now.plus(backoff(stray.attempts).min(RETRY_LAST));
            stray.stage = Stage::Due(not_before.map_or(later, |moment| moment.max(later)));
        }
    }

    /// It needs no care any more.
    pub(super) fn gone(&mut self, id: ClientOrderId) {
        self.0.retain(|stray| stray.client_id != id);
    }

    /// The executions on the instrument were read, or cannot be. Returns whether that was waited for.
    pub(super) fn trades_read(&mut self, instrument: InstrumentId) -> bool {
        let is_done = |stray: &Stray| stray.instrument == instrument && stray.stage == Stage::Ended;
        let is_waited_for = self.0.iter().any(is_done);
        self.0.retain(|stray| !is_done(stray));
        is_waited_for
    }

    /// Whether one of them names the deal.
    pub(super) fn are_of(&self, bot: BotId, deal: DealNo) -> bool {
        self.0.iter().any(|stray| {
            let named = stray.client_id.key();
            (named.bot, named.deal) == (bot, deal)
        })
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(Stray::due).min()
    }

    /// Those that are to be taken back now.
    fn take_due(&mut self, now: Timestamp) -> Vec<(ClientOrderId, InstrumentId)> {
        let mut due = Vec::new();
        for stray in self.0.iter_mut().filter(|stray| stray.due().is_some_and(|at| at <= now)) {
            stray.stage = Stage::TakingBack;
            stray.attempts = stray.attempts.saturating_add(1);
            due.push((stray.client_id, stray.instrument));
        }
        due
    }

    fn get_mut(&mut self, id: ClientOrderId) -> Option<&mut Stray> {
        self.0.iter_mut().find(|stray| stray.client_id == id)
    }
}

impl Stray {
    const fn due(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Due(due) => Some(due),
            Stage::Asked | Stage::TakingBack | Stage::Ended => None,
        }
    }
}

impl Account {
    /// An order rests that nobody here wants.
    pub(super) fn take_back(
        &mut self,
        (client_id, instrument): (ClientOrderId, InstrumentId),
        world: &World<'_>,
        out: &mut Effects,
    ) {
        if self.desk.strays.add(client_id, instrument, world.now) {
            note(Why::StrayCancelled { order: client_id }, world, out);
        }
    }

    /// Asks for the cancels that are due. An order that a slot holds by now is that slot's to take back.
    pub(super) fn cancel_strays(&mut self, now: Timestamp, out: &mut Effects) {
        for (client_id, instrument) in self.desk.strays.take_due(now) {
            if self.seat_of(client_id).is_some() {
                self.desk.strays.gone(client_id);
            } else {
                out.calls.push((CallLane::Protect, Call::Cancel { client_id, instrument }));
            }
        }
    }

    /// An order that no slot holds does not rest any more. What it traded may not have been told: the
    /// executions of its deal are read.
    pub(super) fn stray_ended(
        &mut self,
        id: ClientOrderId,
        world: &World<'_>,
    ) -> Result<(), StepError> {
        let Some(stray) = self.desk.strays.get_mut(id) else { return Ok(()) };
        stray.stage = Stage::Ended;
        match self.lane_of(&id.key()) {
            Some(key) => {
                if let Some(mut turn) = self.turn(key, world)? {
                    turn.want_trades(turn.lane.trades_read_to);
                }
            }
            None => self.desk.strays.gone(id),
        }
        Ok(())
    }

    /// What became of the cancel of an order that no slot holds.
    pub(super) fn stray_cancelled(
        &mut self,
        (id, instrument): (ClientOrderId, InstrumentId),
        outcome: &Outcome,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let now = world.now;
        match outcome {
            Outcome::Done(Answer::Order { report, fills }) => {
                for fill in fills {
                    self.fill(fill, world, out)?;
                }
                if report.status.is_terminal() {
                    self.stray_ended(id, world)?;
                } else {
                    // The venue has only taken note of it.
                    self.take_back((id, instrument), world, out);
                    self.desk.strays.failed(id, now, None);
                }
            }
            Outcome::Done(Answer::OrderNotFound) => self.stray_ended(id, world)?,
            Outcome::Throttled { retry_at } => self.desk.strays.failed(id, now, Some(*retry_at)),
            Outcome::Refused(_) => {
                if self.desk.strays.get_mut(id).is_some() {
                    // It may have ended: the order itself is asked for.
                    self.desk.reads.want(Read::Order(id, instrument), now, now);
                }
                self.desk.strays.failed(id, now, None);
            }
            Outcome::NotSent
            | Outcome::Unknown
            | Outcome::Done(
                Answer::OpenOrders { .. }
                | Answer::Trades(_)
                | Answer::Balances(_)
                | Answer::Highs(_),
            ) => self.desk.strays.failed(id, now, None),
        }
        Ok(())
    }
}
