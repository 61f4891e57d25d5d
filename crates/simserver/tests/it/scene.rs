//! A server with two instruments, two accounts and keys of each kind.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{hmac, rand::SystemRandom, signature};
use serde_json::Value;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    filter::Filter,
    ids::InstrumentId,
    instrument::Instrument,
    money::{Amount, Price, Qty, Quote},
};
use tranche_simserver::{
    AccountSettings, Clock as _, KeySecret, KeySettings, Market, Rights, Running, Server, Settings,
    SystemClock, quiet,
};

use crate::wire::{self, Reply, Socket};

pub(crate) const BTC: InstrumentId = InstrumentId::new(0);
pub(crate) const ETH: InstrumentId = InstrumentId::new(1);
pub(crate) const ANN: &str = "annHmac";
pub(crate) const ANN_ED: &str = "annEd25519";
pub(crate) const ANN_RSA: &str = "annRsa";
pub(crate) const ANN_READ: &str = "annRead";
pub(crate) const BOB: &str = "bobHmac";
/// The key pair of RFC 8032, section 7.1, test 1.
const ED_PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
const ED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
/// Made for these tests; it opens nothing.
const RSA_PRIVATE: &str = include_str!("throwaway_rsa.pem");
const RSA_PUBLIC: &str = include_str!("throwaway_rsa_public.pem");

pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) market: Market,
    pub(crate) exchange: SocketAddr,
    pub(crate) control: SocketAddr,
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub(crate) fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

pub(crate) fn now() -> i64 {
    SystemClock.now().ms()
}

/// Waits where a window of the clock is about to end: what follows belongs into one.
pub(crate) async fn early_in(window_ms: i64) {
    let rest = window_ms - now().rem_euclid(window_ms);
    if rest < 3000 {
        tokio::time::sleep(std::time::Duration::from_millis(rest.unsigned_abs())).await;
    }
}

fn instrument(id: InstrumentId, symbol: &str) -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.00001"), max: qty("9000"), step: qty("0.00001") },
        Filter::PercentPriceBySide {
            bid_up: price("5"),
            bid_down: price("0.2"),
            ask_up: price("5"),
            ask_down: price("0.2"),
        },
        Filter::Notional {
            min: Quote::parse("5").unwrap(),
            min_market: true,
            max: Quote::parse("9000000").unwrap(),
            max_market: false,
        },
        Filter::MaxNumOrders { limit: 200 },
    ];
    Instrument::new(id, Symbol::parse(symbol).unwrap(), filters)
}

fn balances() -> Vec<Balance> {
    [("BTC", "10"), ("USDT", "100000"), ("ETH", "0")]
        .map(|(name, free)| Balance {
            asset: Asset::parse(name).unwrap(),
            free: Amount::parse(free).unwrap(),
            locked: Amount::ZERO,
        })
        .to_vec()
}

pub(crate) fn settings() -> Settings {
    let hmac = |name: &str| KeySettings::new(name, KeySecret::Hmac(format!("secret of {name}")));
    let rights = Rights { read: true, trade: false, withdraw: false };
    let ann = vec![
        hmac(ANN),
        KeySettings::new(ANN_ED, KeySecret::Ed25519(ED_PUBLIC.to_owned())),
        KeySettings::new(ANN_RSA, KeySecret::Rsa(RSA_PUBLIC.to_owned())),
        KeySettings { rights, ..hmac(ANN_READ) },
    ];
    let accounts = vec![
        AccountSettings::new("ann", ann, balances()),
        AccountSettings::new("bob", vec![hmac(BOB)], balances()),
    ];
    let instruments = vec![instrument(BTC, "BTC/USDT"), instrument(ETH, "ETH/USDT")];
    Settings { late_events_per_mille: 0, ..Settings::new(instruments, accounts) }
}

/// The signature of a payload, as it goes into a frame.
pub(crate) fn sign(key: &str, payload: &[u8]) -> String {
    match key {
        ANN_ED => {
            let der = STANDARD.decode(ED_PKCS8).unwrap();
            let pair = signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
            STANDARD.encode(pair.sign(payload))
        }
        ANN_RSA => {
            let body: String =
                RSA_PRIVATE.lines().filter(|line| !line.starts_with("-----")).collect();
            let der = STANDARD.decode(body).unwrap();
            let pair = signature::RsaKeyPair::from_pkcs8(&der).unwrap();
            let mut bytes = vec![0; pair.public().modulus_len()];
            let random = SystemRandom::new();
            pair.sign(&signature::RSA_PKCS1_SHA256, &random, payload, &mut bytes).unwrap();
            STANDARD.encode(bytes)
        }
        name => {
            let secret = format!("secret of {name}");
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let tag = hmac::sign(&key, payload);
            let digits: Vec<String> =
                tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            digits.concat()
        }
    }
}

/// Percent-encodes a base64 text.
pub(crate) fn encoded(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// BTC trades at 50000, ETH at 2000.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let server = Server::bind(settings, quiet(), Arc::new(SystemClock)).await.unwrap();
        let scene = Self::of(server);
        scene.market.push(BTC, price("50000"), qty("0.5"));
        scene.market.push(ETH, price("2000"), qty("1"));
        scene
    }

    pub(crate) fn of(server: Server) -> Self {
        let (exchange, control) = (server.exchange_address(), server.control_address());
        let market = server.market();
        Self { running: server.start(), market, exchange, control }
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        wire::call(self.exchange, ("GET", target), None, b"").await.expect("an answer")
    }

    /// A signed request, all in the query.
    pub(crate) async fn signed(&self, key: &str, method: &str, path: &str, query: &str) -> Reply {
        self.try_signed(key, method, path, query).await.expect("an answer")
    }

    pub(crate) async fn try_signed(
        &self,
        key: &str,
        method: &str,
        path: &str,
        query: &str,
    ) -> Option<Reply> {
        let join = if query.is_empty() { "" } else { "&" };
        let payload = format!("{query}{join}timestamp={}", now());
        self.stamped(key, method, path, &payload).await
    }

    /// A signed request whose payload has its own timestamp.
    pub(crate) async fn stamped(
        &self,
        key: &str,
        method: &str,
        path: &str,
        payload: &str,
    ) -> Option<Reply> {
        let signature = encoded(&sign(key, payload.as_bytes()));
        let target = format!("{path}?{payload}&signature={signature}");
        wire::call(self.exchange, (method, &target), Some(key), b"").await
    }

    pub(crate) async fn order(&self, key: &str, query: &str) -> Reply {
        self.signed(key, "POST", "/api/v3/order", query).await
    }

    /// A buy of 0.001 BTC that waits below the market.
    pub(crate) async fn waiting(&self, id: &str) -> Reply {
        let query = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=40000\
             &newClientOrderId={id}"
        );
        self.order(ANN, &query).await
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = wire::call(self.control, (method, path), None, body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()
    }

    pub(crate) async fn fault(&self, rule: &Value) {
        self.control("POST", "/fault", rule).await;
    }

    pub(crate) async fn socket(&self, path: &str) -> Socket {
        Socket::open(self.exchange, path).await
    }

    /// A connection with the private stream of a key's account.
    pub(crate) async fn private(&self, key: &str) -> Socket {
        let mut socket = self.socket("/ws-api/v3").await;
        let frame = frame(1, "userDataStream.subscribe.signature", key, &[]);
        let answer = socket.ask(&frame).await;
        assert_eq!(answer["status"], 200, "{answer}");
        socket
    }
}

/// A signed frame of the WebSocket API.
pub(crate) fn frame(id: i64, method: &str, key: &str, params: &[(&str, &str)]) -> Value {
    let stamp = now().to_string();
    let mut all = vec![("apiKey", key), ("timestamp", &stamp)];
    all.extend(params);
    all.sort_unstable();
    let pairs: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let signature = sign(key, pairs.join("&").as_bytes());
    let mut map: serde_json::Map<String, Value> =
        all.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    map.insert("timestamp".to_owned(), stamp.parse::<i64>().unwrap().into());
    map.insert("signature".to_owned(), signature.into());
    serde_json::json!({"id": id, "method": method, "params": map})
}
