//! `cargo xtask prepare`: what the tests need beside Rust. PostgreSQL and a browser are installed where
//! that is allowed, and the tool that tries the rules for alerts is unpacked, else it is said how. Without
//! PostgreSQL tests fail; without a browser or that tool one is skipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::steps::{root, say};

const DEBIAN: &str = "/etc/debian_version";
const SERVERS: &str = "/usr/lib/postgresql";
/// Debian makes and starts a server when it installs one, unless this file says otherwise first.
const SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";
const NO_SERVER: &str = "create_main_cluster = false\n";
const POSTGRES: &str = "postgresql";
const BROWSER: &str = "chromium";
const RULES: &str = "promtool";
/// In a folder of its own. Installed, the package would start a server.
const UNPACK: &str = "apt-get -q download prometheus && dpkg-deb --extract prometheus_*.deb all \
                      && mv all/usr/bin/promtool . && rm -r all prometheus_*.deb";

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// With these words before each command.
    Install(&'static [&'static str]),
    Tell(String),
}

/// What may be done on this machine.
#[derive(Debug, Clone, Copy)]
struct Machine {
    is_debian: bool,
    is_root: bool,
    may_sudo: bool,
}

impl Machine {
    fn here() -> Self {
        Self {
            is_debian: Path::new(DEBIAN).exists(),
            is_root: answers("sh", &["-c", "test \"$(id -u)\" = 0"]),
            may_sudo: answers("sudo", &["-n", "true"]),
        }
    }

    /// `otherwise` says how to install it where there is no Debian.
    fn plan(self, package: &str, otherwise: &str) -> Plan {
        let Self { is_debian, is_root, may_sudo } = self;
        match (is_debian, is_root, may_sudo) {
            (true, true, _) => Plan::Install(&[]),
            (true, false, true) => Plan::Install(&["sudo", "-n"]),
            (true, false, false) => Plan::Tell(format!("sudo apt-get install {package}")),
            (false, ..) => Plan::Tell(otherwise.to_owned()),
        }
    }
}

pub(crate) fn prepare() -> Result<(), String> {
    let has_server = has_server(Path::new(SERVERS)) || answers("pg_config", &["--bindir"]);
    let has_browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .any(|program| answers(program, &["--version"]));
    let tools = root().join("target").join("tools");
    let has_rules = answers(RULES, &["--version"]) || tools.join(RULES).exists();
    if has_server && has_browser && has_rules {
        return Ok(());
    }
    let machine = Machine::here();
    if !has_server {
        server(machine)?;
    }
    if !has_browser && let Err(why) = browser(machine) {
        say(&format!("    the report is not tried in a browser, that test is skipped: {why}"));
    }
    if !has_rules && let Err(why) = rules(machine, &tools) {
        say(&format!("    the rules for alerts are not tried, that test is skipped: {why}"));
    }
    Ok(())
}

fn server(machine: Machine) -> Result<(), String> {
    let otherwise = "install PostgreSQL 15 or newer, with `pg_config` in the path";
    match machine.plan(POSTGRES, otherwise) {
        Plan::Install(prefix) => {
            keep_from_starting(prefix)?;
            install(prefix, POSTGRES)
        }
        Plan::Tell(how) => Err(format!("the tests need the programs of PostgreSQL: {how}")),
    }
}

fn browser(machine: Machine) -> Result<(), String> {
    match machine.plan(BROWSER, "install Chromium, with `chromium` in the path") {
        Plan::Install(prefix) => install(prefix, BROWSER),
        Plan::Tell(how) => Err(how),
    }
}

fn rules(machine: Machine, tools: &Path) -> Result<(), String> {
    if !machine.is_debian {
        return Err("install Prometheus, with `promtool` in the path".to_owned());
    }
    say("    unpacking promtool");
    // What a former attempt left is in the way.
    drop(fs::remove_dir_all(tools));
    fs::create_dir_all(tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    let status = Command::new("sh").args(["-c", UNPACK]).current_dir(tools).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err("`apt-get download prometheus` and unpacking it failed".to_owned())
}

fn keep_from_starting(prefix: &[&str]) -> Result<(), String> {
    if Path::new(SETTINGS).exists() {
        return Ok(());
    }
    let folder = PathBuf::from(SETTINGS);
    let folder = folder.parent().map_or_else(String::new, |path| path.display().to_string());
    let script = format!("mkdir -p {folder} && printf '{NO_SERVER}' > {SETTINGS}");
    run(prefix, &["sh", "-c", &script])
}

fn install(prefix: &[&str], package: &str) -> Result<(), String> {
    say(&format!("    installing {package}"));
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q"];
    let refreshed = run(prefix, &[&quiet[..], &["update"]].concat());
    if let Err(error) = refreshed {
        say(&format!("    {error}; going on with the lists that are there"));
    }
    run(prefix, &[&quiet[..], &["install", "--no-install-recommends", package]].concat())
}

fn run(prefix: &[&str], words: &[&str]) -> Result<(), String> {
    let words: Vec<&str> = prefix.iter().chain(words).copied().collect();
    let line = words.join(" ");
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    match Command::new(program).args(arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {line}")),
        Err(error) => Err(format!("cannot start: {line}: {error}")),
    }
}

/// Whether one version's programs are in the folder of all versions.
fn has_server(folder: &Path) -> bool {
    let versions = fs::read_dir(folder).into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin").join("initdb").exists())
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_only_where_it_may() {
        let plan = |is_debian, is_root, may_sudo| {
            Machine { is_debian, is_root, may_sudo }.plan("postgresql", "install it")
        };

        assert_eq!(plan(true, true, false), Plan::Install(&[]));
        assert_eq!(plan(true, false, true), Plan::Install(&["sudo", "-n"]));
        let debian = Plan::Tell("sudo apt-get install postgresql".to_owned());
        assert_eq!(plan(true, false, false), debian);
        assert_eq!(plan(false, true, true), Plan::Tell("install it".to_owned()));
    }

    #[test]
    fn what_cannot_be_installed_stops_only_who_needs_it() {
        let machine = Machine { is_debian: false, is_root: true, may_sudo: true };

        assert!(server(machine).unwrap_err().contains("pg_config"));
        assert!(browser(machine).unwrap_err().contains("chromium"));
        assert!(rules(machine, Path::new("nowhere")).unwrap_err().contains("promtool"));
    }

    #[test]
    fn server_is_found_by_its_programs() {
        let folder = std::env::temp_dir().join(format!("tranche-prepare-{}", std::process::id()));
        let programs = folder.join("15").join("bin");
        fs::create_dir_all(&programs).unwrap();

        assert!(!has_server(&folder));
        fs::write(programs.join("initdb"), "").unwrap();
        assert!(has_server(&folder));
        fs::remove_dir_all(&folder).unwrap();
    }
}
