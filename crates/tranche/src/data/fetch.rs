//! `tranche data fetch`: candles of an exchange, page by page, into a file that a cut does not spoil.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ValueEnum as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tranche_lab::{
    candles::{self, Ends, Growing, Grown},
    depot::{Additions, interval_name},
    import::{self, Options},
};
use tranche_model::{
    asset::Symbol,
    candle::Candle,
    time::{Millis, Timestamp},
};
use tranche_venue::venue::{CandleRange, Interval, Venue as _};

use super::{part, pauses::Pauses};
use crate::{
    cli::{EnvironmentName, FetchTask},
    console, dates,
    runtime::{self, Stop},
    settings::Settings,
    trouble::Trouble,
    venues::{self, Exchange, PAIR, Sockets},
};

/// Candles of one question: one page of the exchange, so that a cut loses little.
const AT_ONCE: u32 = 999;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
struct Wish {
    symbol: Symbol,
    interval: Interval,
    from: Timestamp,
    /// Not included.
    to: Timestamp,
}

/// How far a fetch came.
enum Reached {
    End,
    /// Somebody stopped it.
    Cut,
}

/// The result for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    pair: String,
    file: String,
    candles: u64,
    missing: u64,
    first_ms: i64,
    last_ms: i64,
    sha256: &'a str,
}

pub(crate) fn run(task: &FetchTask, settings: &Settings) -> Result<ExitCode> {
    let symbol = Symbol::parse(&task.pair).context("pair")?;
    let (from, to) = (dates::moment("from", &task.from)?, dates::moment("to", &task.to)?);
    if to <= from {
        bail!("to: {to} must be after --from, {from}");
    }
    let wish = Wish { symbol, interval: task.interval.into(), from, to };
    let out = out(task, settings, wish)?;
    part::check(&out, task.force)?;
    let where_to = venues::settings(&task.venue, Sockets::default(), &settings.exchange)?;
    runtime::run(async move {
        let mut stop = Stop::listen().context("signals cannot be listened to")?;
        let exchange = venues::start(where_to)?;
        let prepared = tokio::select! {
            prepared = prepare(&exchange, wish) => prepared?,
            () = stop.wait() => bail!("stopped before the first candle"),
        };
        let mut growing = part::open(&out, wish.interval.length(), task.force)?;
        let bar = bar(&prepared)?;
        let mut fetch = Fetch { exchange: &exchange, wish: prepared, bar, pauses: Pauses::new(0) };
        let reached = tokio::select! {
            reached = fetch.all(&mut growing, &out) => reached,
            () = stop.wait() => Ok(Reached::Cut),
        };
        fetch.bar.finish_and_clear();
        let rows = growing.rows();
        if rows == 0 {
            part::remove_empty(&out);
        }
        match reached {
            Ok(Reached::End) if task.out.is_none() => {
                store(task, settings, (prepared, &out), growing)
            }
            Ok(Reached::End) => finish(task, &out, prepared, growing),
            Ok(Reached::Cut) => bail!("stopped; {}", kept(&out, rows)),
            Err(error) => Err(anyhow!("{error:#}; {}", kept(&out, rows))),
        }
    })
}

/// Asks whether the exchange is there and lists the pair; ends the wish where candles are closed.
async fn prepare(exchange: &Exchange, wish: Wish) -> Result<Wish> {
    let venue = &exchange.venue;
    let trouble = |error| anyhow!("{}", Trouble::of_read(&error, &exchange.addresses.rest));
    venue.sync_clock().await.map_err(trouble)?;
    let now = venue.now();
    if now <= wish.from {
        bail!("from: {} is not in the past; the exchange's clock says {now}", wish.from);
    }
    let listings = venue.listings().await.map_err(trouble)?;
    let listing = venues::find(&listings, wish.symbol).map_err(|what| anyhow!("pair: {what}"))?;
    exchange.know(listing);
    if now < wish.to {
        console::complain(&format!(
            "note: --to {} is not in the past; the file will end with the last closed candle",
            wish.to
        ));
    }
    Ok(Wish { to: wish.to.min(now), ..wish })
}

struct Fetch<'a> {
    exchange: &'a Exchange,
    wish: Wish,
    bar: ProgressBar,
    pauses: Pauses,
}

impl Fetch<'_> {
    async fn all(&mut self, growing: &mut Growing, out: &Path) -> Result<Reached> {
        let Wish { interval, from, to, .. } = self.wish;
        let length = interval.length();
        if let Some(ends) = growing.found() {
            part::fits(&ends, out, (from, to))?;
            self.compare(&ends, out).await?;
            let (first, last) = (ends.first.open_at, ends.last.open_at);
            console::complain(&format!(
                "note: {} candles from {first} to {last} are there already",
                growing.rows()
            ));
        }
        let mut next = growing.last().map_or(from, |last| last.plus(length));
        let mut count = AT_ONCE;
        while next < to {
            let until = next.plus(length.times(count)).min(to);
            self.bar.set_position(since(from, next));
            let candles = self.ask(next, until).await?;
            growing.append(&candles)?;
            // Where nothing is, as before a pair was listed, steps get longer. An answer may end
            // before a long step does.
            let last = candles.last().map(|candle| candle.open_at.plus(length));
            next = if count == AT_ONCE { until } else { last.unwrap_or(until) };
            count = if last.is_some() { AT_ONCE } else { count.saturating_mul(8) };
        }
        if growing.last().is_none() {
            bail!("from {from} to {to} there are no candles of {}", self.wish.symbol);
        }
        Ok(Reached::End)
    }

    /// What an earlier fetch wrote must be what the exchange says today.
    async fn compare(&mut self, ends: &Ends, out: &Path) -> Result<()> {
        let length = self.wish.interval.length();
        let Ends { first, last } = *ends;
        let begins = self.ask(self.wish.from, first.open_at.plus(length)).await?;
        let goes_on = self.ask(last.open_at, last.open_at.plus(length)).await?;
        if begins.first() != Some(&first) || goes_on.first() != Some(&last) {
            bail!(
                "{} is not the beginning of these candles of {}: another pair, interval or exchange; \
                 remove it and fetch again",
                part::of(out).display(),
                self.wish.symbol
            );
        }
        Ok(())
    }

    /// Closed candles of a range, asked for until they come or it is of no use.
    async fn ask(&mut self, from: Timestamp, to: Timestamp) -> Result<Vec<Candle>> {
        let venue = &self.exchange.venue;
        let range = CandleRange { instrument: PAIR, interval: self.wish.interval, from, to };
        loop {
            let error = match venue.candles(range).await {
                Ok(candles) => {
                    self.pauses.worked();
                    return Ok(candles);
                }
                Err(error) => error,
            };
            let trouble = Trouble::of_read(&error, &self.exchange.addresses.rest);
            let Some(wait) = self.pauses.failed(&error, venue.now()) else {
                bail!("{trouble}");
            };
            self.rest(&trouble, wait).await;
        }
    }

    async fn rest(&self, trouble: &Trouble, wait: Duration) {
        let seconds = wait.as_millis().div_ceil(1000);
        let text = format!("note: {}; asking again in {seconds} s", trouble.what);
        self.bar.suspend(|| console::complain(&text));
        tokio::time::sleep(wait).await;
    }
}

/// In seconds, so that the bar's speed is readable.
fn since(from: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.ms().saturating_sub(from.ms()) / 1000).unwrap_or(0)
}

fn bar(wish: &Wish) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}, {eta} left")?;
    let bar = ProgressBar::new(since(wish.from, wish.to)).with_style(style);
    Ok(bar.with_message(format!("candles of {}", wish.symbol)))
}

fn kept(out: &Path, rows: u64) -> String {
    if rows == 0 {
        return "no candle was fetched".to_owned();
    }
    let part = part::of(out);
    format!("{rows} candles are kept in {}: run the same command to go on", part.display())
}

fn finish(task: &FetchTask, out: &Path, wish: Wish, growing: Growing) -> Result<ExitCode> {
    let Grown { rows, sha256 } = growing.finish()?;
    let interval = wish.interval.length();
    // Read as a backtest reads it: what cannot be used is found here, not later.
    let file = candles::read(out, Some(interval))?;
    let missing = file.gaps.iter().fold(0, |sum: u64, gap| sum.saturating_add(gap.missing));
    let ends = file.candles.first().zip(file.candles.last());
    let (first, last) = ends.context("the file holds no candle")?;
    let name = out.display().to_string();
    let (first, last) = (first.open_at, last.open_at);
    if task.json {
        let line = Line {
            pair: wish.symbol.to_string(),
            file: name,
            candles: rows,
            missing,
            first_ms: first.ms(),
            last_ms: last.ms(),
            sha256: &sha256,
        };
        console::say(&serde_json::to_string(&line)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let gaps = holes(missing, file.gaps.len(), interval);
    console::say(&format!(
        "{name}: {rows} candles of {} from {first} to {last}{gaps}\nsha256 {sha256}",
        wish.symbol
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Where candles are until they are whole: the file that is asked for, or one in the data folder that
/// says what it is of.
fn out(task: &FetchTask, settings: &Settings, wish: Wish) -> Result<PathBuf> {
    if let Some(out) = &task.out {
        return Ok(out.clone());
    }
    let folder = settings.depot(&task.folder).folder().join("fetching");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("data: {} cannot be made", folder.display()))?;
    let pair = wish.symbol.to_string().replace('/', "-");
    let length = interval_name(wish.interval.length());
    let (from, to) = (wish.from.ms(), wish.to.ms());
    let venue = venue_name(task, settings);
    Ok(folder.join(format!("{venue}-{pair}-{length}-{from}-{to}.csv")))
}

/// As folders call it.
fn venue_name(task: &FetchTask, settings: &Settings) -> String {
    let venue = task.venue.venue.unwrap_or(settings.exchange.venue);
    let environment = task.venue.environment.unwrap_or(settings.exchange.environment);
    let name = venue.to_possible_value().map(|value| value.get_name().to_owned());
    let name = name.unwrap_or_default();
    match environment {
        EnvironmentName::Live => name,
        EnvironmentName::Testnet => format!("{name}-testnet"),
        EnvironmentName::Demo => format!("{name}-demo"),
    }
}

/// Adds what was fetched to the data folder, and removes the file that it was fetched into.
fn store(
    task: &FetchTask,
    settings: &Settings,
    (wish, out): (Wish, &Path),
    growing: Growing,
) -> Result<ExitCode> {
    growing.finish()?;
    let inputs = import::inputs(out, &Options::default())?;
    let additions = Additions {
        venue: venue_name(task, settings),
        symbol: wish.symbol,
        interval: Some(wish.interval.length()),
        replace: false,
    };
    let depot = settings.depot(&task.folder);
    let added = depot.add(&additions, &inputs).context("data")?;
    for path in [out.to_owned(), out.with_extension("csv.sha256")] {
        std::fs::remove_file(&path)
            .with_context(|| format!("data: {} cannot be removed", path.display()))?;
    }
    let text = if task.json {
        super::depot::json(&depot, &added.entry)?
    } else {
        super::depot::told(&added)
    };
    console::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn holes(missing: u64, gaps: usize, interval: Millis) -> String {
    if missing == 0 {
        return String::new();
    }
    format!(", {missing} of {interval} missing in {gaps} gaps: the exchange has none")
}
