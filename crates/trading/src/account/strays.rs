//! Orders with our mark that no slot holds, and that are taken back.
//!
//! Nothing else of ours waits for them, so each is taken back again and again until the venue says that it
//! is gone: an answer may be lost, and until a restored account is released nothing leaves at all.

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::InstrumentId,
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

/// Orders that are being taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Strays(Few<Stray>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stray {
    client_id: ClientOrderId,
    instrument: InstrumentId,
    /// When it is taken back next; `None` while an answer is awaited.
    due: Option<Timestamp>,
    attempts: u16,
}

impl Strays {
    /// Takes the order back from now on. Returns whether it is news.
    fn add(&mut self, client_id: ClientOrderId, instrument: InstrumentId, now: Timestamp) -> bool {
        let is_new = self.get_mut(client_id).is_none();
        if is_new {
            self.0.push(Stray { client_id, instrument, due: Some(now), attempts: 0 });
        }
        is_new
    }

    /// The venue still lists the order: no pause is waited for. Returns whether it is one of these.
    pub(super) fn hurry(&mut self, client_id: ClientOrderId, now: Timestamp) -> bool {
        let Some(stray) = self.get_mut(client_id) else { return false };
        stray.due = stray.due.map(|due| due.min(now));
        true
    }

    /// It is not known whether it worked.
    fn failed(&mut self, id: ClientOrderId, now: Timestamp, not_before: Option<Timestamp>) {
        if let Some(stray) = self.get_mut(id) {
            let later = now.plus(backoff(stray.attempts).min(RETRY_LAST));
            stray.due = Some(not_before.map_or(later, |moment| moment.max(later)));
        }
    }

    /// It does not rest any more.
    pub(super) fn gone(&mut self, id: ClientOrderId) {
        self.0.retain(|stray| stray.client_id != id);
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|stray| stray.due).min()
    }

    /// Those that are to be taken back now.
    fn take_due(&mut self, now: Timestamp) -> Vec<(ClientOrderId, InstrumentId)> {
        let mut due = Vec::new();
        for stray in self.0.iter_mut().filter(|stray| stray.due.is_some_and(|at| at <= now)) {
            stray.due = None;
            stray.attempts = stray.attempts.saturating_add(1);
            due.push((stray.client_id, stray.instrument));
        }
        due
    }

    fn get_mut(&mut self, id: ClientOrderId) -> Option<&mut Stray> {
        self.0.iter_mut().find(|stray| stray.client_id == id)
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
                    self.desk.strays.gone(id);
                } else {
                    // The venue has only taken note of it.
                    self.take_back((id, instrument), world, out);
                    self.desk.strays.failed(id, now, None);
                }
            }
            Outcome::Done(Answer::OrderNotFound) => self.desk.strays.gone(id),
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
