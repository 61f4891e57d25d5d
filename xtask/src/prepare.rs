//! `cargo xtask prepare`: what the tests need beside Rust. PostgreSQL is installed where that is
//! allowed, else it is said how.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::steps::say;

const DEBIAN: &str = "/etc/debian_version";
const SERVERS: &str = "/usr/lib/postgresql";
/// Debian makes and starts a server when it installs one, unless this file says otherwise first.
const SETTINGS: &str = "/etc/postgresql-common/createcluster.conf";
const NO_SERVER: &str = "create_main_cluster = false\n";
const PACKAGE: &str = "postgresql";

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    /// With these words before each command.
    Install(&'static [&'static str]),
    Tell(String),
}

pub(crate) fn prepare() -> Result<(), String> {
    let has_server = has_server(Path::new(SERVERS)) || answers("pg_config", &["--bindir"]);
    let is_debian = Path::new(DEBIAN).exists();
    let is_root = answers("sh", &["-c", "test \"$(id -u)\" = 0"]);
    let may_sudo = || answers("sudo", &["-n", "true"]);
    match plan(has_server, is_debian, is_root, may_sudo) {
        Plan::Nothing => Ok(()),
        Plan::Install(prefix) => install(prefix),
        Plan::Tell(what) => Err(what),
    }
}

fn plan(has_server: bool, is_debian: bool, is_root: bool, may_sudo: impl FnOnce() -> bool) -> Plan {
    if has_server {
        return Plan::Nothing;
    }
    if is_debian && is_root {
        return Plan::Install(&[]);
    }
    if is_debian && may_sudo() {
        return Plan::Install(&["sudo", "-n"]);
    }
    let how = if is_debian {
        format!("sudo apt-get install {PACKAGE}")
    } else {
        "install PostgreSQL 15 or newer, with `pg_config` in the path".to_owned()
    };
    Plan::Tell(format!("the tests need the programs of PostgreSQL: {how}"))
}

fn install(prefix: &[&str]) -> Result<(), String> {
    say(&format!("    installing {PACKAGE}"));
    if !Path::new(SETTINGS).exists() {
        let folder = PathBuf::from(SETTINGS);
        let folder = folder.parent().map_or_else(String::new, |path| path.display().to_string());
        let script = format!("mkdir -p {folder} && printf '{NO_SERVER}' > {SETTINGS}");
        run(prefix, &["sh", "-c", &script])?;
    }
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q"];
    let refreshed = run(prefix, &[&quiet[..], &["update"]].concat());
    if let Err(error) = refreshed {
        say(&format!("    {error}; going on with the lists that are there"));
    }
    run(prefix, &[&quiet[..], &["install", "--no-install-recommends", PACKAGE]].concat())
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
    fn what_is_there_is_not_installed() {
        assert_eq!(plan(true, true, true, || true), Plan::Nothing);
    }

    #[test]
    fn installs_only_where_it_may() {
        assert_eq!(plan(false, true, true, || false), Plan::Install(&[]));
        assert_eq!(plan(false, true, false, || true), Plan::Install(&["sudo", "-n"]));
        let debian = plan(false, true, false, || false);
        let other = plan(false, false, true, || true);
        let (Plan::Tell(debian), Plan::Tell(other)) = (debian, other) else { panic!("installs") };
        assert!(debian.ends_with("sudo apt-get install postgresql"), "{debian}");
        assert!(other.contains("pg_config"), "{other}");
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
