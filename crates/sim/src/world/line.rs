//! The line of a world: what goes wrong between processes and the exchange.

use std::collections::{BTreeMap, VecDeque};

use tranche_model::{
    ids::AccountId,
    order::OrderStatus,
    record::{Call, Outcome, PrivateEvent, Refusal, RefusalReason, Reply},
    time::{Millis, Timestamp},
};

use super::{
    Message, Passage, Wire,
    chance::Chance,
    fault::{Counts, Fault},
    plan::Act,
    tamper, wire,
};
use crate::exchange::{Answered, CallNo, Exchange};

/// How long a caller waits for an answer.
const PATIENCE: Millis = Millis::from_secs(10);
/// Events that are remembered, to be told again.
const REMEMBERED: usize = 32;
/// Executions older than this are not told while [`Fault::HistoryLimit`] lasts.
const HISTORY: Millis = Millis::from_secs(1_800);

/// Who asked: answers to others who came after are for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) life: u64,
    pub(super) account: AccountId,
    /// How often that life had loaded the account.
    pub(super) load: u64,
}

/// What comes out of the line.
#[derive(Debug, Clone)]
pub(super) enum What {
    Reply(Reply),
    Event(PrivateEvent),
    /// The process is told that its private stream is up, or not.
    Stream {
        live: bool,
    },
    /// The process hears what the account's key may do.
    KeyMayWithdraw(bool),
    /// Whether events flow; nobody is told.
    Flow {
        open: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) to: Caller,
    pub(super) what: What,
}

#[derive(Debug)]
struct Pending {
    caller: Caller,
    fault: Option<(Fault, u64)>,
    asked_at: Timestamp,
    until: Timestamp,
}

/// A fault that lasts.
#[derive(Debug, Clone, Copy)]
struct Spell {
    fault: Fault,
    until: Timestamp,
    detail: u64,
}

/// See the module's text.
pub(super) struct Line<'w> {
    way_back: Millis,
    wire: Option<&'w dyn Wire>,
    /// Faults that wait for a call or an event that they suit.
    armed: Vec<Act>,
    spells: Vec<Spell>,
    pending: BTreeMap<CallNo, Pending>,
    /// By time of arrival, then in order of departure.
    on_way: BTreeMap<(Timestamp, u64), Arrival>,
    departed: u64,
    told: VecDeque<(AccountId, PrivateEvent)>,
    honest_until: Timestamp,
    /// Whose events flow.
    flows: BTreeMap<(u64, AccountId), bool>,
    pub(super) struck: Counts<Fault>,
}

impl<'w> Line<'w> {
    pub(super) fn new(way_back: Millis, wire: Option<&'w dyn Wire>) -> Self {
        Self {
            way_back,
            wire,
            armed: Vec::new(),
            spells: Vec::new(),
            pending: BTreeMap::new(),
            on_way: BTreeMap::new(),
            departed: 0,
            told: VecDeque::new(),
            honest_until: Timestamp::MIN,
            flows: BTreeMap::new(),
            struck: Counts::default(),
        }
    }

    /// The next call or event that the fault suits is struck.
    pub(super) fn arm(&mut self, act: Act) {
        self.armed.push(act);
    }

    /// The fault lasts until then.
    pub(super) fn begin_spell(&mut self, fault: Fault, until: Timestamp, detail: u64) {
        self.spells.push(Spell { fault, until, detail });
        self.struck.add(fault);
    }

    /// From now on nothing goes wrong any more but what is on its way.
    pub(super) fn calm(&mut self) {
        self.armed.clear();
        self.spells.clear();
        self.on_way.retain(|_, arrival| !matches!(arrival.what, What::KeyMayWithdraw(true)));
    }

    /// A process hears of an account's events from now on.
    pub(super) fn connect(&mut self, life: u64, account: AccountId) {
        self.flows.insert((life, account), true);
    }

    /// A process is gone: nothing reaches it any more.
    pub(super) fn disconnect(&mut self, life: u64) {
        self.flows.retain(|(owner, _), _| *owner != life);
        self.on_way.retain(|_, arrival| arrival.to.life != life);
    }

    /// Tells a process something at a time.
    pub(super) fn tell_at(&mut self, to: Caller, what: What, at: Timestamp) {
        self.depart(Arrival { to, what }, at);
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.on_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next that has come by `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Arrival> {
        loop {
            let entry = self.on_way.first_entry().filter(|entry| entry.key().0 <= now)?;
            let arrival = entry.remove();
            let key = (arrival.to.life, arrival.to.account);
            match arrival.what {
                What::Flow { open } => {
                    self.flows.entry(key).and_modify(|flow| *flow = open);
                }
                What::Reply(_) | What::Event(_) | What::Stream { .. } | What::KeyMayWithdraw(_) => {
                    return Some(arrival);
                }
            }
        }
    }

    /// Sends a call.
    pub(super) fn submit(
        &mut self,
        exchange: &mut Exchange,
        caller: Caller,
        call: Call,
        now: Timestamp,
    ) {
        let soon = now.plus(self.way_back);
        if let Some((outcome, at, fault)) = self.spoiled(&call, now) {
            let outcome = self.spoken(passage(caller, now, Some(fault)), call, outcome);
            self.answer(caller, call, outcome, at.max(soon));
            return;
        }
        let mut fault = self.fault_for(&call, now);
        let mut held_up = Millis::ZERO;
        let outcome = match fault {
            Some((Fault::RequestLost, _)) => Some((Outcome::Unknown, now.plus(PATIENCE))),
            Some((Fault::ConnectRefused | Fault::TlsFailure, _)) => Some((Outcome::NotSent, soon)),
            Some((Fault::ServerErrorBefore, _)) => Some((Outcome::Unknown, soon)),
            Some((Fault::HtmlErrorPage, detail)) if detail & 16 == 0 => {
                Some((Outcome::Unknown, soon))
            }
            Some((Fault::TooManyRequests, detail)) => {
                let retry_at = now.plus(Chance::new(detail).span(500, 60_000));
                Some((Outcome::Throttled { retry_at }, soon))
            }
            Some((Fault::ExitRefused, _)) => Some((Outcome::Refused(reduce_only()), soon)),
            Some((Fault::LatencySpike, detail)) => {
                held_up = Chance::new(detail).span(500, 15_000);
                fault = None;
                None
            }
            Some(_) | None => None,
        };
        if let Some((outcome, at)) = outcome {
            let outcome = self.spoken(passage(caller, now, fault), call, outcome);
            self.answer(caller, call, outcome, at);
            return;
        }
        let until = now.plus(PATIENCE);
        let arrives_at = now.plus(held_up);
        let arrived = Passage { arrives_at, ..passage(caller, now, None) };
        let arrived = self.wire.map_or(Ok(call), |wire| wire.call(&arrived, &call));
        if PATIENCE <= held_up {
            self.answer(caller, call, Outcome::Unknown, until);
            fault = Some((Fault::RequestLost, 0));
        }
        match arrived {
            Ok(call) => {
                let number = exchange.submit_numbered((caller.account, call), held_up, now);
                self.pending.insert(number, Pending { caller, fault, asked_at: now, until });
            }
            Err(_) if PATIENCE <= held_up => {}
            Err(outcome) => {
                self.answer(caller, call, *outcome, arrives_at.plus(self.way_back));
            }
        }
    }

    /// What a fault that lasts makes of a call.
    fn spoiled(&mut self, call: &Call, now: Timestamp) -> Option<Spoiled> {
        self.spells.retain(|spell| now < spell.until);
        self.spells.iter().find_map(|spell| {
            let refused = |text: &str, code, reason| {
                let refusal = Refusal { reason, code, text: text.to_owned() };
                Some((Outcome::Refused(refusal), now))
            };
            let is_old = matches!(call, Call::Trades { since, .. } if since.plus(HISTORY) < now);
            let spoiled = if spell.fault == Fault::Banned {
                Some((Outcome::Throttled { retry_at: spell.until }, now))
            } else if spell.fault == Fault::DnsFailure {
                Some((Outcome::NotSent, now))
            } else if spell.fault == Fault::Maintenance {
                Some((Outcome::Unknown, now))
            } else if spell.fault == Fault::KeyRevoked {
                let text = "Invalid API-key, IP, or permissions for action.";
                refused(text, -2015, RefusalReason::Key)
            } else if spell.fault == Fault::EndpointRemoved && tamper::is_kind(call, spell.detail) {
                refused("Gone.", 410, RefusalReason::Other)
            } else if spell.fault == Fault::HistoryLimit && is_old {
                refused("Search window is restricted.", -4166, RefusalReason::Other)
            } else if spell.fault == Fault::HalfOpenSocket && call.is_question() {
                Some((Outcome::Unknown, now.plus(PATIENCE)))
            } else {
                None
            };
            spoiled.map(|(outcome, at)| (outcome, at, (spell.fault, spell.detail)))
        })
    }

    fn is_half_open(&self, now: Timestamp) -> bool {
        let mut spells = self.spells.iter();
        spells.any(|spell| spell.fault == Fault::HalfOpenSocket && now < spell.until)
    }

    fn fault_for(&mut self, call: &Call, now: Timestamp) -> Option<(Fault, u64)> {
        let place =
            self.armed.iter().position(|act| tamper::suits_call(act.fault, act.detail, call))?;
        let act = self.armed.remove(place);
        if !self.may_lie(&act, now) {
            return None;
        }
        self.struck.add(act.fault);
        Some((act.fault, act.detail))
    }

    /// A wrong word comes once: twice in a row would be a venue that nobody can trade on.
    fn may_lie(&mut self, act: &Act, now: Timestamp) -> bool {
        if act.fault != Fault::WrongTransientStatus {
            return true;
        }
        let may = self.honest_until <= now;
        if may {
            self.honest_until = now.plus(Millis::from_secs(120));
        }
        may
    }

    fn answer(&mut self, to: Caller, call: Call, outcome: Outcome, at: Timestamp) {
        self.depart(Arrival { to, what: What::Reply(Reply { call, outcome }) }, at);
    }

    /// Takes over what the exchange has answered.
    pub(super) fn carry_replies(
        &mut self,
        exchange: &Exchange,
        replies: Vec<Answered>,
        now: Timestamp,
    ) {
        let soon = now.plus(self.way_back);
        for Answered { number, account, at, mut reply } in replies {
            let Some(Pending { caller, fault, asked_at, until }) = self.pending.remove(&number)
            else {
                continue;
            };
            let mut arrives = soon;
            let mut spoken = passage(caller, asked_at, None);
            match fault {
                // The caller has given up, and was told so.
                Some((Fault::RequestLost, _)) => continue,
                Some((Fault::ResponseLost, _)) => {
                    reply.outcome = Outcome::Unknown;
                    arrives = until;
                }
                Some((Fault::SlowBody, detail)) => {
                    arrives = soon.plus(Chance::new(detail).span(200, 15_000));
                }
                Some((Fault::EventBeforeAck, detail)) => {
                    arrives = soon.plus(Chance::new(detail).span(10, 3_000));
                }
                Some((fault, detail)) if self.wire.is_some() && wire::strikes_text(fault) => {
                    spoken.fault = Some((fault, detail));
                }
                Some((fault, detail)) => {
                    let case = tamper::Case { exchange, account, at, detail };
                    tamper::reply(fault, &case, &mut reply);
                }
                None if self.is_half_open(now) => {
                    reply.outcome = Outcome::Unknown;
                    arrives = until;
                }
                None => {}
            }
            if until < arrives {
                reply.outcome = Outcome::Unknown;
                arrives = until;
            }
            reply.outcome = self.spoken(spoken, reply.call, reply.outcome);
            self.depart(Arrival { to: caller, what: What::Reply(reply) }, arrives);
        }
    }

    /// An outcome as it reads after it went as text. Silence has none.
    fn spoken(&self, passage: Passage, call: Call, outcome: Outcome) -> Outcome {
        let Some(wire) = self.wire else { return outcome };
        let is_silence = match &outcome {
            Outcome::NotSent => true,
            Outcome::Unknown => passage.fault.is_none_or(|(fault, _)| !wire::has_text(fault)),
            Outcome::Done(_) | Outcome::Refused(_) | Outcome::Throttled { .. } => false,
        };
        if is_silence {
            return outcome;
        }
        wire.reply(&passage, &Reply { call, outcome })
    }

    /// What the exchange has told unasked, as the messages in which it comes.
    pub(super) fn messages(
        &self,
        events: Vec<(AccountId, PrivateEvent)>,
        now: Timestamp,
    ) -> Vec<(AccountId, Message)> {
        let Some(wire) = self.wire else {
            let plain = |event| Message { text: String::new(), said: vec![event] };
            return events.into_iter().map(|(account, event)| (account, plain(event))).collect();
        };
        let mut messages = Vec::new();
        let mut events = events.into_iter().peekable();
        while let Some((account, first)) = events.next() {
            let mut said = vec![first];
            while let Some((_, event)) = events.next_if(|(next, _)| *next == account) {
                said.push(event);
            }
            let spoken = wire.messages(account, said, now).into_iter();
            messages.extend(spoken.map(|message| (account, message)));
        }
        messages
    }

    /// Takes over a message.
    pub(super) fn carry_message(
        &mut self,
        lives: &[u64],
        account: AccountId,
        message: Message,
        now: Timestamp,
    ) {
        let soon = now.plus(self.way_back);
        let suits = |act: &Act| {
            message.said.iter().any(|event| tamper::suits_event(act.fault, act.detail, event))
        };
        let place = self.armed.iter().position(suits);
        let act = place.map(|place| self.armed.remove(place)).filter(|act| self.may_lie(act, now));
        if let Some(act) = act {
            self.struck.add(act.fault);
        }
        let is_spoken = self.wire.is_some();
        let mut events = match self.wire {
            None => message.said,
            Some(wire) => {
                let life = lives.iter().copied().max().unwrap_or(0);
                let to = Caller { life, account, load: 0 };
                let passage = passage(to, now, act.map(|act| (act.fault, act.detail)));
                match wire.hear(&passage, &message) {
                    Some(events) => events,
                    None => return self.break_streams(lives, account, now),
                }
            }
        };
        // What was said is told again, never a wrong word: in text, it is wrong already.
        let is_wrong = act.is_some_and(|act| act.fault == Fault::WrongTransientStatus);
        for event in events.iter().filter(|_| !(is_spoken && is_wrong)) {
            if self.told.len() == REMEMBERED {
                self.told.pop_front();
            }
            self.told.push_back((account, event.clone()));
        }
        let mut times = vec![soon];
        let fault = act.map(|act| (act.fault, Chance::new(act.detail)));
        match fault {
            Some((Fault::DropEvent, _)) => times.clear(),
            Some((Fault::DuplicateNow, _)) => times.push(soon),
            Some((Fault::DuplicateLater, mut chance)) => {
                times.push(soon.plus(chance.span(1_000, 3_600_000)));
            }
            Some((Fault::Reorder, mut chance)) => times = vec![soon.plus(chance.span(1, 400))],
            Some((Fault::Delay, mut chance)) => times = vec![soon.plus(chance.span(100, 15_000))],
            Some((Fault::ReplayOld, _)) => self.tell_again(lives, now),
            Some((Fault::FieldChanged, _)) if !is_spoken => {
                return self.break_streams(lives, account, now);
            }
            Some((Fault::WrongTransientStatus, _)) if !is_spoken => {
                tamper::restate(&mut events, OrderStatus::Cancelled);
            }
            Some((Fault::UnknownStatus, _)) if !is_spoken => {
                tamper::restate(&mut events, OrderStatus::Unrecognized);
            }
            Some(_) | None => {}
        }
        for at in times {
            for event in &events {
                self.tell_event(lives, account, event, at);
            }
        }
    }

    fn tell_event(
        &mut self,
        lives: &[u64],
        account: AccountId,
        event: &PrivateEvent,
        at: Timestamp,
    ) {
        for life in lives {
            if self.flows.get(&(*life, account)).copied().unwrap_or(false) {
                let to = Caller { life: *life, account, load: 0 };
                self.depart(Arrival { to, what: What::Event(event.clone()) }, at);
            }
        }
    }

    /// An old session is told over again.
    fn tell_again(&mut self, lives: &[u64], now: Timestamp) {
        let at = now.plus(self.way_back).plus(Millis::new(5));
        for (account, event) in self.told.clone() {
            self.tell_event(lives, account, &event, at);
        }
    }

    /// What cannot be read ends the session; a new one follows.
    fn break_streams(&mut self, lives: &[u64], account: AccountId, now: Timestamp) {
        let at = now.plus(self.way_back);
        for life in lives {
            let to = Caller { life: *life, account, load: 0 };
            self.tell_at(to, What::Stream { live: false }, at);
            self.tell_at(to, What::Stream { live: true }, at.plus(Millis::from_secs(2)));
        }
    }

    fn depart(&mut self, arrival: Arrival, at: Timestamp) {
        self.departed = self.departed.saturating_add(1);
        self.on_way.insert((at, self.departed), arrival);
    }

    /// How much is under way or waits: bounded by what is asked, not by how long the world is.
    pub(super) fn load(&self) -> usize {
        self.on_way.len().saturating_add(self.pending.len())
    }
}

/// What a fault that lasts makes of a call: the outcome, when it is told, and the fault.
type Spoiled = (Outcome, Timestamp, (Fault, u64));

const fn passage(caller: Caller, left_at: Timestamp, fault: Option<(Fault, u64)>) -> Passage {
    let Caller { life, account, load: _ } = caller;
    Passage { life, account, left_at, arrives_at: left_at, fault }
}

/// Binance futures, error codes: the order would not reduce a position.
fn reduce_only() -> Refusal {
    let text = "ReduceOnly Order is rejected.".to_owned();
    Refusal { reason: RefusalReason::Other, code: -2022, text }
}
