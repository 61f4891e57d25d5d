//! What an exchange is to the rest of the system. No default bodies: an exchange says everything itself.

use std::{collections::BTreeSet, fmt, pin::Pin};

use tokio::sync::mpsc;
use tranche_model::{
    balance::FeeRates,
    candle::{Candle, Tick},
    ids::{Installation, InstrumentId, TradeId},
    instrument::Instrument,
    money::{Price, Qty},
    record::{Call, Outcome, PrivateEvent, Refusal},
    time::{Millis, Timestamp},
};

use crate::{
    net::{http::HttpFault, socket::SocketFault},
    secret::Credentials,
};

/// An answer that is on its way.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One exchange in one environment. All times that cross this border are in the venue's time.
pub trait Venue: fmt::Debug + Send + Sync {
    /// Unique among venues and environments: `binance`, `binance-testnet`.
    fn name(&self) -> &'static str;

    /// The venue's time, estimated; without waiting.
    fn now(&self) -> Timestamp;

    /// By how many milliseconds the venue's clock is ahead of the host's; `None` until measured.
    fn clock_offset_ms(&self) -> Option<i64>;

    /// Asks for the venue's time.
    fn server_time(&self) -> Later<'_, Result<Timestamp, ReadError>>;

    /// Measures the venue's clock anew.
    fn sync_clock(&self) -> Later<'_, Result<(), ReadError>>;

    /// All pairs that the venue lists.
    fn listings(&self) -> Later<'_, Result<Listings, ReadError>>;

    /// Opens the market connection. Each call is a connection of its own.
    fn market(&self) -> Market;

    /// Closed candles that open in the range, oldest first. At most [`Venue::candles_max`] of them:
    /// ask again from the last one on for more.
    fn candles(&self, range: CandleRange) -> Later<'_, Result<Vec<Candle>, ReadError>>;

    /// How many candles one call brings at most.
    fn candles_max(&self) -> usize;

    /// The last price of each of these; one that the venue does not tell is left out.
    fn prices(
        &self,
        instruments: BTreeSet<InstrumentId>,
    ) -> Later<'_, Result<Vec<(InstrumentId, Price)>, ReadError>>;

    /// What was used of the address beside calls since this was asked last.
    fn aside(&self) -> Aside;

    /// Takes an account's key in. Orders that carry ids of another installation are foreign to it.
    fn account(
        &self,
        credentials: Credentials,
        installation: Installation,
    ) -> Result<Box<dyn VenueAccount>, BadKey>;
}

/// One key at a venue. Nothing is decided here, and nothing is sent twice by itself.
pub trait VenueAccount: fmt::Debug + Send + Sync {
    /// Carries out one call. Dropping the future does not take a request back.
    fn call(&self, call: Call) -> Later<'_, Report>;

    /// What the venue says unasked, from now on. Ends when the receiver is dropped.
    fn private_stream(&self) -> mpsc::Receiver<PrivateMessage>;

    /// What the key may do.
    fn check_key(&self) -> Later<'_, Result<KeyReport, ReadError>>;

    /// What the account pays on the instrument. An estimate: fills say what was paid.
    fn fees(&self, instrument: InstrumentId) -> Later<'_, Result<FeeRates, ReadError>>;
}

/// What became of a call, and what the venue counted on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub outcome: Outcome,
    /// What the requests of the call weighed together, as the venue's documents say.
    pub spent: u32,
    /// Weight used in the venue's present minute by this address, as the venue counts.
    pub used_weight: Option<u32>,
    /// Orders counted in each window of the account.
    pub order_counts: Vec<(Millis, u32)>,
    /// The venue shuts this address out until then.
    pub banned_until: Option<Timestamp>,
}

/// What was used of an address by clocks, sockets and questions that are no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aside {
    /// As the venue's documents say.
    pub weight: u32,
    /// Weight used in the venue's minute by this address, as the last answer says, and when it was asked.
    pub used_weight: Option<(u32, Timestamp)>,
    /// The venue shuts this address out until then.
    pub banned_until: Option<Timestamp>,
}

/// Why a question got no answer, named by what may be done next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Ask again later.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// Not before then; with `banned` nothing at all may be sent until then.
    #[error("the venue asks to wait until {retry_at}")]
    Throttled { retry_at: Timestamp, banned: bool },
    /// A definite no.
    #[error("refused: {} ({})", .0.text, .0.code)]
    Refused(Refusal),
    /// The venue is in trouble: ask again later.
    #[error("the venue failed with status {status}")]
    Failed { status: u16 },
    /// The answer is not of the documented form.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// Whatever answers there, it is not this venue.
    #[error("{name} does not answer at this address, something else does")]
    NotThisVenue { name: &'static str },
    /// Not in the catalogue.
    #[error("no such instrument: {0}")]
    NoInstrument(InstrumentId),
}

/// Why a secret cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Neither PKCS#8 of Ed25519 nor of RSA.
    #[error("the private key is not PKCS#8 of Ed25519 or of RSA with 2048 bits or more")]
    PrivateKey,
}

/// All pairs of a venue, and how many were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listings {
    pub list: Vec<Listing>,
    /// Pairs whose names our assets cannot hold.
    pub unnamed: u32,
    /// Pairs whose rules could not be read; trading them would be guessing.
    pub unreadable: u32,
    /// Filters that we do not know; the venue still holds them.
    pub unknown_filters: BTreeSet<String>,
    /// The venue's limits on orders, per account.
    pub order_limits: Vec<(Millis, u32)>,
    /// The venue's limit on request weight in a minute, per address.
    pub weight_per_minute: Option<u32>,
}

/// One pair; the id in the draft has yet to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The venue's text.
    pub text: String,
    /// With id zero.
    pub draft: Instrument,
}

/// Which candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandleRange {
    pub instrument: InstrumentId,
    pub interval: Interval,
    pub from: Timestamp,
    /// Not included.
    pub to: Timestamp,
}

/// Lengths of candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interval {
    Minute1,
    Minute3,
    Minute5,
    Minute15,
    Minute30,
    Hour1,
    Hour2,
    Hour4,
    Hour6,
    Hour8,
    Hour12,
    Day1,
}

/// What can be watched of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Trades,
    /// Best bid and ask.
    Best,
    /// Closed one-minute candles.
    Candles,
}

/// A set of what is watched.
pub type Watched = BTreeSet<(InstrumentId, Topic)>;

/// The two ends of a market connection. It ends when both are dropped.
#[derive(Debug)]
pub struct Market {
    pub events: mpsc::Receiver<MarketEvent>,
    pub control: MarketControl,
}

/// Changes what a market connection watches.
#[derive(Debug, Clone)]
pub struct MarketControl {
    pub(crate) watched: tokio::sync::watch::Sender<Watched>,
    pub(crate) most: usize,
}

/// More is asked for than one connection may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wished} streams, one connection carries {most}")]
pub struct TooManyStreams {
    pub wished: usize,
    pub most: usize,
}

/// What a market connection says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// A trade. Each comes once; after a gap some are missing.
    Trade {
        tick: Tick,
        trade_id: TradeId,
        /// When its frame was read.
        received: Timestamp,
    },
    Best(Best),
    /// A closed one-minute candle.
    Candle {
        instrument: InstrumentId,
        candle: Candle,
    },
    /// Everything watched of these instruments is acknowledged; from here on nothing is missing.
    Live(Vec<InstrumentId>),
    /// Something is missing from here until they are live again.
    Gap {
        instruments: Vec<InstrumentId>,
        reason: GapReason,
    },
}

/// Best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Best {
    pub instrument: InstrumentId,
    pub bid: Price,
    pub bid_qty: Qty,
    pub ask: Price,
    pub ask_qty: Qty,
    /// When it came; the venue does not say when it was.
    pub at: Timestamp,
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GapReason {
    #[error(transparent)]
    Connection(#[from] SocketFault),
    /// The events were not taken out fast enough.
    #[error("events came faster than they were taken")]
    Overrun,
    #[error("the venue refuses the subscription")]
    Refused,
}

/// What a private stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateMessage {
    /// The subscription is acknowledged: what happens from now on is told. What happened before has to
    /// be read.
    Live,
    Event(PrivateEvent),
    /// Something may be missing from here until it is live again.
    Lost {
        reason: LostReason,
    },
}

/// Why a private stream says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LostReason {
    #[error(transparent)]
    Connection(#[from] SocketFault),
    #[error("events came faster than they were taken")]
    Overrun,
    /// The venue ended the subscription; it is asked for again.
    #[error("the venue ended the subscription")]
    Ended,
    /// The venue does not give it. It is asked for again, rarely.
    #[error("refused: {} ({})", .0.text, .0.code)]
    Refused(Refusal),
    /// An event of a form that we cannot read.
    #[error("an event cannot be read")]
    Unreadable,
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReport {
    pub can_trade: bool,
    /// Keys with this right should be refused. `None` when the venue does not say what the key, and not
    /// the account, may do.
    pub can_withdraw: Option<bool>,
    /// Whether only listed addresses may use it; `None` when the venue does not say.
    pub is_ip_restricted: Option<bool>,
    /// In the venue's words.
    pub permissions: Vec<String>,
    /// By how many milliseconds the venue's clock is ahead of the host's.
    pub clock_offset_ms: Option<i64>,
}

impl Market {
    /// From what comes, what shall be watched, and how many streams that may be at most.
    pub const fn new(
        events: mpsc::Receiver<MarketEvent>,
        watched: tokio::sync::watch::Sender<Watched>,
        most: usize,
    ) -> Self {
        Self { events, control: MarketControl { watched, most } }
    }
}

impl MarketControl {
    /// Replaces what is watched.
    pub fn watch(&self, wished: Watched) -> Result<(), TooManyStreams> {
        if self.most < wished.len() {
            return Err(TooManyStreams { wished: wished.len(), most: self.most });
        }
        self.watched.send_if_modified(|watched| {
            let is_new = *watched != wished;
            *watched = wished;
            is_new
        });
        Ok(())
    }
}

impl Report {
    /// Without a word of the venue.
    pub const fn bare(outcome: Outcome) -> Self {
        Self { outcome, spent: 0, used_weight: None, order_counts: Vec::new(), banned_until: None }
    }
}

impl Interval {
    pub const fn length(self) -> Millis {
        const MINUTE: u32 = 60_000;
        Millis::new(match self {
            Self::Minute1 => MINUTE,
            Self::Minute3 => 3 * MINUTE,
            Self::Minute5 => 5 * MINUTE,
            Self::Minute15 => 15 * MINUTE,
            Self::Minute30 => 30 * MINUTE,
            Self::Hour1 => 60 * MINUTE,
            Self::Hour2 => 120 * MINUTE,
            Self::Hour4 => 240 * MINUTE,
            Self::Hour6 => 360 * MINUTE,
            Self::Hour8 => 480 * MINUTE,
            Self::Hour12 => 720 * MINUTE,
            Self::Day1 => 1440 * MINUTE,
        })
    }
}
