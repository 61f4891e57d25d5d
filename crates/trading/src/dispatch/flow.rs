//! One turn: what is too late goes back, what may leave leaves, what can be promised is granted.

use std::collections::BTreeMap;

use tranche_model::{
    ids::AccountId,
    record::CallLane,
    time::{Millis, Timestamp},
};

use super::{
    Action, CallNumber, Dispatch, Flight, OrderFlight,
    budget::Share,
    gate::Passage,
    lanes::{LANES, is_reserved},
    queue::{self, LineKey, Queued},
};

/// While the breaker tries whether the venue is back, and nothing is queued that could be tried, one
/// place is granted in each of these spans.
const PROBE_GRANT_EVERY: Millis = Millis::from_secs(1);

/// Places given in one turn.
type Given = BTreeMap<(CallLane, AccountId), u16>;

impl Dispatch {
    /// Appends what has to be done at `now`.
    pub fn advance(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        self.gate.roll(now);
        self.budget.roll(now);
        let unsent = self.unsent.drain(..);
        out.extend(unsent.map(|(account, call)| Action::NotSent { account, call }));
        self.expire(now, out);
        self.unpark_due(now);
        let look_at = [
            self.transmit(now, out),
            self.grant(now, out),
            self.gate_opens_at(),
            self.parked.first().map(|(at, _)| *at),
            self.queue.first_deadline().map(|at| at.plus(Millis::new(1))),
        ];
        self.wake_at = look_at.into_iter().flatten().min();
    }

    fn expire(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        while let Some((account, lane, queued)) = self.queue.remove_expired(now) {
            self.unqueue(account, lane, &queued);
            self.unpark(account);
            out.push(Action::NotSent { account, call: queued.call });
        }
    }

    fn unpark_due(&mut self, now: Timestamp) {
        while let Some((at, account)) = self.parked.first().copied()
            && at <= now
        {
            self.parked.remove(&(at, account));
            self.unpark(account);
        }
    }

    pub(super) fn unpark(&mut self, account: AccountId) {
        for lane in LANES {
            self.asks.get_mut(lane).unpark(account);
            self.queue.unpark_orders(account, lane);
        }
    }

    fn gate_opens_at(&self) -> Option<Timestamp> {
        match self.gate.passage() {
            Passage::Shut(until) => until,
            Passage::Free | Passage::One => None,
        }
    }

    /// Lets calls leave; the answer is when to look again.
    fn transmit(&mut self, now: Timestamp, out: &mut Vec<Action>) -> Option<Timestamp> {
        for lane in LANES {
            while let Some((key, number, queued)) = self.queue.head(lane) {
                let is_shut = matches!(self.gate.passage(), Passage::Shut(_));
                if is_shut || self.in_flight_max(lane) <= self.in_flight() {
                    return None;
                }
                if let Err(at) = self.budget.may_leave(lane, queued.cost, now) {
                    return at;
                }
                if let Err(at) = self.order_may_leave(key.account, &queued, now) {
                    self.queue.park_orders(key.account, lane);
                    self.parked.insert((at, key.account));
                    continue;
                }
                self.queue.take(lane, key, number);
                out.push(self.leave(lane, key, &queued, now));
            }
        }
        None
    }

    /// Some of the places in flight are kept for the reserved lanes, as of the weight.
    fn in_flight_max(&self, lane: CallLane) -> u32 {
        let all = self.limits.in_flight_max.max(1);
        if is_reserved(lane) {
            return all;
        }
        all.saturating_sub(self.limits.reserve_of(all)).max(1)
    }

    fn order_may_leave(
        &mut self,
        account: AccountId,
        queued: &Queued,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        if queue::order(&queued.call).is_none() {
            return Ok(());
        }
        let places = self.places_of(account);
        places.roll(now);
        places.may_leave()
    }

    fn leave(&mut self, lane: CallLane, key: LineKey, queued: &Queued, now: Timestamp) -> Action {
        let account = key.account;
        self.unqueue(account, lane, queued);
        self.last_number = self.last_number.saturating_add(1);
        let number = CallNumber(self.last_number);
        self.gate.pass(number);
        let order = queue::order(&queued.call)
            .map(|(_, send_by)| OrderFlight { send_by, mark: self.places_of(account).spend() });
        let weight_mark = self.budget.spend(lane, queued.cost);
        let flight = Flight { account, cost: queued.cost, sent_at: now, weight_mark, order };
        self.in_flight.insert(number, flight);
        Action::Transmit { number, account, call: queued.call }
    }

    /// Grants places; the answer is when to look again.
    fn grant(&mut self, now: Timestamp, out: &mut Vec<Action>) -> Option<Timestamp> {
        let mut given = Given::new();
        let again_at = match self.gate.passage() {
            Passage::Shut(_) => return None,
            Passage::Free => self.grant_up_to(u32::MAX, now, &mut given),
            Passage::One if self.is_idle() => self.grant_up_to(1, now, &mut given),
            Passage::One => return None,
        };
        self.give_credit(now, &mut given);
        let granted = given.into_iter().filter(|(_, n)| 0 < *n);
        out.extend(granted.map(|((lane, account), n)| Action::Granted { account, lane, n }));
        again_at
    }

    fn is_idle(&self) -> bool {
        LANES.iter().all(|lane| self.queue.len(*lane) == 0)
    }

    /// Whether anybody waits for weight.
    fn has_asks(&self) -> bool {
        LANES.iter().any(|lane| self.asks.get(*lane).head().is_some())
    }

    fn grant_up_to(&mut self, max: u32, now: Timestamp, given: &mut Given) -> Option<Timestamp> {
        let mut left = max;
        for lane in LANES {
            while let Some((account, number, n)) = self.asks.get(lane).head() {
                if *n == 0 {
                    self.asks.get_mut(lane).take(account, number);
                    given.entry((lane, account)).or_default();
                    continue;
                }
                if left == 0 {
                    return Some(now.plus(PROBE_GRANT_EVERY));
                }
                match self.may_grant(account, lane, now, Share::Whole) {
                    Ok(()) => self.grant_one(account, lane, given),
                    Err(Refused::Weight(at)) => return at,
                    Err(Refused::Orders(at)) => {
                        self.asks.get_mut(lane).park(account);
                        self.parked.insert((at, account));
                        continue;
                    }
                }
                left = left.saturating_sub(1);
                self.count_down(account, lane, number);
            }
        }
        None
    }

    fn may_grant(
        &mut self,
        account: AccountId,
        lane: CallLane,
        now: Timestamp,
        share: Share,
    ) -> Result<(), Refused> {
        let cost = self.budget.cost(self.limits.weights.place);
        self.budget.may_promise(lane, cost, now, share).map_err(Refused::Weight)?;
        let horizon = self.limits.horizon;
        let places = self.places_of(account);
        places.roll(now);
        places.may_promise(now, horizon).map_err(Refused::Orders)
    }

    fn grant_one(&mut self, account: AccountId, lane: CallLane, given: &mut Given) {
        let cost = self.budget.cost(self.limits.weights.place);
        self.budget.promise(lane, cost);
        self.places_of(account).grant(lane);
        let n = given.entry((lane, account)).or_default();
        *n = n.saturating_add(1);
    }

    /// One place of an ask was granted: it is the next one's turn.
    fn count_down(&mut self, account: AccountId, lane: CallLane, number: u64) {
        let asks = self.asks.get_mut(lane);
        asks.pass(account);
        if let Some(n) = asks.get_mut(account, number) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                asks.remove(account, number);
            }
        }
    }

    /// Whoever came this turn gets some places in store, as long as nobody waits. The reserved lanes
    /// need none: they are granted at once as it is, and places in store would eat the reserve.
    fn give_credit(&mut self, now: Timestamp, given: &mut Given) {
        if self.has_asks() || self.gate.passage() != Passage::Free {
            return;
        }
        let came: Vec<_> = given.iter().map(|(key, n)| (*key, u32::from(*n))).collect();
        for ((lane, account), n) in came.into_iter().filter(|((lane, _), _)| !is_reserved(*lane)) {
            let held_max = n.saturating_add(u32::from(self.limits.credit));
            while self.places_of(account).held(lane) < held_max
                && self.may_grant(account, lane, now, Share::Half).is_ok()
            {
                self.grant_one(account, lane, given);
            }
        }
    }
}

/// What a place waits for.
#[derive(Debug, Clone)]
enum Refused {
    Weight(Option<Timestamp>),
    Orders(Timestamp),
}
