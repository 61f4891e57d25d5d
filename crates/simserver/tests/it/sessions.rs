//! The WebSocket API: orders as frames, sessions, private subscriptions.

use serde_json::{Value, json};

use crate::scene::{ANN, ANN_ED, ANN_RSA, BOB, Scene, early_in, frame, now};

const LIMIT: [(&str, &str); 6] = [
    ("symbol", "BTCUSDT"),
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", "0.001"),
    ("price", "40000"),
];

#[tokio::test]
async fn frames_are_answered_with_their_id_and_the_limits() {
    let scene = Scene::new().await;
    early_in(60_000).await;
    let mut socket = scene.socket("/ws-api/v3").await;

    let time = socket.ask(&json!({"id": "a-1", "method": "time"})).await;
    let ping = socket.ask(&json!({"id": null, "method": "ping"})).await;
    let params = json!({"symbols": ["ETHUSDT"], "returnRateLimits": false});
    let info = socket.ask(&json!({"id": 3, "method": "exchangeInfo", "params": params})).await;
    let unknown = socket.ask(&json!({"id": 4, "method": "order.fly"})).await;
    let removed = socket.ask(&json!({"id": 5, "method": "userDataStream.start"})).await;

    assert!((time["result"]["serverTime"].as_i64().unwrap() - now()).abs() < 5000);
    let limit = &time["rateLimits"][0];
    assert_eq!((&limit["rateLimitType"], &limit["count"]), (&json!("REQUEST_WEIGHT"), &json!(3)));
    assert_eq!((&ping["result"], &ping["id"]), (&json!({}), &Value::Null));
    assert_eq!(info["result"]["symbols"][0]["symbol"], "ETHUSDT");
    assert!(info.get("rateLimits").is_none());
    assert_eq!(unknown["error"]["code"], -1020);
    assert_eq!(removed["status"], 410);
}

#[tokio::test]
async fn orders_travel_as_frames() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;
    let with = |more: &[(&'static str, &'static str)]| [&LIMIT[..], more].concat();

    let test = socket.ask(&frame(1, "order.test", ANN, &LIMIT)).await;
    let placed =
        socket.ask(&frame(2, "order.place", ANN, &with(&[("newClientOrderId", "f1")]))).await;
    let of = [("symbol", "BTCUSDT"), ("origClientOrderId", "f1")];
    let status = socket.ask(&frame(3, "order.status", ANN, &of)).await;
    let replace = with(&[
        ("cancelReplaceMode", "STOP_ON_FAILURE"),
        ("cancelOrigClientOrderId", "f1"),
        ("newClientOrderId", "f2"),
    ]);
    let replaced = socket.ask(&frame(4, "order.cancelReplace", ANN, &replace)).await;
    let open = socket.ask(&frame(5, "openOrders.status", ANN, &of[..1])).await;
    let of = [("symbol", "BTCUSDT"), ("origClientOrderId", "f2")];
    let cancelled = socket.ask(&frame(6, "order.cancel", ANN, &of)).await;
    let again = socket.ask(&frame(7, "order.cancel", ANN, &of)).await;
    let all = socket.ask(&frame(8, "allOrders", ANN, &of[..1])).await;
    let trades = socket.ask(&frame(9, "myTrades", ANN, &of[..1])).await;

    assert_eq!(test["result"], json!({}));
    assert_eq!(placed["result"]["status"], "NEW");
    assert_eq!(placed["rateLimits"][0]["rateLimitType"], "ORDERS");
    assert_eq!(status["result"]["clientOrderId"], "f1");
    assert_eq!(replaced["result"]["newOrderResult"], "SUCCESS");
    assert_eq!(open["result"][0]["clientOrderId"], "f2");
    assert_eq!(cancelled["result"]["status"], "CANCELED");
    assert_eq!((&again["status"], &again["error"]["code"]), (&json!(400), &json!(-2011)));
    assert_eq!(all["result"].as_array().map(Vec::len), Some(2));
    assert_eq!(trades["result"], json!([]));
}

#[tokio::test]
async fn a_frame_without_a_good_signature_is_refused() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;
    let mut wrong = frame(1, "order.place", ANN, &LIMIT);
    wrong["params"]["price"] = "40001".into();
    let unsigned = json!({"id": 2, "method": "account.status", "params": {"timestamp": now()}});

    let wrong = socket.ask(&wrong).await;
    let unsigned = socket.ask(&unsigned).await;
    socket.send(&json!("no frame")).await;
    let strange = socket.next().await;

    assert_eq!(wrong["error"]["code"], -1022);
    assert_eq!(unsigned["error"]["code"], -1102);
    assert_eq!((&strange["id"], &strange["error"]["code"]), (&Value::Null, &json!(-1135)));
}

#[tokio::test]
async fn a_session_that_logged_on_signs_nothing_more() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;

    let on = socket.ask(&frame(1, "session.logon", ANN_ED, &[])).await;
    let params = json!({"timestamp": now()});
    let account = socket.ask(&json!({"id": 2, "method": "account.status", "params": params})).await;
    let subscribed = socket.ask(&json!({"id": 3, "method": "userDataStream.subscribe"})).await;
    let status = socket.ask(&json!({"id": 4, "method": "session.status"})).await;
    socket.send(&json!({"id": 5, "method": "session.logout"})).await;
    let ended = socket.next().await;
    let off = socket.next().await;
    let after = socket.ask(&json!({"id": 6, "method": "account.status", "params": params})).await;

    assert_eq!(on["result"]["apiKey"], ANN_ED);
    assert_eq!(account["result"]["accountType"], "SPOT");
    assert_eq!(subscribed["result"], json!({"subscriptionId": 0}));
    assert_eq!(status["result"]["userDataStream"], true);
    assert_eq!(ended["event"]["e"], "eventStreamTerminated");
    assert_eq!(off["result"]["apiKey"], Value::Null);
    assert_eq!(after["error"]["code"], -1102);
}

#[tokio::test]
async fn only_one_kind_of_key_logs_on() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;
    for (id, key) in [(1, ANN), (2, ANN_RSA)] {
        let answer = socket.ask(&frame(id, "session.logon", key, &[])).await;
        assert_eq!(answer["error"]["code"], -4056, "{key}");
    }
    let plain = socket.ask(&json!({"id": 3, "method": "userDataStream.subscribe"})).await;
    assert_eq!(plain["status"], 401);
}

#[tokio::test]
async fn a_connection_hears_of_several_accounts_once_each() {
    let scene = Scene::new().await;
    let mut socket = scene.private(ANN).await;
    let subscribe = "userDataStream.subscribe.signature";

    let again = socket.ask(&frame(2, subscribe, ANN, &[])).await;
    let bob = socket.ask(&frame(3, subscribe, BOB, &[("recvWindow", "5000")])).await;
    let list = socket.ask(&json!({"id": 4, "method": "session.subscriptions"})).await;
    let buy = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    scene.order(BOB, buy).await;
    let event = socket.until(|frame| frame.get("event").is_some()).await;
    let leave =
        json!({"id": 5, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 1}});
    let left = socket.ask(&leave).await;
    let twice = socket.ask(&leave).await;

    assert_eq!(again["error"]["code"], -2035);
    assert_eq!(bob["result"], json!({"subscriptionId": 1}));
    assert_eq!(list["result"], json!([{"subscriptionId": 0}, {"subscriptionId": 1}]));
    assert_eq!((&event["subscriptionId"], &event["event"]["x"]), (&json!(1), &json!("NEW")));
    assert_eq!(left["status"], 200);
    assert_eq!(twice["error"]["code"], -2036);
}
