//! A key that may withdraw: not taken in, and not used for new deals.

use std::{thread, time::Duration};

use super::{Bots, KEYS, add_account, create_bot, has_all_orders, still_place, trade, until};
use crate::{patience::Patience, server::KEY};

#[test]
fn a_key_that_may_withdraw_is_not_added() {
    let (place, exchange) = still_place("serve-withdraw-add", "--withdraw-right");
    let add = format!("account add main --data-dir data --rest {}", exchange.rest);
    let run = |flags: &str| place.run_with(&format!("{add} {flags}"), &KEYS);

    run("").refuses(&["may withdraw", "take that right away", "--anyway --yes"]);
    run("--anyway").refuses(&["--yes"]);
    assert_eq!(
        place.run("account list --json --data-dir data").json().as_array().unwrap().len(),
        0
    );

    let told = run("--anyway --yes");
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("may withdraw"), "{}", told.err);
    let listed = place.run("account list --json --data-dir data").json();
    assert_eq!(listed[0]["key"], "may withdraw, no deal begins");
    let (place, exchange) = still_place("serve-no-trade-add", "--no-trade-right");
    let add = format!("account add main --data-dir data --rest {}", exchange.rest);
    place.run_with(&add, &KEYS).refuses(&["may not trade", "allow spot trading"]);
}

#[test]
fn an_account_is_added_while_the_exchange_cannot_be_reached() {
    let (place, exchange) = still_place("serve-withdraw-offline", "");
    let address = exchange.rest.clone();
    drop(exchange);

    let add = format!("account add main --json --data-dir data --rest {address}");
    let told = place.run_with(&add, &KEYS);

    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("the key was not checked"), "{}", told.err);
    assert_eq!(told.json()["key_checked"], false);
}

#[test]
fn deals_of_a_key_that_may_withdraw_end_and_no_other_begins() {
    let (place, exchange) = still_place("serve-withdraw", "");
    let rights = |may: bool| {
        exchange.control("/rights", &format!(r#"{{"key":"{KEY}","withdraw":{may}}}"#));
    };
    let bots = Bots::start(&place, &exchange);
    let told = add_account(&place, &exchange);
    assert!(!told.err.contains("note"), "{}", told.err);
    let bot = create_bot(&place);
    let show = format!("bot show {bot} --json --data-dir data");
    until(&place, &show, |shown| {
        trade(&exchange, "BTCUSDT", "60000");
        has_all_orders(shown)
    });
    bots.end();
    rights(true);

    let bots = Bots::start(&place, &exchange);
    let metric = |bots: &Bots, line: &str| bots.get("/metrics").1.lines().any(|told| told == line);
    let end = Patience::of(Duration::from_mins(1));
    while !metric(&bots, "tranche_keys_may_withdraw 1") {
        assert!(end.lasts(), "{}", bots.get("/metrics").1);
        thread::sleep(Duration::from_millis(200));
    }
    // The open deal is looked after to its end.
    let list = "deal list --json --data-dir data";
    until(&place, list, |deals| {
        trade(&exchange, "BTCUSDT", "61100");
        deals[0]["ended"] == "take_profit"
    });
    let shown = until(&place, &show, |shown| {
        trade(&exchange, "BTCUSDT", "60000");
        let log = shown["log"].as_array().unwrap();
        log.iter().any(|line| line.as_str().unwrap().contains("the key may withdraw"))
    });
    assert!(shown["deals"].as_array().unwrap().is_empty(), "{shown}");
    let start = format!("deal start {bot} BTC/USDT --yes --wait 30s --data-dir data");
    place.run(&start).refuses(&["may withdraw"]);
    assert_eq!(place.run(list).json().as_array().unwrap().len(), 1);
    let told = place.run("account show main --data-dir data").out;
    assert!(told.contains("key         may withdraw, no deal begins"), "{told}");

    // Mended, it trades again by itself.
    rights(false);
    until(&place, &show, |shown| {
        trade(&exchange, "BTCUSDT", "60000");
        has_all_orders(shown)
    });
    assert!(metric(&bots, "tranche_keys_may_withdraw 0"));
    let shown = place.run("account show main --json --data-dir data").json();
    assert!(shown["key"].is_null(), "{shown}");
    bots.end();
}
