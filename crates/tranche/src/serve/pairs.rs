//! Pairs under numbers that stay: snapshots and fills name them.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use anyhow::Result;
use tokio::time::sleep;
use tranche_engine::Handle;
use tranche_model::{
    asset::Symbol,
    instrument::{Instrument, Instruments},
};
use tranche_store::Listing;
use tranche_venue::{
    catalog::Listed,
    venue::{Listings, Venue as _},
};

use crate::{ground::Ground, venues::Exchange};

/// How often the exchange is asked whether it lists other pairs, or has other rules.
const REFRESH_EVERY: Duration = Duration::from_mins(15);
const DAY_MS: i64 = 86_400_000;

/// Gives each listed pair its number, writes down what is new, and tells the client of the exchange.
/// Pairs that are not listed any more keep their number and take no orders.
pub(super) async fn take_in(
    ground: &Ground,
    exchange: &Exchange,
    listings: Listings,
) -> Result<Instruments> {
    let (texts, drafts): (Vec<String>, Vec<Instrument>) =
        listings.list.into_iter().map(|one| (one.text, one.draft)).unzip();
    let venue = exchange.venue.name();
    let adopted = ground.store.adopt_instruments(venue, &drafts, Listing::Complete, ground.now());
    let list = adopted.await?;
    let symbols = drafts.iter().map(|draft| draft.symbol);
    let texts: BTreeMap<Symbol, String> = symbols.zip(texts).collect();
    for instrument in &list {
        if let Some(text) = texts.get(&instrument.symbol) {
            let (text, instrument) = (text.clone(), instrument.clone());
            exchange.catalog.put(Listed { text, instrument });
        }
    }
    Ok(list)
}

/// Reads the list again from time to time, and at midnight everything of every account.
pub(super) async fn look_after(
    ground: &Ground,
    exchange: &Exchange,
    engine: &Handle,
) -> Infallible {
    loop {
        let pause = until_midnight(ground).min(REFRESH_EVERY);
        let is_midnight = pause < REFRESH_EVERY;
        sleep(pause).await;
        if let Err(error) = refresh(ground, exchange, engine).await {
            tracing::warn!("the list of pairs could not be read: {error:#}; asked again later");
        }
        if is_midnight && engine.sync().await.is_err() {
            tracing::debug!("the engine is gone");
        }
    }
}

async fn refresh(ground: &Ground, exchange: &Exchange, engine: &Handle) -> Result<()> {
    let listings = exchange.venue.listings().await?;
    let former = ground.store.instruments(exchange.venue.name()).await?;
    for instrument in &take_in(ground, exchange, listings).await? {
        if former.get(instrument.id) != Some(instrument) {
            tracing::info!(symbol = %instrument.symbol, "a pair is new or has other rules");
            engine.rules(instrument.clone()).await?;
        }
    }
    Ok(())
}

fn until_midnight(ground: &Ground) -> Duration {
    let left = DAY_MS.saturating_sub(ground.now().ms().rem_euclid(DAY_MS));
    Duration::from_millis(u64::try_from(left).unwrap_or_default())
}
