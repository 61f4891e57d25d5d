//! What a venue allows one egress address, and how carefully it is used.

use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use tranche_model::{money::Fraction, record::Call, time::Millis};

/// The settings of a [`super::Dispatch`]. The default is Binance spot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Request weight in each minute of the venue's clock.
    pub weight_per_minute: u32,
    /// Share of weight and of calls in flight that only the Protect and Evidence lanes may use.
    pub reserve_share: Fraction,
    /// The other lanes are paced, so that a burst early in a minute does not silence its rest. They
    /// may save up this much time of their steady rate.
    pub burst: Millis,
    /// Per account; each window is aligned to UTC.
    pub orders: Vec<OrderLimit>,
    /// A grant promises that the order can leave within this span. Shorter than the span of
    /// `send_by` by what a commit and a write take.
    pub horizon: Millis,
    /// Places that an account may hold per lane beyond what it asked for.
    pub credit: u16,
    pub in_flight_max: u32,
    /// How far apart the venue's clock and the `now` handed in may be.
    pub clock_error: Millis,
    pub breaker: BreakerLimits,
    /// After a ban, silence lasts longer by up to this much, drawn from `seed`.
    pub ban_jitter_max: Millis,
    pub seed: u64,
    pub weights: Weights,
}

/// At most `count` orders in each `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLimit {
    pub count: u32,
    pub window: Millis,
}

/// When to stop calling a venue that does not answer, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Failures in a row that open the breaker.
    pub failures: u32,
    /// Doubled with every failed probe.
    pub back_off_min: Millis,
    pub back_off_max: Millis,
}

/// What each kind of call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    pub place: u32,
    pub cancel: u32,
    pub query_order: u32,
    /// Of all instruments at once.
    pub open_orders: u32,
    pub trades: u32,
    pub balances: u32,
    pub highs: u32,
}

impl Limits {
    pub const fn weight(&self, call: &Call) -> u32 {
        self.weights.of(call)
    }

    /// What the reserved lanes keep of `whole`, rounded up.
    pub(super) fn reserve_of(&self, whole: u32) -> u32 {
        Decimal::from(whole)
            .checked_mul(self.reserve_share.get())
            .and_then(|share| share.ceil().to_u32())
            .map_or(0, |share| share.min(whole))
    }
}

impl Weights {
    pub const fn of(&self, call: &Call) -> u32 {
        match call {
            Call::Place { .. } => self.place,
            Call::Cancel { .. } | Call::CancelByVenueId { .. } => self.cancel,
            Call::QueryOrder { .. } => self.query_order,
            Call::OpenOrders => self.open_orders,
            Call::Trades { .. } => self.trades,
            Call::Balances => self.balances,
            Call::Highs { .. } => self.highs,
        }
    }

    pub(super) fn heaviest(&self) -> u32 {
        let Self { place, cancel, query_order, open_orders, trades, balances, highs } = *self;
        place.max(cancel).max(query_order).max(open_orders).max(trades).max(balances).max(highs)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            weight_per_minute: 6000,
            reserve_share: Fraction::new(Decimal::new(2, 1)),
            burst: Millis::from_secs(10),
            // The lower of the values that the venue's documents show; its own answer replaces them.
            orders: vec![
                OrderLimit { count: 50, window: Millis::from_secs(10) },
                OrderLimit { count: 160_000, window: Millis::from_secs(86_400) },
            ],
            horizon: Millis::new(2500),
            credit: 2,
            in_flight_max: 256,
            clock_error: Millis::new(200),
            breaker: BreakerLimits::default(),
            ban_jitter_max: Millis::from_secs(5),
            seed: 0,
            weights: Weights::default(),
        }
    }
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            back_off_min: Millis::from_secs(1),
            back_off_max: Millis::from_secs(60),
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            place: 1,
            cancel: 1,
            query_order: 4,
            open_orders: 80,
            trades: 20,
            balances: 20,
            highs: 2,
        }
    }
}
