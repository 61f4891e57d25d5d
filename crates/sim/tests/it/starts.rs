//! What a start asks the venue: as little as it can, and everything that may have happened.

use tranche_model::{
    candle::Tick,
    ids::{Incarnation, Slot},
    money::Qty,
    order::{OrderReport, OrderStatus},
    record::{Answer, Call, Outcome, Reply},
    time::Millis,
};
use tranche_sim::{
    driver::Setup,
    line::{CallFault, EventFault},
};
use tranche_trading::{
    account::AccountState,
    codec,
    event::{CommandBody, Event, Scope, Timing},
    shard::{Input, Options, Output},
    why::Why,
};

use crate::{
    books,
    scene::{A, BOT, OURS, Scene, Terms, draft, price, settings},
};

#[test]
fn a_start_asks_for_no_order_that_the_list_shows_as_it_is_known() {
    let mut scene = resting();

    scene.evict();
    scene.wait(30);

    assert_eq!(asked(&mut scene), ["open orders", "balances"]);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
    assert_eq!(scene.open().len(), 3);
}

#[test]
fn so_does_a_stream_that_is_up_again() {
    let mut scene = resting();
    scene.driver.stream(OURS, false);
    scene.wait(5);
    asked(&mut scene);

    scene.driver.stream(OURS, true);
    scene.wait(30);

    assert_eq!(asked(&mut scene), ["open orders", "balances"]);
    assert_eq!(scene.account().desk.state, AccountState::Ready);
}

#[test]
fn list_and_balances_are_read_again_when_reads_lag_no_more() {
    let mut scene = resting();

    scene.evict();
    scene.wait(70);

    assert_eq!(asked(&mut scene), ["open orders", "balances", "open orders", "balances"]);
}

#[test]
fn an_order_that_is_gone_is_asked_for_and_its_executions_are_read() {
    let mut scene = resting();

    trade_while_away(&mut scene, "98.9", "5");
    scene.evict();
    scene.wait(30);

    let asked = asked(&mut scene);
    assert!(asked.contains(&"safety order 1".to_owned()), "{asked:?}");
    assert!(asked.contains(&"trades".to_owned()), "{asked:?}");
    assert!(!asked.contains(&"safety order 2".to_owned()), "{asked:?}");
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn an_order_that_was_traded_in_part_is_asked_for_and_its_executions_are_read() {
    let mut scene = resting();

    trade_while_away(&mut scene, "98.9", "0.3");
    scene.evict();
    scene.wait(30);

    let asked = asked(&mut scene);
    assert!(asked.contains(&"trades".to_owned()), "{asked:?}");
    assert!(scene.deal(BOT).progress.iter().any(|part| part.filled.is_positive()));
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn an_order_that_was_traded_in_part_before_needs_no_question() {
    let mut scene = resting();
    scene.tick_with(A, "98.9", "0.3");
    scene.wait(5);
    asked(&mut scene);

    scene.evict();
    scene.wait(30);

    assert_eq!(asked(&mut scene), ["open orders", "balances"]);
}

#[test]
fn an_execution_that_a_list_hides_because_it_lags_is_read_for_the_balance_that_moved() {
    let mut scene = resting();
    scene.wait(300);

    trade_while_away(&mut scene, "98.9", "5");
    // The list is the first question.
    scene.next_call(1, CallFault::LaggingRead(Millis::from_secs(20)));
    scene.evict();
    scene.wait(5);

    assert!(asked(&mut scene).contains(&"trades".to_owned()));
    assert_eq!(scene.deal(BOT).levels.count(), 1);
    scene.wait(90);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_fill_of_an_order_that_was_believed_cancelled_is_found_at_a_start() {
    let mut scene = resting();
    let first = order_of(&scene, "safety order 1");
    // The cancel is answered, and the exchange does not carry it out before the order is filled.
    scene.next_call(1, CallFault::LoseRequest);
    scene.command(CommandBody::PauseEntries { scope: Scope::Account }).unwrap();
    let report = OrderReport { status: OrderStatus::Cancelled, ..first };
    let call = Call::Cancel { client_id: first.client_id, instrument: A };
    let outcome = Outcome::Done(Answer::Order { report, fills: Vec::new() });
    scene.driver.tell(OURS, Event::Reply(Reply { call, outcome }));
    scene.wait(11);
    assert_eq!(scene.lane(BOT).orders().count(), 1, "only the take profit");
    asked(&mut scene);

    trade_while_away(&mut scene, "98.9", "5");
    scene.evict();
    scene.wait(30);

    let asked = asked(&mut scene);
    assert!(asked.contains(&"trades".to_owned()), "{asked:?}");
    let late = |why: &Why| matches!(why, Why::LateFill { .. });
    assert!(scene.whys.iter().any(late), "{:#?}", scene.whys);
    let held = scene.deal(BOT).position.bought;
    let fills = scene.driver.exchange.trades(OURS, A, tranche_model::time::Timestamp::MIN);
    let bought = fills.iter().fold(Qty::ZERO, |sum, fill| sum.plus(fill.qty).unwrap());
    assert_eq!(held, bought);
}

#[test]
fn a_deal_that_was_held_back_from_its_end_ends_after_the_next_start() {
    let mut scene = resting();
    trade_while_away(&mut scene, "110", "5");
    // Executions are read once more, because the list is younger than the balances: no answer comes.
    scene.next_call(6, CallFault::LoseReply);
    scene.evict();
    scene.wait(1);
    let seen = asked(&mut scene);
    assert_eq!(seen.iter().filter(|question| *question == "trades").count(), 1, "{seen:?}");
    let deal = scene.deal(BOT).clone();
    assert!(deal.position.sold.is_positive(), "{deal:?}");
    assert_eq!(scene.lane(BOT).orders().count(), 2, "the safety orders");

    scene.evict();
    scene.wait(30);

    assert_eq!(scene.ended(), ["take_profit"]);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn executions_of_a_deal_from_before_a_restore_are_read_at_every_start() {
    let mut scene = resting();
    let mut renewed = settings(Terms::default());
    renewed.origin.incarnation = Incarnation::new(9);
    scene.driver.own(OURS, renewed);
    scene.wait(30);
    asked(&mut scene);

    scene.evict();
    scene.wait(30);

    assert!(asked(&mut scene).contains(&"trades".to_owned()));
}

#[test]
fn an_order_from_before_a_restore_is_asked_for_although_the_list_shows_it() {
    let mut scene = resting();
    let mut renewed = settings(Terms::default());
    renewed.origin.incarnation = Incarnation::new(9);
    scene.driver.own(OURS, renewed);
    scene.wait(30);

    let asked = asked(&mut scene);
    for question in ["trades", "safety order 1", "safety order 2", "take profit 1"] {
        assert!(asked.contains(&question.to_owned()), "{question}: {asked:?}");
    }
}

#[test]
fn an_order_that_was_to_be_cancelled_is_asked_for() {
    let mut scene = resting();
    scene.next_call(1, CallFault::LoseRequest);
    scene.command(CommandBody::CancelDeal { bot: BOT, deal: scene.deal(BOT).no }).unwrap();
    asked(&mut scene);

    scene.evict();
    scene.wait(1);

    assert!(asked(&mut scene).contains(&"trades".to_owned()));
}

#[test]
fn an_order_of_unknown_fate_is_asked_for_at_once() {
    let mut scene = recorded();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LoseReply);
    for ahead in 1..10 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "100");
    asked(&mut scene);

    scene.evict();

    let asked = asked(&mut scene);
    assert!(asked.contains(&Slot::BASE.to_string()), "{asked:?}");
}

#[test]
fn many_starts_do_not_put_the_proof_off_that_an_order_is_absent() {
    let mut scene = recorded();
    scene.create(BOT, draft());
    scene.next_call(1, CallFault::LoseRequest);
    scene.tick(A, "100");
    let timing = Timing::default();
    let (_, order) = scene.lane(BOT).orders().next().unwrap();
    let counts_from = order.send_by.plus(timing.arrival_margin).plus(timing.processing_bound);
    // Each start asks for the order, so that it is not found often in a short time.
    while scene.driver.now() < counts_from.plus(Millis::from_secs(25)) {
        scene.evict();
        scene.wait(1);
    }
    let is_proof = |why: &Why| matches!(why, Why::ProvedNotPlaced { .. });
    assert!(!scene.whys.iter().any(is_proof));

    scene.wait(20);

    assert!(scene.whys.iter().any(is_proof), "{:#?}", scene.whys);
}

/// A deal whose take profit and two safety orders rest.
fn resting() -> Scene {
    let mut scene = recorded();
    scene.create(BOT, draft());
    scene.tick(A, "100");
    scene.wait(30);
    assert_eq!(scene.open().len(), 3);
    asked(&mut scene);
    scene
}

/// Whose exchange trades no more in a tick than the tick says.
fn recorded() -> Scene {
    let exchange = tranche_sim::exchange::Settings {
        volume_cap: Some(tranche_model::money::Fraction::ONE),
        ..tranche_sim::exchange::Settings::default()
    };
    let shard = Options { record: true, ..Options::default() };
    Scene::with(Setup { exchange, shard, ..Setup::default() }, Terms::default())
}

/// The market trades while nobody is there, and what the exchange tells is told to nobody.
fn trade_while_away(scene: &mut Scene, at: &str, qty: &str) {
    let now = scene.driver.now();
    scene.driver.shard.step(Input::Evict { account: OURS }, now, &mut Vec::new());
    for ahead in 1..10 {
        scene.next_event(ahead, EventFault::Drop);
    }
    let qty = Qty::parse(qty).unwrap();
    scene.driver.exchange.trade(&Tick { instrument: A, price: price(at), qty, at: now });
}

fn order_of(scene: &Scene, slot: &str) -> OrderReport {
    let orders = scene.driver.exchange.open_orders(OURS);
    orders.into_iter().find(|order| order.client_id.key().slot.to_string() == slot).unwrap()
}

/// The questions that were answered since this was last called, in the order of the answers; orders by
/// their slot.
fn asked(scene: &mut Scene) -> Vec<String> {
    scene.listen();
    let replies = scene.told.drain(..).filter_map(|told| {
        let Output::Recorded { event, .. } = told else { return None };
        let Event::Reply(reply) = codec::decode_event(&event).unwrap() else { return None };
        Some(reply.call)
    });
    let names = replies.filter_map(|call| match call {
        Call::OpenOrders => Some("open orders".to_owned()),
        Call::Balances => Some("balances".to_owned()),
        Call::Trades { .. } => Some("trades".to_owned()),
        Call::Highs { .. } => Some("highs".to_owned()),
        Call::QueryOrder { client_id, .. } => Some(client_id.key().slot.to_string()),
        Call::Place { .. } | Call::Cancel { .. } | Call::CancelByVenueId { .. } => None,
    });
    names.collect()
}
