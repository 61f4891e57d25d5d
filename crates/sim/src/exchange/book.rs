//! One instrument's market: resting orders by price and arrival, the last trade, one-minute highs.

use std::{cmp::Reverse, collections::BTreeSet};

use tranche_model::{
    candle::Tick,
    money::{Price, Qty},
    order::Side,
    time::Timestamp,
};

use super::{condition::Stops, order::Number};

const MINUTE_MS: i64 = 60_000;

/// Resting orders, best price first, then by arrival.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    buys: BTreeSet<(Reverse<Price>, Number)>,
    sells: BTreeSet<(Price, Number)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Market {
    pub(super) book: Book,
    pub(super) stops: Stops,
    pub(super) last: Option<Price>,
    /// How much of the last tick may still be had; `None` is without bound.
    pub(super) allowance: Option<Qty>,
    /// The highest price of each minute in which something traded, in order of time.
    highs: Vec<(i64, Price)>,
    pub(super) last_trade: u64,
}

impl Book {
    pub(super) fn insert(&mut self, side: Side, price: Price, number: Number) {
        match side {
            Side::Buy => self.buys.insert((Reverse(price), number)),
            Side::Sell => self.sells.insert((price, number)),
        };
    }

    pub(super) fn remove(&mut self, side: Side, price: Price, number: Number) {
        match side {
            Side::Buy => self.buys.remove(&(Reverse(price), number)),
            Side::Sell => self.sells.remove(&(price, number)),
        };
    }

    pub(super) fn best(&self, side: Side) -> Option<(Price, Number)> {
        match side {
            Side::Buy => self.buys.first().map(|(Reverse(price), number)| (*price, *number)),
            Side::Sell => self.sells.first().copied(),
        }
    }

    /// From the best price on.
    pub(super) fn iter(&self, side: Side) -> Box<dyn Iterator<Item = (Price, Number)> + '_> {
        match side {
            Side::Buy => {
                Box::new(self.buys.iter().map(|(Reverse(price), number)| (*price, *number)))
            }
            Side::Sell => Box::new(self.sells.iter().copied()),
        }
    }
}

impl Market {
    pub(super) fn record(&mut self, tick: &Tick) {
        self.last = Some(tick.price);
        let minute = minute(tick.at);
        match self.highs.last_mut() {
            Some((last, high)) if *last == minute => *high = (*high).max(tick.price),
            Some(_) | None => self.highs.push((minute, tick.price)),
        }
    }

    /// The highest price from the minute of `since` on.
    pub(super) fn high_since(&self, since: Timestamp) -> Option<Price> {
        let from = self.highs.partition_point(|(minute_at, _)| *minute_at < minute(since));
        self.highs.iter().skip(from).map(|(_, high)| *high).max()
    }

    pub(super) fn forget_highs_before(&mut self, before: Timestamp) {
        let keep = self.highs.partition_point(|(minute_at, _)| *minute_at < minute(before));
        self.highs.drain(..keep);
    }
}

fn minute(at: Timestamp) -> i64 {
    at.ms().div_euclid(MINUTE_MS)
}

/// Whether an order of `side` with this limit accepts `price`; every price suits no limit.
pub(super) fn accepts(side: Side, limit: Option<Price>, price: Price) -> bool {
    limit.is_none_or(|limit| match side {
        Side::Buy => price <= limit,
        Side::Sell => limit <= price,
    })
}
