//! The exchange, reached however long it takes.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tranche_engine::database::DatabaseStore;
use tranche_model::instrument::Instruments;
use tranche_trading::dispatch::limits::Limits;
use tranche_venue::venue::{Listings, ReadError, Venue as _};

use super::pairs;
use crate::{
    cli::ServeTask,
    ground::Ground,
    settings::Settings,
    trouble::Trouble,
    venues::{self, Exchange, Sockets},
};

/// Pauses between attempts double from the first to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_mins(1);

/// An exchange that answered.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) exchange: Exchange,
    pub(super) instruments: Instruments,
    pub(super) limits: Limits,
}

/// Waits until the exchange has said what it trades. Without that nothing can be done for any account.
pub(super) async fn reach(
    task: &ServeTask,
    settings: &Settings,
    ground: &Ground,
) -> Result<Reached> {
    let sockets =
        Sockets { market: task.market_socket.as_deref(), api: task.api_socket.as_deref() };
    let exchange =
        venues::start(venues::whole_settings(&task.venue, sockets, &settings.exchange)?)?;
    wait_for_ban(&exchange, (&task.egress, ground)).await?;
    let mut pause = RETRY_FIRST;
    let listings = loop {
        match ask(&exchange).await {
            Ok(listings) => break listings,
            Err(error) => {
                let trouble = Trouble::of_read(&error, &exchange.addresses.rest);
                tracing::error!("{trouble}; tried again in {} s", pause.as_secs());
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(RETRY_LAST);
    };
    let limits = venues::limits(&listings);
    let instruments = pairs::take_in(ground, &exchange, listings).await?;
    Ok(Reached { exchange, instruments, limits })
}

/// Who asks while shut out is shut out for longer. A former process noted until when.
async fn wait_for_ban(exchange: &Exchange, (egress, ground): (&str, &Ground)) -> Result<()> {
    let mut used = DatabaseStore::usages_of(&ground.store, exchange.venue.name()).await?;
    let until = used.remove(egress).and_then(|usage| usage.banned_until);
    if let Some(until) = until.filter(|until| ground.now() < *until) {
        tracing::error!(
            egress,
            "the exchange takes nothing from this address until {until}; waiting"
        );
        sleep(Duration::from_millis(until.since(ground.now()).ms().into())).await;
    }
    Ok(())
}

async fn ask(exchange: &Exchange) -> Result<Listings, ReadError> {
    exchange.venue.sync_clock().await?;
    exchange.venue.listings().await
}
