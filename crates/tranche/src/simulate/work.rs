//! Worlds are handed to all cores, one seed after the other.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use tranche_sim::{
    audit::Violation,
    world::{Choice, Keep, Plan, Report, Wish, World},
};

use super::{sum::Sum, wire::Spoken};
use crate::{cli::SimulateTask, console};

/// Each so many worlds one is lived through twice.
const TWICE_EVERY: u64 = 10;
/// So many failures are made smaller; of the others the seed is told.
const SHOWN: usize = 3;
/// Minutes in a year.
const YEAR: u64 = 525_600;

/// What is to be done.
pub(super) struct Job {
    first: u64,
    worlds: u64,
    days: u32,
    faults: Choice,
}

impl Job {
    pub(super) fn new(task: &SimulateTask, faults: Choice) -> Self {
        let minutes = u64::from(task.bot_years).saturating_mul(YEAR);
        let per_world = u64::from(task.days).saturating_mul(1_440 * 10);
        Self {
            first: task.seed,
            worlds: minutes.div_ceil(per_world.max(1)),
            days: task.days,
            faults,
        }
    }

    fn wish(&self, number: u64) -> Wish {
        Wish {
            seed: self.first.wrapping_add(number),
            days: self.days,
            faults: self.faults.clone(),
            keep: Keep::default(),
        }
    }
}

/// Lives a world through; a part of them is spoken.
pub(super) fn live(wish: &Wish) -> Report {
    let plan = Plan::new(wish.clone());
    if !plan.is_spoken {
        return World::new(plan, None).run();
    }
    match Spoken::new(&plan) {
        Ok(spoken) => spoken.searched(spoken.listen(|| World::new(plan, Some(&spoken)).run())),
        Err(error) => {
            let mut report = World::new(plan, None).run();
            report.violations.push(Violation { invariant: "I-08", text: format!("{error:#}") });
            report
        }
    }
}

/// Lives all worlds through; the answer is the sum, and some of those that failed.
pub(super) fn carry_out(job: &Job) -> Result<(Sum, Vec<Report>)> {
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {eta} left")?;
    let bar = ProgressBar::new(job.worlds).with_style(style);
    let next = AtomicU64::new(0);
    let done = Mutex::new((Sum::default(), Vec::new()));
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| worker(job, &next, &done, &bar));
        }
    });
    bar.finish_and_clear();
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn worker(job: &Job, next: &AtomicU64, done: &Mutex<(Sum, Vec<Report>)>, bar: &ProgressBar) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if job.worlds <= number {
            return;
        }
        let wish = job.wish(number);
        let report = live(&wish);
        let twin = number.is_multiple_of(TWICE_EVERY).then(|| live(&wish));
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, failed) = &mut *done;
        sum.add(&report);
        if let Some(twin) = twin {
            sum.compare(&report, &twin);
        }
        bar.set_message(sum.progress(bar.elapsed()));
        bar.inc(1);
        if let Some(found) = report.violations.first() {
            // At once: a long run may be ended before its end.
            bar.suspend(|| console::complain(&format!("seed {}: {found}", wish.seed)));
            if failed.len() < SHOWN {
                failed.push(report);
            }
        }
    }
}
