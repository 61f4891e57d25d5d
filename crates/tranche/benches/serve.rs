//! The real `tranche serve` as whoever runs it sees it: how long until it is ready, what memory it holds
//! while nothing happens, and whether that grows over a day of trading. The day passes on `tranche
//! simserver`, many times faster than life, with a paper account and bots on its generated market.
//!
//! Prints figures as they come; `--json FILE` writes all of them for the table. `--seconds N` is how long
//! the day takes.
#![expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark: its input is its own, and it looks at the clock"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long the day takes.
const SECONDS: u64 = 120;
const DAY_SECONDS: u64 = 86_400;
/// Starts of which the middle one counts.
const STARTS: usize = 5;
/// How long nothing happens before memory is looked at.
const IDLE: Duration = Duration::from_secs(10);
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// The part of the day in which caches fill: it does not count.
const WARM: f64 = 0.4;
const BOTS: u32 = 12;
const PAIRS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDT"];
/// Longer than any start takes, also on a machine with other work.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() {
    let seconds = argument("--seconds").map_or(SECONDS, |text| text.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("tranche-serve-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut figures = BTreeMap::new();
    idle(&folder.join("idle"), &mut figures);
    day(&folder.join("day"), seconds, &mut figures);
    fs::remove_dir_all(&folder).unwrap();
    if let Some(path) = argument("--json") {
        fs::write(path, serde_json::to_vec(&figures).unwrap()).unwrap();
    }
}

/// Starts of an installation that has its account and no bot, then its memory at rest.
fn idle(folder: &Path, figures: &mut BTreeMap<String, f64>) {
    let exchange = Exchange::start(folder, 1);
    Serve::start(folder, &exchange, &[]).end();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let serve = Serve::start(folder, &exchange, &[]);
        starts.push(began.elapsed());
        serve.end();
    }
    starts.sort_unstable();
    put(figures, "serve/start", starts[STARTS / 2].as_nanos() as f64);
    let serve = Serve::start(folder, &exchange, &[]);
    sleep(IDLE);
    put(figures, "serve/idle", serve.resident());
    serve.end();
}

/// A day of trading, and the line through the memory that it holds.
fn day(folder: &Path, seconds: u64, figures: &mut BTreeMap<String, f64>) {
    let exchange = Exchange::start(folder, DAY_SECONDS / seconds);
    let bots: Vec<String> = (0..BOTS).map(|number| bot(folder, number)).collect();
    let serve = Serve::start(folder, &exchange, &bots);
    let (began, mut samples) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(seconds) {
        sleep(SAMPLE_EVERY);
        let share = began.elapsed().as_secs_f64() / seconds as f64;
        if WARM <= share {
            samples.push((share, serve.resident()));
        }
    }
    put(figures, "day/ticks", serve.ticks());
    let text = tell(folder, "deal list --json");
    let deals: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (slope, error) = line(&samples);
    put(figures, "day/deals", deals.as_array().unwrap().len() as f64);
    put(figures, "day/growth", slope);
    put(figures, "day/error", error);
    put(figures, "day/end", samples.last().unwrap().1);
    put(
        figures,
        "day/database",
        fs::metadata(folder.join("data/tranche.db")).unwrap().len() as f64,
    );
    serve.end();
}

/// The slope of the line through the points, and its standard error.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (x / count, y / count);
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let along: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = along / spread;
    let left = points.iter().map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2));
    (slope, (left.sum::<f64>() / (count - 2.0) / spread).sqrt())
}

/// Settings that trade often, each bot's a little other.
fn bot(folder: &Path, number: u32) -> String {
    let pair = PAIRS[number as usize % PAIRS.len()];
    let text = format!(
        "name = \"bot-{number}\"\npairs = [\"{pair}\"]\nbase_order_volume = \"100\"\n\
         safety_order_volume = \"100\"\nsafety_order_step_pct = \"0.{step}\"\n\
         max_safety_orders = 5\nactive_safety_orders_count = 2\ntake_profit_pct = \"0.{take}\"\n",
        step = 3 + number % 5,
        take = 3 + number % 4,
    );
    let name = format!("bot-{number}.toml");
    fs::write(folder.join(&name), text).unwrap();
    format!("paper={name}")
}

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The exchange: the same binary, on a generated market.
struct Exchange {
    _process: Process,
    address: String,
}

impl Exchange {
    fn start(folder: &Path, speed: u64) -> Self {
        fs::create_dir_all(folder).unwrap();
        let line = format!(
            "simserver --listen 127.0.0.1:0 --market generated --speed {speed} --key me --secret play"
        );
        let mut process = Process(command(folder, &line).stdout(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let told = lines.map(Result::unwrap).find(|line| line.starts_with("rest"));
        let told = told.expect("the exchange tells its address");
        let address = told.rsplit("http://").next().unwrap().to_owned();
        Self { _process: process, address }
    }
}

/// The server of bots.
struct Serve {
    process: Process,
    health: SocketAddr,
}

impl Serve {
    /// Comes back when it says that it is ready.
    fn start(folder: &Path, exchange: &Exchange, bots: &[String]) -> Self {
        let health = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = &exchange.address;
        let mut command = command(
            folder,
            &format!(
                "serve --data-dir data --health {health} --balance USDT=1000000 --rest http://{at} \
                 --market-socket ws://{at} --api-socket ws://{at}/ws-api/v3"
            ),
        );
        for bot in bots {
            command.args(["--bot", bot]);
        }
        let process = Process(command.stdout(Stdio::null()).spawn().unwrap());
        let began = Instant::now();
        while get(health, "/readyz").is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not get ready");
            sleep(Duration::from_millis(2));
        }
        Self { process, health }
    }

    /// Bytes of its memory that are in the machine's.
    fn resident(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
    }

    /// Trades of the market that it took in.
    fn ticks(&self) -> f64 {
        let metrics = get(self.health, "/metrics").unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("tranche_ticks_total "));
        line.unwrap().parse().unwrap()
    }

    fn end(mut self) {
        let process = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        assert!(self.process.0.wait().unwrap().success());
    }
}

/// The body of what it answers, if it is well.
fn get(health: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(health).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {health}\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let body = answer.strip_prefix("HTTP/1.1 200")?.split_once("\r\n\r\n")?.1;
    Some(body.to_owned())
}

/// What the binary prints.
fn tell(folder: &Path, line: &str) -> String {
    let output = command(folder, &format!("{line} --data-dir data")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The binary in this folder, without settings from outside and without words on the terminal.
fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_tranche")));
    command.current_dir(folder).args(line.split_whitespace()).stderr(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRANCHE_")) {
        command.env_remove(name);
    }
    command
}

fn put(figures: &mut BTreeMap<String, f64>, name: &str, value: f64) {
    println!("{name:<24} {value:>16.0}");
    figures.insert(name.to_owned(), value);
}

/// What follows this word on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
