//! Orders made smaller, as clients see them.

use serde_json::json;
use tranche_model::filter::Filter;

use crate::scene::{ANN, BTC, Scene, frame, price, qty};

const PATH: &str = "/api/v3/order/amend/keepPriority";

#[tokio::test]
async fn an_order_becomes_smaller_and_says_so() {
    let scene = Scene::new().await;
    scene.waiting("a").await;
    let mut events = scene.private(ANN).await;

    let query = "symbol=BTCUSDT&origClientOrderId=a&newQty=0.0005&newClientOrderId=b";
    let amended = scene.signed(ANN, "PUT", PATH, query).await.json();
    let order = &amended["amendedOrder"];
    assert_eq!(
        (&order["qty"], &order["executedQty"]),
        (&json!("0.00050000"), &json!("0.00000000"))
    );
    assert_eq!((&order["origClientOrderId"], &order["clientOrderId"]), (&json!("a"), &json!("b")));
    assert!(order.get("cumulativeQuoteQty").is_some() && amended.get("listStatus").is_none());
    let event = events.event().await;
    assert_eq!(
        (&event["x"], &event["X"], &event["q"]),
        (&json!("REPLACED"), &json!("NEW"), &json!("0.00050000"))
    );
    assert_eq!((&event["c"], &event["C"]), (&json!("b"), &json!("a")));
    assert_eq!(event["I"], amended["executionId"]);
    assert_eq!(events.event().await["B"][0]["l"], "20.00000000");

    let id = order["orderId"].to_string();
    let mut socket = scene.socket("/ws-api/v3").await;
    let params = [("symbol", "BTCUSDT"), ("orderId", &id), ("newQty", "0.0003")];
    let second = socket.ask(&frame(1, "order.amend.keepPriority", ANN, &params)).await;
    let drawn = second["result"]["amendedOrder"]["clientOrderId"].as_str().unwrap().to_owned();
    assert_ne!(drawn, "b", "a new id unless the old one is sent");
    let old = scene.signed(ANN, "GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=b").await;
    assert_eq!(old.code(), -2013);
    let of = format!("symbol=BTCUSDT&orderId={id}");
    let rows = scene.signed(ANN, "GET", "/api/v3/order/amendments", &of).await.json();
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&rows[0]["origQty"], &rows[0]["newQty"]),
        (&json!("0.00100000"), &json!("0.00050000"))
    );
    assert_eq!(
        (&rows[1]["origClientOrderId"], &rows[1]["newClientOrderId"]),
        (&json!("b"), &json!(drawn))
    );
    let from = rows[1]["executionId"].to_string();
    let params = [("symbol", "BTCUSDT"), ("orderId", &id), ("fromExecutionId", &from)];
    let later = socket.ask(&frame(2, "order.amendments", ANN, &params)).await;
    assert_eq!(later["result"], json!([rows[1]]));

    scene.market.push(BTC, price("39999"), qty("1"));
    let filled = scene.signed(ANN, "GET", "/api/v3/order", &of).await.json();
    assert_eq!((&filled["status"], &filled["origQty"]), (&json!("FILLED"), &json!("0.00030000")));
}

#[tokio::test]
async fn what_may_not_be_amended_stays_as_it_was() {
    let scene = Scene::with(|settings| {
        for instrument in &mut settings.instruments {
            instrument.filters.push(Filter::MaxNumOrderAmends { limit: 1 });
        }
    })
    .await;
    scene.waiting("a").await;
    scene.waiting("b").await;
    let cases = [
        ("origClientOrderId=a&newQty=0.001", -2038, "The requested action would change no state"),
        ("origClientOrderId=a&newQty=0.002", -2038, "quantity increase"),
        ("origClientOrderId=a&newQty=0.0001", -1013, "NOTIONAL"),
        ("origClientOrderId=a&newQty=0.000555555", -1111, "precision"),
        ("origClientOrderId=a&newQty=0", -1013, "LOT_SIZE"),
        ("origClientOrderId=a&newQty=0.0005&newClientOrderId=b", -2038, "Duplicate order sent."),
        ("origClientOrderId=nobody&newQty=0.0005", -2038, "Unknown order sent."),
        ("origClientOrderId=a", -1102, "newQty"),
        ("newQty=0.0005", -1102, "origClientOrderId"),
    ];
    for (rest, code, part) in cases {
        let reply = scene.signed(ANN, "PUT", PATH, &format!("symbol=BTCUSDT&{rest}")).await;
        assert_eq!(reply.code(), code, "{rest}: {reply:?}");
        assert!(reply.said().contains(part), "{rest}: {}", reply.said());
    }
    let once = "symbol=BTCUSDT&origClientOrderId=a&newQty=0.0005&newClientOrderId=a";
    assert_eq!(scene.signed(ANN, "PUT", PATH, once).await.status, 200);
    let twice = once.replace("0.0005", "0.0004");
    let twice = scene.signed(ANN, "PUT", PATH, &twice).await;
    assert_eq!(
        (twice.code(), twice.said().as_str()),
        (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")
    );
}

#[tokio::test]
async fn the_orders_of_a_pair_become_smaller_together() {
    let scene = Scene::new().await;
    let pair = "symbol=BTCUSDT&side=SELL&quantity=0.5&aboveType=LIMIT_MAKER&abovePrice=55000\
        &aboveClientOrderId=profit&belowType=STOP_LOSS&belowStopPrice=45000&belowClientOrderId=stop";
    scene.signed(ANN, "POST", "/api/v3/orderList/oco", pair).await;
    let mut events = scene.private(ANN).await;

    let query = "symbol=BTCUSDT&origClientOrderId=stop&newQty=0.2&newClientOrderId=smaller";
    let amended = scene.signed(ANN, "PUT", PATH, query).await.json();

    assert_eq!(amended["amendedOrder"]["qty"], "0.20000000");
    assert_eq!(amended["listStatus"]["orders"][0]["clientOrderId"], "smaller");
    let other = "symbol=BTCUSDT&origClientOrderId=profit";
    let other = scene.signed(ANN, "GET", "/api/v3/order", other).await.json();
    assert_eq!(other["origQty"], "0.20000000");
    let list = events.until(|frame| frame["event"]["e"] == "listStatus").await;
    assert_eq!(list["event"]["l"], "UPDATED");
}
