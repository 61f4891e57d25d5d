//! Exchanges as the command line names them, started and asked for their pairs.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use tranche_model::{asset::Symbol, ids::InstrumentId, instrument::Instrument};
use tranche_trading::dispatch::limits::{Limits, OrderLimit};
use tranche_venue::{
    address::{Address, AddressError},
    binance::{self, Binance, Environment},
    catalog::{Catalog, Listed},
    net::clock::SystemClock,
    venue::{Listing, Listings},
};

use crate::{
    cli::{EnvironmentName, VenueName, VenueOptions},
    document::nearest,
    settings::ExchangeSettings,
};

/// The id of the one pair that a command looks at.
pub(crate) const PAIR: InstrumentId = InstrumentId::new(0);

/// An exchange with its addresses.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) venue: Arc<Binance>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) addresses: Addresses,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) rest: String,
    pub(crate) market_socket: String,
    pub(crate) api_socket: String,
}

/// Addresses of sockets that are not those of the environment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sockets<'a> {
    pub(crate) market: Option<&'a str>,
    pub(crate) api: Option<&'a str>,
}

/// Where an exchange is, as flags and settings say. Nothing is asked yet.
pub(crate) fn settings(
    options: &VenueOptions,
    sockets: Sockets<'_>,
    saved: &ExchangeSettings,
) -> Result<binance::Settings> {
    let VenueName::BinanceSpot = options.venue.unwrap_or(saved.venue);
    let environment = environment(options.environment.unwrap_or(saved.environment));
    let mut settings = environment.settings()?;
    let rest = options.rest.as_deref().or(saved.rest.as_deref());
    if let Some(rest) = rest {
        settings.rest = Address::http(rest, false).map_err(|error| of_address("rest", &error))?;
    }
    if let Some(market) = sockets.market.or(saved.market_socket.as_deref()) {
        settings.market_socket =
            Address::socket(market, false).map_err(|error| of_address("market-socket", &error))?;
    }
    if let Some(api) = sockets.api.or(saved.api_socket.as_deref()) {
        settings.api_socket =
            Address::socket(api, false).map_err(|error| of_address("api-socket", &error))?;
    }
    Ok(settings)
}

/// With all three addresses from one place: a key of one exchange must not be sent to another.
pub(crate) fn whole_settings(
    options: &VenueOptions,
    sockets: Sockets<'_>,
    saved: &ExchangeSettings,
) -> Result<binance::Settings> {
    let given = [
        ("rest", options.rest.as_deref().or(saved.rest.as_deref())),
        ("market-socket", sockets.market.or(saved.market_socket.as_deref())),
        ("api-socket", sockets.api.or(saved.api_socket.as_deref())),
    ];
    let names = |is_there: bool| {
        let of = given.iter().filter(|(_, address)| address.is_some() == is_there);
        of.map(|(name, _)| format!("--{name}")).collect::<Vec<_>>().join(" and ")
    };
    let (there, missing) = (names(true), names(false));
    if !there.is_empty() && !missing.is_empty() {
        bail!("{there} without {missing}; name all three, or none for the environment's own");
    }
    settings(options, sockets, saved)
}

/// Starts its tasks in the present runtime.
pub(crate) fn start(settings: binance::Settings) -> Result<Exchange> {
    let addresses = Addresses {
        rest: settings.rest.to_string(),
        market_socket: settings.market_socket.to_string(),
        api_socket: settings.api_socket.to_string(),
    };
    let catalog = Arc::new(Catalog::default());
    let clock = Arc::new(SystemClock::new());
    let venue = Binance::start(settings, Arc::clone(&catalog), clock)?;
    Ok(Exchange { venue: Arc::new(venue), catalog, addresses })
}

impl Exchange {
    /// Puts a listed pair where the exchange's client finds it.
    pub(crate) fn know(&self, listing: &Listing) -> Instrument {
        let instrument = Instrument { id: PAIR, ..listing.draft.clone() };
        self.catalog.put(Listed { text: listing.text.clone(), instrument: instrument.clone() });
        instrument
    }
}

/// The pair among what is listed, or which ones are near.
pub(crate) fn find(listings: &Listings, symbol: Symbol) -> Result<&Listing, String> {
    if let Some(found) = listings.list.iter().find(|listing| listing.draft.symbol == symbol) {
        return Ok(found);
    }
    let names: Vec<String> =
        listings.list.iter().map(|listing| listing.draft.symbol.to_string()).collect();
    let wished = symbol.to_string();
    let hint = match nearest(&wished, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("{} others are", names.len()),
    };
    Err(format!("{symbol} is not listed; {hint}"))
}

/// What the exchange says that it allows.
pub(crate) fn limits(listings: &Listings) -> Limits {
    let usual = Limits::default();
    let told = listings.order_limits.iter();
    let orders: Vec<_> =
        told.map(|(window, count)| OrderLimit { count: *count, window: *window }).collect();
    Limits {
        weight_per_minute: listings.weight_per_minute.unwrap_or(usual.weight_per_minute),
        orders: if orders.is_empty() { usual.orders.clone() } else { orders },
        ..usual
    }
}

fn of_address(flag: &str, error: &AddressError) -> anyhow::Error {
    let form = if flag == "rest" { "https://host" } else { "wss://host" };
    let mend = match error {
        AddressError::Plain(_) => format!("keys must not be read on the way: write {form}"),
        AddressError::Unreadable(_) | AddressError::Scheme { .. } | AddressError::Extras(_) => {
            format!("write {form}, or {form}:port")
        }
    };
    anyhow!("{flag}: {error}; {mend}")
}

const fn environment(name: EnvironmentName) -> Environment {
    match name {
        EnvironmentName::Live => binance::LIVE,
        EnvironmentName::Testnet => binance::TESTNET,
        EnvironmentName::Demo => binance::DEMO,
    }
}
