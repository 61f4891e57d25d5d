//! Prices made ready for many runs: columns of integers and the tree over them, built once and shared.

use std::sync::Arc;

use tranche_model::{
    candle::{Candle, Tick},
    cast,
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
    money::{Price, Qty},
    time::{Millis, Timestamp},
};

use super::{BacktestError, Series, extremes::Extremes};

/// Recorded prices of one or more instruments. Cloning it shares them; any number of threads may run
/// plans on it at the same time.
#[derive(Debug, Clone)]
pub struct Market {
    instruments: Arc<Instruments>,
    tracks: Vec<Arc<Track>>,
}

/// One instrument's prices.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) instrument: Instrument,
    pub(super) rows: Rows,
    pub(super) finer: Option<Rows>,
    extremes: Extremes,
}

/// Columns in order of time. Prices are integers of the instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// How long a row lasts; zero for ticks.
    pub(super) span: Millis,
    at: Vec<Timestamp>,
    low: Vec<i64>,
    /// Empty for ticks, as the two that follow: a tick has one price, and that is in `low`.
    high: Vec<i64>,
    open: Vec<i64>,
    close: Vec<i64>,
    qty: Vec<Qty>,
}

/// One candle or tick in integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
    pub(super) qty: Qty,
}

impl Market {
    /// Candles of one interval, ascending in time.
    pub fn new(instruments: Instruments, series: &[Series<'_>]) -> Result<Self, BacktestError> {
        let track = |one: &Series<'_>| {
            let is_other = |other: &Series<'_>| other.interval != one.interval;
            if one.interval == Millis::ZERO || series.iter().any(is_other) {
                return Err(BacktestError::Intervals);
            }
            let instrument = known(&instruments, one.instrument)?;
            Ok(Track::new(instrument, Rows::of_candles(instrument, one.candles, one.interval)?))
        };
        let tracks = series.iter().map(track).collect::<Result<_, BacktestError>>()?;
        Self::of(instruments, tracks)
    }

    /// Trades instead of candles, ascending in time. The series names the instrument, whatever its ticks
    /// say.
    pub fn of_ticks(
        instruments: Instruments,
        series: &[(InstrumentId, &[Tick])],
    ) -> Result<Self, BacktestError> {
        let track = |(id, ticks): &(InstrumentId, &[Tick])| {
            let instrument = known(&instruments, *id)?;
            Ok(Track::new(instrument, Rows::of_ticks(instrument, ticks)?))
        };
        let tracks = series.iter().map(track).collect::<Result<_, BacktestError>>()?;
        Self::of(instruments, tracks)
    }

    fn of(instruments: Instruments, tracks: Vec<Arc<Track>>) -> Result<Self, BacktestError> {
        if tracks.iter().all(|track| track.rows.len() == 0) {
            return Err(BacktestError::NoCandles);
        }
        Ok(Self { instruments: Arc::new(instruments), tracks })
    }

    /// Adds candles of a shorter interval to a series of candles. Where a candle has some, the price goes
    /// through them instead of through its own four prices; a missing one is time without trades.
    pub fn with_finer(mut self, finer: &Series<'_>) -> Result<Self, BacktestError> {
        let id = finer.instrument;
        let track = self.tracks.iter_mut().find(|track| track.instrument.id == id);
        let track = Arc::make_mut(track.ok_or(BacktestError::NoInstrument(id))?);
        if finer.interval == Millis::ZERO || track.rows.span <= finer.interval {
            return Err(BacktestError::Intervals);
        }
        let rows = Rows::of_candles(&track.instrument, finer.candles, finer.interval)?;
        if !track.rows.hold(&rows) {
            return Err(BacktestError::Intervals);
        }
        track.refine(rows);
        Ok(self)
    }

    pub const fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// How many candles, or ticks, all series have.
    pub fn candles(&self) -> u64 {
        cast::count(self.tracks.iter().map(|track| track.rows.len()).sum())
    }

    /// The time of the first row.
    pub(super) fn begins_at(&self) -> Option<Timestamp> {
        self.tracks.iter().filter_map(|track| track.rows.at(0)).min()
    }

    pub(super) fn tracks(&self) -> &[Arc<Track>] {
        &self.tracks
    }
}

impl Track {
    fn new(instrument: &Instrument, rows: Rows) -> Arc<Self> {
        let extremes = Extremes::new(&rows.low, rows.highs());
        Arc::new(Self { instrument: instrument.clone(), rows, finer: None, extremes })
    }

    /// Takes finer candles in. They may reach further than the coarse ones say.
    fn refine(&mut self, finer: Rows) {
        let span = self.rows.span;
        for place in 0..self.rows.len() {
            let Some(at) = self.rows.at(place) else { continue };
            let (from, to) = (finer.place_of(at), finer.place_of(at.plus(span)));
            let lows = finer.low.get(from..to).unwrap_or_default().iter().min();
            let highs = finer.high.get(from..to).unwrap_or_default().iter().max();
            if let (Some(own), Some(low)) = (self.rows.low.get_mut(place), lows) {
                *own = (*own).min(*low);
            }
            if let (Some(own), Some(high)) = (self.rows.high.get_mut(place), highs) {
                *own = (*own).max(*high);
            }
        }
        self.extremes = Extremes::new(&self.rows.low, self.rows.highs());
        self.finer = Some(finer);
    }

    /// The first row from `from` on that reaches a price, found through the tree.
    pub(super) fn jump(&self, from: usize, (low, high): (i64, i64)) -> Option<usize> {
        self.extremes.next((&self.rows.low, self.rows.highs()), from, (low, high))
    }

    /// The same, looking at each row.
    pub(super) fn scan(&self, from: usize, (low, high): (i64, i64)) -> Option<usize> {
        let lows = self.rows.low.get(from..)?.iter();
        let highs = self.rows.highs().get(from..)?;
        let reached = lows.zip(highs).position(|(l, h)| *l <= low || high <= *h)?;
        Some(from.saturating_add(reached))
    }

    /// Whether this row makes good what was passed over, see [`Rows::settles`].
    pub(super) fn settles(&self, place: usize) -> bool {
        let inside = self.rows.at(place).and_then(|at| self.inside(at));
        inside.map_or_else(
            || self.rows.settles(place),
            |(finer, range)| finer.settles(range.end.saturating_sub(1)),
        )
    }

    /// The finer rows inside a row, if there are any.
    pub(super) fn inside(&self, at: Timestamp) -> Option<(&Rows, std::ops::Range<usize>)> {
        let finer = self.finer.as_ref()?;
        let range = finer.place_of(at)..finer.place_of(at.plus(self.rows.span));
        (!range.is_empty()).then_some((finer, range))
    }
}

impl Rows {
    fn of_candles(
        instrument: &Instrument,
        candles: &[Candle],
        span: Millis,
    ) -> Result<Self, BacktestError> {
        let mut rows = Self::with_capacity(candles.len(), span);
        for candle in candles {
            rows.push(instrument, candle.open_at, candle.low, candle.volume)?;
            let off_grid = || off_grid(instrument, candle.open_at);
            let units = |price| instrument.price_units(price).ok_or_else(off_grid);
            rows.high.push(units(candle.high)?);
            rows.open.push(units(candle.open)?);
            rows.close.push(units(candle.close)?);
        }
        Ok(rows)
    }

    fn of_ticks(instrument: &Instrument, ticks: &[Tick]) -> Result<Self, BacktestError> {
        let mut rows = Self { high: Vec::new(), ..Self::with_capacity(ticks.len(), Millis::ZERO) };
        for tick in ticks {
            rows.push(instrument, tick.at, tick.price, tick.qty)?;
        }
        Ok(rows)
    }

    fn with_capacity(rows: usize, span: Millis) -> Self {
        let four = if span == Millis::ZERO { 0 } else { rows };
        Self {
            span,
            at: Vec::with_capacity(rows),
            low: Vec::with_capacity(rows),
            high: Vec::with_capacity(four),
            open: Vec::with_capacity(four),
            close: Vec::with_capacity(four),
            qty: Vec::with_capacity(rows),
        }
    }

    fn push(
        &mut self,
        instrument: &Instrument,
        at: Timestamp,
        low: Price,
        qty: Qty,
    ) -> Result<(), BacktestError> {
        let former = self.at.last().copied();
        // Ticks may share a moment, candles may not.
        let is_late =
            |former: Timestamp| at < former || (at == former && self.span != Millis::ZERO);
        if former.is_some_and(is_late) {
            return Err(BacktestError::Unsorted { instrument: instrument.id, at });
        }
        let units = instrument.price_units(low).ok_or_else(|| off_grid(instrument, at))?;
        self.at.push(at);
        self.low.push(units);
        self.qty.push(qty);
        Ok(())
    }

    fn highs(&self) -> &[i64] {
        if self.span == Millis::ZERO { &self.low } else { &self.high }
    }

    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    pub(super) fn at(&self, place: usize) -> Option<Timestamp> {
        self.at.get(place).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<Row> {
        let low = self.low.get(place).copied()?;
        let of = |column: &[i64]| column.get(place).copied().unwrap_or(low);
        let (high, open, close) = (of(&self.high), of(&self.open), of(&self.close));
        let (at, qty) = (self.at(place)?, self.qty.get(place).copied()?);
        Some(Row { at, open, high, low, close, qty })
    }

    /// Whether the prices from this row on are believed in the same way, whatever was believed before
    /// them. A price far from the two last ones is held back until a second one confirms it; behind three
    /// of which each is near the one before, the last two are known and nothing is held back. A candle
    /// has four, in any order.
    pub(super) fn settles(&self, place: usize) -> bool {
        // Less than half away from it, on whatever grid.
        let is_near = |known: i64, price: i64| {
            2_u128.saturating_mul(known.abs_diff(price).into()) < known.unsigned_abs().into()
        };
        if self.span != Millis::ZERO {
            let (low, high) = (self.low.get(place), self.high.get(place));
            return low.zip(high).is_some_and(|(low, high)| is_near(*low, *high));
        }
        let behind = self.low.get(place..).unwrap_or_default();
        let mut pairs = behind.iter().zip(behind.iter().skip(1)).take(2);
        2 < behind.len() && pairs.all(|(known, price)| is_near(*known, *price))
    }

    /// Whether none of the finer rows reaches over the beginning or the end of a row.
    fn hold(&self, finer: &Self) -> bool {
        finer.at.iter().all(|begin| {
            let end = begin.plus(finer.span);
            let behind = self.at.partition_point(|at| at <= begin);
            let own = behind.checked_sub(1).and_then(|place| self.at(place));
            let over = own.map(|at| at.plus(self.span)).filter(|over| begin < over);
            over.is_none_or(|over| end <= over) && self.at(behind).is_none_or(|next| end <= next)
        })
    }

    /// The first row that begins at or after `at`.
    pub(super) fn place_of(&self, at: Timestamp) -> usize {
        self.at.partition_point(|begin| *begin < at)
    }

    /// The first row that is not over before `at`.
    pub(super) fn lasting_to(&self, at: Timestamp) -> usize {
        // The last price of a candle comes a millisecond before its end.
        let last = Millis::new(self.span.ms().saturating_sub(1));
        self.at.partition_point(|begin| begin.plus(last) < at)
    }
}

fn known(instruments: &Instruments, id: InstrumentId) -> Result<&Instrument, BacktestError> {
    instruments.get(id).ok_or(BacktestError::NoInstrument(id))
}

const fn off_grid(instrument: &Instrument, at: Timestamp) -> BacktestError {
    BacktestError::OffGrid { instrument: instrument.id, at }
}
