//! Orders made smaller in their place.

use super::*;

fn smaller(qty_text: &str, generation: u16) -> Amendment {
    Amendment { qty: qty(qty_text), client_id: id(generation) }
}

impl Exchange {
    fn shrink_to(&mut self, generation: u16, amendment: Amendment) -> Result<OrderReport, Refusal> {
        let venue_id = self.order(ANN, id(generation)).unwrap().venue_id;
        self.amend(ANN, venue_id, amendment, at(5))
    }
}

#[test]
fn a_smaller_order_keeps_its_place_and_gives_money_back() {
    let mut exchange = exchange_with(Settings {
        volume_cap: Some(Fraction::parse("1").unwrap()),
        ..Settings::default()
    });
    exchange.trade(&tick("100", 0));
    exchange.put(ANN, 1, Side::Buy, limit("90", "10")).unwrap();
    exchange.put(BOB, 2, Side::Buy, limit("90", "10")).unwrap();
    exchange.trade(&Tick { qty: qty("2"), ..tick("89", 1) });

    let report = exchange.shrink_to(1, smaller("4", 7)).unwrap();

    assert_eq!(report.client_id, id(7));
    assert_eq!((report.kind.qty(), report.executed), (Some(qty("4")), qty("2")));
    assert_eq!(exchange.holds(ANN, "USDT"), "9640+180");
    assert_eq!(exchange.order(ANN, id(1)), None);
    exchange.trade(&Tick { qty: qty("2"), ..tick("89", 6) });
    assert_eq!(exchange.status(ANN, 7), OrderStatus::Filled);
    assert_eq!(exchange.status(BOB, 2), OrderStatus::Open);
    assert_eq!(exchange.holds(ANN, "USDT"), "9640+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn an_order_only_shrinks() {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));
    exchange.put(ANN, 1, Side::Buy, limit("90", "2")).unwrap();
    exchange.put(ANN, 2, Side::Buy, limit("90", "2")).unwrap();
    let cases = [
        (smaller("2", 1), -2038, "The requested action would change no state; rejecting."),
        (smaller("3", 1), -2038, "Order amend (quantity increase) is not supported."),
        (smaller("0.00001", 1), -1013, "Filter failure: LOT_SIZE"),
        (smaller("0.05", 1), -1013, "Filter failure: NOTIONAL"),
        (smaller("1", 2), -2010, "Duplicate order sent."),
    ];
    for (amendment, code, text) in cases {
        let refused = exchange.shrink_to(1, amendment).unwrap_err();
        assert_eq!((refused.code, refused.text.as_str()), (code, text));
    }
    assert_eq!(exchange.holds(ANN, "USDT"), "9640+360");
    let of_bob = exchange.order(ANN, id(1)).unwrap().venue_id;
    let refused = exchange.amend(BOB, of_bob, smaller("1", 1), at(1)).unwrap_err();
    assert_eq!(refused.code, -2011);
}

#[test]
fn an_order_shrinks_only_so_often() {
    let mut instrument = btc_usdt();
    instrument.filters.push(Filter::MaxNumOrderAmends { limit: 1 });
    let mut exchange = exchange();
    assert!(exchange.replace_instrument(instrument, at(0)));
    exchange.put(ANN, 1, Side::Buy, limit("90", "2")).unwrap();

    exchange.shrink_to(1, smaller("1.5", 1)).unwrap();
    let refused = exchange.shrink_to(1, smaller("1", 1)).unwrap_err();

    assert_eq!(refused.code, -2038);
    assert_eq!(refused.text, "Filter failure: MAX_NUM_ORDER_AMENDS");
}

#[test]
fn an_order_no_larger_than_what_it_traded_ends() {
    let mut exchange = exchange_with(Settings {
        volume_cap: Some(Fraction::parse("1").unwrap()),
        ..Settings::default()
    });
    exchange.trade(&tick("100", 0));
    exchange.put(ANN, 1, Side::Buy, limit("90", "2")).unwrap();
    exchange.trade(&Tick { qty: qty("1"), ..tick("89", 1) });

    let report = exchange.shrink_to(1, smaller("1", 1)).unwrap();

    assert_eq!((report.status, report.executed), (OrderStatus::Expired, qty("1")));
    assert_eq!(exchange.holds(ANN, "USDT"), "9910+0");
}

#[test]
fn the_orders_of_a_pair_shrink_together() {
    let pair = [
        Leg { request: request(1, Side::Buy, limit("112", "2")), trigger: Some(stop_loss("110")) },
        Leg {
            request: request(
                2,
                Side::Buy,
                OrderKind::LimitMaker { price: price("90"), qty: qty("2") },
            ),
            trigger: None,
        },
    ];
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));
    let shape = Shape::Oco(pair);
    exchange.place_list(ANN, &ListRequest { client_id: id(9), shape }, at(0)).unwrap();

    exchange.shrink_to(2, smaller("1", 5)).unwrap();

    assert_eq!(exchange.order(ANN, id(1)).unwrap().kind.qty(), Some(qty("1")));
    assert_eq!(exchange.holds(ANN, "USDT"), "9888+112");
    exchange.trade(&tick("89", 6));
    assert_eq!(exchange.status(ANN, 5), OrderStatus::Filled);
    assert_eq!(exchange.holds(ANN, "USDT"), "9910+0");
    assert_eq!(exchange.audit(), Ok(()));
}
