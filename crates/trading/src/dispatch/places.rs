//! The places of one account: what it was granted, and how many orders the venue lets it send.

use tranche_model::{
    record::CallLane,
    time::{Millis, Timestamp},
};

use super::{
    lanes::Lanes,
    limits::Limits,
    window::{Tally, Window},
};

#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Granted and not used.
    held: Lanes<u32>,
    /// Orders queued.
    queued: u32,
    counters: Vec<Counter>,
    tally: Tally,
}

#[derive(Debug, Clone)]
struct Counter {
    count: u64,
    span: Millis,
    window: Window,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        let counters = limits.orders.iter().map(|limit| Counter {
            count: u64::from(limit.count),
            span: limit.window,
            window: Window::new(limit.window, limits.clock_error),
        });
        Self {
            held: Lanes::default(),
            queued: 0,
            counters: counters.collect(),
            tally: Tally::default(),
        }
    }

    pub(super) fn roll(&mut self, now: Timestamp) {
        let in_flight = self.tally.in_flight();
        for counter in &mut self.counters {
            counter.window.roll(now, in_flight);
        }
    }

    pub(super) const fn held(&self, lane: CallLane) -> u32 {
        *self.held.get(lane)
    }

    pub(super) const fn grant(&mut self, lane: CallLane) {
        let held = self.held.get_mut(lane);
        *held = held.saturating_add(1);
    }

    /// Takes back up to `count` places; the answer is how many there were.
    pub(super) fn take_back(&mut self, lane: CallLane, count: u32) -> u32 {
        let held = self.held.get_mut(lane);
        let taken = count.min(*held);
        *held = held.saturating_sub(taken);
        taken
    }

    /// Queues an order; says whether a granted place pays for it.
    pub(super) fn queue(&mut self, lane: CallLane) -> bool {
        self.queued = self.queued.saturating_add(1);
        self.take_back(lane, 1) == 1
    }

    pub(super) const fn unqueue(&mut self) {
        self.queued = self.queued.saturating_sub(1);
    }

    /// Whether an order may leave; if not, when to look again.
    pub(super) fn may_leave(&self) -> Result<(), Timestamp> {
        let full = self.counters.iter().filter(|counter| counter.count <= counter.window.used());
        full.map(|counter| counter.window.opens_at()).max().map_or(Ok(()), Err)
    }

    /// Whether one more order can leave within the horizon; if not, when to look again.
    pub(super) fn may_promise(&self, now: Timestamp, horizon: Millis) -> Result<(), Timestamp> {
        let Lanes { protect, evidence, exit, entry, history } = self.held;
        let held = [protect, evidence, exit, entry, history].into_iter().map(u64::from);
        let demand = held.sum::<u64>().saturating_add(u64::from(self.queued)).saturating_add(1);
        let waits = self.counters.iter().filter_map(|each| each.wait(demand, now, horizon));
        waits.max().map_or(Ok(()), Err)
    }

    /// Notes that an order leaves; the answer is the mark to keep for its report.
    pub(super) fn spend(&mut self) -> u64 {
        let answered = self.tally.answered();
        self.tally.send(1);
        for counter in &mut self.counters {
            counter.window.spend(1);
        }
        answered
    }

    pub(super) const fn answer(&mut self) {
        self.tally.answer(1);
    }

    /// Takes over the venue's count from the answer to an order.
    pub(super) fn correct(&mut self, span: Millis, reported: u32, mark: u64, sent_at: Timestamp) {
        let unsure = self.tally.unsure(1, mark);
        for counter in self.counters.iter_mut().filter(|counter| counter.span == span) {
            counter.window.correct(sent_at, u64::from(reported), unsure);
        }
    }
}

impl Counter {
    fn wait(&self, demand: u64, now: Timestamp, horizon: Millis) -> Option<Timestamp> {
        let rest = self.count.saturating_sub(self.window.used());
        let opens_at = self.window.opens_at();
        if demand <= rest {
            None
        } else if self.window.opens_within(now, horizon) {
            (rest.saturating_add(self.count) < demand).then_some(opens_at)
        } else {
            Some(opens_at.minus(horizon))
        }
    }
}
