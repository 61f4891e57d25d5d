//! The request weight of one egress address: what may leave now, and what may be promised.

use tranche_model::{
    record::CallLane,
    time::{Millis, Timestamp},
};

use super::{
    lanes::{LANES, Lanes, is_reserved},
    limits::Limits,
    window::{Tally, Window},
};

const MINUTE: Millis = Millis::from_secs(60);

/// Two limits at once. The window is the venue's: all lanes draw on it, and the lower ones leave the
/// reserve in it. The bucket is ours: it paces the lower lanes, so that the window lasts.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    limit: u64,
    /// The part of `limit` that is open to every lane.
    open: u64,
    horizon: Millis,
    window: Window,
    bucket: Bucket,
    tally: Tally,
    /// By lane: granted, and not left, expired or handed back.
    promised: Lanes<u64>,
    /// By lane: queued without a grant.
    loose: Lanes<u64>,
}

/// What is weighed against the room in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share {
    Whole,
    /// What is given beyond need must leave room for those who need.
    Half,
}

impl Budget {
    pub(super) fn new(limits: &Limits, heaviest: u32) -> Self {
        let reserve = limits.reserve_of(limits.weight_per_minute);
        let open = limits.weight_per_minute.saturating_sub(reserve).max(1);
        Self {
            limit: u64::from(limits.weight_per_minute.max(1)),
            open: u64::from(open),
            horizon: limits.horizon,
            window: Window::new(MINUTE, limits.clock_error),
            bucket: Bucket::new(open, limits.burst, heaviest),
            tally: Tally::default(),
            promised: Lanes::default(),
            loose: Lanes::default(),
        }
    }

    pub(super) fn roll(&mut self, now: Timestamp) {
        self.window.roll(now, self.tally.in_flight());
        self.bucket.fill(now);
    }

    /// A call heavier than all that is open would wait for ever; it waits for an empty window.
    pub(super) fn cost(&self, weight: u32) -> u64 {
        u64::from(weight).min(self.open)
    }

    pub(super) const fn queue(&mut self, lane: CallLane, cost: u64) {
        let loose = self.loose.get_mut(lane);
        *loose = loose.saturating_add(cost);
    }

    pub(super) const fn unqueue(&mut self, lane: CallLane, cost: u64) {
        let loose = self.loose.get_mut(lane);
        *loose = loose.saturating_sub(cost);
    }

    pub(super) const fn promise(&mut self, lane: CallLane, cost: u64) {
        let promised = self.promised.get_mut(lane);
        *promised = promised.saturating_add(cost);
    }

    pub(super) const fn release(&mut self, lane: CallLane, cost: u64) {
        let promised = self.promised.get_mut(lane);
        *promised = promised.saturating_sub(cost);
    }

    /// Whether a call may leave at `now`; if not, when to look again.
    pub(super) fn may_leave(
        &self,
        lane: CallLane,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        if is_reserved(lane) {
            return self.window_has(self.limit, cost);
        }
        self.window_has(self.open, cost)?;
        self.bucket.will_have(cost, Millis::ZERO, now)?;
        // Questions about the past go last; they must not break what is promised to orders.
        match lane {
            CallLane::History => self.low_room(CallLane::Exit, self.promised_low(), cost, now),
            CallLane::Protect | CallLane::Evidence | CallLane::Exit | CallLane::Entry => Ok(()),
        }
    }

    fn window_has(&self, limit: u64, cost: u64) -> Result<(), Option<Timestamp>> {
        if self.window.used().saturating_add(cost) <= limit {
            Ok(())
        } else {
            Err(Some(self.window.opens_at()))
        }
    }

    /// Notes that a call leaves; the answer is the mark to keep for its report.
    pub(super) fn spend(&mut self, lane: CallLane, cost: u64) -> u64 {
        let answered = self.tally.answered();
        self.tally.send(cost);
        self.window.spend(cost);
        if !is_reserved(lane) {
            self.bucket.take(cost);
        }
        answered
    }

    /// Notes what left without being asked for here; the lower lanes wait for it.
    pub(super) fn spend_aside(&mut self, weight: u64) {
        self.window.spend(weight);
        self.bucket.take(weight);
    }

    /// When the present minute began, by the venue's clock.
    pub(super) fn began_at(&self) -> Timestamp {
        self.window.began_at()
    }

    /// Weight used in the present minute.
    pub(super) const fn used(&self) -> u64 {
        self.window.used()
    }

    pub(super) const fn answer(&mut self, cost: u64) {
        self.tally.answer(cost);
    }

    /// Takes over the venue's count from the answer to a call.
    pub(super) fn correct(&mut self, reported: u32, own: u64, mark: u64, sent_at: Timestamp) {
        self.window.correct(sent_at, u64::from(reported), self.tally.unsure(own, mark));
    }

    /// Whether one more place can leave in time after all that has the right to leave before it; if
    /// not, when to look again.
    pub(super) fn may_promise(
        &self,
        lane: CallLane,
        cost: u64,
        now: Timestamp,
        share: Share,
    ) -> Result<(), Option<Timestamp>> {
        let cost = match share {
            Share::Whole => cost,
            // The room for twice of all is the half of the room.
            Share::Half => cost.saturating_mul(2).saturating_add(self.demand(lane)),
        };
        if is_reserved(lane) {
            self.reserved_room(self.demand(lane), cost, now)
        } else {
            self.low_room(lane, self.demand(lane), cost, now)
        }
    }

    /// Weight with the right to leave before a new place of this lane, or on the promise of a time.
    fn demand(&self, lane: CallLane) -> u64 {
        let ahead = |each: CallLane| each <= lane && is_reserved(each) == is_reserved(lane);
        let loose = LANES.iter().filter(|each| ahead(**each)).map(|each| *self.loose.get(*each));
        let promised = if is_reserved(lane) {
            let lanes = LANES.iter().filter(|each| ahead(**each));
            lanes.map(|each| *self.promised.get(*each)).sum()
        } else {
            // A promise to a lower lane is a promise, too.
            self.promised_low()
        };
        loose.sum::<u64>().saturating_add(promised)
    }

    const fn promised_low(&self) -> u64 {
        let Lanes { protect: _, evidence: _, exit, entry, history } = self.promised;
        exit.saturating_add(entry).saturating_add(history)
    }

    const fn demand_reserved(&self) -> u64 {
        let granted = self.promised.protect.saturating_add(self.promised.evidence);
        let queued = self.loose.protect.saturating_add(self.loose.evidence);
        granted.saturating_add(queued)
    }

    /// Whether nothing is granted or queued.
    #[cfg(test)]
    pub(super) fn owes_nothing(&self) -> bool {
        self.promised == Lanes::default() && self.loose == Lanes::default()
    }

    fn reserved_room(
        &self,
        demand: u64,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        self.window_room(self.limit, demand.saturating_add(cost), self.horizon, now)
    }

    fn low_room(
        &self,
        lane: CallLane,
        demand: u64,
        cost: u64,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        let horizon = self.horizon_of(lane);
        let demand = demand.saturating_add(cost);
        let in_window = demand.saturating_add(self.demand_reserved());
        self.window_room(self.open, in_window, horizon, now)?;
        self.bucket.will_have(demand, horizon, now)
    }

    fn window_room(
        &self,
        limit: u64,
        demand: u64,
        horizon: Millis,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        let rest = limit.saturating_sub(self.window.used());
        let opens_at = self.window.opens_at();
        let (room, again_at) = if self.window.opens_within(now, horizon) {
            (rest.saturating_add(limit), opens_at)
        } else {
            (rest, opens_at.minus(horizon))
        };
        if demand <= room { Ok(()) } else { Err(Some(again_at)) }
    }

    /// Entries are promised only what can leave in half the time: exits that come later overtake
    /// them, and should not break the promise.
    const fn horizon_of(&self, lane: CallLane) -> Millis {
        match lane {
            CallLane::Protect | CallLane::Evidence | CallLane::Exit => self.horizon,
            CallLane::Entry | CallLane::History => Millis::new(self.horizon.ms() / 2),
        }
    }
}

/// A token bucket. It starts empty: a former process may have spent just before.
#[derive(Debug, Clone)]
struct Bucket {
    /// In parts of one weight: [`Bucket::PARTS`] make one.
    level: u64,
    size: u64,
    /// Parts per millisecond; the number is that of weight per minute.
    rate: u64,
    filled_at: Option<Timestamp>,
}

impl Bucket {
    /// Milliseconds in the minute of the rate.
    const PARTS: u64 = 60_000;

    fn new(per_minute: u32, burst: Millis, heaviest: u32) -> Self {
        let rate = u64::from(per_minute);
        let size = rate.saturating_mul(u64::from(burst.ms()));
        let heaviest = u64::from(heaviest).min(rate).saturating_mul(Self::PARTS);
        Self { level: 0, size: size.max(heaviest), rate, filled_at: None }
    }

    fn fill(&mut self, now: Timestamp) {
        if let Some(before) = self.filled_at {
            let gain = self.rate.saturating_mul(u64::from(now.since(before).ms()));
            self.level = self.level.saturating_add(gain).min(self.size);
        }
        self.filled_at = Some(now);
    }

    fn take(&mut self, cost: u64) {
        self.level = self.level.saturating_sub(cost.saturating_mul(Self::PARTS));
    }

    /// Whether `demand` can leave within `span`; if not, when that will be so.
    fn will_have(
        &self,
        demand: u64,
        span: Millis,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        let need = demand.saturating_mul(Self::PARTS);
        let gain = self.rate.saturating_mul(u64::from(span.ms()));
        if need <= self.level.saturating_add(gain) {
            return Ok(());
        }
        if self.size.saturating_add(gain) < need {
            return Err(None);
        }
        let missing = need.saturating_sub(self.level).saturating_sub(gain);
        let wait = missing.div_ceil(self.rate.max(1));
        Err(Some(now.plus(Millis::new(u32::try_from(wait).unwrap_or(u32::MAX)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(600_200 + ms)
    }

    /// 6000 a minute, of which 4800 are open: 80 a second, saved up for ten seconds.
    fn full() -> Budget {
        let limits = Limits::default();
        let mut budget = Budget::new(&limits, limits.weights.heaviest());
        budget.roll(at(0));
        budget.roll(at(10_000));
        budget
    }

    #[test]
    fn lower_lanes_are_paced_and_reserved_ones_are_not() {
        let mut budget = full();
        budget.spend(CallLane::Entry, 800);

        assert_eq!(budget.may_leave(CallLane::Entry, 1, at(10_000)), Err(Some(at(10_013))));
        assert_eq!(budget.may_leave(CallLane::Protect, 5200, at(10_000)), Ok(()));
    }

    #[test]
    fn the_reserve_stays_for_protect_and_evidence() {
        let mut budget = full();
        budget.spend(CallLane::Evidence, 4800);

        assert_eq!(budget.may_leave(CallLane::Exit, 1, at(10_000)), Err(Some(at(60_000))));
        assert_eq!(budget.may_leave(CallLane::Evidence, 1200, at(10_000)), Ok(()));
        assert_eq!(budget.may_leave(CallLane::Protect, 1201, at(10_000)), Err(Some(at(60_000))));
    }

    #[test]
    fn promises_never_exceed_what_can_leave_within_the_horizon() {
        let mut budget = full();

        let entries = promise_all(&mut budget, CallLane::Entry, Share::Whole);
        let exits = promise_all(&mut budget, CallLane::Exit, Share::Whole);

        // 800 saved up and 80 a second: 1.25 s for entries, 2.5 s for all.
        assert_eq!((entries, entries + exits), (900, 1000));
    }

    #[test]
    fn credit_takes_half_of_the_room() {
        let mut budget = full();

        assert_eq!(promise_all(&mut budget, CallLane::Entry, Share::Half), 450);
    }

    #[test]
    fn history_leaves_promises_alone() {
        let mut budget = full();
        promise_all(&mut budget, CallLane::Exit, Share::Whole);

        assert!(budget.may_leave(CallLane::History, 1, at(10_000)).is_err());
        assert_eq!(budget.may_leave(CallLane::Exit, 1, at(10_000)), Ok(()));
    }

    #[test]
    fn a_report_of_others_on_the_address_stops_the_lower_lanes() {
        let mut budget = full();
        let mark = budget.spend(CallLane::Exit, 1);
        budget.correct(5000, 1, mark, at(10_000));

        assert!(budget.may_leave(CallLane::Exit, 1, at(11_000)).is_err());
        assert_eq!(budget.may_leave(CallLane::Protect, 1000, at(11_000)), Ok(()));
        assert!(budget.may_leave(CallLane::Protect, 1001, at(11_000)).is_err());
    }

    fn promise_all(budget: &mut Budget, lane: CallLane, share: Share) -> u64 {
        let mut count = 0;
        while budget.may_promise(lane, 1, at(10_000), share).is_ok() {
            budget.promise(lane, 1);
            count += 1;
        }
        count
    }
}
