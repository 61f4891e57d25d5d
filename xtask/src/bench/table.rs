//! The page that the figures are written to: what stands in it, and the goals.
#![expect(clippy::float_arithmetic, reason = "measured times are no money")]

mod durable;
mod kept;

use std::fmt::Write as _;

use super::{Run, figures::Figures};
use kept::{Kept, PRICES, not_measured};

/// A line of a table.
struct Row {
    what: &'static str,
    ours: &'static str,
    show: Show,
    /// What was measured beside it, and what that is.
    beside: Option<(&'static str, &'static str)>,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Show {
    Nanos,
    /// How often in a second, when one run does as many as `:elements` says.
    PerSecond,
    Bytes,
    Mebibytes,
    Number,
    Count,
}

#[derive(Clone, Copy)]
enum Goal {
    None,
    /// The number itself, in the unit that it was measured in, is at most this.
    Most(f64),
    /// It does at least this many in a second.
    Rate(f64),
    /// It takes at most this many times what stands beside it.
    Times(f64),
}

const fn row(what: &'static str, ours: &'static str, show: Show) -> Row {
    Row { what, ours, show, beside: None, goal: Goal::None }
}

impl Row {
    const fn beside(mut self, name: &'static str, what: &'static str) -> Self {
        self.beside = Some((name, what));
        self
    }

    const fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }
}

const SETS: &str = "two ordered sets";
const KERNEL: &str = "arithmetic on integers and floats";
const ROWS_OF_PLAIN_INTEGERS: &str = "rows of integers, two sets";

const STEPS: [Row; 3] = [
    row(
        "safety order filled, old take profit back, new one placed",
        "step/safety-fill",
        Show::Nanos,
    )
    .beside("step/limit", KERNEL),
    row("the same, events in a second", "step/safety-fill", Show::PerSecond),
    row("a wake that changes nothing, in a second", "step/idle-wake", Show::PerSecond),
];

const TICKS: [Row; 17] = [
    row("1,000 bots, p50", "index/thirds/1000/p50", Show::Nanos)
        .beside("limit/ordered/1000/p50", SETS),
    row("10,000 bots, p50", "index/thirds/10000/p50", Show::Nanos)
        .beside("limit/ordered/10000/p50", SETS),
    row("100,000 bots, p50", "index/thirds/100000/p50", Show::Nanos)
        .beside("limit/ordered/100000/p50", SETS),
    row("1,000,000 bots, p50", "index/thirds/1000000/p50", Show::Nanos)
        .beside("limit/ordered/1000000/p50", SETS),
    row("1,000 bots, p99", "index/thirds/1000/p99", Show::Nanos)
        .beside("limit/ordered/1000/p99", SETS),
    row("10,000 bots, p99", "index/thirds/10000/p99", Show::Nanos)
        .beside("limit/ordered/10000/p99", SETS),
    row("100,000 bots, p99", "index/thirds/100000/p99", Show::Nanos)
        .beside("limit/ordered/100000/p99", SETS),
    row("1,000,000 bots, p99", "index/thirds/1000000/p99", Show::Nanos)
        .beside("limit/ordered/1000000/p99", SETS),
    row("mean without the clock, 1,000 bots", "cost/quiet/1000", Show::Nanos)
        .beside("limit/visit-all/1000/mean", "asking every bot"),
    row("mean without the clock, 1,000,000 bots", "cost/quiet/1000000", Show::Nanos)
        .beside("limit/visit-all/1000000/mean", "asking every bot"),
    row("slope of log cost on log bots, index", "slope/quiet", Show::Number)
        .beside("slope/ordered", SETS)
        .goal(Goal::Most(0.15)),
    row("the same, through a whole shard to 100,000 bots", "slope/shard-committed", Show::Number)
        .goal(Goal::Most(0.15)),
    row("whole shard, 100,000 bots, p50", "hits/committed/100000/p50", Show::Nanos),
    row("whole shard, 100,000 bots, p99", "hits/committed/100000/p99", Show::Nanos),
    row("only trails, new highs in it, 1,000 bots, mean", "cost/trail/1000", Show::Nanos),
    row("only trails, new highs in it, 1,000,000 bots, mean", "cost/trail/1000000", Show::Nanos),
    row("the processor's clock, which is in p50 and p99", "index/clock", Show::Nanos),
];

const HITS: [Row; 8] = [
    row("index, 10,000 bots", "index/thirds/10000/per-hit", Show::Nanos)
        .beside("limit/ordered/10000/per-hit", SETS)
        .goal(Goal::Most(1000.0)),
    row("index, 1,000,000 bots", "index/thirds/1000000/per-hit", Show::Nanos)
        .beside("limit/ordered/1000000/per-hit", SETS)
        .goal(Goal::Most(1000.0)),
    row("index, trails only, 1,000,000 bots", "index/trails/1000000/per-hit", Show::Nanos)
        .goal(Goal::Most(1000.0)),
    row("tick to commit with intent, 1,000 bots", "hits/committed/1000/per-hit", Show::Nanos),
    row("tick to commit with intent, 10,000 bots", "hits/committed/10000/per-hit", Show::Nanos),
    row("tick to commit with intent, 100,000 bots", "hits/committed/100000/per-hit", Show::Nanos),
    row("tick to call, nothing written, 100,000 bots", "hits/volatile/100000/per-hit", Show::Nanos),
    row("from there until the new take profit rests", "hits/committed/100000/after", Show::Nanos),
];

const MEMORY: [Row; 3] = [
    row("5 safety orders, one rests, 10 bots an account", "memory/one-rests", Show::Bytes)
        .beside("memory/limit", ROWS_OF_PLAIN_INTEGERS)
        .goal(Goal::Most(2048.0)),
    row("5 safety orders, all rest, 10 bots an account", "memory/all-rest", Show::Bytes)
        .beside("memory/limit", ROWS_OF_PLAIN_INTEGERS)
        .goal(Goal::Most(2048.0)),
    row("5 safety orders, one rests, an account each", "memory/alone", Show::Bytes)
        .beside("memory/limit", ROWS_OF_PLAIN_INTEGERS),
];

const BACKTEST: [Row; 7] = [
    row("every candle fed", "backtest/every", Show::PerSecond),
    row("every candle looked at", "backtest/scan", Show::PerSecond)
        .beside("backtest/limit-scan", KERNEL)
        .goal(Goal::Times(20.0)),
    row("from one that matters to the next", "backtest/jump", Show::PerSecond)
        .beside("backtest/limit-jump", KERNEL)
        .goal(Goal::Rate(5e7)),
    row("the same, trailing: looked at", "backtest/scan-trailing", Show::PerSecond),
    row("the same, trailing: from one to the next", "backtest/jump-trailing", Show::PerSecond),
    row("the same, both orders of each candle tried", "backtest/jump-worst", Show::PerSecond),
    row("making the market ready, once", "backtest/prepare", Show::Nanos)
        .beside("backtest/limit-tree", "the kernel's tree"),
];

const SWEEP_DOOR: &str = "The same thousand configurations as `tranche sweep` tries them, in a process \
    of its own: candles from the data folder, all figures of every try, the journal on the disk, and a \
    closer look at the ten best. Its fills are those of the runs above.";

const DOOR: [Row; 7] = [
    row("wall time, all cores", "door/wall", Show::Nanos).goal(Goal::Most(10e9)),
    row("processor time", "door/core", Show::Nanos),
    row("reading the candles from the data folder", "door/load", Show::Nanos),
    row("making the market ready", "door/prepare", Show::Nanos),
    row("a thousand tries, each with all its figures, in the journal", "door/tries", Show::Nanos),
    row("a closer look at the ten best", "door/judge", Show::Nanos),
    row("peak memory", "door/peak", Show::Mebibytes),
];

const SWEEP: [Row; 5] = [
    row("wall time, all cores", "sweep/wall", Show::Nanos)
        .beside("sweep/limit", "kernel, one core")
        .goal(Goal::Most(10e9)),
    row("processor time", "sweep/core", Show::Nanos).beside("sweep/limit", "kernel, one core"),
    row("candles in a second of one core", "sweep/core", Show::PerSecond),
    row("reading the compressed text file, not in it", "sweep/read", Show::Nanos),
    row("peak memory, the read file in it", "sweep/peak", Show::Mebibytes),
];

const PEERS: [Row; 9] = [
    row("vectorbt, one configuration", "peers/ours/jump", Show::PerSecond)
        .beside("peers/vectorbt", "vectorbt")
        .goal(Goal::Times(0.05)),
    row("the same, with making the market ready", "peers/ours/jump_with_market", Show::PerSecond)
        .beside("peers/vectorbt", "vectorbt")
        .goal(Goal::Times(0.05)),
    row("the same, our scan", "peers/ours/scan", Show::PerSecond)
        .beside("peers/vectorbt", "vectorbt")
        .goal(Goal::Times(0.05)),
    row("vectorbt, eight at once", "peers/ours/jump", Show::PerSecond)
        .beside("peers/vectorbt-8", "vectorbt"),
    row("NautilusTrader, bars", "peers/ours/jump", Show::PerSecond)
        .beside("peers/nautilus", "NautilusTrader"),
    row("NautilusTrader, trades", "peers/ours/every", Show::PerSecond)
        .beside("peers/nautilus-trades", "NautilusTrader"),
    row("backtesting.py", "peers/ours/jump", Show::PerSecond)
        .beside("peers/backtesting", "backtesting.py"),
    row("freqtrade, one month of it", "peers/ours/jump", Show::PerSecond)
        .beside("peers/freqtrade", "freqtrade"),
    row("deals equal to NautilusTrader's, to the cent", "peers/deals/same", Show::Number)
        .beside("peers/deals", "all"),
];

const JOURNAL: [Row; 12] = [
    row("fill: bytes", "journal/encode-fill:bytes", Show::Bytes),
    row("fill: encode", "journal/encode-fill", Show::Nanos),
    row("fill: decode", "journal/decode-fill", Show::Nanos),
    row("reply: bytes", "journal/encode-reply:bytes", Show::Bytes),
    row("reply: encode", "journal/encode-reply", Show::Nanos),
    row("reply: decode", "journal/decode-reply", Show::Nanos),
    row("wake: bytes", "journal/encode-wake:bytes", Show::Bytes),
    row("wake: encode", "journal/encode-wake", Show::Nanos),
    row("wake: decode", "journal/decode-wake", Show::Nanos),
    row("snapshot of a bot with six orders: bytes", "journal/encode-bot:bytes", Show::Bytes),
    row("snapshot of a bot with six orders: encode", "journal/encode-bot", Show::Nanos),
    row("snapshot of a bot with six orders: decode", "journal/decode-bot", Show::Nanos),
];

const FINDER: &str = "a finder that knows the places";
const BORROWED: &str = "serde_json, borrowed";

const FRAMES: [Row; 5] = [
    row("trade", "parse/trade", Show::Nanos).beside("parse/limit-trade", FINDER),
    row("trade", "parse/trade", Show::Nanos).beside("parse/serde-trade", BORROWED),
    row("best bid and ask", "parse/best", Show::Nanos).beside("parse/limit-best", FINDER),
    row("best bid and ask", "parse/best", Show::Nanos).beside("parse/serde-best", BORROWED),
    row("execution report, to its events", "parse/report", Show::Nanos)
        .beside("parse/limit-report", FINDER),
];

const SIGNATURES: [Row; 3] = [
    row("HMAC-SHA256", "sign/hmac", Show::PerSecond).beside("sign/limit-hmac", "ring, no text"),
    row("Ed25519", "sign/ed25519", Show::PerSecond).beside("sign/limit-ed25519", "dalek, no text"),
    row("RSA, 2048 bits", "sign/rsa", Show::PerSecond).beside("sign/limit-rsa", "ring, no text"),
];

const STREAM: [Row; 14] = [
    row("1 ×: levels that the price crossed", "stream/1x/levels-crossed", Show::Count),
    row("1 ×: crossed levels without an order", "stream/1x/levels-lost", Show::Count)
        .goal(Goal::Most(0.0)),
    row("1 ×: orders at other levels", "stream/1x/levels-wrong", Show::Count).goal(Goal::Most(0.0)),
    row("1 ×: trades lost", "stream/1x/trades-lost", Show::Count).goal(Goal::Most(0.0)),
    row("1 ×: read to computed intent, p50", "stream/1x/intent/p50", Show::Nanos),
    row("1 ×: read to computed intent, p99", "stream/1x/intent/p99", Show::Nanos)
        .goal(Goal::Most(1e6)),
    row("1 ×: read to the end of the step, p99", "stream/1x/step/p99", Show::Nanos),
    row("1 ×: written to the end of the step, p99", "stream/1x/lag/p99", Show::Nanos),
    row("1 ×: frames in a second", "stream/1x/frame", Show::PerSecond),
    row("10 ×: frames in a second", "stream/10x/frame", Show::PerSecond),
    row("10 ×: read to computed intent, p99", "stream/10x/intent/p99", Show::Nanos),
    row("10 ×: written to the end of the step, p50", "stream/10x/lag/p50", Show::Nanos),
    row("10 ×: written to the end of the step, p99", "stream/10x/lag/p99", Show::Nanos),
    row("10 ×: trades lost", "stream/10x/trades-lost", Show::Count),
];

const HEAD: &str = "# Benchmarks

Written by `make bench`; do not edit. Ratios are what to look at: both sides ran on the same input in \
the same run. \"Cost\" is the time or memory of ours over that of what stands beside it. A goal is a \
number that the design aims at; one that is not met says so. A line stays as it was measured last, \
perhaps on another machine, until its benchmark runs again.
";

/// Rows that one benchmark measures.
struct Section {
    /// The benchmark that does.
    part: &'static str,
    title: &'static str,
    about: &'static str,
    rows: &'static [Row],
    /// The note that says what prices it ran on.
    prices: Option<&'static str>,
}

const fn section(
    part: &'static str,
    title: &'static str,
    about: &'static str,
    rows: &'static [Row],
) -> Section {
    Section { part, title, about, rows, prices: None }
}

impl Section {
    const fn on(mut self, prices: &'static str) -> Self {
        self.prices = Some(prices);
        self
    }
}

const SECTIONS: [Section; 12] = [
    section(
        "step",
        "One account's step",
        "An account with one bot and six resting orders; a step gives intents, calls, watches and \
         the log.",
        &STEPS,
    ),
    section(
        "waiting",
        "A tick that wakes nobody",
        "Bots in thirds: orders that rest, two watched prices, trails. Levels up to 5 % away; who \
         is woken waits again.",
        &TICKS,
    )
    .on("market"),
    section("waiting", "A hit", "What it costs for each bot that a tick wakes.", &HITS)
        .on("market"),
    section(
        "waiting",
        "A waiting bot",
        "Bytes of resident memory for each bot with an open deal: growth of a shard from 10,000 \
         to 110,000 bots.",
        &MEMORY,
    ),
    section(
        "backtest",
        "Backtest",
        "Candles in a second of one core, a year of one-minute candles; reading the file is not in \
         it, nor making the market ready. Full rules: fees, filters, balances, every order through \
         the shard and the exchange. Bots wait on prices alone: there are no indicators yet. The \
         kernel has no books, filters, events or orders.",
        &BACKTEST,
    )
    .on("year"),
    section(
        "sweep",
        "A sweep",
        "A thousand configurations (step, take profit, scale of the volume) over the year.",
        &SWEEP,
    )
    .on("year"),
    section("sweep", "A sweep through its door", SWEEP_DOOR, &DOOR).on("year"),
    section(
        "sweep",
        "Beside others",
        "The same bot in engines of others, candles in a second of one core, in the same run \
         (`bench/peers/`). Less than 1 × is faster than they are.",
        &PEERS,
    )
    .on("year"),
    section("step", "Journal", "One event as bytes behind its versions.", &JOURNAL),
    section(
        "wire",
        "Frames",
        "From the text of a frame to what it says, in our own types.",
        &FRAMES,
    ),
    section(
        "wire",
        "Signatures",
        "A placement of 190 bytes, to the text that is sent.",
        &SIGNATURES,
    ),
    section(
        "stream",
        "A stream",
        "Trades and best prices for 500 instruments, each from another moment of the recording \
         on; encoded beforehand and written by another process in blocks of 5 ms, over loopback, \
         to the real client and a shard with 100,000 bots. Lost levels are found by plain \
         arithmetic on the lowest prices and by a shard that is handed the same prices without a \
         socket. Where other programs want the processor as well, give it real-time priority: what \
         shows otherwise is how long it waits for its turn.",
        &STREAM,
    )
    .on("stream"),
];

/// The page after a run: what it measured anew, and the lines of the standing page where it did not.
pub(crate) fn page(run: &Run, machine: &str, standing: &str) -> String {
    let mut page = format!("{HEAD}\nMachine: {machine}.\n");
    for section in SECTIONS.iter().chain(&durable::SECTIONS) {
        let kept = Kept::of(standing, section.title);
        write_section(&mut page, section, run.figures_of(section.part), &kept);
    }
    page
}

fn write_section(page: &mut String, section: &Section, figures: Option<&Figures>, kept: &Kept<'_>) {
    let Section { title, about, rows, .. } = section;
    let prices = section.prices.and_then(|name| {
        let told = figures.and_then(|figures| figures.note(name));
        told.or_else(|| kept.prices()).map(|prices| format!("{PRICES}{prices}."))
    });
    let head = "| what | ours | beside it | cost | goal |\n|---|--:|--:|--:|---|";
    let lines = rows.iter().enumerate().map(|(place, row)| {
        let namesakes = rows.iter().take(place).filter(|other| other.what == row.what).count();
        line(row, figures, kept.line(row.what, namesakes))
    });
    let lines: Vec<String> = lines.collect();
    let prices = prices.unwrap_or_default();
    let _ = write!(page, "\n## {title}\n\n{about}{prices}\n\n{head}\n{}\n", lines.join("\n"));
}

/// What was measured now, else what stands. A line with both sides says more than one without the other.
fn line(row: &Row, figures: Option<&Figures>, kept: Option<&str>) -> String {
    let measured = figures.and_then(|figures| measured(row, figures));
    let kept = kept.map(str::to_owned);
    let compares =
        |line: &&String| row.beside.is_none_or(|(_, other)| line.contains(&format!("({other})")));
    let whole = measured.iter().chain(&kept).find(compares);
    let line = whole.or(measured.as_ref()).or(kept.as_ref()).cloned();
    line.unwrap_or_else(|| not_measured(row.what))
}

fn measured(row: &Row, figures: &Figures) -> Option<String> {
    let ours = figures.number(row.ours)?;
    let beside = row.beside.and_then(|(name, what)| Some((figures.number(name)?, name, what)));
    let cost = beside.map(|(number, _, _)| ours / number).filter(|cost| cost.is_finite());
    let shown = |name: &str, number: f64| show(row.show, number, per_run(figures, name));
    let next = beside.map(|(number, name, what)| format!("{} ({what})", shown(name, number)));
    let elements = per_run(figures, row.ours);
    Some(format!(
        "| {} | {} | {} | {} | {} |",
        row.what,
        shown(row.ours, ours),
        next.unwrap_or_default(),
        cost.map(|cost| format!("{} ×", short(cost))).unwrap_or_default(),
        judge(row, ours, cost, elements)
    ))
}

fn per_run(figures: &Figures, name: &str) -> f64 {
    figures.number(&format!("{name}:elements")).unwrap_or(1.0)
}

fn show(show: Show, number: f64, per_run: f64) -> String {
    match show {
        Show::Nanos if number < 10_000.0 => format!("{} ns", short(number)),
        Show::Nanos if number < 10_000_000.0 => format!("{} µs", short(number / 1e3)),
        Show::Nanos => format!("{} ms", short(number / 1e6)),
        Show::PerSecond => format!("{}/s", large(per_run * 1e9 / number)),
        Show::Bytes => format!("{number:.0} B"),
        Show::Mebibytes => format!("{} MiB", short(number / 1_048_576.0)),
        Show::Number => format!("{number:.3}"),
        Show::Count => format!("{number:.0}"),
    }
}

/// Three digits are as many as a shared machine is good for.
fn short(number: f64) -> String {
    if number < 0.1 {
        format!("{number:.5}")
    } else if number < 10.0 {
        format!("{number:.2}")
    } else if number < 100.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

fn large(number: f64) -> String {
    if number < 1e3 {
        short(number)
    } else if number < 1e6 {
        format!("{} k", short(number / 1e3))
    } else if number < 1e9 {
        format!("{} M", short(number / 1e6))
    } else {
        format!("{} G", short(number / 1e9))
    }
}

fn judge(row: &Row, ours: f64, cost: Option<f64>, per_run: f64) -> String {
    let (text, is_met) = match row.goal {
        Goal::None => return String::new(),
        Goal::Most(most) => (format!("≤ {}", show(row.show, most, 1.0)), ours <= most),
        Goal::Rate(rate) => (format!("≥ {}/s", large(rate)), rate <= per_run * 1e9 / ours),
        Goal::Times(times) => {
            (format!("≤ {} ×", short(times)), cost.is_some_and(|cost| cost <= times))
        }
    };
    format!("{text}: {}", if is_met { "met" } else { "**not met**" })
}

#[cfg(test)]
mod tests;
