//! What an exchange says of its instruments.

use std::collections::BTreeSet;

use tranche_model::{
    candle::Candle,
    ids::InstrumentId,
    instrument::TradingStatus,
    time::{Millis, Timestamp},
};
use tranche_venue::venue::{CandleRange, Interval, ReadError};

use crate::{
    bench::limits,
    scene::{BTC, ETH, PATIENCE, Scene, UNNAMED, price},
};

pub(crate) async fn listings_say_every_rule(scene: Scene) {
    scene.bench.set_status(ETH, TradingStatus::Halted);

    let listings = scene.venue.listings().await.unwrap();

    assert_eq!((listings.unnamed, listings.unreadable), (0, 0));
    assert!(listings.unknown_filters.is_empty(), "{listings:?}");
    for mut instrument in scene.bench.instruments() {
        let text = scene.bench.text(&instrument);
        let listing = listings.list.iter().find(|listing| listing.text == text).unwrap();
        if instrument.id == ETH {
            instrument.status = TradingStatus::Halted;
        }
        instrument.id = InstrumentId::new(0);
        assert_eq!(listing.draft, instrument);
    }
    assert!(listings.order_limits.contains(&(Millis::from_secs(10), limits::ORDERS)));
    assert!(listings.weight_per_minute.is_some());
}

pub(crate) async fn last_prices_are_those_of_the_market(scene: Scene) {
    scene.price("51234.56");

    let prices = scene.venue.prices(BTreeSet::from([BTC, UNNAMED])).await.unwrap();

    assert_eq!(prices, [(BTC, price("51234.56"))]);
    let aside = scene.venue.aside();
    assert!(0 < aside.weight, "it is said what it weighed");
    assert_eq!(aside.banned_until, None);
}

pub(crate) async fn candles_are_closed_ones(scene: Scene) {
    const HOUR: Millis = Millis::from_secs(3600);
    let from = start_of_hour(scene.venue.now());
    for at in ["52000", "48000", "49000"] {
        scene.price(at);
    }
    let range = |instrument, to| CandleRange { instrument, interval: Interval::Hour1, from, to };
    let far = from.plus(HOUR.times(99));

    scene.hurry(HOUR.times(2)).await;
    let candles = scene.venue.candles(range(BTC, far)).await.unwrap();
    let first = scene.venue.candles(range(BTC, from.plus(HOUR))).await.unwrap();

    let ends = |candle: &Candle| candle.open_at.plus(HOUR) <= scene.venue.now();
    assert!(candles.len() == 2 || candles.len() == 3, "{candles:?}");
    assert!(candles.iter().all(ends), "none that still runs: {candles:?}");
    assert_eq!(first, candles[..1], "the end is not included");
    let seen = candles.iter().find(|candle| candle.high == price("52000")).unwrap();
    assert_eq!((seen.low, seen.close), (price("48000"), price("49000")));
    assert!(candles.len() <= scene.venue.candles_max());
    let unlisted = scene.venue.candles(range(UNNAMED, far)).await;
    assert_eq!(unlisted, Err(ReadError::NoInstrument(UNNAMED)));
}

fn start_of_hour(moment: Timestamp) -> Timestamp {
    const HOUR_MS: i64 = 3_600_000;
    Timestamp::from_ms(moment.ms().div_euclid(HOUR_MS) * HOUR_MS)
}

pub(crate) async fn fees_are_those_of_the_account(scene: Scene) {
    let rates = tokio::time::timeout(PATIENCE, scene.account.fees(BTC)).await;

    let rates = rates.unwrap().unwrap();

    assert_eq!(rates.taker.get(), price("0.001").get());
    assert_eq!(rates.maker.get(), price("0.001").get());
    assert_eq!(scene.account.fees(UNNAMED).await, Err(ReadError::NoInstrument(UNNAMED)));
}
