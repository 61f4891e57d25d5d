//! Any inputs in any order: nothing is lost, nothing happens twice, and nothing spins.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tranche_model::{
    ids::{AccountId, UserId},
    record::{Answer, Call, CallLane, Outcome},
    time::{Millis, Timestamp},
};

use super::world::{START, cancel, place};
use crate::dispatch::{
    Action, Applicant, CallNumber, Dispatch, Status,
    lanes::LANES,
    limits::{Limits, OrderLimit},
};

#[derive(Debug, Clone, Copy)]
enum Input {
    Ask {
        account: u32,
        lane: CallLane,
        n: u16,
    },
    HandBack {
        account: u32,
        lane: CallLane,
        n: u16,
    },
    Order {
        account: u32,
        lane: CallLane,
    },
    Question {
        account: u32,
        lane: CallLane,
    },
    /// Of the order sent so many orders ago.
    Cancel {
        back: u32,
    },
    Forget {
        account: u32,
    },
    Wait {
        ms: u32,
    },
    Answer {
        what: u8,
        used: u32,
    },
    Ban {
        ms: u32,
    },
}

struct World {
    dispatch: Dispatch,
    now: Timestamp,
    /// The orders that are neither sent, unsent nor forgotten.
    open_orders: BTreeSet<u32>,
    accounts: Vec<u32>,
    calls_sent: u32,
    calls_ended: u32,
    in_flight: Vec<CallNumber>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_and_nothing_stays_owed(
        inputs in prop::collection::vec(input(), 1..200)
    ) {
        let mut world = World::new();
        for input in inputs {
            world.feed(input);
            world.advance();
        }

        world.settle();
    }
}

fn input() -> impl Strategy<Value = Input> {
    let account = 0_u32..6;
    let lane = prop::sample::select(LANES.to_vec());
    prop_oneof![
        4 => (account.clone(), lane.clone(), 0_u16..5)
            .prop_map(|(account, lane, n)| Input::Ask { account, lane, n }),
        1 => (account.clone(), lane.clone(), 0_u16..5)
            .prop_map(|(account, lane, n)| Input::HandBack { account, lane, n }),
        6 => (account.clone(), lane.clone())
            .prop_map(|(account, lane)| Input::Order { account, lane }),
        2 => (account.clone(), lane)
            .prop_map(|(account, lane)| Input::Question { account, lane }),
        2 => (0_u32..20).prop_map(|back| Input::Cancel { back }),
        1 => account.prop_map(|account| Input::Forget { account }),
        6 => (0_u32..2000).prop_map(|ms| Input::Wait { ms }),
        6 => (0_u8..8, 0_u32..100).prop_map(|(what, used)| Input::Answer { what, used }),
        1 => (0_u32..9000).prop_map(|ms| Input::Ban { ms }),
    ]
}

impl World {
    fn new() -> Self {
        let limits = Limits {
            weight_per_minute: 120,
            orders: vec![OrderLimit { count: 3, window: Millis::from_secs(10) }],
            in_flight_max: 8,
            ..Limits::default()
        };
        Self {
            dispatch: Dispatch::new(limits),
            now: Timestamp::from_ms(START),
            open_orders: BTreeSet::new(),
            accounts: Vec::new(),
            calls_sent: 0,
            calls_ended: 0,
            in_flight: Vec::new(),
        }
    }

    fn who(account: u32) -> Applicant {
        Applicant { account: AccountId::new(account), user: UserId::new(account / 2) }
    }

    fn feed(&mut self, input: Input) {
        match input {
            Input::Ask { account, lane, n } => {
                self.dispatch.ask(Self::who(account), lane, n, self.now);
            }
            Input::HandBack { account, lane, n } => {
                self.dispatch.hand_back(AccountId::new(account), lane, n);
            }
            Input::Order { account, lane } => {
                let number = u32::try_from(self.accounts.len()).unwrap();
                self.accounts.push(account);
                self.open_orders.insert(number);
                self.send(account, lane, place(number, self.now.plus(Millis::from_secs(3))));
            }
            Input::Question { account, lane } => self.send(account, lane, Call::Balances),
            Input::Cancel { back } => {
                let Some(place) = self.accounts.iter().rev().nth(back.try_into().unwrap()) else {
                    return;
                };
                let number = u32::try_from(self.accounts.len()).unwrap() - 1 - back;
                self.send(*place, CallLane::Protect, cancel(number));
            }
            Input::Forget { account } => self.forget(account),
            Input::Wait { ms } => self.now = self.now.plus(Millis::new(ms)),
            Input::Answer { what, used } => self.answer(what, used),
            Input::Ban { ms } => self.dispatch.banned(self.now.plus(Millis::new(ms))),
        }
    }

    fn send(&mut self, account: u32, lane: CallLane, call: Call) {
        self.calls_sent += 1;
        self.dispatch.send(Self::who(account), lane, call, self.now);
    }

    fn forget(&mut self, account: u32) {
        let waiting = |dispatch: &Dispatch| -> u32 {
            let queued = LANES.map(|lane| dispatch.metrics(lane, Timestamp::from_ms(0)).queued);
            queued.iter().sum()
        };
        let before = waiting(&self.dispatch);
        for call in self.dispatch.forget(AccountId::new(account)) {
            self.close(&call);
        }
        self.calls_ended += before - waiting(&self.dispatch);
        assert!(
            self.open_orders
                .iter()
                .all(|order| { self.accounts[usize::try_from(*order).unwrap()] != account })
        );
    }

    fn answer(&mut self, what: u8, used: u32) {
        if self.in_flight.is_empty() {
            return;
        }
        let number = self.in_flight.remove(usize::from(what) % self.in_flight.len());
        let retry_at = self.now.plus(Millis::new(used * 50));
        let outcome = match what {
            0..=3 => Outcome::Done(Answer::OrderNotFound),
            4..=5 => Outcome::Unknown,
            6 => Outcome::NotSent,
            7.. => Outcome::Throttled { retry_at },
        };
        self.dispatch.weight_report(number, used, self.now);
        self.dispatch.order_count_report(number, Millis::from_secs(10), used / 30, self.now);
        self.dispatch.reply(number, &outcome, self.now);
    }

    fn advance(&mut self) {
        let status = self.dispatch.status();
        let mut actions = Vec::new();
        self.dispatch.advance(self.now, &mut actions);
        for action in actions {
            self.act(action, status);
        }
        let next = self.dispatch.next_time();
        assert!(next.is_none_or(|next| self.now < next), "spins at {}", self.now.ms());
    }

    fn act(&mut self, action: Action, status: Status) {
        match action {
            Action::Granted { n, .. } => assert_ne!(n, 0),
            Action::Transmit { number, call, .. } => {
                if let Status::Banned(until) | Status::Throttled(until) = status {
                    assert!(until <= self.now, "sent in silence");
                }
                if let Call::Place { send_by, .. } = call {
                    assert!(self.now <= send_by);
                }
                self.calls_ended += 1;
                self.close(&call);
                self.in_flight.push(number);
                assert!(self.in_flight.len() <= 8);
            }
            Action::NotSent { call, .. } => {
                self.calls_ended += 1;
                self.close(&call);
            }
        }
    }

    fn close(&mut self, call: &Call) {
        if let Call::Place { request, .. } = call {
            let number = request.client_id.key().bot.get();
            assert!(self.open_orders.remove(&number), "order {number} ended twice");
        }
    }

    /// The venue answers everything; what waits leaves, and unused places are handed back.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.answer(0, 0);
            self.advance();
            self.hand_back_all();
            self.advance();
            match self.dispatch.next_time() {
                Some(next) => self.now = self.now.max(next),
                None if self.in_flight.is_empty() => break,
                None => {}
            }
        }
        self.hand_back_all();
        assert_eq!(self.calls_ended, self.calls_sent);
        assert!(self.open_orders.is_empty());
        assert!(self.dispatch.budget.owes_nothing());
        for lane in LANES {
            assert_eq!(self.dispatch.metrics(lane, self.now).queued, 0);
            assert_eq!(self.dispatch.metrics(lane, self.now).asked, 0);
        }
    }

    fn hand_back_all(&mut self) {
        for lane in LANES {
            for account in 0..6 {
                self.dispatch.hand_back(AccountId::new(account), lane, u16::MAX);
            }
        }
    }
}
