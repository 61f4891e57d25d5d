//! What must hold before a commit (`check`) and before a merge (`test`).

use crate::{
    prepare,
    steps::{Action, Step, cargo_command, has_cargo, judge, run_all},
    tidy,
};

const FORMAT: Step = Step {
    name: "format",
    action: Action::Component { probe: "fmt", arguments: &["fmt", "--all", "--check"] },
};

// In the profile of the tests, so that macros and build scripts are built once for both.
const CLIPPY: Step = Step {
    name: "clippy",
    action: Action::Component {
        probe: "clippy",
        arguments: &[
            "clippy",
            "--workspace",
            "--profile",
            "fast",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
};

const TIDY: Step = Step { name: "tidy", action: Action::Run(tidy::run) };

const PREPARE: Step = Step { name: "prepare", action: Action::Run(prepare::prepare) };

// Before the other tests, because the summary of the runner is to be the last thing printed.
const DOC_TESTS: Step = Step {
    name: "doc tests",
    action: Action::Cargo(&["test", "--workspace", "--profile", "fast", "--doc"]),
};

const UNIT_TESTS: [&str; 6] = ["test", "--workspace", "--profile", "fast", "--lib", "--bins"];
const UNIT_TESTS_NEXTEST: [&str; 7] =
    ["nextest", "run", "--workspace", "--cargo-profile", "fast", "--lib", "--bins"];
const ALL_TESTS: [&str; 5] = ["test", "--workspace", "--profile", "fast", "--tests"];
const ALL_TESTS_NEXTEST: [&str; 5] = ["nextest", "run", "--workspace", "--cargo-profile", "fast"];

/// Everything that the tests run, so that the program of the next step is built but once.
const PROGRAMS: Step = Step {
    name: "programs",
    action: Action::Cargo(&["test", "--workspace", "--profile", "fast", "--no-run"]),
};

/// Years of bots in which everything goes wrong: as many as a merge may cost in time.
const WORLDS: Step = Step {
    name: "worlds",
    action: Action::Program { profile: "fast", arguments: &["simulate", "--bot-years", "200"] },
};

/// As many as somebody asks for who has the time.
const TORTURE: Step = Step {
    name: "torture",
    action: Action::Cargo(&[
        "run",
        "--profile",
        "fast",
        "--package",
        "tranche",
        "--",
        "simulate",
        "--bot-years",
        "1000",
        "--json",
    ]),
};

/// Every order of six events with every two faults.
const DEEP: [&str; 11] = [
    "test",
    "--profile",
    "fast",
    "--package",
    "tranche-sim",
    "--test",
    "it",
    "--",
    "scope::long::",
    "--nocapture",
    "--test-threads=1",
];

pub(crate) fn torture(options: &[&str]) -> Result<(), String> {
    match options {
        [] => run_all(&[TORTURE]),
        ["--deep"] => {
            let mut command = cargo_command(&DEEP);
            command.env("TRANCHE_SCOPE", "all");
            judge("six events, two faults", command.status())
        }
        _ => Err("usage: cargo xtask torture [--deep]
  a thousand simulated bot-years in which everything goes wrong
  --deep  instead: every order of six events, with every two faults at every two places"
            .to_owned()),
    }
}

pub(crate) fn check() -> Result<(), String> {
    run_all(&check_steps(has_cargo("nextest")))
}

pub(crate) fn test() -> Result<(), String> {
    run_all(&test_steps(has_cargo("nextest")))
}

fn check_steps(has_nextest: bool) -> [Step; 4] {
    let arguments: &[&str] = if has_nextest { &UNIT_TESTS_NEXTEST } else { &UNIT_TESTS };
    let units = Step { name: "unit tests", action: Action::Cargo(arguments) };
    [FORMAT, TIDY, CLIPPY, units]
}

fn test_steps(has_nextest: bool) -> [Step; 8] {
    let arguments: &[&str] = if has_nextest { &ALL_TESTS_NEXTEST } else { &ALL_TESTS };
    let tests = Step { name: "tests", action: Action::Cargo(arguments) };
    [PREPARE, FORMAT, TIDY, CLIPPY, DOC_TESTS, PROGRAMS, WORLDS, tests]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runner_is_the_last_step_of_test() {
        for has_nextest in [true, false] {
            let names = test_steps(has_nextest).map(|step| step.name);

            let expected =
                ["prepare", "format", "tidy", "clippy", "doc tests", "programs", "worlds", "tests"];
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn cheap_gates_come_first() {
        let names = check_steps(true).map(|step| step.name);

        assert_eq!(names, ["format", "tidy", "clippy", "unit tests"]);
    }

    #[test]
    fn clippy_warnings_are_failures() {
        let Action::Component { arguments, .. } = CLIPPY.action else { panic!("not a component") };

        assert!(arguments.ends_with(&["-D", "warnings"]));
    }
}
