//! What all worlds came to together.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tranche_sim::world::{Counts, Fault, Report, State};

const MINUTES_PER_YEAR: u64 = 525_600;
/// States that are reached so seldom that a run of two hundred bot-years may miss them; they are told
/// all the same.
const SELDOM: [State; 3] =
    [State::FillAfterCancel, State::EpochLostWithCommand, State::AnswerForNobody];

/// Sums over worlds. The order in which they come does not matter.
#[derive(Debug, Default)]
pub(super) struct Sum {
    worlds: u64,
    /// Those in which everything said passed as text, and how many texts there were.
    wire_worlds: u64,
    wire_events: u64,
    bot_minutes: u64,
    events: u64,
    kills: u64,
    faults: Counts<Fault>,
    states: Counts<State>,
    violations: Counts<&'static str>,
    trace: u64,
    /// Worlds that were lived through twice, and those that were not the same.
    twins: u64,
    unlike: u64,
}

impl Sum {
    pub(super) fn add(&mut self, report: &Report) {
        self.worlds = self.worlds.saturating_add(1);
        self.wire_worlds = self.wire_worlds.saturating_add(u64::from(report.is_spoken));
        self.wire_events = self.wire_events.saturating_add(report.texts);
        self.bot_minutes = self.bot_minutes.saturating_add(report.bot_minutes());
        self.events = self.events.saturating_add(report.events);
        self.kills = self.kills.saturating_add(report.kills);
        self.faults.merge(&report.faults);
        self.states.merge(&report.states);
        for found in &report.violations {
            self.violations.add(found.invariant);
        }
        // Worlds end in any order.
        self.trace = self.trace.wrapping_add(report.trace_hash.wrapping_mul(report.wish.seed | 1));
    }

    /// Two runs of one seed.
    pub(super) fn compare(&mut self, one: &Report, two: &Report) {
        self.twins = self.twins.saturating_add(1);
        if one != two {
            self.unlike = self.unlike.saturating_add(1);
            self.violations.add("I-26");
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.violations.total() == 0
    }

    /// Rare states that a long run has to reach and this one did not.
    pub(super) fn missed(&self) -> Vec<&'static str> {
        self.never().filter(|state| !SELDOM.contains(state)).map(State::name).collect()
    }

    fn never(&self) -> impl Iterator<Item = State> + '_ {
        State::ALL.into_iter().filter(|state| self.states.of(*state) == 0)
    }

    /// While it runs.
    pub(super) fn progress(&self, elapsed: Duration) -> String {
        format!(
            "{} bot-years, {} events/s, {} faults, {} kills, {} of {} states",
            self.bot_years(),
            per_second(self.events, elapsed),
            self.faults.total(),
            self.kills,
            self.states.kinds(),
            State::ALL.len()
        )
    }

    pub(super) fn json(&self, wall: Duration, core: Duration) -> Result<String> {
        let of = |ids: &[&'static str]| {
            ids.iter().fold(0_u64, |sum, id| sum.saturating_add(self.violations.of(id)))
        };
        let faults: serde_json::Map<String, Value> = self
            .faults
            .iter()
            .map(|(fault, count)| (fault.name().to_owned(), json!(count)))
            .collect();
        let states: serde_json::Map<String, Value> = self
            .states
            .iter()
            .map(|(state, count)| (state.name().to_owned(), json!(count)))
            .collect();
        let line = json!({
            "bot_years": number(self.bot_years())?,
            "worlds": self.worlds,
            "wire_worlds": self.wire_worlds,
            "wire_events": self.wire_events,
            "events": self.events,
            "events_per_s": per_second(self.events, wall),
            "core_seconds": number(seconds(core))?,
            "fault_kinds_hit": self.faults.kinds(),
            "faults_injected": self.faults.total(),
            "kills": self.kills,
            "lost": of(&["I-05", "I-09", "I-25"]),
            "duplicated": of(&["I-01", "I-10"]),
            "orphaned": of(&["I-02"]),
            "ledger_differences": of(&["I-04", "I-06", "I-15"]),
            "violations": self.violations.total(),
            "run_twice": self.twins,
            "unlike": self.unlike,
            "trace_hash": format!("{:016x}", self.trace),
            "faults": faults,
            "states": states,
            "never_reached": self.never().map(State::name).collect::<Vec<_>>(),
        });
        Ok(line.to_string())
    }

    pub(super) fn words(&self, wall: Duration, core: Duration) -> String {
        let mut text = format!(
            "{} bot-years in {} worlds, {} of them as text: {} events, {} faults of {} kinds, {} kills, {} of {} rare states\n",
            self.bot_years(),
            self.worlds,
            self.wire_worlds,
            self.events,
            self.faults.total(),
            self.faults.kinds(),
            self.kills,
            self.states.kinds(),
            State::ALL.len(),
        );
        // Writing into a string cannot fail.
        let _written = writeln!(
            text,
            "{} s on the clock, {} core-seconds, {} events/s; {} worlds twice, {} unlike; trace {:016x}",
            seconds(wall),
            seconds(core),
            per_second(self.events, wall),
            self.twins,
            self.unlike,
            self.trace,
        );
        if self.is_clean() {
            text.push_str("nothing was lost, doubled or orphaned, and the books agree");
        } else {
            text.push_str("VIOLATED:");
            for (invariant, count) in self.violations.iter() {
                let _written = write!(text, " {invariant} {count}");
            }
        }
        text
    }

    fn bot_years(&self) -> Decimal {
        let years = Decimal::from(self.bot_minutes).checked_div(Decimal::from(MINUTES_PER_YEAR));
        years.unwrap_or_default().round_dp(2)
    }
}

fn seconds(span: Duration) -> Decimal {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Decimal::from(ms).checked_div(Decimal::ONE_THOUSAND).unwrap_or_default().round_dp(1)
}

fn per_second(events: u64, span: Duration) -> u128 {
    let ms = span.as_millis();
    u128::from(events).saturating_mul(1_000).checked_div(ms).unwrap_or(0)
}

/// A decimal as a number of JSON.
fn number(value: Decimal) -> Result<Value> {
    Ok(serde_json::from_str(&value.to_string())?)
}
