//! 1B: what the exchange tells is lost, late, early, doubled or in another order.

use tranche_model::{
    balance::Balance,
    ids::Slot,
    money::Amount,
    order::OrderStatus,
    record::{Call, Outcome, PrivateEvent, Refusal, RefusalReason, Reply},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    line::{CallFault, EventFault, LinePlan},
    memory::CommitFault,
};
use tranche_trading::{
    account::AccountState,
    dca::{Draft, draft::Start},
    event::{CommandBody, Event},
    order::{Cancel, Stage},
    why::Why,
};

use super::{
    all_agrees, calls_sent, count, holding, holding_far_away, holding_with, intents, lose_calls,
    lose_events, mend, order_of, push, qty, safety, traded, watched,
};
use crate::scene::{A, BOT, OURS, Scene, Terms, asset, draft};

#[test]
fn f_016_dns_outage_keeps_orders() {
    let mut scene = holding();
    scene.driver.stream(OURS, false);
    lose_calls(&mut scene, 2000);
    lose_events(&mut scene, 2000);

    // Nobody can be asked; the exchange goes on, and fills one of the orders.
    scene.minutes(A, "100", 10);
    scene.tick(A, "98.9");
    // A new owner cannot ask either.
    scene.evict();
    scene.minutes(A, "98.9", 10);
    assert_eq!(scene.lane(BOT).orders().count(), 3, "{:?}", scene.lane(BOT));
    assert_eq!(count(&scene, |why| matches!(why, Why::Forgotten { .. })), 0);

    mend(&mut scene);
    scene.driver.stream(OURS, true);
    scene.minutes(A, "98.9", 6);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_017_a_night_of_disconnects_loses_no_fill() {
    let mut scene = holding_with(Draft { max_safety_orders: 4, ..draft() });
    let prices = ["100", "98.9", "97.9", "99", "101", "103", "99.5", "104", "107"];
    for hour in 0..8 {
        for (minute, price) in (0..).zip(prices) {
            let is_down = (hour + minute) % 3 != 0;
            scene.driver.stream(OURS, !is_down);
            if is_down {
                lose_events(&mut scene, 4);
                lose_calls(&mut scene, 3);
            }
            scene.minutes(A, price, 2);
            mend(&mut scene);
        }
    }

    scene.driver.stream(OURS, true);
    scene.minutes(A, "107", 10);
    assert!(3 < scene.ended().len(), "{:?}", scene.ended());
    all_agrees(&scene);
}

#[test]
fn f_018_a_refused_cancel_is_no_end() {
    let mut scene = holding_far_away(draft());
    let profit = order_of(&scene, "take profit 1").client_id;
    lose_events(&mut scene, 6);

    // The cancel arrives after the fill and is refused; the fill itself is not told.
    let deal = scene.deal(BOT).no;
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();
    scene.tick(A, "103");
    let refused = Refusal { reason: RefusalReason::Other, code: -2011, text: String::new() };
    let call = Call::Cancel { client_id: profit, instrument: A };
    let reply = Reply { call, outcome: Outcome::Refused(refused) };
    scene.driver.tell(OURS, Event::Reply(reply));
    assert!(scene.lane(BOT).seat(Slot::TAKE_PROFIT).unwrap().order.is_some());
    scene.wait(60);

    assert_eq!(scene.ended(), ["closed_by_command"]);
    assert_eq!(traded(&scene).1, qty("0.999"));
    assert!(intents(&scene, Slot::CLOSE).is_empty());
    all_agrees(&scene);
}

#[test]
fn f_019_a_fill_before_its_answer_finds_its_order() {
    let line = LinePlan { events_first: true, ..LinePlan::default() };
    let mut scene = Scene::with(Setup { line, ..Setup::default() }, Terms::default());
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(8)));
    // What became of the order is not told, only its execution.
    lose_events(&mut scene, 3);

    scene.tick(A, "100");
    scene.wait(1);
    assert_eq!(scene.deal(BOT).position.bought, qty("1"));
    assert_eq!(scene.open().len(), 3, "the ladder does not wait for the answer");

    scene.wait(20);
    all_agrees(&scene);
}

#[test]
fn f_020_a_fill_that_nobody_reports_is_found() {
    let mut scene = holding();
    lose_events(&mut scene, 20);
    scene.tick(A, "98.9");
    assert_eq!(scene.deal(BOT).levels.count(), 0);

    // The list of open orders is read each quarter of an hour.
    scene.minutes(A, "98.9", 16);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_021_an_execution_before_its_order_breaks_nothing() {
    let line = LinePlan { events_first: true, ..LinePlan::default() };
    let mut scene = Scene::with(Setup { line, ..Setup::default() }, Terms::default());
    scene.create(BOT, draft());
    // The order's own news come last each time.
    for ahead in (1..400).step_by(2) {
        scene.next_event(ahead, EventFault::Delay(Millis::new(400)));
    }

    for price in ["100", "98.9", "97.9", "100", "103", "99", "106", "109"] {
        scene.tick(A, price);
        scene.wait(2);
    }

    assert!(2 <= scene.ended().len(), "{:?}", scene.ended());
    assert_eq!(count(&scene, |why| matches!(why, Why::Quarantined { .. })), 0);
    assert_eq!(scene.driver.loads_count, 1);
    all_agrees(&scene);
}

#[test]
fn f_022_a_late_lower_state_changes_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    // Base, take profit, first safety order: its "taken" arrives after its fill.
    scene.next_call(3, CallFault::LateReply(Millis::from_secs(5)));
    scene.tick(A, "100");
    scene.tick(A, "98.9");
    assert_eq!(scene.deal(BOT).levels.count(), 1);

    scene.wait(10);
    assert_eq!(intents(&scene, safety(1)).len(), 1);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    assert_eq!(count(&scene, |why| matches!(why, Why::Adopted { .. })), 0);
    all_agrees(&scene);
}

#[test]
fn f_023_a_fill_that_is_read_and_told_later_is_booked_once() {
    for delay in [500, 2500, 10_000] {
        let mut scene = holding();
        for ahead in 1..=6 {
            scene.next_event(ahead, EventFault::Delay(Millis::new(delay)));
        }
        scene.tick(A, "98.9");
        // A new owner reads everything while the events are on their way.
        scene.evict();
        scene.wait(1);
        scene.evict();
        scene.wait(20);

        assert_eq!(scene.deal(BOT).position.bought, traded(&scene).0, "{delay} ms");
        all_agrees(&scene);
    }
}

#[test]
fn f_024_a_crash_around_the_booking_of_a_fill_books_it_once() {
    for ahead in 1..=5 {
        for fault in [CommitFault::Fail, CommitFault::Lose, CommitFault::ApplyLoseReply] {
            let mut scene = holding();
            scene.next_commit(ahead, fault);
            scene.tick(A, "98.9");
            scene.evict();
            scene.minutes(A, "98.9", 1);

            let (bought, _) = traded(&scene);
            assert_eq!(scene.deal(BOT).position.bought, bought, "{fault:?} {ahead}");
            all_agrees(&scene);
        }
    }
}

#[test]
fn f_025_news_of_any_time_told_again_changes_nothing() {
    let mut scene = holding();
    for price in ["98.9", "97.9", "101.5", "104"] {
        scene.tick(A, price);
        scene.wait(5);
    }
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let (deals, booked) = (stored.deals.clone(), stored.fills.clone());
    let totals: Vec<_> = scene.account().desk.ledger.totals().collect();

    let placed = stored.intents.iter().map(|row| row.request.client_id).collect::<Vec<_>>();
    for fill in scene.driver.exchange.trades(OURS, A, Timestamp::MIN) {
        scene.driver.tell(OURS, Event::Private(PrivateEvent::Fill(fill)));
    }
    for id in placed {
        let report = scene.driver.exchange.order(OURS, id).unwrap();
        push(&mut scene, report);
    }

    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    assert_eq!((&stored.deals, &stored.fills), (&deals, &booked));
    assert_eq!(scene.account().desk.ledger.totals().collect::<Vec<_>>(), totals);
    all_agrees(&scene);
}

#[test]
fn f_026_an_older_view_of_an_order_is_not_taken_back_in() {
    let mut scene = holding();
    let resting = order_of(&scene, "safety order 1");
    scene.wait(5);
    // Half of it was traded, as the answer to a question says; its fills are not told yet.
    let mut half = resting;
    half.status = OrderStatus::PartiallyFilled;
    half.updated_at = scene.driver.now();
    push(&mut scene, half);
    let mut ended = resting;
    ended.status = OrderStatus::Cancelled;
    push(&mut scene, ended);

    let lane = scene.lane(BOT);
    let order = lane.seat(safety(1)).unwrap().order.as_ref().unwrap();
    assert_eq!((order.stage, order.reported_at), (Stage::Open, half.updated_at));
    scene.minutes(A, "100", 1);
    assert_eq!(scene.orders_placed(), 4);
    all_agrees(&scene);
}

#[test]
fn f_027_an_order_filled_between_two_polls_is_not_bought_again() {
    let mut scene = holding();
    scene.driver.stream(OURS, false);
    lose_events(&mut scene, 20);
    // From one reading of the list to the next it is there and gone.
    scene.wait(61);
    scene.tick(A, "98.9");
    scene.tick(A, "100");
    scene.minutes(A, "100", 3);

    assert_eq!(intents(&scene, safety(1)).len(), 1);
    assert_eq!(scene.deal(BOT).position.bought, traded(&scene).0);
    scene.driver.stream(OURS, true);
    scene.wait(10);
    all_agrees(&scene);
}

#[test]
fn f_028_a_stale_balance_takes_no_position_away() {
    let mut scene = holding();
    let position = scene.deal(BOT).position;
    let empty = Balance { asset: asset("AAA"), free: Amount::ZERO, locked: Amount::ZERO };

    for _ in 0..10 {
        scene.driver.tell(OURS, Event::Private(PrivateEvent::Balances(vec![empty])));
        scene.tick(A, "99.5");
    }
    scene.minutes(A, "99.5", 1);

    assert_eq!(scene.deal(BOT).position, position);
    assert_eq!((scene.orders_placed(), scene.open().len()), (4, 3));
    assert_eq!(count(&scene, |why| matches!(why, Why::BalanceMoved { .. })), 0);
    all_agrees(&scene);
}

#[test]
fn f_030_without_stream_and_reads_nothing_new_is_opened() {
    let mut scene = holding_with(watched());
    scene.driver.stream(OURS, false);
    assert_eq!(scene.account().desk.state, AccountState::Degraded);
    lose_calls(&mut scene, 1000);

    let placed = scene.orders_placed();
    for price in ["98.9", "98", "97", "96"] {
        scene.minutes(A, price, 1);
    }
    assert_eq!(scene.orders_placed(), placed, "{:?}", scene.whys);
    assert_eq!(scene.account().desk.state, AccountState::Degraded);

    mend(&mut scene);
    scene.driver.stream(OURS, true);
    scene.minutes(A, "98.9", 6);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
    assert!(placed < scene.orders_placed());
}

#[test]
fn f_031_patience_that_ends_decides_nothing() {
    for seconds in [15, 60, 120] {
        let mut scene = Scene::new();
        scene.create(BOT, Draft { start: Start::Asap, ..draft() });
        scene.next_call(1, CallFault::LateReply(Millis::from_secs(seconds)));
        lose_events(&mut scene, 8);
        scene.tick(A, "100");
        // Ten seconds later whoever sent it gives up waiting, and all questions fail.
        for ahead in 1..=400 {
            scene.next_call(ahead, CallFault::LoseRequest);
        }
        scene.wait(10);
        let request = intents(&scene, Slot::BASE)[0];
        super::answer(&mut scene, request, Outcome::Unknown);
        scene.wait(seconds - 11);
        assert_eq!(scene.orders_placed(), 1);
        let order = scene.lane(BOT).orders().next().unwrap().1;
        assert_eq!(order.stage, Stage::Unknown);

        mend(&mut scene);
        scene.minutes(A, "100", 6);
        assert_eq!(intents(&scene, Slot::BASE).len(), 1);
        all_agrees(&scene);
    }
}

#[test]
fn f_032_a_cancel_with_an_answer_nobody_knows_is_repeated_with_pauses() {
    let mut scene = holding();
    let profit = order_of(&scene, "take profit 1").client_id;
    let deal = scene.deal(BOT).no;
    lose_calls(&mut scene, 10_000);
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.command(CommandBody::CloseDeal { bot: BOT, deal }).unwrap();

    // For half an hour each cancel is answered with a code that no document has.
    for _ in 0..1800 {
        let seat = scene.lane(BOT).seat(Slot::TAKE_PROFIT).unwrap();
        if matches!(seat.order.as_ref().unwrap().cancel(), Cancel::Asked { .. }) {
            let refused =
                Refusal { reason: RefusalReason::Other, code: 59_999, text: String::new() };
            let call = Call::Cancel { client_id: profit, instrument: A };
            let reply = Reply { call, outcome: Outcome::Refused(refused) };
            scene.driver.tell(OURS, Event::Reply(reply));
        }
        scene.wait(1);
    }

    let is_it = |why: &Why| matches!(why, Why::CancelAsked { slot: Slot::TAKE_PROFIT, .. });
    let asked = count(&scene, is_it);
    assert!((5..=16).contains(&asked), "{asked} times");
    let calls = calls_sent(&scene);
    assert!(calls < 200, "{calls} calls in half an hour");
    mend(&mut scene);
    scene.minutes(A, "100", 6);
    assert_eq!(scene.ended(), ["closed_by_command"]);
}
