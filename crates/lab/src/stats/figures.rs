//! All single figures of a run, by the formulas of [`super::METRICS`].
#![expect(clippy::float_arithmetic, reason = "statistics describe results and never become orders")]

use super::{deals::Deal, equity::Equity, float};

/// Shorter runs say nothing about a year.
const DAYS_FOR_A_YEAR: f64 = 30.0;
const YEAR_DAYS: f64 = 365.0;
const MS_PER_HOUR: f64 = 3_600_000.0;
/// A deal that lasts longer than this many usual ones is stuck.
const STUCK_MEDIANS: f64 = 3.0;

/// `None` is "cannot be said", such as a ratio to no losses.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    pub profit: f64,
    pub roi: Option<f64>,
    pub total_return: Option<f64>,
    pub twr: Option<f64>,
    pub roi_on_used: Option<f64>,
    pub apr: Option<f64>,
    pub cagr: Option<f64>,
    pub deals: f64,
    pub win_rate: Option<f64>,
    pub average_win: Option<f64>,
    pub average_loss: Option<f64>,
    pub payoff: Option<f64>,
    pub profit_factor: Option<f64>,
    pub expectancy: Option<f64>,
    pub expectancy_ratio: Option<f64>,
    pub drawdown: f64,
    pub drawdown_pct: Option<f64>,
    pub underwater_hours: f64,
    pub recovery: Option<f64>,
    pub ulcer: Option<f64>,
    pub sharpe: Option<f64>,
    pub sortino: Option<f64>,
    pub calmar: Option<f64>,
    pub sqn: Option<f64>,
    pub median_hours: Option<f64>,
    pub longest_hours: Option<f64>,
    pub stuck: f64,
    pub capital_usage: Option<f64>,
    pub used_max: Option<f64>,
    pub planned: f64,
    pub overextension: f64,
    pub fees: f64,
    pub slippage: f64,
    pub unrealised: f64,
    pub hold_return: Option<f64>,
    pub alpha: Option<f64>,
}

/// What is known of a run beside its equity and deals.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Frame {
    /// Fees of all fills, in quote.
    pub fees: f64,
    /// What market orders lost against the price at which they were decided, in quote.
    pub slippage: f64,
    /// What the bot would need if every safety order of all its deals were bought.
    pub planned: f64,
    /// What holding the coins instead would have returned, as a share.
    pub hold_return: Option<f64>,
}

/// What the coins of each pair would have returned in equal parts, from first and last prices.
pub fn hold_return(ends: &[(f64, f64)]) -> Option<f64> {
    let returns = ends.iter().filter_map(|(first, last)| float::ratio(*last, *first));
    float::mean(&returns.map(|growth| growth - 1.0).collect::<Vec<f64>>())
}

/// For who may not multiply.
pub(crate) const fn product(a: f64, b: f64) -> f64 {
    a * b
}

/// Computes all of them. `deals` has the open ones as well.
pub fn figures(equity: &Equity, deals: &[Deal], frame: &Frame) -> Figures {
    let mut figures = Figures::default();
    let start = equity.start().unwrap_or(0.0);
    let closed: Vec<f64> = deals.iter().filter(|deal| deal.is_closed).map(|it| it.profit).collect();
    figures.profit = closed.iter().sum();
    figures.unrealised = deals.iter().filter(|deal| !deal.is_closed).map(|it| it.profit).sum();
    figures.roi = float::ratio(figures.profit, start);
    figures.fees = frame.fees;
    figures.slippage = frame.slippage;
    figures.planned = frame.planned;
    figures.overextension = (frame.planned - start).max(0.0);
    figures.hold_return = frame.hold_return;
    of_deals(&mut figures, &closed);
    of_time(&mut figures, deals);
    of_equity(&mut figures, equity);
    of_days(&mut figures, equity);
    of_capital(&mut figures, equity, start);
    figures.alpha = figures.total_return.zip(frame.hold_return).map(|(ours, held)| ours - held);
    figures
}

fn of_deals(figures: &mut Figures, profits: &[f64]) {
    let count = float::of_count(profits.len());
    let wins: Vec<f64> = profits.iter().copied().filter(|profit| 0.0 < *profit).collect();
    let losses: Vec<f64> = profits.iter().copied().filter(|profit| *profit < 0.0).collect();
    let (gross_win, gross_loss): (f64, f64) = (wins.iter().sum(), -losses.iter().sum::<f64>());
    figures.deals = count;
    figures.win_rate = float::ratio(float::of_count(wins.len()), count);
    figures.average_win = float::mean(&wins);
    figures.average_loss = float::mean(&losses).map(f64::abs);
    figures.payoff = figures
        .average_win
        .zip(figures.average_loss)
        .and_then(|(win, loss)| float::ratio(win, loss));
    figures.profit_factor = float::ratio(gross_win, gross_loss);
    figures.expectancy = float::mean(profits);
    figures.expectancy_ratio =
        figures.win_rate.zip(figures.payoff).map(|(rate, payoff)| (1.0 + payoff) * rate - 1.0);
    figures.sqn = float::mean(profits)
        .zip(float::deviation(profits))
        .and_then(|(mean, deviation)| float::ratio(count.sqrt() * mean, deviation));
}

fn of_time(figures: &mut Figures, deals: &[Deal]) {
    let hours = |deal: &Deal| {
        float::of_int(deal.closed_at.ms().saturating_sub(deal.opened_at.ms())) / MS_PER_HOUR
    };
    let mut closed: Vec<f64> = deals.iter().filter(|deal| deal.is_closed).map(hours).collect();
    closed.sort_by(f64::total_cmp);
    figures.median_hours = float::median(&closed);
    figures.longest_hours = deals.iter().map(hours).max_by(f64::total_cmp);
    let stuck = figures.median_hours.map_or(0, |median| {
        deals.iter().filter(|deal| STUCK_MEDIANS * median < hours(deal)).count()
    });
    figures.stuck = float::of_count(stuck);
}

/// Drawdown on hourly mark-to-market worth.
fn of_equity(figures: &mut Figures, equity: &Equity) {
    let (mut peak, mut deepest, mut share) = (f64::NEG_INFINITY, 0.0_f64, 0.0_f64);
    let (mut below_since, mut longest) = (None, 0);
    for sample in &equity.hourly {
        if peak <= sample.worth {
            peak = sample.worth;
            below_since = Some(sample.at.ms());
        }
        deepest = deepest.max(peak - sample.worth);
        share = share.max(float::ratio(peak - sample.worth, peak).unwrap_or(0.0));
        let since = below_since.unwrap_or_else(|| sample.at.ms());
        longest = longest.max(sample.at.ms().saturating_sub(since));
    }
    figures.drawdown = deepest;
    figures.drawdown_pct = equity.start().map(|_| share * 100.0);
    figures.underwater_hours = float::of_int(longest) / MS_PER_HOUR;
    figures.recovery = float::ratio(figures.profit, deepest);
    let ends = equity.start().zip(equity.end());
    figures.total_return = ends.and_then(|(start, end)| float::ratio(end - start, start));
    figures.twr = time_weighted(equity);
    if DAYS_FOR_A_YEAR <= equity.days() {
        figures.apr = figures.roi.and_then(|roi| apr(roi, equity.days()));
        figures.cagr = ends.and_then(|(start, end)| cagr(start, end, equity.days()));
    }
    figures.calmar = figures
        .cagr
        .zip(figures.drawdown_pct)
        .and_then(|(cagr, pct)| float::ratio(cagr, pct / 100.0));
}

pub(super) fn apr(roi: f64, days: f64) -> Option<f64> {
    float::ratio(roi * YEAR_DAYS, days)
}

pub(super) fn cagr(start: f64, end: f64, days: f64) -> Option<f64> {
    let growth = float::ratio(end, start).filter(|growth| 0.0 < *growth)?;
    float::finite(growth.powf(float::ratio(YEAR_DAYS, days)?) - 1.0)
}

/// The growth of each span between two payments, multiplied: what one unit of money that stayed in the
/// account from the first day on has become, whatever was paid in or out.
fn time_weighted(equity: &Equity) -> Option<f64> {
    let (mut growth, mut start) = (1.0, equity.start()?);
    for flow in &equity.flows {
        growth *= float::ratio(flow.before, start)?;
        start = flow.before + flow.amount;
    }
    growth *= float::ratio(equity.end()?, start)?;
    float::finite(growth - 1.0)
}

/// Sharpe, Sortino and the ulcer index on daily worth.
pub(super) fn of_days(figures: &mut Figures, equity: &Equity) {
    let daily = equity.daily();
    let returns: Vec<f64> = daily
        .windows(2)
        .filter_map(|pair| if let [a, b] = pair { float::ratio(b - a, *a) } else { None })
        .collect();
    let mean = float::mean(&returns);
    figures.sharpe = mean
        .zip(float::deviation(&returns))
        .and_then(|(mean, deviation)| float::ratio(mean, deviation))
        .map(|daily| daily * YEAR_DAYS.sqrt());
    let squares: Vec<f64> = returns.iter().map(|it| it.min(0.0) * it.min(0.0)).collect();
    figures.sortino = mean
        .zip(float::mean(&squares).map(f64::sqrt))
        .and_then(|(mean, downside)| float::ratio(mean, downside))
        .map(|daily| daily * YEAR_DAYS.sqrt());
    let mut peak = f64::NEG_INFINITY;
    let falls: Vec<f64> = daily
        .iter()
        .map(|worth| {
            peak = peak.max(*worth);
            float::ratio(peak - worth, peak).unwrap_or(0.0) * 100.0
        })
        .map(|fall| fall * fall)
        .collect();
    figures.ulcer = float::mean(&falls).map(f64::sqrt);
}

/// How much of the money was at work, on the same hours.
fn of_capital(figures: &mut Figures, equity: &Equity, start: f64) {
    // The first sample stands for no span of time.
    let held = equity.held.get(1..).unwrap_or_default();
    let used = float::mean(held);
    figures.used_max = held.iter().copied().max_by(f64::total_cmp);
    figures.capital_usage = used.and_then(|used| float::ratio(used, start));
    figures.roi_on_used = used.and_then(|used| float::ratio(figures.profit, used));
}
