//! Limits: told before they hurt, obeyed when they do.

use tranche_model::{
    order::{OrderKind, Side, TimeInForce},
    record::{Call, Outcome},
    time::{Millis, Timestamp},
};
use tranche_simserver::Fault;
use tranche_venue::venue::{ReadError, Report};

use crate::{
    bench::{On, limits},
    scene::{Scene, order_of, price, qty},
};

fn retry_at(report: &Report) -> Timestamp {
    let Outcome::Throttled { retry_at } = report.outcome else { panic!("{report:?}") };
    retry_at
}

pub(crate) async fn who_goes_on_is_throttled_then_banned(scene: Scene) {
    scene.bench.inject(On::Place, Fault::TooMany { seconds: 2 }, 1);
    let asked_at = scene.venue.now();

    let first = scene.call(scene.placement(scene.resting())).await;

    let wait = retry_at(&first).since(asked_at).ms();
    assert!((1000..=4000).contains(&wait), "{wait}");
    assert_eq!(first.banned_until, None);
    let mut ban = None;
    for _ in 0..=limits::STRIKES {
        let report = scene.call(Call::Balances).await;
        if report.banned_until.is_some() {
            assert_eq!(report.banned_until, Some(retry_at(&report)));
            ban = report.banned_until;
            break;
        }
        retry_at(&report);
    }
    let until = ban.expect("who goes on is banned");
    assert!(scene.bench.books().open.is_empty(), "nothing was done meanwhile");
    scene.wait_past(until.max(retry_at(&first))).await;
    order_of(scene.send(scene.resting()).await);
}

pub(crate) async fn a_ban_is_told_with_its_end(scene: Scene) {
    scene.bench.ban(60);
    let near = |until: Timestamp| {
        let wait = until.since(scene.venue.now()).ms();
        assert!((55_000..=62_000).contains(&wait), "{wait}");
    };
    for call in [scene.placement(scene.resting()), Call::Balances, Call::OpenOrders] {
        let report = scene.call(call).await;
        near(retry_at(&report));
        assert_eq!(report.banned_until, Some(retry_at(&report)));
    }
    let read = scene.account.check_key().await;
    let Err(ReadError::Throttled { retry_at, banned: true }) = read else { panic!("{read:?}") };
    near(retry_at);
    assert!(scene.bench.books().open.is_empty());
}

pub(crate) async fn too_many_orders_wait_for_the_next_window(scene: Scene) {
    const WINDOW: Millis = Millis::from_secs(10);
    let kind = OrderKind::Limit {
        price: price("40000"),
        qty: qty("0.01"),
        time_in_force: TimeInForce::ImmediateOrCancel,
    };
    // A window may end on the way.
    for _ in 0..3 * limits::ORDERS {
        let report = scene.call(scene.placement(scene.order(Side::Buy, kind))).await;
        if let Outcome::Throttled { retry_at } = report.outcome {
            let wait = retry_at.since(scene.venue.now());
            assert!(wait <= WINDOW, "{wait:?}");
            assert_eq!(report.banned_until, None, "it concerns the account, not the address");
            assert!(matches!(scene.call(Call::Balances).await.outcome, Outcome::Done(_)));
            return;
        }
        order_of(report.outcome);
        let count = report.order_counts.iter().find(|(window, _)| *window == WINDOW).unwrap().1;
        assert!((1..=limits::ORDERS).contains(&count), "{count}");
    }
    panic!("orders have no limit");
}

pub(crate) async fn what_was_used_is_told(scene: Scene) {
    let mut used = Vec::new();
    // A minute may end between two of them, not between all.
    for _ in 0..3 {
        used.push(scene.call(Call::Balances).await.used_weight.unwrap());
    }
    assert!(used.windows(2).any(|pair| pair[0] < pair[1]), "{used:?}");
    let report = scene.call(scene.placement(scene.resting())).await;
    assert!(!report.order_counts.is_empty());
}

pub(crate) async fn what_is_used_beside_calls_is_told(scene: Scene) {
    scene.venue.aside();

    scene.venue.server_time().await.unwrap();
    let asked = scene.venue.aside();
    scene.bench.ban(60);
    let refused = scene.venue.server_time().await;
    let banned = scene.venue.aside();

    assert!(1 <= asked.weight, "{asked:?}");
    assert_eq!(asked.banned_until, None);
    let Err(ReadError::Throttled { retry_at, banned: true }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(banned.banned_until, Some(retry_at));
    assert_eq!(scene.venue.aside().banned_until, None, "it is told once");
}
