//! Clocks that are off, and requests that travel too long.

use std::{sync::Arc, time::Duration};

use tranche_model::{
    record::{Call, Outcome, RefusalReason},
    time::Millis,
};
use tranche_simserver::Fault;

use crate::{
    bench::{On, Wiring},
    scene::{HOUSE, Host, PATIENCE, Scene, connect, order_of, wiring},
};

const HOUR_MS: i64 = 3_600_000;

pub(crate) async fn a_clock_that_moved_is_refused_until_it_is_measured(scene: Scene) {
    for ahead in [20_000, -20_000] {
        scene.bench.skew(ahead);

        let refusal = scene.refused(scene.resting()).await;
        scene.venue.sync_clock().await.unwrap();
        let measured = scene.venue.clock_offset_ms().unwrap();
        let request = scene.resting();
        scene.place(request).await;
        scene.cancel(request.client_id).await;

        assert_eq!(refusal.reason, RefusalReason::Other, "{refusal:?}");
        assert!((measured - ahead).abs() < 1000, "{ahead}: {measured}");
    }
}

pub(crate) async fn a_refused_stamp_has_the_clock_measured(scene: Scene) {
    scene.bench.skew(20_000);
    scene.refused(scene.resting()).await;

    // Without a word of ours; how soon is the venue's choice.
    let measured = async {
        while scene.venue.clock_offset_ms().is_none_or(|ms| (ms - 20_000).abs() > 1000) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, measured).await.expect("the clock is measured");

    scene.place(scene.resting()).await;
}

pub(crate) async fn a_host_that_is_an_hour_off_trades(scene: Scene) {
    for ahead in [HOUR_MS, -HOUR_MS] {
        let host = Arc::new(Host::default());
        host.set_ahead(ahead);
        let venue = connect(&*scene.bench, Wiring { host, ..wiring() });
        venue.sync_clock().await.unwrap();
        let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();

        let request = scene.resting();
        let send_by = venue.now().plus(Millis::from_secs(10));
        let (report, _) = order_of(account.call(Call::Place { request, send_by }).await.outcome);

        assert!((venue.clock_offset_ms().unwrap() + ahead).abs() < 1000);
        assert!((venue.now().ms() - scene.venue.now().ms()).abs() < 1000);
        let trades = Call::Trades { instrument: request.instrument, since: report.updated_at };
        assert!(matches!(account.call(trades).await.outcome, Outcome::Done(_)));
        assert!(matches!(account.check_key().await, Ok(report) if report.can_trade));
    }
}

pub(crate) async fn a_host_that_jumps_trades_on(scene: Scene) {
    let host = Arc::new(Host::default());
    let wired: Arc<Host> = Arc::clone(&host);
    let venue = connect(&*scene.bench, Wiring { host: wired, ..wiring() });
    venue.sync_clock().await.unwrap();
    let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();

    for ahead in [HOUR_MS, -HOUR_MS] {
        host.set_ahead(ahead);
        let request = scene.resting();
        let send_by = venue.now().plus(Millis::from_secs(10));
        order_of(account.call(Call::Place { request, send_by }).await.outcome);
        assert!((venue.now().ms() - scene.venue.now().ms()).abs() < 1000);
    }
}

pub(crate) async fn a_request_that_travelled_too_long_does_nothing(scene: Scene) {
    scene.bench.inject(On::Place, Fault::Delay { ms: 3700 }, 1);
    let request = scene.resting();
    // May leave in its last second, and needs longer than the two seconds after it.
    let send_by = scene.venue.now().plus(Millis::new(1000));

    let outcome = scene.call(Call::Place { request, send_by }).await.outcome;

    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert!(scene.bench.books().open.is_empty(), "two seconds after its last moment");
}

pub(crate) async fn after_its_last_moment_nothing_leaves(scene: Scene) {
    let request = scene.resting();
    let send_by = scene.venue.now();
    scene.wait_past(send_by).await;

    let late = scene.call(Call::Place { request, send_by }).await;

    assert_eq!(late.outcome, Outcome::NotSent);
    assert!(late.order_counts.is_empty(), "nobody was asked");
    // Shortly before it, an order still arrives.
    let send_by = scene.venue.now().plus(Millis::new(2500));
    let slow = Fault::Delay { ms: 200 };
    scene.bench.inject(On::Place, slow, 1);
    let in_time = tokio::time::timeout(PATIENCE, scene.call(Call::Place { request, send_by }));
    order_of(in_time.await.unwrap().outcome);
}
