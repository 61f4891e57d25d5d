//! Candles and results in the hands of pandas and polars: `examples/analyse.py` runs as it stands.
//!
//! They are installed once, below the build's folder. Where Python or the network is not to be had the
//! test says so and ends.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::place::Place;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/requirements.txt");
const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/formats.py");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/analyse.py");
/// Looks at a program ten times in a second.
const LOOK: Duration = Duration::from_millis(100);
const INSTALL_LOOKS: u32 = 4000;
const RUN_LOOKS: u32 = 1200;

#[test]
fn pandas_and_polars_read_candles_and_results_exactly() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            // Past the capture of the test's output: a skipped test must be seen.
            writeln!(std::io::stderr(), "SKIPPED: no Python library was tried: {why}").unwrap();
            return;
        }
    };
    let place = Place::trading("python_door");
    let space = "[parameters]\ntake_profit_pct = { values = [\"0.5\", 1, 2] }\n";
    place.write("space.toml", space);
    let imported = place.run("data import --venue here --pair BTC/USDT candles.csv");
    assert_eq!(imported.code, Some(0), "{}", imported.err);
    let swept = place.run("sweep --bot bot.toml --space space.toml --export results --json");
    assert_eq!(swept.code, Some(0), "{}", swept.err);

    others_files_hold_the_same_candles(&place, &python);
    let mut command = Command::new(python);
    command.arg(SCRIPT).arg(place.path("data/here/BTC-USDT-1m.parquet")).arg(place.path("results"));
    let said = output(command, RUN_LOOKS);

    let said = said.unwrap_or_else(|why| panic!("{why}"));
    assert!(said.ends_with("all is well\n"), "{said}");
}

/// Written by pandas and polars and read again, candles have the checksum that they had.
fn others_files_hold_the_same_candles(place: &Place, python: &Path) {
    let ours = place.path("data/here/BTC-USDT-1m.parquet");
    let mut command = Command::new(python);
    command.arg(FORMATS).arg(&ours).arg(place.path("."));
    let said = output(command, RUN_LOOKS).unwrap_or_else(|why| panic!("{why}"));
    assert!(said.ends_with("all is written\n"), "{said}");
    let checksum = place.run("data list --json").json()["sha256"].clone();
    for file in [
        "polars.parquet",
        "pandas.parquet",
        "gzip.parquet",
        "nanoseconds.parquet",
        "freqtrade.feather",
        "pandas.csv",
    ] {
        let line =
            format!("data import --venue other --pair BTC/USDT {file} --data {file}.data --json");
        let told = place.run(&line);
        assert_eq!(told.code, Some(0), "{file}: {}", told.err);
        assert_eq!(told.json()["sha256"], checksum, "{file}");
    }
}

/// The interpreter with the libraries; an error says why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data-libraries");
    let interpreter = folder.join("bin").join("python");
    let wanted = fs::read_to_string(REQUIREMENTS).map_err(|error| error.to_string())?;
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(&folder);
    output(command, INSTALL_LOOKS).map_err(|why| format!("no virtual environment: {why}"))?;
    let mut command = Command::new(&interpreter);
    let options = "--quiet --no-input --disable-pip-version-check --retries 1 --timeout 15 \
        --only-binary :all: --requirement";
    command.args(["-m", "pip", "install"]).args(options.split_whitespace()).arg(REQUIREMENTS);
    output(command, INSTALL_LOOKS).map_err(|why| format!("pip could not install: {why}"))?;
    fs::write(&mark, wanted).map_err(|error| error.to_string())?;
    Ok(interpreter)
}

/// Runs a program to its end, or ends it; all that it said.
fn output(mut command: Command, looks: u32) -> Result<String, String> {
    let name = format!("data-libraries-{}.log", std::process::id());
    let said = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let log = fs::File::create(&said).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut ended = None;
    for _ in 0..looks {
        ended = child.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = fs::read_to_string(&said).unwrap_or_default();
    fs::remove_file(&said).map_err(|error| error.to_string())?;
    match ended {
        Some(status) if status.success() => Ok(text),
        Some(_) => Err(text),
        None => Err(format!("it did not end in time\n{text}")),
    }
}
