//! `cargo xtask bench`: runs the benchmarks and writes what they measured into `docs/benchmarks.md`.

mod figures;
mod table;

use std::{fs, path::Path, process::Command};

use crate::steps::{cargo, root, say, target};
use figures::Figures;

const PAGE: &str = "docs/benchmarks.md";
const PEERS: &str = "bench/peers/compare.py";

/// A benchmark, and how its figures are had.
struct Part {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    kept_by: Keeper,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// Criterion keeps them in its own folder.
    Criterion,
    /// The program writes them into a file that it is told.
    Json,
    /// The same, and into a folder what the engines of others are to be fed.
    JsonAndPeers,
}

const fn part(
    name: &'static str,
    about: &'static str,
    package: &'static str,
    kept_by: Keeper,
) -> Part {
    Part { name, about, package, kept_by }
}

const PARTS: [Part; 9] = [
    part("step", "one account's step", "tranche-lab", Keeper::Criterion),
    part("backtest", "backtests", "tranche-lab", Keeper::Criterion),
    part("waiting", "memory, ticks and hits", "tranche-lab", Keeper::Json),
    part("sweep", "a sweep, and engines of others", "tranche-lab", Keeper::JsonAndPeers),
    part("wire", "frames and signatures", "tranche-venue", Keeper::Criterion),
    part("stream", "a recorded stream over a socket", "tranche-engine", Keeper::Json),
    part("group", "group commit", "tranche-store", Keeper::Json),
    part("start", "a start after a kill", "tranche-engine", Keeper::Json),
    part("serve", "a day of a server", "tranche", Keeper::Json),
];

/// What was measured now.
#[derive(Default)]
pub(crate) struct Run {
    parts: Vec<&'static str>,
    figures: Figures,
}

impl Run {
    /// What a part measured; nothing when it did not run, whatever lies about from another day.
    fn figures_of(&self, part: &str) -> Option<&Figures> {
        self.parts.contains(&part).then_some(&self.figures)
    }
}

/// Runs the benchmarks of these names, or all. What each measured is written into the page when it is over;
/// all other lines stay as they are.
pub(crate) fn bench(names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        return Err(format!("no benchmark `{unknown}`; there are {}", known.join(", ")));
    }
    let target = target()?;
    let peers = target.join("peers");
    let mut run = Run::default();
    for part in PARTS.iter().filter(|part| names.is_empty() || names.contains(&part.name)) {
        say(&format!("==> {}", part.about));
        part.run(&target, &peers)?;
        part.read(&target, &peers, &mut run.figures)?;
        run.parts.push(part.name);
        write(&run)?;
    }
    say(&format!("written: {PAGE}"));
    Ok(())
}

fn write(run: &Run) -> Result<(), String> {
    let path = root().join(PAGE);
    let standing = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    let page = table::page(run, &machine(), &standing);
    fs::write(path, page).map_err(|error| format!("cannot write {PAGE}: {error}"))
}

impl Part {
    fn run(&self, target: &Path, peers: &Path) -> Result<(), String> {
        let arguments = ["bench", "--package", self.package, "--bench", self.name];
        let file = target.join(self.name).with_extension("json");
        let (file, folder) = (file.display().to_string(), peers.display().to_string());
        let kept: &[&str] = match self.kept_by {
            Keeper::Criterion => &[],
            Keeper::Json => &["--", "--json", &file],
            Keeper::JsonAndPeers => &["--", "--json", &file, "--peers", &folder],
        };
        cargo(&[&arguments[..], kept].concat())?;
        if self.kept_by == Keeper::JsonAndPeers {
            say("==> engines of others");
            compare(peers);
        }
        Ok(())
    }

    /// Takes in what it left behind.
    fn read(&self, target: &Path, peers: &Path, figures: &mut Figures) -> Result<(), String> {
        let told = target.join(self.name).with_extension("json");
        let compared = peers.with_extension("json");
        match self.kept_by {
            Keeper::Criterion => figures.read_criterion(&target.join("criterion")),
            Keeper::JsonAndPeers if compared.is_file() => {
                figures.read_json(&told)?;
                figures.read_json(&compared)
            }
            Keeper::Json | Keeper::JsonAndPeers => figures.read_json(&told),
        }
    }
}

/// Runs the peers on what the sweep wrote. Where there is no recorded year, no Python, or no way to
/// install them, they leave no figures, and their lines stay as they are.
fn compare(peers: &Path) {
    let figures = peers.with_extension("json");
    let _gone = fs::remove_file(&figures);
    let mut command = Command::new("python3");
    command.arg(root().join(PEERS)).arg(peers).arg("--json").arg(&figures);
    match command.status() {
        Ok(status) if !status.success() => say("the peers did not run to their end"),
        Ok(_) => {}
        Err(error) => say(&format!("peers are skipped: no python3 ({error})")),
    }
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
    fn unknown_benchmark_is_answered_with_the_known_ones() {
        let error = bench(&["stream", "streem"]).unwrap_err();

        assert!(error.contains("`streem`") && error.contains("stream, group"), "{error}");
    }

    #[test]
    fn machine_is_its_processor_and_nothing_else() {
        let core = "processor\t: 0\nmodel name\t: Fast 9000\nserial\t\t: 12345\n";

        assert_eq!(describe(&core.repeat(2)), "Fast 9000, 2 cores");
        assert_eq!(describe(""), "unknown processor");
    }
}
