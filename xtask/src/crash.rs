//! `cargo xtask crash`: kills the binary while it trades, more often than the tests do.

use crate::steps::{cargo_with, say};

const USAGE: &str = "usage: cargo xtask crash --cycles N --store sqlite|postgres";
/// The variable that the tests read.
const CYCLES: &str = "TRANCHE_CRASH_CYCLES";

pub(crate) fn crash(words: &[&str]) -> Result<(), String> {
    let (cycles, test) = read(words)?;
    say(&format!("==> {cycles} kills"));
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
    ];
    cargo_with(&[&arguments[..], &["--nocapture"]].concat(), (CYCLES, &cycles.to_string()))
}

/// How often, and the name of the test.
fn read(words: &[&str]) -> Result<(u32, &'static str), String> {
    let ["--cycles", cycles, "--store", store] = words else { return Err(USAGE.to_owned()) };
    let cycles = cycles.parse().ok().filter(|cycles| 0 < *cycles);
    let cycles = cycles.ok_or_else(|| format!("--cycles must be a number above 0; {USAGE}"))?;
    let test = match *store {
        "sqlite" => "crash::killed_on_sqlite_it_goes_on_as_if_nothing_had_happened",
        "postgres" => "crash::killed_on_postgres_it_goes_on_as_if_nothing_had_happened",
        other => return Err(format!("no such store: `{other}`; {USAGE}")),
    };
    Ok((cycles, test))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_and_store_are_read() {
        let words = ["--cycles", "200", "--store", "sqlite"];
        assert!(read(&words).is_ok_and(|(cycles, test)| cycles == 200 && test.contains("sqlite")));
        assert!(read(&["--cycles", "0", "--store", "sqlite"]).is_err());
        assert!(read(&["--cycles", "1", "--store", "oracle"]).is_err());
        assert!(read(&[]).is_err());
    }

    #[test]
    fn tests_that_are_named_are_there() {
        let path = crate::steps::root().join("crates/tranche/tests/it/crash.rs");
        let text = std::fs::read_to_string(path).unwrap();

        for store in ["sqlite", "postgres"] {
            let (_, test) = read(&["--cycles", "1", "--store", store]).unwrap();
            let name = test.strip_prefix("crash::").unwrap();
            assert!(text.contains(&format!("fn {name}()")), "{name}");
        }
    }
}
