//! A tree of minima and maxima over candles: finds the next one that reaches a price without looking
//! at those between.

/// Candles at the leaves are taken together in blocks of this size.
const BLOCK: usize = 16;

/// Holds the inner nodes; the columns stay with their owner and are handed in.
#[derive(Debug, Clone)]
pub(super) struct Extremes {
    /// Level 0 holds (minimum, maximum) of each block, the next one of each pair of blocks, and so on
    /// up to a single node.
    levels: Vec<Vec<(i64, i64)>>,
}

impl Extremes {
    /// Over the lows and highs of candles, as many of each.
    pub(super) fn new(lows: &[i64], highs: &[i64]) -> Self {
        let block = |(lows, highs): (&[i64], &[i64])| {
            (
                lows.iter().copied().min().unwrap_or(i64::MAX),
                highs.iter().copied().max().unwrap_or(i64::MIN),
            )
        };
        let blocks = lows.chunks(BLOCK).zip(highs.chunks(BLOCK)).map(block).collect::<Vec<_>>();
        let mut levels = vec![blocks];
        while let Some(last) = levels.last().filter(|last| 1 < last.len()) {
            let pair = |pair: &[(i64, i64)]| {
                pair.iter()
                    .fold((i64::MAX, i64::MIN), |(low, high), (l, h)| (low.min(*l), high.max(*h)))
            };
            levels.push(last.chunks(2).map(pair).collect());
        }
        Self { levels }
    }

    /// The first candle from `from` on whose low is at or below `low`, or high at or above `high`. The
    /// columns are those that the tree was built over.
    pub(super) fn next(
        &self,
        columns: (&[i64], &[i64]),
        from: usize,
        (low, high): (i64, i64),
    ) -> Option<usize> {
        let in_block = |block: usize, from: usize| {
            let to = ((block + 1) * BLOCK).min(columns.0.len());
            let lows = columns.0.get(from..to)?.iter();
            let highs = columns.1.get(from..to)?;
            let reached = lows.zip(highs).position(|(l, h)| *l <= low || high <= *h)?;
            Some(from + reached)
        };
        let block = from / BLOCK;
        if let Some(place) = in_block(block, from) {
            return Some(place);
        }
        let block = self.next_block(block + 1, low, high)?;
        in_block(block, block * BLOCK)
    }

    /// Climbs while the node at hand holds nothing, then descends to the first block that does.
    fn next_block(&self, from: usize, low: i64, high: i64) -> Option<usize> {
        let reaches = |level: usize, node: usize| {
            let node = self.levels.get(level).and_then(|nodes| nodes.get(node));
            node.is_some_and(|(l, h)| *l <= low || high <= *h)
        };
        let (mut level, mut node) = (0, from);
        loop {
            if self.levels.get(level)?.len() <= node {
                return None;
            }
            if reaches(level, node) {
                break;
            }
            // The next node to the right; where a pair is done, its parent's neighbour.
            node += 1;
            while node.is_multiple_of(2) && level + 1 < self.levels.len() {
                node /= 2;
                level += 1;
            }
        }
        while 0 < level {
            level -= 1;
            node *= 2;
            if !reaches(level, node) {
                node += 1;
            }
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_search_finds_what_looking_at_each_finds() {
        // A long walk with a fixed rule for its steps.
        let mut state = 7_u64;
        let mut price = 10_000_i64;
        let candles: Vec<(i64, i64)> = (0..5_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                price += i64::try_from(state >> 60).unwrap() - 7;
                (price - 3, price + 3)
            })
            .collect();
        let (lows, highs): (Vec<_>, Vec<_>) = candles.iter().copied().unzip();
        let extremes = Extremes::new(&lows, &highs);
        for from in (0..5_001).step_by(37) {
            for gap in [1, 5, 20, 80, 300, 100_000] {
                let at = candles.get(from).map_or(0, |(low, _)| *low);
                let (low, high) = (at - gap, at + gap);
                let want = candles
                    .iter()
                    .skip(from)
                    .position(|(l, h)| *l <= low || high <= *h)
                    .map(|offset| from + offset);
                let found = extremes.next((&lows, &highs), from, (low, high));
                assert_eq!(found, want, "{from} {gap}");
            }
        }
    }
}
