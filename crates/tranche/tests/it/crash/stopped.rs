//! A process that stands still inside a commit, while another one wants its place; and one whose database
//! says nothing any more.

use std::{thread, time::Duration};

use tranche_store::scratch::{Cut, Line, Lock};

use super::{
    cycles, database,
    process::Process,
    world::{Setting, World},
};
use crate::patience::{Patience, Stopwatch};

const LEASE: Duration = Duration::from_secs(6);
/// The next attempt comes within a second; the rest is for a machine that has other things to do.
const BOUND: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[test]
fn stopped_for_longer_than_its_lease_it_sends_nothing_after_another_took_over() {
    let mut world =
        World::new(Setting { database: Some(database(None)), ..Setting::sqlite("crash-lease") });
    "--lease 6s".clone_into(&mut world.flags);
    let mut process = world.serve_first();
    world.set_up();
    world.until_trading();

    for round in 0..2 {
        thread::sleep(Duration::from_millis(700 + 431 * round));
        process = cycles::take_over(&mut world, process);
        world.check_orders();
    }
    world.settle(&process);
    process.end();
}

#[test]
fn stopped_inside_a_commit_it_does_not_hold_the_next_one_up() {
    let mut world = World::new(Setting {
        database: Some(database(None)),
        ..Setting::sqlite("crash-transaction")
    });
    "--lease 6s".clone_into(&mut world.flags);
    let mut first = world.serve_first();
    world.set_up();
    world.until_trading();

    for lock in [Lock::Accounts, Lock::Intents, Lock::Verdicts] {
        first = stop_inside(&mut world, first, lock);
    }
    world.settle(&first);
    first.end();
}

#[test]
fn line_to_the_database_that_is_forgotten_holds_its_trading_up_for_seconds_only() {
    let mut world = World::new(Setting {
        database: Some(database(None)),
        ..Setting::sqlite("crash-forgotten")
    });
    let line = Line::new(world.database.as_ref().unwrap(), Cut::Forgotten).unwrap();
    world.flags = format!("--lease 6s --database {}", line.url());
    let process = world.serve_first();
    world.set_up();
    world.until_trading();

    // Every connection that it has, as it uses them: these say nothing any more.
    let said =
        process.wait_for_more("the lease is over", Duration::from_secs(20), || line.cut(true));
    assert!(said, "it has to notice: {}", process.log());
    let sent = process.orders_sent();
    world.check_orders();
    process.sends_no_more_than(sent);
    line.cut(false);

    let intents = world.intents();
    world.until_intents_above(intents, Duration::from_secs(45));
    world.settle(&process);
    process.end();
}

/// The first one is stopped while its commit waits for a lock; then the lock is free.
///
/// A commit that is one statement is ended by the server, and its client learns of it when it goes on: too
/// late to send anything. One that takes more, because it answers a command, stays open, with the account's
/// row locked, until the server loses its patience.
fn stop_inside(world: &mut World, first: Process, lock: Lock) -> Process {
    let held = world.database.as_ref().unwrap().hold(lock).unwrap();
    if lock == Lock::Verdicts {
        world.ask("bot resume 1 --wait 1s");
    }
    let backend = until_waiting(world);
    first.stop();
    let watch = Stopwatch::start();
    let second = world.serve();
    let sent = first.orders_sent();
    drop(held);
    let left = if lock == Lock::Verdicts { "idle in transaction" } else { "idle" };
    until_state(world, backend, |state| state == Some(left));

    world.until_owner(second.id(), LEASE + BOUND);
    let taken = watch.elapsed();
    assert!(taken < LEASE + BOUND, "{lock:?}: it was held up: {taken:?}");
    let intents = world.intents();
    world.until_intents_above(intents, Duration::from_mins(1));
    if lock == Lock::Verdicts {
        until_state(world, backend, |state| state.is_none());
    }

    let failed = || first.log().matches("the store failed").count();
    let before = failed();
    let said =
        first.wait_for_more("the lease is over", Duration::from_secs(20), || first.send("-CONT"));
    assert!(said, "{lock:?}: the first one has to notice: {}", first.log());
    let until = Patience::of(Duration::from_secs(20));
    while lock == Lock::Verdicts && failed() <= before {
        assert!(until.lasts(), "{lock:?}: its commit has to fail: {}", first.log());
        thread::sleep(LOOK_EVERY);
    }
    first.sends_no_more_than(sent);
    world.check_orders();
    println!("{lock:?}: taken over after {} ms", taken.as_millis());
    first.end();
    second
}

/// Until the engine's transaction waits for the lock; who serves it.
fn until_waiting(world: &World) -> u32 {
    let until = Patience::of(Duration::from_secs(30));
    loop {
        let sessions = world.database.as_ref().unwrap().sessions().unwrap();
        if let Some(session) = sessions.iter().find(|session| session.waits_for_lock) {
            return session.pid;
        }
        assert!(until.lasts(), "no transaction waits: {sessions:?}");
        thread::sleep(LOOK_EVERY);
    }
}

fn until_state(world: &World, backend: u32, is_so: impl Fn(Option<&str>) -> bool) {
    let until = Patience::of(Duration::from_secs(10));
    loop {
        let sessions = world.database.as_ref().unwrap().sessions().unwrap();
        let session = sessions.iter().find(|session| session.pid == backend);
        if is_so(session.map(|session| session.state.as_str())) {
            return;
        }
        assert!(until.lasts(), "{sessions:?}");
        thread::sleep(LOOK_EVERY);
    }
}
