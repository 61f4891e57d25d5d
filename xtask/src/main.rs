//! The developer's commands: `cargo xtask check`, `test`, `torture`, `prepare`, `tidy`, `bench`, `fuzz`,
//! `audit`, `drill`, `coverage`, `crash`.
//!
//! `make` calls these; the logic lives here, so that it is Rust and has tests.

mod audit;
mod bench;
mod coverage;
mod crash;
mod drill;
mod fuzz;
mod gates;
mod prepare;
mod steps;
mod tidy;

use std::{env, process::ExitCode};

const USAGE: &str = "usage: cargo xtask <command>
  check   format, Clippy, tidy, unit tests: before each commit
  test    format, Clippy, tidy, every test: what the pull request runs
  torture a thousand simulated bot-years in which everything goes wrong; --deep: six events, two faults
  prepare what the tests need beside Rust; `test` does this by itself
  tidy    the rules of the house that neither the compiler nor Clippy can hold
  bench   every benchmark, or those named; docs/benchmarks.md has the figures
  fuzz    one target of fuzz/, or `all`, for a while; `list` names them
  audit   licences, sources, bans and known holes of the dependencies
  drill   plants known bugs one at a time and sees whether the tests find them
  coverage which lines of `trading` its tests and those of `sim` run; at least 95 of a hundred
  crash   --cycles N --store sqlite|postgres: kills the binary while it trades; --recovery: how soon it is back";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["check"] => gates::check(),
        ["test"] => gates::test(),
        ["torture", options @ ..] => gates::torture(options),
        ["prepare"] => prepare::prepare(),
        ["tidy"] => tidy::run(),
        ["bench", names @ ..] => bench::bench(names),
        ["fuzz", rest @ ..] => fuzz::fuzz(rest),
        ["audit"] => audit::audit(),
        ["drill", options @ ..] => drill::run(options),
        ["coverage"] => coverage::coverage(),
        ["crash", options @ ..] => crash::crash(options),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            steps::say(&message);
            ExitCode::FAILURE
        }
    }
}
