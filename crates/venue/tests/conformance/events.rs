//! Private events that come twice, early, late, in another order, or in words that nobody knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::timeout;
use tranche_model::{
    asset::Asset,
    balance::Balance,
    money::Qty,
    order::{OrderStatus, Side},
    record::PrivateEvent,
};
use tranche_simserver::Fault;
use tranche_venue::venue::PrivateMessage;

use crate::{
    bench::On,
    ear::{Ear, reports},
    scene::{BTC, Scene, limit, market, order_of, price, qty, sum},
};

async fn listen(scene: &Scene) -> Ear<PrivateMessage> {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;
    ear
}

pub(crate) async fn what_is_told_twice_counts_once(scene: Scene) {
    let mut ear = listen(&scene).await;
    let request = scene.order(Side::Buy, limit("49000", "0.01"));
    scene.bench.inject(On::OrderEvent, Fault::EventDouble, 3);
    scene.place(request).await;
    scene.price("48900");
    ear.until_ended(request.client_id).await;
    // What comes after it is proof that nothing more came before.
    let last = scene.order(Side::Sell, market("0.01"));
    scene.place(last).await;
    ear.until_ended(last.client_id).await;

    assert_eq!(ear.statuses(request.client_id), [OrderStatus::Open, OrderStatus::Filled]);
    let ids: Vec<_> = ear.fills().iter().map(|fill| fill.trade_id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(ids.len(), 2);
}

pub(crate) async fn what_happens_in_one_moment_is_told_whole(scene: Scene) {
    const COUNT: usize = 100;
    let mut ear = listen(&scene).await;
    let request = scene.order(Side::Buy, limit("49000", "0.1"));
    scene.place(request).await;
    // Far more than one in a millisecond.
    for _ in 0..COUNT {
        scene.bench.trade(BTC, price("48900"), qty("0.001"));
    }
    ear.until_ended(request.client_id).await;
    let books = scene.bench.books();

    let ids: Vec<_> = ear.fills().iter().map(|fill| fill.trade_id).collect();
    assert_eq!(ids, books.fills.iter().map(|fill| fill.trade_id).collect::<Vec<_>>());
    let is_last = |heard: &[PrivateMessage]| {
        let told = balances(heard);
        books.balances.iter().all(|it| told.get(&it.asset).is_none_or(|last| last == it))
            && 2 <= told.len()
    };
    ear.until_all("the balances that are left", is_last).await;
}

/// The last word on each balance.
fn balances(heard: &[PrivateMessage]) -> BTreeMap<Asset, Balance> {
    let told = heard.iter().filter_map(|message| match message {
        PrivateMessage::Event(PrivateEvent::Balances(changed)) => Some(changed),
        PrivateMessage::Event(PrivateEvent::Order(_) | PrivateEvent::Fill(_))
        | PrivateMessage::Live
        | PrivateMessage::Lost { .. } => None,
    });
    told.flatten().map(|balance| (balance.asset, *balance)).collect()
}

pub(crate) async fn events_may_come_before_the_reply(scene: Scene) {
    let mut ear = listen(&scene).await;
    scene.bench.inject(On::Place, Fault::DelayAnswer { ms: 400 }, 1);
    let request = scene.order(Side::Buy, market("0.01"));
    let placing = scene.send(request);
    tokio::pin!(placing);

    let early = tokio::select! {
        biased;
        () = ear.until_ended(request.client_id) => true,
        _ = &mut placing => false,
    };
    let (report, fills) = order_of(placing.await);

    assert!(early, "the order was filled before its reply");
    assert_eq!(ear.fills(), fills, "both say the same");
    let told = *reports(&ear.heard).last().unwrap();
    assert_eq!((told.venue_id, told.executed), (report.venue_id, report.executed));
    assert_eq!((told.status, told.kind), (report.status, report.kind));
}

pub(crate) async fn events_may_come_after_the_reply(scene: Scene) {
    let mut ear = listen(&scene).await;
    scene.bench.inject(On::OrderEvent, Fault::EventLate { ms: 1500 }, 2);
    let request = scene.order(Side::Buy, market("0.01"));

    let (_, fills) = scene.place(request).await;
    let early = timeout(Duration::from_millis(50), ear.until_ended(request.client_id)).await;
    ear.until_ended(request.client_id).await;

    assert!(early.is_err(), "the reply came first");
    assert_eq!(ear.fills(), fills);
}

pub(crate) async fn events_may_come_out_of_order(scene: Scene) {
    let mut ear = listen(&scene).await;
    scene.bench.inject(On::OrderEvent, Fault::EventSwap, 1);
    let request = scene.order(Side::Buy, market("0.01"));

    let (_, fills) = scene.place(request).await;
    let count = |heard: &[PrivateMessage]| reports(heard).len() == 2;
    ear.until_all("both reports", count).await;

    assert_eq!(ear.statuses(request.client_id), [OrderStatus::Filled, OrderStatus::Open]);
    let executed: Vec<Qty> = reports(&ear.heard).iter().map(|report| report.executed).collect();
    assert_eq!(executed, [qty("0.01"), Qty::ZERO], "each says what was executed when it happened");
    assert_eq!((ear.fills(), sum(&fills)), (fills.clone(), qty("0.01")));
}

pub(crate) async fn an_unknown_status_is_no_end(scene: Scene) {
    let mut ear = listen(&scene).await;
    scene.bench.inject(On::OrderEvent, Fault::EventStrange, 1);
    scene.bench.inject(On::Place, Fault::StrangeStatus, 1);
    scene.bench.inject(On::Query, Fault::StrangeStatus, 1);
    let request = scene.resting();

    let (placed, _) = scene.place(request).await;
    let (asked, _) = order_of(scene.query(request.client_id).await);
    let (again, _) = order_of(scene.query(request.client_id).await);
    ear.until_all("a report", |heard| !reports(heard).is_empty()).await;

    let strange = [placed.status, asked.status, ear.statuses(request.client_id)[0]];
    assert_eq!(strange, [OrderStatus::Unrecognized; 3]);
    assert!(!OrderStatus::Unrecognized.is_terminal());
    assert_eq!(again.status, OrderStatus::Open);
}
