//! Work that can be done anywhere: some points of a study on its candles.

use serde::{Deserialize, Serialize};
use tranche_sim::backtest::Report;
use tranche_trading::dca::{Config, ladder};

use super::{Point, Scene, StudyError};
use crate::{
    stats::{
        Deal, Figures, METRICS, deals,
        equity::{self, Equity, Marks},
        figures::{self, Frame},
        float,
    },
    trial::{self, Terms, Window},
};

/// Tries with their numbers. Of a queue this is the message; the answer is a list of [`Outcome`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The id of the study: a worker refuses those that are not its own.
    pub study: String,
    pub tries: Vec<(u32, Point)>,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub number: u32,
    pub point: Point,
    /// For each window of the scene; or why the settings cannot be run.
    pub result: Result<Vec<Span>, String>,
}

/// The figures of one window, in the order of [`METRICS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    pub figures: Vec<Option<f64>>,
    pub fills: u64,
    pub ambiguous: u64,
}

/// A run with all that is shown of it.
#[derive(Debug, Clone)]
pub struct Detail {
    pub report: Report,
    pub equity: Equity,
    pub deals: Vec<Deal>,
    pub figures: Figures,
}

impl Piece {
    /// A pure function of piece, study and candles.
    pub fn carry_out(&self, scene: &Scene<'_>) -> Result<Vec<Outcome>, StudyError> {
        if self.study != scene.id {
            return Err(StudyError::Other(self.study.clone()));
        }
        Ok(self.tries.iter().map(|(number, point)| attempt(scene, *number, point)).collect())
    }
}

impl Span {
    /// The value of a metric by its key.
    pub fn value(&self, key: &str) -> Option<f64> {
        let place = METRICS.iter().position(|metric| metric.key == key)?;
        self.figures.get(place).copied().flatten()
    }

    pub(super) fn of(detail: &Detail) -> Self {
        Self {
            figures: METRICS.iter().map(|metric| metric.of(&detail.figures)).collect(),
            fills: detail.report.fills,
            ambiguous: detail.report.ambiguous_candles,
        }
    }
}

pub(super) fn attempt(scene: &Scene<'_>, number: u32, point: &Point) -> Outcome {
    let config = scene.study.config(point).map_err(|error| error.to_string());
    let result = config.and_then(|config| {
        let spans = scene
            .windows()
            .map(|window| detail(scene, &config, window).map(|detail| Span::of(&detail)));
        spans.collect()
    });
    Outcome { number, point: point.clone(), result }
}

/// Runs a bot over a window of the scene.
pub fn detail(scene: &Scene<'_>, config: &Config, window: &Window) -> Result<Detail, String> {
    let report = trial::run(window, &scene.terms, config, &mut |_| {});
    let report = report.map_err(|error| error.to_string())?;
    Ok(detail_of(report, &window.marks, &scene.terms, config))
}

/// All that is shown of a run.
pub fn detail_of(report: Report, marks: &Marks, terms: &Terms, config: &Config) -> Detail {
    let equity = equity::equity(marks, &terms.balances, &report.booked);
    let deals = deals::deals(&report, marks);
    let figures = figures::figures(&equity, &deals, &frame(&report, config, marks));
    Detail { report, equity, deals, figures }
}

/// What is known of a run beside its equity and deals.
pub fn frame(report: &Report, config: &Config, marks: &Marks) -> Frame {
    let funds = ladder::funds_per_deal(config).map_or(0.0, |funds| float::of(funds.get()));
    let at_once = usize::from(config.max_active_deals()).min(config.pairs().len());
    Frame {
        fees: float::of(report.fees.get()),
        slippage: float::of(report.slippage.get()),
        planned: figures::product(funds, float::of_count(at_once)),
        hold_return: figures::hold_return(&marks.ends()),
    }
}
