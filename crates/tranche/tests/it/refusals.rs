//! What is wrong is said with file, line, value, bound and what to do.

use super::place::{BOT, Place, Told};

const RUN: &str = "backtest --bot bot.toml --candles candles.csv";

fn with_bot(name: &str, from: &str, to: &str) -> Told {
    let place = Place::trading(name);
    assert!(BOT.contains(from));
    place.write("bot.toml", &BOT.replace(from, to));
    place.run(RUN)
}

fn with_candles(name: &str, rows: &str) -> Told {
    let place = Place::trading(name);
    place.write("candles.csv", &format!("open_time_ms,open,high,low,close,volume\n{rows}"));
    place.run(RUN)
}

#[test]
fn symbols_that_are_none() {
    with_bot("symbol", "BTC/USDT", "BTCUSDT").refuses(&[
        "bot.toml, line 2: pairs: a symbol is BASE/QUOTE",
        "`BTCUSDT`; did you mean BTC/USDT?",
    ]);
}

#[test]
fn candles_of_a_pair_that_the_bot_does_not_trade() {
    let told =
        Place::trading("other_pair").run("backtest --bot bot.toml --candles ETH/USDT=candles.csv");

    told.refuses(&["the bot does not trade ETH/USDT; it trades BTC/USDT"]);
}

#[test]
fn fees_in_a_coin_without_a_price() {
    let place = Place::trading("third_fee");
    place.write("space.toml", "[parameters]\ntake_profit_pct = { values = [1, 2] }\n");
    for line in [RUN, "sweep --bot bot.toml --space space.toml --candles candles.csv"] {
        place
            .run(&format!("{line} --fee-asset BNB"))
            .refuses(&["no price of BNB is known in a backtest", "--fee-asset quote --fee 0.075%"]);
    }
}

#[test]
fn orders_below_the_least_notional() {
    with_bot("notional", "base_order_volume = \"100\"", "base_order_volume = \"4\"").refuses(&[
        "bot.toml, line 3: base_order_volume is",
        "a volume of 4",
        "must be at least 5",
        "raise the volume",
    ]);
}

#[test]
fn ladders_that_go_below_zero() {
    with_bot("deviation", "safety_order_step_pct = \"1\"", "safety_order_step_pct = \"40\"")
        .refuses(&[
            "bot.toml, line 5: safety_order_step_pct is 40",
            "120 %",
            "below 100 %",
            "lower",
        ]);
}

#[test]
fn settings_that_contradict_each_other() {
    with_bot("contradiction", "active_safety_orders_count = 2", "active_safety_orders_count = 4")
        .refuses(&["line 7: active_safety_orders_count is 4", "at most max_safety_orders, 3"]);
    with_bot("stop", "take_profit_pct", "stop_loss_pct = \"2\"\ntake_profit_pct").refuses(&[
        "line 8: stop_loss_pct is 2: it would sell before the last safety order buys",
        "above 3 %",
    ]);
}

#[test]
fn settings_that_nobody_knows() {
    with_bot("unknown", "take_profit_pct", "take_profit").refuses(&[
        "bot.toml, line 8: take_profit: unknown setting; did you mean take_profit_pct?",
    ]);
}

#[test]
fn settings_that_are_missing() {
    with_bot("missing", "take_profit_pct = \"1\"\n", "").refuses(&["bot.toml", "take_profit_pct"]);
}

#[test]
fn fractions_without_quotes() {
    with_bot("quotes", "take_profit_pct = \"1\"", "take_profit_pct = 1.5")
        .refuses(&["bot.toml, line 8: take_profit_pct is 1.5 without quotes; write \"1.5\""]);
}

#[test]
fn values_of_another_kind() {
    with_bot("kind", "max_safety_orders = 3", "max_safety_orders = \"3\"")
        .refuses(&["line 6: max_safety_orders is \"3\" (must be a whole number"]);
    with_bot("variant", "name = \"test\"", "name = \"test\"\nbase_order_type = \"stop\"")
        .refuses(&["line 2", "stop", "market", "limit"]);
}

#[test]
fn files_that_are_not_toml() {
    with_bot("syntax", "max_safety_orders = 3", "max_safety_orders: 3")
        .refuses(&["bot.toml, line 6", "max_safety_orders: 3"]);
}

#[test]
fn files_that_are_not_there() {
    let place = Place::trading("absent");

    place
        .run("backtest --bot none.toml --candles candles.csv")
        .refuses(&["none.toml: cannot be read, give the path of a TOML file"]);
    place
        .run("backtest --bot bot.toml --candles none.csv")
        .refuses(&["none.csv: there is no such file: give the path of a .csv"]);
}

#[test]
fn candles_that_cannot_be_read() {
    let place = Place::trading("damaged");
    place.write("candles.csv.zst", "this is not zstd");

    place
        .run("backtest --bot bot.toml --candles candles.csv.zst")
        .refuses(&["candles.csv.zst: the zstd data is damaged"]);
    with_candles("words", "1700000040000,a,2,1,1,0\n")
        .refuses(&["candles.csv, line 2: open: not a decimal number", "`a`"]);
}

#[test]
fn candles_that_are_not_sorted() {
    with_candles("unsorted", "1700000100000,1,2,1,1,0\n1700000040000,1,2,1,1,0\n").refuses(&[
        "candles.csv, line 3: open_time_ms: must be after the line before",
        "sort the file by time",
    ]);
}

#[test]
fn candles_that_cannot_have_happened() {
    with_candles("impossible", "1700000040000,5,4,3,4,0\n1700000100000,4,5,3,4,0\n")
        .refuses(&["candles.csv, line 2: the high is below another price", "open 5 high 4"]);
}

#[test]
fn terms_that_make_no_sense() {
    let place = Place::trading("terms");

    place.run(&format!("{RUN} --fee 0.1")).refuses(&["fee: 0.1 is 10 %", "from 0 to 5 %", "0.1%"]);
    place.run(&format!("{RUN} --balance 100")).refuses(&["balance: `100`", "ASSET=AMOUNT"]);
    place.run(&format!("{RUN} --balance ETH=5")).refuses(&["no USDT", "--balance USDT=10000"]);
    place
        .run(&format!("{RUN} --balance USDT=50"))
        .refuses(&["line 3: base_order_volume is 100 (must be at most the balance, 50 USDT)"]);
}

#[test]
fn settings_of_the_program_that_nobody_knows() {
    let place = Place::trading("program");
    place.write("tranche.toml", "\nfees = \"0.1%\"\n");

    place.run(RUN).refuses(&["tranche.toml, line 2: fees: unknown setting; did you mean fee?"]);
}

#[test]
fn demos_of_impossible_size() {
    let place = Place::new("demo_size");

    place.run("demo --headless --bots 0").refuses(&["bots is 0 (must be from 1 to 10000)"]);
    place.run("demo --headless --speed 0").refuses(&["speed is 0 (must be from 1"]);
    place.run("demo --headless --for soon").refuses(&["for: `soon` is no time; write 60s"]);
}
