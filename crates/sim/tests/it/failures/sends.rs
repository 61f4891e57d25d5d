//! 1A: an order went out, and what became of it is not clear.

use std::collections::BTreeSet;

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{BotId, DealNo, Generation, Incarnation, Installation, Slot},
    order::OrderStatus,
    record::{Outcome, PrivateEvent, Refusal, RefusalReason},
    time::{Millis, Timestamp},
};
use tranche_sim::line::{CallFault, EventFault};
use tranche_trading::event::{CommandBody, Event};

use super::{
    all_agrees, answer, holding, intents, lose_calls, lose_events, mend, order_of, push, safety,
    traded,
};
use crate::scene::{A, BOT, OURS, Scene, draft};

#[test]
fn f_001_a_lost_answer_sends_no_second_order() {
    let mut scene = started();
    scene.next_call(1, CallFault::LoseReply);
    lose_events(&mut scene, 20);

    scene.tick(A, "100");
    scene.wait(60);

    assert_eq!(intents(&scene, Slot::BASE).len(), 1);
    assert_eq!(traded(&scene).0, scene.deal(BOT).position.bought);
    all_agrees(&scene);
}

#[test]
fn f_002_two_lost_answers_in_a_hundred_double_nothing() {
    let mut scene = started();
    for ahead in (25..20_000).step_by(50) {
        scene.next_call(ahead, CallFault::LoseReply);
    }
    for ahead in (11..40_000).step_by(13) {
        scene.next_event(ahead, EventFault::Drop);
    }

    for deal in 0..400 {
        let at = 100 + deal * 3;
        scene.tick(A, &at.to_string());
        scene.wait(15);
    }

    scene.minutes(A, "1300", 1);
    assert!(20 < scene.ended().len(), "{}", scene.ended().len());
    all_agrees(&scene);
}

#[test]
fn f_003_an_answer_that_takes_half_a_minute_is_waited_for() {
    for seconds in [1, 5, 9, 30] {
        let mut scene = started();
        scene.next_call(1, CallFault::LateReply(Millis::from_secs(seconds)));
        lose_events(&mut scene, 8);

        scene.tick(A, "100");
        // Whoever sent it has given up waiting long before.
        let request = intents(&scene, Slot::BASE)[0];
        answer(&mut scene, request, Outcome::Unknown);
        scene.wait(seconds - 1);
        assert_eq!(intents(&scene, Slot::BASE).len(), 1, "after {seconds} s");

        scene.minutes(A, "100", 1);
        assert_eq!(intents(&scene, Slot::BASE).len(), 1);
        all_agrees(&scene);
    }
}

#[test]
fn f_004_errors_of_which_half_had_been_accepted_double_nothing() {
    let mut scene = started();
    lose_events(&mut scene, 12);
    for ahead in 1..=7 {
        let is_accepted = ahead % 2 == 0;
        let fault = if is_accepted { CallFault::LoseReply } else { CallFault::LoseRequest };
        scene.next_call(ahead, fault);
    }

    scene.tick(A, "100");
    scene.minutes(A, "100", 10);

    assert_eq!(scene.open().len(), 3, "{:#?}", scene.whys);
    all_agrees(&scene);
}

#[test]
fn f_005_an_order_that_cannot_be_asked_for_is_not_placed_again() {
    let mut scene = started();
    scene.next_call(1, CallFault::LoseReply);
    lose_events(&mut scene, 8);
    scene.driver.line.plan_mut().unfindable = true;

    scene.tick(A, "100");
    scene.minutes(A, "100", 10);
    assert_eq!(intents(&scene, Slot::BASE).len(), 1);

    mend(&mut scene);
    scene.minutes(A, "100", 1);
    assert_eq!(intents(&scene, Slot::BASE).len(), 1);
    all_agrees(&scene);
}

#[test]
fn f_007_each_kind_of_error_allows_its_own_next_step_only() {
    let other = Refusal { reason: RefusalReason::Other, code: -1, text: "no".to_owned() };
    // How long nothing may follow, and by when something must.
    let cases = [
        (Outcome::Refused(other), 0, Some(3)),
        (Outcome::NotSent, 0, Some(3)),
        (Outcome::Throttled { retry_at: Timestamp::from_ms(1_030_000) }, 25, Some(40)),
        (Outcome::Unknown, 9, None),
    ];
    for (outcome, pause, by) in cases {
        let mut scene = started();
        scene.next_call(1, CallFault::LoseReply);
        lose_events(&mut scene, 8);
        scene.tick(A, "100");
        let request = intents(&scene, Slot::BASE)[0];
        if by.is_some() {
            // The exchange did nothing, as the answer says.
            scene = started();
            lose_calls(&mut scene, 1);
            scene.tick(A, "100");
        }
        answer(&mut scene, request, outcome.clone());

        scene.wait(pause);
        assert_eq!(intents(&scene, Slot::BASE).len(), 1, "{outcome:?}");
        scene.wait(by.unwrap_or(60) - pause);
        let placed = intents(&scene, Slot::BASE);
        assert_eq!(placed.len(), if by.is_some() { 2 } else { 1 }, "{outcome:?}");
        let ids: BTreeSet<_> = placed.iter().map(|request| request.client_id).collect();
        assert_eq!(ids.len(), placed.len());
    }
}

#[test]
fn f_008_a_passing_word_that_an_order_ended_is_read_a_second_time() {
    let mut scene = holding();
    let mut report = order_of(&scene, "safety order 1");
    report.status = OrderStatus::Cancelled;
    report.updated_at = scene.driver.now();
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(3)));

    push(&mut scene, report);
    scene.wait(2);
    scene.tick(A, "98.9");
    scene.wait(10);

    // It was being filled all the while.
    assert_eq!(intents(&scene, safety(1)).len(), 1);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_009_a_retry_is_not_sent_when_the_fill_came_first() {
    let mut scene = started();
    scene.next_call(1, CallFault::LoseReply);
    // The first question gets no answer either; the fill comes while the next one is queued.
    scene.next_call(2, CallFault::LoseRequest);
    for ahead in 1..=8 {
        scene.next_event(ahead, EventFault::Delay(Millis::from_secs(14)));
    }

    scene.tick(A, "100");
    scene.wait(60);

    assert_eq!(intents(&scene, Slot::BASE).len(), 1);
    all_agrees(&scene);
}

#[test]
fn f_010_a_stop_while_disconnected_holds_after_the_reconnect() {
    let mut scene = holding();
    scene.driver.stream(OURS, false);
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.evict();
    scene.driver.stream(OURS, true);
    scene.wait(5);
    let placed = scene.orders_placed();

    scene.tick(A, "103");
    scene.minutes(A, "103", 5);

    assert_eq!((scene.ended().len(), scene.open().len()), (1, 0));
    assert_eq!(scene.orders_placed(), placed);
}

#[test]
fn f_011_an_order_that_filled_before_it_was_looked_for_is_found() {
    let mut scene = started();
    // Base, take profit, first safety order.
    scene.next_call(3, CallFault::LoseReply);
    scene.tick(A, "100");
    lose_events(&mut scene, 6);

    // It is filled and gone from the list of open orders before anybody asks.
    scene.tick(A, "98.9");
    scene.evict();
    scene.minutes(A, "98.9", 2);

    assert_eq!(intents(&scene, safety(1)).len(), 1, "{:?}", scene.whys);
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_012_not_found_within_the_lag_of_reads_proves_nothing() {
    for lag in [5, 15, 30] {
        let mut scene = started();
        scene.next_call(1, CallFault::LoseReply);
        for ahead in 2..=40 {
            scene.next_call(ahead, CallFault::LaggingRead(Millis::from_secs(lag)));
        }
        lose_events(&mut scene, 8);

        scene.tick(A, "100");
        scene.minutes(A, "100", 3);

        assert_eq!(intents(&scene, Slot::BASE).len(), 1, "lag of {lag} s");
        all_agrees(&scene);
    }
}

#[test]
fn f_013_an_answer_with_fills_needs_no_question() {
    let mut scene = started();
    scene.driver.line.plan_mut().unfindable = true;
    lose_events(&mut scene, 8);

    scene.tick(A, "100");
    assert_eq!(scene.deal(BOT).position.bought, traded(&scene).0);

    // A new owner asks for orders that the exchange never finds, though they rest.
    scene.evict();
    let calls = super::calls_sent(&scene);
    scene.minutes(A, "100", 60);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
    let calls = super::calls_sent(&scene) - calls;
    assert!(calls < 200, "{calls} calls in an hour");
}

#[test]
fn f_014_ids_are_computed_and_never_collide() {
    let origin = Origin { installation: Installation::new(3), incarnation: Incarnation::new(1) };
    let slots = (1..=14).map(safety).chain([Slot::BASE, Slot::TAKE_PROFIT]);
    let mut ids = BTreeSet::new();
    for slot in slots {
        for (bot, deal) in (1..=25).flat_map(|bot| (1..=25).map(move |deal| (bot, deal))) {
            for generation in 1..=10 {
                let key = OrderKey {
                    bot: BotId::new(bot),
                    deal: DealNo::new(deal),
                    slot,
                    generation: Generation::new(generation),
                };
                let id = ClientOrderId::pack(origin, key).unwrap();
                assert_eq!(ClientOrderId::pack(origin, key), Some(id));
                assert!(ids.insert(id), "{key:?}");
            }
        }
    }
    assert_eq!(ids.len(), 100_000);
}

#[test]
fn f_015_a_fill_without_an_id_is_booked_when_its_order_is_known() {
    let mut scene = started();
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(3)));
    for ahead in 1..=8 {
        scene.next_event(ahead, EventFault::Delay(Millis::from_secs(5)));
    }
    scene.tick(A, "100");

    let mut fill = scene.driver.exchange.trades(OURS, A, Timestamp::MIN)[0];
    fill.client_id = None;
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Fill(fill)));
    assert!(scene.deal(BOT).position.bought.is_zero());

    scene.wait(10);
    assert_eq!(scene.deal(BOT).position.bought, fill.qty);
    all_agrees(&scene);
}

/// A bot that waits for its first price.
fn started() -> Scene {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene
}
