//! Each fault, as a client meets it, and what it leaves behind.

use std::time::Duration;

use serde_json::{Value, json};

use crate::scene::{ANN, ANN_ED, BOB, BTC, Scene, frame, price, qty};

const ORDER: &str = "POST /api/v3/order";

async fn open_count(scene: &Scene) -> usize {
    let open = scene.signed(ANN, "GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.json();
    open.as_array().map_or(0, Vec::len)
}

async fn place(scene: &Scene, id: &str) -> Option<crate::wire::Reply> {
    let query = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000\
         &newClientOrderId={id}"
    );
    scene.try_signed(ANN, "POST", "/api/v3/order", &query).await
}

#[tokio::test]
async fn an_unknown_outcome_is_one_of_two() {
    let scene = Scene::new().await;
    // Kind, its parts, status and code of the answer (none: no answer), and whether it was done.
    let cases = [
        (json!({"kind": "drop_before"}), None, false),
        (json!({"kind": "drop_after"}), None, true),
        (json!({"kind": "error_before", "status": 502}), Some((502, None)), false),
        (json!({"kind": "error_after", "status": 504}), Some((504, None)), true),
        (json!({"kind": "timeout", "executed": false}), Some((408, Some(-1007))), false),
        (json!({"kind": "timeout", "executed": true}), Some((408, Some(-1007))), true),
        (
            json!({"kind": "unexpected_response", "executed": false}),
            Some((500, Some(-1006))),
            false,
        ),
        (json!({"kind": "unexpected_response", "executed": true}), Some((500, Some(-1006))), true),
        (
            json!({"kind": "busy", "text": "unknown", "executed": true}),
            Some((503, Some(-1000))),
            true,
        ),
        (
            json!({"kind": "busy", "text": "unknown", "executed": false}),
            Some((503, Some(-1000))),
            false,
        ),
        (
            json!({"kind": "busy", "text": "unavailable", "executed": false}),
            Some((503, None)),
            false,
        ),
        (
            json!({"kind": "busy", "text": "internal", "executed": false}),
            Some((503, Some(-1001))),
            false,
        ),
        (
            json!({"kind": "busy", "text": "overloaded", "executed": false}),
            Some((503, Some(-1008))),
            false,
        ),
        (json!({"kind": "clock_skew"}), Some((400, Some(-1021))), false),
        (json!({"kind": "broken_json"}), Some((200, None)), true),
    ];
    for (number, (fault, answer, is_done)) in cases.into_iter().enumerate() {
        let before = open_count(&scene).await;
        scene.fault(&json!({"fault": fault, "path": ORDER})).await;

        let reply = place(&scene, &format!("f{number}")).await;

        let got = reply.as_ref().map(|reply| {
            let read = serde_json::from_str::<Value>(&reply.text);
            (reply.status, read.ok().and_then(|body| body["code"].as_i64()))
        });
        assert_eq!(got, answer, "{fault}");
        let after = open_count(&scene).await;
        assert_eq!(after, before + usize::from(is_done), "{fault}");
    }
    let again = place(&scene, "last").await.unwrap();
    assert_eq!(again.status, 200, "a fault by hand strikes once");
}

#[tokio::test]
async fn frames_meet_faults_by_their_method() {
    let scene = Scene::new().await;
    let limit = [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.001"),
        ("price", "40000"),
    ];
    let mut socket = scene.socket("/ws-api/v3").await;
    let timeout = json!({"kind": "timeout", "executed": true});
    scene.fault(&json!({"fault": timeout, "path": "order.place"})).await;
    let answer = socket.ask(&frame(1, "order.place", ANN, &limit)).await;
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(408), &json!(-1007)));
    assert_eq!(open_count(&scene).await, 1);

    scene.fault(&json!({"fault": {"kind": "delay", "ms": 150}, "path": "order.place"})).await;
    socket.send(&frame(2, "order.place", ANN, &limit)).await;
    let ping = socket.ask(&json!({"id": 3, "method": "ping"})).await;
    assert_eq!(ping["status"], 200, "a late request holds up no other");
    assert_eq!(socket.next().await["id"], 2);

    scene.fault(&json!({"fault": {"kind": "drop_after"}, "path": "order.place"})).await;
    socket.send(&frame(4, "order.place", ANN, &limit)).await;
    assert_eq!(socket.text().await, None);
    assert_eq!(open_count(&scene).await, 3);
}

#[tokio::test]
async fn a_late_order_is_judged_when_it_arrives() {
    let scene = Scene::new().await;
    scene.fault(&json!({"fault": {"kind": "delay", "ms": 300}, "path": ORDER})).await;

    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000\
        &recvWindow=200";
    let reply = scene.order(ANN, query).await;

    assert_eq!(reply.code(), -1021);
    assert_eq!(open_count(&scene).await, 0);
}

#[tokio::test]
async fn an_order_whose_sender_gave_up_still_arrives() {
    let scene = Scene::new().await;
    scene.fault(&json!({"fault": {"kind": "delay", "ms": 1500}, "path": ORDER})).await;

    let answer = tokio::time::timeout(Duration::from_millis(100), place(&scene, "a")).await;
    let early = open_count(&scene).await;
    let arrives = async {
        while open_count(&scene).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrives).await.expect("the order arrives");

    assert!(answer.is_err(), "nobody waited for it");
    assert_eq!(early, 0);
}

#[tokio::test]
async fn a_late_answer_was_done_long_before() {
    let scene = Scene::new().await;
    scene.fault(&json!({"fault": {"kind": "delay_answer", "ms": 1500}, "path": ORDER})).await;

    let (reply, seen) = tokio::join!(place(&scene, "a"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        open_count(&scene).await
    });

    assert_eq!((seen, reply.unwrap().status), (1, 200));
}

#[tokio::test]
async fn a_stale_read_does_not_know_what_just_happened() {
    let scene = Scene::new().await;
    let stale = json!({"kind": "stale_read", "ms": 60_000});
    let profile = json!({"rule": [
        {"fault": stale, "path": "GET /api/v3/order", "count": 1},
        {"fault": stale, "path": "GET /api/v3/openOrders", "count": 1},
        {"fault": stale, "path": "GET /api/v3/myTrades", "count": 1},
    ]});
    scene.control("PUT", "/faults", &profile).await;
    scene.waiting("a").await;
    scene.market.push(BTC, price("39999"), qty("1"));

    let mut got = Vec::new();
    for _ in 0..2 {
        let of = "symbol=BTCUSDT&origClientOrderId=a";
        let order = scene.signed(ANN, "GET", "/api/v3/order", of).await;
        let trades = scene.signed(ANN, "GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.json();
        got.push((order.code(), trades.as_array().map(Vec::len)));
    }

    assert_eq!(got, [(-2013, Some(0)), (0, Some(1))]);
}

#[tokio::test]
async fn who_is_throttled_and_goes_on_is_banned() {
    let scene = Scene::with(|settings| settings.limits.strikes_before_ban = 2).await;
    scene.fault(&json!({"fault": {"kind": "too_many", "seconds": 30}, "path": ORDER})).await;

    let first = place(&scene, "a").await.unwrap();
    let second = place(&scene, "a").await.unwrap();
    let third = place(&scene, "a").await.unwrap();

    assert_eq!([first.status, second.status, third.status], [429, 429, 418]);
    assert_eq!(first.header("retry-after"), Some("30"));
    let state = scene.control("GET", "/state", &Value::Null).await;
    assert_eq!(state["open_orders"], 0);
    assert!(state["addresses"][0]["banned_until"].is_i64());
}

#[tokio::test]
async fn events_are_lost_doubled_and_swapped() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;
    let shown = |event: &Value| {
        let kind = event["x"].as_str().or_else(|| event["e"].as_str()).unwrap().to_owned();
        let order = event["c"].as_str().unwrap_or_default().to_owned();
        format!("{kind} {order}").trim().to_owned()
    };
    let rule = |kind: &str| json!({"fault": {"kind": kind}, "path": "executionReport"});

    scene.fault(&rule("event_drop")).await;
    scene.waiting("a").await;
    let mut events = vec![private.event().await];
    scene.fault(&rule("event_double")).await;
    scene.waiting("b").await;
    for _ in 0..3 {
        events.push(private.event().await);
    }
    scene.fault(&rule("event_swap")).await;
    scene.waiting("c").await;
    for _ in 0..2 {
        events.push(private.event().await);
    }

    let shown: Vec<String> = events.iter().map(shown).collect();
    let position = "outboundAccountPosition";
    assert_eq!(shown, [position, "NEW b", "NEW b", position, position, "NEW c"]);
}

#[tokio::test]
async fn an_event_comes_late_and_a_status_is_strange() {
    let scene = Scene::new().await;
    let mut private = scene.private(ANN).await;
    let late = json!({"kind": "event_late", "ms": 300});
    scene.fault(&json!({"fault": late, "path": "executionReport"})).await;
    scene.waiting("a").await;
    scene.fault(&json!({"fault": {"kind": "event_strange"}, "path": "executionReport"})).await;
    scene.fault(&json!({"fault": {"kind": "strange_status"}, "path": ORDER})).await;
    let answer = scene.waiting("b").await.json();

    let mut reports = Vec::new();
    while reports.len() < 2 {
        let event = private.event().await;
        if event["e"] == "executionReport" {
            reports.push((event["c"].clone(), event["X"].clone()));
        }
    }

    assert_eq!(answer["status"], "UNDER_REVIEW");
    let (late, strange) = ((json!("a"), json!("NEW")), (json!("b"), json!("UNDER_REVIEW")));
    assert_eq!(reports, [strange, late]);
}

#[tokio::test]
async fn a_private_stream_expires_or_breaks() {
    let scene = Scene::new().await;
    let mut ann = scene.private(ANN).await;
    let mut bob = scene.private(BOB).await;

    scene.control("POST", "/expire", &json!({"account": "ann"})).await;
    assert_eq!(ann.event().await["e"], "eventStreamTerminated");
    scene.waiting("a").await;
    let again = frame(5, "userDataStream.subscribe.signature", ANN, &[]);
    let again = ann.ask(&again).await;
    assert_eq!(again["result"]["subscriptionId"], 1, "silent until subscribed again");

    scene.fault(&json!({"fault": {"kind": "cut_streams"}, "path": ORDER})).await;
    scene.waiting("b").await;
    while ann.text().await.is_some() {}
    scene.fault(&json!({"fault": {"kind": "expire_token"}, "path": ORDER})).await;
    let buy = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    scene.order(BOB, buy).await;
    bob.until(|frame| frame["event"]["e"] == "eventStreamTerminated").await;
}

#[tokio::test]
async fn a_rule_strikes_its_account_or_its_key_only() {
    let scene = Scene::new().await;
    let rule = json!({"fault": {"kind": "drop_before"}, "path": ORDER, "account": "bob"});
    scene.fault(&rule).await;
    let rule = json!({"fault": {"kind": "drop_before"}, "path": ORDER, "key": ANN_ED});
    scene.fault(&rule).await;

    assert_eq!(place(&scene, "a").await.unwrap().status, 200);

    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";
    assert!(scene.try_signed(ANN_ED, "POST", "/api/v3/order", query).await.is_none());
    let faults = scene.control("GET", "/faults", &Value::Null).await;
    assert_eq!((&faults[0]["met"], &faults[0]["dealt"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn the_same_seed_strikes_the_same_orders() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let scene = Scene::new().await;
        let fault = json!({"kind": "drop_before"});
        let profile =
            json!({"seed": 11, "rule": [{"fault": fault, "path": ORDER, "per_mille": 400}]});
        scene.control("PUT", "/faults", &profile).await;
        let mut struck = Vec::new();
        for number in 0..20 {
            struck.push(place(&scene, &format!("n{number}")).await.is_none());
        }
        runs.push(struck);
        scene.running.stop().await;
    }

    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&true) && runs[0].contains(&false), "{:?}", runs[0]);
}

#[tokio::test]
async fn a_clock_that_is_apart_refuses_until_it_is_asked() {
    let scene = Scene::new().await;
    scene.control("POST", "/skew", &json!({"ms": 7000})).await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000";

    let refused = place(&scene, "a").await.unwrap();
    let time = scene.get("/api/v3/time").await.json();
    let payload = format!("{limit}&timestamp={}", time["serverTime"]);
    let taken = scene.stamped(ANN, "POST", "/api/v3/order", &payload).await.unwrap();

    assert_eq!((refused.code(), taken.status), (-1021, 200));
}

#[tokio::test]
async fn latency_holds_up_every_request() {
    let scene = Scene::with(|settings| {
        settings.latency = tranche_model::time::Millis::new(120);
    })
    .await;
    let before = crate::scene::now();

    scene.get("/api/v3/ping").await;

    assert!(120 <= crate::scene::now() - before);
}
