//! The index against a model that visits every lane at every tick, in decimals.

use std::{cmp::Reverse, collections::BTreeMap};

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    cast,
    ids::InstrumentId,
    instrument::Instrument,
    money::{Fraction, Price, Qty},
    time::{Millis, Timestamp},
};

use super::{
    BadTick, Bound, Cause, Index, Trail, Urgency, Wake, Watch, WatchId,
    tests::{instrument, tick},
};

const CHECKPOINT_EVERY: Millis = Millis::new(50);

/// Visits everybody.
#[derive(Default)]
struct Naive {
    lanes: BTreeMap<u32, NaiveLane>,
    markets: BTreeMap<u32, NaiveMarket>,
    checkpoint_at: Option<Timestamp>,
    has_risen: bool,
}

struct NaiveLane {
    market: u32,
    watch: Watch,
    told: Option<Price>,
    peak: Option<Price>,
    is_muted: bool,
    trail: Option<Trail>,
}

#[derive(Default)]
struct NaiveMarket {
    fresh: Option<Price>,
    believed: Vec<Price>,
    held: Option<(Price, Timestamp)>,
}

impl NaiveLane {
    fn trigger(&self) -> Option<Decimal> {
        let trail = self.trail?;
        Some(trail.peak.get() * trail.deviation.rest().unwrap())
    }

    /// What this price means to the lane, by urgency and distance.
    fn cause(&self, price: Price) -> Option<(Urgency, Decimal, Cause)> {
        let below = self.watch.below.filter(|bound| price <= bound.price);
        let above = self.watch.above.filter(|bound| bound.price <= price);
        let trail = self.trail.filter(|_| self.trigger().is_some_and(|at| price.get() <= at));
        let causes = [
            below.map(|b| (b.urgency, floor(b.price.get()) - price.get(), Cause::Below)),
            above.map(|b| (b.urgency, price.get() - ceil(b.price.get()), Cause::Above)),
            trail.map(|trail| {
                let overshoot = floor(self.trigger().unwrap()) - price.get();
                (Urgency::Exit, overshoot, Cause::Retraced { peak: trail.peak })
            }),
            self.watch.any_price.then_some((Urgency::Entry, Decimal::ZERO, Cause::AnyPrice)),
        ];
        causes.into_iter().flatten().min_by_key(|cause| cause.0)
    }
}

/// To the grid of the index.
fn floor(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(8, rust_decimal::RoundingStrategy::ToNegativeInfinity)
}

/// To the grid of the index, on which no price is below one unit.
fn ceil(value: Decimal) -> Decimal {
    (-floor(-value)).max(Decimal::new(1, 8))
}

fn is_far(price: Price, known: Price) -> bool {
    known.get() < Decimal::TWO * (price.get() - known.get()).abs()
}

impl Naive {
    fn set(&mut self, id: u32, market: u32, watch: Watch) {
        let peak = watch.trail.map(|trail| trail.peak);
        self.markets.entry(market).or_default();
        self.lanes.insert(
            id,
            NaiveLane {
                market,
                watch,
                told: peak,
                peak: None,
                is_muted: false,
                trail: watch.trail,
            },
        );
    }

    fn tick(&mut self, tick: &Tick, wakes: &mut Vec<Wake>) -> Result<(), BadTick> {
        let market = self.markets.entry(tick.instrument.get()).or_default();
        if !tick.price.is_positive() {
            return Err(BadTick::NotPositive(tick.price));
        }
        if 8 < tick.price.get().normalize().scale() {
            return Err(BadTick::OffGrid(tick.price));
        }
        let held = market.held.take();
        let recent: Vec<Price> = market.believed.iter().rev().take(2).copied().collect();
        let confirmed = held.filter(|(price, _)| !is_far(tick.price, *price));
        let is_jump = !recent.is_empty() && recent.iter().all(|known| is_far(tick.price, *known));
        if is_jump && confirmed.is_none() {
            market.held = Some((tick.price, tick.at));
            return Err(BadTick::Jump { price: tick.price, last: recent[0] });
        }
        if let (true, Some((price, at))) = (is_jump, confirmed) {
            self.apply(tick.instrument.get(), price, at, wakes);
        }
        self.apply(tick.instrument.get(), tick.price, tick.at, wakes);
        Ok(())
    }

    fn apply(&mut self, market: u32, price: Price, at: Timestamp, wakes: &mut Vec<Wake>) {
        let known = self.markets.get_mut(&market).unwrap();
        known.fresh = Some(price);
        known.believed.push(price);
        let mut hits = Vec::new();
        for (id, lane) in self.lanes.iter_mut().filter(|(_, lane)| lane.market == market) {
            if let Some(trail) = &mut lane.trail
                && trail.peak < price
            {
                trail.peak = price;
                if !self.has_risen {
                    self.has_risen = true;
                    self.checkpoint_at = self.checkpoint_at.max(Some(at));
                }
            }
            if !lane.is_muted
                && let Some((urgency, overshoot, cause)) = lane.cause(price)
            {
                lane.is_muted = true;
                let id = WatchId::new(*id);
                let wake = Wake { id, cause, urgency, price: Some(price), at };
                hits.push((urgency, Reverse(overshoot), id, wake));
            }
            if lane.trigger().is_some_and(|trigger| price.get() <= trigger) {
                lane.peak = lane.trail.take().map(|trail| trail.peak);
            }
        }
        hits.sort_by_key(|hit| (hit.0, hit.1, hit.2));
        wakes.extend(hits.into_iter().map(|hit| hit.3));
    }

    fn time(&mut self, now: Timestamp, wakes: &mut Vec<Wake>) {
        let mut due = Vec::new();
        let is_round = self.has_risen && self.checkpoint_at.is_none_or(|at| at <= now);
        if is_round {
            self.has_risen = false;
            self.checkpoint_at = Some(now.plus(CHECKPOINT_EVERY));
        }
        for (id, lane) in &mut self.lanes {
            let price = self.markets[&lane.market].fresh;
            if lane.is_muted {
                continue;
            }
            let id = WatchId::new(*id);
            let wake = |cause, urgency| Wake { id, cause, urgency, price, at: now };
            if let Some(at) = lane.watch.at.filter(|at| *at <= now) {
                lane.is_muted = true;
                due.push((at, wake(Cause::Time, Urgency::Exit)));
            } else if let Some(peak) = lane.trail.map(|trail| trail.peak)
                && is_round
                && lane.told < Some(peak)
            {
                lane.told = Some(peak);
                due.push((Timestamp::MAX, wake(Cause::Checkpoint { peak }, Urgency::Entry)));
            }
        }
        due.sort_by_key(|(at, wake)| (*at, wake.id));
        wakes.extend(due.into_iter().map(|(_, wake)| wake));
    }

    fn peak(&self, id: u32) -> Option<Price> {
        let lane = self.lanes.get(&id)?;
        lane.trail.map_or(lane.peak, |trail| Some(trail.peak))
    }

    fn next_time(&self) -> Option<Timestamp> {
        self.lanes.values().filter(|lane| !lane.is_muted).filter_map(|lane| lane.watch.at).min()
    }
}

#[derive(Debug, Clone)]
enum Op {
    Set(u32, u32, Watch),
    Remove(u32),
    Tick(u32, Price),
    Time(u16),
    Gap(u32),
}

/// Mostly near 100, so that levels are shared and crossed; sometimes a jump or nonsense.
fn prices() -> impl Strategy<Value = Price> {
    prop_oneof![
        40 => (900_i64..1100).prop_map(|tenths| Decimal::new(tenths, 1)),
        4 => (100_i64..3000).prop_map(|tenths| Decimal::new(tenths, 1)),
        1 => (-3_i64..3).prop_map(|units| Decimal::new(units, 0)),
        1 => (1_i64..9).prop_map(|digit| Decimal::new(digit, 9)),
    ]
    .prop_map(Price::new)
}

/// Bounds may lie between grid lines.
fn bounds() -> impl Strategy<Value = Bound> {
    let price = prop_oneof![
        prices(),
        (99_999_999_999_i64..100_000_000_001).prop_map(|n| Price::new(Decimal::new(n, 9))),
    ];
    let urgency = prop_oneof![Just(Urgency::Protect), Just(Urgency::Exit), Just(Urgency::Entry)];
    (price, urgency).prop_map(|(price, urgency)| Bound { price, urgency })
}

fn trails() -> impl Strategy<Value = Trail> {
    let peak = (900_i64..1100).prop_map(|tenths| Price::new(Decimal::new(tenths, 1)));
    let deviation = prop_oneof![0_i64..60, Just(1000)];
    (peak, deviation)
        .prop_map(|(peak, mills)| Trail { peak, deviation: Fraction::new(Decimal::new(mills, 3)) })
}

fn watches() -> impl Strategy<Value = Watch> {
    let at = proptest::option::weighted(0.3, (0_i64..3000).prop_map(Timestamp::from_ms));
    (
        proptest::option::of(bounds()),
        proptest::option::of(bounds()),
        proptest::bool::weighted(0.1),
        at,
        proptest::option::of(trails()),
    )
        .prop_map(|(below, above, any_price, at, trail)| Watch {
            below,
            above,
            any_price,
            at,
            trail,
        })
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => (0_u32..16, 0_u32..2, watches()).prop_map(|(id, on, watch)| Op::Set(id, on, watch)),
        1 => (0_u32..16).prop_map(Op::Remove),
        10 => (0_u32..2, prices()).prop_map(|(on, price)| Op::Tick(on, price)),
        3 => (0_u16..100).prop_map(Op::Time),
        1 => (0_u32..2).prop_map(Op::Gap),
    ];
    proptest::collection::vec(op, 1..120)
}

/// A price strictly inside the band, if the grid has one.
fn inside(index: &Index, instrument: &Instrument) -> Option<Price> {
    let (low, high) = index.band(instrument.id);
    let last = instrument.price_units(index.last(instrument.id)?)?;
    let units = last.max(low?.checked_add(1)?);
    (high.is_none_or(|high| units < high)).then(|| instrument.price_from_units(units))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_index_wakes_whom_the_naive_model_wakes(ops in ops()) {
        let (mut index, mut naive) = (Index::new(CHECKPOINT_EVERY), Naive::default());
        let instruments = [instrument(0), instrument(1)];
        let mut now = Timestamp::from_ms(0);
        for op in ops {
            let (mut got, mut want) = (Vec::new(), Vec::new());
            match op {
                Op::Set(id, on, watch) => {
                    index.set(WatchId::new(id), &instruments[cast::index(on)], watch);
                    naive.set(id, on, watch);
                }
                Op::Remove(id) => {
                    index.remove(WatchId::new(id));
                    naive.lanes.remove(&id);
                }
                Op::Tick(on, price) => {
                    let tick = Tick { instrument: InstrumentId::new(on), price, qty: Qty::ZERO, at: now };
                    let verdict = index.tick(&instruments[cast::index(on)], &tick, &mut got);
                    prop_assert_eq!(verdict, naive.tick(&tick, &mut want));
                }
                Op::Time(ms) => {
                    now = now.plus(Millis::new(u32::from(ms)));
                    index.time(now, &mut got);
                    naive.time(now, &mut want);
                }
                Op::Gap(on) => {
                    index.gap(InstrumentId::new(on));
                    let market = naive.markets.entry(on).or_default();
                    (market.fresh, market.held) = (None, None);
                }
            }
            prop_assert_eq!(got, want);
            for id in 0..16 {
                prop_assert_eq!(index.peak(WatchId::new(id)), naive.peak(id));
            }
            for on in [0, 1] {
                let fresh = naive.markets.get(&on).and_then(|market| market.fresh);
                prop_assert_eq!(index.last(InstrumentId::new(on)), fresh);
            }
            if let Some(at) = naive.next_time() {
                prop_assert!(index.next_time().is_some_and(|next| next <= at));
            }
        }
        for instrument in &instruments {
            if let Some(price) = inside(&index, instrument) {
                let mut wakes = Vec::new();
                let before: Vec<_> = (0..16).map(|id| index.peak(WatchId::new(id))).collect();
                let verdict = index.tick(instrument, &tick(instrument, price, now), &mut wakes);
                prop_assert!(verdict.is_err() || wakes.is_empty());
                let after: Vec<_> = (0..16).map(|id| index.peak(WatchId::new(id))).collect();
                prop_assert_eq!(before, after);
            }
        }
    }
}
