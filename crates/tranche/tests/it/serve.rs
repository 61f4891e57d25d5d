//! `tranche serve`, and what steers it from other processes.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    patience::Patience,
    place::{BOT, Place},
    server::{KEY, SECRET, Server, send},
};

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

fn place(name: &str) -> (Place, Server) {
    let place = Place::new(name);
    place.write("bot.toml", BOT);
    let exchange = Server::start(&place, "");
    (place, exchange)
}

#[test]
fn bot_is_made_looked_at_and_steered_from_other_processes() {
    let place = Place::new("serve-steer");
    place.write("bot.toml", BOT);
    let exchange = Server::start(&place, "");
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];

    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));
    place.run_with("account add main --data-dir data", &key).refuses(&["already", "another name"]);
    let create = "bot create bot.toml --account main --data-dir data";
    place.run(create).refuses(&["real money", "--yes"]);
    let made = place.run(&format!("{create} --yes --json --wait 30s")).json();
    assert_eq!(made["verdict"], "accepted");
    let bot = made["bot"].as_u64().unwrap();

    let shown = until(&place, &format!("bot show {bot} --json --data-dir data"), |shown| {
        shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
    });
    let story = shown["log"].as_array().unwrap();
    assert!(
        story.iter().any(|line| line.as_str().unwrap().contains("deal opened at")),
        "{story:?}"
    );
    let told = place.run(&format!("bot show {bot} --story 5 --data-dir data"));
    assert!(
        told.out.contains("state       running") && told.out.contains("BTC/USDT"),
        "{}",
        told.out
    );

    for (line, state) in [("pause", "paused"), ("resume", "running"), ("stop", "stopped")] {
        assert_eq!(place.run(&format!("bot {line} {bot} --data-dir data")).code, Some(0), "{line}");
        let listed = place.run("bot list --json --data-dir data").json();
        assert_eq!(listed[0]["state"], state);
    }
    place
        .run(&format!("deal close {bot} 1 --data-dir data"))
        .refuses(&["sells at market", "--yes"]);
    assert_eq!(place.run(&format!("deal close {bot} 1 --yes --data-dir data")).code, Some(0));
    until(&place, "deal list --json --data-dir data", |deals| {
        deals[0]["ended"] == "closed_by_command"
    });
    place.run(&format!("deal close {bot} 1 --yes --data-dir data")).refuses(&["refused"]);
    place.run("bot show 77 --data-dir data").refuses(&["there is no bot 77"]);
    bots.end();
}

#[test]
fn command_without_a_server_waits_and_is_carried_out_once() {
    let (place, exchange) = place("serve-later");
    place.run("bot list --data-dir data").refuses(&["no database yet", "tranche serve"]);
    let bots = Bots::start(&place, &exchange);
    assert_eq!(place.run("bot create bot.toml --data-dir data --wait 30s").code, Some(0));
    bots.end();

    let told = place.run("account kill paper --data-dir data --wait 1s");
    assert_eq!(told.code, Some(3), "{}{}", told.out, told.err);
    assert!(told.err.contains("will be carried out"), "{}", told.err);

    let bots = Bots::start(&place, &exchange);
    until(&place, "account show paper --json --data-dir data", |account| {
        account["stopped_by"] == "kill switch: entries cancelled"
    });
    assert_eq!(place.run("account rearm paper --data-dir data --wait 30s").code, Some(0));
    bots.end();
}

#[test]
fn account_may_be_added_before_the_first_start() {
    let (place, exchange) = place("serve-early");
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    let told = place.run_with("account add main --data-dir data", &key);
    assert_eq!(told.code, Some(0), "{}", told.err);

    let bots = Bots::start(&place, &exchange);

    let accounts = place.run("account list --json --data-dir data").json();
    let names: Vec<&str> =
        accounts.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["main", "paper"]);
    bots.end();
}

#[test]
fn account_shows_what_the_exchange_told_last_and_how_long_ago() {
    let place = Place::new("serve-told");
    place.write("bot.toml", BOT);
    let flags =
        format!("--market generated --speed 0 --fee 0.0002,0.0004 --key {KEY} --secret {SECRET}");
    let exchange = Server::start_line(&place, &flags);
    let tick = || {
        exchange.control("/tick", r#"{"symbol":"BTCUSDT","price":"60000","qty":"50"}"#);
    };
    tick();
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));
    let create = "bot create bot.toml --account main --yes --wait 30s --data-dir data";
    assert_eq!(place.run(create).code, Some(0));

    let shown = until(&place, "account show main --json --data-dir data", |shown| {
        tick();
        let balances = shown["told"]["balances"].as_array().unwrap();
        balances.iter().any(|one| one["asset"] == "BTC" && !one["worth"].is_null())
    });

    let books = exchange.get("/books")["accounts"][0].clone();
    for (told, known) in shown["told"]["balances"]
        .as_array()
        .unwrap()
        .iter()
        .zip(books["balances"].as_array().unwrap())
    {
        for part in ["asset", "free", "locked"] {
            assert_eq!(told[part], known[part], "{told} {known}");
        }
    }
    let coins = &shown["told"]["balances"][0]["worth"];
    assert_eq!((&coins["price"], &coins["is_old"]), (&"60000".into(), &false.into()), "{coins}");
    assert!(0 < shown["told"]["limits"][0]["used"].as_u64().unwrap(), "{shown}");
    // Nobody said what it pays: the exchange did.
    assert_eq!(shown["fees"]["maker"], "0.0002", "{shown}");
    assert_eq!(shown["fees"]["taker"], "0.0004", "{shown}");
    bots.end();

    let told = place.run("account show main --data-dir data").out;
    assert!(told.contains("fees        0.02 % maker, 0.04 % taker"), "{told}");
    assert!(
        told.contains("balance     BTC ") && told.contains("USDT at the price 60000"),
        "{told}"
    );

    // What is said at the start counts more than what the exchange says.
    let bots = Bots::start_with(&place, &exchange, "--fee 0.3%,0.5%");
    until(&place, "account show main --json --data-dir data", |shown| {
        shown["fees"]["maker"] == "0.003" && shown["fees"]["taker"] == "0.005"
    });
    bots.end();
}

/// A bot on a pair that the exchange has closed, and what lets the market trade.
fn closed_pair(name: &str) -> (Place, Server) {
    let place = Place::new(name);
    place.write("bot.toml", BOT);
    let flags = format!("--market generated --speed 0 --key {KEY} --secret {SECRET}");
    let exchange = Server::start_line(&place, &flags);
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));
    let create = "bot create bot.toml --account main --yes --wait 30s --data-dir data";
    assert_eq!(place.run(create).code, Some(0));
    bots.end();
    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"halted"}"#);
    (place, exchange)
}

fn trade(exchange: &Server) {
    exchange.control("/tick", r#"{"symbol":"BTCUSDT","price":"60000","qty":"50"}"#);
}

fn until_it_trades(place: &Place, exchange: &Server) {
    until(place, "bot show 1 --json --data-dir data", |shown| {
        trade(exchange);
        shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
    });
}

#[test]
fn a_new_day_compares_accounts_and_a_pair_that_opens_again_is_traded() {
    let (place, exchange) = closed_pair("serve-midnight");
    // By the exchange's clock it is a little before midnight.
    let day = 86_400_000;
    let now = exchange.get("/state")["time"].as_i64().unwrap();
    let ahead = day - now.rem_euclid(day) - 20_000;
    exchange.control("/skew", &format!(r#"{{"ms":{ahead}}}"#));
    let bots = Bots::start(&place, &exchange);
    let told = |shown: &Value| shown["told"]["balances"][0]["told"].as_str().map(str::to_owned);
    let show = "account show main --json --data-dir data";
    let is_late = |shown: &Value| told(shown).is_some_and(|at| at.contains("T23:59:"));
    until(&place, show, is_late);
    trade(&exchange);
    assert_eq!(exchange_orders(&exchange), 0, "the market is closed");
    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"trading"}"#);

    // With the new day every balance is read, and the list of pairs.
    until(&place, show, |shown| told(shown).is_some_and(|at| at.contains("T00:00:")));
    until_it_trades(&place, &exchange);
    bots.end();
}

#[test]
fn a_pair_that_the_exchange_adds_can_be_traded_without_a_restart() {
    let place = Place::new("serve-added");
    place.write("bot.toml", &BOT.replace("BTC/USDT", "ETH/USDT"));
    let flags = format!("--market generated --speed 0 --key {KEY} --secret {SECRET}");
    let exchange = Server::start_line(&place, &format!("{flags} --symbol BTC/USDT"));
    // The list is read with the new day, which begins soon.
    let day = 86_400_000;
    let now = exchange.get("/state")["time"].as_i64().unwrap();
    let skew = format!(r#"{{"ms":{}}}"#, day - now.rem_euclid(day) - 20_000);
    exchange.control("/skew", &skew);
    let bots = Bots::start(&place, &exchange);
    let create = "bot create bot.toml --wait 30s --data-dir data";
    place.run(create).refuses(&["ETH/USDT"]);

    let address = exchange.address().to_owned();
    drop(exchange);
    let flags = format!("{flags} --symbol BTC/USDT,ETH/USDT");
    let exchange = Server::start_at(&place, &address, &flags);
    exchange.control("/skew", &skew);

    let end = Patience::of(Duration::from_mins(1));
    while place.run(create).code != Some(0) {
        assert!(end.lasts(), "{}", place.run(create).err);
        thread::sleep(Duration::from_secs(1));
    }
    let tick = r#"{"symbol":"ETHUSDT","price":"3000","qty":"50"}"#;
    let bot = place.run("bot list --json --data-dir data").json();
    let bot = bot.as_array().unwrap().last().unwrap()["bot"].as_u64().unwrap();
    until(&place, &format!("bot show {bot} --json --data-dir data"), |shown| {
        exchange.control("/tick", tick);
        shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
    });
    bots.end();
}

#[test]
fn a_pair_that_opens_again_is_traded_soon() {
    let (place, exchange) = closed_pair("serve-reopened");
    let bots = Bots::start(&place, &exchange);
    let end = Patience::of(Duration::from_secs(30));
    while bots.get("/readyz").0 != 200 {
        assert!(end.lasts(), "{}", bots.get("/readyz").1);
        thread::sleep(Duration::from_millis(100));
    }
    trade(&exchange);

    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"trading"}"#);

    until_it_trades(&place, &exchange);
    bots.end();
}

#[test]
fn a_database_that_takes_no_writes_is_not_ready() {
    let (place, exchange) = place("serve-locked");
    let bots = Bots::start(&place, &exchange);
    let end = Patience::of(Duration::from_secs(30));
    while bots.get("/readyz").0 != 200 {
        assert!(end.lasts(), "{}", bots.get("/readyz").1);
        thread::sleep(Duration::from_millis(100));
    }
    // Another program keeps the file's only place to write, as long as its input is open.
    let hold = "import sqlite3, sys\n\
        file = sqlite3.connect('data/tranche.db', isolation_level=None)\n\
        file.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()\n";
    let mut command = std::process::Command::new("python3");
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
    let end = Patience::of(Duration::from_secs(30));
    while bots.get("/readyz").0 != 200 {
        assert!(end.lasts(), "{}", bots.get("/readyz").1);
        thread::sleep(Duration::from_millis(100));
    }
    bots.end();
}

#[test]
fn a_key_that_the_exchange_refuses_is_seen_by_who_watches() {
    let (place, exchange) = place("serve-bad-key");
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", "not the secret")];
    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));

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

/// What Python does to the database from outside; `None` where there is no Python.
fn meddle(place: &Place, script: &str) -> Option<String> {
    let head = "import sqlite3\nfile = sqlite3.connect('data/tranche.db', isolation_level=None)\n";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", &format!("{head}{script}")]).current_dir(place.path("."));
    let Ok(output) = command.output() else {
        writeln!(std::io::stderr(), "SKIPPED: no Python writes into the database").unwrap();
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_bot_that_was_refused_after_nobody_waited_any_more_is_not_listed() {
    let (place, exchange) = place("serve-refused");
    Bots::start(&place, &exchange).end();
    place.write("other.toml", &BOT.replace("BTC/USDT", "NONE/USDT"));
    let told = place.run("bot create other.toml --wait 1s --data-dir data");
    assert_eq!(told.code, Some(3), "{}{}", told.out, told.err);
    let listed = place.run("bot list --json --data-dir data").json();
    assert_eq!(listed[0]["state"], "not made yet");
    assert_eq!(place.run("bot show 1 --json --data-dir data").json()["state"], "not made yet");

    let bots = Bots::start(&place, &exchange);

    until(&place, "bot list --json --data-dir data", |listed| listed == &json!([]));
    let told = place.run("bot show 1 --data-dir data");
    assert!(told.out.contains("not there: refused"), "{}{}", told.out, told.err);
    bots.end();
}

#[test]
fn a_command_that_cannot_be_read_is_refused_and_those_behind_it_go_on() {
    let (place, exchange) = place("serve-unreadable");
    Bots::start(&place, &exchange).end();
    let put = "file.execute(\"INSERT INTO commands (command, account, issued_by, body, at) \
        VALUES ('77', 1, 'test', x'63FFFF', 0)\")";
    if meddle(&place, put).is_none() {
        return;
    }
    let bots = Bots::start(&place, &exchange);

    assert_eq!(place.run("account pause paper --wait 30s --data-dir data").code, Some(0));

    let read = "print(file.execute(\"SELECT accepted, reason FROM verdicts WHERE command = '77'\")\
        .fetchone())";
    let verdict = meddle(&place, read).unwrap();
    assert!(verdict.contains("0, 'unreadable:"), "{verdict}");
    bots.end();
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let (place, exchange) = place("serve-newer");
    Bots::start(&place, &exchange).end();
    let put = "file.execute('INSERT INTO _sqlx_migrations (version, description, success, checksum, \
        execution_time) SELECT 99, description, success, checksum, 0 FROM _sqlx_migrations LIMIT 1')";
    if meddle(&place, put).is_none() {
        return;
    }

    let serve = format!("serve --data-dir data {}", exchange.flags());
    for line in [serve.as_str(), "bot list --data-dir data", "verify --data-dir data"] {
        place.run(line).refuses(&["newer version of Tranche"]);
    }
}

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
    let until = Patience::of(Duration::from_secs(30));
    while bots.get("/readyz").0 != 200 {
        assert!(until.lasts(), "{}", bots.get("/readyz").1);
        thread::sleep(Duration::from_millis(100));
    }

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
    let rules = include_str!("../../../../docs/alerts.yml");
    let words = rules.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    for name in words.filter(|word| word.starts_with("tranche_")) {
        assert!(metrics.contains(&format!("\n{name}")), "{name}");
    }
    bots.end();
}

#[test]
fn data_is_nobody_elses_and_secrets_are_not_in_it() {
    let (place, exchange) = place("serve-secrets");
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    let told = place.run_with("account add main --data-dir data", &key);
    bots.end();

    let mode = |name: &str| place.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/master.key")), (0o700, 0o600));
    let files = place.path("data").read_dir().unwrap();
    for name in files.map(|file| file.unwrap().file_name().into_string().unwrap()) {
        assert_eq!(mode(&format!("data/{name}")) & 0o077, 0, "{name}");
    }
    for entry in place.path("data").read_dir().unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [KEY, SECRET] {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{secret} lies open");
        }
    }
    assert!(!told.out.contains(SECRET) && !told.err.contains(SECRET));
}

#[test]
fn backup_is_put_back_and_sends_nothing_until_it_is_released() {
    let (place, exchange) = place("serve-backup");
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));
    let create = "bot create bot.toml --account main --yes --json --wait 30s --data-dir data";
    let bot = place.run(create).json()["bot"].as_u64().unwrap();
    let show = format!("bot show {bot} --json --data-dir data");
    until(&place, &show, |shown| {
        shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
    });

    assert_eq!(place.run("backup b.db --data-dir data").code, Some(0));
    place.run("backup b.db --data-dir data").refuses(&["already there"]);
    place.run("restore b.db --force --data-dir data").refuses(&["in use by process"]);
    // What the backup does not know.
    assert_eq!(place.run(&format!("bot stop {bot} --data-dir data")).code, Some(0));
    assert_eq!(place.run(&format!("deal close {bot} 1 --yes --data-dir data")).code, Some(0));
    until(&place, "deal list --json --data-dir data", |deals| {
        deals[0]["ended"] == "closed_by_command"
    });
    bots.end();

    place.run("restore b.db --data-dir data").refuses(&["already there", "--force"]);
    let told = place.run("restore b.db --force --data-dir data");
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("account release"), "{}", told.out);
    let told = place.run("verify --data-dir data");
    assert_eq!((told.code, told.out.starts_with("whole")), (Some(0), true), "{}", told.out);
    let bots = Bots::start(&place, &exchange);
    // It finds out that the deal was closed meanwhile, and would open the next one.
    let is_withheld = |bots: &Bots| {
        let metrics = bots.get("/metrics").1;
        let line = metrics.lines().find(|line| line.starts_with("tranche_calls_withheld_total"));
        !line.unwrap().ends_with(" 0")
    };
    let end = Patience::of(Duration::from_mins(2));
    while !is_withheld(&bots) {
        assert!(end.lasts(), "nothing is held back");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(exchange_orders(&exchange), 0);

    let told = place.run("account release --data-dir data");
    assert!(told.code == Some(2) && told.err.contains("<NAME|--all>"), "{}", told.err);
    let told = place.run("account release paper --data-dir data").out;
    assert!(told.contains("still in quarantine: main"), "{told}");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(exchange_orders(&exchange), 0, "the other account waits");
    let shown = place.run("account show main --json --data-dir data").json();
    assert_eq!(shown["in_quarantine"], true);
    assert_eq!(place.run("account release main --data-dir data").code, Some(0));
    let end = Patience::of(Duration::from_secs(90));
    while exchange_orders(&exchange) == 0 {
        assert!(end.lasts(), "nothing is sent after the release");
        thread::sleep(Duration::from_millis(200));
    }
    bots.end();
}

fn exchange_orders(exchange: &Server) -> u64 {
    let state = exchange.get("/state");
    state["open_orders"].as_u64().unwrap_or_else(|| panic!("{state}"))
}

/// What the real account holds of a coin, at the exchange.
fn holds(exchange: &Server, asset: &str) -> Decimal {
    let books = exchange.get("/books");
    let balances = books["accounts"][0]["balances"].as_array().unwrap().clone();
    let held = balances.iter().find(|one| one["asset"] == asset).unwrap();
    let part = |name: &str| held[name].as_str().unwrap().parse::<Decimal>().unwrap();
    part("free") + part("locked")
}

#[test]
fn fees_in_a_third_coin_are_in_the_profit_also_over_a_kill() {
    let place = Place::new("serve-third-coin");
    place.write("bot.toml", &BOT.replace("\"100\"", "\"1000\""));
    let flags = format!(
        "--market generated --speed 0 --symbol BTC/USDT,ETH/USDT --balance USDT=10000,ETH=5 \
         --fee-asset ETH --key {KEY} --secret {SECRET}"
    );
    let exchange = Server::start_line(&place, &flags);
    let tick = |symbol: &str, price: &str| {
        let tick = format!(r#"{{"symbol":"{symbol}","price":"{price}","qty":"50"}}"#);
        exchange.control("/tick", &tick);
    };
    tick("ETHUSDT", "2500");
    tick("BTCUSDT", "60000");
    let (dollars, coins) = (holds(&exchange, "USDT"), holds(&exchange, "ETH"));
    let bots = Bots::start(&place, &exchange);
    let key = [("TRANCHE_KEY", KEY), ("TRANCHE_SECRET", SECRET)];
    assert_eq!(place.run_with("account add main --data-dir data", &key).code, Some(0));
    let create = "bot create bot.toml --account main --yes --json --wait 30s --data-dir data";
    let bot = place.run(create).json()["bot"].as_u64().unwrap();
    until(&place, &format!("bot show {bot} --json --data-dir data"), |shown| {
        tick("BTCUSDT", "60000");
        shown["deals"][0]["orders"].as_array().is_some_and(|orders| orders.len() == 3)
    });
    assert_eq!(place.run(&format!("bot stop {bot} --data-dir data")).code, Some(0));

    // Killed, while a safety order and the take profit are filled.
    drop(bots);
    tick("BTCUSDT", "59300");
    tick("BTCUSDT", "62000");
    let bots = Bots::start(&place, &exchange);
    let deals = until(&place, "deal list --json --data-dir data", |deals| {
        tick("BTCUSDT", "62000");
        !deals[0]["closed"].is_null()
    });

    let number = |name: &str| deals[0][name].as_str().unwrap().parse::<Decimal>().unwrap();
    let fees = (coins - holds(&exchange, "ETH")) * Decimal::from(2500);
    assert!((number("fees") - fees).abs() < Decimal::new(1, 2), "{deals} {fees}");
    assert!(Decimal::ONE < fees, "{fees}");
    let profit = holds(&exchange, "USDT") - dollars - fees;
    assert!((number("profit") - profit).abs() < Decimal::new(1, 2), "{deals} {profit}");
    assert!(bots.get("/metrics").1.contains("\ntranche_fees_unvalued_total 0\n"));
    bots.end();
}

#[test]
fn what_is_wrong_at_the_start_is_said() {
    let place = Place::new("serve-refusals");
    let serve = |flags: &str| place.run(&format!("serve --data-dir data {flags}"));

    serve("--health 0.0.0.0:9020").refuses(&["health", "not of this machine alone"]);
    serve("--lease 1s").refuses(&["lease: 1s", "from 6s to 120s"]);
    serve("--database mysql://x").refuses(&["not a database", "sqlite:"]);
    serve("--rest http://127.0.0.1:1").refuses(&["--rest without --market-socket"]);
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
