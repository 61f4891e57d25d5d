//! When the list of pairs is read, and when a new day begins: by the exchange's clock, in UTC.

use std::time::Duration;

use tranche_model::time::{Millis, Timestamp};

/// How often the exchange is asked whether it lists other pairs, or has other rules.
const REFRESH_EVERY: Millis = Millis::from_secs(15 * 60);
/// While a pair that a bot trades is closed, it is asked sooner; the pauses double from here.
const CLOSED_FIRST: Millis = Millis::from_secs(15);
/// The clock is looked at again after this: the machine may have slept, or its clock been set.
const NAP: Millis = Millis::from_secs(30);
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timetable {
    day: i64,
    read_at: Timestamp,
    /// The last pause while a pair was closed.
    closed_pause: Option<Millis>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) is_list: bool,
    pub(super) is_new_day: bool,
}

impl Timetable {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { day: now.utc_day(), read_at: now.plus(REFRESH_EVERY), closed_pause: None }
    }

    /// How long to sleep.
    pub(super) fn nap(&self, now: Timestamp) -> Duration {
        let midnight = Timestamp::from_ms(self.day.saturating_add(1).saturating_mul(DAY_MS));
        let nap = midnight.min(self.read_at).since(now).min(NAP);
        // Clocks of a millisecond: it is never asked again before the moment has come.
        Duration::from_millis(u64::from(nap.ms()).max(1))
    }

    /// What is due, each once. With a new day the list is read too.
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let today = now.utc_day();
        let is_new_day = self.day < today;
        self.day = today;
        // A clock that was set back must not put the next reading off for long.
        let is_late = self.read_at <= now || now.plus(REFRESH_EVERY) < self.read_at;
        let is_list = is_late || is_new_day;
        if is_list {
            self.read_at = now.plus(REFRESH_EVERY);
        }
        Due { is_list, is_new_day }
    }

    /// Whether no closed pair is known of.
    pub(super) const fn is_calm(&self) -> bool {
        self.closed_pause.is_none()
    }

    /// The list was read. A pair that is closed may open any moment.
    pub(super) fn was_read(&mut self, is_closed: bool, now: Timestamp) {
        self.closed_pause = is_closed.then(|| {
            let doubled = self.closed_pause.map_or(CLOSED_FIRST, |pause| pause.times(2));
            doubled.min(REFRESH_EVERY)
        });
        self.read_at = now.plus(self.closed_pause.unwrap_or(REFRESH_EVERY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01, and so many seconds before or after its beginning.
    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_767_225_600_000 + seconds * 1000)
    }

    const NOTHING: Due = Due { is_list: false, is_new_day: false };

    #[test]
    fn a_new_day_is_noticed_at_midnight_and_once() {
        let mut table = Timetable::new(at(-10));

        assert_eq!(table.nap(at(-10)), Duration::from_secs(10));
        assert_eq!(table.due(at(-1)), NOTHING);
        assert_eq!(table.due(at(0)), Due { is_list: true, is_new_day: true });
        assert_eq!(table.due(at(1)), NOTHING);
        assert_eq!(table.due(at(900)), Due { is_list: true, is_new_day: false });
        assert!(table.due(at(86_400)).is_new_day);
    }

    #[test]
    fn a_machine_that_slept_over_midnight_finds_the_new_day() {
        let mut table = Timetable::new(at(-3600));
        assert_eq!(table.nap(at(-3600)), Duration::from_secs(30), "it may sleep any moment");

        assert_eq!(table.due(at(30_000)), Due { is_list: true, is_new_day: true });
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_off() {
        let mut table = Timetable::new(at(0));

        assert!(table.due(at(-90_000)).is_list);
        assert!(table.due(at(0)).is_new_day);
    }

    #[test]
    fn a_closed_pair_is_looked_at_again_soon_and_then_ever_more_rarely() {
        let mut table = Timetable::new(at(0));
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..8 {
            table.was_read(true, now);
            pauses.push(table.read_at.since(now).ms() / 1000);
            now = table.read_at;
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 900, 900]);

        table.was_read(false, now);
        assert_eq!(table.read_at.since(now), REFRESH_EVERY);
        table.was_read(true, now);
        assert_eq!(table.read_at.since(now), CLOSED_FIRST);
    }
}
