//! What is read to learn what happened: whole, with its owner, and never more than is known.

use tranche_model::{
    balance::Balance,
    fill::Fill,
    order::{OrderKind, OrderRequest, OrderStatus, Side},
    record::{Answer, Call, Outcome},
    time::Millis,
};
use tranche_simserver::Fault;

use crate::{
    bench::On,
    scene::{BTC, ETH, NOWHERE, Scene, is_not_found, limit, market, order_of, price, qty, sum},
};

/// Places an order of somebody else.
async fn place_foreign(scene: &Scene, side: Side, kind: OrderKind) {
    let placement = scene.placement(scene.foreign(side, kind));
    order_of(scene.stranger().call(placement).await.outcome);
}

pub(crate) async fn an_order_is_found_by_its_id(scene: Scene) {
    let request = scene.resting();
    let (placed, _) = scene.place(request).await;

    let (found, fills) = order_of(scene.query(request.client_id).await);

    assert_eq!((found, fills), (placed, Vec::new()));
    let never_sent = scene.resting();
    assert!(is_not_found(&scene.query(never_sent.client_id).await));
    scene.cancel(request.client_id).await;
    let (ended, _) = order_of(scene.query(request.client_id).await);
    assert_eq!(ended.status, OrderStatus::Cancelled, "an order that ended is still found");
}

pub(crate) async fn a_read_that_lags_is_not_found_and_found_later(scene: Scene) {
    let request = scene.resting();
    scene.place(request).await;
    let stale = Fault::StaleRead { ms: 60_000 };
    for on in [On::Query, On::OpenOrders] {
        scene.bench.inject(on, stale, 1);
    }

    let early = scene.query(request.client_id).await;
    let early_open = scene.call(Call::OpenOrders).await.outcome;

    assert!(is_not_found(&early), "{early:?}");
    assert_eq!(own_of(early_open), []);
    order_of(scene.query(request.client_id).await);
    assert_eq!(own_of(scene.call(Call::OpenOrders).await.outcome), [request.client_id]);
}

fn own_of(outcome: Outcome) -> Vec<tranche_model::client_order_id::ClientOrderId> {
    let Outcome::Done(Answer::OpenOrders { own, .. }) = outcome else { panic!("{outcome:?}") };
    own.iter().map(|report| report.client_id).collect()
}

pub(crate) async fn open_orders_are_told_apart(scene: Scene) {
    let (ours, ended) = (scene.resting(), scene.resting());
    let (report, _) = scene.place(ours).await;
    scene.place(ended).await;
    scene.cancel(ended.client_id).await;
    place_foreign(&scene, Side::Sell, limit("60000", "0.02")).await;

    let outcome = scene.call(Call::OpenOrders).await.outcome;

    let Outcome::Done(Answer::OpenOrders { own, foreign }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(own, [report]);
    assert_eq!(foreign.len(), 1);
    assert_eq!((foreign[0].side, foreign[0].instrument), (Side::Sell, BTC));
    assert_eq!(foreign[0].kind, limit("60000", "0.02"));
}

pub(crate) async fn executions_since_a_time_are_whole(scene: Scene) {
    let (_, first) = scene.place(scene.order(Side::Buy, market("0.01"))).await;
    scene.wait_past(first[0].at.plus(Millis::new(20))).await;
    let second = scene.order(Side::Buy, market("0.02"));
    let (_, fills) = scene.place(second).await;
    place_foreign(&scene, Side::Sell, market("0.03")).await;

    let all = scene.trades(first[0].at).await;
    let later = scene.trades(fills[0].at).await;

    let qty_of = |fills: &[Fill]| fills.iter().map(|fill| fill.qty).collect::<Vec<_>>();
    assert_eq!(qty_of(&all), [qty("0.01"), qty("0.02"), qty("0.03")]);
    assert_eq!(all[1..], later, "the moment itself is included");
    assert_eq!(later[0], fills[0], "as the answer to the placement said");
    assert_eq!((later[1].client_id, later[1].side), (None, Side::Sell), "somebody else's");
    let unlisted = Call::Trades { instrument: NOWHERE, since: first[0].at };
    assert!(matches!(scene.call(unlisted).await.outcome, Outcome::Refused(_)));
}

pub(crate) async fn executions_beyond_one_page_are_whole(scene: Scene) {
    const COUNT: usize = 2100;
    let request = scene.order(Side::Buy, limit("41000", "2.2"));
    let (placed, _) = scene.place(request).await;
    for _ in 0..COUNT {
        scene.bench.trade(BTC, price("40999"), qty("0.001"));
    }

    let fills = scene.trades(placed.updated_at).await;

    let booked: Vec<_> = scene.bench.books().fills.iter().map(|fill| fill.trade_id).collect();
    assert_eq!(booked.len(), COUNT);
    assert_eq!(fills.iter().map(|fill| fill.trade_id).collect::<Vec<_>>(), booked);
    assert!(fills.iter().all(|fill| fill.client_id == Some(request.client_id)));
    assert_eq!(sum(&fills), qty("2.1"));
}

pub(crate) async fn executions_of_many_days_are_whole(scene: Scene) {
    const DAY: Millis = Millis::from_secs(86_400);
    let (_, first) = scene.place(scene.order(Side::Buy, market("0.01"))).await;
    let mut wanted = first.clone();
    // Days without a trade lie between them, and in the end more than any window reaches back.
    for days in [3, 1, 40] {
        scene.hurry(DAY.times(days)).await;
        let (_, fills) = scene.place(scene.order(Side::Sell, market("0.002"))).await;
        wanted.extend(fills);

        assert_eq!(scene.trades(first[0].at).await, wanted, "{days}");
    }
    assert_eq!(scene.trades(wanted[1].at).await, wanted[1..]);
    assert_eq!(scene.trades(wanted[3].at).await, wanted[3..]);
}

pub(crate) async fn balances_are_those_of_the_exchange(scene: Scene) {
    scene.place(scene.order(Side::Sell, market("5"))).await;
    scene.place(scene.order(Side::Sell, limit("60000", "4.9"))).await;
    scene.place(scene.resting()).await;
    let eth = OrderRequest { instrument: ETH, ..scene.order(Side::Sell, market("10")) };
    scene.place(eth).await;

    let outcome = scene.call(Call::Balances).await.outcome;

    let Outcome::Done(Answer::Balances(mut told)) = outcome else { panic!("{outcome:?}") };
    told.sort_by_key(|balance| balance.asset.to_string());
    assert_eq!(told, scene.bench.books().balances);
    let has_zero = |it: &Balance| it.free.is_zero() && it.locked.is_zero();
    assert!(told.iter().any(has_zero), "what fell to zero is told as well");
}

pub(crate) async fn the_highest_price_since_a_time_is_found(scene: Scene) {
    const HOUR: Millis = Millis::from_secs(3600);
    let high = async |instrument, since| {
        let outcome = scene.call(Call::Highs { instrument, since }).await.outcome;
        let Outcome::Done(Answer::Highs(high)) = outcome else { panic!("{outcome:?}") };
        high.map(|high| high.to_string())
    };
    let started = scene.venue.now();
    let mut later = Vec::new();
    // Minutes, hours and days lie between the trades.
    for (wait, peak) in [(0, "51234.5"), (2, "50900"), (100, "50800"), (3, "50700")] {
        scene.hurry(HOUR.times(wait)).await;
        later.push(scene.venue.now());
        for at in [peak, "49000"] {
            scene.price(at);
        }
        assert_eq!(high(BTC, started).await.as_deref(), Some("51234.5"));
    }

    assert_eq!(high(BTC, later[1]).await.as_deref(), Some("50900"));
    assert_eq!(high(BTC, later[2]).await.as_deref(), Some("50800"));
    assert_eq!(high(BTC, later[3]).await.as_deref(), Some("50700"));
    let tomorrow = scene.venue.now().plus(HOUR.times(24));
    assert_eq!(high(BTC, tomorrow).await, None);
    let unlisted = Call::Highs { instrument: NOWHERE, since: started };
    assert!(matches!(scene.call(unlisted).await.outcome, Outcome::Refused(_)));
}
