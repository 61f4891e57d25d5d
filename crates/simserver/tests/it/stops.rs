//! Orders that wait for a price, as clients see them.

use serde_json::{Value, json};

use crate::scene::{ANN, BTC, Scene, frame, price, qty};

const STOP_LIMIT: &str = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC\
    &quantity=0.5&price=44000&stopPrice=45000&newClientOrderId=stop";
const OF: &str = "symbol=BTCUSDT&origClientOrderId=stop";

async fn locked(scene: &Scene, asset: &str) -> String {
    let account = scene.signed(ANN, "GET", "/api/v3/account", "").await.json();
    let rows = account["balances"].as_array().unwrap();
    let row = rows.iter().find(|row| row["asset"] == asset).unwrap();
    row["locked"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stop_limit_waits_works_and_fills() {
    let scene = Scene::new().await;
    let mut events = scene.private(ANN).await;

    let placed = scene.order(ANN, &format!("{STOP_LIMIT}&newOrderRespType=RESULT")).await.json();
    assert_eq!((&placed["status"], &placed["workingTime"]), (&json!("NEW"), &json!(-1)));
    assert_eq!(
        (&placed["type"], &placed["stopPrice"]),
        (&json!("STOP_LOSS_LIMIT"), &json!("45000.00000000"))
    );
    assert_eq!(locked(&scene, "BTC").await, "0.50000000");
    let book = scene.get("/api/v3/depth?symbol=BTCUSDT&limit=100").await.text;
    assert!(!book.contains("44000.0"), "an order that waits is in the book");
    let waiting = scene.signed(ANN, "GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.json();
    assert_eq!((&waiting[0]["isWorking"], &waiting[0]["workingTime"]), (&json!(false), &json!(-1)));
    scene.market.push(BTC, price("43000"), qty("1"));
    let working = scene.signed(ANN, "GET", "/api/v3/order", OF).await.json();
    scene.market.push(BTC, price("44001"), qty("1"));
    let filled = scene.signed(ANN, "GET", "/api/v3/order", OF).await.json();

    assert_eq!((&working["status"], &working["isWorking"]), (&json!("NEW"), &json!(true)));
    assert!(working["workingTime"].as_i64().unwrap() >= working["time"].as_i64().unwrap());
    assert_eq!(
        (&filled["status"], &filled["cummulativeQuoteQty"]),
        (&json!("FILLED"), &json!("22000.00000000"))
    );
    let mut reports = Vec::new();
    while reports.len() < 3 {
        let event = events.event().await;
        if event["e"] == "executionReport" {
            reports.push(event);
        }
    }
    let shown: Vec<_> = reports.iter().map(|it| (&it["x"], &it["X"], &it["w"])).collect();
    let words = [json!("NEW"), json!("TRADE"), json!("FILLED"), json!(true), json!(false)];
    let [new, trade, done, yes, no] = &words;
    assert_eq!(shown, [(new, new, no), (new, new, yes), (trade, done, no)]);
    assert_eq!(
        (&reports[0]["o"], &reports[0]["P"]),
        (&json!("STOP_LOSS_LIMIT"), &json!("45000.00000000"))
    );
    assert!(reports[0].get("W").is_none() && reports[1].get("W").is_some());
}

#[tokio::test]
async fn every_kind_is_taken_and_what_would_go_off_at_once_is_not() {
    let scene = Scene::new().await;
    let limits = "&timeInForce=GTC&price=50000";
    let cases = [
        ("BUY", "STOP_LOSS", "51000", "50000", ""),
        ("SELL", "STOP_LOSS", "49000", "50000", ""),
        ("BUY", "TAKE_PROFIT", "49000", "50000", ""),
        ("SELL", "TAKE_PROFIT", "51000", "50000", ""),
        ("BUY", "STOP_LOSS_LIMIT", "51000", "49000", limits),
        ("SELL", "STOP_LOSS_LIMIT", "49000", "51000", limits),
        ("BUY", "TAKE_PROFIT_LIMIT", "49000", "51000", limits),
        ("SELL", "TAKE_PROFIT_LIMIT", "51000", "49000", limits),
    ];
    for (side, kind, good, bad, rest) in cases {
        let order = |at: &str| {
            format!("symbol=BTCUSDT&side={side}&type={kind}&quantity=0.001&stopPrice={at}{rest}")
        };
        let taken = scene.order(ANN, &order(good)).await;
        assert_eq!(taken.status, 200, "{kind} {side}: {taken:?}");
        let refused = scene.order(ANN, &order(bad)).await;
        assert_eq!(
            (refused.code(), refused.said().as_str()),
            (-2010, "Stop price would trigger immediately.")
        );
    }
    let info = scene.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.json();
    let types: Vec<_> = info["symbols"][0]["orderTypes"].as_array().unwrap().clone();
    assert!(cases.iter().all(|(_, kind, ..)| types.contains(&Value::from(*kind))));
    let cancelled = scene.signed(ANN, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    assert_eq!(cancelled.json().as_array().map(Vec::len), Some(8));
    assert_eq!(
        (locked(&scene, "BTC").await, locked(&scene, "USDT").await),
        ("0.00000000".into(), "0.00000000".into())
    );
}

#[tokio::test]
async fn a_trailing_stop_follows_the_price() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;
    let params = [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "STOP_LOSS"),
        ("quantity", "0.5"),
        ("trailingDelta", "100"),
        ("newClientOrderId", "stop"),
        ("newOrderRespType", "RESULT"),
    ];

    let placed = socket.ask(&frame(1, "order.place", ANN, &params)).await["result"].clone();
    assert_eq!((&placed["trailingDelta"], &placed["type"]), (&json!(100), &json!("STOP_LOSS")));
    assert!(placed["trailingTime"].as_i64().unwrap() > 0 && placed.get("stopPrice").is_none());
    for text in ["52000", "51480.01"] {
        scene.market.push(BTC, price(text), qty("1"));
        let order = scene.signed(ANN, "GET", "/api/v3/order", OF).await.json();
        assert_eq!(order["status"], "NEW", "{text}");
    }
    scene.market.push(BTC, price("51480"), qty("1"));

    let order = scene.signed(ANN, "GET", "/api/v3/order", OF).await.json();
    assert_eq!(
        (&order["status"], &order["cummulativeQuoteQty"]),
        (&json!("FILLED"), &json!("25740.00000000"))
    );
    let begins = "symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT&quantity=0.5&stopPrice=52000\
        &trailingDelta=100&newClientOrderId=late&newOrderRespType=RESULT";
    assert_eq!(scene.order(ANN, begins).await.json()["trailingTime"], -1);
    scene.market.push(BTC, price("52000"), qty("1"));
    let late = "symbol=BTCUSDT&origClientOrderId=late";
    let late = scene.signed(ANN, "GET", "/api/v3/order", late).await.json();
    assert!(late["trailingTime"].as_i64().unwrap() > 0, "{late}");
}

#[tokio::test]
async fn a_stop_is_replaced_and_tested_like_any_order() {
    let scene = Scene::new().await;
    scene.order(ANN, STOP_LIMIT).await;

    let query = format!(
        "{}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=stop",
        STOP_LIMIT.replace("stopPrice=45000", "stopPrice=46000")
    );
    let replaced = scene.signed(ANN, "POST", "/api/v3/order/cancelReplace", &query).await.json();
    let test = STOP_LIMIT.replace("newClientOrderId=stop", "newClientOrderId=other");
    let tested = scene.signed(ANN, "POST", "/api/v3/order/test", &test).await.json();

    assert_eq!(replaced["cancelResponse"]["stopPrice"], "45000.00000000");
    assert_eq!(replaced["newOrderResponse"]["clientOrderId"], "stop");
    assert_eq!(tested, json!({}));
    let open = scene.signed(ANN, "GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.json();
    assert_eq!(open[0]["stopPrice"], "46000.00000000");
    assert_eq!(open.as_array().map(Vec::len), Some(1));
}
