//! What a bench must offer: an exchange to test against, and hands on it.

use std::{sync::Arc, time::Duration};

use tranche_model::{
    balance::Balance,
    client_order_id::ClientOrderId,
    ids::{InstrumentId, TradeId},
    instrument::{Instrument, TradingStatus},
    money::{Price, Qty},
};
use tranche_simserver::Fault;
use tranche_venue::{catalog::Catalog, net::clock::Clock, secret::Credentials, venue::Venue};

/// An exchange under test. It lists [`Bench::instruments`], takes at least one key of an account with
/// 10 base of each instrument and 100000 of their quote, keeps the limits of [`limits`], and its
/// resting orders fill by no more than the quantity of a trade.
pub(crate) trait Bench {
    /// A client of it, with a catalogue that the caller fills.
    fn connect(&self, wiring: Wiring) -> Arc<dyn Venue>;

    /// With ids from zero; each with the rules that the exchange lists.
    fn instruments(&self) -> Vec<Instrument>;

    /// How the exchange writes an instrument.
    fn text(&self, instrument: &Instrument) -> String;

    /// One for each kind of key that the exchange knows.
    fn keys(&self) -> Vec<Credentials>;

    /// A key as no account has it.
    fn unknown_key(&self) -> Credentials;

    /// A key of the account with the secret of somebody else.
    fn wrong_secret(&self) -> Credentials;

    /// What the first key may do from now on.
    fn set_rights(&self, may_trade: bool, may_withdraw: bool);

    /// The market trades; a quantity of zero bounds nobody.
    fn trade(&self, instrument: InstrumentId, price: Price, qty: Qty);

    fn set_status(&self, instrument: InstrumentId, status: TradingStatus);

    /// Breaks the connections of one kind; how many.
    fn cut(&self, which: Stream) -> u64;

    /// The exchange ends the private streams and says so.
    fn end_private(&self);

    /// Strikes the next so many meetings.
    fn inject(&self, on: On, fault: Fault, times: u32);

    /// Tells clients a time that is ahead by so much, and judges them by it.
    fn skew(&self, ms: i64);

    /// So much time passes on the exchange at once. Clients have to measure its clock anew.
    fn pass(&self, ms: u32);

    /// Shuts the client's address out.
    fn ban(&self, seconds: u32);

    /// What the exchange itself has in its books.
    fn books(&self) -> Books;
}

/// The limits that a bench sets, so that they are reached in a moment.
pub(crate) mod limits {
    /// Orders of an account in ten seconds.
    pub(crate) const ORDERS: u32 = 20;
    /// Requests beyond a limit until an address is banned.
    pub(crate) const STRIKES: u32 = 3;
    /// How long that first ban lasts.
    pub(crate) const BAN_MS: u32 = 1000;
}

/// How a client is set up.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) host: Arc<dyn Clock>,
    /// The most time that a request may take.
    pub(crate) patience: Duration,
    pub(crate) place: Place,
}

/// Where a client looks for the exchange.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Where it is.
    Right,
    /// Elsewhere: scheme and host for requests and for sockets.
    Wrong { http: String, socket: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Market,
    Private,
}

/// What a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Place,
    Cancel,
    Query,
    OpenOrders,
    Trades,
    Balances,
    /// An event about an order.
    OrderEvent,
}

/// The exchange's own books on the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    /// By name of the asset.
    pub(crate) balances: Vec<Balance>,
    /// Ids of open orders; `None` for those that are not of our form.
    pub(crate) open: Vec<Option<ClientOrderId>>,
    pub(crate) fills: Vec<Booked>,
}

/// One execution in the exchange's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Booked {
    pub(crate) instrument: InstrumentId,
    pub(crate) trade_id: TradeId,
    pub(crate) client_id: Option<ClientOrderId>,
    pub(crate) price: Price,
    pub(crate) qty: Qty,
}
