//! Binance spot: the client of the venue crate, and the simulated exchange in its dialect.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::{Value, json};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    client_order_id::ClientOrderId,
    filter::Filter,
    ids::{InstrumentId, TradeId},
    instrument::{Instrument, TradingStatus},
    money::{Amount, Fraction, Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_simserver::{
    AccountSettings, Clock, Fault, KeySecret, KeySettings, Running, Server, Settings, Speed,
    SystemClock, quiet,
};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    net::{http::HttpLimits, reconnect::BackoffLimits, relay::RelayLimits, socket::SocketLimits},
    secret::{ApiKey, ApiSecret, Credentials},
    venue::Venue,
};

use crate::{
    bench::{Bench, Booked, Books, On, Place, Stream, Wiring, limits},
    scene::{price, qty},
};

suite!(crate::binance::start);

#[test]
fn the_document_names_each_case_and_no_other() {
    crate::matrix::check(include_str!("../../../../docs/venues/binance.md"), suite::CASES);
}

const HMAC: &str = "houseHmac";
const ED25519: &str = "houseEd25519";
const RSA: &str = "houseRsa";
const SECRET: &str = "a secret of the house";
/// The key pair of RFC 8032, section 7.1, test 1.
const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
/// Made for tests; it opens nothing.
const RSA_PRIVATE: &str = include_str!("../../../simserver/tests/it/throwaway_rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../../simserver/tests/it/throwaway_rsa_public.pem");

struct BinanceBench {
    server: Running,
    clock: Arc<Hurried>,
    instruments: Vec<Instrument>,
}

/// The machine's clock, with the time that a test let pass.
#[derive(Debug, Default)]
struct Hurried {
    passed_ms: AtomicI64,
}

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        let passed = self.passed_ms.load(Ordering::SeqCst);
        Timestamp::from_ms(SystemClock.now().ms().saturating_add(passed))
    }
}

pub(crate) async fn start() -> Box<dyn Bench> {
    let instruments = vec![btc(), eth()];
    let mut settings = Settings::new(instruments.clone(), vec![house()]);
    settings.speed = Speed::Stepped;
    settings.late_events_per_mille = 0;
    settings.exchange.volume_cap = Some(Fraction::parse("1").unwrap());
    settings.limits.orders_per_ten_seconds = limits::ORDERS;
    settings.limits.strikes_before_ban = limits::STRIKES;
    settings.limits.ban = Millis::new(limits::BAN_MS);
    let clock = Arc::new(Hurried::default());
    let held = Arc::clone(&clock);
    let server = Server::bind(settings, quiet(), held).await.unwrap().start();
    Box::new(BinanceBench { server, clock, instruments })
}

fn house() -> AccountSettings {
    let keys = vec![
        KeySettings::new(HMAC, KeySecret::Hmac(SECRET.to_owned())),
        KeySettings::new(ED25519, KeySecret::Ed25519(ED25519_PUBLIC.to_owned())),
        KeySettings::new(RSA, KeySecret::Rsa(RSA_PUBLIC.to_owned())),
    ];
    let balances = [("BTC", "10"), ("ETH", "10"), ("USDT", "100000")].map(|(name, free)| Balance {
        asset: Asset::parse(name).unwrap(),
        free: Amount::parse(free).unwrap(),
        locked: Amount::ZERO,
    });
    AccountSettings::new("house", keys, balances.to_vec())
}

fn btc() -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("9000"), step: qty("0.001") },
        Filter::MarketLotSize { min: qty("0.001"), max: qty("5"), step: qty("0.001") },
        Filter::PercentPriceBySide {
            bid_up: price("2"),
            bid_down: price("0.5"),
            ask_up: price("3"),
            ask_down: price("0.4"),
        },
        Filter::Notional {
            min: Quote::parse("60").unwrap(),
            min_market: true,
            max: Quote::parse("400000").unwrap(),
            max_market: false,
        },
        Filter::MaxNumOrders { limit: 4 },
        Filter::ExchangeMaxNumOrders { limit: 6 },
    ];
    Instrument::new(InstrumentId::new(0), Symbol::parse("BTC/USDT").unwrap(), filters)
}

fn eth() -> Instrument {
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("9000"), step: qty("0.001") },
        Filter::PercentPrice { up: price("2"), down: price("0.5") },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
        Filter::MaxPosition { max: qty("30") },
        Filter::ExchangeMaxNumOrders { limit: 6 },
    ];
    Instrument::new(InstrumentId::new(1), Symbol::parse("ETH/USDT").unwrap(), filters)
}

fn credentials(key: &str, secret: &str) -> Credentials {
    Credentials {
        name: key.to_owned(),
        key: ApiKey::new(key).unwrap(),
        secret: ApiSecret::new(secret.to_owned()).unwrap(),
    }
}

impl BinanceBench {
    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.server.control(method, path, &body);
        assert_eq!(status, 200, "{method} {path} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn symbol(&self, id: InstrumentId) -> String {
        self.text(self.instruments.iter().find(|it| it.id == id).unwrap())
    }
}

impl Bench for BinanceBench {
    fn connect(&self, wiring: Wiring) -> Arc<dyn Venue> {
        let here = self.server.exchange_address();
        let (http, socket) = match wiring.place {
            Place::Right => (format!("http://{here}"), format!("ws://{here}")),
            Place::Wrong { http, socket } => (http, socket),
        };
        let mut settings = LIVE.settings().unwrap();
        settings.rest = Address::http(&http, true).unwrap();
        settings.market_socket = Address::socket(&socket, true).unwrap();
        settings.api_socket = Address::socket(&format!("{socket}/ws-api/v3"), true).unwrap();
        settings.http = HttpLimits { total: wiring.patience, ..HttpLimits::default() };
        settings.relay = RelayLimits {
            socket: SocketLimits { connect: wiring.patience, ..SocketLimits::default() },
            overlap: std::time::Duration::from_millis(150),
            ..RelayLimits::default()
        };
        settings.backoff = BackoffLimits {
            first: std::time::Duration::from_millis(20),
            most: std::time::Duration::from_millis(100),
        };
        Arc::new(Binance::start(settings, wiring.catalog, wiring.host).unwrap())
    }

    fn instruments(&self) -> Vec<Instrument> {
        self.instruments.clone()
    }

    fn text(&self, instrument: &Instrument) -> String {
        format!("{}{}", instrument.symbol.base, instrument.symbol.quote)
    }

    fn keys(&self) -> Vec<Credentials> {
        let keys = [(HMAC, SECRET), (ED25519, ED25519_PRIVATE), (RSA, RSA_PRIVATE)];
        keys.map(|(key, secret)| credentials(key, secret)).into()
    }

    fn unknown_key(&self) -> Credentials {
        credentials("nobody", SECRET)
    }

    fn wrong_secret(&self) -> Credentials {
        credentials(HMAC, "a secret of somebody else")
    }

    fn set_rights(&self, may_trade: bool, may_withdraw: bool) {
        let rights = json!({"key": HMAC, "trade": may_trade, "withdraw": may_withdraw});
        self.control("POST", "/rights", &rights);
    }

    fn trade(&self, instrument: InstrumentId, price: Price, qty: Qty) {
        self.server.market().push(instrument, price, qty);
    }

    fn set_status(&self, instrument: InstrumentId, status: TradingStatus) {
        let symbol = self.symbol(instrument);
        self.control("POST", "/status", &json!({"symbol": symbol, "status": status}));
    }

    fn cut(&self, which: Stream) -> u64 {
        let which = match which {
            Stream::Market => "market",
            Stream::Private => "api",
        };
        self.control("POST", "/cut", &json!({"which": which}))["cut"].as_u64().unwrap()
    }

    fn end_private(&self) {
        self.control("POST", "/expire", &json!({"account": "house"}));
    }

    fn inject(&self, on: On, fault: Fault, times: u32) {
        let path = match on {
            On::Place => "POST /api/v3/order",
            On::Cancel => "DELETE /api/v3/order",
            On::Query => "GET /api/v3/order",
            On::OpenOrders => "GET /api/v3/openOrders",
            On::Trades => "GET /api/v3/myTrades",
            On::Balances => "GET /api/v3/account",
            On::OrderEvent => "executionReport",
        };
        self.control("POST", "/fault", &json!({"fault": fault, "path": path, "count": times}));
    }

    fn skew(&self, ms: i64) {
        self.control("POST", "/skew", &json!({"ms": ms}));
    }

    fn pass(&self, ms: u32) {
        self.clock.passed_ms.fetch_add(ms.into(), Ordering::SeqCst);
    }

    fn ban(&self, seconds: u32) {
        let banned = self.control("POST", "/ban", &json!({"seconds": seconds}));
        assert_eq!(banned["banned"], 1);
    }

    fn books(&self) -> Books {
        let books = self.control("GET", "/books", &Value::Null);
        assert_eq!(books["audit_error"], Value::Null);
        let account = &books["accounts"][0];
        let rows = |name: &str| account[name].as_array().unwrap().clone();
        let client_id = |row: &Value| ClientOrderId::parse(row["client_order_id"].as_str()?);
        let fill = |row: &Value| Booked {
            instrument: self
                .instruments
                .iter()
                .find(|it| row["symbol"] == self.text(it))
                .unwrap()
                .id,
            trade_id: TradeId::new(row["trade_id"].as_u64().unwrap().into()),
            client_id: client_id(row),
            price: price(row["price"].as_str().unwrap()),
            qty: qty(row["qty"].as_str().unwrap()),
        };
        let mut balances: Vec<Balance> =
            serde_json::from_value(account["balances"].clone()).unwrap();
        balances.sort_by_key(|balance| balance.asset.to_string());
        let open = rows("open_orders").iter().map(client_id).collect();
        Books { balances, open, fills: rows("fills").iter().map(fill).collect() }
    }
}
