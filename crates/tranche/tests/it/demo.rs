//! `tranche demo` without a screen.

use super::place::Place;

#[test]
fn deals_close_and_the_books_balance() {
    let told = Place::new("demo").run("demo --headless --for 2s --speed 100000 --seed 7 --json");

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
        .run("demo --headless --for 60s --speed 1000000 --bots 3 --candles BTC/USDT=candles.csv");

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("the market ends here"), "{}", told.err);
    assert!(told.out.contains("recorded market (candles.csv)"), "{}", told.out);
}
