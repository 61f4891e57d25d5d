//! Orders and answers that the venue forgets, refuses or ends unasked.

use tranche_model::{
    ids::Slot,
    order::{OrderReport, OrderStatus},
    record::{Call, Outcome, PrivateEvent, Refusal, RefusalReason, Reply},
    time::{Millis, Timestamp},
};
use tranche_sim::line::{CallFault, EventFault};
use tranche_trading::{
    account::AccountState,
    dca::{Draft, draft::BaseOrderType},
    event::Event,
    order::Stage,
    why::{NoDeal, Why},
};

use crate::{
    books,
    scene::{A, B, BOT, OURS, Scene, draft},
};

#[test]
fn an_order_that_the_venue_forgets_frees_its_slot() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    assert_eq!(scene.open().len(), 3);

    // Somebody cancels a safety order, the news is lost, and the venue remembers nothing of it.
    let safety = order_of(&scene, "safety order 1");
    scene.next_event(1, EventFault::Drop);
    scene.next_event(2, EventFault::Drop);
    scene.driver.exchange.cancel(OURS, safety.client_id, scene.driver.now()).unwrap();
    scene.driver.exchange.forget_closed_before(Timestamp::MAX);
    scene.minutes(A, "100", 20);

    let forgotten = |why: &Why| matches!(why, Why::Forgotten { .. });
    assert_eq!(scene.whys.iter().filter(|why| forgotten(why)).count(), 1, "{:#?}", scene.whys);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
}

#[test]
fn an_order_that_ends_unasked_again_and_again_is_placed_with_growing_pauses() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let placed = scene.orders_placed();

    // Another hand takes each one away at once.
    for _ in 0..120 {
        for order in scene.driver.exchange.open_orders(OURS) {
            if order.client_id.key().slot.safety_number() == Some(1) {
                let now = scene.driver.now();
                scene.driver.exchange.cancel(OURS, order.client_id, now).unwrap();
            }
        }
        scene.tick(A, "100");
        scene.tick(A, "100");
    }

    // 1, 2, 4, 8, 16, 32 seconds.
    let again = scene.orders_placed() - placed;
    assert!((5..=8).contains(&again), "{again}");
}

#[test]
fn a_cancel_that_fails_again_and_again_is_repeated_with_growing_pauses() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let calls = scene.driver.line.counts().0;
    for ahead in 1..1000 {
        scene.driver.line.plan_mut().calls.insert(calls + ahead, CallFault::LoseRequest);
    }
    let deal = scene.deal(BOT).no;
    scene.driver.command(
        OURS,
        tranche_trading::event::Command {
            id: tranche_model::ids::CommandId::new(99),
            body: tranche_trading::event::CommandBody::CancelDeal { bot: BOT, deal },
        },
    );
    scene.wait(600);
    scene.listen();

    let asked = |why: &&Why| matches!(why, Why::CancelAsked { slot: Slot::TAKE_PROFIT, .. });
    let asked = scene.whys.iter().filter(asked).count();
    // Ten seconds of no answer each, and pauses of 1, 2, 4 … seconds.
    assert!((4..=10).contains(&asked), "{asked}");
}

#[test]
fn a_read_that_is_refused_stops_its_instrument_only() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.create(
        tranche_model::ids::BotId::new(8),
        Draft { pairs: vec![tranche_model::asset::Symbol::parse("BBB/USDT").unwrap()], ..draft() },
    );
    scene.tick(A, "100");

    // The venue delists the first pair: it takes an order back and answers no question about its trades
    // any more.
    let safety = order_of(&scene, "safety order 2");
    scene.next_event(1, EventFault::Drop);
    scene.next_event(2, EventFault::Drop);
    scene.driver.exchange.cancel(OURS, safety.client_id, scene.driver.now()).unwrap();
    scene.driver.line.plan_mut().unreadable.insert(A);
    scene.evict();
    scene.wait(10);
    scene.tick(B, "50");
    scene.wait(10);

    assert_eq!(scene.account().desk.state, AccountState::Ready);
    let of_b = |line: &&String| line.contains("@ 4") || line.contains("@ 5");
    assert_eq!(scene.open().iter().filter(of_b).count(), 3, "{:?}", scene.open());
    let told = |why: &&Why| matches!(why, Why::ReadRefused { instrument: Some(A), .. });
    assert_eq!(scene.whys.iter().filter(told).count(), 1, "{:#?}", scene.whys);

    // Nothing new is opened on the first until its trades can be read.
    scene.tick(A, "103");
    scene.wait(5);
    scene.tick(A, "103");
    assert!(scene.open().iter().all(|line| !line.contains("@ 10")), "{:?}", scene.open());
    assert!(scene.whys.contains(&Why::NoDeal(NoDeal::Unread)));
    scene.driver.line.plan_mut().unreadable.clear();
    scene.minutes(A, "103", 6);
    assert_eq!(scene.open().len(), 6, "{:?}", scene.open());
}

#[test]
fn orders_that_are_listed_and_not_found_are_asked_for_ever_more_rarely() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.driver.line.plan_mut().unfindable = true;
    // The first list is too old to vouch for them, so they are asked for.
    scene.next_call(1, CallFault::LaggingRead(Millis::from_secs(5)));
    scene.evict();
    let calls = scene.driver.line.counts().0;
    scene.minutes(A, "100", 60);

    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
    let calls = scene.driver.line.counts().0 - calls;
    assert!(calls < 200, "{calls} calls in an hour");
}

#[test]
fn a_proof_that_cannot_be_completed_is_tried_ever_more_rarely() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LoseRequest);
    scene.tick(A, "100");
    // Whether the order was traded is not told.
    scene.driver.line.plan_mut().unreadable.insert(A);
    let calls = scene.driver.line.counts().0;
    scene.minutes(A, "100", 60);

    assert_eq!(scene.orders_placed(), 1);
    let calls = scene.driver.line.counts().0 - calls;
    assert!(calls < 120, "{calls} calls in an hour");
    scene.driver.line.plan_mut().unreadable.clear();
    scene.minutes(A, "100", 11);
    assert_eq!(scene.open().len(), 3, "{:#?}", scene.whys);
}

#[test]
fn a_refusal_of_an_order_that_is_known_to_rest_is_looked_into() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let order = order_of(&scene, "take profit 1");
    let request = scene
        .driver
        .memory
        .memory()
        .stored(OURS)
        .unwrap()
        .intents
        .iter()
        .map(|row| row.request)
        .find(|request| request.client_id == order.client_id)
        .unwrap();
    let placed = scene.orders_placed();

    // The request went out twice, and the second was refused for want of coins.
    let call = Call::Place { request, send_by: scene.driver.now() };
    let outcome = Outcome::Refused(refusal(RefusalReason::InsufficientFunds));
    scene.driver.tell(OURS, Event::Reply(Reply { call, outcome }));
    scene.wait(10);

    assert_eq!((scene.open().len(), scene.orders_placed()), (3, placed));
    assert_eq!(order_of(&scene, "take profit 1").client_id, order.client_id);
}

#[test]
fn an_unasked_end_that_is_pushed_twice_is_one_reading() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let mut report = order_of(&scene, "safety order 1");
    report.status = OrderStatus::Cancelled;
    report.updated_at = scene.driver.now();
    // The answer to the second reading takes its time.
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(5)));
    for _ in 0..2 {
        scene.driver.tell(OURS, Event::Private(PrivateEvent::Order(report)));
    }

    let lane = scene.lane(BOT);
    let order = lane.orders().find(|(slot, _)| slot.safety_number() == Some(1)).unwrap().1;
    assert_eq!(order.stage, Stage::Ending);
    scene.wait(30);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_stream_that_breaks_while_the_account_syncs_is_not_forgotten() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.next_call(1, CallFault::LateReply(Millis::from_secs(3)));
    scene.evict();
    assert_eq!(scene.account().desk.state, AccountState::Syncing);
    scene.driver.stream(OURS, false);
    scene.wait(10);
    assert_eq!(scene.account().desk.state, AccountState::Degraded);

    // Nobody tells that the take profit is filled; it is seen within a minute or so.
    for ahead in 1..20 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "103");
    scene.wait(90);
    assert_eq!(scene.ended(), ["take_profit"]);
    scene.driver.stream(OURS, true);
    scene.wait(5);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
}

#[test]
fn a_market_order_whose_fills_nobody_tells_is_asked_for() {
    let mut scene = Scene::new();
    scene.create(BOT, Draft { base_order_type: BaseOrderType::Market, ..draft() });
    // The answer says only that the order was taken.
    scene.next_call(1, CallFault::Acknowledged);
    for ahead in 1..6 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "100");
    scene.wait(10);

    assert_eq!(scene.open().len(), 3, "{:#?}", scene.whys);
}

fn order_of(scene: &Scene, slot: &str) -> OrderReport {
    let orders = scene.driver.exchange.open_orders(OURS);
    orders.into_iter().find(|order| order.client_id.key().slot.to_string() == slot).unwrap()
}

fn refusal(reason: RefusalReason) -> Refusal {
    Refusal { reason, code: -1121, text: "Invalid symbol.".to_owned() }
}
