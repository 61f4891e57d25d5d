//! Which points are tried next.
//!
//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl, "Algorithms for
//! Hyper-Parameter Optimization", 2011) on the places of values: the best quarter of what was tried
//! makes one density for each parameter, the rest another, and of some points drawn from the first the
//! one is taken at which their ratio is largest. It looks at whole generations only, so that results do
//! not depend on which try ended first.
#![expect(clippy::float_arithmetic, reason = "it chooses among exact values and makes none")]

use std::collections::BTreeSet;

use super::{Method, Point, Space};
use crate::{generate::rng::Rng, stats::float};

/// Tries of one generation.
pub(super) const GENERATION: u32 = 16;
/// Generations by chance, before there is anything to learn from.
const BLIND: u32 = 2;
const GOOD_SHARE: usize = 4;
const DRAWS: u32 = 24;
/// How often a new point is sought before one that is near is taken.
const PATIENCE: u32 = 1000;

/// A point with its score; more is better, `None` is worst.
pub(super) type Scored = (Point, Option<f64>);

/// The points of a generation. `tried` has those of all generations before, in their order.
pub(super) fn generation(
    (space, method, seed): (&Space, Method, u64),
    number: u32,
    tried: &[Scored],
) -> Vec<Point> {
    let first = u64::from(number) * u64::from(GENERATION);
    match method {
        Method::Grid => {
            let last = space.size().min(first + u64::from(GENERATION));
            (first..last).map(|number| space.point(number)).collect()
        }
        Method::Random | Method::Bayes => {
            let mut known: BTreeSet<Point> = tried.iter().map(|(point, _)| point.clone()).collect();
            let mut rng = Rng::new(seed ^ (u64::from(number) << 32));
            let densities =
                (method == Method::Bayes && BLIND <= number).then(|| Densities::new(space, tried));
            let mut points = Vec::new();
            for _ in 0..GENERATION {
                let Some(point) = fresh(space, densities.as_ref(), &known, &mut rng) else { break };
                known.insert(point.clone());
                points.push(point);
            }
            points
        }
    }
}

/// A point that was not tried. `None` when there is none left.
fn fresh(
    space: &Space,
    densities: Option<&Densities>,
    known: &BTreeSet<Point>,
    rng: &mut Rng,
) -> Option<Point> {
    if space.size() <= tranche_model::cast::count(known.len()) {
        return None;
    }
    for _ in 0..PATIENCE {
        let point = match densities {
            Some(densities) => densities.propose(rng),
            None => by_chance(space, rng),
        };
        if !known.contains(&point) {
            return Some(point);
        }
    }
    // Nearly everything was tried: the next one in order that was not.
    let start = rng.bits() % space.size();
    let mut numbers = (start..space.size()).chain(0..start);
    numbers.find_map(|number| Some(space.point(number)).filter(|point| !known.contains(point)))
}

fn by_chance(space: &Space, rng: &mut Rng) -> Point {
    let counts = space.parameters().iter().map(|parameter| parameter.values.len());
    counts.map(|count| rng.below(u32::try_from(count).unwrap_or(u32::MAX))).collect()
}

/// For each parameter how likely each of its values is among good and among other points.
struct Densities(Vec<(Vec<f64>, Vec<f64>)>);

impl Densities {
    fn new(space: &Space, tried: &[Scored]) -> Self {
        let mut order: Vec<&Scored> = tried.iter().collect();
        // What cannot be scored goes last; equal scores keep their order.
        order.sort_by(|(_, a), (_, b)| {
            b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
        });
        let cut = order.len().div_ceil(GOOD_SHARE);
        let (good, rest) = order.split_at_checked(cut).unwrap_or((&order, &[]));
        let densities = space.parameters().iter().enumerate().map(|(place, parameter)| {
            let of = |points: &[&Scored]| {
                let places: Vec<u32> =
                    points.iter().filter_map(|(point, _)| point.get(place).copied()).collect();
                density(parameter.values.len(), &places)
            };
            (of(good), of(rest))
        });
        Self(densities.collect())
    }

    fn propose(&self, rng: &mut Rng) -> Point {
        let draws = (0..DRAWS).map(|_| {
            let point: Point = self.0.iter().map(|(good, _)| draw(good, rng)).collect();
            let ratio: f64 = point
                .iter()
                .zip(&self.0)
                .map(|(place, (good, rest))| {
                    let place = tranche_model::cast::index(*place);
                    let of = |list: &[f64]| list.get(place).copied().unwrap_or(f64::MIN_POSITIVE);
                    (of(good) / of(rest)).ln()
                })
                .sum();
            (ratio, point)
        });
        let best = draws.max_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map(|(_, point)| point).unwrap_or_default()
    }
}

/// A sum of bells around what was seen, and a little everywhere. Sums to 1.
fn density(count: usize, places: &[u32]) -> Vec<f64> {
    let width = (float::of_count(count) / 8.0).max(0.5);
    let floor = 1.0 / float::of_count(count.max(1));
    let weights = (0..count).map(|value| {
        let bells: f64 = places
            .iter()
            .map(|place| {
                let distance = float::of_count(value) - f64::from(*place);
                (-0.5 * (distance / width) * (distance / width)).exp()
            })
            .sum();
        floor + bells
    });
    let weights: Vec<f64> = weights.collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn draw(density: &[f64], rng: &mut Rng) -> u32 {
    let mut rest = f64::from(rng.below(1 << 24)) / f64::from(1_u32 << 24);
    for (place, weight) in (0..).zip(density) {
        rest -= weight;
        if rest < 0.0 {
            return place;
        }
    }
    u32::try_from(density.len().saturating_sub(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Parameter;

    /// The best that a search finds of a hill whose top is at (17, 4, 11) of 20 values each.
    fn best(method: Method, seed: u64) -> f64 {
        let parameter = |name: &str| Parameter {
            name: name.to_owned(),
            values: (0..20).map(serde_json::Value::from).collect(),
        };
        let space = Space::new(vec![parameter("a"), parameter("b"), parameter("c")]).unwrap();
        let mut tried: Vec<Scored> = Vec::new();
        for number in 0..10 {
            for point in generation((&space, method, seed), number, &tried) {
                let distance = |at: u32, top: i32| (f64::from(at) - f64::from(top)).powi(2);
                let [a, b, c] = point[..] else { panic!("{point:?}") };
                let height = -(distance(a, 17) + distance(b, 4) + distance(c, 11));
                tried.push((point, Some(height)));
            }
        }
        assert_eq!(tried.len(), 160);
        tried.iter().filter_map(|(_, height)| *height).fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn learning_climbs_higher_than_chance() {
        let sum = |method| (0..20).map(|seed| best(method, seed)).sum::<f64>();
        let (learned, chance) = (sum(Method::Bayes), sum(Method::Random));

        // Heights are below zero: at most a third of the distance is left.
        assert!(3.0 * learned > chance, "{learned} {chance}");
    }
}
