//! What chance would have made of the same market: entries at random moments.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use super::{deals::Deal, equity::Marks, float};
use crate::generate::rng::Rng;

/// How often the dice are thrown.
pub const RUNS: usize = 300;

/// The profit of the bot beside that of as many buys at random hours, each held as long as one of the
/// bot's deals and as large, with the same fees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    pub mean: f64,
    pub deviation: f64,
    /// The share of random runs that made at least as much.
    pub share_better: f64,
    /// (bot − mean) / deviation.
    pub score: Option<f64>,
}

/// `None` without deals or with less than two hours of prices. The same seed gives the same dice.
pub fn random_entries(deals: &[Deal], marks: &Marks, seed: u64) -> Option<Baseline> {
    let (times, prices) = (marks.times(), marks.first_prices());
    let last = u32::try_from(times.len()).ok()?.checked_sub(1).filter(|last| 0 < *last)?;
    let made: f64 = deals.iter().map(|deal| deal.profit).sum();
    if deals.is_empty() {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut profits = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let mut profit = 0.0;
        for deal in deals {
            let held = deal.closed_at.ms().saturating_sub(deal.opened_at.ms());
            let hours = held.div_euclid(super::equity::HOUR_MS).max(1);
            let hours = u32::try_from(hours).unwrap_or(u32::MAX).min(last);
            let entry = rng.below(last.saturating_sub(hours).saturating_add(1));
            let price = |place: u32| {
                let place = tranche_model::cast::index(place);
                prices.get(place).copied().unwrap_or(f64::NAN)
            };
            let growth = price(entry.saturating_add(hours)) / price(entry) - 1.0;
            profit += deal.bought * growth - deal.fees;
        }
        profits.push(profit);
    }
    let mean = float::mean(&profits)?;
    let deviation = float::deviation(&profits)?;
    let better = profits.iter().filter(|profit| made <= **profit).count();
    Some(Baseline {
        mean,
        deviation,
        share_better: float::ratio(float::of_count(better), float::of_count(RUNS))?,
        score: float::ratio(made - mean, deviation),
    })
}
