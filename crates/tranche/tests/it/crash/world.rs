//! An exchange whose market never rests, and processes that trade on it.

use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::runtime::Runtime;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::Balance,
    filter::Filter,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::{Amount, Price, Qty, Quote},
    time::Timestamp,
};
use tranche_simserver::{
    AccountSettings, KeySecret, KeySettings, RateLimits, Running, Server, Settings, Speed,
    SystemClock, quiet,
};
use tranche_store::{Database, Role, Settings as StoreSettings, Store, Versions};
use tranche_trading::codec;

use super::audit;
use crate::{
    patience::Patience,
    place::{Place, Told},
    server::send,
};

/// The first account of the database is the paper one.
pub(crate) const OURS: AccountId = AccountId::new(2);
const KEY: &str = "ours";
const SECRET: &str = "play-money-secret";
const PAIRS: [&str; 3] = ["AAA/USDT", "BBB/USDT", "CCC/USDT"];

pub(crate) const BAD_DAY: &str = r#"{"seed": 7, "rule": [
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "drop_after"}},
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "timeout", "executed": true}},
    {"path": "POST /api/v3/order", "per_mille": 15, "fault": {"kind": "error_before", "status": 502}},
    {"path": "DELETE /api/v3/order", "per_mille": 30, "fault": {"kind": "error_after", "status": 504}},
    {"path": "GET /api/v3", "per_mille": 20, "fault": {"kind": "delay", "ms": 300}},
    {"path": "executionReport", "per_mille": 20, "fault": {"kind": "event_drop"}},
    {"path": "executionReport", "per_mille": 50, "fault": {"kind": "event_double"}}
]}"#;

const BOT: &str = "\
name = \"crash\"
pairs = [\"AAA/USDT\", \"BBB/USDT\", \"CCC/USDT\"]
max_active_deals = 3
base_order_volume = \"100\"
safety_order_volume = \"100\"
safety_order_step_pct = \"0.8\"
max_safety_orders = 3
active_safety_orders_count = 3
take_profit_pct = \"0.6\"
";

pub(crate) struct World {
    runtime: Runtime,
    pub(super) server: Running,
    pub(super) instruments: Instruments,
    place: Place,
    database: Option<String>,
    market: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    is_still: Arc<AtomicBool>,
    processes: u32,
}

/// A process that trades.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl World {
    pub(crate) fn new(name: &str, database: Option<String>) -> Self {
        let runtime = Runtime::new().unwrap();
        let instruments: Vec<Instrument> = (0..).zip(PAIRS).map(instrument).collect();
        let purse = vec![Balance {
            asset: Asset::parse("USDT").unwrap(),
            free: Amount::new(100_000.into()),
            locked: Amount::ZERO,
        }];
        let key = KeySettings::new(KEY, KeySecret::Hmac(SECRET.to_owned()));
        let nobody = AccountSettings::new("nobody", Vec::new(), Vec::new());
        let ours = AccountSettings::new("ours", vec![key], purse);
        let mut settings = Settings::new(instruments.clone(), vec![nobody, ours]);
        settings.speed = Speed::Stepped;
        // Each start reads everything again, within seconds.
        let usual = RateLimits::default();
        settings.limits = RateLimits {
            weight_per_minute: usual.weight_per_minute * 20,
            raw_per_five_minutes: usual.raw_per_five_minutes * 20,
            orders_per_ten_seconds: usual.orders_per_ten_seconds * 20,
            orders_per_day: usual.orders_per_day * 20,
            ..usual
        };
        let server = Server::bind(settings, quiet(), Arc::new(SystemClock));
        let server = runtime.block_on(async { server.await.unwrap().start() });
        let (is_over, is_still) = (Arc::default(), Arc::default());
        let market = walk(server.market(), &is_over, &is_still);
        let place = Place::new(name);
        place.write("bot.toml", BOT);
        Self {
            runtime,
            server,
            instruments: Instruments::new(instruments).unwrap(),
            place,
            database,
            market: Some(market),
            is_over,
            is_still,
            processes: 0,
        }
    }

    fn serve_line(&mut self, flags: &str) -> (Command, PathBuf) {
        self.processes += 1;
        let log = self.place.path(&format!("log-{}", self.processes));
        let rest = self.server.exchange_address();
        let mut command = self.place.command(&format!(
            "serve --log info {flags} --rest http://{rest} --market-socket ws://{rest} \
             --api-socket ws://{rest}/ws-api/v3 --data-dir data"
        ));
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        (command, log)
    }

    pub(crate) fn serve(&mut self, flags: &str) -> Process {
        let (command, log) = self.serve_line(flags);
        Process::start(command, log)
    }

    /// The same, and waits until it has made its database.
    pub(crate) fn serve_first(&mut self, flags: &str) -> Process {
        let process = self.serve(flags);
        let is_up = process.wait_for("tranche serves", Duration::from_mins(1));
        assert!(is_up, "{}", process.log());
        process
    }

    /// A process whose files cannot grow much any more.
    pub(crate) fn serve_limited(&mut self) -> Process {
        let (command, log) = self.serve_line("");
        let size = fs::metadata(self.place.path("data/tranche.db")).unwrap().len();
        let blocks = size / 512 + 64;
        let mut shell = Command::new("sh");
        shell
            .current_dir(self.place.path("."))
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| !name.starts_with("TRANCHE_")));
        // A write beyond the limit fails; without the trap it would kill.
        let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(command.get_program()).args(command.get_args());
        Process::start(shell, log)
    }

    pub(crate) fn serve_to_its_end(&mut self) -> Told {
        let (mut command, _) = self.serve_line("");
        Told::of(command.output().unwrap())
    }

    fn ask(&self, line: &str) -> Told {
        let mut command = self.place.command(&format!("{line} --data-dir data"));
        command.envs([("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)]);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        Told::of(command.output().unwrap())
    }

    /// An account with a key, and a bot on it, through commands from outside.
    pub(crate) fn set_up(&self) {
        let until = Patience::of(Duration::from_secs(30));
        loop {
            let told = self.ask("account add ours");
            if told.code == Some(0) {
                break;
            }
            assert!(until.lasts(), "no account: {}{}", told.out, told.err);
            thread::sleep(Duration::from_millis(100));
        }
        let told = self.ask("bot create bot.toml --account ours --yes --wait 30s --json");
        assert_eq!(told.code, Some(0), "no bot: {}{}", told.out, told.err);
    }

    pub(crate) fn faults(&self, profile: &str) {
        assert_eq!(self.server.control("PUT", "/faults", profile).0, 200);
    }

    /// Looks into the database, without asking any process that trades.
    pub(super) fn read<T>(&self, read: impl AsyncFnOnce(&Store) -> T) -> T {
        let database = match &self.database {
            Some(url) => Database::parse(url).unwrap(),
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
        self.runtime.block_on(async {
            let store = Store::open(settings).await.unwrap();
            let value = read(&store).await;
            store.close().await;
            value
        })
    }

    pub(crate) fn intents(&self) -> usize {
        self.read(async |store| store.intents(OURS, Timestamp::MIN).await.unwrap().len())
    }

    pub(crate) fn deals_closed(&self) -> usize {
        self.read(async |store| store.deals(OURS).await.unwrap().len())
    }

    pub(crate) fn until_trading(&self) {
        self.until_intents_above(8, Duration::from_mins(1));
    }

    pub(crate) fn until_intents_above(&self, count: usize, within: Duration) {
        let until = Patience::of(within);
        while self.intents() <= count {
            assert!(until.lasts(), "nothing is traded: {} intents", self.intents());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until the process of this number has the account's lease.
    pub(crate) fn until_owner(&self, process: u32, within: Duration) {
        let until = Patience::of(within);
        let owner = format!("process {process} ");
        loop {
            let leases = self.read(async |store| store.leases().await.unwrap());
            let ours = leases.iter().find(|lease| lease.account == OURS);
            if ours.is_some_and(|lease| lease.owner.starts_with(&owner)) {
                return;
            }
            assert!(until.lasts(), "{owner} does not get it: {leases:?}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// What must hold at any moment: nothing is at the exchange that was not committed, nothing twice.
    pub(crate) fn check_orders(&self) {
        audit::orders(self);
    }

    /// The market rests and the line is good: now everything has to agree.
    pub(crate) fn settle(&self, process: &Process) {
        self.faults(r#"{"seed": 1, "rule": []}"#);
        self.is_still.store(true, Ordering::SeqCst);
        let until = Patience::of(Duration::from_secs(150));
        loop {
            thread::sleep(Duration::from_millis(500));
            let found = audit::books(self);
            if found.is_empty() {
                break;
            }
            assert!(until.lasts(), "the books differ: {found:#?}\n{}", process.log());
        }
        self.check_orders();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(market) = self.market.take() {
            drop(market.join());
        }
    }
}

impl Process {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn wait_for(&self, what: &str, within: Duration) -> bool {
        let until = Patience::of(within);
        while !self.log().contains(what) {
            if !until.lasts() {
                return false;
            }
            thread::sleep(Duration::from_millis(100));
        }
        true
    }

    pub(crate) fn send(&self, signal: &str) {
        send(signal, self.id());
    }

    /// As if the machine lost its power.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        drop(self.child.wait());
    }

    /// Asks it to stop; it says that it went well.
    pub(crate) fn end(mut self) {
        self.send("-TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Lets its files grow again.
    pub(crate) fn lift_limit(&self) {
        let status = Command::new("prlimit")
            .args(["--fsize=unlimited", "--pid", &self.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Prices that walk around 100, each pair for itself.
fn walk(
    market: tranche_simserver::Market,
    is_over: &Arc<AtomicBool>,
    is_still: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (is_over, is_still) = (Arc::clone(is_over), Arc::clone(is_still));
    thread::spawn(move || {
        let mut dice = Dice::new(11);
        let mut cents = [10_000_u64; PAIRS.len()];
        while !is_over.load(Ordering::SeqCst) {
            for (id, price) in (0..).zip(&mut cents) {
                if !is_still.load(Ordering::SeqCst) {
                    // Half of the way a step at random, a little of it back to 100.
                    *price = *price + dice.below(121) - 60;
                    *price = *price + 10_000_u64.saturating_sub(*price) / 40
                        - price.saturating_sub(10_000) / 40;
                }
                let price =
                    Price::new(rust_decimal::Decimal::new(i64::try_from(*price).unwrap(), 2));
                market.push(InstrumentId::new(id), price, Qty::parse("1").unwrap());
            }
            thread::sleep(Duration::from_millis(25));
        }
    })
}

fn instrument((id, symbol): (u32, &str)) -> Instrument {
    let price = |text: &str| Price::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let filters = vec![
        Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
        Filter::LotSize { min: qty("0.001"), max: qty("100000"), step: qty("0.001") },
        Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
    ];
    Instrument::new(InstrumentId::new(id), Symbol::parse(symbol).unwrap(), filters)
}

/// Numbers that look random and come again with the same seed (xorshift64*, Vigna 2016).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
