//! `tranche data import`, `list`, `check`, `resample`, and backtests from the data folder.

use std::fmt::Write as _;

use super::{
    peer::Peer,
    place::{BOT, Place},
};

const IMPORT: &str = "data import --venue here --pair BTC/USDT candles.csv";

/// Without what time and place decide.
fn plain(mut json: serde_json::Value) -> serde_json::Value {
    for key in ["wall_seconds", "core_seconds"] {
        json.as_object_mut().unwrap().remove(key);
    }
    json
}

#[test]
fn a_backtest_from_the_folder_is_that_from_the_file() {
    let place = Place::trading("depot_same");
    let told = place.run(IMPORT);
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(
        told.out.starts_with("here BTC/USDT 1m: 3000 new candles, now 3000 from"),
        "{}",
        told.out
    );

    let file = place.run("backtest --bot bot.toml --candles candles.csv --json");
    let folder = place.run("backtest --bot bot.toml --json");

    assert_eq!(folder.code, Some(0), "{}", folder.err);
    assert_eq!(plain(file.json()), plain(folder.json()));
}

#[test]
fn the_folder_is_listed_checked_and_an_altered_file_is_found() {
    let place = Place::trading("depot_list");
    assert!(place.run("data list").out.contains("holds no candles"));
    place.run(IMPORT);

    let list = place.run("data list");
    let json = place.run("data list --json").json();
    let check = place.run("data check");

    assert!(list.out.contains("here") && list.out.contains("3000"), "{}", list.out);
    assert_eq!((json["candles"].as_u64(), json["missing"].as_u64()), (Some(3000), Some(0)));
    assert_eq!(check.code, Some(0));
    assert!(check.out.contains("here BTC/USDT 1m: whole, 3000"), "{}", check.out);
    let path = "data/here/BTC-USDT-1m.parquet";
    let mut bytes = place.read(path);
    bytes[200] ^= 0xff;
    place.write_bytes(path, &bytes);
    let check = place.run("data check");
    assert_eq!(check.code, Some(1), "{}", check.out);
    assert!(check.err.contains("BTC-USDT-1m.parquet"), "{}", check.err);
}

#[test]
fn longer_candles_and_parts_of_time() {
    let place = Place::trading("depot_longer");
    place.run(IMPORT);

    let told = place.run("data resample --pair BTC/USDT --interval 15m");
    let stored = place.run("backtest --bot bot.toml --interval 15m --json");
    let made = place.run("backtest --bot bot.toml --candles candles.csv --interval 15m --json");
    let whole = place.run("backtest --bot bot.toml --interval 1m --json");
    let part = place.run("backtest --bot bot.toml --interval 1m --from 2023-11-16 --json");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(plain(stored.json()), plain(made.json()));
    assert!(stored.json()["candles"].as_u64().unwrap() <= 200);
    let [part, whole] = [part, whole].map(|told| told.json()["candles"].as_u64().unwrap());
    assert!(0 < part && part < whole, "{part} {whole}");
}

#[test]
fn what_is_missing_or_wrong_says_what_to_do() {
    let place = Place::trading("depot_wrong");
    for (line, words) in [
        ("backtest --bot bot.toml", "there are no candles of BTC/USDT in data"),
        ("data import --venue Up/../x --pair BTC/USDT candles.csv", "an exchange is called by"),
        ("data import --venue here --pair BTCUSDT candles.csv", "pair"),
        ("data import --venue here --pair BTC/USDT nothing.csv", "there is no such file"),
        ("data import --venue here --pair BTC/USDT bot.toml", "not a kind that can be read"),
        (
            "data import --venue here --pair BTC/USDT candles.csv --zone CET",
            "zone: `CET` is no zone",
        ),
        (
            "backtest --bot bot.toml --candles candles.csv --interval 7m7",
            "interval: `7m7` is no length",
        ),
        (
            "backtest --bot bot.toml --candles candles.csv --interval 30s",
            "30 s is not a whole number",
        ),
        (
            "backtest --bot bot.toml --candles candles.csv --from 2030-01-01",
            "there are no candles in this time",
        ),
        (
            "backtest --bot bot.toml --candles candles.csv --report r.pdf",
            "ends neither in .html nor in .json",
        ),
    ] {
        let told = place.run(line);
        assert_eq!(told.code, Some(1), "{line}");
        assert!(told.err.contains(words), "{line}\n{}\nwanted {words}", told.err);
    }
    place.write(
        "bad.csv",
        "time,open,high,low,close,volume\n1600000020000,10,11,9,10,1\n1600000080000,10,8,9,10,1\n",
    );
    let told = place.run("data import --venue here --pair BTC/USDT bad.csv");
    assert!(told.err.contains("bad.csv, line 3: the high is below"), "{}", told.err);
    assert!(place.run("data list").out.contains("holds no candles"));
}

#[test]
fn several_pairs_share_one_account() {
    let place = Place::trading("depot_pairs");
    place.run(IMPORT);
    place.run("data import --venue here --pair ETH/USDT candles.csv");
    place.write("bot.toml", &BOT.replace("[\"BTC/USDT\"]", "[\"BTC/USDT\", \"ETH/USDT\"]"));

    let told = place.run("backtest --bot bot.toml --json --report r.json");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(told.json()["candles"], 6000);
    let report: serde_json::Value = serde_json::from_slice(&place.read("r.json")).unwrap();
    assert_eq!(report["pairs"].as_array().unwrap().len(), 2);
    let pairs =
        report["deals"].as_array().unwrap().iter().map(|deal| deal["pair"].as_u64().unwrap());
    let pairs: std::collections::BTreeSet<u64> = pairs.collect();
    assert_eq!(pairs.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn worth_at_the_end_is_what_was_won_and_what_is_open() {
    let place = Place::trading("depot_worth");

    let json = place.run("backtest --bot bot.toml --candles candles.csv --json").json();

    let metrics = &json["metrics"];
    let value = |key: &str| metrics[key].as_f64().unwrap();
    let profit: f64 = json["profit_quote"].as_str().unwrap().parse().unwrap();
    assert!((value("profit") - profit).abs() < 1e-9);
    // Ten thousand at the start: realised, and what open deals would bring, make up the rest.
    let mut text = String::new();
    write!(text, "{:.6}", value("total_return") * 10_000.0).unwrap();
    let made: f64 = text.parse().unwrap();
    assert!((made - value("profit") - value("unrealised")).abs() < 1e-4, "{metrics}");
    assert!(0.0 < value("drawdown_pct"));
}

#[test]
fn a_fetch_without_a_file_fills_the_folder() {
    let place = Place::new("depot_fetch");
    place.write("bot.toml", BOT);
    let peer = Peer::with_candles(0, |_| None);
    let line = format!(
        "data fetch --pair BTC/USDT --from 2025-01-01 --to 2025-01-03 --rest {}",
        peer.rest()
    );

    let told = place.run(&line);
    let more = place.run(&line.replace("01-03", "01-04"));
    let run = place.run("backtest --bot bot.toml --json");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.starts_with("binance-spot BTC/USDT 1m: 2880 new candles"), "{}", told.out);
    assert!(
        more.out.starts_with("binance-spot BTC/USDT 1m: 1440 new candles, now 4320"),
        "{}",
        more.out
    );
    assert_eq!(run.json()["candles"], 4320);
    assert_eq!(std::fs::read_dir(place.path("data/fetching")).unwrap().count(), 0);
}
