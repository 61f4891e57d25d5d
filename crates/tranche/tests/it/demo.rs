//! `tranche demo` without a screen.

use super::place::Place;

#[test]
fn deals_close_and_the_books_balance() {
    let told = Place::new("demo")
        .run("demo --in-process --headless --for 2s --speed 100000 --seed 7 --json");

    let json = told.json();
    let keys = ["deals_closed", "orders_placed", "fills", "profit_quote", "restarts", "violations"];
    let object = json.as_object().unwrap();
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(object.len(), keys.len());
    assert!(keys.iter().all(|key| object.contains_key(*key)), "{json}");
    assert!(json["profit_quote"].is_string());
    assert!(0 < json["deals_closed"].as_u64().unwrap() && 0 < json["restarts"].as_u64().unwrap());
    assert_eq!(json["violations"], 0);
    assert!(told.err.contains("generated market (seed 7)"), "{}", told.err);
}

#[test]
fn market_without_a_closed_deal_is_a_failure() {
    let told = Place::new("demo_idle").run("demo --headless --for 1s --speed 1 --json");

    assert_eq!(told.code, Some(1));
    assert_eq!(told.json()["deals_closed"], 0);
    assert!(told.err.contains("no deal was closed"), "{}", told.err);
}

#[test]
fn recorded_market_ends_the_demo_where_it_ends() {
    let place = Place::trading("demo_file");

    let told = place
        .run("demo --in-process --headless --for 60s --speed 1000000 --bots 3 --candles BTC/USDT=candles.csv");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("the market ends here"), "{}", told.err);
    assert!(told.out.contains("recorded market (candles.csv)"), "{}", told.out);
}

#[test]
fn deals_close_over_the_wire() {
    let told = Place::new("demo_wire").run("demo --headless --for 15s --seed 1 --json");

    let json = told.json();
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(0 < json["deals_closed"].as_u64().unwrap() && 0 < json["restarts"].as_u64().unwrap());
    assert_eq!(json["violations"], 0);
}

#[test]
fn books_balance_although_the_wire_fails() {
    let told = Place::new("demo_faults")
        .run("demo --headless --for 15s --speed 1200 --seed 1 --faults usual --json");

    assert_eq!(told.json()["violations"], 0, "{}", told.err);
    assert!(0 < told.json()["fills"].as_u64().unwrap(), "{}", told.err);
}

#[test]
fn a_recording_over_the_wire_repeats() {
    let place = Place::new("demo_record");
    place.run("demo --headless --for 6s --seed 1 --record run.tranche --json");

    let told = place.run("replay run.tranche");

    assert_eq!(told.code, Some(0), "{}", told.err);
}

#[test]
fn what_does_not_go_together_is_said() {
    for (line, why) in [
        ("demo --headless --speed 50000", "at most 36000"),
        ("demo --market live --faults usual", "leave out"),
        ("demo --faults no-such-file", "give a file, or `usual`"),
    ] {
        let told = Place::new("demo_wrong").run(line);
        assert_ne!(told.code, Some(0));
        assert!(told.err.contains(why), "{line}: {}", told.err);
    }
}
