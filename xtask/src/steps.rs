//! Runs one step after the other, says which, and stops at the first that fails.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Instant,
};

/// One thing that a command does, with the name that people see.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
}

pub(crate) enum Action {
    /// A function of our own.
    Run(fn() -> Result<(), String>),
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
    /// The same, where the component may be absent from a bare machine. Absence is announced.
    Component { probe: &'static str, arguments: &'static [&'static str] },
    /// The program of this project, as the tests built it: `cargo run` would choose other features of the
    /// dependencies, and build them anew.
    Program { profile: &'static str, arguments: &'static [&'static str] },
}

/// Runs the steps in order. Nothing is printed after the last one, so that the summary of the test
/// runner closes the output.
pub(crate) fn run_all(steps: &[Step]) -> Result<(), String> {
    for (index, step) in steps.iter().enumerate() {
        let started = now();
        say(&format!("==> {}", step.name));
        run(step)?;
        if index + 1 < steps.len() {
            say(&format!("    {}: {:.1} s", step.name, started.elapsed().as_secs_f32()));
        }
    }
    Ok(())
}

fn run(step: &Step) -> Result<(), String> {
    match &step.action {
        Action::Run(function) => function(),
        Action::Cargo(arguments) => cargo(arguments),
        Action::Component { probe, .. } if !has_cargo(probe) => {
            say(&format!("    SKIPPED: `cargo {probe}` is not installed (rustup component add)"));
            Ok(())
        }
        Action::Component { arguments, .. } => cargo(arguments),
        Action::Program { profile, arguments } => program(profile, arguments),
    }
}

/// Runs `cargo` in the root of the workspace; its output is ours.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    say(&format!("    {line}"));
    judge(&line, cargo_command(arguments).status())
}

/// Runs the program that was built to a profile's folder.
fn program(profile: &str, arguments: &[&str]) -> Result<(), String> {
    let line = format!("tranche {}", arguments.join(" "));
    say(&format!("    {line}"));
    let path =
        target()?.join(profile).join("tranche").with_extension(std::env::consts::EXE_EXTENSION);
    judge(&line, Command::new(path).args(arguments).current_dir(root()).status())
}

/// Where cargo builds to: this program lies there, in the folder of its profile.
pub(crate) fn target() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = program.parent().and_then(Path::parent);
    folder.map(Path::to_owned).ok_or_else(|| "this program lies in no target folder".to_owned())
}

/// The same with more variables.
pub(crate) fn cargo_with(arguments: &[&str], variables: &[(&str, String)]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    say(&format!("    {line}"));
    judge(&line, cargo_command(arguments).envs(variables.iter().cloned()).status())
}

/// Property tests draw the same cases in every run, so that a check of the same tree gives the same
/// answer; set `PROPTEST_RNG_SEED` to draw others.
pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    let mut command = bare_cargo();
    command.args(arguments).current_dir(root());
    if option_from_environment(SEED_VARIABLE).is_none() {
        command.env(SEED_VARIABLE, "1");
    }
    command
}

/// `cargo` as if a person had started it. `cargo run` tells this program about its own package, in
/// variables that build scripts watch (that of `ring` does): handed on, they made cargo build TLS, both
/// databases and all above them anew each time the one who asked had changed.
pub(crate) fn bare_cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_this_package) {
            command.env_remove(name);
        }
    }
    command
}

fn is_about_this_package(variable: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|beginning| variable.starts_with(beginning))
        || variable == "OUT_DIR"
}

const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";

#[expect(clippy::disallowed_methods, reason = "a developer's tool has no other settings")]
fn option_from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn judge(line: &str, status: io::Result<ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {line}")),
        Err(error) => Err(format!("cannot start: {line}: {error}")),
    }
}

/// Whether `cargo` knows this subcommand here.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let probe = bare_cargo().args([subcommand, "--version"]).output();
    probe.is_ok_and(|output| output.status.success())
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

#[expect(clippy::print_stdout, reason = "the output of a command line tool")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is shown to a person")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_hears_nothing_of_the_package_that_starts_it() {
        let removed = |command: &Command, name: &str| {
            command.get_envs().any(|(variable, value)| variable == name && value.is_none())
        };

        let command = cargo_command(&["--version"]);

        // Tests are started by cargo, too.
        assert!(removed(&command, "CARGO_MANIFEST_DIR"));
        assert!(removed(&command, "CARGO_PKG_NAME"));
        assert!(!is_about_this_package("CARGO_HOME"));
        assert!(!is_about_this_package("CARGO_TARGET_DIR"));
    }

    #[test]
    fn steps_that_pass_pass() {
        let passes = Action::Run(|| Ok(()));

        assert_eq!(run_all(&[Step { name: "one", action: passes }]), Ok(()));
    }

    #[test]
    fn first_failure_ends_the_run() {
        let fails = Action::Run(|| Err("a fault".to_owned()));
        let never = Action::Cargo(&["no-such-subcommand"]);
        let steps = [Step { name: "one", action: fails }, Step { name: "two", action: never }];

        assert_eq!(run_all(&steps), Err("a fault".to_owned()));
    }

    #[test]
    fn program_that_cannot_start_is_a_failure() {
        let absent = Err(io::Error::from(io::ErrorKind::NotFound));

        assert!(judge("cargo fmt", absent).unwrap_err().starts_with("cannot start: cargo fmt"));
    }

    #[test]
    fn exit_code_decides() {
        let version = Command::new("cargo").arg("--version").output().unwrap().status;
        let unknown = Command::new("cargo").arg("no-such-subcommand").output().unwrap().status;

        assert_eq!(judge("cargo --version", Ok(version)), Ok(()));
        assert!(judge("cargo no-such-subcommand", Ok(unknown)).is_err());
    }

    #[test]
    fn absent_component_is_no_failure() {
        let action = Action::Component { probe: "no-such-subcommand", arguments: &["build"] };

        assert_eq!(run_all(&[Step { name: "one", action }]), Ok(()));
    }
}
