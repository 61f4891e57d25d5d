//! Keys: every kind trades, and one that may not is told why.

use tranche_model::record::{Call, Outcome, RefusalReason};
use tranche_venue::{
    secret::Credentials,
    venue::{LostReason, PrivateMessage, ReadError},
};

use crate::{
    ear::Ear,
    scene::{HOUSE, Scene, order_of},
};

pub(crate) async fn each_kind_of_key_trades(scene: Scene) {
    for key in scene.bench.keys() {
        let name = key.name.clone();
        let account = scene.venue.account(key, HOUSE).unwrap();
        let mut ear = Ear::new(account.private_stream());
        ear.until_live().await;
        let request = scene.resting();

        order_of(account.call(scene.placement(request)).await.outcome);
        let cancel = Call::Cancel { client_id: request.client_id, instrument: request.instrument };
        order_of(account.call(cancel).await.outcome);
        ear.until_ended(request.client_id).await;

        let report = account.check_key().await.unwrap();
        assert!(report.can_trade, "{name}: {report:?}");
        assert!(!format!("{account:?}").contains("PRIVATE"), "{name}");
    }
}

pub(crate) async fn an_unknown_key_is_refused(scene: Scene) {
    is_refused_everywhere(&scene, scene.bench.unknown_key()).await;
}

pub(crate) async fn a_wrong_secret_is_refused(scene: Scene) {
    is_refused_everywhere(&scene, scene.bench.wrong_secret()).await;
}

async fn is_refused_everywhere(scene: &Scene, credentials: Credentials) {
    let account = scene.venue.account(credentials, HOUSE).unwrap();

    for call in [scene.placement(scene.resting()), Call::Balances, Call::OpenOrders] {
        let outcome = account.call(call).await.outcome;
        let is_key = matches!(&outcome, Outcome::Refused(it) if it.reason == RefusalReason::Key);
        assert!(is_key, "{outcome:?}");
    }
    let read = account.check_key().await;
    let is_key = matches!(&read, Err(ReadError::Refused(it)) if it.reason == RefusalReason::Key);
    assert!(is_key, "{read:?}");
    let mut ear = Ear::new(account.private_stream());
    let is_told = |message: &PrivateMessage| matches!(message, PrivateMessage::Lost { reason: LostReason::Refused(it) } if it.reason == RefusalReason::Key);
    ear.until("a refusal", is_told).await;
    assert_eq!(ear.heard.len(), 1, "never live: {:?}", ear.heard);
    assert!(scene.bench.books().open.is_empty());
}

pub(crate) async fn a_key_without_the_right_to_trade_reads_only(scene: Scene) {
    let request = scene.resting();
    scene.place(request).await;
    scene.bench.set_rights(false, false);

    let refusal = scene.refused(scene.resting()).await;
    let cancel = scene.cancel(request.client_id).await;

    assert_eq!(refusal.reason, RefusalReason::Key, "{refusal:?}");
    let is_key = matches!(&cancel, Outcome::Refused(it) if it.reason == RefusalReason::Key);
    assert!(is_key, "not taken for an order that is not there: {cancel:?}");
    assert_eq!(scene.bench.books().open, [Some(request.client_id)]);
    order_of(scene.query(request.client_id).await);
    assert!(matches!(scene.call(Call::Balances).await.outcome, Outcome::Done(_)));
    assert!(!scene.account.check_key().await.unwrap().can_trade);
}

pub(crate) async fn the_right_to_withdraw_is_seen(scene: Scene) {
    for may_withdraw in [false, true] {
        scene.bench.set_rights(true, may_withdraw);

        let report = scene.account.check_key().await.unwrap();

        assert_eq!((report.can_trade, report.can_withdraw), (true, Some(may_withdraw)));
        assert!(report.is_ip_restricted.is_some());
        assert!(report.clock_offset_ms.is_some_and(|ms| ms.abs() < 1000));
    }
}
