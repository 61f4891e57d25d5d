//! `tranche backtest` with good input.

use super::place::{BOT, Place};

const RUN: &str = "backtest --bot bot.toml --candles candles.csv";

#[test]
fn json_has_exactly_its_keys() {
    let told = Place::trading("json_keys").run(&format!("{RUN} --json"));

    let json = told.json();
    let keys = [
        "deals_opened",
        "deals_closed",
        "fills",
        "profit_quote",
        "fees_quote",
        "ambiguous_candles",
        "candles",
        "metrics",
        "wall_seconds",
        "core_seconds",
    ];
    let object = json.as_object().unwrap();
    assert_eq!(told.code, Some(0));
    assert_eq!(object.len(), keys.len());
    assert!(keys.iter().all(|key| object.contains_key(*key)), "{json}");
    assert!(json["profit_quote"].is_string() && json["fees_quote"].is_string());
    assert!(json["wall_seconds"].is_number() && json["core_seconds"].is_number());
    assert_eq!(json["candles"], 3000);
    assert!(3 < json["deals_closed"].as_u64().unwrap(), "{json}");
}

#[test]
fn scan_and_jump_tell_the_same() {
    let place = Place::trading("scan_and_jump");

    let [scan, jump] = ["scan", "jump"].map(|mode| {
        let mut json = place.run(&format!("{RUN} --json --mode {mode}")).json();
        let object = json.as_object_mut().unwrap();
        object.remove("wall_seconds");
        object.remove("core_seconds");
        json
    });

    assert_eq!(scan, jump);
}

#[test]
fn every_path_through_a_candle_can_be_asked_for() {
    let place = Place::trading("paths");

    for path in ["olhc", "ohlc", "nearest", "worst", "best"] {
        let told = place.run(&format!("{RUN} --json --path {path}"));
        assert_eq!(told.code, Some(0), "{path}: {}", told.err);
        assert!(0 < told.json()["deals_closed"].as_u64().unwrap(), "{path}");
    }
}

#[test]
fn people_get_a_table() {
    let told = Place::trading("table").run(RUN);

    assert_eq!(told.code, Some(0));
    for word in ["BTC/USDT recorded market (candles.csv)", "take profit", "% of 10000"] {
        assert!(told.out.contains(word), "{}", told.out);
    }
}

#[test]
fn flags_go_before_the_settings_file() {
    let place = Place::trading("settings_file");
    let fees = |line: &str| place.run(line).json()["fees_quote"].as_str().unwrap().to_owned();
    place.write("tranche.toml", "fee = \"0%\"\n");

    assert_eq!(fees(&format!("{RUN} --json")), "0");
    assert_ne!(fees(&format!("{RUN} --json --fee 0.1%")), "0");
}

#[test]
fn rules_of_an_unknown_pair_follow_from_its_candles() {
    let place = Place::trading("unknown_pair");
    place.write("bot.toml", &BOT.replace("BTC/USDT", "FOO/USDT"));

    let told = place.run(&format!("{RUN} --json"));

    assert_eq!(told.code, Some(0));
    assert!(told.err.contains("FOO/USDT is not in our table"), "{}", told.err);
}

#[test]
fn the_commented_example_is_a_good_bot() {
    let place = Place::trading("example");
    place.write("bot.toml", include_str!("../../../../examples/dca.toml"));

    // As the help of `tranche data fetch` has it.
    let told = place.run("backtest --bot bot.toml --candles BTC/USDT=candles.csv");
    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn every_optional_line_of_the_example_is_a_setting() {
    let place = Place::trading("example_settings");
    let text = include_str!("../../../../examples/dca.toml");
    let bare: Vec<&str> = text.lines().map(|line| line.trim_start_matches("# ")).collect();
    let is_setting =
        |line: &&&str| line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
    let settings: Vec<&str> = bare.iter().filter(is_setting).copied().collect();
    place.write("bot.toml", &settings.join("\n"));

    let told = place.run(&format!("{RUN} --json"));

    assert_eq!(settings.len(), 26);
    assert_eq!(told.code, Some(0), "{}", told.err);
}
