//! The public trades of an instrument, and the candles made of them.

use std::collections::VecDeque;

use tranche_model::{
    candle::Tick,
    money::{Price, Qty, Quote},
    time::Timestamp,
};

use super::candles::{Bar, Bars, Interval};

const PRINTS_MAX: usize = 5000;
const DAY_MS: i64 = 86_400_000;
/// Apart from the numbers that the exchange gives to trades of accounts.
const FIRST_ID: u64 = 1_000_000_000;

/// One public trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) id: u64,
    pub(crate) price: Price,
    pub(crate) qty: Qty,
    pub(crate) quote: Quote,
    pub(crate) at: Timestamp,
    /// The price fell: a sale met a resting buy.
    pub(crate) is_buyer_maker: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Tape {
    /// Printed where the source does not tell the quantity.
    lot: Qty,
    prints: VecDeque<Print>,
    seconds: Bars,
    minutes: Bars,
    count: u64,
}

impl Tape {
    pub(crate) fn new(lot: Qty) -> Self {
        Self { lot, ..Self::default() }
    }

    pub(crate) fn print(&mut self, tick: &Tick) -> Print {
        let last = self.prints.back();
        let is_buyer_maker = last.is_some_and(|last| {
            tick.price < last.price || tick.price == last.price && last.is_buyer_maker
        });
        let qty = if tick.qty.is_positive() { tick.qty } else { self.lot };
        let quote = tick.price.times(qty).unwrap_or_default();
        let id = FIRST_ID.saturating_add(self.count);
        let print = Print { id, price: tick.price, qty, quote, at: tick.at, is_buyer_maker };
        self.count = self.count.saturating_add(1);
        self.prints.push_back(print);
        if PRINTS_MAX < self.prints.len() {
            self.prints.pop_front();
        }
        let bar = print.bar();
        for (bars, name) in [(&mut self.seconds, "1s"), (&mut self.minutes, "1m")] {
            if let Some(interval) = Interval::parse(name) {
                bars.add(&bar, interval);
            }
        }
        print
    }

    pub(crate) fn last(&self) -> Option<&Print> {
        self.prints.back()
    }

    /// Oldest first.
    pub(crate) fn prints(&self) -> impl DoubleEndedIterator<Item = &Print> + ExactSizeIterator {
        self.prints.iter()
    }

    pub(crate) fn candles(&self, interval: Interval, now: Timestamp) -> Vec<Bar> {
        let base = if interval.is_of_seconds() { &self.seconds } else { &self.minutes };
        base.of(interval, now.ms())
    }

    /// The last day as one bar, and the close before it.
    pub(crate) fn day(&self, now: Timestamp) -> Option<(Bar, Price)> {
        let from = now.ms().saturating_sub(DAY_MS);
        let close = self.minutes.close_before(from);
        let sum = self.minutes.since(from).or_else(|| {
            let last = self.last()?;
            Some(Bar::flat(from, last.price, last.id))
        })?;
        Some((sum, close.unwrap_or(sum.open)))
    }

    /// The mean price of the last minutes by volume, or the last price.
    pub(crate) fn mean(&self, minutes: i64, now: Timestamp) -> Option<Price> {
        let from = now.ms().saturating_sub(minutes.saturating_mul(60_000));
        let bar = self.minutes.since(from).filter(|bar| bar.volume.is_positive());
        let mean = bar.and_then(|bar| bar.quote.get().checked_div(bar.volume.get()));
        mean.map(Price::new).or_else(|| self.last().map(|print| print.price))
    }
}

impl Print {
    fn bar(&self) -> Bar {
        let (taker_volume, taker_quote) =
            if self.is_buyer_maker { (Qty::ZERO, Quote::ZERO) } else { (self.qty, self.quote) };
        Bar {
            volume: self.qty,
            quote: self.quote,
            taker_volume,
            taker_quote,
            count: 1,
            ..Bar::flat(self.at.ms(), self.price, self.id)
        }
    }
}
