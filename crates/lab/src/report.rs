//! What a run or a sweep is shown as: one JSON value, and one HTML file that holds everything it needs.

mod page;
mod sections;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use self::page::page;
use self::sections::{deal_rows, depth, equity_points, hold_points, months, pair};
use crate::{
    stats::{METRICS, Unit, equity::Marks},
    sweep::{Detail, Judged, Outcome, Scene},
    trial::Market,
};

/// What is said of a run beside its figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    pub title: String,
    pub subtitle: String,
    /// What a reader has to know before believing: gaps, ambiguous candles, derived rules.
    pub notes: Vec<String>,
    /// Name and value, in order.
    pub settings: Vec<(String, String)>,
    pub quote: String,
}

/// The whole report, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Raised when a field changes its meaning.
    version: u32,
    title: String,
    subtitle: String,
    notes: Vec<String>,
    quote: String,
    is_backtest: bool,
    metrics: Vec<MetricRow>,
    /// Milliseconds since 1970 and worth.
    equity: Vec<(i64, f64)>,
    hold: Vec<(i64, f64)>,
    pairs: Vec<PairRow>,
    deals: Vec<DealRow>,
    depth: Vec<DepthRow>,
    months: Vec<MonthRow>,
    settings: Vec<(String, String)>,
    sweep: Option<SweepRows>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct MetricRow {
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    formula: &'static str,
    value: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct PairRow {
    name: String,
    /// How long a bar is, in words.
    bar: String,
    /// Digits after the point of prices.
    digits: u32,
    /// Time, open, high, low, close.
    candles: Vec<(i64, f64, f64, f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct DealRow {
    number: u32,
    pair: u32,
    opened: i64,
    closed: Option<i64>,
    ended: String,
    safeties: u16,
    bought: f64,
    profit: f64,
    fees: f64,
    mae: Option<f64>,
    mfe: Option<f64>,
    #[serde(rename = "maeQuote")]
    mae_quote: Option<f64>,
    #[serde(rename = "mfeQuote")]
    mfe_quote: Option<f64>,
    fills: Vec<FillRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct FillRow {
    at: i64,
    buy: bool,
    level: Option<u16>,
    price: f64,
    qty: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct DepthRow {
    level: u16,
    /// Deals that bought so many safety orders and no more.
    deals: u64,
    /// Spent on this level by all deals.
    funds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct MonthRow {
    month: String,
    change: Option<f64>,
    profit: f64,
    deals: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct SweepRows {
    metric: &'static str,
    unit: &'static str,
    better: &'static str,
    tries: u32,
    refused: u32,
    parameters: Vec<ParameterRow>,
    /// Each point with its value on the training range.
    points: Vec<(Vec<u32>, Option<f64>)>,
    ranked: Vec<RankedRow>,
    folds: Vec<FoldRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ParameterRow {
    name: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct RankedRow {
    settings: Vec<(String, String)>,
    value: Option<f64>,
    holdout: Option<f64>,
    beside: Option<f64>,
    deals: f64,
    grade: &'static str,
    luck: Option<f64>,
    doubts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct FoldRow {
    from: i64,
    cut: i64,
    settings: Vec<(String, String)>,
    chosen: Option<f64>,
    tried: Option<f64>,
}

const VERSION: u32 = 1;

impl Report {
    /// Of one run. Deals whose candles were not looked at yet are looked at here.
    pub fn of_run(words: Words, market: &Market, marks: &Marks, detail: &Detail) -> Self {
        let interval = market.interval();
        let mut deals = detail.deals.clone();
        for deal in &mut deals {
            let place = usize::try_from(deal.instrument.get()).unwrap_or(usize::MAX);
            if let Some(file) = market.files.get(place) {
                deal.look_at(&file.candles, interval);
            }
        }
        let pairs = market.instruments.iter().zip(&market.files);
        let metrics = METRICS.iter().map(|metric| MetricRow {
            key: metric.key,
            name: metric.name,
            unit: unit_name(metric.unit),
            formula: metric.formula,
            value: metric.of(&detail.figures),
        });
        Self {
            version: VERSION,
            title: words.title,
            subtitle: words.subtitle,
            notes: words.notes,
            quote: words.quote,
            is_backtest: true,
            metrics: metrics.collect(),
            equity: equity_points(&detail.equity),
            hold: hold_points(marks, detail.equity.start().unwrap_or(0.0)),
            pairs: pairs.map(|(instrument, file)| pair(instrument, file)).collect(),
            depth: depth(&deals),
            months: months(&detail.equity, &deals),
            deals: deal_rows(&deals),
            settings: words.settings,
            sweep: None,
        }
    }

    /// Of a sweep: the run of its best settings on the training range, and how they were found.
    #[must_use]
    pub fn with_sweep<'a>(
        mut self,
        scene: &Scene<'_>,
        judged: &Judged,
        outcomes: impl Iterator<Item = &'a Outcome>,
    ) -> Self {
        let key = scene.metric.key;
        let space = scene.study.space.parameters();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = |outcome: &Outcome| outcome.result.as_ref().ok()?.first()?.value(key);
        self.sweep = Some(SweepRows {
            metric: scene.metric.name,
            unit: unit_name(scene.metric.unit),
            better: match scene.metric.better {
                crate::stats::Better::High => "high",
                crate::stats::Better::Low => "low",
            },
            tries: judged.tries,
            refused: judged.refused,
            parameters: space
                .iter()
                .map(|parameter| ParameterRow {
                    name: parameter.name.clone(),
                    values: parameter.values.iter().map(text).collect(),
                })
                .collect(),
            points: outcomes.map(|outcome| (outcome.point.clone(), value(outcome))).collect(),
            ranked: judged
                .ranked
                .iter()
                .map(|ranked| RankedRow {
                    settings: ranked.settings.clone(),
                    value: ranked.training.value(key),
                    holdout: ranked.holdout.as_ref().and_then(|span| span.value(key)),
                    beside: ranked.neighbours.map(|beside| beside.mean),
                    deals: ranked.training.value("deals").unwrap_or(0.0),
                    grade: ranked.grade,
                    luck: ranked.baseline.map(|baseline| baseline.share_better),
                    doubts: ranked.doubts.clone(),
                })
                .collect(),
            folds: judged
                .folds
                .iter()
                .map(|fold| FoldRow {
                    from: fold.from.ms(),
                    cut: fold.cut.ms(),
                    settings: fold.settings.clone(),
                    chosen: fold.chosen,
                    tried: fold.tried,
                })
                .collect(),
        });
        self
    }

    /// One line of JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    pub fn title(&self) -> &str {
        &self.title
    }
}

/// As the page knows units.
pub const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Quote => "quote",
        Unit::Share => "share",
        Unit::Percent => "percent",
        Unit::Hours => "hours",
        Unit::Count => "count",
        Unit::Ratio => "ratio",
    }
}
