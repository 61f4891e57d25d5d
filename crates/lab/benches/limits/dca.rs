//! The speed limit of a DCA backtest: the bare arithmetic of the same deals on integers and floats.
//!
//! A deal opens at the open of a candle; safety orders of a candle come before its take profit; the
//! next deal opens at the open of the next candle. No filters, no books, no journal.

use tranche_lab::candles::Columns;

/// The settings of the bot that `ours` runs too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) base: f64,
    pub(crate) safety: f64,
    pub(crate) count: usize,
    pub(crate) step: f64,
    pub(crate) volume_scale: f64,
    pub(crate) take_profit: f64,
    pub(crate) fee: f64,
}

impl Config {
    /// The bot of the benchmarks.
    pub(crate) const fn of_bench() -> Self {
        Self {
            base: 100.0,
            safety: 100.0,
            count: 5,
            step: 0.015,
            volume_scale: 1.5,
            take_profit: 0.015,
            fee: 0.001,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) deals: u64,
    pub(crate) fills: u64,
    pub(crate) profit: f64,
}

/// An open deal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deal {
    qty: f64,
    cost: f64,
    taken: usize,
    prices: [i64; 8],
    qtys: [f64; 8],
    take_profit: i64,
    next: i64,
}

impl Deal {
    pub(crate) fn open(price: i64, tick: f64, config: &Config) -> Self {
        let exact = price as f64 * tick;
        let (prices, qtys) = ([0; 8], [0.0; 8]);
        let (qty, cost) = (config.base / exact, config.base);
        let mut deal = Self { qty, cost, taken: 0, prices, qtys, take_profit: 0, next: i64::MIN };
        let (mut away, mut volume) = (0.0, config.safety);
        for level in 0..config.count {
            away += config.step;
            deal.prices[level] = (exact * (1.0 - away) / tick).floor() as i64;
            deal.qtys[level] = volume / (deal.prices[level] as f64 * tick);
            volume *= config.volume_scale;
        }
        deal.aim(tick, config);
        deal
    }

    /// The next safety order is filled: the position grows and the take profit moves.
    pub(crate) fn fill(&mut self, tick: f64, config: &Config) {
        self.cost += self.qtys[self.taken] * self.prices[self.taken] as f64 * tick;
        self.qty += self.qtys[self.taken];
        self.taken += 1;
        self.aim(tick, config);
    }

    fn aim(&mut self, tick: f64, config: &Config) {
        let fees = (1.0 + config.fee) / (1.0 - config.fee);
        let price = self.cost / self.qty * (1.0 + config.take_profit) * fees;
        self.take_profit = (price / tick).ceil() as i64;
        self.next = if self.taken < config.count { self.prices[self.taken] } else { i64::MIN };
    }

    fn close(&self, tick: f64, config: &Config, outcome: &mut Outcome) {
        let got = self.qty * self.take_profit as f64 * tick;
        outcome.profit += got - self.cost - config.fee * (got + self.cost);
        outcome.deals += 1;
        outcome.fills += 1;
    }
}

/// Looks at every candle.
pub(crate) fn scan(columns: &Columns, config: &Config) -> Outcome {
    walk(columns, config, |_, _, place| place)
}

/// Looks only at candles that reach an order.
pub(crate) fn jump(columns: &Columns, tree: &Tree, config: &Config) -> Outcome {
    walk(columns, config, |low, high, place| tree.next(columns, place, low, high))
}

/// `next` gives the first candle worth a look from a place on.
fn walk(columns: &Columns, config: &Config, next: impl Fn(i64, i64, usize) -> usize) -> Outcome {
    let tick = 0.1_f64.powi(columns.scale as i32);
    let mut outcome = Outcome::default();
    let mut place = 0;
    while place < columns.len() {
        let mut deal = Deal::open(columns.open[place], tick, config);
        outcome.fills += 1;
        loop {
            place = next(deal.next, deal.take_profit, place);
            if columns.len() <= place {
                break;
            }
            let (low, high) = (columns.low[place], columns.high[place]);
            place += 1;
            if low <= deal.next {
                while low <= deal.next {
                    deal.fill(tick, config);
                    outcome.fills += 1;
                }
            } else if deal.take_profit <= high {
                deal.close(tick, config, &mut outcome);
                break;
            }
        }
    }
    outcome
}

/// Minima and maxima over blocks of candles, and over pairs of those.
#[derive(Debug)]
pub(crate) struct Tree {
    leaves: usize,
    lows: Vec<i64>,
    highs: Vec<i64>,
}

const BLOCK: usize = 16;

impl Tree {
    pub(crate) fn new(columns: &Columns) -> Self {
        let blocks = columns.len().div_ceil(BLOCK);
        let leaves = blocks.next_power_of_two();
        let (mut lows, mut highs) = (vec![i64::MAX; 2 * leaves], vec![i64::MIN; 2 * leaves]);
        for (place, block) in columns.low.chunks(BLOCK).enumerate() {
            lows[leaves + place] = block.iter().copied().fold(i64::MAX, i64::min);
        }
        for (place, block) in columns.high.chunks(BLOCK).enumerate() {
            highs[leaves + place] = block.iter().copied().fold(i64::MIN, i64::max);
        }
        for node in (1..leaves).rev() {
            lows[node] = lows[2 * node].min(lows[2 * node + 1]);
            highs[node] = highs[2 * node].max(highs[2 * node + 1]);
        }
        Self { leaves, lows, highs }
    }

    /// The first candle from `from` on that reaches `low` or `high`, or one behind the last.
    fn next(&self, columns: &Columns, from: usize, low: i64, high: i64) -> usize {
        let reaches = |place: &usize| columns.low[*place] <= low || high <= columns.high[*place];
        let count = columns.len();
        let end = (from / BLOCK + 1).saturating_mul(BLOCK).min(count);
        if let Some(place) = (from..end).find(reaches) {
            return place;
        }
        if count <= end {
            return count;
        }
        let has = |node: usize| self.lows[node] <= low || high <= self.highs[node];
        let mut node = self.leaves + end / BLOCK;
        while !has(node) {
            // To the next subtree on the right; there is none behind the last power of two.
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return count;
            }
            node += 1;
            if node.is_power_of_two() {
                return count;
            }
        }
        while node < self.leaves {
            node = if has(2 * node) { 2 * node } else { 2 * node + 1 };
        }
        ((node - self.leaves) * BLOCK..count).find(reaches).unwrap_or(count)
    }
}
