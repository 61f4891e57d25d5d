//! `tranche replay` on what `--record` wrote.

use super::place::Place;

const RECORD: &str = "backtest --bot bot.toml --candles candles.csv --record run.tranche";

#[test]
fn recorded_backtest_repeats() {
    let place = Place::trading("replay");
    place.run(RECORD);

    let told = place.run("replay run.tranche");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.out.contains("every decision was the same, byte for byte"), "{}", told.out);
}

#[test]
fn recorded_demo_repeats_over_restarts() {
    let place = Place::new("replay_demo");
    place.run("demo --in-process --headless --for 1s --speed 100000 --record run.tranche");

    let told = place.run("replay run.tranche");

    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn story_tells_of_deals() {
    let place = Place::trading("story");
    place.run(RECORD);

    let told = place.run("replay run.tranche --text");

    for word in ["create bot 1 `test`", "deal opened at", "take profit: sell", "deal closed"] {
        assert!(told.out.contains(word), "{word}");
    }
}

#[test]
fn tampered_recording_differs() {
    let place = Place::trading("tampered");
    place.run(RECORD);
    let mut bytes = place.read("run.tranche");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    place.write_bytes("run.tranche", &bytes);

    let told = place.run("replay run.tranche");

    assert_eq!(told.code, Some(1));
    assert!(told.err.contains("events were the same, then event"), "{}", told.err);
}

#[test]
fn no_byte_can_be_changed_unnoticed() {
    let place = Place::trading("changed");
    place.run(RECORD);
    let bytes = place.read("run.tranche");

    for part in 1..20 {
        let mut changed = bytes.clone();
        let at = bytes.len() / 20 * part;
        changed[at] ^= 4;
        place.write_bytes("run.tranche", &changed);
        assert_eq!(place.run("replay run.tranche").code, Some(1), "byte {at}");
    }
}

#[test]
fn cut_and_foreign_files_are_refused() {
    let place = Place::trading("cut");
    place.run(RECORD);
    let bytes = place.read("run.tranche");
    place.write_bytes("cut.tranche", &bytes[..bytes.len() - 3]);

    place.run("replay cut.tranche").refuses(&["cut.tranche", "cut short after"]);
    place.run("replay bot.toml").refuses(&["bot.toml", "not a recording of Tranche"]);
    place.run("replay none").refuses(&["none: cannot be read"]);
}
