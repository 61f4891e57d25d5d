//! 1F: what is written down, who owns it, and what a new owner finds.

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{BotId, Generation, Incarnation, Installation},
    order::{OrderKind, OrderRequest, OrderStatus, Side, TimeInForce},
    time::{Millis, Timestamp},
};
use tranche_sim::{exchange::Hand, memory::CommitFault};
use tranche_trading::{
    account::AccountState,
    codec,
    dca::Draft,
    event::{CommandBody, Scope},
    shard::{Input, Output},
    why::Why,
};

use super::{
    all_agrees, calls_sent, count, holding, holding_with, lonely, lose_events, order_of, qty,
    safety, traded, watched,
};
use crate::{
    books,
    scene::{A, B, BOT, OURS, Scene, Terms, draft, price, settings},
};

#[test]
fn f_077_nothing_is_sent_that_could_not_be_written() {
    for fault in [CommitFault::Fail, CommitFault::Lose, CommitFault::Delay { turns: 3 }] {
        for ahead in 1..=12 {
            let mut scene = Scene::new();
            scene.create(BOT, draft());
            scene.next_commit(ahead, fault);
            for price in ["100", "98.9", "97.9"] {
                scene.tick(A, price);
                // Every order at the exchange has its intent in the store.
                let disturbed = books::Disturbed::default();
                books::always(&scene.driver, OURS, disturbed).unwrap();
            }
            scene.minutes(A, "98.5", 2);
            assert!(1 <= scene.deal(BOT).levels.count(), "{fault:?} {ahead}");
            all_agrees(&scene);
        }
    }
}

#[test]
fn f_078_an_older_store_finds_out_what_happened_since() {
    let mut scene = holding();
    let backup = scene.driver.memory.memory().clone();
    scene.tick(A, "98.9");
    scene.wait(5);
    assert_eq!(scene.deal(BOT).levels.count(), 1);

    // Restored, it lives under a new incarnation: no id of its former life comes again.
    *scene.driver.memory.memory_mut() = backup;
    let mut renewed = settings(Terms::default());
    renewed.origin.incarnation = Incarnation::new(2);
    scene.driver.own(OURS, renewed);
    scene.listen();
    scene.minutes(A, "98.9", 3);

    assert_eq!(scene.deal(BOT).levels.count(), 1);
    assert_eq!(scene.deal(BOT).position.bought, traded(&scene).0);
    assert_eq!(scene.open().len(), 2, "{:?}", scene.open());
    for row in &scene.driver.memory.memory().stored(OURS).unwrap().intents {
        let orders = scene.driver.exchange.orders_with_id(OURS, row.request.client_id);
        assert!(orders.len() <= 1, "{orders:?}");
    }
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn f_079_a_power_cut_at_any_moment_is_the_same_as_none() {
    let prices = ["100", "98.9", "97.9", "99", "101.5", "103"];
    let run = |cut_after: Option<usize>| {
        let mut scene = Scene::new();
        scene.create(BOT, Draft { stop_after_deals: Some(1), ..draft() });
        for (step, price) in prices.into_iter().enumerate() {
            if cut_after == Some(step) {
                // In the middle of a commit, with answers and events on their way.
                scene.next_commit(1, CommitFault::Delay { turns: 2 });
                scene.tick(A, price);
                scene.driver.memory.crash();
                lose_events(&mut scene, 2);
                scene.evict();
            } else {
                scene.tick(A, price);
            }
            scene.minutes(A, price, 1);
        }
        all_agrees(&scene);
        let row = scene.driver.memory.memory().stored(OURS).unwrap().deals[0].clone();
        (row.ended, row.safety_orders, row.bought, row.profit)
    };

    let without = run(None);
    for step in 0..prices.len() {
        assert_eq!(run(Some(step)), without, "cut at step {step}");
    }
}

#[test]
fn f_080_what_a_person_does_by_hand_is_ordinary() {
    let mut scene = holding();
    for slot in ["take profit 1", "safety order 1", "safety order 2"] {
        let order = order_of(&scene, slot);
        let now = scene.driver.now();
        scene.driver.exchange.cancel_foreign(OURS, order.venue_id, now).unwrap();
        if slot == "safety order 1" {
            scene.evict();
        }
        scene.minutes(A, "100", 1);
    }
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
    assert_eq!(scene.account().desk.state, AccountState::Ready);

    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
    all_agrees(&scene);
}

#[test]
fn f_081_a_forgotten_order_of_ours_that_locks_coins_is_found() {
    let mut scene = holding();
    // It carries our mark, and no memory of ours knows it.
    let profit = order_of(&scene, "take profit 1");
    scene.driver.exchange.cancel(OURS, profit.client_id, scene.driver.now()).unwrap();
    let key = OrderKey { deal: tranche_model::ids::DealNo::new(99), ..profit.client_id.key() };
    let origin = profit.client_id.origin();
    let client_id = ClientOrderId::pack(origin, key).unwrap();
    let request = OrderRequest {
        client_id,
        instrument: A,
        side: Side::Sell,
        kind: OrderKind::Limit {
            price: price("150"),
            qty: qty("0.999"),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
    };
    scene.driver.exchange.place(OURS, &request, scene.driver.now()).unwrap();
    scene.minutes(A, "100", 1);

    let stray = |why: &Why| matches!(why, Why::StrayCancelled { .. });
    assert_eq!(count(&scene, stray), 1, "{:#?}", scene.whys);
    let ended = scene.driver.exchange.order(OURS, client_id).unwrap();
    assert_eq!(ended.status, OrderStatus::Cancelled);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
}

#[test]
fn f_082_a_deal_older_than_the_memory_of_the_exchange_goes_on() {
    let mut scene = holding();
    scene.tick(A, "98.9");
    scene.wait(100 * 86_400);
    scene.driver.exchange.forget_closed_before(scene.driver.now());
    assert!(scene.driver.exchange.trades(OURS, A, Timestamp::MIN).is_empty());
    let position = scene.deal(BOT).position;

    scene.evict();
    scene.wait(60);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
    assert_eq!(scene.deal(BOT).position, position);
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
    assert_eq!(count(&scene, |why| matches!(why, Why::BalanceMoved { .. })), 0);
}

#[test]
fn f_083_a_question_that_is_refused_is_asked_ever_more_rarely() {
    let mut scene = holding();
    // An order went while nobody heard of it: its executions are asked for.
    let safety = order_of(&scene, "safety order 2");
    lose_events(&mut scene, 2);
    scene.driver.exchange.cancel(OURS, safety.client_id, scene.driver.now()).unwrap();
    scene.driver.line.plan_mut().unreadable.insert(A);
    scene.evict();
    let calls = calls_sent(&scene);
    scene.wait(24 * 3600);

    // 1, 2, 4 … seconds, then every five minutes: 288 of them on a day, beside the census.
    let calls = calls_sent(&scene) - calls;
    assert!((200..=600).contains(&calls), "{calls} calls on a day");
    assert_eq!(count(&scene, |why| matches!(why, Why::ReadRefused { .. })), 1);
}

#[test]
fn f_084_reading_everything_again_and_again_changes_nothing() {
    let mut scene = holding_with(Draft { active_safety_orders_count: Some(1), ..draft() });
    scene.tick(A, "98.9");
    scene.wait(5);
    let state = |scene: &Scene| {
        let stored = scene.driver.memory.memory().stored(OURS).unwrap();
        let totals: Vec<_> = scene.account().desk.ledger.totals().collect();
        let deal = scene.deal(BOT).clone();
        (stored.intents.clone(), stored.fills.clone(), totals, deal, scene.open())
    };
    let before = state(&scene);

    for times in 1..=5 {
        for _ in 0..times {
            scene.evict();
            scene.wait(10);
        }
        assert_eq!(state(&scene), before, "{times} times");
    }
    all_agrees(&scene);
}

#[test]
fn f_085_every_open_order_is_counted() {
    let mut scene = holding();
    for (instrument, at) in [(A, "80"), (A, "81"), (B, "70")] {
        let kind = OrderKind::Limit {
            price: price(at),
            qty: qty("1"),
            time_in_force: TimeInForce::GoodTillCancelled,
        };
        let hand = Hand { instrument, side: Side::Buy, kind };
        scene.driver.exchange.place_foreign(OURS, hand, scene.driver.now()).unwrap();
    }
    scene.evict();
    scene.wait(10);

    let desk = &scene.account().desk;
    let foreign: u32 = desk.foreign_open.values().sum();
    assert_eq!((foreign, desk.exposure.open_all()), (3, 3));
    let at_exchange = scene.driver.exchange.open_orders(OURS).len()
        + scene.driver.exchange.foreign_open_orders(OURS).len();
    assert_eq!(at_exchange, 6);
    // What they hold is not ours to spend: 80 + 81 + 70.
    let ours = desk.ledger.ours(crate::scene::asset("USDT")).unwrap();
    let total = desk.ledger.total(crate::scene::asset("USDT"));
    assert_eq!(total.minus(ours).unwrap().to_string(), "231");
}

#[test]
fn f_086_an_owner_that_was_replaced_sends_nothing() {
    let mut scene = holding_with(watched());
    // Another process takes the account over, and this one does not know it.
    let now = scene.driver.now().plus(Millis::from_secs(1));
    scene.driver.memory.load(OURS).unwrap();
    let before = scene.driver.memory.memory().clone();
    let shard = &mut scene.driver.shard;
    let mut out = Vec::new();
    let at =
        tranche_model::candle::Tick { instrument: A, price: price("98.9"), qty: qty("0"), at: now };
    shard.step(Input::Tick(at), now, &mut out);
    shard.flush(&mut out);

    // It decides, and its commit loses: nothing leaves.
    let mut after = Vec::new();
    for output in out {
        if let Output::Commit { ticket, batch } = output {
            assert_eq!(batch.intents.len(), 1);
            assert!(scene.driver.memory.memory_mut().commit(&batch).is_err());
            shard.step(Input::CommitFailed(ticket), now, &mut after);
        }
    }
    assert!(!after.iter().any(|output| matches!(output, Output::Call { .. })), "{after:?}");
    assert_eq!(*scene.driver.memory.memory(), before);

    // Orders of another installation on the same key are somebody else's.
    let mut scene = holding();
    let origin = Origin { installation: Installation::new(4), incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(7),
        deal: crate::scene::FIRST_DEAL,
        slot: safety(1),
        generation: Generation::new(1),
    };
    let kind = OrderKind::Limit {
        price: price("90"),
        qty: qty("1"),
        time_in_force: TimeInForce::GoodTillCancelled,
    };
    let client_id = ClientOrderId::pack(origin, key).unwrap();
    let request = OrderRequest { client_id, instrument: A, side: Side::Buy, kind };
    scene.driver.exchange.place(OURS, &request, scene.driver.now()).unwrap();
    scene.evict();
    scene.minutes(A, "100", 16);
    assert_eq!(scene.driver.exchange.order(OURS, client_id).unwrap().status, OrderStatus::Open);
    scene.tick(A, "89");
    scene.wait(5);
    assert_eq!(scene.deal(BOT).levels.count(), 2);
    assert!(scene.deal(BOT).position.bought < qty("3.1"), "{:?}", scene.deal(BOT).position);
}

#[test]
fn f_088_a_bot_that_trades_for_years_does_not_grow() {
    let mut scene = Scene::new();
    scene.create(BOT, lonely());
    let size = |scene: &Scene| {
        let desk = codec::encode_desk(&scene.account().desk).unwrap().len();
        desk + codec::encode_bot(scene.bot(BOT)).unwrap().len()
    };
    let trade = |scene: &mut Scene, steps: u32| {
        for step in 0..steps {
            scene.tick(A, if step % 2 == 0 { "100" } else { "97" });
            let scope = Scope::Bot(BOT);
            scene.command(CommandBody::PauseEntries { scope }).unwrap();
            scene.command(CommandBody::Resume { scope }).unwrap();
        }
    };
    trade(&mut scene, 200);
    let early = size(&scene);
    trade(&mut scene, 1000);
    let late = size(&scene);

    assert!(late < early + 400, "{early} bytes became {late}");
}
