//! Old inputs of accounts go, some time after the start and with each new day.

use std::{
    convert::Infallible,
    future,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Result;
use tokio::time::sleep;
use tranche_engine::Handle;
use tranche_model::{
    ids::AccountId,
    time::{Millis, Timestamp},
};
use tranche_store::Retention;
use tranche_venue::venue::Venue;

use crate::ground::Ground;

/// After the start everything else comes first.
const FIRST_AFTER: Millis = Millis::from_secs(5 * 60);
const RETRY_AFTER: Millis = Millis::from_secs(10 * 60);
const NAP: Duration = Duration::from_secs(5);
/// The newest inputs of each account stay whatever their age, so that its story can be told.
const NEWEST: u32 = 1000;
/// Accounts between two looks at how much is done.
const AT_ONCE: usize = 100;

/// What was done so far, for whoever watches.
#[derive(Debug, Default)]
pub(super) struct Retained {
    rows: AtomicU64,
    /// When it was last done to its end, in seconds since 1970; 0 is never.
    done_at: AtomicI64,
}

/// When it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timetable {
    day: i64,
    /// Also then, whatever the day.
    extra: Option<Timestamp>,
}

impl Retained {
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn done_at(&self) -> u64 {
        u64::try_from(self.done_at.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

impl Timetable {
    fn new(now: Timestamp) -> Self {
        Self { day: now.utc_day(), extra: Some(now.plus(FIRST_AFTER)) }
    }

    /// Whether it is due, once for each reason.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let today = now.utc_day();
        // A clock that was set back must not put it off for long.
        let is_extra = self.extra.is_some_and(|at| at <= now || now.plus(RETRY_AFTER) < at);
        let is_due = self.day < today || is_extra;
        self.day = today;
        if is_due {
            self.extra = None;
        }
        is_due
    }

    const fn failed(&mut self, at: Timestamp) {
        self.extra = Some(at);
    }
}

/// Lets go what is older than `keep`, again and again; without it everything stays.
pub(super) async fn look_after(
    ground: &Ground,
    venue: &dyn Venue,
    engine: &Handle,
    (keep, retained): (Option<Duration>, &Retained),
) -> Infallible {
    let Some(keep) = keep else { return future::pending().await };
    let mut timetable = Timetable::new(venue.now());
    loop {
        sleep(NAP).await;
        if !timetable.is_due(venue.now()) {
            continue;
        }
        // What an exchange says that it is late must not take away what is young.
        let now = venue.now().min(ground.now());
        match let_go(ground, engine, older_than(keep, now), retained).await {
            Ok(rows) => {
                retained.done_at.store(ground.now().ms().div_euclid(1000), Ordering::Relaxed);
                tracing::info!(rows, "old inputs and intents were let go");
            }
            Err(error) => {
                tracing::warn!("old inputs could not be let go: {error:#}; tried again later");
                timetable.failed(venue.now().plus(RETRY_AFTER));
            }
        }
    }
}

/// Of the accounts that are this process's: those of others are looked after by them.
async fn let_go(
    ground: &Ground,
    engine: &Handle,
    before: Timestamp,
    retained: &Retained,
) -> Result<u64> {
    let ours = engine.look(|shard, _| shard.accounts().map(|account| account.desk.id).collect());
    let ours: Vec<AccountId> = ours.await?;
    let retention = Retention { before, keep: NEWEST };
    let mut rows = 0_u64;
    for some in ours.chunks(AT_ONCE) {
        let gone = ground.store.retain(some, retention).await?;
        retained.rows.fetch_add(gone, Ordering::Relaxed);
        rows = rows.saturating_add(gone);
    }
    ground.store.compact().await?;
    Ok(rows)
}

fn older_than(keep: Duration, now: Timestamp) -> Timestamp {
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(now.ms().saturating_sub(keep))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01 at noon, and so many minutes later.
    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(1_767_268_800_000 + minutes * 60_000)
    }

    #[test]
    fn it_is_due_some_minutes_after_the_start_and_with_each_new_day() {
        let mut table = Timetable::new(at(0));

        let due = |table: &mut Timetable, range: std::ops::Range<i64>| {
            range.filter(|minutes| table.is_due(at(*minutes))).collect::<Vec<_>>()
        };

        assert_eq!(due(&mut table, 1..3000), [5, 720, 2160]);
    }

    #[test]
    fn what_failed_is_tried_again_and_a_clock_set_back_puts_nothing_off() {
        let mut table = Timetable::new(at(0));
        assert!(table.is_due(at(5)));

        table.failed(at(5).plus(RETRY_AFTER));

        assert!(!table.is_due(at(14)));
        assert!(table.is_due(at(15)));
        table.failed(at(15).plus(RETRY_AFTER));
        assert!(table.is_due(at(-600)), "the clock was set back");
        assert!(!table.is_due(at(-599)));
    }

    #[test]
    fn a_long_memory_reaches_before_all_times() {
        assert_eq!(older_than(Duration::from_mins(1), at(1)), at(0));
        assert_eq!(older_than(Duration::MAX, at(0)).ms(), at(0).ms() - i64::MAX);
    }
}
