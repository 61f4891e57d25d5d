//! Pairs under numbers that stay: snapshots and fills name them.

use std::{collections::BTreeMap, convert::Infallible};

use anyhow::Result;
use tokio::time::sleep;
use tranche_engine::Handle;
use tranche_model::{
    asset::Symbol,
    instrument::{Instrument, Instruments, TradingStatus},
};
use tranche_store::Listing;
use tranche_venue::{
    catalog::Listed,
    venue::{Listings, Venue as _},
};

use super::timetable::Timetable;
use crate::{ground::Ground, venues::Exchange};

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
    let now = || exchange.venue.now();
    let mut timetable = Timetable::new(now());
    loop {
        sleep(timetable.nap(now())).await;
        let due = timetable.due(now());
        if due.is_list {
            if let Err(error) = refresh(ground, exchange, engine).await {
                tracing::warn!("the list of pairs could not be read: {error:#}; asked again later");
            }
            timetable.was_read(has_closed(engine).await, now());
        } else if timetable.is_calm() && has_closed(engine).await {
            timetable.was_read(true, now());
        }
        if due.is_new_day {
            tracing::info!("a new day: every account is compared with its exchange");
            if engine.sync().await.is_err() {
                tracing::debug!("the engine is gone");
            }
        }
    }
}

/// Whether a bot waits for a pair that the exchange has closed for a while.
async fn has_closed(engine: &Handle) -> bool {
    let closed = engine.look(|shard, _| {
        let bots = shard.accounts().flat_map(|account| account.bots.values());
        let mut lanes = bots.flat_map(|bot| &bot.lanes);
        lanes.any(|lane| {
            let known = shard.instruments().get(lane.instrument);
            known.is_some_and(|it| match it.status {
                TradingStatus::Halted | TradingStatus::CancelOnly => true,
                TradingStatus::Trading | TradingStatus::Delisted => false,
            })
        })
    });
    closed.await.unwrap_or(false)
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
