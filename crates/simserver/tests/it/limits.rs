//! Weights, bans, and the count of unfilled orders.

use serde_json::json;
use tranche_model::time::Millis;

use crate::{
    scene::{ANN, BOB, Scene, early_in, frame},
    wire::{Socket, call},
};

#[tokio::test]
async fn weights_add_up_and_end_in_429_and_then_418() {
    let scene = Scene::with(|settings| {
        settings.limits.weight_per_minute = 50;
        settings.limits.strikes_before_ban = 2;
        settings.limits.ban = Millis::from_secs(120);
    })
    .await;
    early_in(60_000).await;

    let first = scene.get("/api/v3/exchangeInfo").await;
    let second = scene.get("/api/v3/exchangeInfo").await;
    assert_eq!(first.header("x-mbx-used-weight-1m"), Some("20"));
    assert_eq!(second.header("x-mbx-used-weight"), Some("40"));
    let throttled = scene.get("/api/v3/exchangeInfo").await;
    let again = scene.get("/api/v3/exchangeInfo").await;
    let banned = scene.get("/api/v3/exchangeInfo").await;
    let still = scene.get("/api/v3/ping").await;

    assert_eq!((throttled.status, throttled.code()), (429, -1003));
    let wait: u32 = throttled.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(again.status, 429);
    assert_eq!((banned.status, banned.code()), (418, -1003));
    assert!(banned.said().contains("IP banned until"), "{}", banned.said());
    let wait: u32 = banned.header("retry-after").unwrap().parse().unwrap();
    assert!((119..=120).contains(&wait), "{wait}");
    assert_eq!(still.status, 418);
    assert!(Socket::try_open(scene.exchange, "/ws/btcusdt@trade").await.is_none());
}

#[tokio::test]
async fn orders_weigh_nothing_unless_they_fail() {
    let scene = Scene::new().await;
    early_in(60_000).await;

    let good = scene.waiting("a").await;
    let bad = scene.waiting("a").await;
    let read = scene.signed(ANN, "GET", "/api/v3/openOrders", "").await;

    let used = |reply: &crate::wire::Reply| reply.header("x-mbx-used-weight-1m").map(str::to_owned);
    assert_eq!(used(&good).as_deref(), Some("0"));
    assert_eq!(used(&bad).as_deref(), Some("1"));
    assert_eq!(used(&read).as_deref(), Some("81"));
}

#[tokio::test]
async fn unfilled_orders_are_counted_for_an_account() {
    let scene = Scene::with(|settings| settings.limits.orders_per_ten_seconds = 2).await;
    early_in(10_000).await;

    let first = scene.waiting("a").await;
    let second = scene.waiting("b").await;
    let third = scene.waiting("c").await;
    let counts = scene.signed(ANN, "GET", "/api/v3/rateLimit/order", "").await.json();
    let buy = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    let other = scene.order(BOB, buy).await;
    let counts_of_other = scene.signed(BOB, "GET", "/api/v3/rateLimit/order", "").await.json();

    assert_eq!(first.header("x-mbx-order-count-10s"), Some("1"));
    assert_eq!(second.header("x-mbx-order-count-1d"), Some("2"));
    assert_eq!((third.status, third.code()), (429, -1015));
    assert_eq!(third.said(), "Too many new orders; current limit is 2 orders per 10 SECOND.");
    assert_eq!((&counts[0]["count"], &counts[0]["intervalNum"]), (&json!(2), &json!(10)));
    assert_eq!(other.status, 200);
    assert_eq!(counts_of_other[0]["count"], 0, "a fill takes its order out of the count");
}

#[tokio::test]
async fn a_ban_is_told_to_frames_too() {
    let scene = Scene::new().await;
    let mut socket = scene.socket("/ws-api/v3").await;

    scene.control("POST", "/ban", &json!({"seconds": 60})).await;

    let answer = socket.ask(&frame(7, "order.status", ANN, &[("symbol", "BTCUSDT")])).await;
    assert_eq!(answer["status"], 418);
    assert!(answer["error"]["data"]["retryAfter"].as_i64().unwrap() > crate::scene::now());
    let other = call(scene.control, ("GET", "/state"), None, b"").await.unwrap();
    assert_eq!(other.status, 200, "the control address knows no bans");
}

#[tokio::test]
async fn connections_are_counted() {
    let scene = Scene::with(|settings| settings.limits.connections_per_five_minutes = 1).await;

    let first = Socket::try_open(scene.exchange, "/ws").await;
    let second = Socket::try_open(scene.exchange, "/ws").await;

    assert!(first.is_some() && second.is_none());
}
