//! A thousand configurations over a year of one-minute candles, on all cores, and what it takes.
//!
//! The same through the code of `tranche sweep`, the data folder included, is `door`.
//! Prints figures as they come; `--json FILE` writes them for the table. `--peers FOLDER` writes the year,
//! the deals of one bot and our own speed there, for `bench/peers/compare.py`; nothing is written when
//! the year is not recorded.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark: its input is its own, it looks at the clock, and not all use all of the scene"
)]

#[path = "../scene/mod.rs"]
mod scene;

mod door;

use std::{
    fmt::Write as _,
    fs,
    path::Path as FilePath,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use tranche_lab::{
    candles::{CandleFile, Columns},
    source::Source,
};
use tranche_sim::{
    backtest::{self, Market, Mode, Report},
    exchange::FillRule,
};

use crate::scene::{
    dca,
    figures::{Figures, Times, nanos},
    market,
    plans::{self, Terms},
    process::{argument, core_nanos, peak_bytes},
};

/// On each of three axes.
const SIDE: usize = 10;
const COUNT: usize = SIDE * SIDE * SIDE;
/// Runs of which the median counts.
const PAIRS: usize = 5;

fn main() {
    if let Some(folder) = argument("--door") {
        door::carry_out(FilePath::new(&folder));
        return;
    }
    let mut figures = Figures::default();
    let begin = Instant::now();
    let file = market::year();
    figures.note("year", &file.source.to_string());
    figures.put("sweep/read".to_owned(), nanos(begin));
    let begin = Instant::now();
    let market = plans::market(&file);
    figures.put("sweep/prepare".to_owned(), nanos(begin));
    let elements = (file.candles.len() * COUNT) as f64;

    let (begin, core) = (Instant::now(), core_nanos());
    let found = sweep(&market);
    figures.put("sweep/wall".to_owned(), nanos(begin));
    figures.put("sweep/core".to_owned(), core_nanos() - core);
    for name in ["sweep/wall", "sweep/core", "sweep/limit"] {
        figures.put(format!("{name}:elements"), elements);
    }
    let (deals, fills): (u64, u64) = (sum(&found, |one| one.0), sum(&found, |one| one.1));
    figures.put("sweep/fills".to_owned(), fills as f64);
    figures.put("sweep/peak".to_owned(), peak_bytes());
    println!("{}: {deals} deals, {fills} fills", file.source);
    for number in (0..COUNT).step_by(COUNT / 20) {
        let alone = run(&market, number);
        assert_eq!(found[number], alone, "a configuration alone is another one in the sweep");
    }

    let each: Vec<u64> = found.iter().map(|(_, fills)| *fills).collect();
    door::measure(&file, &each, &mut figures);

    let columns = file.columns(file.price_scale()).unwrap();
    limit(&columns, &mut figures);
    if let Some(path) = argument("--json") {
        fs::write(path, figures.json()).unwrap();
    }
    if let Some(folder) = argument("--peers") {
        match file.source {
            Source::Recorded { .. } => export(FilePath::new(&folder), &file, &market),
            Source::Generated { .. } => {
                println!("no recorded year: nothing is compared with peers");
            }
        }
    }
}

/// Deals and fills of each configuration.
fn sweep(market: &Market) -> Vec<(u64, u64)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if COUNT <= number {
                return done;
            }
            done.push((number, run(market, number)));
        }
    };
    let threads = thread::available_parallelism().unwrap().get();
    let mut found = vec![(0, 0); COUNT];
    let parts = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (number, one) in parts.into_iter().flatten() {
        found[number] = one;
    }
    found
}

fn run(market: &Market, number: usize) -> (u64, u64) {
    let plan = plans::plan(Mode::Jump, &terms(number));
    let report = backtest::run_on(market, &plan, &mut |_| {}).unwrap();
    (u64::from(report.deals_closed), report.fills)
}

/// Step, take profit and scale of the volume.
fn terms(number: usize) -> Terms {
    let (a, b, c) = (number / SIDE / SIDE, number / SIDE % SIDE, number % SIDE);
    let pct = |place: usize| format!("{:.2}", 0.5 + 0.25 * place as f64);
    Terms {
        step: pct(a),
        take_profit: pct(b),
        scale: format!("{:.1}", 1.0 + 0.1 * c as f64),
        ..Terms::default()
    }
}

/// The kernel over the same configurations, on one core.
fn limit(columns: &Columns, figures: &mut Figures) {
    let mut times = Times::default();
    for _ in 0..PAIRS {
        let begin = Instant::now();
        let tree = dca::Tree::new(columns);
        for number in 0..COUNT {
            let share = |text: &str| text.parse::<f64>().unwrap() / 100.0;
            let terms = terms(number);
            let config = dca::Config {
                step: share(&terms.step),
                take_profit: share(&terms.take_profit),
                volume_scale: terms.scale.parse().unwrap(),
                ..dca::Config::of_bench()
            };
            std::hint::black_box(dca::jump(columns, &tree, &config));
        }
        times.push(begin);
    }
    figures.put("sweep/limit".to_owned(), times.quantile(0.5));
}

/// What the peers run on, and what they are compared with.
fn export(folder: &FilePath, file: &CandleFile, market: &Market) {
    fs::create_dir_all(folder).unwrap();
    let mut year = String::from("open_time_ms,open,high,low,close,volume\n");
    for candle in &file.candles {
        let (at, volume) = (candle.open_at.ms(), candle.volume);
        let (open, high, low, close) = (candle.open, candle.high, candle.low, candle.close);
        writeln!(year, "{at},{open},{high},{low},{close},{volume}").unwrap();
    }
    fs::write(folder.join("year.csv"), year).unwrap();

    let mut plan = plans::plan(Mode::Jump, &Terms::default());
    plan.exchange.fill = FillRule::Touch;
    let report = backtest::run_on(market, &plan, &mut |_| {}).unwrap();
    let mut deals = String::from("opened_ms,closed_ms,bought,safety_orders,profit\n");
    for deal in &report.deals {
        let (opened, closed) = (deal.opened_at.ms(), deal.closed_at.ms());
        writeln!(deals, "{opened},{closed},{},{},{}", deal.bought, deal.safety_orders, deal.profit)
            .unwrap();
    }
    fs::write(folder.join("deals.csv"), deals).unwrap();

    let candles = file.candles.len() as f64;
    let each = |mode, market: &dyn Fn() -> Report| {
        let mut times = Times::default();
        for _ in 0..PAIRS {
            let core = core_nanos();
            // The clock of the processor is coarser than a single run.
            let repeats = if mode == Mode::Every { 1 } else { 20 };
            (0..repeats).for_each(|_| drop(std::hint::black_box(market())));
            times.add((core_nanos() - core) / f64::from(repeats));
        }
        candles / times.quantile(0.5) * 1e9
    };
    let speed = |mode| {
        let plan = plans::plan(mode, &Terms::default());
        each(mode, &|| backtest::run_on(market, &plan, &mut |_| {}).unwrap())
    };
    let whole = {
        let plan = plans::plan(Mode::Jump, &Terms::default());
        each(Mode::Jump, &|| backtest::run_on(&plans::market(file), &plan, &mut |_| {}).unwrap())
    };
    let ours = serde_json::json!({
        "candles": file.candles.len(),
        "deals": report.deals_closed,
        "fills": report.fills,
        "every": speed(Mode::Every),
        "scan": speed(Mode::Scan),
        "jump": speed(Mode::Jump),
        "jump_with_market": whole,
        "peak_mib": peak_bytes() / 1_048_576.0,
    });
    fs::write(folder.join("ours.json"), ours.to_string()).unwrap();
    println!("written for peers: {}", folder.display());
}

fn sum(found: &[(u64, u64)], of: impl Fn(&(u64, u64)) -> u64) -> u64 {
    found.iter().map(of).sum()
}
