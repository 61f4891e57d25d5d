//! The binary is killed at random moments while it trades, and nothing is lost, doubled or orphaned.
//!
//! `cargo xtask crash --cycles N --store sqlite|postgres` runs more cycles than the tests here, and
//! `--recovery` measures how soon a killed one is back.

mod audit;
mod canary;
mod cycles;
mod dice;
mod plan;
mod process;
mod proxy;
mod recovery;
mod stopped;
mod tally;
mod world;

use std::{panic, path::PathBuf, process::id, sync::Arc, thread, time::Duration};

use tranche_store::scratch::{Disk, PostgresDatabase, PostgresServer};

use self::{
    dice::Dice,
    plan::{Fault, Faults, Plan},
    tally::Tally,
    world::{Setting, World},
};
use crate::patience::Stopwatch;

/// What holds when nobody says otherwise.
const CYCLES_SQLITE: u64 = 10;
const CYCLES_POSTGRES: u64 = 5;
/// After so many a world is compared to the last cent, and another one begins: the books of one that lives
/// for ever take longer to read than it takes to kill it.
const CYCLES_OF_A_WORLD: u64 = 50;

#[test]
fn killed_on_sqlite_it_goes_on_as_if_nothing_had_happened() {
    let plan = Plan::of(CYCLES_SQLITE, Faults::of(&[Fault::Proxy]));
    run(&plan, "sqlite", |_| None);
}

#[test]
fn killed_on_postgres_it_goes_on_as_if_nothing_had_happened() {
    let plan = Plan::of(CYCLES_POSTGRES, Faults::of(&[Fault::Proxy]));
    // A server whose disk fails is nobody else's.
    let own = plan.faults.has(Fault::Disks);
    run(&plan, "postgres", |job| Some(database(own.then_some(job))));
}

#[test]
fn put_back_from_a_backup_it_sends_nothing_until_it_is_released() {
    let mut world = World::new(Setting::sqlite("crash-restore"));
    cycles::restore_once(&mut world, Dice::new(5));
}

#[test]
fn full_disk_stops_it_safely_and_it_goes_on_when_there_is_room() {
    let mut world = World::new(Setting::sqlite("crash-full"));
    let process = world.serve_first();
    world.set_up();
    world.until_trading();

    let said = process.wait_for_more("the store failed", Duration::from_secs(40), || {
        process.limit(Some(cycles::LITTLE));
    });
    assert!(said, "it says so: {}", process.log());
    world.check_orders();
    process.limit(None);
    let before = world.intents();
    world.until_intents_above(before, Duration::from_mins(1));
    world.settle(&process);
    process.end();
}

#[test]
fn second_one_on_the_same_file_says_who_has_it() {
    let mut world = World::new(Setting::sqlite("crash-second"));
    let first = world.serve_first();
    world.set_up();

    let told = world.serve_to_its_end();

    told.refuses(&["in use by process", &first.id().to_string(), "stop that one first"]);
    first.end();
}

/// Worlds beside each other, each with its part of the cycles; then the closing line.
fn run(plan: &Plan, store: &str, database: impl Fn(u64) -> Option<PostgresDatabase> + Sync) {
    let tally = Arc::<Tally>::default();
    let watch = Stopwatch::start();
    let work = |job: u64| {
        let mut left = plan.cycles / plan.jobs + u64::from(job < plan.cycles % plan.jobs);
        let mut round = 0;
        while 0 < left {
            let cycles = left.min(CYCLES_OF_A_WORLD);
            let seed = plan.seed.wrapping_mul(1009).wrapping_add(job * 1_000_003 + round);
            let mut world = World::new(Setting {
                database: database(job),
                seed,
                tally: Arc::clone(&tally),
                ..Setting::sqlite(&format!("crash-{store}-{}-{job}-{round}", id()))
            });
            cycles::live(&mut world, cycles, &plan.faults, Dice::new(seed));
            left -= cycles;
            round += 1;
            let done = tally.count(tally::Deed::Cycles);
            println!("{done} of {} cycles after {} s", plan.cycles, watch.seconds());
        }
    };
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        thread::scope(|scope| {
            for job in 0..plan.jobs {
                scope.spawn(move || work(job));
            }
        });
    }));
    plan.close(&tally.json(plan.head(store, watch.seconds())));
    if let Err(what) = outcome {
        panic::resume_unwind(what);
    }
    assert!(plan.cycles < 100 || !plan.faults.has(Fault::Proxy) || tally.struck.is_all_seen());
}

/// An empty database: of a server of its own, when its number is said.
fn database(own: Option<u64>) -> PostgresDatabase {
    let server = match own {
        None => PostgresServer::shared(),
        Some(job) => {
            let name = format!("tranche-crash-{}-{job}", id());
            let folder: PathBuf = std::env::temp_dir().join(name);
            PostgresServer::in_folder(&folder, Disk::Trusts)
        }
    };
    let database = server.and_then(PostgresServer::database);
    database.expect("PostgreSQL's programs are at hand")
}
