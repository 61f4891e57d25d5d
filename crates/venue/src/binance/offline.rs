//! The client without a connection: its requests go to a door in this process, and its clock is the
//! caller's. For worlds of simulated faults, in which the real writers and readers are to be at work.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use tranche_model::{
    candle::Tick,
    ids::Installation,
    record::{Call, Outcome, PrivateEvent},
    time::Timestamp,
};

use super::{
    LIVE, SetupError, Shared,
    account::BinanceAccount,
    events::{self, Frame},
    filters, frames,
    owners::Owners,
    rest::{Pen, Rest},
    sign::Signer,
    user_stream::Users,
};
use crate::{
    catalog::Catalog,
    net::{
        clock::Clock,
        http::{Door, Http},
        reconnect::Dice,
        tls,
    },
    secret::Credentials,
    venue::{BadKey, Best, Listings, VenueAccount as _},
};

/// An exchange that is spoken to through a door.
#[derive(Debug)]
pub struct Offline {
    shared: Arc<Shared>,
}

/// One key, with what was learned about its orders.
#[derive(Debug)]
pub struct OfflineAccount {
    account: BinanceAccount,
}

/// What a frame of the market streams says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Trade(Tick),
    Best(Best),
}

/// Why a frame says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    #[error("it cannot be read")]
    Unreadable,
    #[error("it is for nobody here")]
    Other,
}

impl Offline {
    pub fn new(
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        door: Door,
    ) -> Result<Self, SetupError> {
        let settings = LIVE.settings()?;
        let tls = Arc::new(tls::client_config().map_err(|_| SetupError::Tls)?);
        // Nobody listens: private streams are read by `OfflineAccount::hear`.
        let (users, _joining) = Users::new();
        let base = settings.rest.to_string();
        let rest = Rest::new(settings.name, base, Http::through(door), clock);
        let dice = Mutex::new(Dice::new(settings.seed));
        Ok(Self { shared: Arc::new(Shared { rest, catalog, settings, tls, users, dice }) })
    }

    /// A process takes a key in; it knows of no orders yet.
    pub fn account(
        &self,
        credentials: &Credentials,
        installation: Installation,
    ) -> Result<OfflineAccount, BadKey> {
        let signer = Signer::new(&credentials.secret)?;
        let pen = Arc::new(Pen { key: credentials.key.clone(), signer });
        let owners = Arc::new(Mutex::new(Owners::default()));
        let shared = Arc::clone(&self.shared);
        Ok(OfflineAccount { account: BinanceAccount { shared, pen, installation, owners } })
    }

    /// Reads a frame of the market streams.
    pub fn market(&self, text: &str, at: Timestamp) -> Result<Said, Silence> {
        match frames::read(text, &self.shared.catalog, at).map_err(|_| Silence::Unreadable)? {
            frames::Frame::Trade { tick, .. } => Ok(Said::Trade(tick)),
            frames::Frame::Best { best, .. } => Ok(Said::Best(best)),
            frames::Frame::Candle { .. }
            | frames::Frame::Answer { .. }
            | frames::Frame::Shutdown
            | frames::Frame::Other => Err(Silence::Other),
        }
    }

    /// Reads the list of all pairs.
    pub fn listings(body: &[u8]) -> Result<Listings, Silence> {
        filters::listings(body).map_err(|_| Silence::Unreadable)
    }
}

impl OfflineAccount {
    /// Carries out a call. The door answers at once, so that nothing is waited for.
    pub fn call(&self, call: Call) -> Outcome {
        let report = self.account.call(call).now_or_never();
        report.map_or(Outcome::Unknown, |report| report.outcome)
    }

    /// Reads a frame of the private stream as the account hears it.
    pub fn hear(&self, text: &str) -> Result<Vec<PrivateEvent>, Silence> {
        let event = match events::read(text).map_err(|_| Silence::Unreadable)? {
            Frame::Event { text, .. } => text,
            Frame::Answer { .. } | Frame::Ended { .. } | Frame::Shutdown | Frame::Other => {
                return Err(Silence::Other);
            }
        };
        let (installation, catalog) = (self.account.installation, &self.account.shared.catalog);
        let private = events::private_of(&event, installation, catalog);
        let private = private.map_err(|error| {
            tracing::warn!(%error, "a private event cannot be read");
            Silence::Unreadable
        })?;
        let Some(private) = private else { return Err(Silence::Other) };
        if let Some((instrument, order, owner)) = private.order {
            let mut owners = self.account.owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.put(instrument, order, owner);
        }
        Ok(private.events)
    }

    /// Asks for the private events of the key.
    pub fn subscribe(&self, id: u64, stamp: Timestamp) -> Option<String> {
        events::subscribe(id, &self.account.pen, stamp)
    }

    /// Whether the frame says that the events come from now on.
    pub fn is_subscribed(id: u64, text: &str) -> bool {
        matches!(events::read(text), Ok(Frame::Answer { id: answered, result: Ok(_) }) if answered == id)
    }
}
