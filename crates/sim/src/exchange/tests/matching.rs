//! Trading with other participants.

use super::*;

#[test]
fn price_goes_before_time_and_time_before_luck() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("101", "1")).unwrap();
    exchange.put(BOB, 2, Side::Sell, limit("100", "1")).unwrap();
    exchange.put(BOB, 3, Side::Sell, limit("100", "1")).unwrap();

    let placed = exchange.put(ANN, 1, Side::Buy, limit("102", "2.5")).unwrap();

    assert_eq!(shown(&placed), ["1@100", "1@100", "0.5@101"]);
    assert_eq!(exchange.status(BOB, 2), OrderStatus::Filled);
    assert_eq!(exchange.order(BOB, id(1)).unwrap().executed, qty("0.5"));
    assert_eq!(exchange.holds(ANN, "USDT"), "9749.5+0");
    assert!(exchange.tape_gained(asset("USDT")).is_zero());
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn participants_come_before_the_tape_at_the_same_price() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("100", "1")).unwrap();
    exchange.trade(&tick("100", 1));

    exchange.put(ANN, 1, Side::Buy, market("3")).unwrap();

    assert_eq!(exchange.status(BOB, 1), OrderStatus::Filled);
    assert_eq!(exchange.tape_gained(asset("BTC")), amount("-2"));
}

#[test]
fn the_rest_of_a_good_till_cancelled_order_waits() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("100", "1")).unwrap();

    let placed = exchange.put(ANN, 1, Side::Buy, limit("101", "3")).unwrap();

    assert_eq!(placed.report.status, OrderStatus::PartiallyFilled);
    assert_eq!(exchange.holds(ANN, "USDT"), "9698+202");
    assert_eq!(exchange.nearest(BTC), (Some(price("101")), None));
}

#[test]
fn an_immediate_order_loses_its_rest() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("100", "1")).unwrap();
    let kind = with_force("101", "3", TimeInForce::ImmediateOrCancel);

    let placed = exchange.put(ANN, 1, Side::Buy, kind).unwrap();

    assert_eq!(placed.report.status, OrderStatus::Expired);
    assert_eq!(placed.report.executed, qty("1"));
    assert_eq!(exchange.holds(ANN, "USDT"), "9900+0");
}

#[test]
fn fill_or_kill_is_all_or_nothing() {
    let mut exchange = exchange();
    exchange.put(BOB, 1, Side::Sell, limit("100", "1")).unwrap();
    let kind = |size| with_force("101", size, TimeInForce::FillOrKill);

    let killed = exchange.put(ANN, 1, Side::Buy, kind("3")).unwrap();
    let filled = exchange.put(ANN, 2, Side::Buy, kind("1")).unwrap();

    assert_eq!((killed.report.status, killed.fills.len()), (OrderStatus::Expired, 0));
    assert_eq!(filled.report.status, OrderStatus::Filled);
}

#[test]
fn an_account_meets_itself_by_the_rule() {
    let cases = [
        (SelfTradePrevention::ExpireTaker, OrderStatus::Open, OrderStatus::Expired),
        (SelfTradePrevention::ExpireMaker, OrderStatus::Expired, OrderStatus::Open),
        (SelfTradePrevention::ExpireBoth, OrderStatus::Expired, OrderStatus::Expired),
        (SelfTradePrevention::None, OrderStatus::Filled, OrderStatus::Filled),
    ];
    for (self_trade, maker, taker) in cases {
        let mut exchange = exchange_with(Settings { self_trade, ..Settings::default() });
        exchange.put(ANN, 1, Side::Sell, limit("100", "1")).unwrap();
        exchange.put(ANN, 2, Side::Buy, limit("100", "1")).unwrap();

        assert_eq!((exchange.status(ANN, 1), exchange.status(ANN, 2)), (maker, taker));
        assert_eq!(exchange.audit(), Ok(()), "{self_trade:?}");
    }
}

#[test]
fn an_order_by_hand_is_seen_as_foreign() {
    let mut exchange = exchange();
    let hand = Hand { instrument: BTC, side: Side::Sell, kind: limit("100", "1") };
    let placed = exchange.place_foreign(ANN, hand, at(0)).unwrap();

    assert_eq!(exchange.foreign_open_orders(ANN), vec![placed.order]);
    assert!(exchange.open_orders(ANN).is_empty());
    assert!(exchange.cancel_by_venue_id(ANN, placed.order.venue_id, at(1)).is_err());
    exchange.cancel_foreign(ANN, placed.order.venue_id, at(2)).unwrap();
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
}
