//! What an exchange says of its instruments.

use std::time::Duration;

use tranche_model::{ids::InstrumentId, instrument::TradingStatus, time::Millis};
use tranche_venue::venue::{CandleRange, Interval, ReadError};

use crate::{
    bench::limits,
    scene::{BTC, ETH, Scene, UNNAMED, price},
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

pub(crate) async fn candles_are_closed_ones(scene: Scene) {
    scene.price("52000");
    let now = scene.venue.now();
    let range = |instrument| CandleRange {
        instrument,
        interval: Interval::Minute1,
        from: now.minus(Millis::from_secs(600)),
        to: now.plus(Millis::from_secs(600)),
    };

    let candles = scene.venue.candles(range(BTC)).await.unwrap();

    let latest = scene.venue.now().minus(Millis::from_secs(60));
    assert!(candles.iter().all(|candle| candle.open_at <= latest), "{candles:?}");
    assert!(candles.len() <= scene.venue.candles_max());
    let unlisted = scene.venue.candles(range(UNNAMED)).await;
    assert_eq!(unlisted, Err(ReadError::NoInstrument(UNNAMED)));
}

pub(crate) async fn fees_are_those_of_the_account(scene: Scene) {
    let rates = tokio::time::timeout(Duration::from_secs(5), scene.account.fees(BTC)).await;

    let rates = rates.unwrap().unwrap();

    assert_eq!(rates.taker.get(), price("0.001").get());
    assert_eq!(rates.maker.get(), price("0.001").get());
    assert_eq!(scene.account.fees(UNNAMED).await, Err(ReadError::NoInstrument(UNNAMED)));
}
