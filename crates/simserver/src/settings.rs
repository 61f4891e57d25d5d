//! What a server is started with.

use std::net::{Ipv4Addr, SocketAddr};

use tranche_model::{
    balance::{Balance, FeeAsset, FeeRates},
    instrument::Instrument,
    money::Fraction,
    time::Millis,
};
use tranche_sim::exchange;

use crate::{faults::FaultProfile, keys::KeySecret};

/// Everything about a server but its market and its clock.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where tests and operators connect; never the same as `listen`.
    pub control: SocketAddr,
    pub accounts: Vec<AccountSettings>,
    /// With ids from zero without gaps.
    pub instruments: Vec<Instrument>,
    /// How orders meet the market. Its latency is not used: see `latency`.
    pub exchange: exchange::Settings,
    pub speed: Speed,
    pub limits: RateLimits,
    /// How long a request travels before it takes effect.
    pub latency: Millis,
    pub connections: ConnectionSettings,
    pub faults: FaultProfile,
    /// How many orders in a thousand are answered before their events are sent. The real exchange
    /// promises no order.
    pub late_events_per_mille: u32,
}

/// An account with its keys.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub name: String,
    pub keys: Vec<KeySettings>,
    pub fees: FeeRates,
    pub fee_asset: FeeAsset,
    pub balances: Vec<Balance>,
}

/// A key of an account.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// What a client sends in `X-MBX-APIKEY`.
    pub name: String,
    pub secret: KeySecret,
    pub rights: Rights,
    /// Only told to clients that ask: the server listens on one machine.
    pub is_ip_restricted: bool,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    pub read: bool,
    pub trade: bool,
    /// Told to clients that ask; there is no withdrawal here.
    pub withdraw: bool,
}

/// How fast a recording passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speed {
    /// Only when the control address says so.
    Stepped,
    /// Seconds of the recording for each second of the clock.
    Times(u32),
}

/// The exchange's limits (Binance spot, "LIMITS" and "WebSocket limits", 2026-07-21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Weight of an address in a minute.
    pub weight_per_minute: u32,
    /// Requests of an address in five minutes, whatever they weigh.
    pub raw_per_five_minutes: u32,
    /// Unfilled orders of an account.
    pub orders_per_ten_seconds: u32,
    pub orders_per_day: u32,
    /// New WebSocket connections of an address.
    pub connections_per_five_minutes: u32,
    /// Refused requests after which an address that does not wait is banned.
    pub strikes_before_ban: u32,
    /// The first ban; each further one is twice as long, up to three days.
    pub ban: Millis,
}

/// Lives of WebSocket connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSettings {
    pub ping_every: Millis,
    /// A connection without a pong for this long is closed.
    pub pong_within: Millis,
    /// A connection is closed at this age.
    pub life: Millis,
    /// How long before that the connection is told.
    pub notice: Millis,
    /// Messages of a client on a market stream in a second.
    pub messages_per_second: u32,
    pub streams_max: usize,
}

impl Settings {
    /// Free ports of this machine, real time, Binance's limits, no faults.
    pub fn new(instruments: Vec<Instrument>, accounts: Vec<AccountSettings>) -> Self {
        let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: free_port,
            control: free_port,
            accounts,
            instruments,
            exchange: exchange::Settings { amount_digits: 8, ..exchange::Settings::default() },
            speed: Speed::Times(1),
            limits: RateLimits::default(),
            latency: Millis::ZERO,
            connections: ConnectionSettings::default(),
            faults: FaultProfile::default(),
            late_events_per_mille: 500,
        }
    }
}

impl AccountSettings {
    /// An account that pays 0.1 % in what it receives.
    pub fn new(name: &str, keys: Vec<KeySettings>, balances: Vec<Balance>) -> Self {
        let rate = Fraction::new(rust_decimal::Decimal::new(1, 3));
        Self {
            name: name.to_owned(),
            keys,
            fees: FeeRates { maker: rate, taker: rate },
            fee_asset: FeeAsset::Received,
            balances,
        }
    }
}

impl KeySettings {
    /// A key that may read and trade.
    pub fn new(name: &str, secret: KeySecret) -> Self {
        let rights = Rights { read: true, trade: true, withdraw: false };
        Self { name: name.to_owned(), secret, rights, is_ip_restricted: true }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            weight_per_minute: 6000,
            raw_per_five_minutes: 300_000,
            orders_per_ten_seconds: 100,
            orders_per_day: 200_000,
            connections_per_five_minutes: 300,
            strikes_before_ban: 10,
            ban: Millis::from_secs(120),
        }
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            ping_every: Millis::from_secs(20),
            pong_within: Millis::from_secs(60),
            life: Millis::from_secs(24 * 3600),
            notice: Millis::from_secs(600),
            messages_per_second: 5,
            streams_max: 1024,
        }
    }
}
