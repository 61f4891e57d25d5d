//! `tranche demo`: bots on a simulated exchange, through the real client and sockets, thrown out of memory
//! and loaded again every simulated hour.

mod bar;
mod bots;
mod faults;
mod floor;
mod pace;
mod screen;
mod terminal;
mod view;
mod wire;
mod words;
mod world;

use std::{
    io::{IsTerminal as _, stderr, stdout},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Serialize;
use tranche_lab::instruments;
use tranche_model::{
    asset::Symbol,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::Quote,
};

use self::{
    feed::Feed,
    pace::{Pace, SPEED_MAX},
    wire::Plan,
    world::{Reached, World},
};
use crate::{
    cli::{DemoTask, MarketName, TermsOptions},
    console::{self, Stopwatch},
    feed, logs, market,
    recording::Recorder,
    settings::{self, Settings},
};

const BOTS_MAX: u16 = 10_000;
/// Above it, real sockets are no measure any more: bots live in real time.
const WIRE_SPEED_MAX: u32 = 36_000;
/// With more, an account would reach the exchange's bound on open orders.
const BOTS_PER_ACCOUNT: u16 = 20;
const HEADLESS_FOR: Duration = Duration::from_mins(1);
/// How long one stretch of a headless run may take before the clock is looked at.
const STRETCH: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The result for programs.
#[derive(Debug, Serialize)]
struct Line {
    deals_closed: u64,
    orders_placed: u64,
    fills: u64,
    profit_quote: Quote,
    restarts: u64,
    violations: usize,
}

pub(crate) fn run(task: &DemoTask, settings: &Settings) -> Result<ExitCode> {
    let is_screen = !task.headless && stdout().is_terminal();
    // Logs would run through the picture.
    if !(is_screen && stderr().is_terminal()) {
        logs::start(settings)?;
    }
    let duration = task.duration.as_deref().map(settings::duration).transpose()?;
    let speed = speed(task, settings)?;
    let mut world = world(task, settings, speed)?;
    let mut pace = Pace::new(speed, world.start);
    let watch = Stopwatch::start();
    if is_screen {
        terminal::run(&mut world, &mut pace, duration)?;
    } else {
        headless(&mut world, &mut pace, duration.unwrap_or(HEADLESS_FOR))?;
    }
    world.finish()?;
    let elapsed = watch.elapsed();
    let code = finish(task, &world, &pace, elapsed)?;
    world.stop();
    Ok(code)
}

fn speed(task: &DemoTask, settings: &Settings) -> Result<u32> {
    if task.market == MarketName::Live {
        return Ok(1);
    }
    let speed = task.speed.unwrap_or(settings.speed);
    if !(1..=SPEED_MAX).contains(&speed) {
        bail!("speed is {speed} (must be from 1 to {SPEED_MAX}); 3600 is an hour each second");
    }
    if !task.in_process && WIRE_SPEED_MAX < speed {
        bail!(
            "speed is {speed} (must be at most {WIRE_SPEED_MAX} over sockets); add --in-process to go \
             faster"
        );
    }
    Ok(speed)
}

fn world(task: &DemoTask, settings: &Settings, speed: u32) -> Result<World> {
    let count = task.bots.unwrap_or(settings.bots);
    if !(1..=BOTS_MAX).contains(&count) {
        bail!("bots is {count} (must be from 1 to {BOTS_MAX}); 6 are the default");
    }
    if task.market == MarketName::Live && (task.candles.is_some() || task.faults.is_some()) {
        bail!("--market live trades on Binance's prices: leave out --candles and --faults");
    }
    let (instruments, feed) = market(task, settings)?;
    let is_quick = !task.in_process && task.market != MarketName::Live;
    let bots = bots::bots(count, &instruments, is_quick)?;
    let accounts = count.min(2).max(count.div_ceil(BOTS_PER_ACCOUNT));
    let share = count.div_ceil(accounts);
    let accounts: Vec<AccountId> = (1..=accounts).map(|id| AccountId::new(id.into())).collect();
    let mut terms = settings.terms(&TermsOptions::default())?;
    terms.balances = bots::balances(share, &instruments)?;
    let recorder = task.record.as_deref().map(|path| {
        let market = feed.source.to_string();
        Recorder::create(path, market, instruments.clone())
    });
    let recorder = recorder.transpose()?;
    let faults = task.faults.as_deref().map(faults::profile).transpose()?;
    let is_recorded = recorder.is_some();
    let plan = Plan { accounts, terms, speed, faults, is_recorded };
    let mut world = match task.market {
        MarketName::Live => {
            let symbols: Vec<Symbol> = instruments.iter().map(|one| one.symbol).collect();
            World::live(&symbols, &plan, recorder)?
        }
        MarketName::Generated if task.in_process => {
            World::near(feed, instruments, (&plan.terms, &plan.accounts), recorder)?
        }
        MarketName::Generated => World::practice(feed, &instruments, &plan, recorder)?,
    };
    world.create(&bots)?;
    Ok(world)
}

/// The named file, or else made-up prices.
fn market(task: &DemoTask, settings: &Settings) -> Result<(Instruments, Feed)> {
    if let Some(file) = &task.candles {
        let market = market::read_one(file)?;
        let instruments = market.instruments.clone();
        return Ok((instruments, Feed::recorded(market).context("the market has no prices")?));
    }
    let instruments = generated()?;
    let feed = Feed::generated(task.seed.unwrap_or(settings.seed), &instruments)?;
    Ok((instruments, feed))
}

fn generated() -> Result<Instruments> {
    let known = |(name, id): (&str, u32)| -> Result<Instrument> {
        let symbol = Symbol::parse(name)?;
        instruments::known(InstrumentId::new(id), symbol)
            .with_context(|| format!("{symbol} is not in the table of instruments"))
    };
    let list = feed::GENERATED.into_iter().zip(0..).map(known).collect::<Result<_>>()?;
    Instruments::new(list).ok_or_else(|| anyhow!("the instruments do not fit together"))
}

/// Trades without a picture; lines of progress go to stderr.
fn headless(world: &mut World, pace: &mut Pace, ends_after: Duration) -> Result<()> {
    let watch = Stopwatch::start();
    console::complain(&format!("{}, speed {}", world.source, pace.speed));
    let mut told = Duration::ZERO;
    let mut has_lagged = false;
    while watch.elapsed() < ends_after {
        let begun = watch.elapsed();
        let target = pace.target(begun);
        let most = STRETCH.min(ends_after.saturating_sub(begun));
        let mut is_over = || most < watch.elapsed().saturating_sub(begun);
        let reached = world.run_until(target, &mut is_over)?;
        pace.settle(world.floor.now());
        has_lagged |= pace.lags;
        if reached == Reached::End {
            console::complain("the market ends here");
            break;
        }
        if LINE_EVERY <= watch.elapsed().saturating_sub(told) {
            told = watch.elapsed();
            console::complain(&words::progress(world, pace, told));
        }
        if reached == Reached::Target {
            let left = ends_after.saturating_sub(watch.elapsed());
            thread::sleep(Duration::from_millis(20).min(left));
        }
    }
    console::complain(&words::progress(world, pace, watch.elapsed()));
    if has_lagged {
        let passed = world.floor.now().ms().saturating_sub(world.start.ms());
        let real = i64::try_from(watch.elapsed().as_millis()).unwrap_or(i64::MAX).max(1);
        console::complain(&format!(
            "note: this machine could not keep speed {}; it came to about {}",
            pace.speed,
            passed / real
        ));
    }
    Ok(())
}

/// Says what came of it. A demo without a closed deal, or with books that differ, has failed.
fn finish(task: &DemoTask, world: &World, pace: &Pace, elapsed: Duration) -> Result<ExitCode> {
    let tally = world.tally;
    if task.json {
        let line = Line {
            deals_closed: tally.deals_closed,
            orders_placed: tally.orders_placed,
            fills: tally.fills,
            profit_quote: tally.profit,
            restarts: tally.restarts,
            violations: world.violations.len(),
        };
        console::say(&serde_json::to_string(&line)?)?;
    } else {
        console::say(&format!("{}\n{}", world.source, words::progress(world, pace, elapsed)))?;
    }
    for violation in &world.violations {
        console::complain(&format!("violation: {violation}"));
    }
    if !world.violations.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    if tally.deals_closed == 0 {
        console::complain("no deal was closed: run it longer, faster or with another seed");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
