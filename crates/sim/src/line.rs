//! The line between a shard and the exchange: it loses, doubles and delays, as a plan says.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    ids::{AccountId, InstrumentId},
    money::{Qty, Quote},
    order::OrderStatus,
    record::{Answer, Call, Outcome, PrivateEvent, Refusal, RefusalReason, Reply},
    time::{Millis, Timestamp},
};

use crate::exchange::{Answered, CallNo, Exchange};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// The exchange never sees it; the caller hears `Unknown` after the time limit.
    LoseRequest,
    /// It is held up on its way and reaches the exchange this much later, behind calls that were made
    /// after it.
    LateRequest(Millis),
    /// It takes effect; the caller hears `Unknown` after the time limit.
    LoseReply,
    /// It takes effect; the answer comes this much later.
    LateReply(Millis),
    /// The answer comes twice.
    DoubleReply,
    /// The answer to an order says only that it was taken.
    Acknowledged,
    /// A question about orders or executions is answered from a state this old. Balances and highs
    /// are always fresh; a call that is no question is not touched.
    LaggingRead(Millis),
}

/// What goes wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFault {
    Drop,
    Double,
    /// It comes this much later, behind those that follow.
    Delay(Millis),
}

/// Faults by the number of the call or the event, counted from 1 in order of appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinePlan {
    pub calls: BTreeMap<u64, CallFault>,
    pub events: BTreeMap<u64, EventFault>,
    /// The exchange refuses to tell the executions on these, as on pairs that it delisted.
    pub unreadable: BTreeSet<InstrumentId>,
    /// The exchange finds no order that it is asked for by its id, though it lists and trades it.
    pub unfindable: bool,
    /// Whether events come before the replies of the same moment: on the venue either is first.
    pub events_first: bool,
}

/// What comes from the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromVenue {
    Reply(Reply),
    /// The answer to a question of a life that is over.
    Stale(Reply),
    Event(PrivateEvent),
}

/// The line, with what is on its way back.
#[derive(Debug, Clone)]
pub struct Line {
    plan: LinePlan,
    timeout: Millis,
    calls: u64,
    events: u64,
    /// Faults of calls that the exchange has, with the end of the caller's patience.
    pending: BTreeMap<CallNo, (CallFault, Timestamp)>,
    /// How often each account was forgotten.
    lives: BTreeMap<AccountId, u64>,
    /// In which life a question was asked that is not answered.
    asked: BTreeMap<CallNo, u64>,
    /// By the time of arrival, then in order of departure.
    on_way: BTreeMap<(Timestamp, u64), Arrival>,
    departed: u64,
}

/// Something on its way back.
#[derive(Debug, Clone)]
struct Arrival {
    account: AccountId,
    what: FromVenue,
    /// Of the answer to a question.
    life: Option<u64>,
}

impl Line {
    /// `timeout` is how long the caller waits for an answer that never comes.
    pub const fn new(plan: LinePlan, timeout: Millis) -> Self {
        Self {
            plan,
            timeout,
            calls: 0,
            events: 0,
            pending: BTreeMap::new(),
            lives: BTreeMap::new(),
            asked: BTreeMap::new(),
            on_way: BTreeMap::new(),
            departed: 0,
        }
    }

    /// Sends a call.
    pub fn submit(
        &mut self,
        exchange: &mut Exchange,
        account: AccountId,
        call: Call,
        now: Timestamp,
    ) {
        self.calls = self.calls.saturating_add(1);
        let fault = self.plan.calls.remove(&self.calls).filter(|_| leaves(&call, now));
        let life = call.is_question().then(|| self.life_of(account));
        if fault == Some(CallFault::LoseRequest) {
            let what = FromVenue::Reply(Reply { call, outcome: Outcome::Unknown });
            self.depart(Arrival { account, what, life }, now.plus(self.timeout));
            return;
        }
        let held_up = match fault {
            Some(CallFault::LateRequest(span)) => span,
            Some(
                CallFault::LoseRequest
                | CallFault::LoseReply
                | CallFault::LateReply(_)
                | CallFault::DoubleReply
                | CallFault::Acknowledged
                | CallFault::LaggingRead(_),
            )
            | None => Millis::ZERO,
        };
        let number = exchange.submit_numbered((account, call), held_up, now);
        let until = now.plus(self.timeout);
        if self.timeout <= held_up {
            let what = FromVenue::Reply(Reply { call, outcome: Outcome::Unknown });
            self.depart(Arrival { account, what, life }, until);
        }
        self.asked.extend(life.map(|life| (number, life)));
        self.pending.extend(fault.map(|fault| (number, (fault, until))));
    }

    /// What has come by `now`, in order of arrival.
    pub fn take(&mut self, exchange: &mut Exchange, now: Timestamp) -> Vec<(AccountId, FromVenue)> {
        let replies = exchange.take_numbered_replies(now);
        let events = exchange.take_events();
        if self.on_way.is_empty() && self.is_faultless() {
            return self.straight(replies, events);
        }
        if self.plan.events_first {
            self.carry_events(events, now);
            self.carry_replies(exchange, replies, now);
        } else {
            self.carry_replies(exchange, replies, now);
            self.carry_events(events, now);
        }
        let mut come = Vec::new();
        while let Some(entry) = self.on_way.first_entry() {
            if now < entry.key().0 {
                break;
            }
            let Arrival { account, what, life } = entry.remove();
            let is_stale = life.is_some_and(|life| life != self.life_of(account));
            let what = match what {
                FromVenue::Reply(reply) if is_stale => FromVenue::Stale(reply),
                FromVenue::Reply(_) | FromVenue::Stale(_) | FromVenue::Event(_) => what,
            };
            come.push((account, what));
        }
        come
    }

    /// Whether nothing of what comes now is held up or changed.
    fn is_faultless(&self) -> bool {
        let LinePlan { calls, events, unreadable, unfindable, events_first } = &self.plan;
        calls.is_empty()
            && events.is_empty()
            && unreadable.is_empty()
            && !unfindable
            && !events_first
            && self.pending.is_empty()
    }

    /// Everything arrives at once, as it came.
    fn straight(
        &mut self,
        replies: Vec<Answered>,
        events: Vec<(AccountId, PrivateEvent)>,
    ) -> Vec<(AccountId, FromVenue)> {
        self.events = self.events.saturating_add(tranche_model::cast::count(events.len()));
        let mut come = Vec::with_capacity(replies.len().saturating_add(events.len()));
        for Answered { number, account, reply, .. } in replies {
            let life = self.asked.remove(&number);
            let is_stale = life.is_some_and(|life| life != self.life_of(account));
            let reply = if is_stale { FromVenue::Stale(reply) } else { FromVenue::Reply(reply) };
            come.push((account, reply));
        }
        come.extend(events.into_iter().map(|(account, event)| (account, FromVenue::Event(event))));
        come
    }

    /// The account is loaded anew: answers to what it asked before are for nobody.
    pub fn forget(&mut self, account: AccountId) {
        let life = self.lives.entry(account).or_default();
        *life = life.saturating_add(1);
    }

    fn life_of(&self, account: AccountId) -> u64 {
        self.lives.get(&account).copied().unwrap_or(0)
    }

    /// When the next thing arrives that has left the exchange.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.on_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The connection of the private stream breaks: events on their way are gone.
    pub fn cut_events(&mut self) {
        self.on_way.retain(|_, arrival| !matches!(arrival.what, FromVenue::Event(_)));
    }

    /// How many calls and events there were: the numbers that the plan counts by.
    pub const fn counts(&self) -> (u64, u64) {
        (self.calls, self.events)
    }

    /// Adds faults to the plan while it runs.
    pub const fn plan_mut(&mut self) -> &mut LinePlan {
        &mut self.plan
    }

    fn carry_replies(&mut self, exchange: &Exchange, replies: Vec<Answered>, now: Timestamp) {
        for Answered { number, account, at, mut reply } in replies {
            let mut arrives_at = now;
            let life = self.asked.remove(&number);
            if let Call::Trades { instrument, .. } = reply.call
                && self.plan.unreadable.contains(&instrument)
            {
                reply.outcome = Outcome::Refused(unlisted());
            }
            if self.plan.unfindable && matches!(reply.call, Call::QueryOrder { .. }) {
                reply.outcome = Outcome::Done(Answer::OrderNotFound);
            }
            match self.pending.remove(&number) {
                Some((CallFault::LoseRequest | CallFault::LoseReply, until)) => {
                    reply.outcome = Outcome::Unknown;
                    arrives_at = until;
                }
                Some((CallFault::LateReply(span), _)) => arrives_at = at.plus(span),
                Some((CallFault::DoubleReply, _)) => {
                    let what = FromVenue::Reply(reply.clone());
                    self.depart(Arrival { account, what, life }, now);
                }
                Some((CallFault::Acknowledged, _)) => acknowledge(&mut reply),
                Some((CallFault::LaggingRead(span), _)) => {
                    lag(exchange, account, &mut reply, at.minus(span));
                }
                // The caller has given up, and was told so.
                Some((CallFault::LateRequest(span), _)) if self.timeout <= span => continue,
                Some((CallFault::LateRequest(_), _)) | None => {}
            }
            self.depart(Arrival { account, what: FromVenue::Reply(reply), life }, arrives_at);
        }
    }

    fn carry_events(&mut self, events: Vec<(AccountId, PrivateEvent)>, now: Timestamp) {
        for (account, event) in events {
            self.events = self.events.saturating_add(1);
            let event = Arrival { account, what: FromVenue::Event(event), life: None };
            match self.plan.events.remove(&self.events) {
                Some(EventFault::Drop) => {}
                Some(EventFault::Double) => {
                    self.depart(event.clone(), now);
                    self.depart(event, now);
                }
                Some(EventFault::Delay(span)) => self.depart(event, now.plus(span)),
                None => self.depart(event, now),
            }
        }
    }

    fn depart(&mut self, arrival: Arrival, at: Timestamp) {
        self.departed = self.departed.saturating_add(1);
        self.on_way.insert((at, self.departed), arrival);
    }
}

/// Takes out of an answer what the order has come to.
pub(crate) fn acknowledge(reply: &mut Reply) {
    if let Outcome::Done(Answer::Order { report, fills }) = &mut reply.outcome {
        report.status = OrderStatus::Open;
        report.executed = Qty::ZERO;
        report.executed_quote = Quote::ZERO;
        fills.clear();
    }
}

/// Binance: an unknown symbol (REST documents, "Error codes", 2026-07-21).
fn unlisted() -> Refusal {
    Refusal { reason: RefusalReason::Other, code: -1121, text: "Invalid symbol.".to_owned() }
}

/// Whether the call goes out at all; what stays at home cannot be lost on the way.
fn leaves(call: &Call, now: Timestamp) -> bool {
    !matches!(call, Call::Place { send_by, .. } if *send_by < now)
}

/// Answers a question anew, from an old state.
fn lag(exchange: &Exchange, account: AccountId, reply: &mut Reply, as_of: Timestamp) {
    match reply.call {
        Call::QueryOrder { .. } | Call::OpenOrders | Call::Trades { .. } => {
            if let Ok(answer) = exchange.answer(account, &reply.call, Some(as_of)) {
                reply.outcome = Outcome::Done(answer);
            }
        }
        Call::Place { .. }
        | Call::Cancel { .. }
        | Call::CancelByVenueId { .. }
        | Call::Balances
        | Call::Highs { .. } => {}
    }
}

#[cfg(test)]
mod tests;
