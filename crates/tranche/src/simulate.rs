//! `tranche simulate`: worlds in which everything goes wrong, on all cores.

mod sum;
mod wire;
mod work;

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use tranche_sim::world::{
    Choice, Fault, Keep, Report, Wish,
    shrink::{self, Shrunk, ranges, read_ranges},
};

use self::{
    sum::Sum,
    work::{Job, live},
};
use crate::{cli::SimulateTask, console};

/// So many worlds are lived through, at most, to make a failure smaller.
const SHRINK_RUNS: u32 = 600;
/// A run as long as this has to reach every rare state.
const LONG_RUN: u32 = 200;

pub(crate) fn run(task: &SimulateTask) -> Result<ExitCode> {
    let faults = choice(&task.faults)?;
    if let Some(keep) = keep(task)? {
        return repeat(task, faults, keep);
    }
    let job = Job::new(task, faults);
    let watch = console::Stopwatch::start();
    let (sum, failed) = work::carry_out(&job)?;
    let is_long = LONG_RUN <= task.bot_years && task.faults == "all";
    let core =
        cpu_time::ProcessTime::try_now().map_or_else(|_| watch.elapsed(), |now| now.as_duration());
    if task.json {
        console::say(&sum.json(watch.elapsed(), core)?)?;
    } else {
        console::say(&sum.words(watch.elapsed(), core))?;
    }
    for report in &failed {
        tell(task, report);
    }
    let missed = if is_long { sum.missed() } else { Vec::new() };
    if !missed.is_empty() {
        console::complain(&format!("never reached: {}", missed.join(", ")));
    }
    Ok(if sum.is_clean() && missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One world, or what is left of it, told in full.
fn repeat(task: &SimulateTask, faults: Choice, keep: Keep) -> Result<ExitCode> {
    let wish = Wish { seed: task.seed, days: task.days, faults, keep };
    let report = live(&wish);
    let mut sum = Sum::default();
    sum.add(&report);
    for line in &report.tail {
        console::complain(line);
    }
    for found in &report.violations {
        console::complain(&found.to_string());
    }
    let nothing = std::time::Duration::ZERO;
    console::say(&if task.json {
        sum.json(nothing, nothing)?
    } else {
        sum.words(nothing, nothing)
    })?;
    Ok(if sum.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says how to see again what failed.
fn tell(task: &SimulateTask, report: &Report) {
    let shrunk = shrink::shrink(report, &mut live, SHRINK_RUNS);
    let (wish, events) = match &shrunk {
        Some(Shrunk { wish, events, .. }) => (wish, *events),
        None => (&report.wish, report.acts),
    };
    let all = |numbers: Option<&std::collections::BTreeSet<u32>>, name: &str| {
        numbers.map_or_else(String::new, |numbers| format!(" --only-{name} {}", ranges(numbers)))
    };
    console::complain(&format!(
        "again, with {events} events:\n  tranche simulate --seed {} --days {} --faults {}{}{}{}",
        wish.seed,
        wish.days,
        task.faults,
        all(wish.keep.acts.as_ref(), "acts"),
        all(wish.keep.minutes.as_ref(), "minutes"),
        all(wish.keep.bots.as_ref(), "bots"),
    ));
}

fn choice(text: &str) -> Result<Choice> {
    match text {
        "all" => Ok(Choice::Swarm),
        "none" => Ok(Choice::Only([].into())),
        list => {
            let faults = list.split(',').map(|name| {
                name.trim().parse::<Fault>().map_err(|error| {
                    let names: Vec<_> = Fault::ALL.into_iter().map(Fault::name).collect();
                    anyhow!("--faults: {error}; give all, none, or some of {}", names.join(", "))
                })
            });
            Ok(Choice::Only(faults.collect::<Result<_>>()?))
        }
    }
}

fn keep(task: &SimulateTask) -> Result<Option<Keep>> {
    let read = |name: &str, text: Option<&String>| {
        let Some(text) = text else { return Ok(None) };
        let numbers = read_ranges(text);
        numbers
            .map(Some)
            .with_context(|| format!("--only-{name}: {text}: give numbers such as 3,17-20"))
    };
    let keep = Keep {
        acts: read("acts", task.only_acts.as_ref())?,
        minutes: read("minutes", task.only_minutes.as_ref())?,
        bots: read("bots", task.only_bots.as_ref())?,
    };
    if keep == Keep::default() {
        return Ok(None);
    }
    if task.bot_years != 1 {
        bail!("--bot-years: {}: one world is repeated, leave it out", task.bot_years);
    }
    Ok(Some(keep))
}
