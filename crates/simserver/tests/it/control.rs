//! The control address: what it tells, and what it lets be done.

use serde_json::{Value, json};

use crate::{
    scene::{ANN, BTC, Scene, price, qty},
    wire::call,
};

#[tokio::test]
async fn the_books_show_balances_fills_and_fees_and_balance() {
    let scene = Scene::new().await;
    let buy = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=bo";
    scene.order(ANN, buy).await;

    let books = scene.control("GET", "/books", &Value::Null).await;

    assert_eq!(books["audit_error"], Value::Null);
    let ann = &books["accounts"][0];
    assert_eq!(
        (&ann["account"], &ann["fills"][0]["client_order_id"]),
        (&json!("ann"), &json!("bo"))
    );
    assert_eq!(ann["fills"][0]["fee"], "0.00001");
    let btc = books["assets"].as_array().unwrap().iter().find(|row| row["asset"] == "BTC");
    assert_eq!(btc.unwrap()["fees_taken"], "0.00001");
    let usdt = ann["balances"].as_array().unwrap().iter().find(|row| row["asset"] == "USDT");
    assert_eq!(usdt.unwrap()["free"], "99500");
}

#[tokio::test]
async fn connections_are_cut_by_kind_and_by_account() {
    let scene = Scene::new().await;
    let mut market = scene.socket("/ws/btcusdt@trade").await;
    let mut private = scene.private(ANN).await;
    let mut other = scene.private(crate::scene::BOB).await;

    let cut = scene.control("POST", "/cut", &json!({"which": "all", "account": "ann"})).await;
    assert_eq!((cut, private.text().await), (json!({"cut": 1}), None));
    scene.market.push(BTC, price("50001"), qty("1"));
    assert_eq!(market.next().await["p"], "50001.00000000");
    scene.control("POST", "/cut", &json!({"which": "market"})).await;
    assert_eq!(market.text().await, None);
    let state = scene.control("GET", "/state", &Value::Null).await;
    assert_eq!(state["connections"], json!({"market": 0, "api": 1}));
    scene.control("POST", "/cut", &json!({"which": "api"})).await;
    assert_eq!(other.text().await, None);
}

#[tokio::test]
async fn a_halted_instrument_takes_no_orders_and_a_delisted_one_ends_them() {
    let scene = Scene::new().await;
    scene.waiting("a").await;
    let halt = json!({"symbol": "BTCUSDT", "status": "halted"});
    scene.control("POST", "/status", &halt).await;

    let order = scene.waiting("b").await;
    let info = scene.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.json();
    let gone = json!({"symbol": "BTCUSDT", "status": "delisted"});
    scene.control("POST", "/status", &gone).await;
    let open = scene.signed(ANN, "GET", "/api/v3/openOrders", "").await.json();
    let of = "symbol=BTCUSDT&origClientOrderId=a";
    let ended = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();

    assert_eq!((order.code(), order.said().as_str()), (-2010, "Market is closed."));
    assert_eq!(info["symbols"][0]["status"], "HALT");
    assert_eq!(open, json!([]));
    assert_eq!(
        (&ended["status"], &ended["expiryReason"]),
        (&json!("EXPIRED"), &json!("EXCHANGE_CANCELED"))
    );
}

#[tokio::test]
async fn rights_of_a_key_change_on_the_way() {
    let scene = Scene::new().await;
    let rights = json!({"key": ANN, "trade": false, "withdraw": true});
    scene.control("POST", "/rights", &rights).await;

    let order = scene.waiting("a").await;
    let read = scene.signed(ANN, "GET", "/api/v3/openOrders", "").await;
    let told = scene.signed(ANN, "GET", "/sapi/v1/account/apiRestrictions", "").await.json();
    scene.control("POST", "/rights", &json!({"key": ANN, "trade": true})).await;
    let again = scene.waiting("a").await;

    assert_eq!((order.status, order.code()), (401, -2015));
    assert_eq!((read.status, again.status), (200, 200));
    assert_eq!(told["enableSpotAndMarginTrading"], false);
    assert_eq!(told["enableWithdrawals"], true);
}

#[tokio::test]
async fn nonsense_is_named() {
    let scene = Scene::new().await;
    let cases = [
        ("POST", "/deposit", r#"{"account":"eve","asset":"BTC","amount":"1"}"#, "no account `eve`"),
        ("POST", "/deposit", r#"{"account":"ann","asset":"BTC","amount":"-99"}"#, "not enough BTC"),
        ("PUT", "/faults", r#"{"seeds":1}"#, "unknown field"),
        ("POST", "/fault", r#"{"fault":{"kind":"flood"}}"#, "unknown variant"),
        ("POST", "/tick", r#"{"symbol":"ABC","price":"1"}"#, "no symbol `ABC`"),
        ("POST", "/rights", r#"{"key":"eve","trade":true}"#, "no key `eve`"),
        ("GET", "/nothing", "", "nothing answers GET /nothing"),
    ];
    for (method, path, body, part) in cases {
        let reply = call(scene.control, (method, path), None, body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, 400, "{path}");
        assert!(reply.text.contains(part), "{path}: {}", reply.text);
    }
    let outside = call(scene.exchange, ("GET", "/books"), None, b"").await.unwrap();
    assert_eq!(outside.status, 404, "clients do not reach the control address");
}

#[tokio::test]
async fn a_tick_by_hand_moves_the_market() {
    let scene = Scene::new().await;

    scene.control("POST", "/tick", &json!({"symbol": "BTCUSDT", "price": "51000"})).await;

    let price = scene.get("/api/v3/ticker/price?symbol=BTCUSDT").await.json();
    assert_eq!(price["price"], "51000.00000000");
}
