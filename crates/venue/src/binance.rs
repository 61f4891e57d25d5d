//! Binance spot: the live exchange, its test network and its demo mode.

mod account;
mod events;
mod filters;
mod frames;
mod history;
pub mod offline;
mod owners;
mod parse;
#[doc(hidden)]
pub mod probe;
mod refusal;
mod rest;
mod sign;
mod stream;
mod user_stream;
mod wire;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tranche_model::{
    candle::Candle,
    ids::{Installation, InstrumentId},
    money::Price,
    time::{Millis, Timestamp},
};

use crate::{
    address::{Address, AddressError},
    catalog::Catalog,
    net::{
        clock::Clock,
        http::{BodySize, Http, HttpLimits},
        reconnect::{Backoff, BackoffLimits, Dice},
        relay::{Relay, RelayLimits},
        socket::SocketFault,
        tasks::{Task, spawn},
        tls,
    },
    secret::Credentials,
    venue::{
        Aside, BadKey, CandleRange, Interval, Later, Listings, Market, MarketControl, ReadError,
        Venue, VenueAccount, Watched,
    },
};
use account::BinanceAccount;
use owners::Owners;
use rest::{Ask, Pen, Rest};
use sign::{Params, Signer};
use stream::{EVENTS_MAX, Feed, STREAMS_MAX};
use user_stream::{Hub, Users};

/// Rows of one answer.
const CANDLES_PAGE: usize = 1000;
const CANDLE_PAGES_MAX: usize = 20;
/// Without a word on how long ("IP Limits").
const BAN_DEFAULT: Duration = Duration::from_mins(2);

/// Where and how the exchange is spoken to. Every address can be replaced; none is derived from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub name: &'static str,
    pub rest: Address,
    pub market_socket: Address,
    pub api_socket: Address,
    /// Whether `/sapi/v1/account/apiRestrictions` is there: on the live exchange only.
    pub has_key_restrictions: bool,
    pub http: HttpLimits,
    pub relay: RelayLimits,
    pub backoff: BackoffLimits,
    pub clock_every: Duration,
    /// Seeds the jitter of reconnects.
    pub seed: u64,
}

/// Why the exchange cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("TLS cannot be set up")]
    Tls,
    #[error("no client for requests")]
    Http,
}

/// The addresses of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    pub name: &'static str,
    pub rest: &'static str,
    pub market_socket: &'static str,
    pub api_socket: &'static str,
    pub has_key_restrictions: bool,
}

pub const LIVE: Environment = Environment {
    name: "binance",
    rest: "https://api.binance.com",
    market_socket: "wss://stream.binance.com:9443",
    api_socket: "wss://ws-api.binance.com:443/ws-api/v3",
    has_key_restrictions: true,
};

/// Own prices; wiped every month without notice.
pub const TESTNET: Environment = Environment {
    name: "binance-testnet",
    rest: "https://testnet.binance.vision",
    market_socket: "wss://stream.testnet.binance.vision",
    api_socket: "wss://ws-api.testnet.binance.vision/ws-api/v3",
    has_key_restrictions: false,
};

/// Prices that resemble the live ones.
pub const DEMO: Environment = Environment {
    name: "binance-demo",
    rest: "https://demo-api.binance.com",
    market_socket: "wss://demo-stream.binance.com",
    api_socket: "wss://demo-ws-api.binance.com/ws-api/v3",
    has_key_restrictions: false,
};

/// What all parts share.
#[derive(Debug)]
struct Shared {
    rest: Rest,
    catalog: Arc<Catalog>,
    settings: Settings,
    tls: Arc<rustls::ClientConfig>,
    users: Users,
    /// Draws a seed for each connection.
    dice: Mutex<Dice>,
}

/// The exchange. Its tasks end when it is dropped.
#[derive(Debug)]
pub struct Binance {
    shared: Arc<Shared>,
    tasks: Vec<Task>,
    feeds: Mutex<Vec<Task>>,
}

impl Environment {
    /// The settings of this environment, with everything else at its default.
    pub fn settings(&self) -> Result<Settings, AddressError> {
        Ok(Settings {
            name: self.name,
            rest: Address::http(self.rest, false)?,
            market_socket: Address::socket(self.market_socket, false)?,
            api_socket: Address::socket(self.api_socket, false)?,
            has_key_restrictions: self.has_key_restrictions,
            http: HttpLimits::default(),
            relay: RelayLimits::default(),
            backoff: BackoffLimits::default(),
            clock_every: Duration::from_mins(15),
            seed: 0,
        })
    }
}

impl Binance {
    /// Starts its tasks in the present runtime; the first thing done is to measure the clock.
    pub fn start(
        settings: Settings,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let http = Http::new(settings.http).map_err(|_| SetupError::Http)?;
        let tls = Arc::new(tls::client_config().map_err(|_| SetupError::Tls)?);
        let (users, joining) = Users::new();
        let rest = Rest::new(settings.name, settings.rest.to_string(), http, clock);
        let dice = Mutex::new(Dice::new(settings.seed));
        let shared = Arc::new(Shared { rest, catalog, settings, tls, users, dice });
        let keeper = Arc::clone(&shared);
        let every = shared.settings.clock_every;
        let keep_clock = async move {
            loop {
                keeper.rest.keep_clock(every).await;
            }
        };
        // Many accounts take a while to subscribe on a fresh line.
        let mut limits = shared.settings.relay;
        limits.ready_within = limits.ready_within.saturating_mul(10);
        let relay = shared.relay(shared.settings.api_socket.to_string(), limits);
        let hub = Hub::new(Arc::clone(&shared), relay, joining);
        let tasks =
            vec![spawn("binance clock", keep_clock), spawn("binance private streams", hub.run())];
        Ok(Self { shared, tasks, feeds: Mutex::new(Vec::new()) })
    }

    /// The first task of its own that has ended, which none should.
    pub fn dead_task(&self) -> Option<&'static str> {
        self.tasks.iter().find(|task| task.is_finished()).map(Task::name)
    }
}

impl Shared {
    /// A socket was refused: a ban concerns every request of the address.
    fn note_denied(&self, fault: SocketFault) {
        if let SocketFault::Denied { status: 418, retry_after } = fault {
            let wait = retry_after.unwrap_or(BAN_DEFAULT).as_millis();
            let wait = Millis::new(u32::try_from(wait).unwrap_or(u32::MAX));
            self.rest.note_aside(0, Some(self.rest.now().plus(wait)));
        }
    }

    fn relay(&self, address: String, limits: RelayLimits) -> Relay {
        let seed = self.dice.lock().unwrap_or_else(std::sync::PoisonError::into_inner).draw();
        let backoff = Backoff::new(self.settings.backoff, Dice::new(seed));
        Relay::new(address, Arc::clone(&self.tls), limits, backoff)
    }

    /// The last prices of all pairs weigh as much as those of two, and no pair that is gone spoils them.
    async fn prices(
        &self,
        instruments: &BTreeSet<InstrumentId>,
    ) -> Result<Vec<(InstrumentId, Price)>, ReadError> {
        let ask = Ask::get("/api/v3/ticker/price", Params::default());
        let body = self.rest.read(ask, BodySize::Usual).await?;
        let rows: Vec<wire::LastPrice<'_>> =
            serde_json::from_slice(&body).map_err(|_| self.rest.unreadable(&body, "prices"))?;
        let known = rows.iter().filter_map(|row| {
            let id = self.catalog.find(&row.symbol)?.id();
            let price = Price::parse(row.price).ok().filter(|price| price.is_positive())?;
            instruments.contains(&id).then_some((id, price))
        });
        Ok(known.collect())
    }

    async fn candles(&self, range: CandleRange) -> Result<Vec<Candle>, ReadError> {
        let listed = self.catalog.get(range.instrument);
        let listed = listed.ok_or(ReadError::NoInstrument(range.instrument))?;
        let mut candles: Vec<Candle> = Vec::new();
        let mut from = range.from.ms().max(0);
        for _ in 0..CANDLE_PAGES_MAX {
            if range.to.ms() <= from {
                break;
            }
            let params = Params::default()
                .with("symbol", &listed.text)
                .with("interval", interval_name(range.interval))
                .with("startTime", &from.to_string())
                .with("endTime", &range.to.ms().saturating_sub(1).to_string())
                .with("limit", &CANDLES_PAGE.to_string());
            let body = self.rest.read(Ask::get("/api/v3/klines", params), BodySize::Usual).await?;
            let rows: Vec<wire::Kline<'_>> = serde_json::from_slice(&body)
                .map_err(|_| self.rest.unreadable(&body, "candles"))?;
            let now = self.rest.now();
            for row in &rows {
                let (candle, close) = parse::kline(row)
                    .map_err(|error| self.rest.unreadable(&body, &error.to_string()))?;
                // The last one may still run.
                if close < now {
                    candles.push(candle);
                }
                from = from.max(candle.open_at.ms().saturating_add(1));
            }
            // An exact page may be all there is.
            let last = Timestamp::from_ms(from.saturating_sub(1));
            if rows.len() < CANDLES_PAGE || range.to <= last.plus(range.interval.length()) {
                break;
            }
        }
        Ok(candles)
    }
}

impl Venue for Binance {
    fn name(&self) -> &'static str {
        self.shared.settings.name
    }

    fn now(&self) -> Timestamp {
        self.shared.rest.now()
    }

    fn clock_offset_ms(&self) -> Option<i64> {
        self.shared.rest.offset_ms()
    }

    fn server_time(&self) -> Later<'_, Result<Timestamp, ReadError>> {
        Box::pin(self.shared.rest.server_time())
    }

    fn sync_clock(&self) -> Later<'_, Result<(), ReadError>> {
        Box::pin(self.shared.rest.sync_clock())
    }

    fn listings(&self) -> Later<'_, Result<Listings, ReadError>> {
        Box::pin(async move {
            let params = Params::default().with("showPermissionSets", "false");
            let ask = Ask::get("/api/v3/exchangeInfo", params);
            let body = self.shared.rest.read(ask, BodySize::Large).await?;
            filters::listings(&body).map_err(|_| self.shared.rest.unreadable(&body, "listings"))
        })
    }

    fn market(&self) -> Market {
        let (watched, wished) = watch::channel(Watched::new());
        let (out, events) = mpsc::channel(EVENTS_MAX);
        let address = format!("{}/stream", self.shared.settings.market_socket);
        let relay = self.shared.relay(address, self.shared.settings.relay);
        let feed = Feed::new(Arc::clone(&self.shared), relay, wished, out);
        let mut feeds = self.feeds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        feeds.retain(|task| !task.is_finished());
        feeds.push(spawn("binance market stream", feed.run()));
        Market { events, control: MarketControl { watched, most: STREAMS_MAX } }
    }

    fn candles(&self, range: CandleRange) -> Later<'_, Result<Vec<Candle>, ReadError>> {
        Box::pin(self.shared.candles(range))
    }

    fn candles_max(&self) -> usize {
        CANDLES_PAGE * CANDLE_PAGES_MAX
    }

    fn prices(
        &self,
        instruments: BTreeSet<InstrumentId>,
    ) -> Later<'_, Result<Vec<(InstrumentId, Price)>, ReadError>> {
        Box::pin(async move { self.shared.prices(&instruments).await })
    }

    fn aside(&self) -> Aside {
        self.shared.rest.take_aside()
    }

    fn account(
        &self,
        credentials: Credentials,
        installation: Installation,
    ) -> Result<Box<dyn VenueAccount>, BadKey> {
        let signer = Signer::new(&credentials.secret)?;
        let pen = Arc::new(Pen { key: credentials.key, signer });
        let owners = Arc::new(Mutex::new(Owners::default()));
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(BinanceAccount { shared, pen, installation, owners }))
    }
}

const fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::Minute1 => "1m",
        Interval::Minute3 => "3m",
        Interval::Minute5 => "5m",
        Interval::Minute15 => "15m",
        Interval::Minute30 => "30m",
        Interval::Hour1 => "1h",
        Interval::Hour2 => "2h",
        Interval::Hour4 => "4h",
        Interval::Hour6 => "6h",
        Interval::Hour8 => "8h",
        Interval::Hour12 => "12h",
        Interval::Day1 => "1d",
    }
}

#[cfg(test)]
mod fuzz;
