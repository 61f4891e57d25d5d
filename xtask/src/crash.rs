//! `cargo xtask crash`: kills the binary while it trades, more often and in worse company than the tests
//! do, and measures how soon a killed one is back.
//!
//! The work is done by the tests of the binary, which read what is asked for from the environment.

use std::{fs, process::Command, thread};

use crate::steps::{cargo_with, root, say, target};

const USAGE: &str = "usage: cargo xtask crash --cycles N --store sqlite|postgres [SWITCHES]
       cargo xtask crash --recovery [--kills N] [--bots N] [--leave L]
  --proxy     the line delays, cuts, doubles and truncates
  --pauses    processes stand still, for longer than their lease where others may take over
  --disks     disks are full and fail; as root on file systems of its own
  --restores  backups of a second to a day take the place of the database
  --seed S    another seed than the usual one
  --leave L   the exchange allows L times as much as Binance [1]
  --jobs J    worlds at the same time; on PostgreSQL most of the time is waiting for leases
Without --proxy, --pauses, --disks and --restores all four are on; --kills-only switches them off.";

const FAULTS: [&str; 4] = ["proxy", "pauses", "disks", "restores"];
const KILLS: u64 = 100;
const BOTS: u64 = 1000;
const LEAVE: u64 = 1;
/// Worlds for each core.
const JOBS_SQLITE: u64 = 2;
const JOBS_POSTGRES: u64 = 4;

const SQLITE: &str = "crash::killed_on_sqlite_it_goes_on_as_if_nothing_had_happened";
const POSTGRES: &str = "crash::killed_on_postgres_it_goes_on_as_if_nothing_had_happened";
const RECOVERY: &str = "crash::recovery::killed_with_many_bots_it_is_soon_ready_again";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// What is named on the command line, in its order.
    values: Vec<(&'static str, String)>,
    switches: Vec<&'static str>,
}

/// A test, and what it is told.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    test: &'static str,
    variables: Vec<(&'static str, String)>,
}

const VALUES: [&str; 7] =
    ["--cycles", "--store", "--seed", "--jobs", "--kills", "--bots", "--leave"];
const SWITCHES: [&str; 6] =
    ["--proxy", "--pauses", "--disks", "--restores", "--kills-only", "--recovery"];

pub(crate) fn crash(words: &[&str]) -> Result<(), String> {
    let Order { test, mut variables } = Options::read(words)?.order()?;
    let report = target()?.join("crash.json");
    let _former = fs::remove_file(&report);
    variables.push(("TRANCHE_CRASH_REPORT", report.display().to_string()));
    for (name, value) in &variables {
        say(&format!("    {name}={value}"));
    }
    let arguments = [
        "test",
        "--profile",
        "fast",
        "--package",
        "tranche",
        "--test",
        "it",
        "--",
        "--exact",
        test,
        "--nocapture",
    ];
    let outcome = cargo_with(&arguments, &variables);
    unmount_left();
    if let Ok(line) = fs::read_to_string(&report) {
        say(&line);
    }
    outcome
}

/// Small file systems of worlds that were ended from outside.
fn unmount_left() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let folder = root().join("target").display().to_string();
    for place in left(&mounts, &folder) {
        let _told = Command::new("umount").arg("-l").arg(place).status();
    }
}

fn left<'a>(mounts: &'a str, folder: &'a str) -> impl Iterator<Item = &'a str> {
    let ours = mounts.lines().filter_map(|line| line.strip_prefix("tranche-crash "));
    ours.filter_map(|line| line.split(' ').next()).filter(move |place| place.starts_with(folder))
}

impl Options {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if let Some(name) = VALUES.iter().find(|name| *name == word) {
                let value = words.next().ok_or_else(|| format!("{name} says nothing\n{USAGE}"))?;
                options.values.push((name, (*value).to_owned()));
            } else if let Some(name) = SWITCHES.iter().find(|name| *name == word) {
                options.switches.push(name);
            } else {
                return Err(format!("`{word}` is not known\n{USAGE}"));
            }
        }
        Ok(options)
    }

    fn order(&self) -> Result<Order, String> {
        if self.has("--recovery") { self.recovery() } else { self.cycles() }
    }

    fn recovery(&self) -> Result<Order, String> {
        let kills = self.number("--kills")?.unwrap_or(KILLS);
        let bots = self.number("--bots")?.unwrap_or(BOTS);
        let leave = self.number("--leave")?.unwrap_or(LEAVE);
        let variables = vec![
            ("TRANCHE_CRASH_CYCLES", kills.to_string()),
            ("TRANCHE_CRASH_BOTS", bots.to_string()),
            ("TRANCHE_CRASH_LEAVE", leave.to_string()),
        ];
        Ok(Order { test: RECOVERY, variables })
    }

    fn cycles(&self) -> Result<Order, String> {
        let cycles = self.number("--cycles")?.ok_or(USAGE)?;
        let (test, jobs) = match self.value("--store") {
            Some("sqlite") => (SQLITE, JOBS_SQLITE),
            Some("postgres") => (POSTGRES, JOBS_POSTGRES),
            Some(other) => return Err(format!("no such store: `{other}`\n{USAGE}")),
            None => return Err(USAGE.to_owned()),
        };
        let jobs = self.number("--jobs")?.unwrap_or_else(|| jobs.saturating_mul(cores()));
        let named = FAULTS.iter().filter(|fault| self.has(&format!("--{fault}")));
        let named: Vec<&str> = named.copied().collect();
        let faults = match (named.is_empty(), self.has("--kills-only")) {
            (true, true) => "none".to_owned(),
            (true, false) => FAULTS.join(","),
            (false, false) => named.join(","),
            (false, true) => return Err(format!("--kills-only and other faults\n{USAGE}")),
        };
        let mut variables = vec![
            ("TRANCHE_CRASH_CYCLES", cycles.to_string()),
            ("TRANCHE_CRASH_FAULTS", faults),
            ("TRANCHE_CRASH_JOBS", jobs.to_string()),
        ];
        if let Some(seed) = self.number("--seed")? {
            variables.push(("TRANCHE_CRASH_SEED", seed.to_string()));
        }
        Ok(Order { test, variables })
    }

    fn has(&self, switch: &str) -> bool {
        self.switches.contains(&switch)
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter().filter(|(known, _)| *known == name);
        values.next_back().map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| 0 < *number);
        number.map(Some).ok_or_else(|| format!("{name} must be a number above 0\n{USAGE}"))
    }
}

fn cores() -> u64 {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u64::try_from(cores).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> Result<Order, String> {
        Options::read(&line.split_whitespace().collect::<Vec<_>>())?.order()
    }

    fn told(line: &str, name: &str) -> String {
        let Order { variables, .. } = order(line).unwrap();
        let found = variables.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn cycles_store_and_switches_are_read() {
        let line = "--cycles 200 --store sqlite --restores --proxy --jobs 3 --seed 9";

        assert_eq!(order(line).unwrap().test, SQLITE);
        assert_eq!(told(line, "TRANCHE_CRASH_CYCLES"), "200");
        assert_eq!(told(line, "TRANCHE_CRASH_FAULTS"), "proxy,restores");
        assert_eq!(told(line, "TRANCHE_CRASH_JOBS"), "3");
        assert_eq!(told(line, "TRANCHE_CRASH_SEED"), "9");
    }

    #[test]
    fn all_faults_are_on_unless_some_are_named() {
        let line = "--cycles 5 --store postgres";

        assert_eq!(order(line).unwrap().test, POSTGRES);
        assert_eq!(told(line, "TRANCHE_CRASH_FAULTS"), "proxy,pauses,disks,restores");
        assert_eq!(told(&format!("{line} --kills-only"), "TRANCHE_CRASH_FAULTS"), "none");
        assert!(order(&format!("{line} --kills-only --proxy")).is_err());
    }

    #[test]
    fn recovery_has_its_own_numbers() {
        assert_eq!(order("--recovery").unwrap().test, RECOVERY);
        assert_eq!(told("--recovery --kills 20", "TRANCHE_CRASH_CYCLES"), "20");
        assert_eq!(told("--recovery", "TRANCHE_CRASH_BOTS"), "1000");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, word) in [
            ("", "usage"),
            ("--cycles 0 --store sqlite", "above 0"),
            ("--cycles 1 --store oracle", "no such store: `oracle`"),
            ("--cycles", "says nothing"),
            ("--cycles 1 --store sqlite --slow", "`--slow` is not known"),
        ] {
            assert!(order(line).unwrap_err().contains(word), "{line}");
        }
    }

    #[test]
    fn only_file_systems_of_ours_are_unmounted() {
        let mounts = "tmpfs /run tmpfs rw 0 0\ntranche-crash /tree/target/tmp/one/data tmpfs rw 0 0\n\
            tranche-crash /other/target/tmp/one/data tmpfs rw 0 0\n";

        let found: Vec<&str> = left(mounts, "/tree/target").collect();

        assert_eq!(found, ["/tree/target/tmp/one/data"]);
    }

    #[test]
    fn tests_that_are_named_are_there() {
        let folder = root().join("crates/tranche/tests/it");
        for test in [SQLITE, POSTGRES, RECOVERY] {
            let (room, name) = test.rsplit_once("::").unwrap();
            let path = folder.join(format!("{}.rs", room.replace("::", "/")));
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains(&format!("fn {name}()")), "{name}");
        }
    }
}
