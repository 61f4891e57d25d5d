//! 1E: safety orders, stops, and who may touch what.

use rust_decimal::Decimal;
use tranche_model::{
    client_order_id::{ClientOrderId, Origin},
    ids::{Incarnation, Installation, Slot},
    money::{Amount, Quote},
    order::{OrderKind, OrderRequest, OrderStatus, Side, TimeInForce},
    record::{Outcome, Refusal, RefusalReason},
    time::{Millis, Timestamp},
};
use tranche_sim::exchange::Hand;
use tranche_trading::{
    bot::BotStatus,
    dca::{Draft, draft::StopLossReference},
    event::{CommandBody, KillLevel},
    why::{BlockReason, Why},
};

use super::{
    all_agrees, answer, count, holding, holding_far_away, holding_with, intents, lonely,
    lose_calls, lose_events, order_of, qty, safety, traded, watched,
};
use crate::scene::{A, BOT, FIRST_DEAL, OURS, Scene, Terms, asset, draft, pct, price};

#[test]
fn f_062_prices_that_come_faster_than_fills_trigger_a_level_once() {
    let mut scene = holding_far_away(Draft { max_safety_orders: 5, ..watched() });

    // The order is on its way for 700 ms; twenty prices come meanwhile.
    for _ in 0..20 {
        let at = scene.driver.now().plus(Millis::new(30));
        let tick =
            tranche_model::candle::Tick { instrument: A, price: price("98.95"), qty: qty("0"), at };
        scene.driver.tick(&tick);
    }
    scene.listen();
    scene.minutes(A, "98.95", 1);

    // The second level is at 98: no price was there.
    assert_eq!(intents(&scene, safety(1)).len(), 1);
    assert!(intents(&scene, safety(2)).is_empty());
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    all_agrees(&scene);
}

#[test]
fn f_063_parts_and_restarts_never_make_a_safety_order_more() {
    let exchange = tranche_sim::exchange::Settings {
        volume_cap: Some(tranche_model::money::Fraction::ONE),
        ..Default::default()
    };
    let setup = tranche_sim::driver::Setup { exchange, ..Default::default() };
    let mut scene = Scene::with(setup, Terms::default());
    let one = Draft { max_safety_orders: 1, active_safety_orders_count: Some(1), ..draft() };
    scene.create(BOT, one);
    scene.tick(A, "100");
    for _ in 0..30 {
        scene.tick_with(A, "98.9", "0.05");
        scene.evict();
        scene.wait(2);
    }

    let spent = scene.deal(BOT).position.cost;
    assert!(spent <= Quote::parse("200").unwrap(), "{spent}");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    scene.tick(A, "90");
    assert_eq!(scene.deal(BOT).position.cost, spent);
    all_agrees(&scene);
}

#[test]
fn f_064_each_order_has_the_size_of_its_slot() {
    let mut scene = Scene::new();
    scene.create(
        BOT,
        Draft {
            base_order_volume: Quote::parse("50").unwrap(),
            safety_order_volume: Quote::parse("200").unwrap(),
            ..watched()
        },
    );
    scene.tick(A, "100");
    // Base and both levels in one breath.
    scene.tick(A, "97");
    scene.tick(A, "97");
    scene.wait(5);

    let mut spent = (Quote::ZERO, Quote::ZERO);
    for fill in scene.driver.exchange.trades(OURS, A, Timestamp::MIN) {
        let is_base = fill.client_id.unwrap().key().slot == Slot::BASE;
        let sum = if is_base { &mut spent.0 } else { &mut spent.1 };
        *sum = sum.plus(fill.quote).unwrap();
    }
    assert_eq!(spent.0, Quote::parse("50").unwrap());
    let levels = spent.1.get();
    assert!(Decimal::from(399) < levels && levels <= Decimal::from(400), "{levels}");
    all_agrees(&scene);
}

#[test]
fn f_065_a_stop_while_a_safety_order_is_out_sells_all_of_it() {
    let stopped = Draft {
        stop_loss_pct: Some(pct("3")),
        stop_loss_reference: StopLossReference::Average,
        max_safety_orders: 1,
        ..watched()
    };
    let mut scene = holding_far_away(stopped);
    // The level is passed, and while its order travels the price falls through the stop.
    scene.tick(A, "98.9");
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.tick(A, "94");
    scene.tick(A, "94");
    scene.minutes(A, "94", 1);

    assert_eq!(scene.ended(), ["stop_loss"], "{:#?}", scene.whys);
    let (bought, sold) = traded(&scene);
    assert!(qty("1.9") < bought, "{bought}");
    let fees = scene.driver.memory.memory().stored(OURS).unwrap();
    let fees = fees.fills.values().filter(|row| row.fill.side == Side::Buy);
    let fees = fees.fold(Amount::ZERO, |sum, row| sum.plus(row.fill.fee.amount).unwrap());
    let rest = bought.minus(sold).unwrap().minus(fees.qty()).unwrap();
    assert!(rest < qty("0.001"), "{rest} are left");
}

#[test]
fn f_066_coins_of_others_change_no_average_and_are_not_sold() {
    let mut scene = holding_with(Draft { stop_loss_pct: Some(pct("10")), ..draft() });
    let average = scene.deal(BOT).position.average().unwrap();
    for coins in ["5", "0.0007", "-2"] {
        let amount = Amount::parse(coins).unwrap();
        scene.driver.exchange.deposit(OURS, asset("AAA"), amount).unwrap();
        scene.minutes(A, "99.5", 2);
    }
    assert_eq!(scene.deal(BOT).position.average().unwrap(), average);
    assert_eq!(scene.ended().len(), 0);

    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
    assert_eq!(traded(&scene).1, qty("0.999"));
    all_agrees(&scene);
}

#[test]
fn f_067_a_level_without_funds_is_shown_and_placed_when_they_come() {
    let mut scene = Scene::with(
        tranche_sim::driver::Setup::default(),
        Terms { funds: 250, ..Terms::default() },
    );
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.minutes(A, "100", 2);
    assert_eq!(scene.open().len(), 2, "{:?}", scene.open());
    let blocked = scene.lane(BOT).seat(safety(2)).unwrap().blocked().unwrap();
    assert_eq!(blocked.reason, BlockReason::Funds);
    assert_eq!(count(&scene, |why| matches!(why, Why::Blocked { .. })), 1, "{:#?}", scene.whys);

    let amount = Amount::new(Decimal::from(500));
    scene.driver.exchange.deposit(OURS, asset("USDT"), amount).unwrap();
    scene.minutes(A, "100", 6);
    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
}

#[test]
fn f_068_what_filled_while_nobody_looked_is_not_placed_again() {
    let mut scene = holding();
    lose_events(&mut scene, 50);
    lose_calls(&mut scene, 3);
    scene.tick(A, "98.9");
    scene.tick(A, "97.9");
    scene.evict();
    scene.minutes(A, "99", 2);

    assert_eq!((intents(&scene, safety(1)).len(), intents(&scene, safety(2)).len()), (1, 1));
    assert_eq!(scene.deal(BOT).levels.count(), 2);
    assert_eq!(scene.open().len(), 1, "{:?}", scene.open());
    all_agrees(&scene);
}

#[test]
fn f_069_the_exit_follows_from_what_is_held_whichever_news_was_lost() {
    for lost in 1..=12 {
        let mut scene = holding();
        scene.next_event(lost, tranche_sim::line::EventFault::Drop);
        scene.tick(A, "98.9");
        scene.tick(A, "97.9");
        scene.minutes(A, "98.5", 16);

        let profit = order_of(&scene, "take profit 1");
        let held = scene.deal(BOT).position.held().unwrap();
        assert!(held.minus(profit.kind.qty().unwrap()).unwrap() < qty("0.001"), "{lost}");
        assert_eq!(scene.deal(BOT).levels.count(), 2, "{lost}");
        all_agrees(&scene);
    }
}

#[test]
fn f_070_levels_that_are_only_watched_outlive_every_crash() {
    let run = |crash_after: Option<usize>| {
        let mut scene = holding_with(watched());
        let prices = ["99.5", "98.9", "99.2", "97.9", "98", "101", "103"];
        for (step, price) in prices.into_iter().enumerate() {
            scene.tick(A, price);
            if crash_after == Some(step) {
                scene.driver.memory.crash();
                scene.evict();
            }
            scene.wait(5);
        }
        let stored = scene.driver.memory.memory().stored(OURS).unwrap();
        let first = stored.deals.first().unwrap();
        (first.ended.clone(), first.profit, first.safety_orders, first.bought)
    };

    let without = run(None);
    assert_eq!(without.2, 2);
    for step in 0..7 {
        assert_eq!(run(Some(step)), without, "crash after step {step}");
    }
}

#[test]
fn f_071_a_stop_fires_though_safety_orders_have_no_funds() {
    for active in [0, 2] {
        let mut scene = holding_with(Draft {
            stop_loss_pct: Some(pct("5")),
            active_safety_orders_count: Some(active),
            ..draft()
        });
        for order in scene.driver.exchange.open_orders(OURS) {
            if order.side == Side::Buy {
                scene.driver.exchange.cancel(OURS, order.client_id, scene.driver.now()).unwrap();
            }
        }
        let balances = scene.driver.exchange.balances(OURS);
        let all = balances.iter().find(|balance| balance.asset == asset("USDT")).unwrap().free;
        scene.driver.exchange.withdraw(OURS, asset("USDT"), all).unwrap();
        scene.minutes(A, "100", 2);

        scene.tick(A, "98.5");
        scene.tick(A, "94.9");
        scene.wait(5);
        assert_eq!(scene.ended(), ["stop_loss"], "{active}: {:#?}", scene.whys);
    }
}

#[test]
fn f_072_a_price_that_ran_away_from_an_exit_does_not_strand_it() {
    let mut scene = holding_far_away(Draft { stop_loss_pct: Some(pct("3")), ..draft() });
    // Decided at 96.9; by the time the order arrives it is 90.
    scene.tick(A, "96.9");
    scene.tick(A, "90");
    scene.wait(1);
    assert_eq!(scene.ended(), ["stop_loss"]);

    // A take profit that is placed when the price is beyond it already.
    let mut scene = holding_far_away(lonely());
    let profit = order_of(&scene, "take profit 1");
    scene.driver.exchange.cancel(OURS, profit.client_id, scene.driver.now()).unwrap();
    scene.tick(A, "105");
    scene.minutes(A, "105", 1);
    assert_eq!(scene.ended().first().map(String::as_str), Some("take_profit"));
}

#[test]
fn f_073_orders_of_other_hands_are_left_alone() {
    let mut scene = holding();
    let kind = OrderKind::Limit {
        price: price("80"),
        qty: qty("1"),
        time_in_force: TimeInForce::GoodTillCancelled,
    };
    let hand = Hand { instrument: A, side: Side::Buy, kind };
    scene.driver.exchange.place_foreign(OURS, hand, scene.driver.now()).unwrap();
    // And one of another Tranche on the same key.
    let key = order_of(&scene, "safety order 2").client_id.key();
    let origin = Origin { installation: Installation::new(4), incarnation: Incarnation::new(1) };
    let client_id = ClientOrderId::pack(origin, key).unwrap();
    let request = OrderRequest { client_id, instrument: A, side: Side::Buy, kind };
    scene.driver.exchange.place(OURS, &request, scene.driver.now()).unwrap();
    scene.minutes(A, "100", 20);

    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    scene.command(CommandBody::CancelDeal { bot: BOT, deal: FIRST_DEAL }).unwrap();
    scene.command(CommandBody::Kill { level: KillLevel::CloseAll }).unwrap();
    scene.command(CommandBody::DeleteBot { bot: BOT }).unwrap();
    scene.evict();
    scene.minutes(A, "100", 20);

    assert_eq!(scene.open().len(), 1, "{:?}", scene.open());
    let theirs = scene.driver.exchange.order(OURS, client_id).unwrap();
    assert_eq!(theirs.status, OrderStatus::Open);
    assert_eq!(scene.driver.exchange.foreign_open_orders(OURS).len(), 1);
}

#[test]
fn f_074_a_crash_during_a_stop_leaves_no_order_that_comes_back() {
    for ahead in 1..=4 {
        for fault in [
            tranche_sim::memory::CommitFault::Fail,
            tranche_sim::memory::CommitFault::ApplyLoseReply,
        ] {
            let mut scene = holding();
            scene.next_commit(ahead, fault);
            let stop = CommandBody::Kill { level: KillLevel::CancelEntries };
            let id = tranche_model::ids::CommandId::new(77);
            let command = tranche_trading::event::Command { id, body: stop };
            // A command is handed in again until its verdict is out.
            scene.driver.command(OURS, command.clone());
            scene.wait(1);
            scene.driver.command(OURS, command);
            scene.evict();
            scene.minutes(A, "100", 5);

            assert_eq!(scene.open().len(), 1, "{fault:?} {ahead}: {:?}", scene.open());
            assert_eq!(scene.orders_placed(), 4, "{fault:?} {ahead}");
        }
    }
}

#[test]
fn f_075_a_stopped_bot_stays_stopped() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.command(CommandBody::StopBot { bot: BOT }).unwrap();
    for _ in 0..5 {
        scene.evict();
        scene.minutes(A, "100", 5);
    }

    assert_eq!(scene.orders_placed(), 0);
    assert_eq!(scene.bot(BOT).head.status, BotStatus::Stopped);
}

#[test]
fn f_076_a_refused_order_leaves_no_trace_in_the_books() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    lose_calls(&mut scene, 1);
    scene.tick(A, "100");
    let totals: Vec<_> = scene.account().desk.ledger.totals().collect();
    let request = intents(&scene, Slot::BASE)[0];
    let text = "Account has insufficient balance for requested action.".to_owned();
    let refusal = Refusal { reason: RefusalReason::Other, code: -2010, text };
    answer(&mut scene, request, Outcome::Refused(refusal));

    assert!(scene.deal(BOT).position.bought.is_zero());
    assert!(scene.driver.memory.memory().stored(OURS).unwrap().fills.is_empty());
    assert_eq!(scene.account().desk.ledger.totals().collect::<Vec<_>>(), totals);
    assert!(scene.account().desk.exposure.reserved(asset("USDT")).is_zero());

    // The next attempt is an order of its own.
    scene.wait(3);
    assert_eq!(scene.deal(BOT).position.bought, traded(&scene).0);
    let status = scene.driver.exchange.order(OURS, request.client_id).map(|order| order.status);
    assert_ne!(status, Some(OrderStatus::Filled));
    all_agrees(&scene);
}
