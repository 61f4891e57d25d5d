//! Streams: told from live on, lost with a word, and each thing once.

use std::collections::BTreeSet;

use tranche_model::{
    candle::Tick,
    ids::{InstrumentId, TradeId},
    order::{OrderStatus, Side},
    record::PrivateEvent,
};
use tranche_venue::{
    net::socket::SocketFault,
    venue::{
        GapReason, LostReason, Market, MarketControl, MarketEvent, PrivateMessage, Topic, Watched,
    },
};

use crate::{
    bench::Stream,
    ear::{Ear, fill_of, reports},
    scene::{BTC, ETH, Scene, limit, market, order_of, price, qty},
};

fn watch(scene: &Scene, wished: &[(InstrumentId, Topic)]) -> Heard {
    let Market { events, control } = scene.venue.market();
    control.watch(wished.iter().copied().collect::<Watched>()).unwrap();
    Heard { ear: Ear::new(events), _control: control }
}

/// A market stream that is watched.
struct Heard {
    ear: Ear<MarketEvent>,
    _control: MarketControl,
}

impl Heard {
    async fn until_live(&mut self) {
        let is_live =
            |event: &MarketEvent| matches!(event, MarketEvent::Live(of) if of.contains(&BTC));
        self.ear.until("live", is_live).await;
    }

    /// Listens until BTC trades at a price.
    async fn until_trade(&mut self, at: &str) {
        let wanted = price(at);
        self.ear
            .until(
                "a trade",
                |event| matches!(event, MarketEvent::Trade { tick, .. } if tick.price == wanted),
            )
            .await;
    }

    fn trades(&self) -> Vec<(Tick, TradeId)> {
        let trade = |event: &MarketEvent| match event {
            MarketEvent::Trade { tick, trade_id, .. } => Some((*tick, *trade_id)),
            MarketEvent::Best(_)
            | MarketEvent::Candle { .. }
            | MarketEvent::Live(_)
            | MarketEvent::Gap { .. } => None,
        };
        self.ear.heard.iter().filter_map(trade).collect()
    }
}

pub(crate) async fn the_market_is_told_from_live_on(scene: Scene) {
    let mut heard =
        watch(&scene, &[(BTC, Topic::Trades), (BTC, Topic::Best), (ETH, Topic::Trades)]);
    heard.until_live().await;

    scene.bench.trade(BTC, price("50010"), qty("0.25"));
    heard.until_trade("50010").await;
    let is_best = |event: &MarketEvent| matches!(event, MarketEvent::Best(best) if best.instrument == BTC && best.bid <= price("50010"));
    heard.ear.until_all("best prices", |heard| heard.iter().any(is_best)).await;
    scene.bench.trade(ETH, price("2001"), qty("1"));
    heard.until_trade("2001").await;

    let trades = heard.trades();
    let (tick, _) = *trades.iter().find(|(tick, _)| tick.instrument == BTC).unwrap();
    assert_eq!(tick.qty, qty("0.25"));
    assert!(scene.venue.now().since(tick.at).ms() < 5000, "in the venue's time");
}

pub(crate) async fn a_cut_market_stream_is_a_gap_and_nothing_comes_twice(scene: Scene) {
    let mut heard = watch(&scene, &[(BTC, Topic::Trades)]);
    heard.until_live().await;
    scene.price("50001");
    heard.until_trade("50001").await;

    assert_eq!(scene.bench.cut(Stream::Market), 1);
    scene.price("50002");
    heard.until_live().await;
    scene.price("50003");
    heard.until_trade("50003").await;

    let place =
        |wanted: fn(&MarketEvent) -> bool| heard.ear.heard.iter().rposition(wanted).unwrap();
    let gap = place(
        |event| matches!(event, MarketEvent::Gap { instruments, reason: GapReason::Connection(_) } if instruments == &[BTC]),
    );
    let live = place(|event| matches!(event, MarketEvent::Live(_)));
    assert!(gap < live, "{:#?}", heard.ear.heard);
    let ids: Vec<TradeId> = heard.trades().iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    assert_eq!(ids.len(), 2, "what traded in the gap is not told");
}

pub(crate) async fn a_candle_is_told_when_it_closed(scene: Scene) {
    let mut heard = watch(&scene, &[(BTC, Topic::Candles)]);
    heard.until_live().await;
    scene.price("51000");
    let traded_at = scene.venue.now();

    scene.bench.pass(60_000);
    let is_candle = |event: &MarketEvent| matches!(event, MarketEvent::Candle { candle, .. } if candle.high == price("51000"));
    let event = heard.ear.until("the candle", is_candle).await.clone();

    let MarketEvent::Candle { instrument: BTC, candle } = event else { panic!("{event:?}") };
    assert_eq!(candle.close, price("51000"));
    // A minute may have begun since the first price.
    assert!([price("50000"), price("51000")].contains(&candle.open), "{candle:?}");
    assert_eq!(candle.open_at.ms() % 60_000, 0);
    assert!(traded_at.since(candle.open_at).ms() < 61_000);
}

pub(crate) async fn streams_come_back_after_a_ban(scene: Scene) {
    let mut heard = watch(&scene, &[(BTC, Topic::Trades)]);
    let mut ear = Ear::new(scene.account.private_stream());
    heard.until_live().await;
    ear.until_live().await;

    scene.bench.ban(1);
    scene.bench.cut(Stream::Market);
    scene.bench.cut(Stream::Private);
    heard.until_live().await;
    ear.until_live().await;
    scene.place(scene.order(Side::Buy, market("0.01"))).await;
    ear.until("a fill", |message| fill_of(message).is_some()).await;
    scene.price("50007");
    heard.until_trade("50007").await;

    let is_denied = |fault: &SocketFault| matches!(fault, SocketFault::Denied { status: 418, .. });
    let told = |event: &MarketEvent| matches!(event, MarketEvent::Gap { reason: GapReason::Connection(fault), .. } if is_denied(fault));
    assert!(heard.ear.heard.iter().any(told), "{:?}", heard.ear.heard);
    let told = |message: &PrivateMessage| matches!(message, PrivateMessage::Lost { reason: LostReason::Connection(fault) } if is_denied(fault));
    assert!(ear.heard.iter().any(told), "{:?}", ear.heard);
}

pub(crate) async fn fills_of_others_are_told_without_an_id(scene: Scene) {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;
    let foreign = scene.placement(scene.foreign(Side::Buy, market("0.02")));
    order_of(scene.stranger().call(foreign).await.outcome);
    let ours = scene.order(Side::Sell, market("0.01"));
    scene.place(ours).await;
    ear.until_ended(ours.client_id).await;

    let told: Vec<_> = ear.fills().iter().map(|fill| (fill.client_id, fill.qty)).collect();
    assert_eq!(told, [(None, qty("0.02")), (Some(ours.client_id), qty("0.01"))]);
    assert!(reports(&ear.heard).iter().all(|report| report.client_id == ours.client_id));
}

pub(crate) async fn a_private_stream_tells_orders_fills_and_balances(scene: Scene) {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;
    let request = scene.order(Side::Buy, limit("49000", "0.01"));
    scene.place(request).await;
    scene.price("48900");
    ear.until_ended(request.client_id).await;

    assert_eq!(ear.statuses(request.client_id), [OrderStatus::Open, OrderStatus::Filled]);
    let fill = ear.fills()[0];
    assert_eq!((fill.client_id, fill.qty), (Some(request.client_id), qty("0.01")));
    assert_eq!(vec![fill], scene.trades(fill.at).await, "the same as is read");
    let books = scene.bench.books().balances;
    let is_told = |message: &PrivateMessage| match message {
        PrivateMessage::Event(PrivateEvent::Balances(changed)) => {
            let has_base = changed.iter().any(|it| it.asset.as_str() == "BTC");
            has_base && changed.iter().all(|it| books.contains(it))
        }
        PrivateMessage::Event(PrivateEvent::Order(_) | PrivateEvent::Fill(_))
        | PrivateMessage::Live
        | PrivateMessage::Lost { .. } => false,
    };
    ear.until_all("balances", |heard| heard.iter().any(is_told)).await;
}

pub(crate) async fn a_cut_private_stream_is_lost_and_nothing_comes_twice(scene: Scene) {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;
    let (_, first) = scene.place(scene.order(Side::Buy, market("0.01"))).await;
    ear.until("a fill", |message| fill_of(message).is_some()).await;

    assert_eq!(scene.bench.cut(Stream::Private), 1);
    scene.place(scene.order(Side::Buy, market("0.02"))).await;
    let is_lost = |message: &PrivateMessage| {
        matches!(message, PrivateMessage::Lost { reason: LostReason::Connection(_) })
    };
    ear.until("lost", is_lost).await;
    ear.until_live().await;
    scene.place(scene.order(Side::Buy, market("0.03"))).await;
    let third = qty("0.03");
    ear.until("a fill", |it| fill_of(it).is_some_and(|fill| fill.qty == third)).await;

    let sizes: Vec<_> = ear.fills().iter().map(|fill| fill.qty).collect();
    assert_eq!(sizes, [qty("0.01"), qty("0.03")], "each once, and none of the time between");
    let read: Vec<_> = scene.trades(first[0].at).await.iter().map(|fill| fill.qty).collect();
    assert_eq!(read, [qty("0.01"), qty("0.02"), qty("0.03")], "what was missed can be read");
}

pub(crate) async fn an_ended_private_stream_is_asked_for_again(scene: Scene) {
    let mut ear = Ear::new(scene.account.private_stream());
    ear.until_live().await;

    scene.bench.end_private();
    let ended = PrivateMessage::Lost { reason: LostReason::Ended };
    ear.until("lost", |message| *message == ended).await;
    ear.until_live().await;
    let request = scene.resting();
    scene.place(request).await;
    scene.cancel(request.client_id).await;
    ear.until_ended(request.client_id).await;

    let statuses = [OrderStatus::Open, OrderStatus::Cancelled];
    assert_eq!(ear.statuses(request.client_id), statuses);
}
