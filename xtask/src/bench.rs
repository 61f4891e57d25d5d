//! `cargo xtask bench`: runs the benchmarks and writes what they measured into `docs/benchmarks.md`.

mod figures;
mod table;

use std::{fs, path::Path, process::Command};

use crate::steps::{cargo, root, say, target};
use figures::Figures;

const PAGE: &str = "docs/benchmarks.md";
const CRITERION: [&str; 7] =
    ["bench", "--package", "tranche-lab", "--bench", "step", "--bench", "backtest"];
const WIRE: [&str; 5] = ["bench", "--package", "tranche-venue", "--bench", "wire"];
const STREAM: [&str; 5] = ["bench", "--package", "tranche-engine", "--bench", "stream"];
const WAITING: [&str; 5] = ["bench", "--package", "tranche-lab", "--bench", "waiting"];
const SWEEP: [&str; 5] = ["bench", "--package", "tranche-lab", "--bench", "sweep"];
const PEERS: &str = "bench/peers/compare.py";
const START: [&str; 5] = ["bench", "--package", "tranche-engine", "--bench", "start"];
const SERVE: [&str; 5] = ["bench", "--package", "tranche", "--bench", "serve"];
const GROUP: [&str; 5] = ["bench", "--package", "tranche-store", "--bench", "group"];

pub(crate) fn bench() -> Result<(), String> {
    let target = target()?;
    let waiting = target.join("waiting.json");
    say("==> steps and backtests");
    cargo(&CRITERION)?;
    say("==> memory, ticks and hits");
    let path = waiting.display().to_string();
    cargo(&[&WAITING[..], &["--", "--json", &path]].concat())?;
    say("==> a sweep");
    let (sweep, peers) = (target.join("sweep.json"), target.join("peers"));
    let (path, folder) = (sweep.display().to_string(), peers.display().to_string());
    cargo(&[&SWEEP[..], &["--", "--json", &path, "--peers", &folder]].concat())?;
    say("==> frames and signatures");
    cargo(&WIRE)?;
    say("==> a recorded stream over a socket");
    let stream = target.join("stream.json");
    let path = stream.display().to_string();
    cargo(&[&STREAM[..], &["--", "--json", &path]].concat())?;
    say("==> group commit");
    let group = target.join("group.json");
    let path = group.display().to_string();
    cargo(&[&GROUP[..], &["--", "--json", &path]].concat())?;
    say("==> a start after a kill");
    let start = target.join("start.json");
    let path = start.display().to_string();
    cargo(&[&START[..], &["--", "--json", &path]].concat())?;
    say("==> a day of a server");
    let serve = target.join("serve.json");
    let path = serve.display().to_string();
    cargo(&[&SERVE[..], &["--", "--json", &path]].concat())?;
    let mut figures = Figures::default();
    figures.read_criterion(&target.join("criterion"))?;
    figures.read_json(&waiting)?;
    figures.read_json(&sweep)?;
    figures.read_json(&stream)?;
    figures.read_json(&group)?;
    figures.read_json(&start)?;
    figures.read_json(&serve)?;
    say("==> engines of others");
    if let Some(compared) = compare(&peers) {
        figures.read_json(&compared)?;
    }
    let page = table::page(&figures, &machine());
    fs::write(root().join(PAGE), page).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    say(&format!("written: {PAGE}"));
    Ok(())
}

/// Runs the peers on what the sweep wrote. Nothing when there is no recorded year, no Python, or no way to
/// install them: the table says then that they were not measured.
fn compare(peers: &Path) -> Option<std::path::PathBuf> {
    let figures = peers.with_extension("json");
    let _gone = fs::remove_file(&figures);
    let mut command = Command::new("python3");
    command.arg(root().join(PEERS)).arg(peers).arg("--json").arg(&figures);
    match command.status() {
        Ok(status) if !status.success() => say("the peers did not run to their end"),
        Ok(_) => {}
        Err(error) => say(&format!("peers are skipped: no python3 ({error})")),
    }
    figures.is_file().then_some(figures)
}

/// The processor and how many cores of it there are; nothing that names the machine.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    describe(&info)
}

fn describe(info: &str) -> String {
    let mut models = info.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim())
    });
    match models.next() {
        Some(model) => format!("{model}, {} cores", models.count() + 1),
        None => "unknown processor".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_its_processor_and_nothing_else() {
        let core = "processor\t: 0\nmodel name\t: Fast 9000\nserial\t\t: 12345\n";

        assert_eq!(describe(&core.repeat(2)), "Fast 9000, 2 cores");
        assert_eq!(describe(""), "unknown processor");
    }
}
