//! How long a server needs from its start after a kill to its first decision, with many paper bots in a
//! SQLite file. Prints one line of JSON: `cargo bench -p tranche-engine --bench start -- 100000`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement"
)]

use std::{path::Path, sync::Arc, time::Instant};

use tranche_engine::{Engine, Owning, Setup, Told, database::DatabaseStore, paper::Paper};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset, FeeRates},
    client_order_id::Origin,
    filter::Filter,
    ids::{AccountId, BotId, Incarnation, Installation, InstrumentId, UserId},
    instrument::{Instrument, Instruments},
    money::{Amount, Fraction, Price, Qty, Quote},
    record::Snapshot,
    time::Timestamp,
};
use tranche_sim::exchange::{Exchange, Settings as ExchangeSettings};
use tranche_simserver::{Server, Settings as ServerSettings, Speed, SystemClock, quiet};
use tranche_store::{Account, Database, Role, Settings, Store, Versions};
use tranche_trading::{
    account::Desk,
    bot::Bot,
    codec,
    dca::{Config, Draft},
    dispatch::limits::Limits,
    event::{self, Timing},
    shard::Options,
};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    catalog::{Catalog, Listed},
    net::clock,
    venue::Venue,
};

const PAIR: InstrumentId = InstrumentId::new(0);
const BOTS_PER_ACCOUNT: u32 = 100;

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse::<u32>().ok());
    let bots = asked.unwrap_or(100_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(bots / BOTS_PER_ACCOUNT));
}

async fn measure(accounts: u32) {
    let folder = std::env::temp_dir().join(format!("tranche-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tranche.db");
    fill(&file, accounts).await;

    let settings = ServerSettings { speed: Speed::Stepped, ..server_settings() };
    let server = Server::bind(settings, quiet(), Arc::new(SystemClock)).await.unwrap().start();
    let venue = venue(&server).await;
    let began = Instant::now();
    let store = Arc::new(open(&file).await);
    let paper =
        Paper::new(Exchange::new(instruments(), ExchangeSettings::default()), Arc::clone(&venue));
    let (engine, mut news) = Engine::start(Setup {
        instruments: instruments(),
        shard: Options::default(),
        limits: Limits::default(),
        venue,
        store: Arc::new(DatabaseStore::new(Arc::clone(&store), Settings::LEASE)),
        paper: Some(Arc::clone(&paper)),
    });
    let owning = (1..=accounts).map(|number| Owning {
        account: AccountId::new(number),
        settings: terms(),
        venue: paper.open(AccountId::new(number), (fees(), FeeAsset::Quote), purse()).unwrap(),
        is_held: false,
    });
    engine.own_all(owning.collect()).await.unwrap();
    let loaded = loop {
        let loaded = engine.look(|shard, _| shard.accounts().count()).await.unwrap();
        if loaded == usize::try_from(accounts).unwrap() {
            break began.elapsed();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let market = server.market();
    let decided = loop {
        market.push(PAIR, Price::parse("100").unwrap(), Qty::parse("1").unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let mut told = std::iter::from_fn(|| news.try_recv().ok());
        if told.any(|told| matches!(told, Told::Why { .. })) {
            break began.elapsed();
        }
    };
    println!(
        "{{\"bots\": {}, \"accounts\": {accounts}, \"loaded_ms\": {}, \"first_decision_ms\": {}}}",
        accounts * BOTS_PER_ACCOUNT,
        loaded.as_millis(),
        decided.as_millis()
    );
    engine.stop().await.unwrap();
    store.close().await;
    server.stop().await;
    drop(std::fs::remove_dir_all(folder));
}

/// Accounts whose bots wait for their first price.
async fn fill(file: &Path, accounts: u32) {
    let store = open(file).await;
    let config = Config::try_from(draft()).unwrap();
    for number in 1..=accounts {
        let account = AccountId::new(number);
        let first = (number - 1) * BOTS_PER_ACCOUNT;
        let bots = (1..=BOTS_PER_ACCOUNT).map(|bot| {
            let id = BotId::new(first + bot);
            let bot = Bot::new(id, config.clone(), &instruments()).unwrap();
            (id, codec::encode_bot(&bot).unwrap())
        });
        let desk = codec::encode_desk(&Desk::new(account, terms())).unwrap();
        let snapshot = Snapshot { account: desk, bots: bots.collect() };
        let row = Account {
            account,
            user: None,
            venue: "binance".to_owned(),
            name: format!("paper-{number}"),
            is_paper: true,
            credential: None,
            created_at: Timestamp::from_ms(0),
        };
        assert!(store.add_account(&row, &snapshot).await.unwrap());
    }
    store.close().await;
}

async fn open(file: &Path) -> Store {
    let settings = Settings {
        database: Database::Sqlite(file.to_owned()),
        role: Role::Engine,
        owner: "the measurement".to_owned(),
        versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
        lease: Settings::LEASE,
        now: Timestamp::from_ms(0),
    };
    Store::open(settings).await.unwrap()
}

fn server_settings() -> ServerSettings {
    ServerSettings::new(vec![instrument()], Vec::new())
}

async fn venue(server: &tranche_simserver::Running) -> Arc<dyn Venue> {
    let address = server.exchange_address();
    let mut settings = LIVE.settings().unwrap();
    settings.rest = Address::http(&format!("http://{address}"), false).unwrap();
    settings.market_socket = Address::socket(&format!("ws://{address}"), false).unwrap();
    settings.api_socket = Address::socket(&format!("ws://{address}/ws-api/v3"), false).unwrap();
    let listed = Listed { text: "AAAUSDT".to_owned(), instrument: instrument() };
    let catalog = Arc::new(Catalog::new([listed]));
    let venue = Binance::start(settings, catalog, Arc::new(clock::SystemClock::new())).unwrap();
    venue.sync_clock().await.unwrap();
    Arc::new(venue)
}

fn terms() -> event::Settings {
    event::Settings {
        user: UserId::new(1),
        origin: Origin { installation: Installation::new(3), incarnation: Incarnation::new(1) },
        fees: fees(),
        fee_asset: FeeAsset::Quote,
        timing: Timing::default(),
    }
}

fn fees() -> FeeRates {
    let rate = Fraction::parse("0.001").unwrap();
    FeeRates { maker: rate, taker: rate }
}

fn purse() -> Vec<Balance> {
    let asset = Asset::parse("USDT").unwrap();
    vec![Balance { asset, free: Amount::new(1_000_000.into()), locked: Amount::ZERO }]
}

fn instruments() -> Instruments {
    Instruments::new(vec![instrument()]).unwrap()
}

fn instrument() -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("100000"), step: qty("0.001") },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(PAIR, Symbol::parse("AAA/USDT").unwrap(), filters)
}

fn draft() -> Draft {
    toml::from_str(
        r#"
        name = "waits"
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
