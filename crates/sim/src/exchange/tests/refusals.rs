//! Codes and texts of refusals, and their order.

use tranche_model::record::RefusalReason;

use super::*;

/// An exchange whose instrument has just this rule.
fn with_filter(filter: Filter) -> Exchange {
    let instrument = Instrument::new(BTC, Symbol::parse("BTC/USDT").unwrap(), vec![filter]);
    let instruments = Instruments::new(vec![instrument]).unwrap();
    let mut exchange = Exchange::new(instruments, Settings::default());
    exchange.add_account(ANN, rates("0", "0"), FeeAsset::Received, purse()).unwrap();
    exchange.trade(&tick("100", 0));
    exchange
}

fn said(outcome: Result<Placed, Refusal>) -> (i32, String) {
    let refusal = outcome.unwrap_err();
    (refusal.code, refusal.text)
}

#[test]
fn every_filter_that_a_plain_order_can_break_names_itself() {
    let one = price("1");
    let lot = (qty("0.1"), qty("5"), qty("0.1"));
    let cases = [
        (Filter::Price { min: one, max: price("200"), tick: one }, "PRICE_FILTER"),
        (Filter::PercentPrice { up: price("1.5"), down: price("0.5") }, "PERCENT_PRICE"),
        (
            Filter::PercentPriceBySide {
                bid_up: price("1.5"),
                bid_down: price("0.5"),
                ask_up: one,
                ask_down: one,
            },
            "PERCENT_PRICE_BY_SIDE",
        ),
        (Filter::LotSize { min: lot.0, max: lot.1, step: lot.2 }, "LOT_SIZE"),
        (Filter::MinNotional { min: quote("1000"), market: true }, "MIN_NOTIONAL"),
        (
            Filter::Notional {
                min: quote("1000"),
                min_market: true,
                max: quote("0"),
                max_market: false,
            },
            "NOTIONAL",
        ),
        (Filter::MaxNumOrders { limit: 0 }, "MAX_NUM_ORDERS"),
        (Filter::ExchangeMaxNumOrders { limit: 0 }, "EXCHANGE_MAX_NUM_ORDERS"),
        (Filter::MaxPosition { max: qty("10") }, "MAX_POSITION"),
        (Filter::MaxAsset { asset: asset("BTC"), limit: amount("0.01") }, "MAX_ASSET"),
    ];
    for (filter, name) in cases {
        let mut exchange = with_filter(filter);

        let refused = exchange.put(ANN, 1, Side::Buy, limit("40.5", "0.05"));

        assert_eq!(said(refused), (-1013, format!("Filter failure: {name}")));
        assert!(exchange.take_events().is_empty(), "{name}");
    }
}

#[test]
fn a_market_order_has_a_lot_size_of_its_own() {
    let filter = Filter::MarketLotSize { min: qty("0"), max: qty("2"), step: qty("0") };
    let mut exchange = with_filter(filter);

    assert!(exchange.put(ANN, 1, Side::Sell, limit("200", "3")).is_ok());
    let refused = exchange.put(ANN, 2, Side::Sell, market("3"));
    assert_eq!(said(refused), (-1013, "Filter failure: MARKET_LOT_SIZE".to_owned()));
}

#[test]
fn a_quote_that_buys_no_step_breaks_the_lot_size() {
    let lot = Filter::LotSize { min: qty("0.1"), max: qty("9"), step: qty("0.1") };
    let mut exchange = with_filter(lot);

    let refused = exchange.put(ANN, 1, Side::Buy, market_for("9.99"));

    assert_eq!(said(refused), (-1013, "Filter failure: LOT_SIZE".to_owned()));
}

#[test]
fn too_many_digits_come_before_filters() {
    let mut exchange = exchange();
    let cases = [
        (limit("0.000000001", "1"), "price"),
        (limit("100", "0.000000001"), "quantity"),
        (market_for("10.000000001"), "quoteOrderQty"),
    ];
    for (kind, name) in cases {
        let text = format!("Parameter '{name}' has too much precision.");
        assert_eq!(said(exchange.put(ANN, 1, Side::Buy, kind)), (-1111, text));
    }
}

#[test]
fn an_unknown_symbol_and_a_wrong_key_have_codes() {
    let mut exchange = exchange();
    let unknown = InstrumentId::new(9);
    let order = OrderRequest { instrument: unknown, ..request(1, Side::Buy, limit("1", "1")) };

    assert_eq!(exchange.place(ANN, &order, at(0)).unwrap_err().code, -1121);
    let nobody = AccountId::new(99);
    assert_eq!(exchange.put(nobody, 1, Side::Buy, limit("1", "1")).unwrap_err().code, -2015);
}

#[test]
fn an_id_is_taken_only_while_its_order_is_open() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();

    let refused = exchange.put(ANN, 1, Side::Buy, limit("99", "1"));
    assert_eq!(said(refused), (-2010, "Duplicate order sent.".to_owned()));

    exchange.cancel(ANN, id(1), at(1)).unwrap();
    exchange.put(ANN, 1, Side::Buy, limit("98", "1")).unwrap();
    assert_eq!(exchange.orders_with_id(ANN, id(1)).len(), 2);
    assert_eq!(exchange.order(ANN, id(1)).unwrap().kind, limit("98", "1"));
}

#[test]
fn a_maker_only_order_never_takes() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("100", "1")).unwrap();
    let maker_only = |text| OrderKind::LimitMaker { price: price(text), qty: qty("1") };

    let refused = exchange.put(ANN, 1, Side::Buy, maker_only("100"));

    let text = "Order would immediately match and take.".to_owned();
    assert_eq!(said(refused), (-2010, text));
    assert_eq!(exchange.holds(ANN, "USDT"), "10000+0");
    assert!(exchange.put(ANN, 1, Side::Buy, maker_only("99.99")).is_ok());
}

#[test]
fn money_is_looked_at_after_the_filters() {
    let mut exchange = exchange();

    let refused = exchange.put(ANN, 1, Side::Buy, limit("100", "100.0001"));
    let text = "Account has insufficient balance for requested action.".to_owned();
    assert_eq!(said(refused), (-2010, text));
    let refused = exchange.put(ANN, 1, Side::Buy, limit("100", "1000.00001"));
    assert_eq!(said(refused), (-1013, "Filter failure: LOT_SIZE".to_owned()));
}

#[test]
fn a_size_beyond_all_numbers_breaks_a_filter() {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));

    let refused = exchange.put(ANN, 1, Side::Buy, limit("1000", "79228162514264337593543950335"));

    assert_eq!(said(refused), (-1013, "Filter failure: LOT_SIZE".to_owned()));
}

#[test]
fn a_closed_market_takes_cancels_but_no_orders() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();
    for status in [TradingStatus::Halted, TradingStatus::CancelOnly] {
        exchange.set_status(BTC, status, at(1));
        let refused = exchange.put(ANN, 2, Side::Buy, limit("100", "1"));
        assert_eq!(said(refused), (-2010, "Market is closed.".to_owned()));
    }

    assert!(exchange.cancel(ANN, id(1), at(2)).is_ok());
    let again = exchange.cancel(ANN, id(1), at(3)).unwrap_err();
    assert_eq!((again.code, again.text.as_str()), (-2011, "Unknown order sent."));
}

#[test]
fn asking_whether_an_order_would_be_taken_changes_nothing() {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));
    let good = request(1, Side::Buy, limit("90", "1"));
    let poor = request(2, Side::Buy, limit("100", "9000"));

    assert_eq!(exchange.would_take(ANN, &good), Ok(()));
    let refused = exchange.would_take(ANN, &poor).unwrap_err();

    assert_eq!(refused.reason, RefusalReason::InsufficientFunds);
    assert!(exchange.open_orders(ANN).is_empty());
    assert!(exchange.take_events().is_empty());
    assert!(exchange.place(ANN, &good, at(1)).is_ok());
}
