//! Ten thousand orders at once: who leaves when, and whether the venue would have minded.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tranche_model::{
    ids::{AccountId, UserId},
    money::Fraction,
    record::{Answer, Call, CallLane, Outcome},
    time::{Millis, Timestamp},
};

use super::{
    venue::{Counts, Draws, Venue},
    world::{START, cancel, place},
};
use crate::dispatch::{
    Action, Applicant, CallNumber, Dispatch,
    lanes::LANES,
    limits::{Limits, OrderLimit},
};

const USERS: u32 = 1000;
const EXITS: u16 = 2;
const ENTRIES: u16 = 8;
const ORDERS: u32 = 10_000;
const PER_SECOND: u32 = 100;
/// Cancels have numbers of their own.
const FIRST_CANCEL: u32 = 1 << 30;

#[derive(Debug, Clone, Copy)]
struct Setting {
    seed: u64,
    start_ms: i64,
    skew_ms: i64,
    /// Weight that others use on the address, once in each half minute.
    foreign_max: u32,
    /// Calls of a hundred that get no answer.
    lost_pct: u32,
    orders_per_ten_seconds: u32,
    /// Neither reserve nor pace: only the venue's window holds anything back.
    unpaced: bool,
}

const QUIET: Setting = Setting {
    seed: 1,
    start_ms: 0,
    skew_ms: 0,
    foreign_max: 0,
    lost_pct: 0,
    orders_per_ten_seconds: 5,
    unpaced: false,
};

const UNPACED: Setting = Setting { unpaced: true, orders_per_ten_seconds: 100, ..QUIET };

/// What happens later.
enum Event {
    Send { lane: CallLane, who: Applicant, call: Call },
    Arrive { number: CallNumber, account: AccountId, call: Call },
    Answer { number: CallNumber, counts: Counts, lost: bool },
    Foreign,
    Cancel,
}

struct Storm {
    setting: Setting,
    limits: Limits,
    dispatch: Dispatch,
    venue: Venue,
    draws: Draws,
    now: Timestamp,
    events: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
    /// By the number of the order or cancel: where it is.
    calls: BTreeMap<u32, Sent>,
    /// How many of the calls are not over.
    open_calls: u32,
    waits: BTreeMap<UserId, Vec<u32>>,
    last_exit: Timestamp,
    entries_before_last_exit: Vec<Timestamp>,
    cancel_wait_max: Millis,
    left: u32,
    expired: u32,
    drained_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    who: Applicant,
    lane: CallLane,
    at: Timestamp,
    is_over: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn a_storm_drains_fairly_at_full_speed(
        seed: u64, start_ms in 0_i64..60_000, skew_ms in -150_i64..150
    ) {
        Storm::run(Setting { seed, start_ms, skew_ms, ..QUIET }).check_quiet()?;
    }

    #[test]
    fn a_storm_beside_others_breaks_no_limit(
        seed: u64, start_ms in 0_i64..60_000, skew_ms in -150_i64..150,
        foreign_max in 1_u32..700, lost_pct in 0_u32..5
    ) {
        let storm = Storm::run(Setting { seed, start_ms, skew_ms, foreign_max, lost_pct, ..QUIET });

        prop_assert_eq!(storm.venue.breaches, 0);
        storm.check_fairness()?;
    }

    #[test]
    fn a_storm_without_reserve_and_pace_breaks_no_limit(
        seed: u64, start_ms in 0_i64..60_000, skew_ms in -150_i64..150
    ) {
        let storm = Storm::run(Setting { seed, start_ms, skew_ms, ..UNPACED });

        prop_assert_eq!(storm.venue.breaches, 0);
    }
}

/// A cancel is sent in the very millisecond of the last answer, and has had no turn yet.
#[test]
fn a_storm_is_not_over_before_the_turn_of_its_last_cancel() -> Result<(), TestCaseError> {
    let seed = 12_788_565_214_274_256_113;
    let storm = Storm::run(Setting { seed, start_ms: 9764, skew_ms: -107, ..QUIET });

    assert!(storm.calls.values().any(|sent| storm.drained_at < sent.at));
    storm.check_quiet()
}

#[test]
fn without_reserve_and_pace_a_minute_is_used_up() {
    let storm = Storm::run(UNPACED);

    assert_eq!(storm.venue.peak(), storm.limits.weight_per_minute);
    assert!(storm.drained_at.since(storm.started_at()) < Millis::from_secs(62));
}

#[test]
fn one_user_with_most_of_the_orders_delays_nobody_else() {
    let mut storm = Storm::new(Setting { orders_per_ten_seconds: 100, ..QUIET });
    storm.ask(1, CallLane::Entry, 5000);
    for user in 2..=51 {
        storm.ask(user, CallLane::Entry, 10);
    }

    storm.drain();

    // Each of 50 users shares with the big one: 510 of the first orders, at 100 a second.
    let latest = storm.waits.iter().filter(|(user, _)| 1 < user.get());
    let latest = latest.filter_map(|(_, waits)| waits.iter().max()).max().unwrap();
    assert!(*latest < 6000, "{latest} ms");
}

impl Storm {
    fn run(setting: Setting) -> Self {
        let mut storm = Self::new(setting);
        for user in 1..=USERS {
            storm.ask(user, CallLane::Entry, ENTRIES);
        }
        for user in (1..=USERS).rev() {
            storm.ask(user, CallLane::Exit, EXITS);
        }
        storm.later(0, Event::Cancel);
        storm.later(0, Event::Foreign);
        storm.drain();
        storm
    }

    fn new(setting: Setting) -> Self {
        // Four fifths are open to orders: a hundred a second.
        let limits = Limits {
            weight_per_minute: PER_SECOND * 75,
            orders: vec![OrderLimit {
                count: setting.orders_per_ten_seconds,
                window: Millis::from_secs(10),
            }],
            credit: 0,
            ..Limits::default()
        };
        let limits = if setting.unpaced {
            let burst = Millis::from_secs(60);
            Limits { reserve_share: Fraction::ZERO, burst, ..limits }
        } else {
            limits
        };
        let now = Timestamp::from_ms(START + setting.start_ms);
        let mut dispatch = Dispatch::new(limits.clone());
        if setting.unpaced {
            dispatch.advance(now.minus(Millis::from_secs(60)), &mut Vec::new());
        }
        Self {
            dispatch,
            venue: Venue::new(limits.clone(), setting.skew_ms),
            draws: Draws::new(setting.seed),
            setting,
            limits,
            now,
            events: BTreeMap::new(),
            next: 0,
            calls: BTreeMap::new(),
            open_calls: 0,
            waits: BTreeMap::new(),
            last_exit: now,
            entries_before_last_exit: Vec::new(),
            cancel_wait_max: Millis::ZERO,
            left: 0,
            expired: 0,
            drained_at: now,
        }
    }

    fn started_at(&self) -> Timestamp {
        Timestamp::from_ms(START + self.setting.start_ms)
    }

    fn who(user: u32) -> Applicant {
        Applicant { account: AccountId::new(user), user: UserId::new(user) }
    }

    fn ask(&mut self, user: u32, lane: CallLane, n: u16) {
        self.left += u32::from(n);
        self.dispatch.ask(Self::who(user), lane, n, self.now);
    }

    fn later(&mut self, delay: i64, event: Event) {
        self.next += 1;
        let at = Timestamp::from_ms(self.now.ms() + delay);
        self.events.insert((at, self.next), event);
    }

    /// Until every order left, and every call ended and was answered.
    fn drain(&mut self) {
        let mut actions = Vec::new();
        while 0 < self.left + self.open_calls + self.dispatch.in_flight() {
            self.dispatch.advance(self.now, &mut actions);
            for action in actions.drain(..) {
                self.act(action);
            }
            assert_eq!(self.open_calls, self.queued(), "a call got lost");
            assert!(self.now.since(self.started_at()) < Millis::from_secs(1000), "stuck");
            let event = self.events.first_key_value().map(|(key, _)| key.0);
            let Some(next) = event.into_iter().chain(self.dispatch.next_time()).min() else {
                break;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.events.first_entry()
                && entry.key().0 <= self.now
            {
                let event = entry.remove();
                self.happen(event);
            }
        }
        assert_eq!(self.left, 0, "an order never left");
        assert!(self.calls.values().all(|sent| sent.is_over), "a call got lost");
        assert_eq!(self.queued(), 0);
        assert!(self.dispatch.budget.owes_nothing());
    }

    /// How many calls the dispatch holds.
    fn queued(&self) -> u32 {
        LANES.iter().map(|lane| self.dispatch.metrics(*lane, self.now).queued).sum()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Granted { account, lane, n } => {
                for _ in 0..n {
                    let number = u32::try_from(self.next).unwrap();
                    let call = place(number, self.now.plus(Millis::from_secs(3)));
                    let delay = self.draws.delay(30);
                    self.later(delay, Event::Send { lane, who: Self::who(account.get()), call });
                }
            }
            Action::Transmit { number, account, call } => {
                self.leave(&call);
                let delay = self.draws.delay(80);
                self.later(delay, Event::Arrive { number, account, call });
            }
            Action::NotSent { account, call } => {
                let sent = self.end(&call);
                self.expired += 1;
                self.dispatch.ask(Self::who(account.get()), sent.lane, 1, self.now);
            }
        }
    }

    fn leave(&mut self, call: &Call) {
        let sent = self.end(call);
        let Call::Place { send_by, .. } = call else {
            self.cancel_wait_max = self.cancel_wait_max.max(self.now.since(sent.at));
            return;
        };
        assert!(self.now <= *send_by);
        self.left -= 1;
        self.drained_at = self.now;
        let wait = self.now.since(self.started_at()).ms();
        self.waits.entry(sent.who.user).or_default().push(wait);
        if sent.lane == CallLane::Exit {
            self.last_exit = self.now;
        } else {
            assert_eq!(self.dispatch.metrics(CallLane::Protect, self.now).queued, 0);
            self.entries_before_last_exit.push(self.now);
        }
    }

    /// Each call ends once.
    fn end(&mut self, call: &Call) -> Sent {
        let sent = self.calls.get_mut(&number_of(call)).expect("a call that was sent");
        assert!(!sent.is_over, "a call ended twice");
        sent.is_over = true;
        self.open_calls -= 1;
        *sent
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Send { lane, who, call } => {
                let sent = Sent { who, lane, at: self.now, is_over: false };
                let before = self.calls.insert(number_of(&call), sent);
                assert!(before.is_none(), "two calls of one number");
                self.open_calls += 1;
                self.dispatch.send(who, lane, call, self.now);
            }
            Event::Arrive { number, account, call } => {
                let counts = self.venue.arrive(account, &call, self.now);
                let lost = self.draws.below(100) < self.setting.lost_pct;
                let delay = if lost { 5000 } else { self.draws.delay(80) };
                self.later(delay, Event::Answer { number, counts, lost });
            }
            Event::Answer { number, lost: true, .. } => {
                self.dispatch.reply(number, &Outcome::Unknown, self.now);
            }
            Event::Answer { number, counts, lost: false } => self.answer(number, &counts),
            Event::Foreign => {
                let weight = self.draws.below(self.setting.foreign_max + 1);
                self.venue.add(weight, self.now);
                self.later(30_000, Event::Foreign);
            }
            Event::Cancel => {
                let number = FIRST_CANCEL + u32::try_from(self.next).unwrap();
                let who = Self::who(1 + self.draws.below(USERS));
                self.later(0, Event::Send { lane: CallLane::Protect, who, call: cancel(number) });
                let delay = self.draws.delay(4000);
                self.later(delay, Event::Cancel);
            }
        }
    }

    fn answer(&mut self, number: CallNumber, counts: &Counts) {
        self.dispatch.weight_report(number, counts.weight, self.now);
        for (limit, count) in self.limits.orders.iter().zip(&counts.orders) {
            self.dispatch.order_count_report(number, limit.window, *count, self.now);
        }
        self.dispatch.reply(number, &Outcome::Done(Answer::OrderNotFound), self.now);
    }

    /// What holds when nobody else uses the address, and no answer is missing.
    fn check_quiet(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.venue.breaches, 0);
        prop_assert_eq!(self.expired, 0, "a grant promised what could not leave");
        self.check_exits_first()?;
        self.check_fairness()?;
        self.check_speed()
    }

    fn check_exits_first(&self) -> Result<(), TestCaseError> {
        // Entries are granted when the last exits are; those are being committed for 30 ms.
        let soon = self.last_exit.minus(Millis::new(40));
        let early = self.entries_before_last_exit.iter().filter(|at| **at < soon);
        prop_assert_eq!(early.count(), 0);
        Ok(())
    }

    fn check_fairness(&self) -> Result<(), TestCaseError> {
        let mut waits: Vec<u32> =
            self.waits.values().filter_map(|waits| waits.iter().max()).copied().collect();
        waits.sort_unstable();
        let (median, max) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        prop_assert!(max <= median * 5, "median {} ms, max {} ms", median, max);
        prop_assert!(self.cancel_wait_max <= Millis::from_secs(1), "{}", self.cancel_wait_max);
        Ok(())
    }

    fn check_speed(&self) -> Result<(), TestCaseError> {
        // Cancels after the last order took no time from any.
        let cancels = self.calls.range(FIRST_CANCEL..);
        let cancels = cancels.filter(|(_, sent)| sent.at <= self.drained_at);
        let cancels = u32::try_from(cancels.count());
        let bound_ms = (ORDERS + cancels.unwrap()) * 1000 / PER_SECOND;
        let took_ms = self.drained_at.since(self.started_at()).ms();
        prop_assert!(took_ms * 100 <= bound_ms * 102, "took {} of {} ms", took_ms, bound_ms);
        prop_assert!(self.venue.peak() <= self.limits.weight_per_minute);
        Ok(())
    }
}

fn number_of(call: &Call) -> u32 {
    match call {
        Call::Place { request, .. } => request.client_id.key().bot.get(),
        Call::Cancel { client_id, .. } => client_id.key().bot.get(),
        Call::CancelByVenueId { .. }
        | Call::QueryOrder { .. }
        | Call::OpenOrders
        | Call::Trades { .. }
        | Call::Balances
        | Call::Highs { .. } => unreachable!("the storm sends orders and cancels"),
    }
}
