//! Old inputs go while it trades, and nothing that counts goes with them.

use std::{thread, time::Duration};

use serde_json::Value;
use tokio::runtime::Runtime;
use tranche_model::{
    ids::{AccountId, Seq},
    record::{Batch, FillRow, JournalRow},
    time::Timestamp,
};
use tranche_store::{
    Database, Role, Settings, Store, Versions,
    scratch::{PostgresDatabase, PostgresServer},
};
use tranche_trading::codec;

use super::{Bots, KEYS, has_all_orders, still_place, trade, until};
use crate::{patience::Patience, place::Place, server::Server};

/// The account `main`; `paper` was there before.
const MAIN: AccountId = AccountId::new(2);
const DAY: i64 = 86_400_000;
/// Old inputs beside those of the bot.
const MANY: u64 = 40_000;

#[test]
fn old_inputs_go_while_it_trades_on_sqlite() {
    old_inputs_go(&Ground::new("serve-retention", None));
}

#[test]
fn old_inputs_go_while_it_trades_on_postgres() {
    let server = PostgresServer::shared().and_then(PostgresServer::database);
    let database = server.expect("PostgreSQL's programs are at hand");
    old_inputs_go(&Ground::new("serve-retention-postgres", Some(database)));
}

fn old_inputs_go(ground: &Ground) {
    let Ground { place, exchange, base, flags, .. } = ground;
    // Forty days ago a bot bought.
    ground.skew(-40 * DAY);
    let bots = Bots::start_with(place, exchange, base);
    let rest = &exchange.rest;
    let told = place.run_with(&format!("account add main {flags} --rest {rest}"), &KEYS);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let create = format!("bot create bot.toml --account main --yes --wait 30s {flags}");
    assert_eq!(place.run(&create).code, Some(0));
    let show = format!("bot show 1 --json {flags}");
    until(place, &show, |shown| {
        trade(exchange, "BTCUSDT", "60000");
        has_all_orders(shown)
    });
    bots.end();
    ground.add_old_inputs();
    let before = ground.read(&async |store| Kept::of(store).await);
    assert!(!before.fills.is_empty() && MANY < before.last.get() && before.first == Seq::new(1));

    // It is killed in the midst of letting them go.
    ground.skew(ground.to_midnight());
    let bots = Bots::start_with(place, exchange, base);
    let midst = ground.until(|kept| before.first < kept.first);
    drop(bots);
    assert!(midst.first.get() + 2000 < midst.last.get(), "it was over before it was killed");
    ground.is_whole();
    let midst = ground.read(&async |store| Kept::of(store).await);
    assert_eq!(midst.fills, before.fills);

    // The next process goes on, and trades meanwhile.
    ground.skew(ground.to_midnight() + DAY);
    let bots = Bots::start_with(place, exchange, base);
    let end = Patience::of(Duration::from_mins(2));
    while metric(&bots, "tranche_journal_cleaned_timestamp_seconds") == 0 {
        trade(exchange, "BTCUSDT", "60000");
        assert!(end.lasts(), "old inputs stay");
        thread::sleep(Duration::from_millis(200));
    }
    assert_ne!(metric(&bots, "tranche_journal_rows_removed_total"), 0);
    until(place, &format!("deal list --json {flags}"), |deals| {
        trade(exchange, "BTCUSDT", "61100");
        deals[0]["ended"] == "take_profit"
    });

    let after = ground.read(&async |store| Kept::of(store).await);
    // The newest thousand stay, and what came since.
    let left = after.last.get() - after.first.get();
    assert!((1000..2000).contains(&left), "{left} inputs are left");
    assert_eq!(after.fills[..before.fills.len()], before.fills);
    assert!(before.fills.len() < after.fills.len());
    let is_old = |at: &Timestamp| Some(*at) <= before.newest_intent;
    assert!(!after.oldest_intent.as_ref().is_some_and(is_old), "old intents stay");
    ground.is_whole();
    let shown = place.run(&format!("bot show 1 --json --story 90000 {flags}")).json();
    assert!(shown["log_since"].is_string() && !shown["log"].as_array().unwrap().is_empty());
    let told = place.run(&format!("bot show 1 --story 90000 {flags}")).out;
    assert!(told.contains("what is older was let go"), "{told}");
    let shown = place.run(&format!("bot show 1 --story 3 --json {flags}")).json();
    assert_eq!(shown["log_since"], Value::Null, "three are there");
    bots.end();
}

struct Ground {
    place: Place,
    exchange: Server,
    database: Option<PostgresDatabase>,
    /// The database, when it is not in the folder.
    base: String,
    /// Folder and database.
    flags: String,
    runtime: Runtime,
}

/// What a database has of the account.
struct Kept {
    first: Seq,
    last: Seq,
    fills: Vec<FillRow>,
    oldest_intent: Option<Timestamp>,
    newest_intent: Option<Timestamp>,
}

impl Kept {
    async fn of(store: &Store) -> Self {
        let (_, last) = store.standing(MAIN).await.unwrap().unwrap();
        let first = store.journal(MAIN, Seq::new(0), 1).await.unwrap()[0].row.seq;
        let intents = store.intents(MAIN, Timestamp::MIN).await.unwrap();
        let fills = store.fills(MAIN).await.unwrap();
        let at = || intents.iter().map(|row| row.at);
        Self { first, last, fills, oldest_intent: at().min(), newest_intent: at().max() }
    }
}

impl Ground {
    fn new(name: &str, database: Option<PostgresDatabase>) -> Self {
        let (place, exchange) = still_place(name, "");
        let base = database.as_ref().map(|database| format!("--database {}", database.url()));
        let base = base.unwrap_or_default();
        let flags = format!("--data-dir data {base}");
        let runtime = Runtime::new().unwrap();
        Self { place, exchange, database, base, flags, runtime }
    }

    fn skew(&self, ms: i64) {
        self.exchange.control("/skew", &format!(r#"{{"ms":{ms}}}"#));
    }

    /// A skew by which it is a little before midnight at the exchange.
    fn to_midnight(&self) -> i64 {
        self.skew(0);
        let now = self.exchange.get("/state")["time"].as_i64().unwrap();
        DAY - now.rem_euclid(DAY) - 20_000
    }

    fn is_whole(&self) {
        let told = self.place.run(&format!("verify {}", self.flags));
        assert!(told.out.starts_with("whole"), "{}{}", told.out, told.err);
    }

    /// Copies of the bot's last input, as if as much had happened then.
    fn add_old_inputs(&self) {
        self.runtime.block_on(async {
            let store = self.open(Role::Engine).await;
            let loaded = store.load(MAIN).await.unwrap();
            let journal = store.journal(MAIN, Seq::new(0), 10_000).await.unwrap();
            let decided = journal.iter().rev().find(|entry| {
                let (_, whys) = codec::decode_entry(&entry.row.body).unwrap();
                whys.iter().any(|why| why.bot.is_some())
            });
            let JournalRow { at, body, .. } = decided.unwrap().row.clone();
            let mut batch = Batch {
                account: MAIN,
                epoch: loaded.epoch,
                seq_before: loaded.seq,
                seq: loaded.seq,
                journal: Vec::new(),
                snapshots: Vec::new(),
                intents: Vec::new(),
                fills: Vec::new(),
                deals: Vec::new(),
                verdicts: Vec::new(),
            };
            for _ in 0..MANY {
                batch.seq = batch.seq.next();
                batch.journal.push(JournalRow { seq: batch.seq, at, body: body.clone() });
            }
            assert_eq!(store.commit(vec![batch]).await, [Ok(())]);
            store.close().await;
        });
    }

    /// Looks again and again until it is so.
    fn until(&self, is_so: impl Fn(&Kept) -> bool) -> Kept {
        self.read(&async |store| {
            let end = Patience::of(Duration::from_mins(1));
            loop {
                let kept = Kept::of(store).await;
                if is_so(&kept) {
                    return kept;
                }
                assert!(end.lasts(), "nothing goes");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }

    fn read<T>(&self, read: &impl AsyncFn(&Store) -> T) -> T {
        self.runtime.block_on(async {
            let store = self.open(Role::Client).await;
            let value = read(&store).await;
            store.close().await;
            value
        })
    }

    async fn open(&self, role: Role) -> Store {
        let database = match &self.database {
            Some(database) => Database::parse(&database.url()).unwrap(),
            None => Database::Sqlite(self.place.path("data/tranche.db")),
        };
        let settings = Settings {
            database,
            role,
            owner: "the test".to_owned(),
            versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
            lease: Settings::LEASE,
            now: Timestamp::from_ms(0),
        };
        Store::open(settings).await.unwrap()
    }
}

fn metric(bots: &Bots, name: &str) -> u64 {
    let metrics = bots.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}
