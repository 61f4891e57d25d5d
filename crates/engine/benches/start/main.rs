//! How long a server needs from its start after a kill to its first decision, with many paper bots in a
//! SQLite file. Half of them have an open deal, whose orders the paper exchange has to get back.
//!
//! Prints figures as they come; `--json FILE` writes all of them for the table. A number says how many
//! bots there are.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a measurement: its input is its own, and it looks at the clock"
)]

mod fill;

#[path = "../../../lab/benches/scene/figures.rs"]
mod figures;
#[path = "../../../lab/benches/scene/world.rs"]
mod world;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tranche_engine::{Engine, Owning, Setup, Told, database::DatabaseStore, paper::Paper};
use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset},
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Amount, Price, Qty},
    time::Timestamp,
};
use tranche_sim::exchange::{Exchange, Settings as ExchangeSettings};
use tranche_simserver::{Running, Server, Settings as ServerSettings, Speed, SystemClock, quiet};
use tranche_store::{Database, Role, Settings, Store, Versions};
use tranche_trading::{codec, dispatch::limits::Limits, shard::Options};
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    catalog::{Catalog, Listed},
    net::clock,
    venue::Venue,
};

use figures::{Figures, nanos};

const PAIR: InstrumentId = InstrumentId::new(0);
const BOTS: u32 = 100_000;
pub(crate) const BOTS_PER_ACCOUNT: u32 = 100;
/// A price at which nothing happens to the open deals, and at which the others begin theirs.
const PRICE: &str = "100.5";
const LOOK_EVERY: Duration = Duration::from_millis(5);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(file) = argument("--fill") {
        let accounts = std::env::args().nth(3).unwrap().parse().unwrap();
        runtime.block_on(fill::run(Path::new(&file), accounts));
        return;
    }
    let asked = std::env::args().skip(1).find_map(|word| word.parse::<u32>().ok());
    let folder = std::env::temp_dir().join(format!("tranche-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut figures = Figures::default();
    let accounts = asked.unwrap_or(BOTS) / BOTS_PER_ACCOUNT;
    runtime.block_on(measure(&folder.join("tranche.db"), accounts, &mut figures));
    drop(std::fs::remove_dir_all(&folder));
    if let Some(path) = argument("--json") {
        std::fs::write(path, figures.json()).unwrap();
    }
}

async fn measure(file: &Path, accounts: u32, figures: &mut Figures) {
    fill::by_another_process(file, accounts);
    let settings = ServerSettings::new(vec![instrument()], Vec::new());
    let settings = ServerSettings { speed: Speed::Stepped, ..settings };
    let server = Server::bind(settings, quiet(), Arc::new(SystemClock)).await.unwrap().start();
    let venue = venue(&server).await;

    let began = Instant::now();
    let store = Arc::new(open(file).await);
    figures.put("start/opened".to_owned(), nanos(began));
    let exchange = Exchange::new(world::instruments(1), ExchangeSettings::default());
    let paper = Paper::new(exchange, Arc::clone(&venue));
    let (engine, mut news) = Engine::start(Setup {
        instruments: world::instruments(1),
        shard: Options::default(),
        limits: Limits::default(),
        venue,
        store: Arc::new(DatabaseStore::new(Arc::clone(&store), Settings::LEASE)),
        paper: Some(Arc::clone(&paper)),
    });
    let owning = (1..=accounts).map(|number| Owning {
        account: AccountId::new(number),
        settings: world::settings(),
        venue: door(&paper, AccountId::new(number)),
        is_held: false,
        may_withdraw: false,
    });
    engine.own_all(owning.collect()).await.unwrap();
    let all = usize::try_from(accounts).unwrap();
    while engine.look(|shard, _| shard.accounts().count()).await.unwrap() < all {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    figures.put("start/loaded".to_owned(), nanos(began));
    let resting = paper.look(|exchange| {
        let of = |number| exchange.open_orders(AccountId::new(number)).len();
        (1..=accounts).map(of).sum::<usize>()
    });
    figures.put("start/resting".to_owned(), resting as f64);
    let market = server.market();
    loop {
        market.push(PAIR, Price::parse(PRICE).unwrap(), Qty::parse("1").unwrap());
        tokio::time::sleep(LOOK_EVERY).await;
        let mut told = std::iter::from_fn(|| news.try_recv().ok());
        if told.any(|told| matches!(told, Told::Why { .. })) {
            break;
        }
    }
    figures.put("start/decision".to_owned(), nanos(began));
    figures.put("start/bots".to_owned(), f64::from(accounts * BOTS_PER_ACCOUNT));
    engine.stop().await.unwrap();
    store.close().await;
    server.stop().await;
}

/// The account's way to the paper exchange, with a purse that its books replace.
fn door(paper: &Arc<Paper>, account: AccountId) -> Box<dyn tranche_venue::venue::VenueAccount> {
    let asset = Asset::parse("USDT").unwrap();
    let free = Amount::new(1_000_000.into());
    let purse = vec![Balance { asset, free, locked: Amount::ZERO }];
    paper.open(account, (world::settings().fees, FeeAsset::Quote), purse).unwrap()
}

pub(crate) async fn open(file: &Path) -> Store {
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

async fn venue(server: &Running) -> Arc<dyn Venue> {
    let address = server.exchange_address();
    let mut settings = LIVE.settings().unwrap();
    settings.rest = Address::http(&format!("http://{address}"), false).unwrap();
    settings.market_socket = Address::socket(&format!("ws://{address}"), false).unwrap();
    settings.api_socket = Address::socket(&format!("ws://{address}/ws-api/v3"), false).unwrap();
    let listed = Listed { text: "C0USDT".to_owned(), instrument: instrument() };
    let catalog = Arc::new(Catalog::new([listed]));
    let venue = Binance::start(settings, catalog, Arc::new(clock::SystemClock::new())).unwrap();
    venue.sync_clock().await.unwrap();
    Arc::new(venue)
}

fn instrument() -> Instrument {
    let all: Instruments = world::instruments(1);
    all.iter().next().unwrap().clone()
}

/// What follows this word on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
