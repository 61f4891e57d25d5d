//! Calls as the rest of the system makes them: they travel, are answered, and the answers wait.

use std::collections::BTreeMap;

use tranche_model::{
    ids::AccountId,
    order::OrderReport,
    record::{Answer, Call, Outcome, PrivateEvent, Refusal, Reply},
    time::{Millis, Timestamp},
};

use super::{
    Exchange, Placed,
    check::{listed, too_late},
};

/// How long after `send_by` a request is still taken: the receive window that calls are sent with.
const RECEIVE_WINDOW: Millis = Millis::from_secs(2);

/// Names a call until its reply is taken.
pub(crate) type CallNo = u64;

/// A reply with the time at which the exchange gave it.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) number: CallNo,
    pub(crate) account: AccountId,
    pub(crate) at: Timestamp,
    pub(crate) reply: Reply,
}

/// Calls on their way and replies that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    last: CallNo,
    arrivals: BTreeMap<(Timestamp, CallNo), (AccountId, Call)>,
    replies: Vec<Answered>,
}

impl Exchange {
    /// Sends a call; it arrives after the latency. An order past its `send_by` does not leave.
    pub fn submit(&mut self, account: AccountId, call: Call, now: Timestamp) {
        self.submit_numbered((account, call), Millis::ZERO, now);
    }

    /// `held_up` is added to the latency.
    pub(crate) fn submit_numbered(
        &mut self,
        (account, call): (AccountId, Call),
        held_up: Millis,
        now: Timestamp,
    ) -> CallNo {
        self.advance(now);
        self.calls.last = self.calls.last.saturating_add(1);
        let number = self.calls.last;
        if matches!(call, Call::Place { send_by, .. } if send_by < now) {
            let reply = Reply { call, outcome: Outcome::NotSent };
            self.calls.replies.push(Answered { number, account, at: now, reply });
            return number;
        }
        let at = now.plus(self.settings.latency).plus(held_up);
        if at <= now {
            // Whatever was on its way before has arrived above.
            self.arrive(number, (account, call), at);
            return number;
        }
        self.calls.arrivals.insert((at, number), (account, call));
        number
    }

    /// Carries out what has arrived by `now`, in order of arrival.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.calls.arrivals.first_entry() {
            let (at, number) = *entry.key();
            if now < at {
                break;
            }
            let call = entry.remove();
            self.arrive(number, call, at);
        }
    }

    fn arrive(&mut self, number: CallNo, (account, call): (AccountId, Call), at: Timestamp) {
        let outcome = self.carry_out_call(account, &call, at);
        let reply = Reply { call, outcome };
        self.calls.replies.push(Answered { number, account, at, reply });
    }

    /// When the next call arrives.
    pub fn next_arrival(&self) -> Option<Timestamp> {
        self.calls.arrivals.first_key_value().map(|((at, _), _)| *at)
    }

    /// The replies that are there by `now`, in order.
    pub fn take_replies(&mut self, now: Timestamp) -> Vec<(AccountId, Reply)> {
        let replies = self.take_numbered_replies(now).into_iter();
        replies.map(|answered| (answered.account, answered.reply)).collect()
    }

    pub(crate) fn take_numbered_replies(&mut self, now: Timestamp) -> Vec<Answered> {
        self.advance(now);
        std::mem::take(&mut self.calls.replies)
    }

    /// What the exchange said unasked since the last time, in order.
    pub fn take_events(&mut self) -> Vec<(AccountId, PrivateEvent)> {
        std::mem::take(&mut self.events)
    }

    fn carry_out_call(&mut self, account: AccountId, call: &Call, now: Timestamp) -> Outcome {
        let answer = match self.changed(account, call, now) {
            Some(answer) => answer,
            None => self.answer(account, call, None),
        };
        match answer {
            Ok(answer) => Outcome::Done(answer),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    /// Carries out a call that changes something; `None` for a question.
    fn changed(
        &mut self,
        account: AccountId,
        call: &Call,
        now: Timestamp,
    ) -> Option<Result<Answer, Refusal>> {
        Some(match *call {
            Call::Place { send_by, .. } if send_by.plus(RECEIVE_WINDOW) < now => Err(too_late()),
            Call::Place { request, .. } => self
                .place(account, &request, now)
                .map(|Placed { report, fills }| Answer::Order { report, fills }),
            Call::Cancel { client_id, instrument } => {
                let open = self.orders.open_with_id(account, client_id);
                let is_there = open.is_some_and(|order| order.draft.instrument == instrument);
                let found =
                    is_there.then(|| self.cancel(account, client_id, now)).and_then(Result::ok);
                self.cancelled(account, call, found)
            }
            Call::CancelByVenueId { venue_id, instrument } => {
                let open = self.orders.open_on(account, instrument);
                let is_there = open.into_iter().any(|order| order.venue_id() == venue_id);
                let found = is_there
                    .then(|| self.cancel_by_venue_id(account, venue_id, now))
                    .and_then(Result::ok);
                self.cancelled(account, call, found)
            }
            Call::QueryOrder { .. }
            | Call::OpenOrders
            | Call::Trades { .. }
            | Call::Balances
            | Call::Highs { .. } => return None,
        })
    }

    fn cancelled(
        &self,
        account: AccountId,
        call: &Call,
        found: Option<OrderReport>,
    ) -> Result<Answer, Refusal> {
        self.may_ask(account, call)?;
        match found {
            Some(report) => Ok(Answer::Order { report, fills: Vec::new() }),
            None => Ok(Answer::OrderNotFound),
        }
    }

    /// Answers a question, from the state of `as_of` when that is given. Highs and balances have no
    /// past.
    pub(crate) fn answer(
        &self,
        account: AccountId,
        call: &Call,
        as_of: Option<Timestamp>,
    ) -> Result<Answer, Refusal> {
        self.may_ask(account, call)?;
        let at = as_of.unwrap_or(Timestamp::MAX);
        Ok(match *call {
            // A query carries no executions (Binance, "Query order").
            Call::QueryOrder { client_id, instrument } => {
                let report = self.order_as_of(account, client_id, at);
                match report.filter(|report| report.instrument == instrument) {
                    Some(report) => Answer::Order { report, fills: Vec::new() },
                    None => Answer::OrderNotFound,
                }
            }
            Call::OpenOrders => {
                let (own, foreign) = self.open_orders_as_of(account, at);
                Answer::OpenOrders { own, foreign }
            }
            Call::Trades { instrument, since } => {
                let mut fills = self.trades(account, instrument, since);
                fills.retain(|fill| fill.at <= at);
                Answer::Trades(fills)
            }
            Call::Balances => Answer::Balances(self.balances(account)),
            Call::Highs { instrument, since } => Answer::Highs(self.high_since(instrument, since)),
            Call::Place { .. } | Call::Cancel { .. } | Call::CancelByVenueId { .. } => {
                Answer::OrderNotFound
            }
        })
    }

    fn may_ask(&self, account: AccountId, call: &Call) -> Result<(), Refusal> {
        self.known(account)?;
        match *call {
            Call::Place { request, .. } => listed(self, request.instrument),
            Call::Cancel { instrument, .. }
            | Call::CancelByVenueId { instrument, .. }
            | Call::QueryOrder { instrument, .. }
            | Call::Trades { instrument, .. }
            | Call::Highs { instrument, .. } => listed(self, instrument),
            Call::OpenOrders | Call::Balances => Ok(()),
        }
    }
}
