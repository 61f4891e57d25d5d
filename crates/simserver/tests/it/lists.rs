//! Order lists, as clients see them.

use serde_json::{Value, json};

use crate::{
    scene::{ANN, BOB, BTC, Scene, frame, price, qty},
    wire::{Reply, Socket},
};

const OCO: &str = "symbol=BTCUSDT&side=SELL&quantity=0.5&listClientOrderId=exit\
    &aboveType=LIMIT_MAKER&abovePrice=55000&aboveClientOrderId=profit\
    &belowType=STOP_LOSS_LIMIT&belowStopPrice=45000&belowPrice=44000&belowTimeInForce=GTC\
    &belowClientOrderId=stop&belowStrategyId=9";
const WORKING: &str = "symbol=BTCUSDT&listClientOrderId=chain&workingType=LIMIT&workingSide=BUY\
    &workingPrice=48000&workingQuantity=0.5&workingTimeInForce=GTC&workingClientOrderId=entry";
const PAIR: &str = "pendingSide=SELL&pendingQuantity=0.4&pendingAboveType=LIMIT_MAKER\
    &pendingAbovePrice=55000&pendingAboveClientOrderId=profit&pendingBelowType=STOP_LOSS\
    &pendingBelowStopPrice=45000&pendingBelowClientOrderId=stop";

async fn place(scene: &Scene, kind: &str, query: &str) -> Reply {
    scene.signed(ANN, "POST", &format!("/api/v3/orderList/{kind}"), query).await
}

/// Statuses of orders by their client ids.
async fn statuses(scene: &Scene, ids: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for id in ids {
        let of = format!("symbol=BTCUSDT&origClientOrderId={id}");
        let order = scene.signed(ANN, "GET", "/api/v3/order", &of).await.json();
        let reason = order["expiryReason"].as_str().map(|it| format!(" {it}")).unwrap_or_default();
        found.push(format!("{}{reason}", order["status"].as_str().unwrap()));
    }
    found
}

async fn locked(scene: &Scene) -> (String, String) {
    let account = scene.signed(ANN, "GET", "/api/v3/account", "").await.json();
    let of = |name: &str| {
        let rows = account["balances"].as_array().unwrap();
        let row = rows.iter().find(|row| row["asset"] == name).unwrap();
        row["locked"].as_str().unwrap().to_owned()
    };
    (of("BTC"), of("USDT"))
}

#[tokio::test]
async fn a_pair_is_placed_asked_for_and_cancelled() {
    let scene = Scene::new().await;
    let mut events = scene.private(ANN).await;

    let placed = place(&scene, "oco", OCO).await.json();
    assert_eq!(
        (&placed["contingencyType"], &placed["listClientOrderId"]),
        (&json!("OCO"), &json!("exit"))
    );
    assert_eq!(
        (&placed["listStatusType"], &placed["listOrderStatus"]),
        (&json!("EXEC_STARTED"), &json!("EXECUTING"))
    );
    let reports = &placed["orderReports"];
    assert_eq!(
        (&reports[0]["type"], &reports[0]["strategyId"]),
        (&json!("STOP_LOSS_LIMIT"), &json!(9))
    );
    assert_eq!(
        (&reports[1]["type"], &reports[1]["status"]),
        (&json!("LIMIT_MAKER"), &json!("NEW"))
    );
    assert_eq!(
        (&reports[0]["workingTime"], &reports[0]["orderListId"]),
        (&json!(-1), &placed["orderListId"])
    );
    assert_eq!(locked(&scene).await.0, "0.50000000", "the orders of a pair share one lock");
    let number = placed["orderListId"].as_u64().unwrap();
    let by_text =
        scene.signed(ANN, "GET", "/api/v3/orderList", "origClientOrderId=exit").await.json();
    let by_number = format!("orderListId={number}");
    let by_number = scene.signed(ANN, "GET", "/api/v3/orderList", &by_number).await.json();
    assert_eq!((&by_text, &by_text["orders"]), (&by_number, &placed["orders"]));
    let open = scene.signed(ANN, "GET", "/api/v3/openOrderList", "").await.json();
    assert_eq!(open, json!([by_text]));
    let of_bob = scene.signed(BOB, "GET", "/api/v3/orderList", "origClientOrderId=exit").await;
    assert_eq!(of_bob.code(), -2013);
    let other = format!("orderListId={number}&origClientOrderId=another");
    assert_eq!(scene.signed(ANN, "GET", "/api/v3/orderList", &other).await.code(), -2013);

    let query = "symbol=BTCUSDT&listClientOrderId=exit&newClientOrderId=away";
    let cancelled = scene.signed(ANN, "DELETE", "/api/v3/orderList", query).await.json();
    let again = scene.signed(ANN, "DELETE", "/api/v3/orderList", query).await;

    assert_eq!(
        (&cancelled["listStatusType"], &cancelled["listOrderStatus"]),
        (&json!("ALL_DONE"), &json!("ALL_DONE"))
    );
    for report in cancelled["orderReports"].as_array().unwrap() {
        assert_eq!(
            (&report["status"], &report["clientOrderId"]),
            (&json!("CANCELED"), &json!("away"))
        );
    }
    assert_eq!(again.code(), -2011);
    assert_eq!(locked(&scene).await.0, "0.00000000");
    assert_eq!(scene.signed(ANN, "GET", "/api/v3/openOrderList", "").await.json(), json!([]));
    let all = scene.signed(ANN, "GET", "/api/v3/allOrderList", "").await.json();
    assert_eq!(
        (&all[0]["listOrderStatus"], all.as_array().map(Vec::len)),
        (&json!("ALL_DONE"), Some(1))
    );
    let told = heard(&mut events, 8).await;
    let want = [
        "NEW STOP_LOSS_LIMIT",
        "NEW LIMIT_MAKER",
        "list EXEC_STARTED",
        "position",
        "CANCELED STOP_LOSS_LIMIT",
        "CANCELED LIMIT_MAKER",
        "list ALL_DONE",
        "position",
    ];
    assert_eq!(told, want);
}

/// The next events of a private stream, in a word or two each.
async fn heard(events: &mut Socket, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < count {
        told.push(word(&events.event().await));
    }
    told
}

fn word(event: &Value) -> String {
    let part = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match event["e"].as_str().unwrap() {
        "executionReport" => format!("{} {}", part("x"), part("o")),
        "listStatus" => format!("list {}", part("l")),
        _ => "position".to_owned(),
    }
}

#[tokio::test]
async fn the_order_of_a_pair_that_goes_first_ends_the_other() {
    let cases =
        [("44000", ["NEW", "EXPIRED OCO_TRIGGER"]), ("55001", ["EXPIRED OCO_TRIGGER", "FILLED"])];
    for (at, want) in cases {
        let scene = Scene::new().await;
        place(&scene, "oco", OCO).await;

        scene.market.push(BTC, price(at), qty("1"));

        let first = if at == "44000" { "FILLED" } else { want[0] };
        assert_eq!(statuses(&scene, &["stop", "profit"]).await, [first, want[1]], "{at}");
        let list = scene.signed(ANN, "GET", "/api/v3/orderList", "origClientOrderId=exit").await;
        assert_eq!(list.json()["listOrderStatus"], "ALL_DONE");
        let trades = scene.signed(ANN, "GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.json();
        assert_eq!(trades[0]["orderListId"], list.json()["orderListId"]);
        let books = scene.control("GET", "/books", &Value::Null).await;
        assert_eq!(books["audit_error"], Value::Null);
    }
}

#[tokio::test]
async fn cancelling_one_order_cancels_its_list_and_all_at_once_are_told_as_lists() {
    let scene = Scene::new().await;
    place(&scene, "oco", OCO).await;
    scene.signed(ANN, "DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=profit").await;
    assert_eq!(statuses(&scene, &["stop", "profit"]).await, ["CANCELED", "CANCELED"]);

    place(&scene, "oco", OCO).await;
    scene.waiting("plain").await;
    let all = scene.signed(ANN, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.json();

    let rows = all.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{all}");
    assert_eq!(rows[0]["contingencyType"], "OCO");
    assert_eq!(rows[0]["orderReports"].as_array().map(Vec::len), Some(2));
    assert_eq!(rows[1]["origClientOrderId"], "plain");
}

#[tokio::test]
async fn the_older_form_and_the_other_interface_place_the_same_pair() {
    let scene = Scene::new().await;
    let query = "symbol=BTCUSDT&side=SELL&quantity=0.5&price=55000&stopPrice=45000\
        &stopLimitPrice=44000&stopLimitTimeInForce=GTC&limitClientOrderId=profit\
        &stopClientOrderId=stop";
    let placed = scene.signed(ANN, "POST", "/api/v3/order/oco", query).await.json();
    assert_eq!(placed["orderReports"][0]["stopPrice"], "45000.00000000");
    scene.signed(ANN, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;

    let mut socket = scene.socket("/ws-api/v3").await;
    let params: Vec<(&str, &str)> =
        OCO.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let placed = socket.ask(&frame(1, "orderList.place.oco", ANN, &params)).await;
    let number = placed["result"]["orderListId"].to_string();
    let status = [("orderListId", number.as_str())];
    let status = socket.ask(&frame(2, "orderList.status", ANN, &status)).await;
    let open = socket.ask(&frame(3, "openOrderLists.status", ANN, &[])).await;
    let cancel = [("symbol", "BTCUSDT"), ("listClientOrderId", "exit")];
    let cancel = socket.ask(&frame(4, "orderList.cancel", ANN, &cancel)).await;
    let all = socket.ask(&frame(5, "allOrderLists", ANN, &[("limit", "1")])).await;

    assert_eq!(placed["result"]["orderReports"].as_array().map(Vec::len), Some(2), "{placed}");
    assert_eq!(open["result"], json!([status["result"]]));
    assert_eq!(cancel["result"]["listOrderStatus"], "ALL_DONE");
    assert_eq!(all["result"][0]["orderListId"].to_string(), number);
}

#[tokio::test]
async fn what_waits_for_a_fill_is_placed_after_it() {
    let scene = Scene::new().await;
    let mut events = scene.private(ANN).await;

    let placed = place(&scene, "otoco", &format!("{WORKING}&{PAIR}")).await.json();
    assert_eq!(placed["contingencyType"], "OTO");
    let shown: Vec<_> = placed["orderReports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["clientOrderId"], it["status"]).replace('"', ""))
        .collect();
    assert_eq!(shown, ["entry NEW", "stop PENDING_NEW", "profit PENDING_NEW"]);
    assert_eq!(locked(&scene).await, ("0.00000000".into(), "24000.00000000".into()));
    scene.market.push(BTC, price("47999"), qty("1"));
    assert_eq!(statuses(&scene, &["entry", "stop", "profit"]).await, ["FILLED", "NEW", "NEW"]);
    assert_eq!(locked(&scene).await.0, "0.40000000");
    scene.market.push(BTC, price("45000"), qty("1"));
    let done = statuses(&scene, &["entry", "stop", "profit"]).await;
    assert_eq!(done, ["FILLED", "FILLED", "EXPIRED OCO_TRIGGER"]);

    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "list ALL_DONE") {
        told.push(word(&events.event().await));
    }
    told.retain(|it| it != "position");
    let want = [
        "NEW LIMIT",
        "NEW STOP_LOSS",
        "NEW LIMIT_MAKER",
        "list EXEC_STARTED",
        "TRADE LIMIT",
        "NEW STOP_LOSS",
        "NEW LIMIT_MAKER",
        "list EXEC_STARTED",
        "EXPIRED LIMIT_MAKER",
        "NEW STOP_LOSS",
        "TRADE STOP_LOSS",
        "list ALL_DONE",
    ];
    assert_eq!(told, want);
}

#[tokio::test]
async fn a_second_part_that_is_placed_at_once_is_shown_as_pending() {
    let scene = Scene::new().await;
    let now = WORKING.replace("48000", "50000");
    let pending = "pendingType=LIMIT&pendingSide=SELL&pendingQuantity=0.3&pendingPrice=52000\
        &pendingTimeInForce=GTC&pendingClientOrderId=next";

    let placed =
        place(&scene, "oto", &format!("{now}&{pending}&newOrderRespType=FULL")).await.json();

    let reports = &placed["orderReports"];
    assert_eq!(
        (&reports[0]["status"], &reports[1]["status"]),
        (&json!("FILLED"), &json!("PENDING_NEW"))
    );
    assert_eq!(reports[0]["fills"].as_array().map(Vec::len), Some(1));
    assert_eq!(statuses(&scene, &["next"]).await, ["NEW"]);
}

#[tokio::test]
async fn a_first_order_that_ends_takes_its_list_along() {
    let scene = Scene::new().await;
    let fok = WORKING.replace("GTC", "FOK");

    let placed = place(&scene, "otoco", &format!("{fok}&{PAIR}")).await.json();

    assert_eq!(placed["listOrderStatus"], "ALL_DONE");
    let done = statuses(&scene, &["entry", "stop", "profit"]).await;
    let phase = "EXPIRED OTO_PHASE_ONE_EXPIRED";
    assert_eq!(done, ["EXPIRED UNFILLED_FOK_ORDER_EXPIRED", phase, phase]);
    // A second part that may not be placed when its turn comes.
    let poor = "pendingType=MARKET&pendingSide=SELL&pendingQuantity=50&pendingClientOrderId=next";
    place(&scene, "oto", &format!("{WORKING}&{poor}")).await;
    scene.market.push(BTC, price("47999"), qty("1"));
    assert_eq!(statuses(&scene, &["next"]).await, ["EXPIRED REJECTED"]);
}

#[tokio::test]
async fn wrong_lists_are_refused_and_leave_nothing() {
    let scene = Scene::new().await;
    let relation = "The relationship of the prices for the orders is not correct.";
    let cases = [
        (OCO.replace("abovePrice=55000", "abovePrice=49000"), -2010, relation),
        (OCO.replace("belowStopPrice=45000", "belowStopPrice=51000"), -2010, relation),
        (OCO.replace("quantity=0.5", "quantity=50"), -2010, "insufficient balance"),
        (OCO.replace("quantity=0.5", "quantity=0.000001"), -1013, "LOT_SIZE"),
        (OCO.replace("ClientOrderId=profit", "ClientOrderId=stop"), -2010, "Duplicate order sent."),
        (OCO.replace("aboveType=LIMIT_MAKER", "aboveType=STOP_LOSS"), -1197, "must be below"),
        (OCO.replace("BTCUSDT", "NOTHERE"), -1121, "Invalid symbol."),
        (format!("{OCO}&selfTradePreventionMode=DECREMENT"), -2010, "prevention"),
    ];
    for (query, code, part) in cases {
        let reply = place(&scene, "oco", &query).await;
        assert_eq!(reply.code(), code, "{query}: {reply:?}");
        assert!(reply.said().contains(part), "{}", reply.said());
    }
    assert_eq!(scene.signed(ANN, "GET", "/api/v3/openOrders", "").await.json(), json!([]));
    place(&scene, "oco", OCO).await;
    let twice = OCO.replace("=profit", "=profit2").replace("=stop", "=stop2");
    assert_eq!(place(&scene, "oco", &twice).await.said(), "Duplicate order sent.");
}

#[tokio::test]
async fn a_list_counts_as_all_its_orders() {
    let scene = Scene::with(|settings| settings.limits.orders_per_ten_seconds = 5).await;
    crate::scene::early_in(10_000).await;

    let first = place(&scene, "otoco", &format!("{WORKING}&{PAIR}")).await;
    let count = first.headers.get("x-mbx-order-count-10s").cloned();
    let second = place(
        &scene,
        "otoco",
        &format!("{WORKING}&{PAIR}")
            .replace("=chain", "=b")
            .replace("=entry", "=e")
            .replace("=stop", "=s")
            .replace("=profit", "=p"),
    )
    .await;
    let pair = place(&scene, "oco", &OCO.replace("=stop", "=s").replace("=profit", "=p")).await;

    assert_eq!(count.as_deref(), Some("3"));
    assert_eq!((second.status, second.code()), (429, -1015));
    assert_eq!(pair.status, 200, "{pair:?}");
}
