//! Decides which calls leave for a venue, when, and in which order. One for each venue and egress
//! address, above all shards.
//!
//! An account [asks](Dispatch::ask) for places, makes and commits an order only for a place that was
//! [granted](Action::Granted), and [sends](Dispatch::send) it. Lanes go strictly in order; within a
//! lane users take turns.
//!
//! Invariants: in no window does more weight, or do more orders of an account, leave than the venue
//! allows; nothing leaves while the venue wants silence; no order leaves after its `send_by`, or after
//! its own cancel came; every call sent ends in exactly one of [`Action::Transmit`],
//! [`Action::NotSent`] and [`Dispatch::forget`].

pub mod lanes;
pub mod limits;

mod budget;
mod fair;
mod gate;
mod places;
mod queue;
mod window;

mod flow;
mod report;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    cast,
    ids::{AccountId, UserId},
    record::{Call, CallLane},
    time::{Millis, Timestamp},
};

use budget::Budget;
use fair::Fair;
use gate::Gate;
use lanes::{LANES, Lanes};
use limits::Limits;
use places::Places;
use queue::{Queue, Queued};

/// A moment that is over: there is something to do now.
const AT_ONCE: Timestamp = Timestamp::MIN;

/// Names a call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(u64);

/// Who wants something: turns are taken by user, then by account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Applicant {
    pub account: AccountId,
    pub user: UserId,
}

/// What the IO and the shards have to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The account may make `n` orders in this lane, now or later.
    Granted { account: AccountId, lane: CallLane, n: u16 },
    /// The call leaves now; its outcome comes back through [`Dispatch::reply`].
    Transmit { number: CallNumber, account: AccountId, call: Call },
    /// The call never left: it was too late for it, or its own cancel took it back.
    NotSent { account: AccountId, call: Call },
}

/// Whether the venue is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open,
    Throttled(Timestamp),
    Banned(Timestamp),
    /// The venue does not answer. After the time one call at a time tries whether it is back.
    Broken(Timestamp),
}

/// What is known of an address's use, to be kept over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The venue's minute that it is about.
    pub began_at: Timestamp,
    /// Weight used in that minute.
    pub used: u64,
    /// The venue shuts the address out until then.
    pub banned_until: Option<Timestamp>,
}

/// How full a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneMetrics {
    /// Calls that wait to leave.
    pub queued: u32,
    /// Since the oldest of them was sent.
    pub queued_for: Millis,
    /// Accounts' requests for places that wait.
    pub asked: u32,
    /// Since the oldest of them was made.
    pub asked_for: Millis,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Dispatch {
    limits: Limits,
    budget: Budget,
    gate: Gate,
    places: BTreeMap<AccountId, Places>,
    queue: Queue,
    /// How many places are wanted.
    asks: Lanes<Fair<AccountId, u16>>,
    /// Lines that wait for an order count window of their account.
    parked: BTreeSet<(Timestamp, AccountId)>,
    in_flight: BTreeMap<CallNumber, Flight>,
    last_number: u64,
    /// Taken back since the last turn.
    unsent: Vec<(AccountId, Call)>,
    wake_at: Option<Timestamp>,
}

/// A call that left and is not answered.
#[derive(Debug, Clone)]
struct Flight {
    account: AccountId,
    cost: u64,
    sent_at: Timestamp,
    /// For reports of weight.
    weight_mark: u64,
    /// Of a placed order.
    order: Option<OrderFlight>,
}

#[derive(Debug, Clone)]
struct OrderFlight {
    send_by: Timestamp,
    /// For reports of order counts.
    mark: u64,
}

impl CallNumber {
    /// Of a call that no dispatch has counted.
    pub const NONE: Self = Self(0);
}

impl Dispatch {
    pub fn new(limits: Limits) -> Self {
        Self {
            budget: Budget::new(&limits, limits.weights.heaviest()),
            gate: Gate::new(limits.breaker, limits.ban_jitter_max, limits.seed),
            limits,
            places: BTreeMap::new(),
            queue: Queue::default(),
            asks: Lanes::default(),
            parked: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            last_number: 0,
            unsent: Vec::new(),
            wake_at: None,
        }
    }

    /// The account wants `n` more places. Zero asks only for credit, which is given in quiet times.
    pub fn ask(&mut self, who: Applicant, lane: CallLane, n: u16, now: Timestamp) {
        self.asks.get_mut(lane).push(who.user, who.account, n, now);
        self.wake_at = Some(AT_ONCE);
    }

    /// The account does not need `n` of the places granted to it.
    pub fn hand_back(&mut self, account: AccountId, lane: CallLane, n: u16) {
        let Some(places) = self.places.get_mut(&account) else { return };
        let taken = places.take_back(lane, u32::from(n));
        let cost = self.budget.cost(self.limits.weights.place);
        self.budget.release(lane, cost.saturating_mul(u64::from(taken)));
        self.unpark(account);
        self.wake_at = Some(AT_ONCE);
    }

    /// Queues a call whose effects are committed. An order uses one place granted in this lane. A
    /// cancel of an order that is still queued takes it out, and neither is sent.
    pub fn send(&mut self, who: Applicant, lane: CallLane, call: Call, now: Timestamp) {
        self.wake_at = Some(AT_ONCE);
        let account = who.account;
        if self.take_back(account, &call) {
            return;
        }
        let cost = self.budget.cost(self.limits.weight(&call));
        let is_granted = queue::order(&call).is_some() && self.places_of(account).queue(lane);
        if !is_granted {
            self.budget.queue(lane, cost);
        }
        self.queue.push(who, lane, Queued { call, cost, is_granted }, now);
    }

    /// A cancel takes its order out of the queue, and is done with it.
    fn take_back(&mut self, account: AccountId, call: &Call) -> bool {
        let Call::Cancel { client_id, .. } = *call else { return false };
        let mut found = false;
        while let Some((lane, order)) = self.queue.remove_order(account, client_id) {
            self.unqueue(account, lane, &order);
            self.unsent.push((account, order.call));
            found = true;
        }
        if found {
            self.unpark(account);
            self.unsent.push((account, *call));
        }
        found
    }

    /// Drops all that is queued, asked and granted for an account that is loaded anew. The answer is
    /// its orders that were queued, and did not and will not leave. Its order counts stay: the venue
    /// keeps them, too.
    pub fn forget(&mut self, account: AccountId) -> Vec<Call> {
        let mut calls = Vec::new();
        let place = self.budget.cost(self.limits.weights.place);
        for lane in LANES {
            self.asks.get_mut(lane).remove_line(account);
            for queued in self.queue.remove_account(account, lane) {
                self.unqueue(account, lane, &queued);
                calls.push(queued.call);
            }
            if let Some(places) = self.places.get_mut(&account) {
                let taken = places.take_back(lane, u32::MAX);
                self.budget.release(lane, place.saturating_mul(u64::from(taken)));
            }
        }
        self.unsent.retain(|(owner, call)| {
            let is_own = *owner == account;
            calls.extend(is_own.then_some(*call));
            !is_own
        });
        self.wake_at = Some(AT_ONCE);
        calls.retain(|call| queue::order(call).is_some());
        calls
    }

    /// When [`Dispatch::advance`] has to be called next; a moment that is over means at once.
    pub const fn next_time(&self) -> Option<Timestamp> {
        self.wake_at
    }

    /// As of the last [`Dispatch::advance`].
    pub fn status(&self) -> Status {
        self.gate.status()
    }

    pub fn metrics(&self, lane: CallLane, now: Timestamp) -> LaneMetrics {
        let asks = self.asks.get(lane);
        let age = |since: Option<Timestamp>| since.map_or(Millis::ZERO, |at| now.since(at));
        LaneMetrics {
            queued: cast::u32_saturating(self.queue.len(lane)),
            queued_for: age(self.queue.oldest(lane)),
            asked: cast::u32_saturating(asks.len()),
            asked_for: age(asks.oldest()),
        }
    }

    /// How many calls left and are not answered.
    pub fn in_flight(&self) -> u32 {
        cast::u32_saturating(self.in_flight.len())
    }

    /// Undoes what [`Dispatch::send`] noted beside the queue.
    fn unqueue(&mut self, account: AccountId, lane: CallLane, queued: &Queued) {
        if queued.is_granted {
            self.budget.release(lane, queued.cost);
        } else {
            self.budget.unqueue(lane, queued.cost);
        }
        if queue::order(&queued.call).is_some() {
            self.places_of(account).unqueue();
        }
    }

    fn places_of(&mut self, account: AccountId) -> &mut Places {
        let limits = &self.limits;
        self.places.entry(account).or_insert_with(|| Places::new(limits))
    }
}
