//! Group commit on both databases beside raw loops of `fdatasync`, in the same run and on the same disk:
//! intents in a second, and how long a caller waits. One loop has the same callers with the same bytes and
//! writes what waits at once; the other has one caller with a page.
//!
//! Processor time is that of this process, callers and all, and of the server's processes.
//!
//! Prints figures as they come; `--json FILE` writes all of them for the table. `--dir FOLDER` says on
//! which disk, `--only sqlite` or `--only postgres` leaves the other one out.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark: its input is its own, and it looks at the clock"
)]

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use cpu_time::ProcessTime;
use tokio::sync::{mpsc, oneshot};
use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{
        AccountId, BotId, DealNo, Epoch, Generation, Incarnation, Installation, InstrumentId, Seq,
        Slot,
    },
    money::{Price, Qty},
    order::{OrderKind, OrderRequest, Side},
    record::{Batch, IntentRow, JournalRow, Snapshot, SnapshotRow},
    time::Timestamp,
};
use tranche_store::{
    Account, Database, Role, Settings, Store, Versions,
    scratch::{Disk, PostgresServer},
};

/// Callers at the same time, each with an account of its own.
const CALLERS: [u32; 3] = [1, 16, 128];
/// How long each part is measured.
const SPAN: Duration = Duration::from_secs(4);
/// What a small commit appends to a log.
const PAGE: usize = 4096;

fn main() {
    let folder = argument("--dir").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("tranche-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut figures = BTreeMap::new();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(&folder, &mut figures));
    std::fs::remove_dir_all(&folder).unwrap();
    if let Some(path) = argument("--json") {
        std::fs::write(path, serde_json::to_vec(&figures).unwrap()).unwrap();
    }
}

async fn measure(folder: &Path, figures: &mut BTreeMap<String, f64>) {
    let postgres = PostgresServer::in_folder(&folder.join("postgres"), Disk::Waits);
    let postgres = postgres.unwrap().database().unwrap();
    let databases = [
        ("sqlite", Database::Sqlite(folder.join("bench.db"))),
        ("postgres", Database::parse(&postgres.url()).unwrap()),
    ];
    let only = argument("--only");
    for (name, database) in databases {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let server = (name == "postgres").then(|| postgres.files());
        let store = Arc::new(open(database).await);
        for callers in CALLERS {
            // The disk is another one from minute to minute: measured right before and right behind.
            let mut page = page_loop(folder, SPAN / 8);
            let mut raw = raw_loop(folder, callers).await;
            let worked = worked(server.as_deref());
            let store_loop = commit_loop(&store, callers).await;
            let worked = self::worked(server.as_deref()).saturating_sub(worked);
            raw.join(raw_loop(folder, callers).await);
            page.extend(page_loop(folder, SPAN / 8));
            let part = format!("store/{name}/{callers}");
            store_loop.note(figures, &part);
            let intents = store_loop.waits.len() as f64;
            note(figures, &format!("{part}/cpu"), worked.as_nanos() as f64 / intents);
            raw.note(figures, &format!("{part}/disk"));
            note(figures, &format!("{part}/page/p50"), at(&page, 0.50));
            note(figures, &format!("{part}/page/p99"), at(&page, 0.99));
        }
        store.close().await;
    }
    postgres.stop().unwrap();
}

/// What callers of one loop saw.
struct Seen {
    waits: Vec<Duration>,
    took: Duration,
}

impl Seen {
    fn join(&mut self, other: Self) {
        self.waits.extend(other.waits);
        self.took += other.took;
    }

    fn note(&self, figures: &mut BTreeMap<String, f64>, part: &str) {
        note(figures, &format!("{part}/p50"), at(&self.waits, 0.50));
        note(figures, &format!("{part}/p99"), at(&self.waits, 0.99));
        // One run is one second.
        let rate = self.waits.len() as f64 / self.took.as_secs_f64();
        figures.insert(format!("{part}/intent"), 1e9 / rate);
        println!("{part}: {rate:.0} intents/s");
    }
}

/// Waits of a bare loop: append a page, bring it to the disk.
fn page_loop(folder: &Path, span: Duration) -> Vec<Duration> {
    let mut file = File::create(folder.join("page")).unwrap();
    let (begin, mut waits) = (Instant::now(), Vec::new());
    while begin.elapsed() < span {
        let start = Instant::now();
        file.write_all(&[7; PAGE]).unwrap();
        file.sync_data().unwrap();
        waits.push(start.elapsed());
    }
    waits
}

/// Bytes that a caller wants on the disk, and whom to tell.
type Wish = (Vec<u8>, oneshot::Sender<()>);

/// Waits of as many callers with the same bytes before a bare file: what waits is appended at once and
/// brought to the disk, then all are told. There is no database, no check and no index.
async fn raw_loop(folder: &Path, callers: u32) -> Seen {
    let (inbox, wishes) = mpsc::channel::<Wish>(1024);
    let file = File::create(folder.join("raw")).unwrap();
    let writer = std::thread::spawn(move || append(file, wishes));
    let begin = Instant::now();
    let tasks: Vec<_> = (1..=callers)
        .map(|account| {
            let inbox = inbox.clone();
            tokio::spawn(async move {
                let (mut seq, mut waits) = (Seq::default(), Vec::new());
                while begin.elapsed() < SPAN / 4 {
                    let batch = batch(account, Epoch::new(1), seq);
                    seq = batch.seq;
                    let start = Instant::now();
                    let (told, answer) = oneshot::channel();
                    inbox.send((bytes_of(&batch), told)).await.unwrap();
                    answer.await.unwrap();
                    waits.push(start.elapsed());
                }
                waits
            })
        })
        .collect();
    drop(inbox);
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    writer.join().unwrap();
    Seen { waits, took: begin.elapsed() }
}

fn append(mut file: File, mut wishes: mpsc::Receiver<Wish>) {
    while let Some((mut bytes, first)) = wishes.blocking_recv() {
        let mut told = vec![first];
        while let Ok((more, next)) = wishes.try_recv() {
            bytes.extend(more);
            told.push(next);
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        for one in told {
            one.send(()).unwrap();
        }
    }
}

/// What a batch asks the database to keep, without any structure.
fn bytes_of(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in &batch.journal {
        bytes.extend(&row.body);
    }
    for row in &batch.snapshots {
        bytes.extend(&row.body);
    }
    bytes.extend(serde_json::to_vec(&batch.intents).unwrap());
    bytes
}

/// Waits of callers that each commit an input with an order, one after the other.
async fn commit_loop(store: &Arc<Store>, callers: u32) -> Seen {
    let begin = Instant::now();
    let tasks: Vec<_> = (1..=callers)
        .map(|account| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let loaded = store.load(AccountId::new(account)).await.unwrap();
                let (mut seq, mut waits) = (loaded.seq, Vec::new());
                while begin.elapsed() < SPAN {
                    let batch = batch(account, loaded.epoch, seq);
                    seq = batch.seq;
                    let start = Instant::now();
                    let answers = store.commit(vec![batch]).await;
                    waits.push(start.elapsed());
                    assert_eq!(answers, [Ok(())]);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    Seen { waits, took: begin.elapsed() }
}

async fn open(database: Database) -> Store {
    let settings = Settings {
        database,
        role: Role::Engine,
        owner: "bench".to_owned(),
        versions: Versions { schema: 1, rules: 1 },
        lease: Settings::LEASE,
        now: Timestamp::from_ms(0),
    };
    let store = Store::open(settings).await.unwrap();
    for account in 1..=128 {
        let account = Account {
            account: AccountId::new(account),
            user: None,
            venue: "binance".to_owned(),
            name: "paper".to_owned(),
            is_paper: true,
            credential: None,
            created_at: Timestamp::from_ms(0),
        };
        assert!(store.add_account(&account, &Snapshot::default()).await.unwrap());
    }
    store
}

/// What an order costs: its input, the bot's state, the intent.
fn batch(account: u32, epoch: Epoch, seq_before: Seq) -> Batch {
    let seq = seq_before.next();
    let origin = Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(account),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(u16::try_from(seq.get() % 60_000).unwrap()),
    };
    let request = OrderRequest {
        client_id: ClientOrderId::pack(origin, key).unwrap(),
        instrument: InstrumentId::new(3),
        side: Side::Buy,
        kind: OrderKind::LimitMaker {
            price: Price::parse("61234.56").unwrap(),
            qty: Qty::parse("0.00123").unwrap(),
        },
    };
    let at = Timestamp::from_ms(i64::try_from(seq.get()).unwrap());
    Batch {
        account: AccountId::new(account),
        epoch,
        seq_before,
        seq,
        journal: vec![JournalRow { seq, at, body: vec![1; 40] }],
        snapshots: vec![SnapshotRow { bot: Some(BotId::new(account)), body: vec![2; 400] }],
        intents: vec![IntentRow { request, send_by: at, at }],
        fills: Vec::new(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    }
}

/// Processor time of this process, and of the server whose files are in this folder.
fn worked(server: Option<&Path>) -> Duration {
    let own = ProcessTime::now().as_duration();
    let Some(server) = server else { return own };
    let pid = std::fs::read_to_string(server.join("postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    let ticks = std::fs::read_dir("/proc").unwrap().filter_map(|process| {
        let stat = std::fs::read_to_string(process.unwrap().path().join("stat")).ok()?;
        // What follows the name: state, parent, …; user and system time are the 12th and 13th.
        let (_, stat) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = stat.split(' ').collect();
        let is_ours = *fields.get(1)? == pid;
        let ticks: u64 = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
        is_ours.then_some(ticks)
    });
    // A tick is a hundredth of a second for whoever reads it there.
    own + Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn at(waits: &[Duration], share: f64) -> f64 {
    let mut sorted = waits.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)].as_nanos() as f64
}

fn note(figures: &mut BTreeMap<String, f64>, name: &str, nanos: f64) {
    println!("{name}: {:.3} ms", nanos / 1e6);
    figures.insert(name.to_owned(), nanos);
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}
