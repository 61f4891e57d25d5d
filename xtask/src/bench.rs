//! `cargo xtask bench`: runs the benchmarks and writes what they measured into `docs/benchmarks.md`.

mod figures;
mod table;

use std::{fs, path::Path};

use crate::steps::{cargo, root, say};
use figures::Figures;

const PAGE: &str = "docs/benchmarks.md";
const CRITERION: [&str; 7] =
    ["bench", "--package", "tranche-lab", "--bench", "step", "--bench", "backtest"];
const WAITING: [&str; 5] = ["bench", "--package", "tranche-lab", "--bench", "waiting"];
const GROUP: [&str; 5] = ["bench", "--package", "tranche-store", "--bench", "group"];

pub(crate) fn bench() -> Result<(), String> {
    let target = target()?;
    let waiting = target.join("waiting.json");
    say("==> steps and backtests");
    cargo(&CRITERION)?;
    say("==> memory, ticks and hits");
    let path = waiting.display().to_string();
    cargo(&[&WAITING[..], &["--", "--json", &path]].concat())?;
    say("==> group commit");
    let group = target.join("group.json");
    let path = group.display().to_string();
    cargo(&[&GROUP[..], &["--", "--json", &path]].concat())?;
    let mut figures = Figures::default();
    figures.read_criterion(&target.join("criterion"))?;
    figures.read_json(&waiting)?;
    figures.read_json(&group)?;
    let page = table::page(&figures, &machine());
    fs::write(root().join(PAGE), page).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    say(&format!("written: {PAGE}"));
    Ok(())
}

/// Where cargo builds to: this program lies there, in the folder of its profile.
fn target() -> Result<std::path::PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = program.parent().and_then(Path::parent);
    folder.map(Path::to_owned).ok_or_else(|| "this program lies in no target folder".to_owned())
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
