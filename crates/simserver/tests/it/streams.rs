//! Market streams, raw and combined, and the lives of connections.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tranche_model::time::{Millis, Timestamp};
use tranche_simserver::{Clock, Server, SystemClock, quiet};

use crate::scene::{ANN, BTC, ETH, Scene, price, qty, settings};

#[tokio::test]
async fn raw_streams_send_the_payload_and_combined_ones_name_it() {
    let scene = Scene::new().await;
    let mut raw = scene.socket("/ws/btcusdt@trade").await;
    let mut combined = scene.socket("/stream?streams=btcusdt@aggTrade/ethusdt@trade").await;

    scene.market.push(BTC, price("50001"), qty("0.25"));
    scene.market.push(ETH, price("2001"), qty("3"));

    let trade = raw.next().await;
    assert_eq!((&trade["e"], &trade["s"]), (&json!("trade"), &json!("BTCUSDT")));
    assert_eq!((&trade["p"], &trade["q"]), (&json!("50001.00000000"), &json!("0.25000000")));
    let (first, second) = (combined.next().await, combined.next().await);
    assert_eq!(first["stream"], "btcusdt@aggTrade");
    assert_eq!(first["data"]["a"], trade["t"]);
    assert_eq!(second["stream"], "ethusdt@trade");
    assert_eq!(second["data"]["p"], "2001.00000000");
}

#[tokio::test]
async fn subscriptions_change_on_a_live_connection() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws/0").await;

    let names = json!(["btcusdt@trade", "ethusdt@trade"]);
    let answer = socket.ask(&json!({"method": "SUBSCRIBE", "params": names, "id": 1})).await;
    assert_eq!(answer, json!({"result": null, "id": 1}));
    let uuid = "9d32157c-1556-4d27-9b0c-5a2a1b9e7c6d";
    let leave = json!({"method": "UNSUBSCRIBE", "params": ["ethusdt@trade"], "id": uuid});
    assert_eq!(socket.ask(&leave).await["id"], uuid);
    let list = socket.ask(&json!({"method": "LIST_SUBSCRIPTIONS", "id": 3})).await;
    assert_eq!(list["result"], json!(["0", "btcusdt@trade"]));
    socket.send(&json!({"method": "DANCE", "id": 4})).await;
    assert_eq!(socket.next().await["code"], 2);

    scene.market.push(ETH, price("2001"), qty("3"));
    scene.market.push(BTC, price("50001"), qty("3"));
    assert_eq!(socket.next().await["s"], "BTCUSDT");
}

#[tokio::test]
async fn the_best_prices_are_told_when_they_change() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws/btcusdt@bookTicker").await;

    scene.market.push(BTC, price("50001"), qty("1"));
    scene.market.push(BTC, price("50001"), qty("1"));
    scene.market.push(BTC, price("50002"), qty("1"));

    let (first, second) = (socket.next().await, socket.next().await);
    assert_eq!(first["b"], "50000.99000000");
    assert_eq!(second["a"], "50002.01000000");
    assert!(first.get("e").is_none() && first["u"].as_u64() < second["u"].as_u64());
}

/// The rules of "How to manage a local order book correctly".
#[tokio::test]
async fn a_book_can_be_kept_from_differences() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/stream?streams=btcusdt@depth@100ms").await;
    scene.market.push(BTC, price("50003"), qty("1"));
    let first = socket.next().await["data"].clone();
    let snapshot = scene.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.json();
    let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
    assert!(first["U"].as_u64().unwrap() <= last + 1);
    let mut book = std::collections::BTreeMap::new();
    let apply = |book: &mut std::collections::BTreeMap<String, String>, rows: &Value| {
        for row in rows.as_array().unwrap() {
            let (level, amount) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
            if amount == "0.00000000" {
                book.remove(level);
            } else {
                book.insert(level.to_owned(), amount.to_owned());
            }
        }
    };
    apply(&mut book, &snapshot["bids"]);

    for text in ["50010.5", "49999", "50003.3"] {
        scene.market.push(BTC, price(text), qty("1"));
        let change = socket.next().await["data"].clone();
        if change["u"].as_u64().unwrap() <= last {
            continue;
        }
        assert!(change["U"].as_u64().unwrap() <= last + 1, "a gap: {change} after {last}");
        last = change["u"].as_u64().unwrap();
        apply(&mut book, &change["b"]);
    }

    let want = scene.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.json();
    let mut kept = std::collections::BTreeMap::new();
    apply(&mut kept, &want["bids"]);
    assert_eq!((last, book), (want["lastUpdateId"].as_u64().unwrap(), kept));
}

#[tokio::test]
async fn partial_books_and_candles_come_in_their_time() {
    let scene = Scene::new().await;
    let names = "btcusdt@depth5@100ms/btcusdt@kline_1m/btcusdt@ticker/btcusdt@miniTicker";
    let mut socket = scene.socket(&format!("/stream?streams={names}")).await;
    scene.market.push(BTC, price("50003"), qty("1"));

    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 4 {
        let frame = socket.next().await;
        seen.insert(frame["stream"].as_str().unwrap().to_owned(), frame["data"].clone());
    }

    assert_eq!(seen["btcusdt@depth5@100ms"]["bids"].as_array().map(Vec::len), Some(5));
    let candle = &seen["btcusdt@kline_1m"]["k"];
    assert_eq!((&candle["i"], &candle["s"]), (&json!("1m"), &json!("BTCUSDT")));
    assert_eq!(candle["T"].as_i64().unwrap() - candle["t"].as_i64().unwrap(), 59_999);
    assert_eq!(seen["btcusdt@ticker"]["c"], "50003.00000000");
    assert_eq!(seen["btcusdt@miniTicker"]["e"], "24hrMiniTicker");
}

/// A clock that a test moves on.
#[derive(Debug, Default)]
struct Hurried(std::sync::atomic::AtomicI64);

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        let passed = self.0.load(std::sync::atomic::Ordering::SeqCst);
        Timestamp::from_ms(SystemClock.now().ms() + passed)
    }
}

#[tokio::test]
async fn each_candle_is_told_when_it_closed_also_when_a_beat_came_late() {
    let clock = Arc::new(Hurried::default());
    let held = Arc::clone(&clock);
    let scene = Scene::of(Server::bind(settings(), quiet(), held).await.unwrap());
    scene.market.push(BTC, price("50000"), qty("1"));
    let mut socket = scene.socket("/ws").await;
    let subscribe = json!({"id": 1, "method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"]});
    socket.ask(&subscribe).await;
    scene.market.push(BTC, price("50003"), qty("1"));

    // Three minutes on: two of them never ran at a beat.
    clock.0.fetch_add(180_000, std::sync::atomic::Ordering::SeqCst);
    let mut closed = Vec::new();
    while closed.len() < 3 {
        let frame = socket.next().await;
        if frame["k"]["x"] == true {
            closed.push((frame["k"]["t"].as_i64().unwrap(), frame["k"]["h"].clone()));
        }
    }

    let first = closed[0].0;
    let want = [0, 60_000, 120_000].map(|later| (first + later, json!("50003.00000000")));
    assert_eq!(closed, want);
}

#[tokio::test]
async fn connections_are_pinged_told_of_their_end_and_ended() {
    let scene = Scene::with(|settings| {
        settings.connections.ping_every = Millis::new(50);
        settings.connections.life = Millis::new(600);
        settings.connections.notice = Millis::new(200);
    })
    .await;
    let mut market = scene.socket("/stream?streams=btcusdt@trade").await;
    let mut api = scene.socket("/ws-api/v3").await;

    let stamp: i64 = String::from_utf8(market.ping().await).unwrap().parse().unwrap();
    let told = market.next().await;
    let told_api = api.next().await;

    assert!((stamp - crate::scene::now()).abs() < 5000);
    assert_eq!(
        (&told["stream"], &told["data"]["e"]),
        (&json!("!serverShutdown"), &json!("serverShutdown"))
    );
    assert_eq!(told_api["event"]["e"], "serverShutdown");
    assert_eq!(market.text().await, None);
    assert_eq!(api.text().await, None);
}

#[tokio::test]
async fn who_does_not_answer_pings_is_left() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let scene = Scene::with(|settings| {
        settings.connections.ping_every = Millis::new(30);
        settings.connections.pong_within = Millis::new(90);
    })
    .await;
    let mut stream = tokio::net::TcpStream::connect(scene.exchange).await.unwrap();
    let head = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();

    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;

    ended.expect("the server leaves").unwrap();
    let answer = String::from_utf8_lossy(&bytes).into_owned();
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
}

#[tokio::test]
async fn who_talks_too_much_is_left() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws").await;

    for id in 0..12 {
        socket.send(&json!({"method": "LIST_SUBSCRIPTIONS", "id": id})).await;
    }

    let mut answers = 0;
    while socket.text().await.is_some() {
        answers += 1;
    }
    assert!(answers < 12, "{answers}");
}

#[tokio::test]
async fn the_private_stream_is_not_a_market_stream() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws/btcusdt@trade").await;

    scene.waiting("a").await;

    assert!(socket.is_silent(Duration::from_millis(300)).await);
    assert_eq!(scene.signed(ANN, "GET", "/api/v3/openOrders", "").await.status, 200);
}
