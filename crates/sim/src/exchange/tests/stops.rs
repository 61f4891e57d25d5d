//! Orders that wait for a price.

use super::*;

/// Last price 100.
fn opened() -> Exchange {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));
    exchange
}

#[test]
fn a_stop_waits_with_its_money_locked_and_sells_at_the_market() {
    let mut exchange = opened();

    exchange.put_stop(1, Side::Sell, market("2"), stop_loss("90")).unwrap();
    assert_eq!(exchange.holds(ANN, "BTC"), "8+2");
    assert_eq!(exchange.stage(1), Stage::Waiting);
    exchange.trade(&tick("90.01", 1));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);
    exchange.trade(&tick("90", 2));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
    assert_eq!(exchange.holds(ANN, "BTC"), "8+0");
    assert_eq!(exchange.holds(ANN, "USDT"), "10180+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn each_kind_goes_off_on_its_side_of_the_market() {
    let cases = [
        (stop_loss("110"), Side::Buy, "109.99", "110"),
        (stop_loss("90"), Side::Sell, "90.01", "90"),
        (take_profit("90"), Side::Buy, "90.01", "90"),
        (take_profit("110"), Side::Sell, "109.99", "110"),
    ];
    for (trigger, side, before, after) in cases {
        let mut exchange = opened();
        exchange.put_stop(1, side, market("1"), trigger).unwrap();
        exchange.trade(&tick(before, 1));
        assert_eq!(exchange.status(ANN, 1), OrderStatus::Open, "{trigger:?} {side}");

        exchange.trade(&tick(after, 2));

        assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled, "{trigger:?} {side}");
    }
}

#[test]
fn a_price_that_is_passed_already_is_refused() {
    let cases = [
        (stop_loss("100"), Side::Buy),
        (stop_loss("100"), Side::Sell),
        (take_profit("101"), Side::Buy),
        (take_profit("99"), Side::Sell),
    ];
    for (trigger, side) in cases {
        let mut exchange = opened();

        let refused = exchange.put_stop(1, side, market("1"), trigger).unwrap_err();

        assert_eq!(
            (refused.code, refused.text.as_str()),
            (-2010, "Stop price would trigger immediately.")
        );
        assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
    }
}

#[test]
fn a_stop_limit_rests_where_the_market_ran_past_it() {
    let mut exchange = opened();
    exchange.put_stop(1, Side::Sell, limit("89", "1"), stop_loss("90")).unwrap();
    assert_eq!(exchange.nearest(BTC), (Some(price("90")), None));

    exchange.trade(&tick("80", 1));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);
    assert_eq!(exchange.stage(1), Stage::Working);
    assert_eq!(exchange.nearest(BTC), (None, Some(price("89"))));
    exchange.trade(&tick("89.01", 2));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
    assert_eq!(exchange.holds(ANN, "USDT"), "10089+0");
}

#[test]
fn a_stop_that_goes_off_stands_behind_orders_that_waited_in_the_book() {
    let mut exchange = exchange_with(Settings {
        volume_cap: Some(Fraction::parse("1").unwrap()),
        ..Settings::default()
    });
    exchange.trade(&tick("100", 0));
    exchange.put_stop(1, Side::Sell, limit("95", "1"), stop_loss("90")).unwrap();
    exchange.trade(&tick("94", 1));
    exchange.put(BOB, 2, Side::Sell, limit("95", "1")).unwrap();
    exchange.trade(&tick("90", 2));

    exchange.trade(&Tick { qty: qty("1"), ..tick("96", 3) });

    assert_eq!(exchange.status(BOB, 2), OrderStatus::Filled);
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);
    exchange.cancel(ANN, id(1), at(4)).unwrap();
    assert_eq!(exchange.nearest(BTC), (None, None));
}

/// The scenarios of the exchange's own page on trailing stops.
#[test]
fn trailing_stops_go_off_where_the_exchange_says() {
    let trailing = |kind, price_text: Option<&str>, delta| Trigger {
        kind,
        price: price_text.map(price),
        trailing: Some(delta),
    };
    let (loss, profit) = (TriggerKind::StopLoss, TriggerKind::TakeProfit);
    let cases: [(Side, Trigger, &[&str], &str); 5] = [
        (
            Side::Buy,
            trailing(loss, Some("440"), 500),
            &["370", "440", "460", "420", "440.99"],
            "441",
        ),
        (
            Side::Sell,
            trailing(loss, Some("390"), 1000),
            &["415", "390", "370", "410", "369.01"],
            "369",
        ),
        (
            Side::Buy,
            trailing(profit, Some("380"), 850),
            &["420", "380", "370", "390", "380", "401.44"],
            "401.45",
        ),
        (
            Side::Sell,
            trailing(profit, Some("420"), 750),
            &["415", "390", "420", "450", "440", "465", "430.13"],
            "430.12",
        ),
        (Side::Sell, trailing(loss, None, 700), &["420", "395", "455", "423.16"], "423.15"),
    ];
    for (side, trigger, quiet, last) in cases {
        let mut exchange = exchange();
        exchange.trade(&tick("400", 0));
        exchange.put_stop(1, side, market("1"), trigger).unwrap();
        for price_text in quiet {
            exchange.trade(&tick(price_text, 1));
            assert_eq!(exchange.status(ANN, 1), OrderStatus::Open, "{trigger:?} {price_text}");
        }

        exchange.trade(&tick(last, 2));

        assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled, "{trigger:?}");
    }
}

#[test]
fn a_stop_whose_money_is_gone_when_it_goes_off_expires() {
    let mut exchange = opened();
    // Holds 50 × 110; everything else is spent before the price jumps.
    exchange.put_stop(1, Side::Buy, market("50"), stop_loss("110")).unwrap();
    assert_eq!(exchange.holds(ANN, "USDT"), "4500+5500");
    exchange.withdraw(ANN, asset("USDT"), amount("4500")).unwrap();
    exchange.take_events();
    exchange.take_notes();

    exchange.trade(&tick("120", 1));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Expired);
    assert_eq!(exchange.holds(ANN, "USDT"), "5500+0");
    let why = exchange.take_notes().into_iter().find_map(|(_, note)| match note {
        Note::Ended { why, .. } => Some(why),
        Note::Condition { .. } | Note::Amended { .. } | Note::List(_) => None,
    });
    assert_eq!(why, Some(Ending::Rejected));
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_stop_buy_takes_what_it_costs_more_than_was_held() {
    let mut exchange = opened();
    exchange.put_stop(1, Side::Buy, market("10"), stop_loss("110")).unwrap();

    exchange.trade(&tick("120", 1));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
    assert_eq!(exchange.holds(ANN, "USDT"), "8800+0");
}

#[test]
fn triggers_wait_while_the_instrument_is_halted() {
    let mut exchange = opened();
    exchange.put_stop(1, Side::Sell, market("1"), stop_loss("90")).unwrap();

    exchange.set_status(BTC, TradingStatus::Halted, at(1));
    exchange.trade(&tick("80", 1));
    assert_eq!(exchange.status(ANN, 1), OrderStatus::Open);
    exchange.set_status(BTC, TradingStatus::Trading, at(2));
    exchange.trade(&tick("85", 3));

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
}

#[test]
fn filters_bound_stops() {
    let rules = [
        (Filter::MaxNumAlgoOrders { limit: 1 }, "Filter failure: MAX_NUM_ALGO_ORDERS"),
        (
            Filter::ExchangeMaxNumAlgoOrders { limit: 1 },
            "Filter failure: EXCHANGE_MAX_NUM_ALGO_ORDERS",
        ),
        (
            Filter::TrailingDelta { above: (10, 20), below: (30, 40) },
            "Filter failure: TRAILING_DELTA",
        ),
    ];
    for (rule, want) in rules {
        let mut instrument = btc_usdt();
        instrument.filters.push(rule);
        let mut exchange = opened();
        assert!(exchange.replace_instrument(instrument, at(0)));
        let trail = |delta| Trigger { price: None, trailing: Some(delta), ..stop_loss("1") };

        exchange.put_stop(1, Side::Sell, market("1"), trail(30)).unwrap();
        let refused = exchange.put_stop(2, Side::Sell, market("1"), trail(29)).unwrap_err();

        assert_eq!((refused.code, refused.text.as_str()), (-1013, want));
    }
    let mut exchange = opened();
    let refused = exchange.put_stop(1, Side::Sell, market("1"), stop_loss("90.001")).unwrap_err();
    assert_eq!(refused.text, "Filter failure: PRICE_FILTER");
}
