//! Answers that do not come, or cannot be read: nobody knows, and nobody guesses.

use std::time::Duration;

use tranche_model::{
    order::{OrderStatus, Side},
    record::{Call, Outcome},
};
use tranche_simserver::{Busy, Fault};

use crate::{
    bench::{On, Wiring},
    scene::{BTC, HOUSE, PATIENCE, Scene, connect, is_not_found, market, order_of, wiring},
};

/// Each fault that hides what became of a request, and whether it was carried out.
fn veils() -> [(Fault, bool); 15] {
    let busy = |text, executed| (Fault::Busy { text, executed }, executed);
    [
        (Fault::DropBefore, false),
        (Fault::DropAfter, true),
        (Fault::ErrorBefore { status: 502 }, false),
        (Fault::ErrorAfter { status: 502 }, true),
        (Fault::ErrorBefore { status: 504 }, false),
        (Fault::ErrorAfter { status: 500 }, true),
        (Fault::BrokenJson, true),
        (Fault::Timeout { executed: false }, false),
        (Fault::Timeout { executed: true }, true),
        (Fault::UnexpectedResponse { executed: true }, true),
        busy(Busy::Unknown, true),
        busy(Busy::Unknown, false),
        busy(Busy::Unavailable, true),
        busy(Busy::Internal, true),
        busy(Busy::Overloaded, false),
    ]
}

pub(crate) async fn an_order_without_an_answer_is_unknown_and_found(scene: Scene) {
    for (fault, was_done) in veils() {
        let request = scene.resting();
        scene.bench.inject(On::Place, fault, 1);

        let outcome = scene.send(request).await;

        assert_eq!(outcome, Outcome::Unknown, "{fault:?}");
        let found = scene.query(request.client_id).await;
        assert_eq!(is_not_found(&found), !was_done, "{fault:?}: {found:?}");
        if was_done {
            order_of(scene.cancel(request.client_id).await);
        }
    }
}

pub(crate) async fn an_order_is_never_sent_twice(scene: Scene) {
    for fault in [Fault::DropAfter, Fault::ErrorAfter { status: 503 }, Fault::BrokenJson] {
        let request = scene.order(Side::Buy, market("0.01"));
        scene.bench.inject(On::Place, fault, 1);

        assert_eq!(scene.send(request).await, Outcome::Unknown, "{fault:?}");

        // What follows is a proof: a second placement would have come before it.
        order_of(scene.query(request.client_id).await);
        let fills = scene.bench.books().fills;
        let mine = fills.iter().filter(|fill| fill.client_id == Some(request.client_id));
        assert_eq!(mine.count(), 1, "{fault:?}");
    }
}

pub(crate) async fn a_cancel_without_an_answer_is_unknown_and_found(scene: Scene) {
    for (fault, was_done) in veils() {
        let request = scene.resting();
        scene.place(request).await;
        scene.bench.inject(On::Cancel, fault, 1);

        let outcome = scene.cancel(request.client_id).await;

        assert_eq!(outcome, Outcome::Unknown, "{fault:?}");
        let (found, _) = order_of(scene.query(request.client_id).await);
        let status = if was_done { OrderStatus::Cancelled } else { OrderStatus::Open };
        assert_eq!(found.status, status, "{fault:?}");
        if !was_done {
            order_of(scene.cancel(request.client_id).await);
        }
    }
}

pub(crate) async fn a_read_without_an_answer_is_unknown(scene: Scene) {
    let request = scene.resting();
    let (placed, _) = scene.place(request).await;
    let query = Call::QueryOrder { client_id: request.client_id, instrument: BTC };
    let trades = Call::Trades { instrument: BTC, since: placed.updated_at };
    let reads = [
        (On::Query, query),
        (On::OpenOrders, Call::OpenOrders),
        (On::Trades, trades),
        (On::Balances, Call::Balances),
    ];
    for (on, call) in reads {
        for (fault, _) in veils() {
            scene.bench.inject(on, fault, 1);
            let outcome = scene.call(call).await.outcome;
            assert_eq!(outcome, Outcome::Unknown, "{on:?} {fault:?}");
        }
        assert!(matches!(scene.call(call).await.outcome, Outcome::Done(_)), "{on:?}");
    }
}

pub(crate) async fn an_answer_that_comes_too_late_is_unknown(scene: Scene) {
    let patience = Duration::from_secs(1);
    let venue = connect(&*scene.bench, Wiring { patience, ..wiring() });
    venue.sync_clock().await.unwrap();
    let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();
    let request = scene.resting();
    scene.bench.inject(On::Place, Fault::DelayAnswer { ms: 3000 }, 1);

    let outcome = account.call(scene.placement(request)).await.outcome;

    assert_eq!(outcome, Outcome::Unknown);
    order_of(scene.query(request.client_id).await);
}

pub(crate) async fn an_order_may_take_effect_when_nobody_waits_any_more(scene: Scene) {
    let patience = Duration::from_secs(1);
    let venue = connect(&*scene.bench, Wiring { patience, ..wiring() });
    venue.sync_clock().await.unwrap();
    let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();
    let request = scene.resting();
    scene.bench.inject(On::Place, Fault::Delay { ms: 3000 }, 1);

    let outcome = account.call(scene.placement(request)).await.outcome;
    let early = scene.query(request.client_id).await;
    let found = async {
        while is_not_found(&scene.query(request.client_id).await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the order arrives");

    assert_eq!(outcome, Outcome::Unknown);
    assert!(is_not_found(&early), "one look is no evidence: {early:?}");
}
