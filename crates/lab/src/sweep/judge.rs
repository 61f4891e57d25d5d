//! The best of a sweep, and what speaks against them.
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use std::collections::BTreeMap;

use tranche_model::time::Timestamp;

use super::{
    Outcome, Point, Scene, Span,
    piece::{self, Detail},
    work::score,
};
use crate::stats::{
    Better,
    baseline::{Baseline, random_entries},
    float,
};

/// Fewer deals prove little.
const DEALS_MIN: f64 = 100.0;
/// How many deals earn which grade: at least so many would show a true win rate to within 5, 6, 7 …
/// per cent (the scale is Gainium's).
const GRADES: [(&str, f64); 6] =
    [("A+", 385.0), ("A", 273.0), ("B", 208.0), ("C", 164.0), ("D", 133.0), ("E", 107.0)];
/// A share of random runs that did as well, from which on luck explains a result.
const LUCK_MAX: f64 = 0.05;
/// What a value may lose, of itself, before it is said.
const LOSS_MAX: f64 = 0.5;

/// The outcome of a sweep.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The best first.
    pub ranked: Vec<Ranked>,
    pub folds: Vec<Fold>,
    /// Tries whose settings cannot be run.
    pub refused: u32,
    pub tries: u32,
}

/// One of the best.
#[derive(Debug, Clone)]
pub struct Ranked {
    pub number: u32,
    pub point: Point,
    pub settings: Vec<(String, String)>,
    pub training: Span,
    pub holdout: Option<Span>,
    pub neighbours: Option<Neighbours>,
    pub baseline: Option<Baseline>,
    pub grade: &'static str,
    /// In words, what speaks against it.
    pub doubts: Vec<String>,
}

/// The metric of settings one step beside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbours {
    pub count: usize,
    pub mean: f64,
    pub worst: f64,
}

/// One step of a walk-forward.
#[derive(Debug, Clone)]
pub struct Fold {
    pub from: Timestamp,
    /// Where the choice ends and the trial begins.
    pub cut: Timestamp,
    pub to: Timestamp,
    pub number: u32,
    pub settings: Vec<(String, String)>,
    pub chosen: Option<f64>,
    /// The same settings on the stretch after.
    pub tried: Option<f64>,
}

/// Ranks what was tried and looks at the best `count` more closely.
pub fn judge(scene: &Scene<'_>, outcomes: &BTreeMap<u32, Outcome>, count: usize) -> Judged {
    let refused = outcomes.values().filter(|outcome| outcome.result.is_err()).count();
    let order = order(scene, outcomes, 0);
    let by_point: BTreeMap<&Point, &Outcome> =
        outcomes.values().map(|outcome| (&outcome.point, outcome)).collect();
    let ranked = order.into_iter().take(count);
    let ranked = ranked.filter_map(|outcome| rank(scene, outcome, &by_point)).collect();
    Judged {
        ranked,
        folds: folds(scene, outcomes),
        refused: u32::try_from(refused).unwrap_or(u32::MAX),
        tries: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
    }
}

/// The best first; equal ones by their number.
fn order<'a>(
    scene: &Scene<'_>,
    outcomes: &'a BTreeMap<u32, Outcome>,
    window: usize,
) -> Vec<&'a Outcome> {
    let mut list: Vec<(f64, &Outcome)> = outcomes
        .values()
        .filter_map(|outcome| Some((score(scene, outcome, window)?, outcome)))
        .collect();
    list.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.number.cmp(&other.number)));
    list.into_iter().map(|(_, outcome)| outcome).collect()
}

fn rank(
    scene: &Scene<'_>,
    outcome: &Outcome,
    by_point: &BTreeMap<&Point, &Outcome>,
) -> Option<Ranked> {
    let training = outcome.result.as_ref().ok()?.first()?.clone();
    let config = scene.study.config(&outcome.point).ok()?;
    let whole: Option<Detail> = piece::detail(scene, &config, &scene.training).ok();
    let baseline = whole
        .as_ref()
        .and_then(|detail| random_entries(&detail.deals, &scene.training.marks, scene.study.seed));
    let holdout = scene.holdout.as_ref().and_then(|window| {
        piece::detail(scene, &config, window).ok().map(|detail| Span::of(&detail))
    });
    let neighbours = neighbours(scene, &outcome.point, by_point);
    let deals = training.value("deals").unwrap_or(0.0);
    let grade = GRADES.iter().find(|(_, least)| *least < deals).map_or("F", |(name, _)| name);
    let mut ranked = Ranked {
        number: outcome.number,
        point: outcome.point.clone(),
        settings: scene.named(&outcome.point),
        training,
        holdout,
        neighbours,
        baseline,
        grade,
        doubts: Vec::new(),
    };
    ranked.doubts = doubts(scene, &ranked, deals);
    Some(ranked)
}

/// Those that were not tried are tried now.
fn neighbours(
    scene: &Scene<'_>,
    point: &Point,
    by_point: &BTreeMap<&Point, &Outcome>,
) -> Option<Neighbours> {
    let points = scene.study.space.neighbours(point);
    let values = points.iter().filter_map(|point| {
        let span = if let Some(outcome) = by_point.get(point) {
            outcome.result.as_ref().ok()?.first()?.clone()
        } else {
            let config = scene.study.config(point).ok()?;
            Span::of(&piece::detail(scene, &config, &scene.training).ok()?)
        };
        span.value(scene.metric.key)
    });
    let values: Vec<f64> = values.collect();
    let worst = match scene.metric.better {
        Better::High => values.iter().copied().min_by(f64::total_cmp),
        Better::Low => values.iter().copied().max_by(f64::total_cmp),
    };
    Some(Neighbours { count: values.len(), mean: float::mean(&values)?, worst: worst? })
}

fn doubts(scene: &Scene<'_>, ranked: &Ranked, deals: f64) -> Vec<String> {
    let mut doubts = Vec::new();
    let key = scene.metric.key;
    let own = ranked.training.value(key);
    if deals < DEALS_MIN {
        doubts.push(format!("only {deals} deals: fewer than {DEALS_MIN} prove little"));
    }
    let falls = |value: Option<f64>| match (own, value) {
        (Some(own), Some(value)) => {
            let loss = match scene.metric.better {
                Better::High => own - value,
                Better::Low => value - own,
            };
            LOSS_MAX * own.abs() < loss
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    if scene.metric.unit != crate::stats::Unit::Quote
        && scene.metric.unit != crate::stats::Unit::Count
        && let Some(holdout) = &ranked.holdout
        && falls(holdout.value(key))
    {
        doubts
            .push("loses more than half of its value on the candles that were held out".to_owned());
    }
    if let Some(holdout) = ranked.holdout.as_ref().and_then(|span| span.value("total_return"))
        && holdout < 0.0
    {
        doubts.push("loses money on the candles that were held out".to_owned());
    }
    if ranked.neighbours.is_some_and(|beside| falls(Some(beside.mean))) {
        doubts.push("settings one step beside are less than half as good: a lucky peak".to_owned());
    }
    if ranked.baseline.is_some_and(|baseline| LUCK_MAX < baseline.share_better) {
        doubts.push("entries at random hours often do as well".to_owned());
    }
    if ranked.training.value("alpha").is_some_and(|alpha| alpha < 0.0) {
        doubts.push("buying and holding would have made more".to_owned());
    }
    doubts
}

fn folds(scene: &Scene<'_>, outcomes: &BTreeMap<u32, Outcome>) -> Vec<Fold> {
    let pairs = scene.stretches.windows(2).enumerate().filter_map(|(place, pair)| {
        let [chosen_on, tried_on] = pair else { return None };
        // The first window is the whole training range.
        let window = place.saturating_add(1);
        let best = order(scene, outcomes, window).into_iter().next()?;
        let config = scene.study.config(&best.point).ok()?;
        let tried = piece::detail(scene, &config, tried_on).ok();
        let spans = best.result.as_ref().ok()?;
        Some(Fold {
            from: chosen_on.range.from,
            cut: tried_on.range.from,
            to: tried_on.range.to,
            number: best.number,
            settings: scene.named(&best.point),
            chosen: spans.get(window).and_then(|span| span.value(scene.metric.key)),
            tried: tried.and_then(|detail| scene.metric.of(&detail.figures)),
        })
    });
    pairs.collect()
}
