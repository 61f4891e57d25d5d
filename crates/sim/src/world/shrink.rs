//! A failure made smaller: without the faults, minutes and bots that it does not need.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Keep, Report, Wish};

/// A failure as small as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// What to ask for to see it again.
    pub wish: Wish,
    /// The last run of it.
    pub report: Report,
    /// Faults and minutes with prices that are left.
    pub events: usize,
    /// How many worlds were lived through for it.
    pub runs: u32,
}

/// Leaves out of a failed run whatever it fails without, in at most `runs_most` runs; `live` lives a
/// world through. `None` when it does not fail again.
pub fn shrink(
    failed: &Report,
    live: &mut dyn FnMut(&Wish) -> Report,
    runs_most: u32,
) -> Option<Shrunk> {
    let invariant = failed.violations.first()?.invariant;
    let mut search = Search { live, invariant, runs: 0, runs_most, best: None };
    let mut wish = failed.wish.clone();
    let given = wish.keep.clone();
    let happened = u32::try_from(failed.acts).unwrap_or(u32::MAX);
    let all = |most: u32, former: Option<BTreeSet<u32>>| {
        former.unwrap_or_else(|| (0..most).collect::<BTreeSet<u32>>())
    };
    let mut acts = all(happened, given.acts);
    let mut minutes = all(failed.minutes.saturating_add(1), given.minutes);
    let mut bots = all(u32::try_from(failed.bots).unwrap_or(u32::MAX), given.bots);
    wish.keep = keep(&acts, &minutes, &bots);
    search.fails(&wish).then_some(())?;
    for _ in 0..2 {
        bots =
            search.reduce(bots, |bots| Wish { keep: keep(&acts, &minutes, bots), ..wish.clone() });
        acts =
            search.reduce(acts, |acts| Wish { keep: keep(acts, &minutes, &bots), ..wish.clone() });
        minutes = search
            .reduce(minutes, |minutes| Wish { keep: keep(&acts, minutes, &bots), ..wish.clone() });
    }
    let report = search.best?;
    let events = acts.len().saturating_add(minutes.len());
    Some(Shrunk { wish: report.wish.clone(), report, events, runs: search.runs })
}

fn keep(acts: &BTreeSet<u32>, minutes: &BTreeSet<u32>, bots: &BTreeSet<u32>) -> Keep {
    Keep { acts: Some(acts.clone()), minutes: Some(minutes.clone()), bots: Some(bots.clone()) }
}

struct Search<'w> {
    live: &'w mut dyn FnMut(&Wish) -> Report,
    invariant: &'static str,
    runs: u32,
    runs_most: u32,
    /// The last run that failed.
    best: Option<Report>,
}

impl Search<'_> {
    /// Whether the same invariant breaks.
    fn fails(&mut self, wish: &Wish) -> bool {
        if self.runs_most <= self.runs {
            return false;
        }
        self.runs = self.runs.saturating_add(1);
        let report = (self.live)(wish);
        let fails =
            report.violations.first().is_some_and(|found| found.invariant == self.invariant);
        if fails {
            self.best = Some(report);
        }
        fails
    }

    /// Leaves out halves, quarters and so on, down to single ones (Zeller's delta debugging).
    fn reduce(
        &mut self,
        all: BTreeSet<u32>,
        wish: impl Fn(&BTreeSet<u32>) -> Wish,
    ) -> BTreeSet<u32> {
        let mut left: Vec<u32> = all.into_iter().collect();
        let mut width = left.len().div_ceil(2);
        while 0 < width && self.runs < self.runs_most {
            let mut from = 0;
            while from < left.len() {
                let kept = left.iter().take(from);
                let rest = left.iter().skip(from.saturating_add(width));
                let fewer: BTreeSet<u32> = kept.chain(rest).copied().collect();
                if self.fails(&wish(&fewer)) {
                    left = fewer.into_iter().collect();
                } else {
                    from = from.saturating_add(width);
                }
            }
            width = if width == 1 { 0 } else { width.div_ceil(2) };
        }
        left.into_iter().collect()
    }
}

/// Numbers as ranges, such as `1,4-7`; `none` when there are none.
pub fn ranges(numbers: &BTreeSet<u32>) -> String {
    let mut text = String::new();
    let mut numbers = numbers.iter().copied().peekable();
    while let Some(first) = numbers.next() {
        let mut last = first;
        while let Some(next) = numbers.next_if(|next| *next == last.saturating_add(1)) {
            last = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        // Writing into a string cannot fail.
        let _written = if first == last {
            write!(text, "{comma}{first}")
        } else {
            write!(text, "{comma}{first}-{last}")
        };
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

/// Reads what [`ranges`] wrote.
pub fn read_ranges(text: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    if text == "none" {
        return Some(numbers);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<u32>().ok()?);
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Violation,
        world::{Choice, Fault, Plan, State, World},
    };

    #[test]
    fn ranges_say_what_they_were_made_of() {
        for numbers in [vec![], vec![7], vec![0, 1, 2, 9, 11, 12]] {
            let numbers: BTreeSet<u32> = numbers.into_iter().collect();
            assert_eq!(read_ranges(&ranges(&numbers)), Some(numbers));
        }
        assert_eq!(ranges(&[0, 1, 2, 9].into()), "0-2,9");
        assert_eq!(read_ranges("a-b"), None);
    }

    /// A world that is said to fail when an answer was lost while a market moved.
    fn live(wish: &Wish) -> Report {
        let mut report = World::new(Plan::new(wish.clone()), None).run();
        if report.faults.of(Fault::ResponseLost) != 0 && report.states.of(State::PartlyFilled) != 0
        {
            report.violations = vec![Violation { invariant: "I-00", text: "planted".to_owned() }];
        }
        report
    }

    #[test]
    fn a_failure_becomes_small_and_fails_again() {
        let faults = [Fault::ResponseLost, Fault::DropEvent, Fault::Delay, Fault::ManualCancel];
        let faults = Choice::Only(faults.into());
        let wish = Wish { seed: 11, days: 2, faults, keep: Keep::default() };
        let failed = live(&wish);
        assert_eq!(failed.violations.len(), 1, "{failed:?}");

        let shrunk = shrink(&failed, &mut live, 400).unwrap();

        assert!(shrunk.events <= 200, "{} events are left", shrunk.events);
        assert_eq!(shrunk.wish.keep.acts.as_ref().unwrap().len(), 1);
        assert_eq!(live(&shrunk.wish), shrunk.report);
    }
}
