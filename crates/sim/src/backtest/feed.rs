//! From rows to ticks: what is fed at a stop, in which order a candle touched its extremes, and whether
//! that decided anything.

use tranche_model::{
    asset::Asset,
    candle::Tick,
    client_order_id::ClientOrderId,
    decimal::MathError,
    ids::InstrumentId,
    money::{Price, Qty, Quote},
    time::{Millis, Timestamp},
};
use tranche_trading::shard::Output;

use super::{
    ACCOUNT, BacktestError,
    market::{Row, Track},
    run::Run,
};
use crate::{
    driver::Driver,
    exchange::{self, First, Path},
};

/// How many rows before the one that matters are fed at least: a lone far price would be taken for a
/// mistake of the data, and held back. A candle has the last prices in it, a tick has one. Where these
/// rows are far from each other, more are fed, until they settle what is believed.
const LEAD_IN_CANDLES: usize = 1;
const LEAD_IN_TICKS: usize = 3;

/// A candle or tick that is fed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    track: usize,
    row: Row,
    span: Millis,
    /// It only leads up to what matters: nothing happens in it.
    is_lead: bool,
    first: First,
    is_ambiguous: bool,
    reach: Reach,
}

/// The bounds nearest to the price while the candle went on.
#[derive(Debug, Clone, Copy)]
struct Reach {
    low: i64,
    high: i64,
    /// A lane waited for the next price, whatever it is.
    is_any: bool,
}

impl Reach {
    const NOTHING: Self = Self { low: i64::MIN, high: i64::MAX, is_any: false };

    fn take(&mut self, (low, high): (i64, i64)) {
        (self.low, self.high) = (self.low.max(low), self.high.min(high));
        self.is_any |= low == i64::MAX;
    }
}

impl Leaf {
    fn new(track: usize, row: Row, (span, path): (Millis, Path), is_lead: bool) -> Self {
        let up = i128::from(row.high) - i128::from(row.open);
        let down = i128::from(row.open) - i128::from(row.low);
        let first = path.first(&up, &down);
        Self { track, row, span, is_lead, first, is_ambiguous: false, reach: Reach::NOTHING }
    }

    const fn is_tick(&self) -> bool {
        self.span.ms() == 0
    }

    /// Whether both what lay below and what lay above could be had in it, or the next price decided.
    const fn is_open(&self) -> bool {
        let Row { high, low, .. } = self.row;
        (self.reach.is_any && low < high) || (low <= self.reach.low && self.reach.high <= high)
    }
}

impl Run<'_> {
    /// Feeds the rows that begin at `at`, and those just before that were passed over.
    pub(super) fn feed(&mut self, at: Timestamp) -> Result<(), BacktestError> {
        let mut leaves = std::mem::take(&mut self.leaves);
        for number in 0..self.cursors.len() {
            self.gather(number, at, &mut leaves);
        }
        leaves.sort_by_key(|leaf| leaf.row.at);
        let mut rest = leaves.as_mut_slice();
        while !rest.is_empty() {
            let end = block_end(rest);
            let (block, behind) = std::mem::take(&mut rest).split_at_mut(end);
            self.feed_block(block)?;
            rest = behind;
        }
        leaves.clear();
        self.leaves = leaves;
        Ok(())
    }

    /// Appends what a series has at the stop, and moves on behind it.
    fn gather(&mut self, number: usize, at: Timestamp, leaves: &mut Vec<Leaf>) {
        let (Some(track), Some(cursor)) =
            (self.market.tracks().get(number), self.cursors.get_mut(number))
        else {
            return;
        };
        let landing = cursor.landing(track, at);
        let is_ticks = track.rows.span == Millis::ZERO;
        let lead_in = if is_ticks { LEAD_IN_TICKS } else { LEAD_IN_CANDLES };
        let mut first = landing.saturating_sub(lead_in).max(cursor.next);
        while cursor.next < first && !track.settles(first) {
            first = first.saturating_sub(1);
        }
        for place in first..landing {
            add(number, track, (place, self.plan.path), true, leaves);
        }
        let mut end = landing.max(cursor.next);
        while track.rows.at(end) == Some(at) {
            add(number, track, (end, self.plan.path), false, leaves);
            end = end.saturating_add(1);
        }
        cursor.next = end;
    }

    /// Feeds rows whose times overlap.
    fn feed_block(&mut self, block: &mut [Leaf]) -> Result<(), BacktestError> {
        let is_touched = self.touch(block);
        match self.plan.path {
            Path::Worst | Path::Best if is_touched => self.choose(block)?,
            Path::Worst | Path::Best => self.go(block, false),
            Path::OpenLowHighClose | Path::OpenHighLowClose | Path::Nearest => {
                self.go(block, is_touched);
                for leaf in block.iter_mut().filter(|leaf| !leaf.is_tick() && !leaf.is_lead) {
                    leaf.is_ambiguous = leaf.is_open();
                }
            }
        }
        self.filled.clear();
        self.take_told(None)?;
        self.count_ambiguous(block);
        if block.iter().any(|leaf| !leaf.is_lead) {
            self.forget();
        }
        Ok(())
    }

    /// Whether anything can happen in the block.
    fn touch(&self, block: &[Leaf]) -> bool {
        let due = self.driver.next_due();
        block.iter().filter(|leaf| !leaf.is_lead && !leaf.is_tick()).any(|leaf| {
            let Some(track) = self.market.tracks().get(leaf.track) else { return false };
            let (low, high) = self.bounds(track);
            let is_due = due.is_some_and(|due| due < leaf.row.at.plus(leaf.span));
            is_due || leaf.row.low <= low || high <= leaf.row.high
        })
    }

    /// Feeds the ticks of a block. With `notes`, each candle notes what was near while it went on.
    fn go(&mut self, block: &mut [Leaf], notes: bool) {
        let mut ticks: Vec<(Tick, usize, usize)> =
            Vec::with_capacity(block.len().saturating_mul(4));
        for (number, leaf) in block.iter().enumerate() {
            self.append_ticks(leaf, |point, tick| ticks.push((tick, number, point)));
        }
        // Ticks of the same moment go in the order of the series, in every mode.
        ticks.sort_by_key(|(tick, ..)| tick.at);
        for (tick, number, point) in ticks {
            self.happen(tick.at);
            self.driver.tick(&tick);
            let Some(leaf) = block.get_mut(number).filter(|leaf| notes && !leaf.is_lead) else {
                continue;
            };
            // What is there before the open and after the close does not hang on the order between.
            if !leaf.is_tick()
                && point < 3
                && let Some(track) = self.market.tracks().get(leaf.track)
            {
                leaf.reach.take(self.bounds(track));
            }
        }
    }

    fn append_ticks(&self, leaf: &Leaf, mut append: impl FnMut(usize, Tick)) {
        let Some(track) = self.market.tracks().get(leaf.track) else { return };
        let Row { at, open, high, low, close, qty } = leaf.row;
        let id = track.instrument.id;
        let is_capped = self.plan.exchange.volume_cap.is_some();
        if leaf.is_tick() {
            let price = track.instrument.price_from_units(low);
            append(0, Tick { instrument: id, price, qty, at });
            return;
        }
        let (first, second) = match leaf.first {
            First::Low => (low, high),
            First::High => (high, low),
        };
        let prices = [open, first, second, close];
        let prices = prices.map(|units| track.instrument.price_from_units(units));
        let qty = if is_capped { exchange::quarter(qty) } else { Qty::ZERO };
        let ticks = exchange::ticks(id, at, prices, (qty, leaf.span));
        ticks.into_iter().enumerate().for_each(|(point, tick)| append(point, tick));
    }

    /// Tries both orders of each candle and keeps what the path asks for.
    fn choose(&mut self, block: &mut [Leaf]) -> Result<(), BacktestError> {
        let (before, happened) = (self.driver.clone(), self.happened);
        self.go(block, false);
        let mut best = (self.worth()?, told_fills(&self.driver));
        for number in 0..block.len() {
            if block.get(number).is_none_or(|leaf| leaf.is_lead || leaf.is_tick()) {
                continue;
            }
            let kept = std::mem::replace(&mut self.driver, before.clone());
            self.happened = happened;
            turn(block, number, First::High);
            self.go(block, false);
            let other = (self.worth()?, told_fills(&self.driver));
            if let Some(leaf) = block.get_mut(number) {
                leaf.is_ambiguous = other.1 != best.1;
            }
            let is_wanted = match self.plan.path {
                Path::Best => best.0 < other.0,
                Path::Worst | Path::OpenLowHighClose | Path::OpenHighLowClose | Path::Nearest => {
                    other.0 < best.0
                }
            };
            if is_wanted {
                best = other;
            } else {
                turn(block, number, First::Low);
                self.driver = kept;
            }
        }
        Ok(())
    }

    /// What the account holds at the last prices, by quote asset in the order of the series. Coins without
    /// a series are left out: no order of ours moves them.
    fn worth(&self) -> Result<Vec<(Asset, Quote)>, MathError> {
        let mut worth: Vec<(Asset, Quote)> = Vec::new();
        let mut add = |asset: Asset, quote: Quote| {
            match worth.iter_mut().find(|(known, _)| *known == asset) {
                Some((_, sum)) => *sum = sum.plus(quote)?,
                None => worth.push((asset, quote)),
            }
            Ok::<(), MathError>(())
        };
        let mut counted: Vec<Asset> = Vec::new();
        let balances = self.driver.exchange.balances(ACCOUNT);
        for track in self.market.tracks() {
            let symbol = track.instrument.symbol;
            let price = self.driver.exchange.last_price(track.instrument.id).unwrap_or(Price::ZERO);
            for balance in &balances {
                let is_base = balance.asset == symbol.base;
                if (is_base || balance.asset == symbol.quote) && !counted.contains(&balance.asset) {
                    counted.push(balance.asset);
                    let total = balance.total()?;
                    let quote = if is_base { price.times(total.qty())? } else { total.quote() };
                    add(symbol.quote, quote)?;
                }
            }
        }
        Ok(worth)
    }

    fn count_ambiguous(&mut self, block: &[Leaf]) {
        for leaf in block.iter().filter(|leaf| leaf.is_ambiguous) {
            let Some(track) = self.market.tracks().get(leaf.track) else { continue };
            let id = track.instrument.id;
            let fills = self.filled.iter().filter(|filled| **filled == id).count();
            if fills != 0 {
                let report = &mut self.report;
                report.ambiguous_candles = report.ambiguous_candles.saturating_add(1);
                let fills = tranche_model::cast::count(fills);
                report.ambiguous_fills = report.ambiguous_fills.saturating_add(fills);
            }
        }
    }
}

/// Appends a row, or the finer ones inside it. Of a row that only leads up to another, the last one does
/// where it settles what is believed.
fn add(
    number: usize,
    track: &Track,
    (place, path): (usize, Path),
    is_lead: bool,
    leaves: &mut Vec<Leaf>,
) {
    let Some(row) = track.rows.get(place) else { return };
    match track.inside(row.at) {
        Some((finer, range)) => {
            let last = range.end.saturating_sub(1);
            let range = if is_lead && finer.settles(last) { last..range.end } else { range };
            let rows = range.filter_map(|place| finer.get(place));
            leaves.extend(rows.map(|row| Leaf::new(number, row, (finer.span, path), is_lead)));
        }
        None => leaves.push(Leaf::new(number, row, (track.rows.span, path), is_lead)),
    }
}

/// How many leaves from the first on overlap in time.
fn block_end(leaves: &[Leaf]) -> usize {
    let mut until: Option<Timestamp> = None;
    let is_over = |leaf: &Leaf| {
        let is_over = until.is_some_and(|until| until <= leaf.row.at);
        let end = leaf.row.at.plus(leaf.span.max(Millis::new(1)));
        until = Some(until.map_or(end, |until| until.max(end)));
        is_over
    };
    leaves.iter().position(is_over).unwrap_or(leaves.len())
}

fn turn(block: &mut [Leaf], number: usize, first: First) {
    if let Some(leaf) = block.get_mut(number) {
        leaf.first = first;
    }
}

/// What was executed since the last time that news was taken, whenever that was.
fn told_fills(driver: &Driver) -> Vec<(Option<ClientOrderId>, InstrumentId, Price, Qty)> {
    let fills = driver.told().iter().filter_map(|told| {
        if let Output::Booked { row, .. } = told { Some(row.fill) } else { None }
    });
    fills.map(|fill| (fill.client_id, fill.instrument, fill.price, fill.qty)).collect()
}
