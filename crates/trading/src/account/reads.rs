//! Questions to the venue: what is to be asked when, and what was asked and not answered.

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::InstrumentId,
    record::{Call, CallLane},
    time::Timestamp,
};

use crate::{
    bot::{RETRY_LAST, backoff},
    event::LaneKey,
};

/// A question. Asking it again while it waits only brings it forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    OpenOrders,
    Balances,
    Trades(InstrumentId),
    /// Each with the time it asks from: lanes that trail since different times must not share an answer.
    Highs(InstrumentId, Timestamp),
    Order(ClientOrderId, InstrumentId),
}

/// All questions that wait or are under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reads {
    /// By question, ascending. There is rarely more than one: a tree would have room for eleven.
    waiting: Vec<(Read, Waiting)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    due: Timestamp,
    /// For questions about a span of time: its beginning.
    since: Timestamp,
    /// When it was asked, while it is under way.
    asked_at: Option<Timestamp>,
    /// Lanes that would have no use for the answer any more once their fills came by themselves;
    /// `None` when somebody needs it in any case.
    lanes: Option<Vec<LaneKey>>,
    /// Wanted anew while the former asking was under way.
    again: Option<Timestamp>,
    attempts: u16,
}

impl Read {
    /// Which question a call asks, if it is one.
    pub const fn of(call: &Call) -> Option<Self> {
        match *call {
            Call::OpenOrders => Some(Self::OpenOrders),
            Call::Balances => Some(Self::Balances),
            Call::Trades { instrument, .. } => Some(Self::Trades(instrument)),
            Call::Highs { instrument, since } => Some(Self::Highs(instrument, since)),
            Call::QueryOrder { client_id, instrument } => Some(Self::Order(client_id, instrument)),
            Call::Place { .. } | Call::Cancel { .. } | Call::CancelByVenueId { .. } => None,
        }
    }

    const fn call(self, since: Timestamp) -> Call {
        match self {
            Self::OpenOrders => Call::OpenOrders,
            Self::Balances => Call::Balances,
            Self::Trades(instrument) => Call::Trades { instrument, since },
            Self::Highs(instrument, since) => Call::Highs { instrument, since },
            Self::Order(client_id, instrument) => Call::QueryOrder { client_id, instrument },
        }
    }
}

impl Reads {
    /// Wants an answer at `due` or earlier, about what happened from `since` on.
    pub(crate) fn want(&mut self, read: Read, due: Timestamp, since: Timestamp) {
        self.waiting_for(read, due, since).lanes = None;
    }

    /// Wants an answer unless the lane releases it before.
    pub(crate) fn want_for(
        &mut self,
        lane: LaneKey,
        read: Read,
        (due, since): (Timestamp, Timestamp),
    ) {
        let is_new = self.place(read).is_err();
        let waiting = self.waiting_for(read, due, since);
        if is_new {
            waiting.lanes = Some(Vec::new());
        }
        if let Some(lanes) = &mut waiting.lanes
            && !lanes.contains(&lane)
        {
            lanes.push(lane);
        }
    }

    /// Somebody needs the answer in any case, when there is one.
    pub(crate) fn insist(&mut self, read: Read, now: Timestamp) {
        self.waiting_for(read, now.plus(RETRY_LAST), now).lanes = None;
    }

    /// Asks no earlier than at `due`, unless the question is under way.
    pub(crate) fn postpone(&mut self, read: Read, due: Timestamp) {
        if let Some(waiting) = self.get_mut(read).filter(|waiting| waiting.asked_at.is_none()) {
            waiting.due = waiting.due.max(due);
        }
    }

    /// Questions that were not answered when last asked, and when each is asked again.
    pub(crate) fn pauses(&self) -> Vec<(Read, Timestamp)> {
        let pausing = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.attempts != 0 && waiting.asked_at.is_none());
        pausing.map(|(read, waiting)| (*read, waiting.due)).collect()
    }

    /// The lane has no use for the answer any more.
    pub(crate) fn release(&mut self, lane: LaneKey, read: Read) {
        let Some(waiting) = self.get_mut(read) else { return };
        let Some(lanes) = &mut waiting.lanes else { return };
        lanes.retain(|known| *known != lane);
        if lanes.is_empty() && waiting.asked_at.is_none() {
            self.remove(read);
        }
    }

    fn waiting_for(&mut self, read: Read, due: Timestamp, since: Timestamp) -> &mut Waiting {
        let fresh = Waiting { due, since, asked_at: None, lanes: None, again: None, attempts: 0 };
        let place = self.place(read).unwrap_or_else(|place| {
            if self.waiting.is_empty() {
                self.waiting.reserve_exact(1);
            }
            self.waiting.insert(place, (read, fresh));
            place
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made just above")]
        let (_, waiting) = &mut self.waiting[place];
        waiting.since = waiting.since.min(since);
        if waiting.asked_at.is_some() {
            waiting.again = Some(waiting.again.map_or(due, |again| again.min(due)));
        } else {
            waiting.due = waiting.due.min(due);
        }
        waiting
    }

    /// Hands out what is due.
    pub(crate) fn issue(&mut self, now: Timestamp, calls: &mut Vec<(CallLane, Call)>) {
        for (read, waiting) in &mut self.waiting {
            if waiting.asked_at.is_none() && waiting.due <= now {
                waiting.asked_at = Some(now);
                calls.push((CallLane::Evidence, read.call(waiting.since)));
            }
        }
    }

    /// An answer came. Returns when the question was asked; `None` when nobody waits for an answer: it
    /// came twice, or for a former owner.
    pub(crate) fn answered(&mut self, read: Read) -> Option<Timestamp> {
        let waiting = self.get_mut(read)?;
        let asked_at = waiting.asked_at.take()?;
        match waiting.again.take() {
            Some(due) => {
                waiting.due = due;
                waiting.attempts = 0;
            }
            None => {
                self.remove(read);
            }
        }
        Some(asked_at)
    }

    /// No answer came; the question is asked again later, at `not_before` or after. Returns whether it
    /// failed for the first time.
    pub(crate) fn failed(
        &mut self,
        read: Read,
        now: Timestamp,
        not_before: Option<Timestamp>,
    ) -> bool {
        let Some(waiting) = self.get_mut(read) else { return false };
        if waiting.asked_at.take().is_none() {
            return false;
        }
        waiting.attempts = waiting.attempts.saturating_add(1);
        let later = now.plus(backoff(waiting.attempts));
        waiting.due = not_before.map_or(later, |moment| moment.max(later));
        waiting.attempts == 1
    }

    /// Whether a question about orders or trades is open, but for those on instruments of `unread`.
    pub(crate) fn is_asking(&self, unread: &[InstrumentId]) -> bool {
        self.waiting.iter().any(|(read, waiting)| match read {
            Read::Trades(instrument) | Read::Order(_, instrument) => !unread.contains(instrument),
            // It is always asked again some time.
            Read::OpenOrders => waiting.asked_at.is_some() || waiting.attempts != 0,
            Read::Balances | Read::Highs(..) => false,
        })
    }

    /// Whether the question is to be asked now.
    pub(crate) fn is_due(&self, read: Read, now: Timestamp) -> bool {
        let waiting = self.place(read).ok().and_then(|place| self.waiting.get(place));
        waiting.is_some_and(|(_, waiting)| waiting.asked_at.is_none() && waiting.due <= now)
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        let idle = self.waiting.iter().filter(|(_, waiting)| waiting.asked_at.is_none());
        idle.map(|(_, waiting)| waiting.due).min()
    }

    fn place(&self, read: Read) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&read, |(known, _)| *known)
    }

    fn get_mut(&mut self, read: Read) -> Option<&mut Waiting> {
        let place = self.place(read).ok()?;
        self.waiting.get_mut(place).map(|(_, waiting)| waiting)
    }

    fn remove(&mut self, read: Read) {
        if let Ok(place) = self.place(read) {
            self.waiting.remove(place);
        }
        // After a reload there was a question for each order, and never again as many.
        if self.waiting.len() <= self.waiting.capacity() / 4 {
            self.waiting.shrink_to_fit();
        }
    }
}
