//! An exchange whose market never rests, a line to it, and processes that trade.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use tokio::{runtime::Runtime, sync::Mutex};
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    client_order_id::ClientOrderId,
    filter::Filter,
    ids::{AccountId, BotId, DealNo, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Amount, Price, Qty, Quote},
    time::Timestamp,
};
use tranche_simserver::{
    AccountSettings, Clock, KeySecret, KeySettings, Market, RateLimits, Running, Server, Settings,
    Speed, SystemClock, quiet,
};
use tranche_store::{
    Database, Role, Settings as StoreSettings, Store, StoreError, Versions,
    scratch::PostgresDatabase,
};
use tranche_trading::codec;

use super::{
    audit, canary,
    dice::Dice,
    process::Process,
    proxy::Proxy,
    tally::{Deed, Tally},
};
use crate::{
    patience::{Patience, Stopwatch},
    place::{Place, Told},
};

/// The first account of the database is the paper one.
pub(crate) const OURS: AccountId = AccountId::new(2);
const PAIRS: u32 = 6;
/// Between two prices of each pair, when there are so many.
const STEP: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// A server whose disk failed.
const BACK_WITHIN: Duration = Duration::from_secs(30);

const BAD_DAY: &str = r#"{"seed": 7, "rule": [
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "drop_after"}},
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "timeout", "executed": true}},
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "error_before", "status": 502}},
    {"path": "DELETE /api/v3/order", "per_mille": 30, "fault": {"kind": "error_after", "status": 504}},
    {"path": "GET /api/v3", "per_mille": 20, "fault": {"kind": "delay", "ms": 300}},
    {"path": "executionReport", "per_mille": 20, "fault": {"kind": "event_drop"}},
    {"path": "executionReport", "per_mille": 50, "fault": {"kind": "event_double"}}
]}"#;
const GOOD_DAY: &str = r#"{"seed": 1, "rule": []}"#;

const BOT: &str = "\
name = \"crash\"
pairs = [\"AAA/USDT\", \"BBB/USDT\", \"CCC/USDT\", \"DDD/USDT\", \"EEE/USDT\", \"FFF/USDT\"]
max_active_deals = 6
base_order_volume = \"100\"
safety_order_volume = \"100\"
safety_order_step_pct = \"0.8\"
max_safety_orders = 3
active_safety_orders_count = 3
take_profit_pct = \"0.6\"
";

/// How a world is made.
pub(crate) struct Setting {
    /// Of its folder.
    pub(crate) name: String,
    /// A file, when there is none.
    pub(crate) database: Option<PostgresDatabase>,
    pub(crate) seed: u64,
    pub(crate) tally: Arc<Tally>,
    pub(crate) accounts: u32,
    pub(crate) pairs: u32,
    /// What the exchange allows, in times of what Binance does.
    pub(crate) leave: u32,
}

impl Setting {
    /// A world of its own on a file, with one account and six pairs.
    pub(crate) fn sqlite(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            database: None,
            seed: 7,
            tally: Arc::default(),
            accounts: 1,
            pairs: PAIRS,
            // Each start reads everything again, within seconds.
            leave: 100,
        }
    }
}

pub(crate) struct World {
    runtime: Runtime,
    pub(super) server: Running,
    pub(super) instruments: Instruments,
    pub(super) place: Place,
    pub(super) database: Option<PostgresDatabase>,
    pub(super) proxy: Proxy,
    pub(super) tally: Arc<Tally>,
    pub(super) past: Past,
    /// Flags of every process.
    pub(super) flags: String,
    clock: Arc<Hands>,
    market: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    is_still: Arc<AtomicBool>,
    processes: u32,
    accounts: u32,
}

/// What the database forgot when an older copy took its place.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) committed: BTreeSet<ClientOrderId>,
    /// Deals that it does not know.
    pub(super) deals: BTreeSet<(BotId, DealNo)>,
}

/// A clock that can be put forward.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(SystemClock.now().ms() + self.0.load(Ordering::SeqCst))
    }
}

impl World {
    pub(crate) fn new(setting: Setting) -> Self {
        let Setting { name, database, seed, tally, accounts, pairs, leave } = setting;
        let runtime = Runtime::new().unwrap();
        let instruments: Vec<Instrument> = (0..pairs).map(instrument).collect();
        let clock = Arc::<Hands>::default();
        let told: Arc<dyn Clock> = Arc::<Hands>::clone(&clock);
        let server = Server::bind(server_settings(&instruments, accounts, leave), quiet(), told);
        let server = runtime.block_on(async { server.await.unwrap().start() });
        let (is_over, is_still) = (Arc::default(), Arc::default());
        let gate = Arc::<Mutex<()>>::default();
        let market = walk((server.market(), seed, pairs), &gate, &is_over, &is_still);
        let line = (server.exchange_address(), gate);
        let proxy = Proxy::start(runtime.handle(), line, (seed, Arc::clone(&tally.struck)));
        let place = Place::new(&name);
        place.write("bot.toml", BOT);
        tally.add(Deed::Worlds);
        Self {
            runtime,
            server,
            instruments: Instruments::new(instruments).unwrap(),
            place,
            database,
            proxy,
            tally,
            past: Past::default(),
            flags: String::new(),
            clock,
            market: Some(market),
            is_over,
            is_still,
            processes: 0,
            accounts,
        }
    }

    /// The program with its secrets.
    fn command(&self, line: &str) -> Command {
        let mut command = self.place.command(line);
        command.env("TRANCHE_MASTER_KEY", canary::master_key());
        if let Some(database) = &self.database {
            let password = format!("tranche:{}@", canary::PASSWORD);
            command.env("TRANCHE_DATABASE", database.url().replace("tranche@", &password));
        }
        command
    }

    fn serve_command(&self) -> Command {
        let (rest, flags) = (self.proxy.address(), &self.flags);
        self.command(&format!(
            "serve --log info {flags} --health 127.0.0.1:0 --rest http://{rest} \
             --market-socket ws://{rest} --api-socket ws://{rest}/ws-api/v3 --data-dir data"
        ))
    }

    pub(crate) fn serve(&mut self) -> Process {
        self.processes += 1;
        let log = self.place.path(&format!("log-{}", self.processes));
        Process::start(&self.serve_command(), log)
    }

    /// The same, and waits until it has made its database.
    pub(crate) fn serve_first(&mut self) -> Process {
        let process = self.serve();
        let is_up = process.wait_for("tranche serves", Duration::from_mins(1));
        assert!(is_up, "{}", process.log());
        process
    }

    pub(crate) fn serve_to_its_end(&self) -> Told {
        self.told(&mut self.serve_command())
    }

    pub(super) fn ask(&self, line: &str) -> Told {
        self.told(&mut self.command(&format!("{line} --data-dir data")))
    }

    /// What a command says is kept, for whoever looks for secrets.
    fn told(&self, command: &mut Command) -> Told {
        let told = Told::of(command.output().unwrap());
        let mut file = OpenOptions::new();
        let mut file = file.create(true).append(true).open(self.place.path("told")).unwrap();
        file.write_all(told.out.as_bytes()).unwrap();
        file.write_all(told.err.as_bytes()).unwrap();
        told
    }

    /// The same, which has to go well.
    pub(super) fn order(&self, line: &str) -> Told {
        let told = self.ask(line);
        assert_eq!(told.code, Some(0), "{line}: {}{}", told.out, told.err);
        told
    }

    /// Each account with its key.
    pub(crate) fn add_accounts(&self) {
        for number in 0..self.accounts {
            let rest = self.server.exchange_address();
            let mut command =
                self.command(&format!("account add --data-dir data --rest http://{rest}"));
            command.arg(Self::account_name(number));
            command
                .envs([("TRANCHE_KEY", key(number).as_str()), ("TRANCHE_SECRET", canary::SECRET)]);
            let told = self.told(&mut command);
            assert_eq!(told.code, Some(0), "no account: {}{}", told.out, told.err);
        }
    }

    /// Of an account, counted from zero.
    pub(crate) fn account_name(number: u32) -> String {
        if number == 0 { "ours".to_owned() } else { format!("ours-{number}") }
    }

    /// Of a pair, counted from zero.
    pub(crate) fn pair(number: u32) -> String {
        let letter = |number: u32| char::from(b'A' + u8::try_from(number % 26).unwrap());
        let name: String =
            [letter(number), letter(number), letter(number + number / 26)].iter().collect();
        format!("{name}/USDT")
    }

    /// An account with a key, and a bot on it, through commands from outside.
    pub(crate) fn set_up(&self) {
        self.add_accounts();
        self.order("bot create bot.toml --account ours --yes --wait 30s --json");
    }

    /// Exchange and line fail from now on.
    pub(crate) fn begin_bad_day(&self, is_line_bad: bool) {
        assert_eq!(self.server.control("PUT", "/faults", BAD_DAY).0, 200);
        self.proxy.set_bad(is_line_bad);
    }

    /// Time passes at the exchange, and nothing else.
    pub(crate) fn pass(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap();
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Looks into the database, without asking any process that trades. A server that failed comes back.
    pub(super) fn read<T>(&self, read: &impl AsyncFn(&Store) -> Result<T, StoreError>) -> T {
        let until = Patience::of(BACK_WITHIN);
        loop {
            match self.runtime.block_on(self.try_to_read(read)) {
                Ok(value) => return value,
                Err(error) => assert!(until.lasts(), "the database cannot be read: {error}"),
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    async fn try_to_read<T>(
        &self,
        read: &impl AsyncFn(&Store) -> Result<T, StoreError>,
    ) -> Result<T, String> {
        let database = match &self.database {
            Some(database) => Database::parse(&database.url()).unwrap(),
            None => Database::Sqlite(self.place.path("data/tranche.db")),
        };
        let settings = StoreSettings {
            database,
            role: Role::Client,
            owner: "the test".to_owned(),
            versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
            lease: StoreSettings::LEASE,
            now: Timestamp::from_ms(0),
        };
        let store = Store::open(settings).await.map_err(|error| error.to_string())?;
        let value = read(&store).await;
        store.close().await;
        value.map_err(|error| error.to_string())
    }

    pub(crate) fn intents(&self) -> usize {
        self.read(&async |store| store.intents(OURS, Timestamp::MIN).await).len()
    }

    pub(crate) fn deals_closed(&self) -> usize {
        self.read(&async |store| store.deals(OURS).await).len()
    }

    pub(crate) fn until_trading(&self) {
        self.until_intents_above(8, Duration::from_mins(1));
    }

    pub(crate) fn until_intents_above(&self, count: usize, within: Duration) {
        let until = Patience::of(within);
        while self.intents() <= count {
            assert!(until.lasts(), "nothing is traded: {} intents", self.intents());
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn until_deals_closed(&self, count: usize, within: Duration) {
        let until = Patience::of(within);
        while self.deals_closed() < count {
            assert!(until.lasts(), "{} deals show nothing", self.deals_closed());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until the process of this number has the account's lease.
    pub(crate) fn until_owner(&self, process: u32, within: Duration) {
        let until = Patience::of(within);
        let owner = format!("process {process} ");
        loop {
            let leases = self.read(&async |store| store.leases().await);
            let ours = leases.iter().find(|lease| lease.account == OURS);
            if ours.is_some_and(|lease| lease.owner.starts_with(&owner)) {
                return;
            }
            assert!(until.lasts(), "{owner} does not get it: {leases:?}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// What must hold at any moment: nothing is at the exchange that was not committed, nothing twice.
    pub(crate) fn check_orders(&self) {
        self.tally.add(Deed::Audits);
        self.tally.judge(audit::orders(self), "at a kill");
    }

    /// The market rests and the line is good: now everything has to agree.
    pub(crate) fn settle(&self, process: &Process) {
        assert_eq!(self.server.control("PUT", "/faults", GOOD_DAY).0, 200);
        self.proxy.set_bad(false);
        self.rest();
        let (until, watch) = (Patience::of(Duration::from_secs(150)), Stopwatch::start());
        loop {
            thread::sleep(LOOK_EVERY);
            let found = audit::books(self);
            if found.is_empty() {
                break;
            }
            if !until.lasts() {
                self.tally.judge(found, &process.log());
            }
        }
        self.tally.add_many(Deed::SecondsSettling, watch.seconds());
        self.check_orders();
        self.tally.judge(canary::look(self), "planted secrets");
    }

    /// Prices stay where they are.
    pub(crate) fn rest(&self) {
        self.is_still.store(true, Ordering::SeqCst);
    }

    pub(crate) fn go_on(&self) {
        self.is_still.store(false, Ordering::SeqCst);
    }

    /// What the exchange says of itself.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.server.control("GET", "/state", "").1).unwrap()
    }

    /// Where the database is.
    pub(super) fn folder(&self) -> PathBuf {
        self.place.path("data")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(market) = self.market.take() {
            drop(market.join());
        }
        if !thread::panicking() {
            drop(fs::remove_dir_all(self.place.path(".")));
        }
    }
}

fn server_settings(instruments: &[Instrument], accounts: u32, leave: u32) -> Settings {
    let purse = vec![Balance {
        asset: Asset::parse("USDT").unwrap(),
        free: Amount::new(100_000.into()),
        locked: Amount::ZERO,
    }];
    let ours = (0..accounts).map(|number| {
        let secret = KeySecret::Hmac(canary::SECRET.to_owned());
        let key = KeySettings::new(&key(number), secret);
        AccountSettings::new(&World::account_name(number), vec![key], purse.clone())
    });
    let nobody = AccountSettings::new("nobody", Vec::new(), Vec::new());
    let usual = RateLimits::default();
    let limits = RateLimits {
        weight_per_minute: usual.weight_per_minute * leave,
        raw_per_five_minutes: usual.raw_per_five_minutes * leave,
        orders_per_ten_seconds: usual.orders_per_ten_seconds * leave,
        orders_per_day: usual.orders_per_day * leave,
        connections_per_five_minutes: usual.connections_per_five_minutes * leave,
        ..usual
    };
    Settings {
        speed: Speed::Stepped,
        limits,
        ..Settings::new(instruments.to_vec(), [nobody].into_iter().chain(ours).collect())
    }
}

fn key(account: u32) -> String {
    if account == 0 { canary::KEY.to_owned() } else { format!("{}{account}", canary::KEY) }
}

/// Prices that walk around 100, each pair for itself. Who holds `gate` keeps them where they are.
fn walk(
    (market, seed, pairs): (Market, u64, u32),
    gate: &Arc<Mutex<()>>,
    is_over: &Arc<AtomicBool>,
    is_still: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (is_over, is_still) = (Arc::clone(is_over), Arc::clone(is_still));
    let gate = Arc::clone(gate);
    thread::spawn(move || {
        let mut dice = Dice::new(seed);
        let mut cents = vec![10_000_u64; usize::try_from(pairs).unwrap()];
        while !is_over.load(Ordering::SeqCst) {
            for (id, price) in (0..).zip(&mut cents) {
                if !is_still.load(Ordering::SeqCst) {
                    // A step at random, and a little of the way back to 100.
                    *price = *price + dice.below(121) - 60;
                    *price = *price + 10_000_u64.saturating_sub(*price) / 40
                        - price.saturating_sub(10_000) / 40;
                }
                let price =
                    Price::new(rust_decimal::Decimal::new(i64::try_from(*price).unwrap(), 2));
                let _moves = gate.blocking_lock();
                market.push(InstrumentId::new(id), price, Qty::parse("1").unwrap());
            }
            thread::sleep(STEP * pairs / PAIRS);
        }
    })
}

fn instrument(id: u32) -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("100000"), step: qty("0.001") },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(InstrumentId::new(id), Symbol::parse(&World::pair(id)).unwrap(), filters)
}
