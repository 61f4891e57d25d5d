//! Lists of orders.

use super::*;

fn leg(generation: u16, side: Side, kind: OrderKind, trigger: Option<Trigger>) -> Leg {
    Leg { request: request(generation, side, kind), trigger }
}

fn maker(price_text: &str, qty_text: &str) -> OrderKind {
    OrderKind::LimitMaker { price: price(price_text), qty: qty(qty_text) }
}

/// A sale of 2: a stop at 90 (1), and 110 (2).
fn exit() -> [Leg; 2] {
    [
        leg(1, Side::Sell, limit("89", "2"), Some(stop_loss("90"))),
        leg(2, Side::Sell, maker("110", "2"), None),
    ]
}

fn list(shape: Shape) -> ListRequest {
    ListRequest { client_id: id(99), shape }
}

/// Last price 100.
fn opened() -> Exchange {
    let mut exchange = exchange();
    exchange.trade(&tick("100", 0));
    exchange
}

fn with(shape: Shape) -> (Exchange, ListNo) {
    let mut exchange = opened();
    let number = exchange.place_list(ANN, &list(shape), at(0)).unwrap().number;
    exchange.take_events();
    exchange.take_notes();
    (exchange, number)
}

fn states(exchange: &Exchange, generations: &[u16]) -> Vec<OrderStatus> {
    generations.iter().map(|generation| exchange.status(ANN, *generation)).collect()
}

/// What was said of lists since.
fn changes(exchange: &mut Exchange) -> Vec<ListChange> {
    let notes = exchange.take_notes().into_iter();
    let lists = notes.filter_map(|(_, note)| match note {
        Note::List(report) => Some(report.change),
        Note::Condition { .. } | Note::Amended { .. } | Note::Ended { .. } => None,
    });
    lists.collect()
}

#[test]
fn a_pair_locks_what_the_larger_of_both_needs() {
    let (exchange, _) = with(Shape::Oco(exit()));
    assert_eq!(exchange.holds(ANN, "BTC"), "8+2");

    let entry = [
        leg(1, Side::Buy, limit("112", "2"), Some(stop_loss("110"))),
        leg(2, Side::Buy, maker("90", "2"), None),
    ];
    let (exchange, _) = with(Shape::Oco(entry));
    assert_eq!(exchange.holds(ANN, "USDT"), "9776+224");
}

#[test]
fn the_stop_of_a_pair_ends_the_limit() {
    let (mut exchange, _) = with(Shape::Oco(exit()));

    exchange.trade(&tick("90", 1));

    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Filled, OrderStatus::Expired]);
    assert_eq!(exchange.holds(ANN, "BTC"), "8+0");
    assert_eq!(exchange.holds(ANN, "USDT"), "10180+0");
    assert_eq!(changes(&mut exchange), [ListChange::Done]);
    exchange.trade(&tick("120", 2));
    assert_eq!(exchange.holds(ANN, "USDT"), "10180+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn the_limit_of_a_pair_ends_the_stop_with_its_first_fill() {
    let mut exchange = exchange_with(Settings {
        volume_cap: Some(Fraction::parse("1").unwrap()),
        ..Settings::default()
    });
    exchange.trade(&tick("100", 0));
    exchange.place_list(ANN, &list(Shape::Oco(exit())), at(0)).unwrap();
    exchange.take_notes();

    exchange.trade(&Tick { qty: qty("0.5"), ..tick("111", 1) });
    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Expired, OrderStatus::PartiallyFilled]);
    assert_eq!(exchange.holds(ANN, "BTC"), "8+1.5");
    assert_eq!(changes(&mut exchange), []);
    exchange.trade(&Tick { qty: qty("9"), ..tick("80", 2) });
    exchange.trade(&Tick { qty: qty("9"), ..tick("111", 3) });

    assert_eq!(states(&exchange, &[2]), [OrderStatus::Filled]);
    assert_eq!(changes(&mut exchange), [ListChange::Done]);
    assert_eq!(exchange.holds(ANN, "USDT"), "10220+0");
}

#[test]
fn a_participant_who_meets_the_limit_of_a_pair_ends_the_stop() {
    let (mut exchange, _) = with(Shape::Oco(exit()));
    exchange.trade(&tick("105", 1));

    exchange.put(BOB, 3, Side::Buy, market("1")).unwrap();
    assert_eq!(exchange.status(ANN, 2), OrderStatus::Open, "the tape is better");
    exchange.set_status(BTC, TradingStatus::Halted, at(2));
    exchange.trade(&tick("111", 2));
    exchange.set_status(BTC, TradingStatus::Trading, at(2));
    exchange.put(BOB, 4, Side::Buy, market("1")).unwrap();

    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Expired, OrderStatus::PartiallyFilled]);
    assert_eq!(exchange.holds(ANN, "BTC"), "8+1");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn cancelling_one_order_of_a_pair_cancels_both() {
    for generation in [1, 2] {
        let (mut exchange, number) = with(Shape::Oco(exit()));

        exchange.cancel(ANN, id(generation), at(1)).unwrap();

        assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Cancelled; 2]);
        assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
        assert_eq!(changes(&mut exchange), [ListChange::Done]);
        assert_eq!(exchange.cancel_list(ANN, number, at(2)).unwrap_err().code, -2011);
    }
}

#[test]
fn a_list_is_cancelled_by_its_owner_only() {
    let (mut exchange, number) = with(Shape::Oco(exit()));

    assert_eq!(exchange.cancel_list(BOB, number, at(1)).unwrap_err().code, -2011);
    exchange.cancel_list(ANN, number, at(1)).unwrap();

    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Cancelled; 2]);
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn the_prices_of_a_pair_stand_around_the_market() {
    let mut exchange = opened();
    let stop = |at_price: &str| leg(1, Side::Sell, market("1"), Some(stop_loss(at_price)));
    let limit_at = |at_price: &str| leg(2, Side::Sell, maker(at_price, "1"), None);
    let wrong = "The relationship of the prices for the orders is not correct.";
    let cases = [
        ([stop("100"), limit_at("110")], -2010, wrong),
        ([stop("90"), limit_at("100")], -2010, wrong),
        (
            [stop("90"), leg(2, Side::Sell, limit("99", "1"), Some(take_profit("110")))],
            -2010,
            wrong,
        ),
        (
            [stop("90"), leg(2, Side::Buy, maker("80", "1"), None)],
            -1014,
            "Unsupported order combination.",
        ),
        (
            [stop("90"), leg(2, Side::Sell, maker("110", "2"), None)],
            -1014,
            "Unsupported order combination.",
        ),
        ([stop("90"), leg(1, Side::Sell, maker("110", "1"), None)], -2010, "Duplicate order sent."),
        (
            [stop("90"), leg(2, Side::Sell, limit("110", "1"), None)],
            -1014,
            "Unsupported order combination.",
        ),
    ];
    for (legs, code, text) in cases {
        let refused = exchange.place_list(ANN, &list(Shape::Oco(legs)), at(0)).unwrap_err();
        assert_eq!((refused.code, refused.text.as_str()), (code, text), "{legs:?}");
    }
    assert!(exchange.open_orders(ANN).is_empty());
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
}

#[test]
fn a_pair_of_a_take_profit_and_a_stop_has_two_triggers() {
    let pair = [
        leg(1, Side::Sell, market("1"), Some(stop_loss("90"))),
        leg(2, Side::Sell, market("1"), Some(take_profit("110"))),
    ];
    let (mut exchange, _) = with(Shape::Oco(pair));

    exchange.trade(&tick("110", 1));

    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Expired, OrderStatus::Filled]);
    assert_eq!(exchange.holds(ANN, "BTC"), "9+0");
}

#[test]
fn the_second_order_is_placed_once_the_first_is_filled_whole() {
    let mut exchange = exchange_with(Settings {
        volume_cap: Some(Fraction::parse("1").unwrap()),
        ..Settings::default()
    });
    exchange.trade(&tick("100", 0));
    let pending = leg(2, Side::Sell, limit("120", "11"), None);
    let shape = Shape::Oto { working: request(1, Side::Buy, limit("95", "2")), pending };

    // More than there is to sell now: it is looked at when its turn comes.
    exchange.place_list(ANN, &list(shape), at(0)).unwrap();
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
    assert_eq!(exchange.holds(ANN, "USDT"), "9810+190");
    exchange.trade(&Tick { qty: qty("1"), ..tick("94", 1) });
    assert_eq!(exchange.stage(2), Stage::Pending);
    exchange.trade(&Tick { qty: qty("1"), ..tick("94", 2) });

    assert_eq!(exchange.status(ANN, 1), OrderStatus::Filled);
    assert_eq!(exchange.stage(2), Stage::Working);
    assert_eq!(exchange.holds(ANN, "BTC"), "1+11");
    assert_eq!(changes(&mut exchange), [ListChange::Started; 2]);
    exchange.trade(&Tick { qty: qty("50"), ..tick("121", 3) });
    assert_eq!(exchange.status(ANN, 2), OrderStatus::Filled);
    assert_eq!(changes(&mut exchange), [ListChange::Done]);
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_first_order_that_fills_at_once_places_the_second() {
    let pending = leg(2, Side::Sell, market("1"), None);
    let shape = Shape::Oto { working: request(1, Side::Buy, limit("100", "1")), pending };

    let (exchange, _) = with(shape);

    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Filled; 2]);
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_first_order_that_ends_takes_the_others_with_it() {
    let fok = with_force("90", "1", TimeInForce::FillOrKill);
    let [one, two] = exit();
    let pair = [Leg { request: OrderRequest { client_id: id(3), ..one.request }, ..one }, two];
    let shape = Shape::Otoco { working: request(1, Side::Buy, fok), pending: pair };
    let mut exchange = opened();

    exchange.place_list(ANN, &list(shape), at(0)).unwrap();

    assert_eq!(states(&exchange, &[1, 2, 3]), [OrderStatus::Expired; 3]);
    assert_eq!(changes(&mut exchange), [ListChange::Started, ListChange::Done]);
    for generation in [1, 2] {
        let pending = leg(2, Side::Sell, market("1"), None);
        let shape = Shape::Oto { working: request(1, Side::Buy, limit("90", "1")), pending };
        let (mut exchange, _) = with(shape);
        exchange.cancel(ANN, id(generation), at(1)).unwrap();
        assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Cancelled; 2]);
        assert_eq!(exchange.holds(ANN, "USDT"), "10000+0");
    }
}

#[test]
fn a_pair_behind_a_first_order_holds_one_lock_once_it_is_placed() {
    let [one, two] = exit();
    let pair = [Leg { request: OrderRequest { client_id: id(3), ..one.request }, ..one }, two];
    let shape = Shape::Otoco { working: request(1, Side::Buy, limit("95", "2")), pending: pair };
    let (mut exchange, _) = with(shape);
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");

    exchange.trade(&tick("94", 1));
    assert_eq!(exchange.holds(ANN, "BTC"), "10+2");
    exchange.trade(&tick("111", 2));

    assert_eq!(
        states(&exchange, &[1, 2, 3]),
        [OrderStatus::Filled, OrderStatus::Filled, OrderStatus::Expired]
    );
    assert_eq!(exchange.holds(ANN, "BTC"), "10+0");
    assert_eq!(exchange.holds(ANN, "USDT"), "10030+0");
    assert_eq!(exchange.audit(), Ok(()));
}

#[test]
fn a_second_part_that_cannot_be_placed_expires() {
    let [one, two] = exit();
    let pair = [Leg { request: OrderRequest { client_id: id(3), ..one.request }, ..one }, two];
    let shape = Shape::Otoco { working: request(1, Side::Buy, limit("95", "2")), pending: pair };
    let (mut exchange, _) = with(shape);

    // Through the stop of the pair: its price would have been reached already.
    exchange.trade(&tick("89", 1));

    assert_eq!(
        states(&exchange, &[1, 2, 3]),
        [OrderStatus::Filled, OrderStatus::Expired, OrderStatus::Expired]
    );
    assert_eq!(exchange.holds(ANN, "BTC"), "12+0");
    assert_eq!(changes(&mut exchange).last(), Some(&ListChange::Done));

    let pending = leg(2, Side::Sell, market("20"), None);
    let shape = Shape::Oto { working: request(1, Side::Buy, limit("95", "2")), pending };
    let (mut exchange, _) = with(shape);
    exchange.trade(&tick("94", 1));
    assert_eq!(exchange.status(ANN, 2), OrderStatus::Expired);
}

#[test]
fn lists_are_counted_and_their_ids_are_taken_while_they_are_open() {
    let mut instrument = btc_usdt();
    instrument.filters.push(Filter::MaxNumOrderLists { limit: 1 });
    let mut exchange = opened();
    assert!(exchange.replace_instrument(instrument, at(0)));
    let number = exchange.place_list(ANN, &list(Shape::Oco(exit())), at(0)).unwrap().number;

    let again = exchange.place_list(ANN, &list(Shape::Oco(exit())), at(0)).unwrap_err();
    let other = ListRequest { client_id: id(98), shape: Shape::Oco(exit()) };
    let second = exchange.place_list(ANN, &other, at(0)).unwrap_err();
    exchange.cancel_list(ANN, number, at(1)).unwrap();
    exchange.place_list(ANN, &list(Shape::Oco(exit())), at(2)).unwrap();

    assert_eq!(again.text, "Duplicate order sent.");
    assert_eq!(second.text, "Filter failure: MAX_NUM_ORDER_LISTS");
    // What is long over is forgotten, what is open stays.
    exchange.forget_closed_before(at(3));
    exchange.trade(&tick("90", 4));
    assert_eq!(states(&exchange, &[1, 2]), [OrderStatus::Filled, OrderStatus::Expired]);
}

#[test]
fn an_emptied_account_leaves_nothing_of_its_lists() {
    let (mut exchange, _) = with(Shape::Oco(exit()));

    exchange.empty_account(ANN, at(1)).unwrap();

    assert_eq!(exchange.nearest(BTC), (None, None));
    assert_eq!(exchange.audit(), Ok(()));
}
