//! Pairs that the exchange closes, opens and adds.

use std::{thread, time::Duration};

use serde_json::Value;

use super::{
    Bots, add_account, create_bot, has_all_orders, open_orders, still_flags, still_place, trade,
    until,
};
use crate::{
    patience::Patience,
    place::{BOT, Place},
    server::Server,
};

#[test]
fn a_new_day_compares_accounts_and_a_pair_that_opens_again_is_traded() {
    let (place, exchange) = closed_pair("serve-midnight");
    exchange.control("/skew", &to_midnight(&exchange));
    let bots = Bots::start(&place, &exchange);
    let told = |shown: &Value| shown["told"]["balances"][0]["told"].as_str().map(str::to_owned);
    let show = "account show main --json --data-dir data";
    let is_late = |shown: &Value| told(shown).is_some_and(|at| at.contains("T23:59:"));
    until(&place, show, is_late);
    trade(&exchange, "BTCUSDT", "60000");
    assert_eq!(open_orders(&exchange), 0, "the market is closed");
    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"trading"}"#);

    // With the new day every balance is read, and the list of pairs.
    until(&place, show, |shown| told(shown).is_some_and(|at| at.contains("T00:00:")));
    until_it_trades(&place, &exchange);
    bots.end();
}

#[test]
fn a_pair_that_the_exchange_adds_can_be_traded_without_a_restart() {
    let (place, exchange) = still_place("serve-added", "--symbol BTC/USDT");
    place.write("bot.toml", &BOT.replace("BTC/USDT", "ETH/USDT"));
    // The list is read with the new day, which begins soon.
    let skew = to_midnight(&exchange);
    exchange.control("/skew", &skew);
    let bots = Bots::start(&place, &exchange);
    let create = "bot create bot.toml --wait 30s --data-dir data";
    place.run(create).refuses(&["ETH/USDT"]);

    let address = exchange.address().to_owned();
    drop(exchange);
    let flags = still_flags("--symbol BTC/USDT,ETH/USDT");
    let exchange = Server::start_at(&place, &address, &flags);
    exchange.control("/skew", &skew);

    let end = Patience::of(Duration::from_mins(1));
    while place.run(create).code != Some(0) {
        assert!(end.lasts(), "{}", place.run(create).err);
        thread::sleep(Duration::from_secs(1));
    }
    let bot = place.run("bot list --json --data-dir data").json();
    let bot = bot.as_array().unwrap().last().unwrap()["bot"].as_u64().unwrap();
    until(&place, &format!("bot show {bot} --json --data-dir data"), |shown| {
        trade(&exchange, "ETHUSDT", "3000");
        has_all_orders(shown)
    });
    bots.end();
}

#[test]
fn a_pair_that_opens_again_is_traded_soon() {
    let (place, exchange) = closed_pair("serve-reopened");
    let bots = Bots::start(&place, &exchange);
    bots.until_ready();
    trade(&exchange, "BTCUSDT", "60000");

    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"trading"}"#);

    until_it_trades(&place, &exchange);
    bots.end();
}

/// A bot on a pair that the exchange has closed, and what lets the market trade.
fn closed_pair(name: &str) -> (Place, Server) {
    let (place, exchange) = still_place(name, "");
    let bots = Bots::start(&place, &exchange);
    add_account(&place, &exchange);
    create_bot(&place);
    bots.end();
    exchange.control("/status", r#"{"symbol":"BTCUSDT","status":"halted"}"#);
    (place, exchange)
}

fn until_it_trades(place: &Place, exchange: &Server) {
    until(place, "bot show 1 --json --data-dir data", |shown| {
        trade(exchange, "BTCUSDT", "60000");
        has_all_orders(shown)
    });
}

/// A clock of the exchange by which it is a little before midnight.
fn to_midnight(exchange: &Server) -> String {
    let day = 86_400_000;
    let now = exchange.get("/state")["time"].as_i64().unwrap();
    format!(r#"{{"ms":{}}}"#, day - now.rem_euclid(day) - 20_000)
}
