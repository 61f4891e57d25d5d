//! Candles of every interval that the exchange knows, built of minutes and seconds.
//!
//! Binance spot API documents, "Kline/Candlestick chart intervals" (2026-07-21): weeks begin on
//! Monday, months on their first day, everything in UTC; an interval without trades repeats the close.

use std::collections::VecDeque;

use tranche_model::{
    money::{Price, Qty, Quote},
    time::Timestamp,
};

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-01 was a Thursday.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;
const BARS_MAX: usize = 20_000;

/// The name of an interval, as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub(crate) name: &'static str,
    /// Milliseconds; `None` is a month.
    length: Option<i64>,
}

const INTERVALS: [(&str, Option<i64>); 16] = [
    ("1s", Some(SECOND_MS)),
    ("1m", Some(MINUTE_MS)),
    ("3m", Some(3 * MINUTE_MS)),
    ("5m", Some(5 * MINUTE_MS)),
    ("15m", Some(15 * MINUTE_MS)),
    ("30m", Some(30 * MINUTE_MS)),
    ("1h", Some(60 * MINUTE_MS)),
    ("2h", Some(120 * MINUTE_MS)),
    ("4h", Some(240 * MINUTE_MS)),
    ("6h", Some(360 * MINUTE_MS)),
    ("8h", Some(480 * MINUTE_MS)),
    ("12h", Some(720 * MINUTE_MS)),
    ("1d", Some(DAY_MS)),
    ("3d", Some(3 * DAY_MS)),
    ("1w", Some(WEEK_MS)),
    ("1M", None),
];

/// What traded in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    /// Milliseconds since 1970.
    pub(crate) open_at: i64,
    pub(crate) open: Price,
    pub(crate) high: Price,
    pub(crate) low: Price,
    pub(crate) close: Price,
    pub(crate) volume: Qty,
    pub(crate) quote: Quote,
    pub(crate) taker_volume: Qty,
    pub(crate) taker_quote: Quote,
    pub(crate) count: u64,
    pub(crate) first_id: u64,
    pub(crate) last_id: u64,
}

/// Bars of one base length, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    bars: VecDeque<Bar>,
}

impl Interval {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (name, length) = INTERVALS.into_iter().find(|(known, _)| *known == name)?;
        Some(Self { name, length })
    }

    pub(crate) fn is_of_seconds(self) -> bool {
        self.length == Some(SECOND_MS)
    }

    /// When the interval that holds `ms` began.
    pub(crate) fn open_of(self, ms: i64) -> i64 {
        match self.length {
            Some(WEEK_MS) => (ms - FIRST_MONDAY_MS).div_euclid(WEEK_MS) * WEEK_MS + FIRST_MONDAY_MS,
            Some(length) => ms.div_euclid(length) * length,
            None => {
                let day = ms.div_euclid(DAY_MS);
                (day - day_of_month(ms).saturating_sub(1)) * DAY_MS
            }
        }
    }

    /// When the interval after the one that begins at `open` begins.
    pub(crate) fn next(self, open: i64) -> i64 {
        match self.length {
            Some(length) => open.saturating_add(length),
            None => self.open_of(open.saturating_add(32 * DAY_MS)),
        }
    }
}

/// From 1 to 31.
fn day_of_month(ms: i64) -> i64 {
    let shown = Timestamp::from_ms(ms).to_string();
    shown.get(8..10).and_then(|day| day.parse().ok()).unwrap_or(1)
}

impl Bar {
    pub(crate) const fn flat(open_at: i64, price: Price, id: u64) -> Self {
        Self {
            open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            quote: Quote::ZERO,
            taker_volume: Qty::ZERO,
            taker_quote: Quote::ZERO,
            count: 0,
            first_id: id,
            last_id: id,
        }
    }

    /// Adds what came after. Sums that cannot be held stay where they are.
    pub(crate) fn append(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = Self { open_at: self.open_at, ..*later };
            return;
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.plus(later.volume).unwrap_or(self.volume);
        self.quote = self.quote.plus(later.quote).unwrap_or(self.quote);
        self.taker_volume = self.taker_volume.plus(later.taker_volume).unwrap_or(self.taker_volume);
        self.taker_quote = self.taker_quote.plus(later.taker_quote).unwrap_or(self.taker_quote);
        self.count = self.count.saturating_add(later.count);
        self.last_id = later.last_id;
    }
}

impl Bars {
    /// Adds one trade, given as a bar of its own.
    pub(crate) fn add(&mut self, trade: &Bar, interval: Interval) {
        let open_at = interval.open_of(trade.open_at);
        match self.bars.back_mut() {
            Some(bar) if bar.open_at == open_at => bar.append(trade),
            Some(_) | None => self.bars.push_back(Bar { open_at, ..*trade }),
        }
        if BARS_MAX < self.bars.len() {
            self.bars.pop_front();
        }
    }

    /// What traded from a moment on, as one bar.
    pub(crate) fn since(&self, from: i64) -> Option<Bar> {
        let start = self.bars.partition_point(|bar| bar.open_at < from);
        let mut bars = self.bars.iter().skip(start);
        let mut sum = *bars.next()?;
        bars.for_each(|bar| sum.append(bar));
        Some(sum)
    }

    /// The last close before a moment.
    pub(crate) fn close_before(&self, before: i64) -> Option<Price> {
        let end = self.bars.partition_point(|bar| bar.open_at < before);
        self.bars.get(end.checked_sub(1)?).map(|bar| bar.close)
    }

    /// Bars of an interval up to the one that runs at `now`, without gaps, at most `BARS_MAX`.
    pub(crate) fn of(&self, interval: Interval, now: i64) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        for base in &self.bars {
            let open_at = interval.open_of(base.open_at);
            fill_up(&mut bars, interval, open_at);
            match bars.last_mut() {
                Some(bar) if bar.open_at == open_at => bar.append(base),
                Some(_) | None => bars.push(Bar { open_at, ..*base }),
            }
        }
        let running = interval.next(interval.open_of(now));
        fill_up(&mut bars, interval, running);
        bars
    }
}

/// Repeats the last close in each interval before `until`.
fn fill_up(bars: &mut Vec<Bar>, interval: Interval, until: i64) {
    while let Some(last) = bars.last() {
        let open_at = interval.next(last.open_at);
        if until <= open_at || BARS_MAX <= bars.len() {
            break;
        }
        bars.push(Bar::flat(open_at, last.close, last.last_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_of(name: &str, ms: i64) -> String {
        let interval = Interval::parse(name).unwrap();
        Timestamp::from_ms(interval.open_of(ms)).to_string()
    }

    #[test]
    fn intervals_begin_where_the_exchange_begins_them() {
        // 2024-02-29T13:14:15Z, a Thursday.
        let ms = 1_709_212_455_000;

        assert_eq!(open_of("1m", ms), "2024-02-29T13:14:00Z");
        assert_eq!(open_of("4h", ms), "2024-02-29T12:00:00Z");
        assert_eq!(open_of("1w", ms), "2024-02-26T00:00:00Z");
        assert_eq!(open_of("1M", ms), "2024-02-01T00:00:00Z");
        let month = Interval::parse("1M").unwrap();
        let next = month.next(month.open_of(ms));
        assert_eq!(Timestamp::from_ms(next).to_string(), "2024-03-01T00:00:00Z");
        assert_eq!(Interval::parse("7m"), None);
    }

    #[test]
    fn a_gap_repeats_the_close() {
        let minute = Interval::parse("1m").unwrap();
        let price = |text| Price::parse(text).unwrap();
        let mut bars = Bars::default();
        for (ms, text) in [(1000, "10"), (2000, "12"), (200_000, "9")] {
            bars.add(&Bar { count: 1, ..Bar::flat(ms, price(text), 1) }, minute);
        }

        let shown: Vec<_> = bars
            .of(minute, 250_000)
            .iter()
            .map(|bar| (bar.open_at, bar.high, bar.close, bar.count))
            .collect();

        assert_eq!(
            shown,
            [
                (0, price("12"), price("12"), 2),
                (60_000, price("12"), price("12"), 0),
                (120_000, price("12"), price("12"), 0),
                (180_000, price("9"), price("9"), 1),
                (240_000, price("9"), price("9"), 0),
            ]
        );
    }
}
