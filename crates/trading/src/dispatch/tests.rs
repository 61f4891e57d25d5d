//! One test per rule.

mod random;
mod storm;
mod venue;
mod world;

use tranche_model::record::{Answer, Outcome};

use super::{limits::OrderLimit, *};
use world::{START, World, cancel, name, narrow, query};

#[test]
fn lanes_go_strictly_in_order() {
    let mut world = World::new(narrow(5));
    world.advance(5000);
    world.send(1, CallLane::History, Call::Balances);
    world.order(1, CallLane::Entry, 1);
    world.order(2, CallLane::Exit, 2);
    world.send(3, CallLane::Evidence, query(3));
    world.send(4, CallLane::Protect, cancel(4));

    world.advance(0);

    let names: Vec<_> = world.sent().iter().map(name).collect();
    assert_eq!(names, ["cancel", "query", "place 2", "place 1", "balances"]);
}

#[test]
fn users_take_turns_for_places() {
    let mut world = World::new(narrow(0));
    world.ask(1, CallLane::Entry, 3);
    world.ask(2, CallLane::Entry, 1);
    world.ask(3, CallLane::Exit, 1);

    let mut turns = Vec::new();
    for _ in 0..60 {
        world.advance(100);
        for action in std::mem::take(&mut world.done) {
            if let Action::Granted { account, lane, n } = action {
                assert_eq!(n, 1);
                turns.push(account.get());
                world.order(account.get(), lane, 1);
            }
        }
    }

    assert_eq!(turns, [3, 1, 2, 1, 1]);
}

#[test]
fn a_grant_waits_until_the_place_can_leave_within_the_horizon() {
    let mut world = World::new(narrow(0));
    world.ask(1, CallLane::Exit, 10);
    world.advance(0);
    assert_eq!(world.granted(1), 2);

    let next = world.dispatch.next_time().unwrap();
    assert_eq!(next, world.now.plus(Millis::new(500)));
    world.advance(500);

    assert_eq!(world.granted(1), 3);
}

#[test]
fn places_handed_back_go_to_others() {
    let mut world = World::new(narrow(0));
    world.ask(1, CallLane::Exit, 2);
    world.advance(0);
    world.ask(2, CallLane::Exit, 2);
    world.advance(0);
    assert_eq!((world.granted(1), world.granted(2)), (2, 0));

    world.dispatch.hand_back(AccountId::new(1), CallLane::Exit, 2);
    world.advance(0);

    assert_eq!(world.granted(2), 2);
}

#[test]
fn quiet_times_give_credit_up_to_half_of_the_room() {
    let mut world = World::new(Limits { credit: 3, ..narrow(10) });
    world.advance(60_000);

    // Ten saved up and one a second: eleven within the 1.25 s of an entry.
    for account in 1..=3 {
        world.ask(account, CallLane::Entry, 0);
        world.advance(0);
    }

    assert_eq!((world.granted(1), world.granted(2), world.granted(3)), (3, 2, 0));
}

#[test]
fn an_order_leaves_until_its_send_by_and_not_later() {
    let mut world = World::new(narrow(0));
    world.order(1, CallLane::Exit, 1);
    world.order(1, CallLane::Exit, 2);
    world.order(1, CallLane::Exit, 3);
    world.order(1, CallLane::Exit, 4);

    for _ in 0..10 {
        world.advance(500);
    }

    let names: Vec<_> = world.sent().iter().map(name).collect();
    assert_eq!(names, ["place 1", "place 2", "place 3"]);
    assert_eq!(world.unsent().iter().map(name).collect::<Vec<_>>(), ["place 4"]);
}

#[test]
fn a_late_turn_sends_nothing_that_is_over() {
    let mut world = World::new(narrow(10));
    world.order(1, CallLane::Exit, 1);

    world.advance(3001);

    assert!(world.sent().is_empty());
    assert_eq!(world.unsent().len(), 1);
}

#[test]
fn a_cancel_takes_its_queued_order_back() {
    let mut world = World::new(narrow(0));
    world.order(1, CallLane::Entry, 1);
    world.order(1, CallLane::Entry, 2);

    world.send(1, CallLane::Protect, cancel(1));
    world.advance(2000);

    assert_eq!(world.unsent().iter().map(name).collect::<Vec<_>>(), ["place 1", "cancel"]);
    assert_eq!(world.sent().iter().map(name).collect::<Vec<_>>(), ["place 2"]);
}

#[test]
fn a_cancel_of_another_account_takes_nothing_back() {
    let mut world = World::new(narrow(0));
    world.order(1, CallLane::Entry, 1);

    world.send(2, CallLane::Protect, cancel(1));
    world.advance(2000);

    assert_eq!(world.sent().iter().map(name).collect::<Vec<_>>(), ["cancel", "place 1"]);
}

#[test]
fn a_forgotten_account_sends_nothing_and_holds_nothing() {
    let mut world = World::new(narrow(0));
    world.ask(1, CallLane::Exit, 5);
    world.advance(0);
    world.order(1, CallLane::Exit, 1);
    world.send(1, CallLane::Evidence, query(1));

    let calls = world.dispatch.forget(AccountId::new(1));
    world.ask(2, CallLane::Exit, 2);
    world.advance(0);

    assert_eq!(calls.iter().map(name).collect::<Vec<_>>(), ["place 1"]);
    assert_eq!(world.granted(2), 2);
    assert!(world.sent().is_empty() && world.unsent().is_empty());
}

#[test]
fn order_counts_hold_up_orders_of_one_account_only() {
    let orders = vec![OrderLimit { count: 2, window: Millis::from_secs(10) }];
    let mut world = World::new(Limits { orders, ..Limits::default() });
    world.advance(2000);
    for number in 1..=3 {
        world.order(1, CallLane::Protect, number);
    }
    world.order(2, CallLane::Protect, 4);
    world.send(1, CallLane::Protect, cancel(9));

    world.advance(0);
    assert_eq!(world.sent().len(), 4);
    assert_eq!(world.sent().iter().filter(|call| name(call) == "place 3").count(), 0);

    // The venue counts fewer, because an order was filled. The other one is still in flight.
    world.dispatch.order_count_report(CallNumber(4), Millis::from_secs(10), 0, world.now);
    world.advance(0);
    assert_eq!(world.sent().iter().skip(4).map(name).collect::<Vec<_>>(), ["place 3"]);
}

#[test]
fn order_counts_hold_up_grants() {
    let orders = vec![OrderLimit { count: 2, window: Millis::from_secs(10) }];
    let mut world = World::new(Limits { orders, ..Limits::default() });
    world.advance(2000);
    world.ask(1, CallLane::Protect, 5);
    world.ask(2, CallLane::Protect, 1);

    world.advance(0);
    assert_eq!((world.granted(1), world.granted(2)), (2, 1));

    // 2.5 s before the next window two more can leave in time.
    world.advance(5400);
    assert_eq!(world.granted(1), 2);
    world.advance(100);
    assert_eq!(world.granted(1), 4);
}

#[test]
fn throttled_means_silence_in_every_lane() {
    let mut world = World::new(narrow(5));
    world.send(1, CallLane::Protect, cancel(1));
    world.advance(0);
    let retry_at = world.now.plus(Millis::from_secs(7));
    world.answer(1, &Outcome::Throttled { retry_at });
    world.send(1, CallLane::Protect, cancel(2));
    world.ask(1, CallLane::Protect, 1);

    world.advance(6999);
    assert_eq!((world.sent().len(), world.granted(1)), (1, 0));
    assert_eq!(world.dispatch.status(), Status::Throttled(retry_at));
    assert_eq!(world.dispatch.next_time(), Some(retry_at));

    world.advance(1);
    assert_eq!((world.sent().len(), world.granted(1)), (2, 1));
    assert_eq!(world.dispatch.status(), Status::Open);
}

#[test]
fn throttled_without_a_time_pauses_for_a_second() {
    let mut world = World::new(narrow(5));
    world.send(1, CallLane::Protect, cancel(1));
    world.advance(0);
    world.answer(1, &Outcome::Throttled { retry_at: Timestamp::from_ms(0) });
    world.send(1, CallLane::Protect, cancel(2));

    world.advance(999);
    assert_eq!(world.sent().len(), 1);
    world.advance(1);
    assert_eq!(world.sent().len(), 2);
}

#[test]
fn a_ban_means_silence_until_its_end_and_jitter() {
    let ends: Vec<_> = [1, 2, 2]
        .into_iter()
        .map(|seed| {
            let mut world = World::new(Limits { seed, ..narrow(5) });
            world.dispatch.banned(world.now.plus(Millis::from_secs(120)));
            world.send(1, CallLane::Protect, cancel(1));
            world.advance(120_000 - 1);
            assert!(world.sent().is_empty());
            let end = world.dispatch.next_time().unwrap();
            assert_eq!(world.dispatch.status(), Status::Banned(end));
            world.advance(i64::from(end.since(world.now).ms()));
            assert_eq!(world.sent().len(), 1);
            end.ms() - START - 120_000
        })
        .collect();

    assert!(ends.iter().all(|jitter| (0..=5000).contains(jitter)));
    assert_ne!(ends[0], ends[1]);
    assert_eq!(ends[1], ends[2]);
}

#[test]
fn failures_in_a_row_open_the_breaker_and_one_probe_closes_it() {
    let mut world = World::new(narrow(5));
    world.fail(5);
    let until = world.now.plus(Millis::from_secs(1));
    world.advance(0);
    assert_eq!(world.dispatch.status(), Status::Broken(until));
    world.order(1, CallLane::Exit, 50);
    world.send(1, CallLane::Evidence, query(1));
    world.send(1, CallLane::Protect, cancel(60));

    world.advance(999);
    assert_eq!(world.sent().len(), 5);
    world.advance(1);
    assert_eq!(world.sent().iter().skip(5).map(name).collect::<Vec<_>>(), ["cancel"]);

    world.answer(6, &Outcome::Done(Answer::OrderNotFound));
    world.advance(0);
    assert_eq!(world.dispatch.status(), Status::Open);
    assert_eq!(world.sent().len(), 8);
}

#[test]
fn every_failed_probe_doubles_the_back_off() {
    let mut world = World::new(narrow(5));
    world.fail(5);
    let mut waits = Vec::new();
    for number in 6..16 {
        world.advance(0);
        world.send(1, CallLane::Protect, cancel(1));
        let next = world.dispatch.next_time().filter(|at| world.now < *at);
        let until = next.unwrap_or_else(|| {
            world.advance(0);
            world.dispatch.next_time().unwrap()
        });
        waits.push(until.since(world.now).ms() / 1000);
        world.advance(i64::from(until.since(world.now).ms()));
        world.answer(number, &Outcome::Unknown);
    }

    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
}

#[test]
fn a_refusal_is_an_answer_and_an_order_past_its_deadline_says_nothing() {
    let mut world = World::new(narrow(60));
    world.advance(60_000);
    world.fail(4);
    world.order(1, CallLane::Exit, 1);
    world.advance(0);
    world.now = world.now.plus(Millis::new(3001));
    world.answer(5, &Outcome::NotSent);
    world.advance(0);
    assert_eq!(world.dispatch.status(), Status::Open);

    world.fail(1);
    world.advance(0);
    assert!(matches!(world.dispatch.status(), Status::Broken(_)));
}

/// A restored account takes back orders that nobody knows, and may not: the cancels are kept back, and the
/// questions behind them have to be answered all the same.
#[test]
fn what_is_withheld_says_nothing_of_the_venue() {
    let mut world = World::new(narrow(60));
    world.advance(60_000);
    for number in 1..=9 {
        world.send(1, CallLane::Protect, cancel(u32::try_from(number).unwrap()));
        world.advance(0);
        world.dispatch.withheld(CallNumber(number), world.now);
    }
    world.advance(0);
    assert_eq!(world.dispatch.status(), Status::Open);

    world.send(1, CallLane::Protect, cancel(10));
    world.advance(0);
    world.answer(10, &Outcome::Done(Answer::OrderNotFound));
    assert_eq!(world.dispatch.in_flight(), 0);
}

/// The venue was away, and the first that would try it is kept back: the next one tries.
#[test]
fn withheld_probe_leaves_the_way_to_the_next() {
    let mut world = World::new(narrow(60));
    world.advance(60_000);
    world.fail(5);
    world.advance(1000);
    world.send(1, CallLane::Protect, cancel(6));
    world.advance(0);
    world.dispatch.withheld(CallNumber(6), world.now);
    world.send(1, CallLane::Evidence, query(7));
    world.advance(0);

    assert_eq!(world.sent().len(), 7);
    world.answer(7, &Outcome::Done(Answer::OrderNotFound));
    world.advance(0);
    assert_eq!(world.dispatch.status(), Status::Open);
}

#[test]
fn with_nothing_queued_a_broken_venue_is_tried_with_one_granted_order() {
    let mut world = World::new(narrow(60));
    world.advance(60_000);
    world.fail(5);
    world.ask(1, CallLane::Exit, 2);
    world.ask(2, CallLane::Exit, 2);

    world.advance(1000);
    assert_eq!((world.granted(1), world.granted(2)), (1, 0));
    world.order(1, CallLane::Exit, 1);
    world.advance(0);
    world.answer(6, &Outcome::Done(Answer::OrderNotFound));
    world.advance(0);

    assert_eq!((world.granted(1), world.granted(2)), (2, 2));
}

#[test]
fn calls_in_flight_are_bounded_and_some_are_kept_for_protect() {
    let mut world = World::new(Limits { in_flight_max: 5, ..Limits::default() });
    world.advance(10_000);
    for number in 1..=6 {
        world.order(number, CallLane::Exit, number);
        world.send(number, CallLane::Protect, cancel(100));
    }
    world.advance(0);
    assert_eq!(world.sent().iter().map(name).collect::<Vec<_>>(), ["cancel"; 5]);

    for number in 1..=5 {
        world.answer(number, &Outcome::Done(Answer::OrderNotFound));
    }
    world.advance(0);

    // The sixth cancel, and orders until four of five are taken.
    assert_eq!((world.sent().len(), world.dispatch.in_flight()), (9, 4));
    world.send(1, CallLane::Protect, cancel(100));
    world.advance(0);
    assert_eq!(world.dispatch.in_flight(), 5);
}

#[test]
fn weights_are_those_of_the_table() {
    let limits = Limits::default();
    let calls = [cancel(1), query(1), Call::OpenOrders, Call::Balances];

    assert_eq!(calls.map(|call| limits.weight(&call)), [1, 4, 80, 20]);
}

#[test]
fn metrics_tell_lengths_and_the_oldest_wait() {
    let mut world = World::new(narrow(0));
    world.order(1, CallLane::Entry, 1);
    world.ask(2, CallLane::Entry, 5);
    world.ask(2, CallLane::Entry, 5);
    world.advance(400);

    let metrics = world.dispatch.metrics(CallLane::Entry, world.now);

    assert_eq!((metrics.queued, metrics.queued_for.ms()), (1, 400));
    assert_eq!((metrics.asked, metrics.asked_for.ms()), (2, 400));
}

#[test]
fn what_is_spent_beside_calls_leaves_less_for_them() {
    let mut world = World::new(narrow(5));
    world.advance(5000);
    world.dispatch.spent(0, world.now);
    world.dispatch.spent(75, world.now);
    world.send(1, CallLane::History, Call::Balances);
    world.send(2, CallLane::Protect, cancel(2));

    world.advance(0);
    assert!(world.sent().is_empty(), "the minute is used up, for every lane");
    world.advance(61_000);

    assert_eq!(world.sent().len(), 2);
}

#[test]
fn a_restart_within_the_minute_goes_on_where_the_limit_was() {
    let mut former = Dispatch::new(narrow(5));
    former.spent(40, at(0));
    let usage = former.usage(at(2));
    assert_eq!(usage.used, 40);

    let mut next = Dispatch::new(narrow(5));
    next.recall(usage, at(5));
    assert_eq!(next.usage(at(5)).used, 40);

    let mut late = Dispatch::new(narrow(5));
    let ban = Some(at(600));
    late.recall(Usage { banned_until: ban, ..usage }, at(90));
    let now = late.usage(at(90));
    assert_eq!(now.used, 0, "another minute");
    assert!(ban <= now.banned_until, "a ban outlives the minute");
}

#[test]
fn what_the_venue_counted_raises_the_own_count_in_its_minute_only() {
    let mut dispatch = Dispatch::new(narrow(5));
    dispatch.spent(10, at(0));

    dispatch.weight_told(25, at(0), at(0));
    dispatch.weight_told(3, at(0), at(0));
    assert_eq!(dispatch.usage(at(0)).used, 25);

    dispatch.weight_told(25, at(0), at(60));
    assert_eq!(dispatch.usage(at(60)).used, 0);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(START + seconds * 1000)
}
