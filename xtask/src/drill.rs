//! `cargo xtask drill`: plants known bugs, one at a time, in a copy of what decides about money, and
//! sees whether the tests find them.
//!
//! The bugs are texts in `xtask/drill/`; the copy, its build and what was found so far are in
//! `target/drill/`. The tree itself is never touched.

mod bug;
mod copy;
mod state;
mod suite;

use std::{path::Path, time::Instant};

use self::{
    bug::Bug,
    copy::Copy,
    state::{Finding, State},
    suite::{Suite, Trouble, Verdict},
};
use crate::steps::{now, root, say};

const USAGE: &str = "usage: cargo xtask drill [--only NAME] [--resume]
  --only NAME   the bugs whose name holds this
  --resume      keeps what was found for the same tree and the same bug";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    only: Option<String>,
    resume: bool,
}

pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    let options = Options::read(arguments)?;
    let bugs = chosen(bug::read_all(root())?, options.only.as_deref())?;
    let home = root().join("target/drill");
    let copy = Copy::new(root(), home.join("tree"));
    let mut state = State::open(home.join("state.json"), options.resume);
    copy.restore()?;
    let tree = copy.fingerprint()?;
    let suite = Suite::new(home.join("tree"), home.join("target"));
    check_unbroken(&suite)?;
    let mut rows = Vec::new();
    for bug in &bugs {
        let mark = bug.mark(tree);
        let finding = match state.known(bug.name(), mark) {
            Some(known) => known,
            None => drill(bug, &copy, &suite)?,
        };
        say(&line(bug, &finding));
        if !matches!(finding, Finding::Broken(_)) {
            state.note(bug.name(), mark, &finding)?;
        }
        rows.push((bug, finding));
    }
    copy.restore()?;
    sum_up(&rows)
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--resume" => options.resume = true,
                "--only" => {
                    let name = words.next().ok_or(USAGE)?;
                    options.only = Some((*name).to_owned());
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

fn chosen(bugs: Vec<Bug>, only: Option<&str>) -> Result<Vec<Bug>, String> {
    let Some(part) = only else { return Ok(bugs) };
    let bugs: Vec<Bug> = bugs.into_iter().filter(|bug| bug.name().contains(part)).collect();
    if bugs.is_empty() { Err(format!("no bug is named like {part}")) } else { Ok(bugs) }
}

/// What fails without a bug would be found with every bug.
fn check_unbroken(suite: &Suite) -> Result<(), String> {
    say("==> without a bug");
    let started = now();
    match suite.test() {
        Ok(Verdict::Passed) => {
            say(&format!("    passes: {} s", whole_seconds(started)));
            Ok(())
        }
        Ok(Verdict::Failed(tests)) => Err(format!("fails without a bug: {}", tests.join(", "))),
        Err(Trouble::Compiler(error) | Trouble::Drill(error)) => Err(error),
    }
}

fn drill(bug: &Bug, copy: &Copy, suite: &Suite) -> Result<Finding, String> {
    let started = now();
    copy.restore()?;
    bug.plant(copy.place())?;
    match suite.test() {
        Ok(Verdict::Passed) => Ok(Finding::Missed),
        Ok(Verdict::Failed(tests)) => Ok(Finding::Found { tests, seconds: whole_seconds(started) }),
        Err(Trouble::Compiler(error)) => Ok(Finding::Broken(error)),
        Err(Trouble::Drill(error)) => Err(error),
    }
}

fn line(bug: &Bug, finding: &Finding) -> String {
    let name = bug.name();
    match finding {
        Finding::Found { tests, seconds } => {
            let first = suite::telling(tests);
            let others = tests.len().saturating_sub(1);
            format!("found    {name:44} {seconds:4} s  {first} and {others} others")
        }
        Finding::Missed => format!("MISSED   {name:44}         {}", bug.story()),
        Finding::Broken(error) => format!("BROKEN   {name:44}         {error}"),
    }
}

fn sum_up(rows: &[(&Bug, Finding)]) -> Result<(), String> {
    let count = |is_it: fn(&Finding) -> bool| rows.iter().filter(|row| is_it(&row.1)).count();
    let found = count(|finding| matches!(finding, Finding::Found { .. }));
    let broken = count(|finding| matches!(finding, Finding::Broken(_)));
    say(&format!("found {found} of {}", rows.len()));
    match (broken, rows.len() - found - broken) {
        (0, 0) => Ok(()),
        (0, missed) => Err(format!("{missed} bugs were not found: write the tests that find them")),
        (broken, _) => {
            Err(format!("{broken} bugs do not compile: bring them to the present source"))
        }
    }
}

fn whole_seconds(started: Instant) -> u64 {
    started.elapsed().as_secs()
}

/// Where something is, as text.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_be_planted_in_the_present_source() {
        let bugs = bug::read_all(root()).unwrap();
        for bug in &bugs {
            for edit in bug.edits() {
                edit.applied_to(root()).unwrap_or_else(|error| panic!("{}: {error}", bug.name()));
                assert!(!edit.file().contains("/tests"), "{}: tests are not broken", bug.name());
            }
        }
        assert!(30 <= bugs.len(), "{} bugs", bugs.len());
    }

    #[test]
    fn options_are_read() {
        let read = |words: &[&str]| Options::read(words);

        assert_eq!(read(&[]), Ok(Options::default()));
        let both = Options { only: Some("blind".to_owned()), resume: true };
        assert_eq!(read(&["--resume", "--only", "blind"]), Ok(both));
        assert!(read(&["--only"]).is_err() && read(&["all"]).is_err());
    }

    #[test]
    fn a_missed_bug_is_a_failure() {
        let bugs = bug::read_all(root()).unwrap();
        let one = &bugs[0];
        let found = || Finding::Found { tests: vec!["a::b".to_owned()], seconds: 1 };

        assert_eq!(sum_up(&[(one, found())]), Ok(()));
        assert!(sum_up(&[(one, found()), (one, Finding::Missed)]).unwrap_err().contains("1 bugs"));
        let broken = Finding::Broken("error".to_owned());
        assert!(sum_up(&[(one, broken)]).unwrap_err().contains("do not compile"));
    }
}
