//! Candles and results in the hands of pandas and polars: `examples/analyse.py` runs as it stands.
//!
//! They are installed once, below the build's folder. Where Python or the network is not to be had the
//! test says so and ends.

use std::{io::Write as _, path::Path, process::Command};

use super::{place::Place, python};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/requirements.txt");
const FORMATS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/formats.py");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/analyse.py");

#[test]
fn pandas_and_polars_read_candles_and_results_exactly() {
    let python = match python::with("data-libraries", REQUIREMENTS) {
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
    let said = python::run(command);

    let said = said.unwrap_or_else(|why| panic!("{why}"));
    assert!(said.ends_with("all is well\n"), "{said}");
}

/// Written by pandas and polars and read again, candles have the checksum that they had.
fn others_files_hold_the_same_candles(place: &Place, python: &Path) {
    let ours = place.path("data/here/BTC-USDT-1m.parquet");
    let mut command = Command::new(python);
    command.arg(FORMATS).arg(&ours).arg(place.path("."));
    let said = python::run(command).unwrap_or_else(|why| panic!("{why}"));
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
