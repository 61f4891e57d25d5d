//! What went wrong with other bots: each row of `docs/reliability/failures.md` that concerns a bot on
//! the spot market is provoked here, and named after its row.

mod events;
mod exits;
mod ladders;
mod limits;
mod restarts;
mod sends;
mod streams;

use tranche_model::{
    ids::Slot,
    money::{Qty, Quote},
    order::{OrderReport, OrderRequest, Side},
    record::{Call, Outcome, PrivateEvent, Reply},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    driver::Setup,
    exchange,
    line::{CallFault, EventFault},
};
use tranche_trading::{dca::Draft, event::Event, why::Why};

use crate::{
    books,
    scene::{A, BOT, OURS, Scene, Terms, draft},
};

/// A bot with a deal that holds its base, a take profit and two safety orders.
fn holding() -> Scene {
    holding_with(draft())
}

fn holding_with(draft: Draft) -> Scene {
    let mut scene = Scene::new();
    scene.create(BOT, draft);
    scene.tick(A, "100");
    scene
}

/// The same, where each call takes 700 ms to the exchange.
fn holding_far_away(draft: Draft) -> Scene {
    let exchange = exchange::Settings { latency: Millis::new(700), ..Default::default() };
    let mut scene = Scene::with(Setup { exchange, ..Setup::default() }, Terms::default());
    scene.wait(5);
    scene.create(BOT, draft);
    scene.tick(A, "100");
    scene.wait(5);
    scene
}

fn lonely() -> Draft {
    Draft { max_safety_orders: 0, active_safety_orders_count: None, ..draft() }
}

fn watched() -> Draft {
    Draft { active_safety_orders_count: Some(0), ..draft() }
}

/// The next `count` events are never told.
fn lose_events(scene: &mut Scene, count: u64) {
    for ahead in 1..=count {
        scene.next_event(ahead, EventFault::Drop);
    }
}

/// The next `count` calls never arrive.
fn lose_calls(scene: &mut Scene, count: u64) {
    for ahead in 1..=count {
        scene.next_call(ahead, CallFault::LoseRequest);
    }
}

/// The line works again from here on.
fn mend(scene: &mut Scene) {
    let plan = scene.driver.line.plan_mut();
    plan.calls.clear();
    plan.events.clear();
    plan.unreadable.clear();
    plan.unfindable = false;
}

/// The open order of a slot, as the exchange has it.
fn order_of(scene: &Scene, slot: &str) -> OrderReport {
    let orders = scene.driver.exchange.open_orders(OURS);
    orders.into_iter().find(|order| order.client_id.key().slot.to_string() == slot).unwrap()
}

/// Every order that was ever decided on for a slot.
fn intents(scene: &Scene, slot: Slot) -> Vec<OrderRequest> {
    let stored = scene.driver.memory.memory().stored(OURS).unwrap();
    let requests = stored.intents.iter().map(|row| row.request);
    requests.filter(|request| request.client_id.key().slot == slot).collect()
}

fn safety(number: u16) -> Slot {
    Slot::safety(number).unwrap()
}

fn push(scene: &mut Scene, report: OrderReport) {
    scene.driver.tell(OURS, Event::Private(PrivateEvent::Order(report)));
    scene.listen();
}

/// An answer to a placement, whatever really became of it.
fn answer(scene: &mut Scene, request: OrderRequest, outcome: Outcome) {
    let call = Call::Place { request, send_by: scene.driver.now() };
    scene.driver.tell(OURS, Event::Reply(Reply { call, outcome }));
    scene.listen();
}

fn calls_sent(scene: &Scene) -> u64 {
    scene.driver.line.counts().0
}

fn count(scene: &Scene, is_meant: impl Fn(&Why) -> bool) -> usize {
    scene.whys.iter().filter(|why| is_meant(why)).count()
}

/// What the exchange has traded for the account under ids of ours: bought, sold.
fn traded(scene: &Scene) -> (Qty, Qty) {
    let mut sums = (Qty::ZERO, Qty::ZERO);
    for fill in scene.driver.exchange.trades(OURS, A, Timestamp::MIN) {
        if fill.client_id.is_some() {
            let sum = if fill.side == Side::Buy { &mut sums.0 } else { &mut sums.1 };
            *sum = sum.plus(fill.qty).unwrap();
        }
    }
    sums
}

/// Nothing was lost, doubled or forgotten, and everything is at rest.
fn all_agrees(scene: &Scene) {
    books::always(&scene.driver, OURS, books::Disturbed::default()).unwrap();
    books::quiet(&scene.driver, OURS).unwrap();
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

fn quote(text: &str) -> Quote {
    Quote::parse(text).unwrap()
}
