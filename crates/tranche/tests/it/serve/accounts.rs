//! Accounts: what the exchange told of them, and their fees.

use rust_decimal::Decimal;

use super::{
    Bots, add_account, add_named, create_bot, has_all_orders, place, still_place, trade, until,
};
use crate::{place::BOT, server::Server};

#[test]
fn account_may_be_added_before_the_first_start() {
    let (place, exchange) = place("serve-early");
    add_account(&place, &exchange);

    let bots = Bots::start(&place, &exchange);

    let accounts = place.run("account list --json --data-dir data").json();
    let names: Vec<&str> =
        accounts.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["main", "paper"]);
    bots.end();
}

#[test]
fn account_shows_what_the_exchange_told_last_and_how_long_ago() {
    let (place, exchange) = still_place("serve-told", "--fee 0.0002,0.0004");
    let tick = || trade(&exchange, "BTCUSDT", "60000");
    tick();
    let bots = Bots::start(&place, &exchange);
    add_account(&place, &exchange);
    create_bot(&place);

    let shown = until(&place, "account show main --json --data-dir data", |shown| {
        tick();
        let balances = shown["told"]["balances"].as_array().unwrap();
        balances.iter().any(|one| one["asset"] == "BTC" && !one["worth"].is_null())
    });

    let books = exchange.get("/books")["accounts"][0].clone();
    for (told, known) in shown["told"]["balances"]
        .as_array()
        .unwrap()
        .iter()
        .zip(books["balances"].as_array().unwrap())
    {
        for part in ["asset", "free", "locked"] {
            assert_eq!(told[part], known[part], "{told} {known}");
        }
    }
    let coins = &shown["told"]["balances"][0]["worth"];
    assert_eq!((&coins["price"], &coins["is_old"]), (&"60000".into(), &false.into()), "{coins}");
    assert!(0 < shown["told"]["limits"][0]["used"].as_u64().unwrap(), "{shown}");
    // Nobody said what it pays: the exchange did.
    assert_eq!(shown["fees"]["maker"], "0.0002", "{shown}");
    assert_eq!(shown["fees"]["taker"], "0.0004", "{shown}");
    bots.end();

    let told = place.run("account show main --data-dir data").out;
    assert!(told.contains("fees        0.02 % maker, 0.04 % taker"), "{told}");
    assert!(
        told.contains("balance     BTC ") && told.contains("USDT at the price 60000"),
        "{told}"
    );

    // What is said at the start counts more than what the exchange says.
    let bots = Bots::start_with(&place, &exchange, "--fee 0.3%,0.5%");
    until(&place, "account show main --json --data-dir data", |shown| {
        shown["fees"]["maker"] == "0.003" && shown["fees"]["taker"] == "0.005"
    });
    bots.end();
}

#[test]
fn accounts_begin_before_the_exchange_has_said_what_they_pay() {
    let (place, exchange) = still_place("serve-many-fees", "--fee 0.0002,0.0004");
    for number in 1..=12 {
        add_named(&place, &exchange, &format!("account-{number}"));
    }
    let slow = r#"{"fault":{"kind":"delay_answer","ms":10000},"count":10,
        "path":"GET /api/v3/account/commission"}"#;
    exchange.control("/fault", slow);

    let bots = Bots::start(&place, &exchange);

    let asked = exchange.get("/faults")[0]["met"].as_u64().unwrap();
    assert!((1..=9).contains(&asked), "few are asked for at the start: {asked}");
    for number in 1..=12 {
        let show = format!("account show account-{number} --json --data-dir data");
        until(&place, &show, |shown| shown["fees"]["maker"] == "0.0002");
    }
    bots.end();
}

#[test]
fn fees_in_a_third_coin_are_in_the_profit_also_over_a_kill() {
    let flags = "--symbol BTC/USDT,ETH/USDT --balance USDT=10000,ETH=5 --fee-asset ETH";
    let (place, exchange) = still_place("serve-third-coin", flags);
    place.write("bot.toml", &BOT.replace("\"100\"", "\"1000\""));
    let tick = |symbol: &str, price: &str| trade(&exchange, symbol, price);
    tick("ETHUSDT", "2500");
    tick("BTCUSDT", "60000");
    let (dollars, coins) = (holds(&exchange, "USDT"), holds(&exchange, "ETH"));
    let bots = Bots::start(&place, &exchange);
    add_account(&place, &exchange);
    let bot = create_bot(&place);
    until(&place, &format!("bot show {bot} --json --data-dir data"), |shown| {
        tick("BTCUSDT", "60000");
        has_all_orders(shown)
    });
    assert_eq!(place.run(&format!("bot stop {bot} --data-dir data")).code, Some(0));

    // Killed, while a safety order and the take profit are filled.
    drop(bots);
    tick("BTCUSDT", "59300");
    tick("BTCUSDT", "62000");
    let bots = Bots::start(&place, &exchange);
    let deals = until(&place, "deal list --json --data-dir data", |deals| {
        tick("BTCUSDT", "62000");
        !deals[0]["closed"].is_null()
    });

    let number = |name: &str| deals[0][name].as_str().unwrap().parse::<Decimal>().unwrap();
    let fees = (coins - holds(&exchange, "ETH")) * Decimal::from(2500);
    assert!((number("fees") - fees).abs() < Decimal::new(1, 2), "{deals} {fees}");
    assert!(Decimal::ONE < fees, "{fees}");
    let profit = holds(&exchange, "USDT") - dollars - fees;
    assert!((number("profit") - profit).abs() < Decimal::new(1, 2), "{deals} {profit}");
    assert!(bots.get("/metrics").1.contains("\ntranche_fees_unvalued_total 0\n"));
    bots.end();
}

/// What the real account holds of a coin, at the exchange.
fn holds(exchange: &Server, asset: &str) -> Decimal {
    let books = exchange.get("/books");
    let balances = books["accounts"][0]["balances"].as_array().unwrap().clone();
    let held = balances.iter().find(|one| one["asset"] == asset).unwrap();
    let part = |name: &str| held[name].as_str().unwrap().parse::<Decimal>().unwrap();
    part("free") + part("locked")
}
