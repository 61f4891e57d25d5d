//! `cargo xtask fuzz`: runs one fuzz target, or each of them for a while.
//!
//! Needs no nightly compiler and no further program: the counters that libFuzzer steers by are a pass
//! of the stable compiler. libFuzzer itself is C++, so a C++ compiler is needed.

use std::{fs, path::Path, process::Command};

use crate::steps::{bare_cargo, judge, root, say};

const USAGE: &str = "usage: cargo xtask fuzz <target|all|list> [--for 60s]
  finds go to target/fuzz/found/<target>; fuzz/corpus/<target> is where runs start from";
const CORPUS: &str = "fuzz/corpus";
const SECONDS: u32 = 60;
/// What cargo-fuzz hands to the compiler as well, but for the sanitizer: there is no unsafe code here.
const COUNTERS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

pub(crate) fn fuzz(words: &[&str]) -> Result<(), String> {
    let targets = targets()?;
    let (wanted, seconds) = match words {
        ["list"] => {
            say(&targets.join("\n"));
            return Ok(());
        }
        [target] => (*target, SECONDS),
        [target, "--for", span] => (*target, parse_seconds(span)?),
        _ => return Err(USAGE.to_owned()),
    };
    let chosen: Vec<&String> =
        targets.iter().filter(|name| wanted == "all" || *name == wanted).collect();
    if chosen.is_empty() {
        return Err(format!("no target `{wanted}`; there are {}", targets.join(", ")));
    }
    let program = build()?;
    for name in chosen {
        run(&program, name, seconds)?;
    }
    Ok(())
}

/// Each has a folder of files to start from; a test holds the list to them.
fn targets() -> Result<Vec<String>, String> {
    let entries =
        fs::read_dir(root().join(CORPUS)).map_err(|error| format!("{CORPUS}: {error}"))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// `90`, `90s` or `5m`.
fn parse_seconds(span: &str) -> Result<u32, String> {
    let (digits, factor) = match span.strip_suffix('m') {
        Some(digits) => (digits, 60),
        None => (span.strip_suffix('s').unwrap_or(span), 1),
    };
    let seconds = digits.parse::<u32>().ok().and_then(|count| count.checked_mul(factor));
    seconds
        .filter(|seconds| *seconds != 0)
        .ok_or_else(|| format!("no time to run for: `{span}`; write 90s or 5m"))
}

/// Builds the one program of all targets; its path.
fn build() -> Result<std::path::PathBuf, String> {
    let (folder, target) = (root().join("fuzz"), root().join("target/fuzz"));
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        // The versions that the product is built with.
        fs::copy(root().join("Cargo.lock"), &lock).map_err(|error| format!("lock: {error}"))?;
    }
    let host = host()?;
    say("==> build with counters");
    let mut command = bare_cargo();
    // With a target named, programs that run while building are built without counters.
    command.args(["build", "--target", &host, "--target-dir"]).arg(&target);
    command.current_dir(&folder).env("RUSTFLAGS", COUNTERS.join(" "));
    let hint = "cargo build in fuzz/ (it needs a C++ compiler, such as the package g++ has)";
    judge(hint, command.status())?;
    Ok(target.join(host).join("debug/tranche-fuzz"))
}

fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what it runs on".to_owned())
}

fn run(program: &Path, name: &str, seconds: u32) -> Result<(), String> {
    let found = root().join("target/fuzz/found").join(name);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    say(&format!("==> {name}, {seconds} s"));
    let mut command = Command::new(program);
    command.env("TRANCHE_FUZZ_TARGET", name);
    command.args([format!("-max_total_time={seconds}"), "-max_len=8192".to_owned()]);
    command.args(["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1"]);
    command.arg(format!("-artifact_prefix={}/failed-", found.display()));
    command.arg(&found).arg(root().join(CORPUS).join(name));
    let line = format!(
        "{name}: what stopped it is {}/failed-…; put it into {CORPUS}/{name} and mend it",
        found.display()
    );
    judge(&line, command.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        assert_eq!(parse_seconds("90"), Ok(90));
        assert_eq!(parse_seconds("90s"), Ok(90));
        assert_eq!(parse_seconds("5m"), Ok(300));
        for wrong in ["", "0", "-1", "1h", "99999999999s", "99999999m"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn targets_are_the_folders_of_the_corpora() {
        assert!(targets().unwrap().contains(&"venue_order".to_owned()));
    }

    #[test]
    fn unknown_target_is_refused_with_the_known_ones() {
        let refused = fuzz(&["venue_odrer"]).unwrap_err();

        assert!(refused.contains("venue_order"), "{refused}");
        assert!(fuzz(&[]).is_err());
        assert!(fuzz(&["all", "--for", "ever"]).is_err());
    }
}
