//! Orders: placed, filled, cancelled.

use tranche_model::{
    fill::Liquidity,
    money::{Qty, Quote},
    order::{OrderKind, OrderStatus, Side, Size, TimeInForce},
    record::{Answer, Call, Outcome},
};

use crate::{
    ear::Ear,
    scene::{BTC, Scene, is_not_found, limit, market, order_of, price, qty, sum},
};

pub(crate) async fn a_limit_order_rests_with_its_money_locked(scene: Scene) {
    let request = scene.order(Side::Buy, limit("40000", "0.01"));

    let (report, fills) = scene.place(request).await;

    assert_eq!((report.client_id, report.instrument), (request.client_id, BTC));
    assert_eq!((report.side, report.kind), (Side::Buy, request.kind));
    assert_eq!((report.status, report.executed), (OrderStatus::Open, Qty::ZERO));
    assert!(fills.is_empty());
    let books = scene.bench.books();
    assert_eq!(books.open, [Some(request.client_id)]);
    let usdt = books.balances.iter().find(|it| it.asset.as_str() == "USDT").unwrap();
    assert_eq!((usdt.locked.to_string(), usdt.free.to_string()), ("400".into(), "99600".into()));
    assert!(report.updated_at.since(scene.venue.now()).ms() < 1000);
    assert!(scene.venue.now().since(report.updated_at).ms() < 5000);
}

pub(crate) async fn a_market_order_answers_with_its_fills(scene: Scene) {
    let request = scene.order(Side::Buy, market("0.02"));

    let (report, fills) = scene.place(request).await;

    assert_eq!((report.status, report.executed), (OrderStatus::Filled, qty("0.02")));
    assert_eq!(report.executed_quote, Quote::parse("1000").unwrap());
    assert_eq!(sum(&fills), qty("0.02"));
    let fill = fills[0];
    assert_eq!((fill.client_id, fill.venue_order_id), (Some(request.client_id), report.venue_id));
    assert_eq!((fill.price, fill.liquidity), (price("50000"), Liquidity::Taker));
    assert_eq!((fill.fee.asset.as_str(), fill.fee.amount.to_string()), ("BTC", "0.00002".into()));
    assert_eq!(fill.fee.in_quote, Some(Quote::parse("1").unwrap()));
    let booked = scene.bench.books().fills;
    assert_eq!(booked.len(), fills.len());
    assert_eq!((booked[0].trade_id, booked[0].qty), (fill.trade_id, fill.qty));
}

pub(crate) async fn each_kind_of_order_does_what_it_says(scene: Scene) {
    let kind = |at: &str, time_in_force| OrderKind::Limit {
        price: price(at),
        qty: qty("0.01"),
        time_in_force,
    };
    let maker = OrderKind::LimitMaker { price: price("40000"), qty: qty("0.01") };
    let for_quote = OrderKind::Market { size: Size::Quote(Quote::parse("120").unwrap()) };
    let (takes_or_dies, whole_or_dies) = (TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill);
    let (open, filled, expired) = (OrderStatus::Open, OrderStatus::Filled, OrderStatus::Expired);
    let cases = [
        (Side::Buy, limit("40000", "0.01"), open, "0"),
        (Side::Sell, limit("60000", "0.01"), open, "0"),
        (Side::Buy, limit("51000", "0.01"), filled, "0.01"),
        (Side::Buy, maker, open, "0"),
        (Side::Buy, kind("40000", takes_or_dies), expired, "0"),
        (Side::Buy, kind("51000", takes_or_dies), filled, "0.01"),
        (Side::Buy, kind("40000", whole_or_dies), expired, "0"),
        (Side::Sell, kind("49000", whole_or_dies), filled, "0.01"),
        (Side::Sell, market("0.01"), filled, "0.01"),
        (Side::Buy, for_quote, filled, "0.002"),
    ];
    for (side, kind, status, executed) in cases {
        let request = scene.order(side, kind);

        let (report, fills) = scene.place(request).await;

        assert_eq!((report.status, report.executed), (status, qty(executed)), "{kind:?}");
        assert_eq!((report.side, report.kind, sum(&fills)), (side, kind, qty(executed)));
        let (later, _) = order_of(scene.query(request.client_id).await);
        assert_eq!((later.status, later.kind, later.executed), (status, kind, report.executed));
    }
}

pub(crate) async fn an_order_fills_in_parts(scene: Scene) {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;
    let request = scene.order(Side::Buy, limit("49000", "0.01"));
    scene.place(request).await;

    scene.bench.trade(BTC, price("48900"), qty("0.004"));
    let (part, _) = order_of(scene.query(request.client_id).await);
    scene.bench.trade(BTC, price("48900"), qty("5"));
    ear.until_ended(request.client_id).await;
    let (whole, _) = order_of(scene.query(request.client_id).await);

    assert_eq!((part.status, part.executed), (OrderStatus::PartiallyFilled, qty("0.004")));
    assert_eq!((whole.status, whole.executed), (OrderStatus::Filled, qty("0.01")));
    assert_eq!(whole.executed_quote, Quote::parse("490").unwrap());
    let fills = ear.fills();
    assert_eq!(fills.iter().map(|fill| fill.qty).collect::<Vec<_>>(), [qty("0.004"), qty("0.006")]);
    assert!(fills.iter().all(|fill| fill.liquidity == Liquidity::Maker));
    assert_eq!(fills, scene.trades(part.updated_at).await);
    let statuses = [OrderStatus::Open, OrderStatus::PartiallyFilled, OrderStatus::Filled];
    assert_eq!(ear.statuses(request.client_id), statuses);
}

pub(crate) async fn a_cancelled_order_gives_its_money_back(scene: Scene) {
    let before = scene.bench.books().balances;
    let by_id = scene.resting();
    let by_number = scene.resting();
    scene.place(by_id).await;
    let (placed, _) = scene.place(by_number).await;

    let (first, _) = order_of(scene.cancel(by_id.client_id).await);
    let call = Call::CancelByVenueId { venue_id: placed.venue_id, instrument: BTC };
    let (second, _) = order_of(scene.call(call).await.outcome);

    for (report, request) in [(first, by_id), (second, by_number)] {
        assert_eq!(report.client_id, request.client_id, "not the id of the cancel");
        assert_eq!((report.status, report.executed), (OrderStatus::Cancelled, Qty::ZERO));
    }
    let books = scene.bench.books();
    assert_eq!((books.open.len(), books.balances), (0, before));
    assert!(is_not_found(&scene.cancel(by_id.client_id).await), "a second time");
    let call = Call::CancelByVenueId { venue_id: placed.venue_id, instrument: BTC };
    assert_eq!(scene.call(call).await.outcome, Outcome::Done(Answer::OrderNotFound));
}

pub(crate) async fn a_cancel_after_the_fill_finds_nothing_to_cancel(scene: Scene) {
    let whole = scene.order(Side::Buy, limit("49000", "0.01"));
    let part = scene.order(Side::Buy, limit("47000", "0.01"));
    scene.place(whole).await;
    scene.place(part).await;
    scene.price("48900");
    scene.bench.trade(BTC, price("46900"), qty("0.003"));

    let late = scene.cancel(whole.client_id).await;
    let (rest, _) = order_of(scene.cancel(part.client_id).await);

    assert!(is_not_found(&late), "{late:?}");
    let (filled, _) = order_of(scene.query(whole.client_id).await);
    assert_eq!((filled.status, filled.executed), (OrderStatus::Filled, qty("0.01")));
    assert_eq!((rest.status, rest.executed), (OrderStatus::Cancelled, qty("0.003")));
}
