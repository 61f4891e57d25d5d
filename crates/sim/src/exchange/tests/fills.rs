//! Trading with the tape.

use super::*;

#[test]
fn a_resting_order_trades_only_when_the_price_goes_through() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();

    exchange.trade(&tick("100", 1));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);

    exchange.trade(&tick("99.99", 2));
    let order = exchange.order(ANN, id(1)).unwrap();
    assert_eq!((order.status, order.executed_quote), (OrderStatus::Filled, quote("100")));
    assert_eq!(exchange.holds(ANN, "BTC"), "11+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn touch_is_enough_by_setting() {
    let settings = Settings { fill: FillRule::Touch, ..Settings::default() };
    let mut exchange = exchange_with(settings);
    exchange.put(ANN, 1, Side::Sell, limit("100", "1")).unwrap();

    exchange.trade(&tick("100", 1));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
}

#[test]
fn a_market_order_takes_the_last_price_with_slippage() {
    let slippage = Fraction::parse("0.001").unwrap();
    let mut exchange = exchange_with(Settings { slippage, ..Settings::default() });
    exchange.trade(&tick("100.01", 0));

    let bought = exchange.put(ANN, 1, Side::Buy, market("1")).unwrap();
    let sold = exchange.put(ANN, 2, Side::Sell, market("1")).unwrap();

    assert_eq!(shown(&bought), ["1@100.12"]);
    assert_eq!(shown(&sold), ["1@99.9"]);
}

#[test]
fn a_marketable_limit_trades_at_the_better_price() {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));

    let placed = exchange.put(ANN, 1, Side::Buy, limit("105", "1")).unwrap();

    assert_eq!(shown(&placed), ["1@100"]);
    assert_eq!(exchange.holds(ANN, "USDT"), "9900+0");
}

#[test]
fn a_market_order_for_quote_buys_whole_steps() {
    let mut exchange = exchange();
    exchange.trade(&tick("333.33", 0));

    let placed = exchange.put(ANN, 1, Side::Buy, market_for("100")).unwrap();

    assert_eq!(shown(&placed), ["0.3@333.33"]);
    assert_eq!(placed.report.status, OrderStatus::Filled);
    assert_eq!(exchange.holds(ANN, "USDT"), "9900.001+0");
}

#[test]
fn nobody_to_trade_with_expires_a_market_order() {
    let mut exchange = exchange();

    let placed = exchange.put(ANN, 1, Side::Sell, market("1")).unwrap();

    assert_eq!(placed.report.status, OrderStatus::Expired);
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
}

#[test]
fn the_volume_cap_is_shared_in_order_of_price_and_time() {
    let volume_cap = Some(Fraction::parse("0.5").unwrap());
    let mut exchange = exchange_with(Settings { volume_cap, ..Settings::default() });
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();
    exchange.put(BOB, 1, Side::Buy, limit("100", "1")).unwrap();
    exchange.put(BOB, 2, Side::Buy, limit("101", "1")).unwrap();

    exchange.trade(&Tick { qty: qty("3"), ..tick("99", 1) });

    assert_eq!(exchange.status(BOB, 2), OrderStatus::Filled);
    assert_eq!(exchange.order(ANN, id(1)).unwrap().executed, qty("0.5"));
    assert_eq!(exchange.status(BOB, 1), OrderStatus::Open);
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn the_volume_cap_leaves_the_rest_of_a_market_order_unfilled() {
    let volume_cap = Some(Fraction::parse("0.1").unwrap());
    let mut exchange = exchange_with(Settings { volume_cap, ..Settings::default() });
    exchange.trade(&Tick { qty: qty("5"), ..tick("100", 0) });

    let first = exchange.put(ANN, 1, Side::Buy, market("2")).unwrap();
    let second = exchange.put(ANN, 2, Side::Buy, market("2")).unwrap();

    assert_eq!(shown(&first), ["0.5@100"]);
    assert_eq!(first.report.status, OrderStatus::Expired);
    assert_eq!(shown(&second), [""; 0]);
    assert_eq!(exchange.holds(ANN, "USDT"), "9950+0");
}

#[test]
fn behind_a_capped_tape_the_book_goes_on() {
    let volume_cap = Some(Fraction::parse("0.1").unwrap());
    let mut exchange = exchange_with(Settings { volume_cap, ..Settings::default() });
    exchange.put(BOB, 1, Side::Sell, limit("101", "1")).unwrap();
    exchange.trade(&Tick { qty: qty("5"), ..tick("100", 0) });

    let placed = exchange.put(ANN, 1, Side::Buy, market("3")).unwrap();

    assert_eq!(shown(&placed), ["0.5@100", "1@101"]);
    assert_eq!(placed.report.status, OrderStatus::Expired);
}

#[test]
fn an_order_of_all_money_is_filled_in_parts_to_the_last_digit() {
    let settings =
        Settings { volume_cap: Some(Fraction::ONE), amount_digits: 2, ..Settings::default() };
    let mut exchange = exchange_with(settings);
    exchange.add_account(BOB, rates("0.0007", "0.0013"), FeeAsset::Quote, vec![]).unwrap();
    exchange.withdraw(BOB, asset("USDT"), amount("9876.54")).unwrap();
    exchange.put(BOB, 1, Side::Buy, limit("33.33", "3.6991")).unwrap();
    assert_eq!(exchange.holds(BOB, "USDT"), "0.01+123.45");

    for ms in 1..100 {
        exchange.trade(&Tick { qty: qty("0.0401"), ..tick("33", ms) });
    }

    assert_eq!(exchange.status(BOB, 1), OrderStatus::Filled);
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_halted_market_fills_nothing_and_a_delisted_one_ends_orders() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();

    exchange.set_status(BTC, TradingStatus::Halted, at(1));
    exchange.trade(&tick("50", 2));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);

    exchange.set_status(BTC, TradingStatus::Delisted, at(3));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Expired);
    assert_eq!(exchange.holds(ANN, "USDT"), "10000+0");
}

#[test]
fn nearest_names_the_prices_between_which_nothing_fills() {
    let mut exchange = exchange();
    for (generation, side, text) in
        [(1, Side::Buy, "90"), (2, Side::Buy, "95"), (3, Side::Sell, "110"), (4, Side::Sell, "120")]
    {
        exchange.put(ANN, generation, side, limit(text, "1")).unwrap();
    }

    assert_eq!(exchange.nearest(BTC), (Some(price("95")), Some(price("110"))));
    exchange.cancel(ANN, id(2), at(1)).unwrap();
    assert_eq!(exchange.nearest(BTC).0, Some(price("90")));
}
