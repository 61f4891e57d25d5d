//! Orders with our mark that no slot holds, and that are taken back.
//!
//! Each is taken back again and again until the venue says that it is gone: an answer may be lost, and until
//! a restored account is released nothing leaves at all. The deal that it names, if that is open, places no
//! further buys and does not end before: what the order trades until then belongs to it.

use tranche_model::{
    client_order_id::{ClientOrderId, Origin},
    ids::{BotId, DealNo, InstrumentId},
    money::Qty,
    order::{OrderReport, Side},
    record::{Answer, Call, CallLane, Outcome},
    time::{Millis, Timestamp},
};

use super::{Account, World, note, orders::SECOND_READING_AFTER, reads::Read, turn::TRADES_MARGIN};
use crate::{
    bot::backoff,
    event::{Effects, StepError},
    few::Few,
    why::Why,
};

/// The pauses between attempts grow up to this.
const RETRY_LAST: Millis = Millis::from_secs(60);
/// Readings that must say unasked that an order is gone: venues have said so of orders that rested.
const ENDS_NEEDED: u8 = 2;
/// Executions show in their list a moment after they were made.
const TRADES_LAG: Millis = Millis::from_secs(5);

/// Orders that no slot holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Strays(Few<Stray>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stray {
    client_id: ClientOrderId,
    instrument: InstrumentId,
    side: Side,
    stage: Stage,
    attempts: u16,
    /// Readings in a row that said that it is gone.
    ends: u8,
    /// The next that is asked for before this is not another one.
    counts_from: Timestamp,
    /// The user was told of it.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The order itself is asked for: it may be adopted, or be over.
    Asked,
    /// When it is taken back next.
    Due(Timestamp),
    /// The answer to its cancel is awaited.
    TakingBack,
    /// It does not rest any more. Executions since `since` that are asked for from `told_from` on hold what
    /// it traded.
    Ended { told_from: Timestamp, since: Timestamp },
    /// They were read, and what the store does not know of them is being booked.
    Read,
}

impl Strays {
    /// An order of an open deal was seen, and it is asked what it is.
    pub(super) fn suspect(&mut self, report: &OrderReport) {
        if self.get_mut(report.client_id).is_none() {
            self.0.push(Stray {
                client_id: report.client_id,
                instrument: report.instrument,
                side: report.side,
                stage: Stage::Asked,
                attempts: 0,
                ends: 0,
                counts_from: Timestamp::MIN,
                is_told: false,
            });
        }
    }

    /// Takes the order back from now on. Returns whether it is news.
    fn add(&mut self, report: &OrderReport, now: Timestamp) -> bool {
        self.suspect(report);
        let Some(stray) = self.get_mut(report.client_id) else { return false };
        stray.ends = 0;
        if matches!(stray.stage, Stage::Asked | Stage::Ended { .. } | Stage::Read) {
            stray.stage = Stage::Due(now);
        }
        !std::mem::replace(&mut stray.is_told, true)
    }

    /// The venue still lists the order: no pause is waited for. Returns whether it is being taken back.
    pub(super) fn hurry(&mut self, client_id: ClientOrderId, now: Timestamp) -> bool {
        let Some(stray) = self.get_mut(client_id) else { return false };
        stray.ends = 0;
        match stray.stage {
            Stage::Due(due) => {
                stray.stage = Stage::Due(due.min(now));
                true
            }
            Stage::TakingBack => true,
            Stage::Asked | Stage::Ended { .. } | Stage::Read => false,
        }
    }

    /// It is not known whether it worked.
    fn failed(&mut self, id: ClientOrderId, now: Timestamp, not_before: Option<Timestamp>) {
        if let Some(stray) = self.get_mut(id).filter(|stray| stray.stage == Stage::TakingBack) {
            let later = now.plus(backoff(stray.attempts).min(RETRY_LAST));
            stray.stage = Stage::Due(not_before.map_or(later, |moment| moment.max(later)));
        }
    }

    /// It needs no care any more.
    pub(super) fn gone(&mut self, id: ClientOrderId) {
        self.0.retain(|stray| stray.client_id != id);
    }

    /// Executions on the instrument were read that were asked for at that time; `None` when the venue refuses
    /// to tell them.
    pub(super) fn trades_read(&mut self, instrument: InstrumentId, asked_at: Option<Timestamp>) {
        for stray in self.0.iter_mut().filter(|stray| stray.instrument == instrument) {
            if let Stage::Ended { told_from, .. } = stray.stage
                && asked_at.is_none_or(|asked_at| told_from <= asked_at)
            {
                stray.stage = Stage::Read;
            }
        }
    }

    /// All that was read on the instrument is booked. Returns whether that was waited for.
    pub(super) fn booked(&mut self, instrument: InstrumentId) -> bool {
        let is_done = |stray: &Stray| stray.instrument == instrument && stray.stage == Stage::Read;
        let is_waited_for = self.0.iter().any(is_done);
        self.0.retain(|stray| !is_done(stray));
        is_waited_for
    }

    /// When executions on the instrument are to be asked for, and since when.
    pub(super) fn trades_wanted(&self, instrument: InstrumentId) -> Option<(Timestamp, Timestamp)> {
        let wanted = self.0.iter().filter_map(|stray| match stray.stage {
            Stage::Ended { told_from, since } if stray.instrument == instrument => {
                Some((told_from, since))
            }
            Stage::Ended { .. }
            | Stage::Asked
            | Stage::Due(_)
            | Stage::TakingBack
            | Stage::Read => None,
        });
        wanted.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))
    }

    /// Whether one of a former life names the deal on the instrument; with a side, whether one of that side
    /// does. What this life is told of an order that it settled is an answer that lags.
    pub(super) fn are_of(
        &self,
        (bot, deal): (BotId, DealNo),
        instrument: InstrumentId,
        (side, origin): (Option<Side>, Origin),
    ) -> bool {
        self.0.iter().any(|stray| {
            let named = stray.client_id.key();
            (named.bot, named.deal, stray.instrument) == (bot, deal, instrument)
                && stray.client_id.origin() != origin
                && side.is_none_or(|side| stray.side == side)
        })
    }

    /// Those that are being taken back, and that a list of what rests does not show.
    pub(super) fn unlisted(
        &self,
        is_listed: impl Fn(ClientOrderId) -> bool,
    ) -> Vec<(ClientOrderId, InstrumentId)> {
        let unlisted = self.0.iter().filter(|stray| match stray.stage {
            Stage::Due(_) | Stage::TakingBack => !is_listed(stray.client_id),
            Stage::Asked | Stage::Ended { .. } | Stage::Read => false,
        });
        unlisted.map(|stray| (stray.client_id, stray.instrument)).collect()
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, id: ClientOrderId) -> bool {
        self.0.iter().any(|stray| stray.client_id == id)
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
            Stage::Asked | Stage::TakingBack | Stage::Ended { .. } | Stage::Read => None,
        }
    }
}

impl Account {
    /// An order rests that nobody here wants.
    pub(super) fn take_back(&mut self, report: &OrderReport, world: &World<'_>, out: &mut Effects) {
        if self.desk.strays.add(report, world.now) {
            note(Why::StrayCancelled { order: report.client_id }, world, out);
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

    /// A reading of an order that no slot holds says that it is gone. It is believed when one before said so;
    /// meanwhile the order is asked for. `asked_at` is when this one was asked for.
    pub(super) fn stray_not_seen(
        &mut self,
        id: ClientOrderId,
        (executed, asked_at): (Option<Qty>, Option<Timestamp>),
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let Some(stray) = self.desk.strays.get_mut(id) else { return Ok(()) };
        if matches!(stray.stage, Stage::Ended { .. } | Stage::Read) {
            return Ok(());
        }
        if asked_at.is_some_and(|asked_at| stray.counts_from <= asked_at) {
            stray.ends = stray.ends.saturating_add(1);
            // Two answers from the same moment are one.
            stray.counts_from = world.now.plus(SECOND_READING_AFTER);
        }
        if ENDS_NEEDED <= stray.ends {
            return self.stray_ended(id, executed, world, out);
        }
        stray.stage = Stage::Asked;
        let (read, again) = (Read::Order(id, stray.instrument), stray.counts_from.max(world.now));
        self.desk.reads.want(read, again, world.now);
        Ok(())
    }

    /// An order that no slot holds does not rest any more. What it traded may not have been told: the
    /// executions of its deal are read.
    fn stray_ended(
        &mut self,
        id: ClientOrderId,
        executed: Option<Qty>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        let key = self.lane_of(&id.key());
        let read_to = key.and_then(|key| self.lane(key)).map(|lane| lane.trades_read_to);
        let Some(stray) = self.desk.strays.get_mut(id) else { return Ok(()) };
        let instrument = stray.instrument;
        let may_have_traded = executed.is_none_or(Qty::is_positive);
        if let Some(read_to) = read_to.filter(|_| may_have_traded) {
            let (told_from, since) = (world.now.plus(TRADES_LAG), read_to.minus(TRADES_MARGIN));
            stray.stage = Stage::Ended { told_from, since };
            self.desk.reads.want(Read::Trades(instrument), told_from, since);
            return Ok(());
        }
        self.desk.strays.gone(id);
        self.catch_up(key.into_iter().collect(), world, out)
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
                    self.stray_ended(id, Some(report.executed), world, out)?;
                } else {
                    // The venue has only taken note of it.
                    self.take_back(report, world, out);
                    self.desk.strays.failed(id, now, None);
                }
            }
            Outcome::Done(Answer::OrderNotFound) => {
                self.stray_not_seen(id, (None, Some(now)), world, out)?;
            }
            Outcome::Throttled { retry_at } => self.desk.strays.failed(id, now, Some(*retry_at)),
            Outcome::Refused(_) => {
                if self.desk.strays.has(id) {
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
