//! `tranche serve`, and what steers it from other processes.

mod accounts;
mod database;
mod health;
mod keys;
mod pairs;
mod retention;
mod rights;
mod steer;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    patience::Patience,
    place::{BOT, Place, Told},
    server::{KEY, SECRET, Server, send},
};

/// The key of the account `main`.
const KEYS: [(&str, &str); 2] = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];

#[test]
fn what_is_wrong_at_the_start_is_said() {
    let place = Place::new("serve-refusals");
    let serve = |flags: &str| place.run(&format!("serve --data-dir data {flags}"));

    serve("--health 0.0.0.0:9020").refuses(&["health", "not of this machine alone"]);
    serve("--keep-journal 5m").refuses(&["keep-journal: 5m", "1h or more"]);
    serve("--lease 1s").refuses(&["lease: 1s", "from 6s to 120s"]);
    serve("--database mysql://x").refuses(&["not a database", "sqlite:"]);
    serve("--rest http://127.0.0.1:1").refuses(&["--rest without --market-socket"]);
}

/// A server of bots, ended with the test.
pub(crate) struct Bots {
    child: Child,
    health: String,
}

impl Bots {
    pub(crate) fn start(place: &Place, exchange: &Server) -> Self {
        Self::start_with(place, exchange, "")
    }

    pub(crate) fn start_with(place: &Place, exchange: &Server, flags: &str) -> Self {
        Self::start_at(place, exchange, &format!("--data-dir data {flags}"))
    }

    /// On a database that the flags name.
    pub(crate) fn start_at(place: &Place, exchange: &Server, flags: &str) -> Self {
        let line = format!("serve --health 127.0.0.1:0 {} {flags}", exchange.flags());
        let mut command = place.command(&line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let health = lines.find(|line| line.starts_with("health")).expect("it tells its address");
        let health = health.rsplit("http://").next().unwrap().to_owned();
        Self { child, health }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.health).unwrap();
        let host = &self.health;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    }

    fn until_ready(&self) {
        let end = Patience::of(Duration::from_secs(30));
        while self.get("/readyz").0 != 200 {
            assert!(end.lasts(), "{}", self.get("/readyz").1);
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn end(mut self) {
        send("-TERM", self.child.id());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Bots {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder with a bot's settings, and an exchange whose market goes on by itself.
fn place(name: &str) -> (Place, Server) {
    let place = Place::new(name);
    place.write("bot.toml", BOT);
    let exchange = Server::start(&place, "");
    (place, exchange)
}

/// The same, where the price moves in the test's hands only: see [`trade`].
fn still_place(name: &str, flags: &str) -> (Place, Server) {
    let place = Place::new(name);
    place.write("bot.toml", BOT);
    let exchange = Server::start_line(&place, &still_flags(flags));
    (place, exchange)
}

fn still_flags(flags: &str) -> String {
    format!("--market generated --speed 0 --key {KEY} --secret {SECRET} {flags}")
}

fn trade(exchange: &Server, symbol: &str, price: &str) {
    let tick = format!(r#"{{"symbol":"{symbol}","price":"{price}","qty":"50"}}"#);
    exchange.control("/tick", &tick);
}

/// The account `main`, with the exchange's key.
fn add_account(place: &Place, exchange: &Server) -> Told {
    add_named(place, exchange, "main")
}

fn add_named(place: &Place, exchange: &Server, name: &str) -> Told {
    let add = format!("account add {name} --data-dir data --rest {}", exchange.rest);
    let told = place.run_with(&add, &KEYS);
    assert_eq!(told.code, Some(0), "{}", told.err);
    told
}

/// A bot of `bot.toml` on the account `main`; its number.
fn create_bot(place: &Place) -> u64 {
    let create = "bot create bot.toml --account main --yes --json --wait 30s --data-dir data";
    let told = place.run(create);
    assert_eq!(told.code, Some(0), "{}", told.err);
    told.json()["bot"].as_u64().unwrap()
}

/// Its deal has the take profit and both safety orders at the exchange.
fn has_all_orders(shown: &Value) -> bool {
    shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
}

fn open_orders(exchange: &Server) -> u64 {
    let state = exchange.get("/state");
    state["open_orders"].as_u64().unwrap_or_else(|| panic!("{state}"))
}

/// What Python does to the database from outside; `None` where there is no Python.
fn meddle(place: &Place, script: &str) -> Option<String> {
    let head = "import sqlite3\nfile = sqlite3.connect('data/tranche.db', isolation_level=None)\n";
    let mut command = Command::new("python3");
    command.args(["-c", &format!("{head}{script}")]).current_dir(place.path("."));
    let Ok(output) = command.output() else {
        writeln!(std::io::stderr(), "SKIPPED: no Python writes into the database").unwrap();
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Asks again until it is so; the last answer.
pub(crate) fn until(place: &Place, line: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Patience::of(Duration::from_mins(1));
    loop {
        let told = place.run(line).json();
        if is_so(&told) {
            return told;
        }
        assert!(end.lasts(), "{line}: {told}");
        thread::sleep(Duration::from_millis(200));
    }
}
