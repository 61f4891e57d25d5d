//! Builds the copy and runs its tests: first the scenes around a whole shard, which are the quickest to
//! build; when they pass the tests inside the crates, and only then the long runs of drawn storms.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::shown;
use crate::steps::{bare_cargo, now};

/// A bug may make a test run for ever. Without one the short tests take a few seconds.
const PATIENCE: Duration = Duration::from_secs(45);
const PATIENCE_WITH_LONG: Duration = Duration::from_mins(4);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is run only when nothing else has failed: it takes long, and longer when it fails.
const LONG: [&str; 3] = ["scope::long::", "storms::", "world::"];

#[derive(Debug)]
pub(super) struct Suite {
    tree: PathBuf,
    target: PathBuf,
}

/// A test program with the folder that it runs in.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    folder: PathBuf,
}

/// Why there is no verdict.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What is planted does not compile.
    Compiler(String),
    Drill(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// The names of tests that failed.
    Failed(Vec<String>),
}

impl Suite {
    pub(super) const fn new(tree: PathBuf, target: PathBuf) -> Self {
        Self { tree, target }
    }

    /// Builds and runs one round after the other until a test fails. The error is the compiler's.
    pub(super) fn test(&self) -> Result<Verdict, Trouble> {
        let skipped: Vec<&str> = LONG.iter().flat_map(|part| ["--skip", *part]).collect();
        let rounds: [(&str, &[&str], Duration); 3] = [
            ("--package tranche-sim --test it", &skipped, PATIENCE),
            ("--workspace --lib", &[], PATIENCE),
            ("--package tranche-sim --test it", &LONG, PATIENCE_WITH_LONG),
        ];
        for (what, filters, patience) in rounds {
            let mut failed = Vec::new();
            for program in self.build(what)? {
                let tests = self.run(&program, filters, patience).map_err(Trouble::Drill)?;
                failed.extend(tests);
            }
            if !failed.is_empty() {
                failed.sort();
                return Ok(Verdict::Failed(failed));
            }
        }
        Ok(Verdict::Passed)
    }

    fn build(&self, what: &str) -> Result<Vec<Program>, Trouble> {
        let built = bare_cargo()
            .args(["test", "--offline", "--profile", "fast", "--no-run"])
            .args(["--message-format", "json", "--target-dir"])
            .arg(&self.target)
            .args(what.split_whitespace())
            .current_dir(&self.tree)
            .output()
            .map_err(|error| Trouble::Drill(format!("cannot start cargo: {error}")))?;
        let text = String::from_utf8_lossy(&built.stdout);
        let messages: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if built.status.success() {
            return Ok(messages.iter().filter_map(program).collect());
        }
        let first = messages.iter().find_map(error_of);
        let said = || String::from_utf8_lossy(&built.stderr).into_owned();
        Err(Trouble::Compiler(first.unwrap_or_else(said)))
    }

    fn run(
        &self,
        program: &Program,
        filters: &[&str],
        patience: Duration,
    ) -> Result<Vec<String>, String> {
        let log = self.target.join("drill.log");
        let failed =
            |error: std::io::Error| format!("cannot run {}: {error}", shown(&program.path));
        let output = File::create(&log).map_err(failed)?;
        let mut child = Command::new(&program.path)
            .args(filters)
            .current_dir(&program.folder)
            .env("PROPTEST_RNG_SEED", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let ended = wait(&mut child, patience).map_err(failed)?;
        let text = fs::read(&log).map_err(failed)?;
        let mut tests = failures(&String::from_utf8_lossy(&text));
        if tests.is_empty() && ended != Some(true) {
            let what = if ended.is_none() { "does not end" } else { "dies" };
            tests.push(format!("{} {what}", name(&program.path)));
        }
        Ok(tests)
    }
}

/// The test that tells most: one that is named after a failure of another bot.
pub(super) fn telling(tests: &[String]) -> &str {
    let named = tests.iter().find(|test| test.starts_with("failures::"));
    named.or_else(|| tests.first()).map_or("", String::as_str)
}

/// Whether it succeeded; `None` when it had to be ended.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<bool>> {
    let started = now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if patience < started.elapsed() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn failures(text: &str) -> Vec<String> {
    let failed = text.lines().filter_map(|line| line.strip_suffix(" ... FAILED"));
    failed.filter_map(|line| line.strip_prefix("test ")).map(str::to_owned).collect()
}

/// The test program that a message of Cargo tells of.
fn program(message: &Value) -> Option<Program> {
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    let manifest = Path::new(message.get("manifest_path")?.as_str()?);
    Some(Program { path, folder: manifest.parent()?.to_owned() })
}

/// The error that a message of Cargo tells of.
fn error_of(message: &Value) -> Option<String> {
    let inner = message.get("message")?;
    if inner.get("level")?.as_str()? != "error" {
        return None;
    }
    inner.get("rendered")?.as_str().map(str::to_owned)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failed_tests_are_read_from_the_output() {
        let text = "test a::b ... ok\ntest a::c ... FAILED\nfailures:\n    a::c\n";

        assert_eq!(failures(text), ["a::c"]);
        let names = ["guards::b", "failures::sends::f_001"].map(str::to_owned);
        assert_eq!(telling(&names), "failures::sends::f_001");
        assert_eq!((telling(&names[..1]), telling(&[])), ("guards::b", ""));
    }

    #[test]
    fn messages_of_cargo_name_programs_and_errors() {
        let built = json!({ "executable": "/t/it-1", "manifest_path": "/c/sim/Cargo.toml" });
        let expected = Program { path: "/t/it-1".into(), folder: "/c/sim".into() };
        assert_eq!(program(&built), Some(expected));
        assert_eq!(program(&json!({ "executable": null })), None);

        let error = json!({ "message": { "level": "error", "rendered": "no" } });
        let warning = json!({ "message": { "level": "warning", "rendered": "well" } });
        assert_eq!((error_of(&error), error_of(&warning)), (Some("no".to_owned()), None));
    }

    #[test]
    fn a_program_that_dies_or_hangs_has_failed() {
        let end = |line: &[&str]| {
            let mut child = Command::new(line[0]).args(&line[1..]).spawn().unwrap();
            wait(&mut child, Duration::from_millis(300)).unwrap()
        };

        assert_eq!((end(&["true"]), end(&["false"])), (Some(true), Some(false)));
        assert_eq!(end(&["sleep", "60"]), None);
    }
}
