//! An ordered set of levels, the highest of which is known without a look into the tree.

use std::collections::BTreeSet;

/// Levels with the ids that wait at them. Whoever waits for something low negates its levels.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    steps: BTreeSet<(i64, u32)>,
    /// [`Ladder::NOTHING`] when empty.
    top: i64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { steps: BTreeSet::new(), top: Self::NOTHING }
    }
}

impl Ladder {
    /// Below every level.
    pub(super) const NOTHING: i64 = i64::MIN;
    /// A tree node is about seven tenths full and has links beside its keys.
    const BYTES_PER_STEP: usize = size_of::<(i64, u32)>() * 7 / 4;

    pub(super) const fn top(&self) -> i64 {
        self.top
    }

    /// An id whose level is at or above `level`: of those, the highest.
    pub(super) fn reached(&self, level: i64) -> Option<u32> {
        if self.top < level { None } else { self.steps.last().map(|(_, id)| *id) }
    }

    /// Takes out every step at or above `level` and appends its id.
    pub(super) fn take_reached(&mut self, level: i64, ids: &mut Vec<u32>) {
        while level <= self.top {
            let Some((_, id)) = self.steps.pop_last() else { break };
            ids.push(id);
            self.top = self.steps.last().map_or(Self::NOTHING, |(level, _)| *level);
        }
    }

    /// Appends the ids of every step at or above `level`, the highest first.
    pub(super) fn list_reached(&self, level: i64, ids: &mut Vec<u32>) {
        if level <= self.top {
            ids.extend(self.steps.range((level, 0)..).rev().map(|(_, id)| *id));
        }
    }

    /// An id that waits exactly there.
    pub(super) fn find(&self, level: i64) -> Option<u32> {
        self.steps.range((level, 0)..=(level, u32::MAX)).next().map(|(_, id)| *id)
    }

    /// Moves an id between levels; `None` is outside the ladder.
    pub(super) fn change(&mut self, from: Option<i64>, to: Option<i64>, id: u32) {
        if from == to {
            return;
        }
        if let Some(level) = from {
            self.steps.remove(&(level, id));
            if level == self.top {
                self.top = self.steps.last().map_or(Self::NOTHING, |(level, _)| *level);
            }
        }
        if let Some(level) = to {
            self.steps.insert((level, id));
            self.top = self.top.max(level);
        }
    }

    pub(super) fn resident_bytes(&self) -> usize {
        self.steps.len().saturating_mul(Self::BYTES_PER_STEP)
    }
}
