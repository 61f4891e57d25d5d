//! The simulated exchange over real HTTP and WebSocket, in Binance's spot dialect.
//!
//! Invariants: its wire types are its own, so that client and server cannot share a mistake; no rule
//! of matching, fees or filters is written here a second time ([`tranche_sim::exchange`] has them);
//! every fault comes from a written profile and a seed, or from a call of the control address.
//!
//! Time: the exchange's clock is the [`Clock`] handed in, for signatures, windows and everything that
//! it says. The market is replayed against that clock: a tick of the feed happens when its turn has
//! come at the chosen speed, and carries the clock's time from then on, not the one of its recording.
//! At speed 60 an hour of the recording passes in a minute, and its candles are built of those minutes.

mod binance;
mod clock;
mod control;
mod faults;
mod feed;
mod http;
mod keys;
mod market;
#[doc(hidden)]
pub mod probe;
mod server;
mod settings;
mod socket;
mod tasks;
mod world;

pub use binance::dialect;
pub use clock::{Clock, SystemClock};
pub use faults::{Busy, Fault, FaultProfile, FaultRule};
pub use feed::{Feed, FeedItem, Frame, frame, frames, quiet, ticks};
pub use keys::{KeyError, KeySecret};
pub use market::Market;
pub use server::{BindError, Running, Server};
pub use settings::{
    AccountSettings, ConnectionSettings, KeySettings, RateLimits, Rights, Settings, Speed,
};
