//! The whole heart, one claim at a time.

use tranche_model::{
    ids::TradeId,
    money::{Amount, Fraction, Price, Qty},
    order::{OrderKind, Side, Size},
    time::Millis,
};
use tranche_sim::{
    driver::Setup,
    exchange::{Hand, Settings},
    line::{CallFault, EventFault},
    memory::CommitFault,
};
use tranche_trading::{
    account::AccountState,
    dca::{
        Draft,
        draft::{DeviationReference, StopLossReference},
    },
    event::{CommandBody, Event, Scope},
    shard::Input,
    why::Why,
};

use crate::scene::{
    A, BOT, FIRST_DEAL, OURS, Scene, THEIRS, Terms, asset, config, draft, pct, settings,
};

#[test]
#[should_panic(expected = "nobody comes to rest")]
fn what_never_comes_to_rest_fails_instead_of_hanging() {
    let mut scene = Scene::new();
    scene.next_commit(1, CommitFault::Delay { turns: u32::MAX });

    scene.create(BOT, draft());
}

#[test]
fn a_deal_runs_from_base_order_to_take_profit() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");

    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());

    scene.tick(A, "103");
    assert_eq!(scene.ended(), ["take_profit"]);
}

#[test]
fn an_edit_that_shortens_the_ladder_takes_deeper_orders_back() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");

    let config = Box::new(config(Draft {
        max_safety_orders: 1,
        active_safety_orders_count: Some(1),
        ..draft()
    }));
    scene.command(CommandBody::EditBot { bot: BOT, config, open_deals: true }).unwrap();

    assert_eq!(scene.open().len(), 2, "{:?}", scene.open());
    assert_eq!(scene.driver.loads_count, 1);
}

#[test]
fn a_bot_number_is_never_used_twice() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.command(CommandBody::PauseEntries { scope: Scope::Account }).unwrap();
    scene.command(CommandBody::CancelDeal { bot: BOT, deal: FIRST_DEAL }).unwrap();
    scene.command(CommandBody::DeleteBot { bot: BOT }).unwrap();

    // Its deals would begin at 1 again, and with them the ids of its orders.
    let again = CommandBody::CreateBot { bot: BOT, config: Box::new(config(draft())) };
    assert!(scene.command(again).is_err());
}

#[test]
fn a_refused_watched_safety_order_is_tried_again_with_pauses() {
    let watched = Draft { active_safety_orders_count: Some(0), ..draft() };
    let mut scene = Scene::new();
    scene.create(BOT, watched);
    scene.tick(A, "100");
    take_all_funds(&mut scene);

    for _ in 0..20 {
        scene.tick(A, "98.9");
    }

    // The base order, then attempts after 1, 2, 4 and 8 seconds at most.
    assert!(scene.orders_placed() <= 8, "{} orders in ten seconds", scene.orders_placed());
}

#[test]
fn a_watched_safety_order_is_not_bought_above_its_level() {
    let watched = Draft { active_safety_orders_count: Some(0), ..draft() };
    let mut scene = Scene::new();
    scene.create(BOT, watched);
    scene.tick(A, "100");
    let funds = take_all_funds(&mut scene);
    scene.tick(A, "98.9");
    scene.tick(A, "100.5");
    scene.driver.exchange.deposit(OURS, asset("USDT"), funds).unwrap();

    scene.minutes(A, "100.5", 10);
    assert_eq!(scene.deal(BOT).levels.count(), 0, "{:?}", scene.whys);

    scene.tick(A, "98.9");
    scene.wait(10);
    scene.tick(A, "98.9");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
}

#[test]
fn a_part_filled_safety_order_stays_at_its_price() {
    let average = Draft {
        deviation_reference: DeviationReference::Average,
        active_safety_orders_count: Some(1),
        ..draft()
    };
    let mut scene = Scene::with(capped(), Terms::default());
    scene.create(BOT, average);
    scene.tick(A, "100");
    let before = safety_price(&scene);

    scene.tick_with(A, "98.9", "0.3");

    assert_eq!(scene.driver.shard.account(OURS).unwrap().bots.len(), 1);
    assert!(scene.deal(BOT).progress.iter().any(|part| part.filled.is_positive()));
    assert_eq!(safety_price(&scene), before);
}

#[test]
fn a_late_fill_that_the_store_was_asked_for_twice_is_booked_once() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let mut fill = stored.fills.values().next().unwrap().fill;
    fill.trade_id = TradeId::new(99);

    // Both answers were given before the first booking was written.
    for _ in 0..2 {
        let event = Box::new(Event::FillKnown { fill, known: false });
        let input = Input::Event { account: OURS, event };
        scene.driver.shard.step(input, scene.driver.now(), &mut Vec::new());
    }

    assert_eq!(scene.deal(BOT).position.bought, fill.qty.plus(fill.qty).unwrap());
}

#[test]
fn an_account_whose_key_works_again_goes_on_by_itself() {
    let mut scene = Scene::new();
    scene.driver.own(THEIRS, settings(Terms::default()));
    assert_eq!(scene.driver.shard.account(THEIRS).unwrap().desk.state, AccountState::KeyInvalid);

    scene.open_account(THEIRS, Terms::default());
    scene.wait(400);

    assert_eq!(scene.driver.shard.account(THEIRS).unwrap().desk.state, AccountState::Ready);
}

#[test]
fn a_hand_trade_while_an_outcome_is_unknown_does_not_keep_it_unknown_for_ever() {
    let mut scene = Scene::new();
    scene.tick(A, "100");
    scene.next_call(1, CallFault::LoseRequest);
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.wait(11);
    by_hand(&mut scene, "1");

    scene.minutes(A, "100", 5);

    assert_eq!(scene.open().len(), 3, "{:?}", scene.whys);
    assert_eq!(scene.account().desk.ledger.total(asset("AAA")), exchange_total(&scene, "AAA"));
}

#[test]
fn a_cancelled_deal_loses_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.command(CommandBody::CancelDeal { bot: BOT, deal: FIRST_DEAL }).unwrap();

    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    assert!(stored.deals[0].profit.is_zero(), "{:?}", stored.deals);
}

#[test]
fn a_doubled_answer_is_one_piece_of_evidence() {
    let mut scene = Scene::new();
    scene.tick(A, "100");
    scene.create(BOT, draft());
    let (calls, _) = scene.driver.line.counts();
    let plan = scene.driver.line.plan_mut();
    plan.calls.insert(calls + 1, CallFault::LoseRequest);
    for ahead in 2..20 {
        plan.calls.insert(calls + ahead, CallFault::DoubleReply);
    }
    scene.tick(A, "100");

    // Lost at 0, last possible arrival after 15 s, then three questions, 15 s apart.
    scene.wait(40);
    assert_eq!(scene.orders_placed(), 1, "{:?}", scene.whys);
    scene.wait(15);
    scene.tick(A, "100");
    assert_eq!(scene.open().len(), 3, "{:?}", scene.whys);
}

#[test]
fn a_late_answer_to_an_early_question_is_no_evidence() {
    let mut scene = Scene::new();
    scene.tick(A, "100");
    scene.create(BOT, draft());
    let (calls, _) = scene.driver.line.counts();
    let plan = scene.driver.line.plan_mut();
    plan.calls.insert(calls + 1, CallFault::LoseRequest);
    plan.calls.insert(calls + 2, CallFault::LateReply(Millis::from_secs(16)));
    scene.tick(A, "100");
    scene.wait(27);

    let order = scene.lane(BOT).orders().next().unwrap().1;
    assert_eq!(order.evidence().unwrap().not_found, 0);
}

#[test]
fn a_lagging_second_reading_does_not_revive_an_ended_order() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.wait(60);
    let profit = scene
        .driver
        .exchange
        .open_orders(OURS)
        .into_iter()
        .find(|order| order.side == Side::Sell)
        .unwrap();
    scene.next_call(1, CallFault::LaggingRead(Millis::from_secs(30)));
    scene.driver.exchange.cancel_foreign(OURS, profit.venue_id, scene.driver.now()).unwrap();
    scene.minutes(A, "100", 1);

    assert_eq!(scene.open().len(), 3, "{:?}", scene.open());
}

#[test]
fn a_balance_read_that_overtakes_a_fill_moves_nothing() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    // The fills of the take profit are lost; a restart reads balances and trades side by side.
    for ahead in 1..12 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "103");
    scene.evict();
    scene.wait(30);

    assert_eq!(scene.account().desk.ledger.total(asset("USDT")), exchange_total(&scene, "USDT"));
    let moved = |why: &Why| matches!(why, Why::BalanceMoved { .. });
    assert!(!scene.whys.iter().any(moved), "{:?}", scene.whys);
}

#[test]
fn no_deal_is_opened_whose_stop_would_stand_at_its_price() {
    let mut scene = Scene::new();
    let narrow = Draft {
        stop_loss_pct: Some(pct("0.5")),
        stop_loss_reference: StopLossReference::Average,
        max_safety_orders: 0,
        active_safety_orders_count: None,
        ..draft()
    };
    scene.create(BOT, narrow);

    // One tick below is more than half a per cent.
    scene.tick(A, "1");
    scene.minutes(A, "1", 2);
    assert_eq!(scene.orders_placed(), 0, "{:?}", scene.whys);

    scene.tick(A, "1.4");
    scene.tick(A, "2");
    scene.minutes(A, "3", 2);
    assert_eq!(scene.open().len(), 1, "{:?}", scene.whys);
}

fn capped() -> Setup {
    Setup {
        exchange: Settings { volume_cap: Some(Fraction::ONE), ..Default::default() },
        ..Default::default()
    }
}

fn safety_price(scene: &Scene) -> Option<Price> {
    let orders = scene.driver.exchange.open_orders(OURS);
    let safety = orders.into_iter().find(|order| order.side == Side::Buy);
    safety.and_then(|order| order.kind.price())
}

/// Behind the account's back: an order by hand holds them.
fn take_all_funds(scene: &mut Scene) -> Amount {
    let balances = scene.driver.exchange.balances(OURS);
    let usdt = balances.iter().find(|balance| balance.asset == asset("USDT"));
    let free = usdt.unwrap().free;
    let lost = Amount::ZERO.minus(free).unwrap();
    scene.driver.exchange.deposit(OURS, asset("USDT"), lost).unwrap();
    scene.driver.exchange.take_events();
    free
}

fn exchange_total(scene: &Scene, name: &str) -> Amount {
    let balances = scene.driver.exchange.balances(OURS);
    let found = balances.iter().find(|balance| balance.asset == asset(name));
    found.map_or(Amount::ZERO, |balance| balance.total().unwrap())
}

fn by_hand(scene: &mut Scene, qty: &str) {
    let now = scene.driver.now();
    let hand = Hand {
        instrument: A,
        side: Side::Buy,
        kind: OrderKind::Market { size: Size::Base(Qty::parse(qty).unwrap()) },
    };
    scene.driver.exchange.place_foreign(OURS, hand, now).unwrap();
}
