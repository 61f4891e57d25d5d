//! What waits on the price of one instrument, and how far its prices can be believed.

use tranche_model::{candle::Tick, money::Price, time::Timestamp};

use super::{
    BadTick, Trail,
    ladder::Ladder,
    lane::{Crossing, Lane},
    trails::Trails,
    units::{self, Units},
};

/// The bands of one instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    /// Digits of its integers, or [`Book::UNNAMED`].
    pub(super) scale: u32,
    /// The last price, unless the market broke since.
    pub(super) fresh: Option<Price>,
    pub(super) below: Ladder,
    pub(super) above: Ladder,
    pub(super) trails: Trails,
    /// The last two prices that were believed, kept over a gap: the first tick after it may be wrong.
    last: Option<Units>,
    before: Option<Units>,
    /// A jump that waits for a second tick near it.
    held: Option<Print>,
}

/// A price that was read off the grid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print {
    pub(super) units: Units,
    pub(super) price: Price,
    pub(super) at: Timestamp,
}

impl Book {
    /// The scale of a book whose instrument nobody named yet: a gap in the dense table.
    pub(super) const UNNAMED: u32 = u32::MAX;

    pub(super) fn new(scale: u32) -> Self {
        Self { scale, ..Self::default() }
    }

    pub(super) fn read(&self, tick: &Tick) -> Result<Print, BadTick> {
        let Tick { price, at, .. } = *tick;
        match Units::exact(price, self.scale) {
            Some(units) => Ok(Print { units, price, at }),
            None if price.is_positive() => Err(BadTick::OffGrid(price)),
            None => Err(BadTick::NotPositive(price)),
        }
    }

    /// Believes a price or holds it back; gives the held one that it confirms.
    pub(super) fn admit(&mut self, print: Print) -> Result<Option<Print>, BadTick> {
        let held = self.held.take();
        let Some(last) = self.last else { return Ok(None) };
        let mut known = [Some(last), self.before].into_iter().flatten();
        if known.any(|known| !print.units.is_far_from(known)) {
            return Ok(None);
        }
        if held.is_some_and(|held| !print.units.is_far_from(held.units)) {
            return Ok(held);
        }
        self.held = Some(print);
        Err(BadTick::Jump { price: print.price, last: last.price(self.scale) })
    }

    /// Moves the grid. Only called while no lane waits here.
    pub(super) fn rescale(&mut self, scale: u32) {
        let moved = |units: Units| units.moved_up(self.scale, scale);
        let held = self.held.map(|held| Print { units: moved(held.units), ..held });
        (self.last, self.before) = (self.last.map(moved), self.before.map(moved));
        (self.held, self.scale) = (held, scale);
    }

    /// Takes the price as the last one.
    pub(super) fn note(&mut self, print: Print) {
        self.before = self.last;
        self.last = Some(print.units);
        self.fresh = Some(print.price);
    }

    /// The market data broke: what was held back cannot be confirmed any more.
    pub(super) fn break_off(&mut self) {
        self.fresh = None;
        self.held = None;
    }

    /// Whether the price wakes nobody and moves no peak.
    pub(super) const fn is_quiet(&self, price: Units) -> bool {
        let price = price.get();
        self.below.top() < price
            && self.above.top() < price.saturating_neg()
            && self.trails.is_quiet(price)
    }

    /// Takes every level that this price crosses out of the trees and appends whose it is; whoever
    /// waits twice is named twice. The lanes themselves keep theirs up to [`Book::clear_crossed`].
    pub(super) fn take_crossed(&mut self, price: Units, ids: &mut Vec<u32>) {
        let price = price.get();
        self.below.take_reached(price, ids);
        self.above.take_reached(price.saturating_neg(), ids);
        self.trails.take_retraced(price, ids);
    }

    /// Why this price wakes the lane.
    pub(super) fn crossing(&self, lane: &Lane, price: Units) -> Option<Crossing> {
        lane.crossing(price, self.trails.peak(lane.group), self.scale)
    }

    /// The prices at which the next wake can come, from below and from above.
    pub(super) fn band(&self) -> (Option<i64>, Option<i64>) {
        if self.held.is_some() {
            return (Some(Units::MAX.get()), None);
        }
        let low = self.below.top().max(self.trails.trigger());
        let above = self.above.top();
        let bound = (above != Ladder::NOTHING).then(|| above.saturating_neg());
        let high = [bound, self.trails.next_high()].into_iter().flatten().min();
        ((low != Ladder::NOTHING).then_some(low), high)
    }

    pub(super) fn resident_bytes(&self) -> usize {
        let ladders = self.below.resident_bytes().saturating_add(self.above.resident_bytes());
        ladders.saturating_add(self.trails.resident_bytes()).saturating_add(size_of::<Self>())
    }

    /// Replaces what a lane waits for here.
    pub(super) fn change(&mut self, id: u32, from: &mut Lane, to: &mut Lane, trail: Option<Trail>) {
        self.below.change(from.low_level(), to.low_level(), id);
        self.above.change(from.high_level(), to.high_level(), id);
        let trail = trail
            .map(|trail| (Units::ceil(trail.peak, self.scale), units::deviation(trail.deviation)));
        let former = self.trails.peak(from.group).map(|peak| (peak, from.deviation));
        if trail == former {
            (to.group, to.deviation, to.peak) = (from.group, from.deviation, trail.map(|t| t.0));
            return;
        }
        if from.trails() {
            self.trails.leave(id, from);
        }
        if let Some((peak, deviation)) = trail {
            to.deviation = deviation;
            self.trails.join(id, to, peak);
        }
    }

    /// Makes a lane forget what [`Book::take_crossed`] took.
    pub(super) fn clear_crossed(&self, lane: &mut Lane, price: Units) {
        let price = price.get();
        if lane.low_level().is_some_and(|level| price <= level) {
            (lane.below, lane.any_price) = (None, false);
        }
        if lane.high_level().is_some_and(|level| price.saturating_neg() <= level) {
            lane.above = None;
        }
        let peak = self.trails.peak(lane.group);
        if peak.is_some_and(|peak| price <= peak.trigger(lane.deviation)) {
            lane.group = Lane::ALONE;
            lane.peak = peak;
        }
    }

    /// Ends what a lane waits for here. The peak that it reached stays known.
    pub(super) fn disarm(&mut self, id: u32, lane: &mut Lane) {
        self.below.change(lane.low_level(), None, id);
        self.above.change(lane.high_level(), None, id);
        if lane.trails() {
            self.trails.leave(id, lane);
        }
        (lane.below, lane.above, lane.any_price) = (None, None, false);
    }
}
