//! Measured numbers by name, and what is said of times.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, Value>);

impl Figures {
    pub(crate) fn put(&mut self, name: String, value: f64) {
        println!("{name:<44} {value:>14.3}");
        self.0.insert(name, value.into());
    }

    pub(crate) fn note(&mut self, name: &str, text: &str) {
        self.0.insert(name.to_owned(), text.into());
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap()
    }
}

pub(crate) fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}

/// Nanoseconds of single runs.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn push(&mut self, since: Instant) {
        self.add(nanos(since));
    }

    pub(crate) fn add(&mut self, nanos: f64) {
        self.0.push(nanos);
    }

    /// What looking at the clock takes by itself.
    pub(crate) fn of_clock() -> f64 {
        let mut times = Self::default();
        for _ in 0..10_000 {
            times.push(Instant::now());
        }
        times.quantile(0.5)
    }

    pub(crate) fn sum(&self) -> f64 {
        self.0.iter().sum()
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum() / self.0.len().max(1) as f64
    }

    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or(0.0)
    }

    /// The mean without the slowest hundredth, in which something else had the processor.
    pub(crate) fn steady_mean(&self) -> f64 {
        let bound = self.quantile(0.99);
        let steady: Vec<f64> = self.0.iter().copied().filter(|time| *time <= bound).collect();
        steady.iter().sum::<f64>() / steady.len().max(1) as f64
    }
}

/// The slope of the line through the logarithms of (bots, cost): 0 is constant, 1 is linear.
pub(crate) fn slope(points: &[(usize, f64)]) -> f64 {
    let logs = points.iter().map(|(bots, cost)| ((*bots as f64).ln(), cost.max(1.0).ln()));
    let logs: Vec<(f64, f64)> = logs.collect();
    let count = logs.len() as f64;
    let (mean_x, mean_y) =
        logs.iter().fold((0.0, 0.0), |(x, y), log| (x + log.0 / count, y + log.1 / count));
    let (above, below) = logs.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - mean_x) * (y - mean_y), below + (x - mean_x) * (x - mean_x))
    });
    above / below
}

/// Chance from a seed, the same in each run.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    /// From 0 to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
