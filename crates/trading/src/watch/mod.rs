//! The watch index of a shard: who must be woken by a tick or by the clock.
//!
//! Nobody visits sleeping bots: a tick costs `a + b × lanes that must act`. Invariants: a wake that is
//! due is never missed (a spurious one may come); a wake disarms the whole watch of its lane until it
//! answers anew, so nothing is delivered twice while the account works; the order of wakes depends on
//! nothing but the inputs. Start with [`Index`].

mod index;

mod book;
mod trails;

mod ladder;
mod lane;
mod units;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tranche_model::{
    money::{Fraction, Price},
    time::Timestamp,
};

pub use index::Index;

/// A watcher's handle in one shard: a dense slab index chosen by the caller, and reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WatchId(u32);

/// What a lane waits for; it replaces the lane's former answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// Wakes when the price is at or below the bound. A bound that holds already wakes at the next
    /// tick.
    pub below: Option<Bound>,
    /// Wakes when the price is at or above the bound.
    pub above: Option<Bound>,
    /// Wakes at the next fresh tick, as for a pair awaiting a start.
    pub any_price: bool,
    /// Wakes at this time. [`Timestamp::MAX`] is never.
    pub at: Option<Timestamp>,
    /// Follows the running maximum.
    pub trail: Option<Trail>,
}

/// A price at which something must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub price: Price,
    pub urgency: Urgency,
}

/// Fires when the price is at or below `maximum × (1 − deviation)`, where the maximum starts at `peak`
/// and takes in every price from the registration on.
///
/// The index forgets the maximum when a new answer comes: a lane that goes on trailing answers with
/// [`Index::peak`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trail {
    pub peak: Price,
    /// Counts in parts per billion, rounded down; at 1 and above it never fires.
    pub deviation: Fraction,
}

/// The order in which a burst of wakes is stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// An exit that limits a loss.
    Protect,
    Exit,
    Entry,
}

/// Why a lane is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    Below,
    Above,
    AnyPrice,
    Time,
    /// The price fell from the peak by the deviation.
    Retraced {
        peak: Price,
    },
    /// The peak rose since it was last told: it is worth saving. The only cause that disarms nothing.
    Checkpoint {
        peak: Price,
    },
}

/// A lane has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    pub id: WatchId,
    pub cause: Cause,
    pub urgency: Urgency,
    /// The last fresh price; `None` while the market is stale.
    pub price: Option<Price>,
    pub at: Timestamp,
}

/// Why a tick moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTick {
    #[error("the price is not above zero: {0}")]
    NotPositive(Price),
    #[error("the price is off the grid of its instrument, or too large: {0}")]
    OffGrid(Price),
    /// Held back; a second tick near it confirms it, and then both count.
    #[error("the price is more than half away from {last} and awaits confirmation: {price}")]
    Jump { price: Price, last: Price },
}

impl WatchId {
    pub const fn new(place: u32) -> Self {
        Self(place)
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Cause {
    /// A cause without a bound has the urgency of the most pressing thing that may hang on it: a time
    /// may be the retry of a refused exit.
    const fn urgency(self) -> Urgency {
        match self {
            Self::Below | Self::Above | Self::Time | Self::Retraced { .. } => Urgency::Exit,
            Self::AnyPrice | Self::Checkpoint { .. } => Urgency::Entry,
        }
    }
}
