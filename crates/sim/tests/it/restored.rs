//! A store that was replaced by an older copy of itself.

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey},
    ids::{DealNo, Generation, Incarnation, Slot},
    money::{Qty, Quote},
    order::{OrderKind, OrderRequest, Side, TimeInForce},
    record::{Call, DealRow, PrivateEvent, Reply},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    line::{CallFault, EventFault},
    memory::{CommitFault, CommitPlan, FaultyMemory, Memory},
};
use tranche_trading::{
    account::AccountState,
    codec,
    dca::Draft,
    event::{CommandBody, Event, Scope},
    shard::{Options, Output},
    why::Why,
};

use crate::{
    books,
    scene::{A, BOT, FIRST_DEAL, OURS, Scene, Terms, draft, price, settings},
};

#[test]
fn an_execution_of_a_forgotten_deal_is_not_booked_to_a_new_one() {
    let mut scene = Scene::new();
    scene.create(BOT, draft());
    let copy = scene.driver.memory.memory().clone();
    scene.tick(A, "100");
    let forgotten = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    assert_eq!(forgotten.len(), 1);

    // The new life knows nothing of the deal, and opens one of its own.
    put_back(&mut scene, copy);
    scene.wait(60);
    scene.tick(A, "100");
    let bought = scene.deal(BOT).position.bought;
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Fill(forgotten[0])));
    scene.listen();

    assert_eq!(scene.deal(BOT).position.bought, bought);
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    assert_eq!(stored.fills.len(), 2, "the account itself knows of both");
    let ids: Vec<_> = stored.fills.values().map(|row| (row.bot, row.deal)).collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_deal_that_ended_after_the_copy_ends_with_all_that_it_bought() {
    let (mut scene, copy) = ended_behind_the_copy(|scene, _| scene.wait(3));
    let ended = only_deal(&scene);
    assert_eq!(scene.driver.exchange.trades(OURS, A, Timestamp::MIN).len(), 4);

    // It knows the base order, a safety order and a take profit that were out then.
    put_back_deaf(&mut scene, copy);
    scene.minutes(A, "103", 20);

    let anew = only_deal(&scene);
    assert_eq!((anew.bought, anew.profit), (ended.bought, ended.profit));
    assert_eq!((anew.ended, anew.fees), (ended.ended, ended.fees));
    assert_eq!(scene.bot(BOT).head.profit, ended.profit);
    assert_eq!(scene.orders_placed(), 3, "nothing is placed for what was sold already");
    assert_eq!(scene.open(), Vec::<String>::new());
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn an_answer_about_a_forgotten_deal_does_not_end_the_wait_for_the_others() {
    let mut scene = scene(true);
    scene.create(BOT, Draft { stop_after_deals: Some(2), ..one_deal() });
    scene.tick(A, "100");
    // No order of the copy buys later, so executions are read once.
    scene.command(CommandBody::PauseEntries { scope: Scope::Account }).unwrap();
    scene.wait(3);
    let copy = copy_of(&scene);
    scene.command(CommandBody::Resume { scope: Scope::Account }).unwrap();
    for price in ["98.9", "97.9", "103", "103"] {
        scene.tick(A, price);
        scene.wait(3);
    }
    // The copy knows nothing of the deal that was opened then; the store answers about it first.
    let trades = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    assert_eq!(trades.last().unwrap().client_id.unwrap().key().deal, DealNo::new(2));
    let ended = only_deal(&scene);

    put_back_deaf(&mut scene, copy);
    scene.wait(60);

    let anew = only_deal(&scene);
    assert_eq!((anew.bought, anew.profit), (ended.bought, ended.profit));
}

#[test]
fn executions_that_were_read_and_not_booked_are_read_again() {
    let (mut scene, copy) = ended_behind_the_copy(|scene, price| scene.minutes(A, price, 3));
    let ended = only_deal(&scene);

    // It dies between what was read and what the store said of it.
    put_back_deaf(&mut scene, copy);
    scene.wait(19);
    scene.next_commit(2, CommitFault::Fail);
    scene.minutes(A, "103", 20);

    assert_eq!(scene.driver.loads_count, 3);
    let anew = only_deal(&scene);
    assert_eq!((anew.bought, anew.profit), (ended.bought, ended.profit));
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_deal_whose_known_orders_sold_all_that_is_known_is_not_over_before_the_rest_is_read() {
    let mut scene = scene(false);
    let copy = bought_behind_the_take_profit(&mut scene);
    scene.tick(A, "103");
    scene.wait(3);
    let ended = only_deal(&scene);

    put_back_deaf(&mut scene, copy);
    scene.minutes(A, "103", 20);

    let anew = only_deal(&scene);
    assert_eq!((anew.bought, anew.profit), (ended.bought, ended.profit));
    assert_eq!(anew.ended, ended.ended);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn coins_that_the_copy_did_not_know_of_are_held_for_their_profit() {
    let mut scene = scene(false);
    let copy = bought_behind_the_take_profit(&mut scene);
    let before = scene.deal(BOT).position;

    put_back_deaf(&mut scene, copy);
    scene.minutes(A, "100", 20);

    assert_eq!(scene.deal(BOT).position, before);
    // The former life had 101.75: here the sale is read before the buy, and its profit counts.
    let expected = ["take profit 1: sell 1.008 @ 101.28", "safety order 2: buy 1.02 @ 98"];
    assert_eq!(scene.open(), expected);
    assert_eq!(scene.ended(), Vec::<String>::new());
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_deal_is_not_over_while_an_order_that_the_copy_forgot_may_still_buy() {
    let mut scene = Scene::new();
    let copy = resumed_behind_the_copy(&mut scene);
    withhold_cancels(&mut scene);
    put_back(&mut scene, copy);
    assert_eq!(scene.open().len(), 2);

    // Meanwhile the take profit sells everything, and then the order buys.
    scene.tick(A, "103");
    scene.tick(A, "98.9");
    scene.minutes(A, "98.9", 2);
    assert_eq!(scene.ended(), Vec::<String>::new());
    assert!(scene.deal(BOT).position.held().unwrap().is_positive());
    scene.driver.line.plan_mut().calls.clear();
    scene.minutes(A, "98.9", 3);
    scene.minutes(A, "103", 2);

    let row = only_deal(&scene);
    let trades = scene.driver.exchange.trades(OURS, A, Timestamp::MIN);
    let bought = trades.iter().filter(|trade| trade.side == Side::Buy);
    let spent = bought.fold(Quote::ZERO, |sum, trade| sum.plus(trade.quote).unwrap());
    assert_eq!((trades.len(), row.bought), (4, spent));
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn nothing_is_placed_beside_an_order_that_the_copy_forgot() {
    let mut scene = Scene::new();
    let copy = resumed_behind_the_copy(&mut scene);
    // The cancel is lost, which shows after ten seconds.
    scene.next_call(7, CallFault::LoseRequest);
    put_back(&mut scene, copy);
    let (placed, open) = (scene.orders_placed(), scene.open());
    assert_eq!(open.len(), 2);

    scene.command(CommandBody::Resume { scope: Scope::Account }).unwrap();
    for _ in 0..5 {
        scene.wait(1);
        scene.tick(A, "100");
    }
    assert_eq!(scene.account().desk.state, AccountState::Ready);
    assert_eq!((scene.orders_placed(), scene.open()), (placed, open.clone()));

    // It is asked for again, and the ladder is the deal's own.
    scene.minutes(A, "100", 3);
    assert_eq!((scene.orders_placed(), scene.open()), (placed + 1, open));
    let own = scene.driver.exchange.open_orders(OURS).into_iter();
    let origin = scene.account().desk.settings.origin;
    assert_eq!(own.filter(|order| order.client_id.origin() == origin).count(), 1);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn a_single_reading_that_does_not_find_the_order_frees_nothing() {
    let mut scene = Scene::new();
    let copy = resumed_behind_the_copy(&mut scene);
    // The list shows it; the question about it is answered from before it was placed.
    scene.next_call(5, CallFault::LaggingRead(Millis::from_secs(5)));
    put_back(&mut scene, copy);
    assert_eq!(scene.open().len(), 2);
    scene.tick(A, "103");
    assert_eq!(scene.ended(), Vec::<String>::new());

    for _ in 0..20 {
        scene.wait(1);
        assert!(scene.ended().is_empty() || scene.open().is_empty(), "it ended too early");
    }
    assert_eq!(scene.ended(), ["take_profit"]);
    scene.minutes(A, "103", 3);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn what_an_order_bought_unheard_is_booked_before_its_rung_is_placed_again() {
    let mut scene = Scene::new();
    let copy = resumed_behind_the_copy(&mut scene);
    withhold_cancels(&mut scene);
    put_back(&mut scene, copy);
    scene.command(CommandBody::Resume { scope: Scope::Account }).unwrap();
    let placed = scene.orders_placed();

    // It buys, and nobody tells of it; then the venue forgets it, but for its executions.
    for ahead in 1..=6 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "98.9");
    scene.tick(A, "100");
    scene.driver.line.plan_mut().calls.clear();
    scene.minutes(A, "100", 3);

    assert_eq!(scene.deal(BOT).position.bought, Qty::parse("2.01").unwrap());
    let rungs: Vec<_> = scene.open().into_iter().filter(|line| line.contains("buy")).collect();
    assert_eq!(rungs, ["safety order 2: buy 1.02 @ 98"]);
    // The second rung and the take profit anew.
    assert_eq!(scene.orders_placed(), placed + 2);
    books::quiet(&scene.driver, OURS).unwrap();
}

#[test]
fn executions_that_the_venue_refuses_to_tell_are_not_asked_for_in_a_storm() {
    let mut scene = Scene::new();
    let copy = resumed_behind_the_copy(&mut scene);
    withhold_cancels(&mut scene);
    put_back(&mut scene, copy);
    scene.driver.line.plan_mut().calls.clear();
    scene.driver.line.plan_mut().unreadable.insert(A);
    for ahead in 1..=6 {
        scene.next_event(ahead, EventFault::Drop);
    }
    scene.tick(A, "98.9");
    let (calls, _) = scene.driver.line.counts();
    scene.minutes(A, "100", 10);

    let asked = scene.driver.line.counts().0 - calls;
    assert!(asked < 60, "{asked} calls in ten minutes");
}

#[test]
fn an_order_of_a_forgotten_deal_is_taken_back_although_cancels_are_lost() {
    let mut scene = Scene::new();
    let copy = entering(&mut scene);

    // Open orders, balances and the order itself are asked for before it is taken back.
    for ahead in 4..=6 {
        scene.next_call(ahead, CallFault::LoseRequest);
    }
    put_back(&mut scene, copy);
    scene.wait(30);
    assert_eq!(scene.open().len(), 1);
    // Each is told to have failed after 10 s, and the pauses are short at first.
    scene.wait(30);

    assert_eq!(scene.open(), Vec::<String>::new());
    let taken_back = scene.whys.iter().filter(|why| matches!(why, Why::StrayCancelled { .. }));
    assert_eq!(taken_back.count(), 1, "told once");
}

#[test]
fn an_order_that_cannot_be_taken_back_is_tried_about_once_a_minute() {
    let shard = Options { record: true, ..Options::default() };
    let mut scene = Scene::with(Setup { shard, ..Setup::default() }, Terms::default());
    let copy = entering(&mut scene);
    let (calls, _) = scene.driver.line.counts();
    let lost = (calls + 4..calls + 10_000).map(|call| (call, CallFault::LoseRequest));
    scene.driver.line.plan_mut().calls.extend(lost);

    put_back(&mut scene, copy);
    scene.wait(600);
    let tried = cancels_answered(&scene);
    assert!((10..20).contains(&tried), "{tried}");

    scene.driver.line.plan_mut().calls.clear();
    scene.wait(75);
    assert_eq!(scene.open(), Vec::<String>::new());
}

#[test]
fn an_order_that_is_gone_is_not_taken_back_again() {
    let mut scene = Scene::new();
    let copy = entering(&mut scene);
    scene.next_call(4, CallFault::LoseReply);

    put_back(&mut scene, copy);
    let (calls, _) = scene.driver.line.counts();
    scene.wait(600);

    // The cancel was carried out; asked for once more, there is nothing to be taken back. The other calls
    // are the second list of open orders, and the balances with it.
    assert_eq!(scene.open(), Vec::<String>::new());
    assert_eq!(scene.driver.line.counts().0 - calls, 3);
}

/// The cancels of which something became known, and were it that no answer came.
fn cancels_answered(scene: &Scene) -> usize {
    let is_cancel = |told: &&Output| {
        let Output::Recorded { event, .. } = told else { return false };
        let event = codec::decode_event(event).unwrap();
        matches!(event, Event::Reply(Reply { call: Call::Cancel { .. }, .. }))
    };
    scene.told.iter().filter(is_cancel).count()
}

/// A base order rests, of a deal that the copy does not know. Nothing of it was bought, so the balances say
/// nothing of it.
fn entering(scene: &mut Scene) -> Memory {
    scene.create(BOT, draft());
    scene.wait(1);
    let copy = copy_of(scene);
    let key =
        OrderKey { bot: BOT, deal: FIRST_DEAL, slot: Slot::BASE, generation: Generation::new(1) };
    let request = OrderRequest {
        client_id: ClientOrderId::pack(settings(Terms::default()).origin, key).unwrap(),
        instrument: A,
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: price("50"),
            qty: Qty::parse("1").unwrap(),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
    };
    scene.driver.exchange.place(OURS, &request, scene.driver.now()).unwrap();
    assert_eq!(scene.open().len(), 1);
    copy
}

fn scene(last_lookup_first: bool) -> Scene {
    Scene::with(Setup { last_lookup_first, ..Setup::default() }, Terms::default())
}

/// One deal, one safety order at a time.
fn one_deal() -> Draft {
    Draft { active_safety_orders_count: Some(1), stop_after_deals: Some(1), ..draft() }
}

/// A deal whose base order the copy knows. Then it buys twice more, and its take profit ends it; `rest` comes
/// behind each of these prices.
fn ended_behind_the_copy(rest: impl Fn(&mut Scene, &str)) -> (Scene, Memory) {
    let mut scene = scene(true);
    scene.create(BOT, one_deal());
    scene.tick(A, "100");
    let copy = copy_of(&scene);
    for price in ["98.9", "97.9", "103"] {
        scene.tick(A, price);
        rest(&mut scene, price);
    }
    (scene, copy)
}

/// A copy that knows the base order and its take profit. Later the safety order is placed anew, and buys; the
/// take profit sells all that it was made for before it can be moved, and the price falls back. The rest is
/// held.
fn bought_behind_the_take_profit(scene: &mut Scene) -> Memory {
    scene.create(BOT, one_deal());
    scene.tick(A, "100");
    let copy = copy_of(scene);
    scene.command(CommandBody::PauseEntries { scope: Scope::Account }).unwrap();
    scene.wait(3);
    scene.command(CommandBody::Resume { scope: Scope::Account }).unwrap();
    scene.wait(3);
    scene.next_call(1, CallFault::LateRequest(Millis::from_secs(5)));
    scene.tick(A, "98.9");
    for ahead in 1..=12 {
        scene.next_event(ahead, EventFault::Delay(Millis::from_secs(2)));
    }
    scene.tick(A, "102.5");
    scene.tick(A, "100");
    scene.minutes(A, "100", 1);
    copy
}

/// A copy from while entries were paused. Later they are resumed, and a safety order rests of which it does
/// not know.
fn resumed_behind_the_copy(scene: &mut Scene) -> Memory {
    scene.create(BOT, one_deal());
    scene.tick(A, "100");
    scene.command(CommandBody::PauseEntries { scope: Scope::Account }).unwrap();
    scene.wait(3);
    let copy = copy_of(scene);
    scene.command(CommandBody::Resume { scope: Scope::Account }).unwrap();
    scene.wait(3);
    copy
}

/// As it is before the release: what was asked is answered, and no cancel arrives.
fn withhold_cancels(scene: &mut Scene) {
    let (calls, _) = scene.driver.line.counts();
    // Open orders, balances, executions and single orders are asked for before.
    let lost = (calls + 7..calls + 10_000).map(|call| (call, CallFault::LoseRequest));
    scene.driver.line.plan_mut().calls.extend(lost);
}

fn copy_of(scene: &Scene) -> Memory {
    scene.driver.memory.memory().clone()
}

/// A new life begins with what the copy knows.
fn put_back(scene: &mut Scene, copy: Memory) {
    scene.driver.memory = FaultyMemory::new(copy, CommitPlan::default());
    let mut settings = settings(Terms::default());
    settings.origin.incarnation = Incarnation::new(2);
    scene.driver.own(OURS, settings);
}

/// The same, and the answer about executions comes long after the others.
fn put_back_deaf(scene: &mut Scene, copy: Memory) {
    // Open orders and balances are asked for before.
    scene.next_call(3, CallFault::LateReply(Millis::from_secs(20)));
    put_back(scene, copy);
}

fn only_deal(scene: &Scene) -> DealRow {
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    assert_eq!(stored.deals.len(), 1);
    stored.deals[0].clone()
}
