//! `cargo xtask coverage`: which lines of `trading` the tests of the pure crates run.
//!
//! `cargo-llvm-cov` builds and runs; what is counted is decided here, so that tests do not count as
//! covered code.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::steps::{bare_cargo, cargo, has_cargo, judge, root, say};

const MEASURED: &str = "crates/trading/src/";
/// Of a hundred lines, those that a test must run.
const GOAL: u64 = 95;
/// As many files are listed, the least covered first.
const SHOWN: usize = 12;
/// Rooms of tests beside the code, by the names that they have there.
const TESTS: [&str; 4] = ["tests", "stories", "vectors", "properties"];
const TOOLS: &str = "llvm-cov and llvm-profdata are needed: `rustup component add llvm-tools`, or a \
                     package such as llvm-19 that has them";

/// Lines that could run, and lines that did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Lines {
    all: u64,
    run: u64,
}

impl Lines {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.run += other.run;
    }

    /// In hundredths of a percent, rounded down.
    fn share(self) -> u64 {
        (self.run * 10_000).checked_div(self.all).unwrap_or(10_000)
    }
}

pub(crate) fn coverage() -> Result<(), String> {
    if !has_cargo("llvm-cov") {
        cargo(&["install", "cargo-llvm-cov", "--locked"])?;
    }
    let record = root().join("target/coverage.lcov");
    let mut command = bare_cargo();
    command.current_dir(root()).args(["llvm-cov", "--profile", "fast", "--lcov", "--output-path"]);
    command.arg(&record).args(["--package", "tranche-trading", "--package", "tranche-sim"]);
    // The same cases each time.
    command.env("PROPTEST_RNG_SEED", "1");
    if let Some(folder) = tools() {
        command.env("LLVM_COV", folder.0).env("LLVM_PROFDATA", folder.1);
    }
    judge(&format!("cargo llvm-cov. {TOOLS}"), command.status())?;
    let text = fs::read_to_string(&record).map_err(|error| error.to_string())?;
    let files = count(&text, |file| fs::read_to_string(file).unwrap_or_default());
    report(&files)
}

/// `llvm-cov` and `llvm-profdata` where a distribution puts them, newest first. The rustup component is
/// found by `cargo-llvm-cov` itself and is preferred.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let has_component = bare_cargo()
        .args(["llvm-cov", "show-env"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_component {
        return None;
    }
    let folders =
        (15_u32..40).rev().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/bin")));
    folders
        .map(|folder| (folder.join("llvm-cov"), folder.join("llvm-profdata")))
        .find(|(cov, profdata)| cov.is_file() && profdata.is_file())
}

/// The lines of each measured file in a record in LCOV's form: `SF:` names a file, `DA:line,count` a line
/// that could run. Lines of tests are left out.
fn count(record: &str, read: impl Fn(&Path) -> String) -> BTreeMap<String, Lines> {
    let mut files = BTreeMap::new();
    let mut file: Option<(String, u64)> = None;
    for line in record.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = measured(path).map(|name| (name, first_test_line(&read(Path::new(path)))));
        } else if let (Some(data), Some((name, end))) = (line.strip_prefix("DA:"), &file) {
            let mut numbers = data.split(',').filter_map(|number| number.parse::<u64>().ok());
            if let (Some(place), Some(times)) = (numbers.next(), numbers.next())
                && place < *end
            {
                let lines: &mut Lines = files.entry(name.clone()).or_default();
                lines.add(Lines { all: 1, run: u64::from(times != 0) });
            }
        }
    }
    files
}

fn measured(path: &str) -> Option<String> {
    let (_, name) = path.split_once(MEASURED)?;
    let is_test = name.split('/').any(|part| TESTS.contains(&part.trim_end_matches(".rs")));
    (!is_test).then(|| name.to_owned())
}

/// Tests close a file here, so code ends where they begin.
fn first_test_line(text: &str) -> u64 {
    let mut lines = (1..).zip(text.lines());
    let found = lines.find(|(_, line)| line.starts_with("mod tests {"));
    found.map_or(u64::MAX, |(number, _)| number)
}

fn report(files: &BTreeMap<String, Lines>) -> Result<(), String> {
    let mut whole = Lines::default();
    for lines in files.values() {
        whole.add(*lines);
    }
    if whole.all == 0 {
        return Err(format!("nothing was measured in {MEASURED}"));
    }
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by_key(|(_, lines)| lines.share());
    for (name, lines) in sorted.iter().take(SHOWN) {
        say(&format!("{:>7} %  {:>5} of {:>5}  {name}", percent(**lines), lines.run, lines.all));
    }
    let told = format!("{} % of {} lines of {MEASURED}", percent(whole), whole.all);
    say(&told);
    if whole.share() < GOAL * 100 {
        return Err(format!("{told}: less than {GOAL} %"));
    }
    Ok(())
}

fn percent(lines: Lines) -> String {
    format!("{}.{:02}", lines.share() / 100, lines.share() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "SF:/x/crates/trading/src/bot/mod.rs\nDA:1,5\nDA:2,0\nDA:9,7\nend_of_record\n\
                          SF:/x/crates/trading/src/dca/vectors.rs\nDA:1,1\nend_of_record\n\
                          SF:/x/crates/trading/src/dispatch/tests/world.rs\nDA:1,1\nend_of_record\n\
                          SF:/x/crates/sim/src/lib.rs\nDA:1,0\nend_of_record\n";

    #[test]
    fn only_code_of_the_measured_crate_counts() {
        let files = count(RECORD, |_| "one\ntwo\n#[cfg(test)]\nmod tests {\n".to_owned());

        let expected = BTreeMap::from([("bot/mod.rs".to_owned(), Lines { all: 2, run: 1 })]);
        assert_eq!(files, expected);
    }

    #[test]
    fn too_little_is_an_error() {
        let with = |run| BTreeMap::from([("a.rs".to_owned(), Lines { all: 100, run })]);

        assert!(report(&with(95)).is_ok());
        assert!(report(&with(94)).unwrap_err().contains("94.00 %"));
        assert!(report(&BTreeMap::new()).is_err());
    }
}
