//! Placing, cancelling, asking: what the real exchange answers, and in which order it looks.

use serde_json::{Value, json};

use crate::{
    scene::{ANN, BOB, BTC, Scene, price, qty},
    wire,
};

const MARKET_BUY: &str = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100.00\
    &newClientOrderId=twice&newOrderRespType=FULL";

#[tokio::test]
async fn an_id_is_taken_while_its_order_is_open_and_free_afterwards() {
    let scene = Scene::new().await;
    let first = scene.waiting("so1").await.json();

    let second = scene.waiting("so1").await;
    assert_eq!((second.code(), second.said().as_str()), (-2010, "Duplicate order sent."));
    let of = "symbol=BTCUSDT&origClientOrderId=so1";
    scene.signed(ANN, "DELETE", "/api/v3/order", of).await;
    let third = scene.waiting("so1").await.json();

    assert_eq!(first["status"], "NEW");
    assert_eq!(third["clientOrderId"], "so1");
    assert_ne!(first["orderId"], third["orderId"]);
}

#[tokio::test]
async fn a_market_order_sent_twice_buys_twice() {
    let scene = Scene::new().await;

    let orders = [scene.order(ANN, MARKET_BUY).await, scene.order(ANN, MARKET_BUY).await];

    for order in orders.map(|order| order.json()) {
        assert_eq!(order["status"], "FILLED");
        assert_eq!(order["executedQty"], "0.00200000");
        assert_eq!(order["origQuoteOrderQty"], "100.00000000");
        assert_eq!(order["fills"][0]["commission"], "0.00000200");
        assert_eq!(order["fills"][0]["commissionAsset"], "BTC");
    }
    let trades = scene.signed(ANN, "GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.json();
    assert_eq!(trades.as_array().map(Vec::len), Some(2));
    assert_eq!(trades[0]["isBuyer"], true);
    assert_eq!(trades[0]["isMaker"], false);
}

#[tokio::test]
async fn digits_and_filters_are_refused_with_their_own_codes() {
    let scene = Scene::new().await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    let cases = [
        ("quantity=0.000011&price=50000", -1013, "Filter failure: LOT_SIZE"),
        ("quantity=0.000000001&price=50000", -1111, "quantity"),
        ("quantity=1e-5&price=50000", -1100, "quantity"),
        ("quantity=0.001&price=50000.001", -1013, "Filter failure: PRICE_FILTER"),
        ("quantity=0.00001&price=50000", -1013, "Filter failure: NOTIONAL"),
        ("quantity=0.001&price=5000", -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ("quantity=9&price=49999", -2010, "insufficient balance"),
        ("quantity=0.001&price=50000&newClientOrderId=a.b", -1100, "newClientOrderId"),
        ("quantity=0.001&price=50000&colour=red", -1104, "'8' parameter(s) but was sent '9'"),
        ("quantity=0.001&price=50000&selfTradePreventionMode=DECREMENT", -2010, "prevention"),
        ("quantity=0.001&price=50000&icebergQty=0.0005", -2010, "Iceberg orders are not"),
    ];
    for (rest, code, part) in cases {
        let reply = scene.order(ANN, &format!("{limit}&{rest}")).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{rest}: {reply:?}");
        assert!(reply.said().contains(part), "{rest}: {}", reply.said());
    }
    let unknown = scene.order(ANN, "symbol=ABCDEF&side=BUY&type=MARKET&quantity=1").await;
    assert_eq!((unknown.code(), unknown.said().as_str()), (-1121, "Invalid symbol."));
    let none = scene.signed(ANN, "GET", "/api/v3/openOrders", "").await.json();
    assert_eq!(none, json!([]), "a refused order left something behind");
}

#[tokio::test]
async fn a_maker_order_at_the_ask_is_refused() {
    let scene = Scene::new().await;
    let best = scene.get("/api/v3/ticker/bookTicker?symbol=BTCUSDT").await.json();
    let ask = best["askPrice"].as_str().unwrap();

    let query = format!("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price={ask}");
    let reply = scene.order(ANN, &query).await;

    assert_eq!(reply.code(), -2010);
    assert_eq!(reply.said(), "Order would immediately match and take.");
}

#[tokio::test]
async fn a_filled_order_is_not_cancelled_and_says_that_it_is_filled() {
    let scene = Scene::new().await;
    scene.order(ANN, MARKET_BUY).await;
    let of = "symbol=BTCUSDT&origClientOrderId=twice";

    let cancel = scene.signed(ANN, "DELETE", "/api/v3/order", of).await;
    let order = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();

    assert_eq!((cancel.code(), cancel.said().as_str()), (-2011, "Unknown order sent."));
    assert_eq!(order["status"], "FILLED");
    assert_eq!(order["cummulativeQuoteQty"], "100.00000000");
    assert!(order.get("fills").is_none());
    let other = scene.signed(ANN, "GET", "/api/v3/order", "symbol=BTCUSDT&orderId=99").await;
    assert_eq!((other.code(), other.said().as_str()), (-2013, "Order does not exist."));
}

#[tokio::test]
async fn answers_are_as_long_as_their_type() {
    let scene = Scene::new().await;
    let base = "symbol=BTCUSDT&side=BUY&quantity=0.001&price=40000";

    let full = scene.order(ANN, &format!("{base}&type=LIMIT&timeInForce=GTC")).await.json();
    let short = scene.order(ANN, &format!("{base}&type=LIMIT_MAKER")).await.json();
    let result = format!("{base}&type=LIMIT_MAKER&newOrderRespType=RESULT&strategyId=7");
    let result = scene.order(ANN, &result).await.json();

    assert_eq!(full["fills"], json!([]));
    assert_eq!(full["workingTime"], full["transactTime"]);
    assert!(short.get("status").is_none() && short.get("orderListId").is_some());
    assert_eq!(result["status"], "NEW");
    assert_eq!(result["strategyId"], 7);
    assert!(result.get("fills").is_none());
    let drawn = full["clientOrderId"].as_str().unwrap();
    assert!(!drawn.is_empty() && drawn.len() <= 36);
}

#[tokio::test]
async fn a_cancel_has_an_id_of_its_own() {
    let scene = Scene::new().await;
    let placed = scene.waiting("so1").await.json();

    let query = "symbol=BTCUSDT&origClientOrderId=so1&newClientOrderId=cxl";
    let cancel = scene.signed(ANN, "DELETE", "/api/v3/order", query).await.json();

    assert_eq!(cancel["origClientOrderId"], "so1");
    assert_eq!(cancel["clientOrderId"], "cxl");
    assert_eq!(cancel["orderId"], placed["orderId"]);
    assert_eq!(cancel["status"], "CANCELED");
    let order =
        scene.signed(ANN, "GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=so1").await;
    assert_eq!(order.json()["status"], "CANCELED");
}

#[tokio::test]
async fn a_cancel_may_be_restricted() {
    let scene = Scene::new().await;
    let id = scene.waiting("so1").await.json()["orderId"].clone();
    let cancel = async |rest: &str| {
        let query = format!("symbol=BTCUSDT&orderId={id}&{rest}");
        scene.signed(ANN, "DELETE", "/api/v3/order", &query).await
    };

    let partial = cancel("cancelRestrictions=ONLY_PARTIALLY_FILLED").await;
    let strange = cancel("cancelRestrictions=ONLY_GREEN").await;
    let wrong = cancel("origClientOrderId=so2").await;
    let new = cancel("cancelRestrictions=ONLY_NEW").await;

    assert_eq!(partial.said(), "Order was not canceled due to cancel restrictions.");
    assert_eq!((strange.code(), wrong.code()), (-1145, -2039));
    assert_eq!(new.json()["status"], "CANCELED");
}

#[tokio::test]
async fn open_orders_and_their_history_are_listed() {
    let scene = Scene::new().await;
    scene.waiting("a").await;
    scene.waiting("b").await;
    scene.order(ANN, MARKET_BUY).await;

    let open = scene.signed(ANN, "GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.json();
    let cancelled = scene.signed(ANN, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    let again = scene.signed(ANN, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    let all = scene.signed(ANN, "GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.json();
    let last = "symbol=BTCUSDT&limit=1";
    let last = scene.signed(ANN, "GET", "/api/v3/allOrders", last).await.json();

    let ids = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["clientOrderId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&open), ["a", "b"]);
    assert_eq!(cancelled.json().as_array().map(Vec::len), Some(2));
    assert_eq!(again.code(), -2011);
    assert_eq!(ids(&all), ["a", "b", "twice"]);
    assert_eq!(ids(&last), ["twice"]);
}

#[tokio::test]
async fn a_replacement_goes_whole_or_says_which_half_failed() {
    let scene = Scene::new().await;
    scene.waiting("a").await;
    let new = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001";
    let replace = async |rest: &str| {
        let query = format!("{new}&{rest}");
        scene.signed(ANN, "POST", "/api/v3/order/cancelReplace", &query).await
    };

    let whole = "price=41000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=a&newClientOrderId=a";
    let whole = replace(whole).await;
    let filter =
        replace("price=1&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=a").await;
    let stopped = replace("price=41000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=99").await;
    let half = replace("price=41000&cancelReplaceMode=ALLOW_FAILURE&cancelOrderId=99").await;
    let poor = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=9&price=41000\
         &cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId={}",
        "a"
    );
    let poor = scene.signed(ANN, "POST", "/api/v3/order/cancelReplace", &poor).await;

    let results = |reply: &wire::Reply| {
        let body = reply.json();
        let data = body.get("data").unwrap_or(&body);
        let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        (reply.status, reply.code(), word("cancelResult"), word("newOrderResult"))
    };
    let words = |status, code, cancel: &str, order: &str| {
        (status, code, cancel.to_owned(), order.to_owned())
    };
    assert_eq!(results(&whole), words(200, 0, "SUCCESS", "SUCCESS"));
    assert_eq!(whole.json()["newOrderResponse"]["clientOrderId"], "a");
    assert_eq!(filter.code(), -1013);
    assert_eq!(results(&stopped), words(400, -2022, "FAILURE", "NOT_ATTEMPTED"));
    assert_eq!(results(&half), words(409, -2021, "FAILURE", "SUCCESS"));
    assert_eq!(results(&poor), words(409, -2021, "SUCCESS", "FAILURE"));
    assert_eq!(poor.json()["data"]["newOrderResponse"]["code"], -2010);
}

#[tokio::test]
async fn a_test_order_leaves_nothing_and_finds_what_filters_find() {
    let scene = Scene::new().await;
    let test = async |query: &str| scene.signed(ANN, "POST", "/api/v3/order/test", query).await;

    let good = test("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1").await;
    let rates =
        test("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&computeCommissionRates=true").await;
    let bad = test("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.00001").await;

    assert_eq!(good.json(), json!({}));
    assert_eq!(rates.json()["standardCommissionForOrder"]["taker"], "0.00100000");
    assert_eq!(bad.code(), -1013);
    let all = scene.signed(ANN, "GET", "/api/v3/allOrders", "symbol=BTCUSDT").await;
    assert_eq!(all.json(), json!([]));
}

#[tokio::test]
async fn what_this_exchange_does_not_carry_is_refused_for_good() {
    let scene = Scene::new().await;
    let iceberg = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000\
        &icebergQty=0.0005";

    let iceberg = scene.order(ANN, iceberg).await;
    let list = "symbol=BTCUSDT&side=SELL&quantity=0.001";
    let list = scene.signed(ANN, "POST", "/api/v3/orderList/opo", list).await;
    let removed = scene.signed(ANN, "POST", "/api/v3/userDataStream", "").await;

    assert_eq!((iceberg.code(), list.code()), (-2010, -2010));
    assert_eq!(list.said(), "OPO orders are not supported for this symbol.");
    assert_eq!(removed.status, 410);
    assert_eq!(scene.get("/api/v3/nothing").await.status, 404);
}

#[tokio::test]
async fn a_resting_order_fills_when_the_market_trades_through_it() {
    let scene = Scene::new().await;
    scene.waiting("so1").await;

    scene.market.push(BTC, price("40000"), qty("1"));
    let of = "symbol=BTCUSDT&origClientOrderId=so1";
    let touched = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();
    scene.market.push(BTC, price("39999.99"), qty("1"));
    let through = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();

    assert_eq!((&touched["status"], &through["status"]), (&json!("NEW"), &json!("FILLED")));
    assert_eq!(through["cummulativeQuoteQty"], "40.00000000");
    let trades = scene.signed(ANN, "GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.json();
    assert_eq!(
        (&trades[0]["isMaker"], &trades[0]["price"]),
        (&json!(true), &json!("40000.00000000"))
    );
}

#[tokio::test]
async fn accounts_do_not_see_each_other_and_trade_with_each_other() {
    let scene = Scene::new().await;
    scene.waiting("mine").await;

    let of = "symbol=BTCUSDT&origClientOrderId=mine";
    let query = scene.signed(BOB, "GET", "/api/v3/order", of).await;
    let cancel = scene.signed(BOB, "DELETE", "/api/v3/order", of).await;
    scene.market.push(BTC, price("40000"), qty("1"));
    let sale = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000\
        &newClientOrderId=mine";
    let sale = scene.order(BOB, sale).await.json();

    assert_eq!((query.code(), cancel.code()), (-2013, -2011));
    assert_eq!(sale["status"], "FILLED");
    let order = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();
    assert_eq!(order["status"], "FILLED");
}

#[tokio::test]
async fn an_order_that_would_meet_its_own_account_expires_the_waiting_one() {
    let scene = Scene::new().await;
    scene.waiting("mine").await;
    scene.market.push(BTC, price("40000.01"), qty("1"));

    let sale = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.001&price=40000";
    scene.order(ANN, sale).await;

    let of = "symbol=BTCUSDT&origClientOrderId=mine";
    let order = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();
    // The tape is better than the own order, so the sale never meets it.
    assert_eq!(order["status"], "NEW");
    scene.market.push(BTC, price("40000"), qty("1"));
    scene.order(ANN, sale).await;
    let order = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();
    assert_eq!(order["status"], "EXPIRED_IN_MATCH");
}
