//! What a supervisor and a monitor see.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{Bots, KEYS, place};
use crate::{patience::Patience, place::Place};

#[test]
fn health_answers_before_the_exchange_does() {
    let place = Place::new("serve-waiting");
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (health, closed) = (free(), free());
    let sockets = format!("--market-socket ws://{closed} --api-socket ws://{closed}/ws-api/v3");
    let line = format!("serve --data-dir data --health {health} --rest http://{closed} {sockets}");
    let mut command = place.command(&line);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let bots = Bots { child, health: health.to_string() };
    let until = Patience::of(Duration::from_secs(30));
    while TcpStream::connect(health).is_err() {
        assert!(until.lasts(), "health is not answered");
        thread::sleep(Duration::from_millis(50));
    }

    assert_eq!(bots.get("/livez").0, 200);
    let (status, why) = bots.get("/readyz");
    assert_eq!(status, 503);
    assert!(why.contains("the exchange has not told its pairs yet"), "{why}");
    bots.end();
}

#[test]
fn health_tells_how_it_stands() {
    let (place, exchange) = place("serve-health");
    let bots = Bots::start(&place, &exchange);
    bots.until_ready();

    // A server that waits needs little: the rest belongs to bots.
    let status = std::fs::read_to_string(format!("/proc/{}/status", bots.child.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 60 * 1024, "{kib} KiB");
    assert_eq!(bots.get("/livez").0, 200);
    assert_eq!(bots.get("/other").0, 404);
    let status: Value = serde_json::from_str(bots.get("/status").1.trim()).unwrap();
    assert_eq!(status["accounts"][0]["account"], 1);
    let metrics = bots.get("/metrics").1;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("tranche_") && value.parse::<u64>().is_ok(), "{line}");
    }
    // Each rule watches a metric that is told.
    let rules = include_str!("../../../../../docs/alerts.yml");
    let words = rules.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    for name in words.filter(|word| word.starts_with("tranche_")) {
        assert!(metrics.contains(&format!("\n{name}")), "{name}");
    }
    bots.end();
}

#[test]
fn a_database_that_takes_no_writes_is_not_ready() {
    let (place, exchange) = place("serve-locked");
    let bots = Bots::start(&place, &exchange);
    bots.until_ready();
    // Another program keeps the file's only place to write, as long as its input is open.
    let hold = "import sqlite3, sys\n\
        file = sqlite3.connect('data/tranche.db', isolation_level=None)\n\
        file.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()\n";
    let mut command = Command::new("python3");
    command.args(["-c", hold]).current_dir(place.path("."));
    let Ok(mut holder) = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        writeln!(std::io::stderr(), "SKIPPED: no Python holds the database").unwrap();
        return;
    };
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");

    let end = Patience::of(Duration::from_secs(20));
    let why = loop {
        let (status, why) = bots.get("/readyz");
        if status == 503 {
            break why;
        }
        assert!(end.lasts(), "it says that it is ready");
        thread::sleep(Duration::from_millis(200));
    };
    assert!(why.contains("does not take"), "{why}");

    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    bots.until_ready();
    bots.end();
}

#[test]
fn a_key_that_the_exchange_refuses_is_seen_by_who_watches() {
    let (place, exchange) = place("serve-bad-key");
    let bots = Bots::start(&place, &exchange);
    let key = [KEYS[0], ("TRANCHE_SECRET", "not the secret")];
    let add = format!("account add main --data-dir data --rest {}", exchange.rest);
    place.run_with(&add, &key).refuses(&["does not belong to the key", "--anyway --yes"]);
    assert_eq!(place.run_with(&format!("{add} --anyway --yes"), &key).code, Some(0));

    // What two rules for alerts look at.
    let end = Patience::of(Duration::from_secs(30));
    loop {
        let metrics = bots.get("/metrics").1;
        let has = |line: &str| metrics.lines().any(|told| told == line);
        if has("tranche_accounts{state=\"key_invalid\"} 1")
            && has("tranche_account_ready{account=\"2\"} 0")
            && has("tranche_account_ready{account=\"1\"} 1")
        {
            break;
        }
        assert!(end.lasts(), "{metrics}");
        thread::sleep(Duration::from_millis(200));
    }
    bots.end();
}
