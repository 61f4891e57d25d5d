//! Keys, signatures, timing, and in which order they are looked at.

use serde_json::json;

use crate::{
    scene::{ANN, ANN_ED, ANN_READ, ANN_RSA, Scene, encoded, frame, now, sign},
    wire::{Reply, call},
};

const LIMIT: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";

async fn send(scene: &Scene, target: &str, key: Option<&str>, body: &[u8]) -> Reply {
    call(scene.exchange, ("POST", target), key, body).await.unwrap()
}

#[tokio::test]
async fn each_kind_of_key_signs() {
    let scene = Scene::new().await;
    for key in [ANN, ANN_ED, ANN_RSA] {
        let reply = scene.order(key, LIMIT).await;
        assert_eq!(reply.status, 200, "{key}: {reply:?}");
        let mut socket = scene.socket("/ws-api/v3").await;
        let answer = socket.ask(&frame(1, "account.status", key, &[])).await;
        assert_eq!(answer["status"], 200, "{key}: {answer}");
    }
}

#[tokio::test]
async fn hex_is_read_in_any_case_and_nothing_else_is_forgiven() {
    let scene = Scene::new().await;
    let payload = format!("{LIMIT}&timestamp={}", now());
    let signature = sign(ANN, payload.as_bytes());

    let upper = format!("/api/v3/order?{payload}&signature={}", signature.to_uppercase());
    let other = format!("/api/v3/order?{payload}&newOrderRespType=ACK&signature={signature}");

    assert_eq!(send(&scene, &upper, Some(ANN), b"").await.status, 200);
    assert_eq!(send(&scene, &other, Some(ANN), b"").await.code(), -1022);
    assert_eq!(send(&scene, &upper, Some(ANN_ED), b"").await.code(), -1022);
}

#[tokio::test]
async fn parameters_may_be_in_the_body_or_in_both() {
    let scene = Scene::new().await;
    let (query, body) = LIMIT.split_once("&quantity").unwrap();
    let body = format!("quantity{body}&timestamp={}", now());

    // The halves are signed one behind the other, without a sign between them.
    let signature = sign(ANN, format!("{query}{body}").as_bytes());
    let target = format!("/api/v3/order?{query}");
    let signed = format!("{body}&signature={signature}");
    let mixed = send(&scene, &target, Some(ANN), signed.as_bytes()).await;
    let in_query = format!("{target}&signature={signature}");
    let moved = send(&scene, &in_query, Some(ANN), body.as_bytes()).await;
    let joined = sign(ANN, format!("{query}&{body}").as_bytes());
    let wrong = format!("{body}&signature={joined}");
    let wrong = send(&scene, &target, Some(ANN), wrong.as_bytes()).await;
    let whole = format!("{LIMIT}&timestamp={}", now());
    let whole = format!("{whole}&signature={}", sign(ANN, whole.as_bytes()));
    let whole = send(&scene, "/api/v3/order", Some(ANN), whole.as_bytes()).await;

    assert_eq!((mixed.status, moved.status, whole.status), (200, 200, 200));
    assert_eq!(wrong.code(), -1022);
}

#[tokio::test]
async fn what_is_signed_must_be_percent_encoded() {
    let scene = Scene::new().await;
    let rest = format!("side=BUY&type=MARKET&quantity=1&timestamp={}", now());
    let raw = format!("symbol=１２３４５６&{rest}");
    let coded = format!("symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&{rest}");

    let mut codes = Vec::new();
    for payload in [raw, coded] {
        let body = format!("{payload}&signature={}", sign(ANN, payload.as_bytes()));
        codes.push(send(&scene, "/api/v3/order", Some(ANN), body.as_bytes()).await.code());
    }

    assert_eq!(codes, [-1022, -1121]);
}

#[tokio::test]
async fn the_clock_is_looked_at_from_both_sides() {
    let scene = Scene::new().await;
    let at = async |ms: i64, window: i64| {
        let payload = format!("{LIMIT}&recvWindow={window}&timestamp={}", now() + ms);
        scene.stamped(ANN, "POST", "/api/v3/order", &payload).await.unwrap()
    };

    let ahead = at(1500, 5000).await;
    let late = at(-5001, 5000).await;
    let wide = at(-5001, 20_000).await;
    let too_wide = at(0, 60_001).await;

    assert_eq!(
        (ahead.code(), ahead.said().as_str()),
        (-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    );
    assert_eq!(
        (late.code(), late.said().as_str()),
        (-1021, "Timestamp for this request is outside of the recvWindow.")
    );
    assert_eq!(wide.status, 200);
    assert_eq!(too_wide.code(), -1102);
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_exchange() {
    let scene = Scene::new().await;
    let (now, old) = (now(), now() - 10_000);
    // Each request has all the faults of those below it.
    let cases = [
        (None, "side=BUY".to_owned(), 401, -2014),
        (Some("a b"), "side=BUY".to_owned(), 401, -2014),
        (Some("nobody"), "side=BUY".to_owned(), 401, -2015),
        (Some(ANN), format!("side=BUY&timestamp={old}"), 400, -1102),
        (Some(ANN), format!("side=BUY&timestamp={old}&signature=00"), 400, -1102),
        (Some(ANN), format!("{LIMIT}&newClientOrderId=.&timestamp={old}&signature=00"), 400, -1100),
        (Some(ANN), format!("{LIMIT}&timestamp={old}&signature=00"), 400, -1021),
        (Some(ANN), format!("{LIMIT}&timestamp={now}&signature=00"), 400, -1022),
    ];
    for (key, query, status, code) in cases {
        let reply = send(&scene, &format!("/api/v3/order?{query}"), key, b"").await;
        assert_eq!((reply.status, reply.code()), (status, code), "{key:?} {query}");
    }
    let unknown = LIMIT.replace("BTCUSDT", "NOTHERE").replace("0.001", "0.000000001");
    let fine = LIMIT.replace("0.001", "0.000000001").replace("40000", "1");
    let filter = LIMIT.replace("40000", "1");
    for (query, code) in [(unknown, -1121), (fine, -1111), (filter, -1013)] {
        assert_eq!(scene.order(ANN, &query).await.code(), code, "{query}");
    }
}

#[tokio::test]
async fn a_key_does_what_it_may() {
    let scene = Scene::new().await;

    let read = scene.signed(ANN_READ, "GET", "/api/v3/account", "").await;
    let order = scene.order(ANN_READ, LIMIT).await;
    let rights = "/sapi/v1/account/apiRestrictions";
    let rights = scene.signed(ANN_READ, "GET", rights, "").await.json();

    assert_eq!((read.status, &read.json()["canTrade"]), (200, &json!(false)));
    assert_eq!((order.status, order.code()), (401, -2015));
    assert_eq!(rights["enableSpotAndMarginTrading"], false);
    assert_eq!(rights["enableReading"], true);
    assert_eq!(rights["enableWithdrawals"], false);
}

#[tokio::test]
async fn microseconds_are_read_as_such() {
    let scene = Scene::new().await;
    let payload = format!("{LIMIT}&recvWindow=5000.123&timestamp={}123", now());

    let reply = scene.stamped(ANN, "POST", "/api/v3/order", &payload).await.unwrap();

    assert_eq!(reply.status, 200, "{reply:?}");
    let base64 = encoded("+/=");
    assert_eq!(base64, "%2B%2F%3D");
}
