//! What the index keeps of one watcher. A million of them must be small.

use tranche_model::{cast, time::Timestamp};

use super::{
    Bound, Cause, Trail, Urgency, Watch,
    units::{self, Units},
};

/// One watcher: its answer in integers, and where to find it in the trees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) below: Option<Units>,
    pub(super) above: Option<Units>,
    /// [`Timestamp::MAX`] is never.
    pub(super) at: Timestamp,
    /// While it trails: the peak that was last told. Afterwards: the last peak.
    pub(super) peak: Option<Units>,
    /// The group in which it trails, or [`Lane::ALONE`].
    pub(super) group: u32,
    /// Parts per billion.
    pub(super) deviation: u32,
    /// The place of its book.
    pub(super) book: u32,
    pub(super) below_urgency: Urgency,
    pub(super) above_urgency: Urgency,
    pub(super) any_price: bool,
    /// Woken, and silent until it answers anew. Its levels stay in the trees: most of them come back
    /// with the next answer, and one that is crossed before that is dropped then.
    pub(super) is_muted: bool,
}

/// All watchers by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes(Vec<Lane>);

/// A cause that a price gives a lane, and how far the price went past its level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    pub(super) cause: Cause,
    pub(super) urgency: Urgency,
    pub(super) overshoot: i64,
}

impl Lane {
    pub(super) const ALONE: u32 = u32::MAX;

    pub(super) const ASLEEP: Self = Self {
        below: None,
        above: None,
        at: Timestamp::MAX,
        peak: None,
        group: Self::ALONE,
        deviation: 0,
        book: u32::MAX,
        below_urgency: Urgency::Entry,
        above_urgency: Urgency::Entry,
        any_price: false,
        is_muted: false,
    };

    /// Everything but the trail, which has to find its group first.
    pub(super) fn new(watch: &Watch, book: u32, scale: u32) -> Self {
        let asleep = Self::ASLEEP;
        Self {
            below: watch.below.and_then(|bound| Units::floor(bound.price, scale)),
            above: watch.above.map(|bound| Units::ceil(bound.price, scale)),
            at: watch.at.unwrap_or(asleep.at),
            book,
            below_urgency: watch.below.map_or(asleep.below_urgency, |bound| bound.urgency),
            above_urgency: watch.above.map_or(asleep.above_urgency, |bound| bound.urgency),
            any_price: watch.any_price,
            ..asleep
        }
    }

    /// The answer again, in prices, with the peak that the trail has reached.
    pub(super) fn watch(&self, peak: Option<Units>, scale: u32) -> Watch {
        let bound = |units: Option<Units>, urgency: Urgency| {
            units.map(|units| Bound { price: units.price(scale), urgency })
        };
        let trail = |peak: Units| Trail {
            peak: peak.price(scale),
            deviation: units::fraction(self.deviation),
        };
        Watch {
            below: bound(self.below, self.below_urgency),
            above: bound(self.above, self.above_urgency),
            any_price: self.any_price,
            at: (self.at != Timestamp::MAX).then_some(self.at),
            trail: peak.filter(|_| self.trails()).map(trail),
        }
    }

    /// Its level in the ladder of lower bounds; every price is below the one of "any price".
    pub(super) fn low_level(&self) -> Option<i64> {
        if self.any_price { Some(Units::MAX.get()) } else { self.below.map(Units::get) }
    }

    /// Its level in the ladder of upper bounds.
    pub(super) fn high_level(&self) -> Option<i64> {
        self.above.map(|units| units.get().saturating_neg())
    }

    pub(super) fn time_level(&self) -> Option<i64> {
        (self.at != Timestamp::MAX).then(|| self.at.ms().saturating_neg())
    }

    pub(super) const fn trails(&self) -> bool {
        self.group != Self::ALONE
    }

    /// The most pressing cause that `price` gives; the first named wins a tie.
    pub(super) fn crossing(
        &self,
        price: Units,
        peak: Option<Units>,
        scale: u32,
    ) -> Option<Crossing> {
        let price = price.get();
        let passed = |cause: Cause, urgency: Urgency, overshoot: i64| {
            (0 <= overshoot).then_some(Crossing { cause, urgency, overshoot })
        };
        let below = self.below.and_then(|bound| {
            passed(Cause::Below, self.below_urgency, bound.get().saturating_sub(price))
        });
        let above = self.above.and_then(|bound| {
            passed(Cause::Above, self.above_urgency, price.saturating_sub(bound.get()))
        });
        let fallen = peak.filter(|peak| price <= peak.trigger(self.deviation));
        let retraced = fallen.and_then(|peak| {
            let cause = Cause::Retraced { peak: peak.price(scale) };
            passed(cause, cause.urgency(), peak.trigger(self.deviation).saturating_sub(price))
        });
        let any = self.any_price.then_some(Cause::AnyPrice);
        let any = any.and_then(|cause| passed(cause, cause.urgency(), 0));
        [below, above, retraced, any].into_iter().flatten().min_by_key(|crossing| crossing.urgency)
    }
}

impl Lanes {
    pub(super) fn get(&self, id: u32) -> Option<&Lane> {
        self.0.get(cast::index(id))
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Lane> {
        self.0.get_mut(cast::index(id))
    }

    /// How many of them are not muted. To count them before each is seen to is what makes a burst cheap:
    /// their rows lie far apart, and a short loop lets the memory of many come at the same time.
    pub(super) fn awake(&self, ids: &[u32]) -> usize {
        ids.iter().filter(|id| self.get(**id).is_some_and(|lane| !lane.is_muted)).count()
    }

    /// The ids that last answered for a book, awake or asleep.
    pub(super) fn of_book(&self, book: u32) -> Vec<u32> {
        let ids = 0..cast::u32_saturating(self.0.len());
        ids.zip(&self.0).filter(|(_, lane)| lane.book == book).map(|(id, _)| id).collect()
    }

    /// Stores the lane of a new or a known id.
    pub(super) fn put(&mut self, id: u32, lane: Lane) {
        let place = cast::index(id);
        if self.0.len() <= place {
            self.0.resize(place.saturating_add(1), Lane::ASLEEP);
        }
        if let Some(known) = self.0.get_mut(place) {
            *known = lane;
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        self.0.capacity().saturating_mul(size_of::<Lane>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_stays_small() {
        assert!(size_of::<Lane>() <= 48, "{}", size_of::<Lane>());
    }
}
