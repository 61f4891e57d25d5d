//! The parts of a report, from the figures of a run.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use std::collections::BTreeMap;

use tranche_model::{cast, instrument::Instrument, time::Millis};

use super::{DealRow, DepthRow, FillRow, MonthRow, PairRow};
use crate::{
    candles::CandleFile,
    depot::interval_name,
    stats::{Deal, Equity, equity::Marks, float},
};

/// Points of a line that a screen can show apart, several times over.
const POINTS_MAX: usize = 12_000;
const BARS_MAX: usize = 4000;
/// Bars have a length that people know, in seconds.
const BARS: [u32; 10] = [60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400];

/// A bar for the chart.
type Bar = (i64, f64, f64, f64, f64);

pub(super) fn equity_points(equity: &Equity) -> Vec<(i64, f64)> {
    let points: Vec<(i64, f64)> =
        equity.hourly.iter().map(|sample| (sample.at.ms(), sample.worth)).collect();
    thinned(points)
}

/// What the same money would be worth if it had bought all pairs in equal parts at the start.
pub(super) fn hold_points(marks: &Marks, start: f64) -> Vec<(i64, f64)> {
    let points = marks.times().iter().zip(marks.growth()).map(|(at, growth)| (*at, start * growth));
    thinned(points.collect())
}

/// Every nth point, and always the last.
fn thinned<T: Copy>(points: Vec<T>) -> Vec<T> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate();
    kept.filter(|(place, _)| place % step == 0 || *place == last).map(|(_, point)| point).collect()
}

pub(super) fn pair(instrument: &Instrument, file: &CandleFile) -> PairRow {
    let interval = file.interval.ms() / 1000;
    let span = file
        .candles
        .first()
        .zip(file.candles.last())
        .map_or(0, |(first, last)| last.open_at.ms().saturating_sub(first.open_at.ms()) / 1000);
    let most = i64::try_from(BARS_MAX).unwrap_or(i64::MAX);
    let fits = |bar: &u32| interval <= *bar && span / i64::from((*bar).max(1)) <= most;
    let longer = BARS.into_iter().find(fits).unwrap_or(604_800);
    let fits_as_it_is = file.candles.len() <= BARS_MAX;
    let bar = if fits_as_it_is { interval } else { longer };
    PairRow {
        name: instrument.symbol.to_string(),
        bar: interval_name(Millis::from_secs(bar)),
        digits: instrument.tick.get().normalize().scale(),
        candles: bars(file, i64::from(bar.max(1)).saturating_mul(1000)),
    }
}

/// Bars for the eye; unlike resampled candles they keep what is cut at the ends.
fn bars(file: &CandleFile, length: i64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for candle in &file.candles {
        let at = candle.open_at.ms().div_euclid(length).saturating_mul(length);
        let price = |price: tranche_model::money::Price| float::of(price.get());
        let (open, high) = (price(candle.open), price(candle.high));
        let (low, close) = (price(candle.low), price(candle.close));
        match bars.last_mut().filter(|bar| bar.0 == at) {
            Some(bar) => {
                bar.2 = bar.2.max(high);
                bar.3 = bar.3.min(low);
                bar.4 = close;
            }
            None => bars.push((at, open, high, low, close)),
        }
    }
    bars
}

pub(super) fn deal_rows(deals: &[Deal]) -> Vec<DealRow> {
    let rows = deals.iter().map(|deal| DealRow {
        number: deal.number.get(),
        pair: deal.instrument.get(),
        opened: deal.opened_at.ms(),
        closed: deal.is_closed.then(|| deal.closed_at.ms()),
        ended: deal.ended.clone(),
        safeties: deal.safety_orders,
        bought: deal.bought,
        profit: deal.profit,
        fees: deal.fees,
        mae: deal.mae,
        mfe: deal.mfe,
        mae_quote: deal.mae_quote,
        mfe_quote: deal.mfe_quote,
        fills: deal
            .fills
            .iter()
            .map(|fill| FillRow {
                at: fill.at.ms(),
                buy: fill.is_buy,
                level: fill.level,
                price: fill.price,
                qty: fill.qty,
            })
            .collect(),
    });
    rows.collect()
}

pub(super) fn depth(deals: &[Deal]) -> Vec<DepthRow> {
    let deepest = deals.iter().map(|deal| deal.safety_orders).max().unwrap_or(0);
    let rows = (0..=deepest).map(|level| {
        let fills = deals.iter().flat_map(|deal| &deal.fills);
        let here = fills.filter(|fill| fill.is_buy && fill.level == Some(level));
        let bought = deals.iter().filter(|deal| deal.safety_orders == level).count();
        DepthRow { level, deals: cast::count(bought), funds: here.map(|fill| fill.quote).sum() }
    });
    rows.collect()
}

pub(super) fn months(equity: &Equity, deals: &[Deal]) -> Vec<MonthRow> {
    // `2018-02-06T08:40:00Z` begins with its month.
    let month = |at: tranche_model::time::Timestamp| {
        at.to_string().split_at_checked(7).map(|(month, _)| month.to_owned()).unwrap_or_default()
    };
    let mut ends: BTreeMap<String, f64> = BTreeMap::new();
    for sample in equity.hourly.iter().skip(1) {
        // A sample at midnight tells how the month before ended.
        ends.insert(month(sample.at.minus(Millis::new(1))), sample.worth);
    }
    let mut before = equity.start();
    let rows = ends.into_iter().map(|(name, worth)| {
        let closed = deals.iter().filter(|deal| deal.is_closed && month(deal.closed_at) == name);
        let change = before.and_then(|before| float::ratio(worth - before, before));
        before = Some(worth);
        let (count, profit) =
            closed.fold((0, 0.0), |(count, sum), deal| (count + 1, sum + deal.profit));
        MonthRow { month: name, change, profit, deals: count }
    });
    rows.collect()
}
