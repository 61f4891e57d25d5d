//! Balances, fees, and what an account is told of its orders.

use serde_json::{Value, json};
use tranche_model::{asset::Asset, balance::FeeAsset, money::Fraction};

use crate::scene::{ANN, BTC, Scene, frame, price, qty};

fn balance(account: &Value, asset: &str) -> (String, String) {
    let rows = account["balances"].as_array().unwrap();
    let row = rows.iter().find(|row| row["asset"] == asset).unwrap();
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    (text("free"), text("locked"))
}

#[tokio::test]
async fn a_waiting_buy_locks_its_quote_and_a_fill_pays_its_fee_in_base() {
    let scene = Scene::new().await;
    scene.waiting("so1").await;

    let locked = scene.signed(ANN, "GET", "/api/v3/account", "").await.json();
    scene.market.push(BTC, price("39999"), qty("1"));
    let filled = scene.signed(ANN, "GET", "/api/v3/account", "").await.json();

    assert_eq!(balance(&locked, "USDT"), ("99960.00000000".into(), "40.00000000".into()));
    assert_eq!(balance(&filled, "USDT"), ("99960.00000000".into(), "0.00000000".into()));
    assert_eq!(balance(&filled, "BTC"), ("10.00099900".into(), "0.00000000".into()));
    assert_eq!(filled["makerCommission"], 10);
    let short = scene.signed(ANN, "GET", "/api/v3/account", "omitZeroBalances=true").await.json();
    assert!(short["balances"].as_array().unwrap().iter().all(|row| row["asset"] != "ETH"));
}

#[tokio::test]
async fn fees_are_told() {
    let scene = Scene::new().await;

    let fees = "/api/v3/account/commission";
    let fees = scene.signed(ANN, "GET", fees, "symbol=BTCUSDT").await.json();

    assert_eq!(fees["standardCommission"]["maker"], "0.00100000");
    assert_eq!(fees["discount"]["enabledForAccount"], false);
}

#[tokio::test]
async fn a_market_order_is_told_as_new_then_traded_then_counted() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;

    let query = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100&newClientOrderId=bo";
    let order = scene.order(ANN, query).await.json();

    let (new, trade) = (private.event().await, private.event().await);
    let position = private.event().await;
    assert_eq!((&new["x"], &new["X"]), (&json!("NEW"), &json!("NEW")));
    assert_eq!((&trade["x"], &trade["X"]), (&json!("TRADE"), &json!("FILLED")));
    for report in [&new, &trade] {
        assert_eq!(report["i"], order["orderId"]);
        assert_eq!((&report["c"], &report["C"]), (&json!("bo"), &json!("")));
        assert_eq!(report["q"], "0.00200000");
        assert_eq!(report["Q"], "100.00000000");
    }
    assert_eq!((&new["t"], &new["l"], &new["N"]), (&json!(-1), &json!("0.00000000"), &Value::Null));
    assert_eq!((&trade["l"], &trade["L"]), (&json!("0.00200000"), &json!("50000.00000000")));
    assert_eq!((&trade["n"], &trade["N"]), (&json!("0.00000200"), &json!("BTC")));
    assert_eq!((&trade["m"], &trade["Z"]), (&json!(false), &json!("100.00000000")));
    assert_eq!(trade["t"], order["fills"][0]["tradeId"]);
    assert_eq!(position["e"], "outboundAccountPosition");
    let assets: Vec<&Value> =
        position["B"].as_array().unwrap().iter().map(|row| &row["a"]).collect();
    assert_eq!(assets, ["BTC", "USDT"]);
}

#[tokio::test]
async fn of_a_cancelled_order_the_old_id_is_in_the_other_letter() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;
    scene.waiting("so1").await;

    let query = "symbol=BTCUSDT&origClientOrderId=so1&newClientOrderId=cxl";
    scene.signed(ANN, "DELETE", "/api/v3/order", query).await;

    let ended = private.until(|it| it["event"]["x"] == "CANCELED").await["event"].clone();
    assert_eq!((&ended["c"], &ended["C"]), (&json!("cxl"), &json!("so1")));
    assert_eq!((&ended["X"], &ended["w"]), (&json!("CANCELED"), &json!(false)));
    assert_eq!(private.event().await["e"], "outboundAccountPosition");
}

#[tokio::test]
async fn what_does_not_fill_at_once_expires_with_its_reason() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;

    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.001&price=49000";
    let order = scene.order(ANN, query).await.json();

    assert_eq!(order["status"], "EXPIRED");
    assert_eq!(order["expiryReason"], "UNFILLED_IOC_QUANTITY_EXPIRED");
    let ended = private.until(|it| it["event"]["x"] == "EXPIRED").await["event"].clone();
    assert_eq!(ended["eR"], "UNFILLED_IOC_QUANTITY_EXPIRED");
    assert_eq!(ended["C"], "");
}

#[tokio::test]
async fn a_deposit_is_told_twice_over() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;

    let deposit = json!({"account": "ann", "asset": "ETH", "amount": "2.5"});
    scene.control("POST", "/deposit", &deposit).await;

    let update = private.event().await;
    assert_eq!((&update["e"], &update["d"]), (&json!("balanceUpdate"), &json!("2.50000000")));
    let position = private.event().await;
    assert_eq!(position["B"], json!([{"a": "ETH", "f": "2.50000000", "l": "0.00000000"}]));
}

#[tokio::test]
async fn answers_and_events_come_in_either_order() {
    let scene = Scene::with(|settings| settings.late_events_per_mille = 500).await;
    let mut socket = scene.private(ANN).await;
    let mut first = Vec::new();
    for id in 10..40 {
        let order = [("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "MARKET")];
        let order: Vec<_> = order.into_iter().chain([("quantity", "0.001")]).collect();
        socket.send(&frame(id, "order.place", ANN, &order)).await;
        let mut names = Vec::new();
        while names.len() < 4 {
            let got = socket.next().await;
            names.push(if got.get("id").is_some() { "answer" } else { "event" });
        }
        first.push(names[0]);
    }
    assert!(first.contains(&"answer") && first.contains(&"event"), "{first:?}");
}

#[tokio::test]
async fn a_market_with_little_to_give_fills_in_parts() {
    let scene = Scene::with(|settings| {
        settings.exchange.volume_cap = Some(Fraction::parse("1").unwrap());
    })
    .await;
    let mut private = scene.private(ANN).await;
    scene.waiting("so1").await;

    scene.market.push(BTC, price("39999"), qty("0.0004"));
    let of = "symbol=BTCUSDT&origClientOrderId=so1";
    let part = scene.signed(ANN, "GET", "/api/v3/order", of).await.json();
    let cancel = scene.signed(ANN, "DELETE", "/api/v3/order", of).await.json();

    assert_eq!(
        (&part["status"], &part["executedQty"]),
        (&json!("PARTIALLY_FILLED"), &json!("0.00040000"))
    );
    assert_eq!(
        (&cancel["status"], &cancel["executedQty"]),
        (&json!("CANCELED"), &json!("0.00040000"))
    );
    let trade = private.until(|it| it["event"]["x"] == "TRADE").await["event"].clone();
    assert_eq!((&trade["X"], &trade["m"]), (&json!("PARTIALLY_FILLED"), &json!(true)));
    assert_eq!((&trade["z"], &trade["q"]), (&json!("0.00040000"), &json!("0.00100000")));
    let ended = private.until(|it| it["event"]["x"] == "CANCELED").await["event"].clone();
    assert_eq!((&ended["z"], &ended["l"]), (&json!("0.00040000"), &json!("0.00000000")));
}

#[tokio::test]
async fn fees_may_be_taken_from_a_third_asset() {
    let scene = Scene::with(|settings| {
        settings.accounts[0].fee_asset = FeeAsset::Third(Asset::parse("ETH").unwrap());
    })
    .await;
    let deposit = json!({"account": "ann", "asset": "ETH", "amount": "0.0001"});
    scene.control("POST", "/deposit", &deposit).await;

    let buy = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    let mut assets = Vec::new();
    for _ in 0..5 {
        let fill = scene.order(ANN, buy).await.json()["fills"][0].clone();
        assets.push((fill["commissionAsset"].clone(), fill["commission"].clone()));
    }

    // 0.05 USDT are 0.000025 ETH; after four of them the coin that was bought pays.
    let (eth, btc) = ((json!("ETH"), json!("0.00002500")), (json!("BTC"), json!("0.00000100")));
    assert_eq!(assets, [eth.clone(), eth.clone(), eth.clone(), eth, btc]);
}
