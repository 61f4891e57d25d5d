//! An exchange, a client, an engine and a store, and short words for what a test does to them.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc::Receiver;
use tranche_engine::{
    Engine, Handle, Setup, Told,
    store::{MemoryStore, Store},
};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset},
    client_order_id::Origin,
    filter::Filter,
    ids::{AccountId, BotId, CommandId, Incarnation, Installation, InstrumentId, UserId},
    instrument::{Instrument, Instruments},
    money::{Amount, Price, Qty, Quote},
    time::Timestamp,
};
use tranche_sim::audit::{Auditor, Books};
use tranche_simserver::{
    AccountSettings, KeySecret, KeySettings, Running, Server, Settings, Speed, SystemClock, quiet,
};
use tranche_trading::{
    account::{Account, AccountState},
    dca::{Config, Draft},
    dispatch::limits::Limits,
    event::{self, Command, CommandBody, Timing},
    shard::Options,
};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    catalog::{Catalog, Listed},
    net::clock,
    secret::{ApiKey, ApiSecret, Credentials},
    venue::Venue,
};

pub(crate) const PAIR: InstrumentId = InstrumentId::new(0);
pub(crate) const OURS: AccountId = AccountId::new(1);
pub(crate) const BOT: BotId = BotId::new(7);
const SECRET: &str = "a secret of the test";

pub(crate) struct Scene {
    pub(crate) server: Running,
    pub(crate) engine: Handle,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) instruments: Instruments,
    pub(crate) auditor: Auditor,
    news: Receiver<Told>,
    last_command: u128,
}

impl Scene {
    pub(crate) async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_store(change, |memory| memory).await
    }

    /// With a store that may fail in front of the one in memory.
    pub(crate) async fn with_store<S: Store + 'static>(
        change: impl FnOnce(&mut Settings),
        front: impl FnOnce(Arc<MemoryStore>) -> Arc<S>,
    ) -> Self {
        let server = server(change).await;
        let store = memory();
        let front = front(Arc::clone(&store));
        let mut scene = Self::begin(server, store, front, &Detour::default()).await;
        scene.ready().await;
        scene
    }

    /// Without waiting for anything; some of the exchange's addresses may lead elsewhere.
    pub(crate) async fn unready(change: impl FnOnce(&mut Settings), detour: &Detour) -> Self {
        Self::over(server(change).await, memory(), detour).await
    }

    /// An engine that takes over what a store holds.
    pub(crate) async fn over(server: Running, store: Arc<MemoryStore>, detour: &Detour) -> Self {
        let front = Arc::clone(&store);
        Self::begin(server, store, front, detour).await
    }

    async fn begin(
        server: Running,
        store: Arc<MemoryStore>,
        front: Arc<dyn Store>,
        detour: &Detour,
    ) -> Self {
        let instruments = listed_by(&server);
        let (engine, news) = start(&server, front, detour).await;
        Self { server, engine, store, instruments, auditor: Auditor::new(), news, last_command: 0 }
    }

    pub(crate) async fn ready(&mut self) {
        self.until("the account is ready", |account| account.desk.state == AccountState::Ready)
            .await;
    }

    /// Another life on the same store.
    pub(crate) async fn start_anew(&mut self) {
        (self.engine, self.news) =
            start(&self.server, Arc::<MemoryStore>::clone(&self.store), &Detour::default()).await;
    }

    pub(crate) async fn command(&mut self, body: CommandBody) -> Result<(), String> {
        self.last_command += 1;
        let command = Command { id: CommandId::new(self.last_command), body };
        self.engine.command(OURS, command).await.unwrap()
    }

    pub(crate) async fn create(&mut self, draft: Draft) {
        let config = Box::new(Config::try_from(draft).unwrap());
        self.command(CommandBody::CreateBot { bot: BOT, config }).await.unwrap();
    }

    pub(crate) fn price(&self, price: &str) {
        trade(&self.server, PAIR, price);
    }

    /// Asks the exchange's control address for something.
    pub(crate) fn control(&self, path: &str, body: &str) {
        let (status, said) = self.server.control("POST", path, body);
        assert_eq!(status, 200, "{said}");
    }

    /// Waits until something holds of the account; prices go on meanwhile.
    pub(crate) async fn until(&mut self, what: &str, holds: fn(&Account) -> bool) {
        self.until_at(None, what, holds).await;
    }

    pub(crate) async fn until_at(
        &mut self,
        price: Option<&str>,
        what: &str,
        holds: fn(&Account) -> bool,
    ) {
        for _ in 0..900 {
            if let Some(price) = price {
                self.price(price);
            }
            let is_so = self.engine.look(move |shard, _| shard.account(OURS).is_some_and(holds));
            if is_so.await.unwrap() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let account = self.engine.look(|shard, _| shard.account(OURS).cloned()).await.unwrap();
        panic!("in 90 s it never was so that {what}: {account:#?}");
    }

    /// Waits until nothing is under way, and compares both sides' books.
    pub(crate) async fn audit(&mut self) {
        let mut found = Vec::new();
        let mut busy = None;
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            while let Ok(told) = self.news.try_recv() {
                self.auditor.observe(&told);
            }
            let (running, accounts) = self
                .engine
                .look(|shard, running| (*running, shard.accounts().cloned().collect::<Vec<_>>()))
                .await
                .unwrap();
            busy = Some(running).filter(|running| !running.is_quiet());
            if busy.is_some() {
                continue;
            }
            let Self { server, store, auditor, instruments, .. } = self;
            found = store.look(|memory| {
                server.look(|exchange| {
                    let books = Books { exchange, memory, instruments, now: Timestamp::from_ms(0) };
                    auditor.check(books, &accounts)
                })
            });
            if found.is_empty() {
                return;
            }
        }
        panic!("the books differ, or it is never quiet: {found:?}, {busy:?}");
    }

    pub(crate) fn deals(&self) -> Vec<String> {
        self.store.look(|memory| {
            let stored = memory.stored(OURS).unwrap();
            stored.deals.iter().map(|row| row.ended.clone()).collect()
        })
    }

    /// Ends the engine and leaves the exchange and the store.
    pub(crate) async fn halt(self) -> (Running, Arc<MemoryStore>) {
        self.engine.stop().await.unwrap();
        (self.server, self.store)
    }

    pub(crate) async fn stop(self) {
        self.engine.stop().await.unwrap();
        self.server.stop().await;
    }
}

/// Addresses in the place of the exchange's own.
#[derive(Default)]
pub(crate) struct Detour {
    pub(crate) all: Option<(String, String)>,
    pub(crate) market: Option<String>,
}

/// A store that knows the account, and nothing of it.
pub(crate) fn memory() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    store.add_account(OURS);
    store
}

/// The market trades.
pub(crate) fn trade(server: &Running, instrument: InstrumentId, price: &str) {
    server.market().push(instrument, Price::parse(price).unwrap(), Qty::parse("1").unwrap());
}

/// What the exchange trades, as it stands now.
fn listed_by(server: &Running) -> Instruments {
    server.look(|exchange| exchange.instruments().clone())
}

/// An exchange with one account.
pub(crate) async fn server(change: impl FnOnce(&mut Settings)) -> Running {
    server_at(change, Arc::new(SystemClock)).await
}

/// The same, with a clock of its own.
pub(crate) async fn server_at(
    change: impl FnOnce(&mut Settings),
    clock: Arc<dyn tranche_simserver::Clock>,
) -> Running {
    let key = KeySettings::new("key", KeySecret::Hmac(SECRET.to_owned()));
    let account = AccountSettings::new("ours", vec![key], vec![purse("USDT", 10_000)]);
    let mut settings = Settings::new(vec![instrument()], vec![account]);
    settings.speed = Speed::Stepped;
    change(&mut settings);
    Server::bind(settings, quiet(), clock).await.unwrap().start()
}

/// An engine that owns the account.
async fn start(
    server: &Running,
    store: Arc<dyn Store>,
    detour: &Detour,
) -> (Handle, Receiver<Told>) {
    let instruments = listed_by(server);
    let listed = instruments.iter().cloned().map(listed_as);
    let venue = venue_by(server, Arc::new(Catalog::new(listed)), detour).await;
    let (engine, news) = Engine::start(Setup {
        instruments,
        shard: Options::default(),
        limits: Limits::default(),
        venue: Arc::clone(&venue),
        store,
        paper: None,
    });
    let credentials = Credentials {
        name: "test".to_owned(),
        key: ApiKey::new("key").unwrap(),
        secret: ApiSecret::new(SECRET.to_owned()).unwrap(),
    };
    let installation = Installation::new(3);
    let account = venue.account(credentials, installation).unwrap();
    engine.own(OURS, terms(installation), account).await.unwrap();
    (engine, news)
}

pub(crate) async fn venue(server: &Running, catalog: Arc<Catalog>) -> Arc<dyn Venue> {
    venue_by(server, catalog, &Detour::default()).await
}

async fn venue_by(server: &Running, catalog: Arc<Catalog>, detour: &Detour) -> Arc<dyn Venue> {
    let address = server.exchange_address();
    let mut settings = LIVE.settings().unwrap();
    let own = (format!("http://{address}"), format!("ws://{address}"));
    let (rest, socket) = detour.all.as_ref().unwrap_or(&own);
    let market = detour.market.as_ref().unwrap_or(socket);
    settings.rest = Address::http(rest, false).unwrap();
    settings.market_socket = Address::socket(market, false).unwrap();
    settings.api_socket = Address::socket(&format!("{socket}/ws-api/v3"), false).unwrap();
    let venue = Binance::start(settings, catalog, Arc::new(clock::SystemClock::new())).unwrap();
    if detour.all.is_none() {
        venue.sync_clock().await.unwrap();
    }
    Arc::new(venue)
}

pub(crate) fn listed() -> Listed {
    listed_as(instrument())
}

/// By the name that the exchange uses.
pub(crate) fn listed_as(instrument: Instrument) -> Listed {
    let text = format!("{}{}", instrument.symbol.base, instrument.symbol.quote);
    Listed { text, instrument }
}

pub(crate) fn terms(installation: Installation) -> event::Settings {
    let rate = tranche_model::money::Fraction::new(rust_decimal::Decimal::new(1, 3));
    event::Settings {
        user: UserId::new(1),
        origin: Origin { installation, incarnation: Incarnation::new(1) },
        fees: tranche_model::balance::FeeRates { maker: rate, taker: rate },
        fee_asset: FeeAsset::Received,
        timing: Timing::default(),
    }
}

pub(crate) fn purse(name: &str, units: i64) -> Balance {
    Balance {
        asset: Asset::parse(name).unwrap(),
        free: Amount::new(units.into()),
        locked: Amount::ZERO,
    }
}

pub(crate) fn instrument() -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("100000"), step: qty("0.001") },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(PAIR, Symbol::parse("AAA/USDT").unwrap(), filters)
}

pub(crate) fn draft() -> Draft {
    toml::from_str(
        r#"
        name = "wire"
        pairs = ["AAA/USDT"]
        base_order_volume = "100"
        safety_order_volume = "100"
        safety_order_step_pct = "1"
        max_safety_orders = 2
        active_safety_orders_count = 2
        take_profit_pct = "2"
        "#,
    )
    .unwrap()
}
