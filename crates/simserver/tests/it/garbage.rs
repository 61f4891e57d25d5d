//! Whatever is sent, there is an answer, and the books stay in order.

use serde_json::{Value, json};

use crate::scene::{ANN, Scene, frame};

const PATHS: [(&str, &str); 18] = [
    ("GET", "/api/v3/exchangeInfo"),
    ("GET", "/api/v3/depth"),
    ("GET", "/api/v3/trades"),
    ("GET", "/api/v3/aggTrades"),
    ("GET", "/api/v3/klines"),
    ("GET", "/api/v3/avgPrice"),
    ("GET", "/api/v3/ticker/24hr"),
    ("GET", "/api/v3/ticker/price"),
    ("POST", "/api/v3/order"),
    ("POST", "/api/v3/order"),
    ("POST", "/api/v3/order/test"),
    ("DELETE", "/api/v3/order"),
    ("POST", "/api/v3/order/cancelReplace"),
    ("GET", "/api/v3/order"),
    ("GET", "/api/v3/openOrders"),
    ("GET", "/api/v3/allOrders"),
    ("GET", "/api/v3/myTrades"),
    ("GET", "/api/v3/account"),
];
const NAMES: [&str; 16] = [
    "symbol",
    "symbols",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "quoteOrderQty",
    "newClientOrderId",
    "orderId",
    "startTime",
    "endTime",
    "limit",
    "interval",
    "fromId",
    "cancelReplaceMode",
];
const VALUES: [&str; 30] = [
    "BTCUSDT",
    "BTCUSDT",
    "ETHUSDT",
    "%5B%22BTCUSDT%22%5D",
    "%5B",
    "BUY",
    "SELL",
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "GTC",
    "IOC",
    "FOK",
    "0.001",
    "0",
    "1",
    "50000",
    "40000",
    "99999999999999999999",
    "99999999999999999999.99999999999999999999",
    "9223372036854775807",
    "-1",
    "1m",
    "1M",
    "1s",
    "STOP_ON_FAILURE",
    "%E6%B8%AC",
    "",
    "a",
    "0.00000001",
];

/// The least generator that will do (Knuth, MMIX).
struct Dice(u64);

impl Dice {
    fn next(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    /// Mostly parameters that fit their names, so that some requests get far.
    fn pairs(&mut self) -> Vec<(&'static str, &'static str)> {
        let good = [
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.001"),
            ("price", "60000"),
        ];
        let mut pairs: Vec<_> = good.into_iter().filter(|_| self.next(12) != 0).collect();
        for _ in 0..self.next(4) {
            pairs.push((NAMES[self.next(NAMES.len())], VALUES[self.next(VALUES.len())]));
        }
        pairs
    }
}

#[tokio::test]
async fn every_request_is_answered() {
    let scene = Scene::with(|settings| settings.limits.weight_per_minute = 1_000_000).await;
    let mut dice = Dice(20_260_721);
    let mut taken = 0;
    for _ in 0..3000 {
        let (method, path) = PATHS[dice.next(PATHS.len())];
        let pairs: Vec<String> =
            dice.pairs().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = pairs.join("&");

        let reply = scene.try_signed(ANN, method, path, &query).await;

        let reply = reply.unwrap_or_else(|| panic!("no answer to {method} {path}?{query}"));
        let body: Value = reply.json();
        assert!([200, 400, 401, 409, 429].contains(&reply.status), "{path}?{query}: {reply:?}");
        assert_eq!(reply.status == 200, body.get("code").is_none(), "{path}?{query}: {reply:?}");
        taken += usize::from(method == "POST" && reply.status == 200);
    }
    assert!(40 < taken, "too few requests got far: {taken}");
    let books = scene.control("GET", "/books", &Value::Null).await;
    assert_eq!(books["audit_error"], Value::Null);
}

#[tokio::test]
async fn every_frame_is_answered() {
    let methods = ["order.place", "order.status", "klines", "depth", "order.cancelReplace", "ping"];
    let scene = Scene::with(|settings| settings.limits.weight_per_minute = 1_000_000).await;
    let mut socket = scene.socket("/ws-api/v3").await;
    let mut dice = Dice(7);
    for id in 0..500 {
        let mut pairs = dice.pairs();
        pairs.sort_unstable();
        pairs.dedup_by_key(|(name, _)| *name);
        let mut request = frame(id, methods[dice.next(methods.len())], ANN, &pairs);
        match dice.next(10) {
            0 => request["params"]["recvWindow"] = json!({"deep": [1, null]}),
            1 => request["params"] = json!([1, 2]),
            2 => request["method"] = json!(7),
            _ => {}
        }
        let answer = socket.ask(&request).await;
        let status = answer["status"].as_i64().unwrap();
        assert!([200, 400, 401, 409].contains(&status), "{request}: {answer}");
    }
}
