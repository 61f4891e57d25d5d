//! Locks and fees.

use super::*;

#[test]
fn a_buy_locks_quote_and_a_sale_base() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "2")).unwrap();
    exchange.put(ANN, 2, Side::Sell, limit("110", "3")).unwrap();

    assert_eq!(exchange.holds(ANN, "USDT"), "9800+200");
    assert_eq!(exchange.holds(ANN, "BTC"), "7+3");
    exchange.cancel(ANN, id(1), at(1)).unwrap();
    assert_eq!(exchange.holds(ANN, "USDT"), "10000+0");
}

#[test]
fn the_fee_comes_out_of_what_is_received() {
    let mut exchange = exchange();
    exchange.add_account(ANN, rates("0.001", "0.002"), FeeAsset::Received, vec![]).unwrap();
    exchange.trade(&tick("100", 0));

    let bought = exchange.put(ANN, 1, Side::Buy, market("1")).unwrap();
    let sold = exchange.put(ANN, 2, Side::Sell, market("1")).unwrap();

    let fee = bought.fills[0].fee;
    assert_eq!((fee.asset, fee.amount), (asset("BTC"), amount("0.002")));
    assert_eq!(fee.in_quote, Some(quote("0.2")));
    assert_eq!(sold.fills[0].fee.amount, amount("0.2"));
    assert_eq!(exchange.holds(ANN, "BTC"), "9.998+0");
    assert_eq!(exchange.fees_taken(asset("BTC")), amount("0.002"));
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_fee_in_quote_is_locked_at_the_taker_rate_and_given_back() {
    let mut exchange = exchange();
    exchange.add_account(ANN, rates("0.001", "0.002"), FeeAsset::Quote, vec![]).unwrap();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();
    assert_eq!(exchange.holds(ANN, "USDT"), "9899.8+100.2");

    exchange.trade(&tick("99", 1));

    assert_eq!(exchange.holds(ANN, "USDT"), "9899.9+0");
    assert_eq!(exchange.holds(ANN, "BTC"), "11+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_fee_in_quote_leaves_no_room_for_an_order_of_all_money() {
    let mut exchange = exchange();
    exchange.add_account(ANN, rates("0.001", "0.001"), FeeAsset::Quote, vec![]).unwrap();
    exchange.trade(&tick("100", 0));

    assert!(exchange.put(ANN, 1, Side::Buy, market_for("10000")).is_err());
    let placed = exchange.put(ANN, 1, Side::Buy, market_for("9990")).unwrap();
    assert_eq!(shown(&placed), ["99.9@100"]);
    assert_eq!(exchange.holds(ANN, "USDT"), "0.01+0");
}

#[test]
fn a_third_asset_pays_while_there_is_enough_of_it() {
    let mut exchange = exchange();
    let bnb = FeeAsset::Third(asset("BNB"));
    exchange.add_account(ANN, rates("0.001", "0.001"), bnb, vec![]).unwrap();
    exchange.deposit(ANN, asset("BNB"), amount("0.0005")).unwrap();
    exchange.set_rate(asset("BNB"), asset("USDT"), price("250"));
    exchange.trade(&tick("100", 0));

    let first = exchange.put(ANN, 1, Side::Buy, market("1")).unwrap();
    let second = exchange.put(ANN, 2, Side::Buy, market("1")).unwrap();

    let (first, second) = (first.fills[0].fee, second.fills[0].fee);
    assert_eq!((first.asset, first.amount), (asset("BNB"), amount("0.0004")));
    assert_eq!(first.in_quote, Some(quote("0.1")));
    assert_eq!((second.asset, second.amount), (asset("BTC"), amount("0.001")));
    assert_eq!(exchange.holds(ANN, "BNB"), "0.0001+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn events_come_as_order_fill_balances() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();
    exchange.take_events();

    exchange.trade(&tick("99", 1));

    let events = exchange.take_events();
    assert!(matches!(
        events.as_slice(),
        [
            (ANN, PrivateEvent::Order(report)),
            (ANN, PrivateEvent::Fill(_)),
            (ANN, PrivateEvent::Balances(_)),
        ] if report.status == OrderStatus::Filled
    ));
    assert!(exchange.take_events().is_empty());
}

#[test]
fn only_what_is_free_can_be_withdrawn() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Sell, limit("100", "4")).unwrap();

    assert!(exchange.withdraw(ANN, asset("BTC"), amount("7")).is_err());
    exchange.withdraw(ANN, asset("BTC"), amount("6")).unwrap();
    assert_eq!(exchange.holds(ANN, "BTC"), "0+4");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn an_emptied_account_holds_nothing_and_can_begin_again() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "2")).unwrap();

    exchange.empty_account(ANN, at(1)).unwrap();

    assert_eq!(exchange.open_orders(ANN), []);
    assert_eq!(
        (exchange.holds(ANN, "USDT"), exchange.holds(ANN, "BTC")),
        ("0+0".into(), "0+0".into())
    );
    assert_eq!(exchange.holds(BOB, "USDT"), "10000+0");
    exchange.deposit(ANN, asset("USDT"), amount("300")).unwrap();
    exchange.put(ANN, 1, Side::Buy, limit("100", "2")).unwrap();
    assert_eq!(exchange.holds(ANN, "USDT"), "100+200");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn numbers_of_a_former_life_are_not_given_again() {
    let mut exchange = exchange();
    exchange.number_above(5_000);
    exchange.trade(&tick("100", 0));

    let placed = exchange.put(ANN, 1, Side::Buy, market("1")).unwrap();

    assert_eq!(placed.report.venue_id.get(), 5_001);
    assert_eq!(placed.fills[0].trade_id.get(), 5_001);
}

#[test]
fn a_new_instrument_is_traded_like_the_others() {
    let mut exchange = exchange();
    let id = InstrumentId::new(1);
    let new = |id| Instrument { id, symbol: Symbol::parse("ETH/USDT").unwrap(), ..btc_usdt() };

    assert!(!exchange.add_instrument(new(InstrumentId::new(2))), "a place would stay empty");
    assert!(exchange.add_instrument(new(id)));
    exchange.trade(&Tick { instrument: id, ..tick("10", 0) });
    let placed = exchange.place(
        ANN,
        &OrderRequest { instrument: id, ..request(1, Side::Buy, market("2")) },
        at(0),
    );

    assert_eq!(shown(&placed.unwrap()), ["2@10"]);
    assert_eq!(exchange.holds(ANN, "ETH"), "2+0");
    assert_eq!(exchange.audit(), Ok(()));
}
