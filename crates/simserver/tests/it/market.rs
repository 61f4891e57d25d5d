//! Public data: instruments, books, trades, candles, tickers; and where the market comes from.

use std::sync::Arc;

use serde_json::{Value, json};
use tranche_model::{candle::Tick, time::Timestamp};
use tranche_simserver::{BindError, Server, Speed, SystemClock, frame, frames, quiet, ticks};

use crate::{
    scene::{BTC, Scene, price, qty, settings},
    wire::call,
};

#[tokio::test]
async fn instruments_are_told_with_all_their_filters() {
    let scene = Scene::new().await;

    let info = scene.get("/api/v3/exchangeInfo").await.json();

    assert_eq!(info["symbols"].as_array().map(Vec::len), Some(2));
    let btc = &info["symbols"][0];
    assert_eq!((&btc["symbol"], &btc["status"]), (&json!("BTCUSDT"), &json!("TRADING")));
    let filters = btc["filters"].as_array().unwrap();
    let kinds: Vec<&Value> = filters.iter().map(|filter| &filter["filterType"]).collect();
    let want = ["PRICE_FILTER", "LOT_SIZE", "PERCENT_PRICE_BY_SIDE", "NOTIONAL", "MAX_NUM_ORDERS"];
    assert_eq!(kinds, want);
    assert_eq!(filters[1]["stepSize"], "0.00001000");
    assert_eq!(info["rateLimits"][0]["limit"], 6000);
}

#[tokio::test]
async fn symbols_are_picked_and_unknown_ones_refused() {
    let scene = Scene::new().await;

    let one = scene.get("/api/v3/exchangeInfo?symbol=ETHUSDT").await.json();
    let two = scene.get("/api/v3/exchangeInfo?symbols=%5B%22ETHUSDT%22,%22BTCUSDT%22%5D").await;
    let unknown = scene.get("/api/v3/exchangeInfo?symbol=NOTHERE").await;
    let lower = scene.get("/api/v3/depth?symbol=btcusdt").await;
    let missing = scene.get("/api/v3/depth").await;

    assert_eq!(one["symbols"][0]["symbol"], "ETHUSDT");
    assert_eq!(two.json()["symbols"].as_array().map(Vec::len), Some(2));
    assert_eq!((unknown.status, unknown.code()), (400, -1121));
    assert_eq!((lower.code(), missing.code()), (-1100, -1102));
}

#[tokio::test]
async fn the_book_stands_around_the_last_price_and_shows_waiting_orders() {
    let scene = Scene::new().await;
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1.5&price=49999.995";
    assert_eq!(scene.order(crate::scene::ANN, order).await.code(), -1013);
    let order = order.replace("49999.995", "49000");
    scene.order(crate::scene::ANN, &order).await;

    let top = scene.get("/api/v3/depth?symbol=BTCUSDT&limit=5").await.json();
    let all = scene.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.json();

    assert_eq!(top["bids"][0][0], "49999.99000000");
    assert_eq!(top["asks"][0][0], "50000.01000000");
    assert_eq!(top["bids"].as_array().map(Vec::len), Some(5));
    let last = all["bids"].as_array().and_then(|rows| rows.last()).unwrap();
    assert_eq!(last, &json!(["49000.00000000", "1.50000000"]));
}

#[tokio::test]
async fn trades_and_candles_agree() {
    let scene = Scene::new().await;
    for text in ["50010", "49990", "50005"] {
        scene.market.push(BTC, price(text), qty("0.1"));
    }

    let trades = scene.get("/api/v3/trades?symbol=BTCUSDT&limit=2").await.json();
    let aggregates = scene.get("/api/v3/aggTrades?symbol=BTCUSDT").await.json();
    let candles = scene.get("/api/v3/klines?symbol=BTCUSDT&interval=1M").await.json();
    let day = scene.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.json();
    let mini = scene.get("/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI").await.json();

    assert_eq!(trades[1]["price"], "50005.00000000");
    assert_eq!(
        (&trades[0]["isBuyerMaker"], &trades[1]["isBuyerMaker"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(aggregates.as_array().map(Vec::len), Some(4));
    let candle = candles.as_array().and_then(|rows| rows.last()).unwrap();
    let want = json!(["50000.00000000", "50010.00000000", "49990.00000000", "50005.00000000"]);
    assert_eq!(json!(candle.as_array().unwrap()[1..5]), want);
    assert_eq!((&candle[5], &candle[8]), (&json!("0.80000000"), &json!(4)));
    assert_eq!(day["lastPrice"], "50005.00000000");
    assert_eq!(day["priceChange"], "5.00000000");
    assert_eq!(day["priceChangePercent"], "0.010");
    assert_eq!((&day["highPrice"], &day["count"]), (&json!("50010.00000000"), &json!(4)));
    assert!(mini.get("bidPrice").is_none() && mini.get("openPrice").is_some());
}

#[tokio::test]
async fn tickers_come_for_one_for_some_and_for_all() {
    let scene = Scene::new().await;

    let one = scene.get("/api/v3/ticker/price?symbol=BTCUSDT").await.json();
    let some = scene.get("/api/v3/ticker/price?symbols=%5B%22ETHUSDT%22%5D").await.json();
    let all = scene.get("/api/v3/ticker/bookTicker").await.json();
    let mean = scene.get("/api/v3/avgPrice?symbol=BTCUSDT").await.json();

    assert_eq!(one, json!({"symbol": "BTCUSDT", "price": "50000.00000000"}));
    assert_eq!(some, json!([{"symbol": "ETHUSDT", "price": "2000.00000000"}]));
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!((&mean["mins"], &mean["price"]), (&json!(5), &json!("50000.00000000")));
}

#[tokio::test]
async fn a_recording_passes_at_its_speed() {
    // A minute of the recording in a second.
    let tick = |second: i64, text: &str| Tick {
        instrument: BTC,
        price: price(text),
        qty: qty("1"),
        at: Timestamp::from_ms(second * 1000),
    };
    let feed = ticks([tick(0, "100"), tick(60, "101"), tick(86_400, "102")]);
    let mut settings = settings();
    settings.speed = Speed::Times(60);
    let server = Server::bind(settings, feed, Arc::new(SystemClock)).await.unwrap();
    let scene = Scene::of(server);
    let mut socket = scene.socket("/ws/btcusdt@trade").await;

    let second = socket.until(|trade| trade["p"] == "101.00000000").await;

    let now = crate::scene::now();
    assert!((second["T"].as_i64().unwrap() - now).abs() < 5000, "the clock's time is told");
    let price = scene.get("/api/v3/ticker/price?symbol=BTCUSDT").await.json();
    assert_eq!(price["price"], "101.00000000", "the day after has not come yet");
}

#[tokio::test]
async fn a_stepped_market_waits_for_the_step() {
    let tick = |second: i64, text: &str| Tick {
        instrument: BTC,
        price: price(text),
        qty: qty("1"),
        at: Timestamp::from_ms(second * 1000),
    };
    let feed = ticks([tick(0, "100"), tick(1, "101"), tick(9, "102"), tick(10, "103")]);
    let mut settings = settings();
    settings.speed = Speed::Stepped;
    let server = Server::bind(settings, feed, Arc::new(SystemClock)).await.unwrap();
    let scene = Scene::of(server);
    let last = async || {
        let price = scene.get("/api/v3/ticker/price?symbol=BTCUSDT").await.json();
        price["price"].as_str().map(str::to_owned)
    };

    assert_eq!(last().await, None);
    scene.control("POST", "/step", &json!({"items": 1})).await;
    assert_eq!(last().await.as_deref(), Some("100.00000000"));
    let passed = scene.control("POST", "/step", &json!({"ms": 9000})).await;
    assert_eq!((passed, last().await.as_deref()), (json!({"passed": 2}), Some("102.00000000")));
    let passed = scene.control("POST", "/step", &json!({"items": 9})).await;
    assert_eq!(passed, json!({"passed": 1}));
}

#[tokio::test]
async fn recorded_frames_are_sent_as_they_are_and_move_the_price() {
    let lines = [
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":7, "s":"BTCUSDT","t":42,"p":"61837.63","q":"0.02","T":7,"m":true,"M":true}}"#,
        r#"{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"61837.63","B":"3.7","a":"61837.64","A":"1.5"}}"#,
    ];
    let feed = frames(lines.map(|line| frame(Timestamp::from_ms(0), line).unwrap()));
    let mut settings = settings();
    settings.speed = Speed::Stepped;
    let server = Server::bind(settings, feed, Arc::new(SystemClock)).await.unwrap();
    let scene = Scene::of(server);
    let mut raw = scene.socket("/ws/btcusdt@trade").await;
    let mut combined = scene.socket("/stream?streams=btcusdt@trade/btcusdt@bookTicker").await;

    scene.control("POST", "/step", &json!({"items": 2})).await;

    assert_eq!(
        format!(r#"{{"stream":"btcusdt@trade","data":{}}}"#, raw.text().await.unwrap()),
        lines[0]
    );
    assert_eq!(combined.text().await.as_deref(), Some(lines[0]));
    assert_eq!(combined.text().await.as_deref(), Some(lines[1]));
    let price = scene.get("/api/v3/ticker/price?symbol=BTCUSDT").await.json();
    assert_eq!(price["price"], "61837.63000000");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let scene = Scene::new().await;
    let mut again = settings();
    again.listen = scene.exchange;

    let refused = Server::bind(again, quiet(), Arc::new(SystemClock)).await.unwrap_err();

    assert!(matches!(refused, BindError::Taken { .. }));
    assert_eq!(refused.to_string(), format!("{} is taken by another program", scene.exchange));
}

#[tokio::test]
async fn a_stopped_server_frees_its_port_and_ends_its_connections() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws/btcusdt@trade").await;
    let address = scene.exchange;

    scene.running.stop().await;

    assert_eq!(socket.text().await, None);
    let mut again = settings();
    again.listen = address;
    let server = Server::bind(again, quiet(), Arc::new(SystemClock)).await.unwrap();
    assert_eq!(server.exchange_address(), address);
}

#[tokio::test]
async fn a_server_serves_until_it_is_told() {
    let server = Server::bind(settings(), quiet(), Arc::new(SystemClock)).await.unwrap();
    let address = server.exchange_address();

    server
        .serve_until(async {
            let ping = call(address, ("GET", "/api/v3/ping"), None, b"").await;
            assert_eq!(ping.map(|reply| reply.status), Some(200));
        })
        .await;

    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
