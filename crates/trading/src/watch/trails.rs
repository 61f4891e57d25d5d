//! The trailing lanes of one instrument.
//!
//! Lanes with the same running maximum form a group, so that a new high moves one number instead of
//! every lane. A new high joins all groups that it overtakes, the small ones into the largest: a lane
//! is moved at most log₂(lanes) times before it is alone with its peak again.

use std::collections::BTreeSet;

use tranche_model::cast;

use super::{
    ladder::Ladder,
    lane::{Lane, Lanes},
    units::Units,
};

/// All groups of an instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Trails {
    groups: Vec<Group>,
    /// Places in `groups` to use again.
    free: Vec<u32>,
    /// Places by peak, the lowest on top.
    peaks: Ladder,
    /// Places by the highest price that fires one of the lanes.
    triggers: Ladder,
    /// Groups whose peak rose since their lanes were told.
    risen: BTreeSet<u32>,
    /// The groups of which a lane fires; kept for its memory.
    fired: Vec<u32>,
}

/// Lanes that share a running maximum.
#[derive(Debug, Clone)]
struct Group {
    peak: Units,
    /// By deviation: the first one fires first.
    lanes: BTreeSet<(u32, u32)>,
}

impl Group {
    fn peak_level(&self) -> i64 {
        self.peak.get().saturating_neg()
    }

    fn trigger(&self) -> Option<i64> {
        self.lanes.first().map(|(deviation, _)| self.peak.trigger(*deviation))
    }

    /// Takes out the lanes that fire at this price and appends them.
    fn take_fired(&mut self, price: i64, ids: &mut Vec<u32>) {
        while self.trigger().is_some_and(|trigger| price <= trigger) {
            ids.extend(self.lanes.pop_first().map(|(_, id)| id));
        }
    }
}

impl Trails {
    /// Whether the price fires nobody and is no new high for anybody.
    pub(super) const fn is_quiet(&self, price: i64) -> bool {
        self.triggers.top() < price && !self.rises(price)
    }

    /// Whether the price is above some peak.
    pub(super) const fn rises(&self, price: i64) -> bool {
        price.saturating_neg() < self.peaks.top()
    }

    /// The highest price that fires a lane; [`Ladder::NOTHING`] when none trails.
    pub(super) const fn trigger(&self) -> i64 {
        self.triggers.top()
    }

    /// The lowest price that is a new high for a lane.
    pub(super) fn next_high(&self) -> Option<i64> {
        let lowest = self.peaks.top();
        (lowest != Ladder::NOTHING).then(|| lowest.saturating_neg().saturating_add(1))
    }

    /// Takes out the lanes that fire at this price and appends them. An emptied group is closed, and
    /// keeps its peak until the place is used again.
    pub(super) fn take_retraced(&mut self, price: i64, ids: &mut Vec<u32>) {
        let mut fired = std::mem::take(&mut self.fired);
        self.triggers.list_reached(price, &mut fired);
        // Counted first, as in [`Lanes::awake`].
        let trigger = |place: &&u32| self.group(**place).and_then(Group::trigger);
        ids.reserve(fired.iter().filter(|place| trigger(place).is_some()).count());
        for place in fired.drain(..) {
            self.edit(place, |group| group.take_fired(price, ids));
            if self.group(place).is_some_and(|group| group.lanes.is_empty()) {
                self.close(place);
            }
        }
        self.fired = fired;
    }

    pub(super) fn peak(&self, place: u32) -> Option<Units> {
        self.group(place).map(|group| group.peak)
    }

    /// Adds a lane to the group of its peak.
    pub(super) fn join(&mut self, id: u32, lane: &mut Lane, peak: Units) {
        let place = self.peaks.find(peak.get().saturating_neg()).unwrap_or_else(|| self.open(peak));
        lane.group = place;
        lane.peak = Some(peak);
        let deviation = lane.deviation;
        self.edit(place, |group| group.lanes.insert((deviation, id)));
    }

    /// Takes a lane out; the lane keeps the peak that it reached.
    pub(super) fn leave(&mut self, id: u32, lane: &mut Lane) {
        let (place, deviation) = (lane.group, lane.deviation);
        lane.group = Lane::ALONE;
        lane.peak = self.peak(place);
        self.edit(place, |group| group.lanes.remove(&(deviation, id)));
        if self.group(place).is_some_and(|group| group.lanes.is_empty()) {
            self.close(place);
        }
    }

    /// Lifts every peak below `high` to it.
    pub(super) fn rise(&mut self, high: Units, lanes: &mut Lanes) {
        let mut largest = None;
        while let Some(place) = self.peaks.reached(high.get().saturating_neg()) {
            self.unlist(place);
            largest = match largest {
                None => Some(place),
                Some(other) => Some(self.merge(other, place, lanes)),
            };
        }
        let Some(place) = largest else { return };
        if let Some(group) = self.group_mut(place) {
            group.peak = high;
        }
        self.list(place);
        self.risen.insert(place);
    }

    /// Appends the lanes whose peak rose since it was last told, and counts it as told.
    pub(super) fn take_risen(&mut self, lanes: &mut Lanes, told: &mut Vec<(u32, Units)>) {
        while let Some(place) = self.risen.pop_first() {
            let Some(group) = self.group(place) else { continue };
            for (_, id) in &group.lanes {
                let Some(lane) = lanes.get_mut(*id) else { continue };
                if !lane.is_muted && lane.peak < Some(group.peak) {
                    lane.peak = Some(group.peak);
                    told.push((*id, group.peak));
                }
            }
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        let lanes: usize = self.groups.iter().map(|group| group.lanes.len()).sum();
        let groups = self.groups.capacity().saturating_mul(size_of::<Group>());
        let ladders = self.peaks.resident_bytes().saturating_add(self.triggers.resident_bytes());
        groups.saturating_add(ladders).saturating_add(lanes.saturating_mul(14))
    }

    fn group(&self, place: u32) -> Option<&Group> {
        self.groups.get(cast::index(place))
    }

    fn group_mut(&mut self, place: u32) -> Option<&mut Group> {
        self.groups.get_mut(cast::index(place))
    }

    /// A new, empty group.
    fn open(&mut self, peak: Units) -> u32 {
        let group = Group { peak, lanes: BTreeSet::new() };
        let place = self.free.pop().unwrap_or_else(|| cast::u32_saturating(self.groups.len()));
        match self.group_mut(place) {
            Some(unused) => *unused = group,
            None => self.groups.push(group),
        }
        self.list(place);
        place
    }

    /// Gives back an empty group.
    fn close(&mut self, place: u32) {
        self.unlist(place);
        self.risen.remove(&place);
        self.free.push(place);
    }

    /// Changes the lanes of a group and moves its trigger along.
    fn edit<T>(&mut self, place: u32, change: impl FnOnce(&mut Group) -> T) {
        let Some(group) = self.groups.get_mut(cast::index(place)) else { return };
        let before = group.trigger();
        change(group);
        self.triggers.change(before, group.trigger(), place);
    }

    fn list(&mut self, place: u32) {
        let Some(group) = self.groups.get(cast::index(place)) else { return };
        self.peaks.change(None, Some(group.peak_level()), place);
        self.triggers.change(None, group.trigger(), place);
    }

    fn unlist(&mut self, place: u32) {
        let Some(group) = self.groups.get(cast::index(place)) else { return };
        self.peaks.change(Some(group.peak_level()), None, place);
        self.triggers.change(group.trigger(), None, place);
    }

    /// Joins two groups that are in no ladder and returns the one that is left.
    fn merge(&mut self, one: u32, other: u32, lanes: &mut Lanes) -> u32 {
        let size = |place| self.group(place).map_or(0, |group| group.lanes.len());
        let (large, small) = if size(one) < size(other) { (other, one) } else { (one, other) };
        let moved = self.group_mut(small).map(|group| std::mem::take(&mut group.lanes));
        if let Some(group) = self.group_mut(large) {
            for (deviation, id) in moved.unwrap_or_default() {
                group.lanes.insert((deviation, id));
                if let Some(lane) = lanes.get_mut(id) {
                    lane.group = large;
                }
            }
        }
        self.risen.remove(&small);
        self.free.push(small);
        large
    }
}
