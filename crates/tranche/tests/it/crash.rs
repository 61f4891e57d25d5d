//! The binary is killed at random moments while it trades, and nothing is lost, doubled or orphaned.
//!
//! `cargo xtask crash --cycles N --store sqlite|postgres` runs more cycles than the tests here.

mod audit;
mod world;

use std::time::Duration;

use tranche_store::scratch::PostgresServer;

use world::{BAD_DAY, Dice, World};

/// What holds when nobody says otherwise.
const CYCLES_SQLITE: u64 = 10;
const CYCLES_POSTGRES: u64 = 5;

#[test]
fn killed_on_sqlite_it_goes_on_as_if_nothing_had_happened() {
    let mut world = World::new("crash-sqlite", None);
    kill_again_and_again(&mut world, cycles(CYCLES_SQLITE));
}

#[test]
fn killed_on_postgres_it_goes_on_as_if_nothing_had_happened() {
    let database = PostgresServer::shared().and_then(PostgresServer::database);
    let database = database.expect("PostgreSQL's programs are at hand");
    let mut world = World::new("crash-postgres", Some(database.url()));
    kill_again_and_again(&mut world, cycles(CYCLES_POSTGRES));
}

#[test]
fn stopped_for_longer_than_its_lease_it_sends_nothing_after_another_took_over() {
    let database = PostgresServer::shared().and_then(PostgresServer::database);
    let database = database.expect("PostgreSQL's programs are at hand");
    let mut world = World::new("crash-lease", Some(database.url()));
    let mut first = world.serve_first("--lease 6s");
    world.set_up();
    world.until_trading();

    for round in 0..2 {
        let second = world.serve("--lease 6s");
        std::thread::sleep(Duration::from_millis(700 + 431 * round));
        first.send("-STOP");
        // It takes over although the first one may have been stopped inside a transaction.
        world.until_owner(second.id(), Duration::from_secs(30));
        let intents = world.intents();
        world.until_intents_above(intents, Duration::from_mins(1));

        let sent = first.log().matches("order sent").count();
        first.send("-CONT");
        let said = first.wait_for("the lease is over", Duration::from_secs(20));
        assert!(said, "the first one has to notice: {}", first.log());
        assert_eq!(first.log().matches("order sent").count(), sent);
        world.check_orders();
        first.end();
        first = second;
    }
    world.settle(&first);
    first.end();
}

#[test]
fn full_disk_stops_it_safely_and_it_goes_on_when_there_is_room() {
    let mut world = World::new("crash-full", None);
    let first = world.serve_first("");
    world.set_up();
    world.until_trading();
    first.end();

    // No file may grow beyond what the database has now.
    let full = world.serve_limited();
    let said = full.wait_for("the store failed", Duration::from_secs(40));
    assert!(said, "it says so: {}", full.log());
    world.check_orders();
    full.lift_limit();
    let before = world.intents();
    world.until_intents_above(before, Duration::from_mins(1));
    world.settle(&full);
    full.end();
}

#[test]
fn second_one_on_the_same_file_says_who_has_it() {
    let mut world = World::new("crash-second", None);
    let first = world.serve_first("");
    world.set_up();

    let told = world.serve_to_its_end();

    told.refuses(&["in use by process", &first.id().to_string(), "stop that one first"]);
    first.end();
}

fn kill_again_and_again(world: &mut World, cycles: u64) {
    let mut dice = Dice::new(0x5EED ^ cycles);
    let mut process = world.serve_first("");
    world.set_up();
    world.until_trading();
    world.faults(BAD_DAY);
    for _ in 0..cycles {
        std::thread::sleep(Duration::from_millis(200 + dice.below(2_300)));
        process.kill();
        world.check_orders();
        process = world.serve("");
    }
    world.settle(&process);
    let closed = world.deals_closed();
    println!("{cycles} kills, {closed} deals closed, {} intents", world.intents());
    assert!(3 <= closed, "{closed} deals show nothing");
    process.end();
}

#[expect(clippy::disallowed_methods, reason = "how `cargo xtask crash` says how often")]
fn cycles(usual: u64) -> u64 {
    let asked = std::env::var("TRANCHE_CRASH_CYCLES").ok();
    asked.map_or(usual, |text| text.parse().expect("a number of cycles"))
}
