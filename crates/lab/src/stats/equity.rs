//! What an account was worth over time, at the market's prices.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use tranche_model::{
    asset::Asset,
    balance::Balance,
    candle::Candle,
    fill::Fill,
    instrument::Instrument,
    order::Side,
    record::FillRow,
    time::{Millis, Timestamp},
};

use super::float;

pub(crate) const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// The worth of the account at a moment, in quote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub worth: f64,
}

/// Money that was paid in, or out when it is below zero, in quote. A backtest has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// The worth of the account just before.
    pub before: f64,
    pub amount: f64,
}

/// Samples at the start, at each full hour, and at the end.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Equity {
    pub hourly: Vec<Sample>,
    /// What was held in coins, at the market's price, at the same moments.
    pub held: Vec<f64>,
    /// In order of time. Only the time-weighted return heeds them.
    pub flows: Vec<Flow>,
}

/// The last prices before each hour, found once for many runs over the same candles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Marks {
    /// When: the start, each full hour after it, the end.
    times: Vec<i64>,
    /// For each instrument, as many prices as times.
    prices: Vec<Vec<f64>>,
    bases: Vec<Asset>,
    /// Of all instruments: a bot has one.
    quote: Option<Asset>,
}

impl Marks {
    /// `candles` has those of each instrument, in order.
    pub fn new(instruments: &[&Instrument], candles: &[&[Candle]], interval: Millis) -> Self {
        let first = candles.iter().filter_map(|list| list.first()).map(|it| it.open_at.ms()).min();
        let last = candles.iter().filter_map(|list| list.last());
        let last = last.map(|it| it.open_at.plus(interval).ms()).max();
        let Some((first, last)) = first.zip(last) else { return Self::default() };
        let mut times = vec![first];
        let mut next = first.div_euclid(HOUR_MS).saturating_add(1).saturating_mul(HOUR_MS);
        while next < last {
            times.push(next);
            next = next.saturating_add(HOUR_MS);
        }
        times.push(last);
        let prices = candles.iter().map(|list| prices(list, &times, interval)).collect();
        let bases = instruments.iter().map(|instrument| instrument.symbol.base).collect();
        let quote = instruments.first().map(|instrument| instrument.symbol.quote);
        Self { times, prices, bases, quote }
    }

    /// The price of each instrument at the start and at the end.
    pub fn ends(&self) -> Vec<(f64, f64)> {
        let ends =
            self.prices.iter().filter_map(|list| list.first().copied().zip(list.last().copied()));
        ends.collect()
    }

    /// The price of the first instrument over time.
    pub fn first_prices(&self) -> &[f64] {
        self.prices.first().map_or(&[], Vec::as_slice)
    }

    /// What one unit of money in all instruments, in equal parts, was worth at each time.
    pub(crate) fn growth(&self) -> Vec<f64> {
        let ratio = |place: usize, prices: &[f64]| {
            let first = prices.first().copied()?;
            float::ratio(prices.get(place).copied()?, first)
        };
        let at = |place: usize| {
            let parts: Vec<f64> =
                self.prices.iter().filter_map(|prices| ratio(place, prices)).collect();
            float::mean(&parts).unwrap_or(1.0)
        };
        (0..self.times.len()).map(at).collect()
    }

    pub(crate) fn bases(&self) -> &[Asset] {
        &self.bases
    }

    pub fn times(&self) -> &[i64] {
        &self.times
    }
}

/// The last close before each time; the first open before anything closed.
fn prices(candles: &[Candle], times: &[i64], interval: Millis) -> Vec<f64> {
    let mut price = candles.first().map_or(f64::NAN, |candle| float::of(candle.open.get()));
    let mut rest = candles;
    let mut prices = Vec::with_capacity(times.len());
    for time in times {
        let closed = rest.partition_point(|it| it.open_at.plus(interval).ms() <= *time);
        let (done, after) = rest.split_at_checked(closed).unwrap_or((rest, &[]));
        if let Some(candle) = done.last() {
            price = float::of(candle.close.get());
        }
        rest = after;
        prices.push(price);
    }
    prices
}

/// Replays the fills on what the account began with. Only the quote asset and the bases of the
/// instruments count; a fee in a third asset is counted at the worth stamped on the fill.
pub fn equity(marks: &Marks, balances: &[Balance], fills: &[FillRow]) -> Equity {
    let of = |asset: Asset| {
        let balance = balances.iter().find(|balance| balance.asset == asset);
        balance.and_then(|it| it.total().ok()).map_or(0.0, |amount| float::of(amount.get()))
    };
    let quote = marks.quote;
    let mut cash = quote.map_or(0.0, of);
    let mut coins: Vec<f64> = marks.bases.iter().map(|base| of(*base)).collect();
    let mut equity = Equity::default();
    let mut rest = fills.iter().peekable();
    for (place, time) in marks.times.iter().enumerate() {
        // What happened at the very start comes after the first sample.
        while let Some(row) = rest.next_if(|row| row.fill.at.ms() < *time) {
            book(&row.fill, (&marks.bases, quote), &mut cash, &mut coins);
        }
        let worth = coins
            .iter()
            .zip(&marks.prices)
            .map(|(count, prices)| count * prices.get(place).copied().unwrap_or(f64::NAN));
        let held: f64 = worth.sum();
        equity.hourly.push(Sample { at: Timestamp::from_ms(*time), worth: cash + held });
        equity.held.push(held);
    }
    equity
}

fn book(fill: &Fill, (bases, quote): (&[Asset], Option<Asset>), cash: &mut f64, coins: &mut [f64]) {
    let place = usize::try_from(fill.instrument.get()).unwrap_or(usize::MAX);
    let (qty, worth) = (float::of(fill.qty.get()), float::of(fill.quote.get()));
    let sign = match fill.side {
        Side::Buy => 1.0,
        Side::Sell => -1.0,
    };
    let base = bases.get(place).copied();
    if let Some(count) = coins.get_mut(place) {
        *count += sign * qty;
        if Some(fill.fee.asset) == base {
            *count -= float::of(fill.fee.amount.get());
        }
    }
    *cash -= sign * worth;
    if Some(fill.fee.asset) == quote {
        *cash -= float::of(fill.fee.amount.get());
    } else if Some(fill.fee.asset) != base {
        *cash -= fill.fee.in_quote.map_or(0.0, |fee| float::of(fee.get()));
    }
}

impl Equity {
    pub fn start(&self) -> Option<f64> {
        self.hourly.first().map(|sample| sample.worth)
    }

    pub fn end(&self) -> Option<f64> {
        self.hourly.last().map(|sample| sample.worth)
    }

    pub fn days(&self) -> f64 {
        let ends = self.hourly.first().zip(self.hourly.last());
        ends.map_or(0.0, |(first, last)| {
            float::of_int(last.at.ms().saturating_sub(first.at.ms())) / float::of_int(DAY_MS)
        })
    }

    /// The start, then the last sample of each day in UTC.
    pub fn daily(&self) -> Vec<f64> {
        let start = self.start();
        // A sample at midnight tells how the day before ended.
        let day = |sample: &Sample| sample.at.ms().saturating_sub(1).div_euclid(DAY_MS);
        let rest = self.hourly.get(1..).unwrap_or_default();
        let days = rest.chunk_by(|a, b| day(a) == day(b));
        let ends = days.filter_map(|samples| samples.last()).map(|sample| sample.worth);
        start.into_iter().chain(ends).collect()
    }
}
