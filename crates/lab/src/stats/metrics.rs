//! Each figure with its name, unit and formula, for tables, reports and rankings.

use super::Figures;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Of the quote asset.
    Quote,
    /// A share of one, shown in per cent.
    Share,
    /// Already in per cent.
    Percent,
    Hours,
    Count,
    Ratio,
}

/// Which of two values wins a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    High,
    Low,
}

/// A figure.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// In files and on the command line.
    pub key: &'static str,
    pub name: &'static str,
    pub unit: Unit,
    pub better: Better,
    pub formula: &'static str,
    pick: fn(&Figures) -> Option<f64>,
}

impl Metric {
    pub fn of(&self, figures: &Figures) -> Option<f64> {
        (self.pick)(figures)
    }
}

/// The figure of a key.
pub fn metric(key: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.key == key)
}

const fn figure(
    (key, name): (&'static str, &'static str),
    unit: Unit,
    better: Better,
    formula: &'static str,
    pick: fn(&Figures) -> Option<f64>,
) -> Metric {
    Metric { key, name, unit, better, formula, pick }
}

use Better::{High, Low};
use Unit::{Count, Hours, Percent, Quote, Ratio, Share};

/// All of them, in the order in which they are shown.
pub static METRICS: [Metric; 36] = [
    figure(
        ("profit", "Net profit"),
        Quote,
        High,
        "sum of the profits of closed deals, after fees",
        |f| Some(f.profit),
    ),
    figure(("roi", "ROI"), Share, High, "net profit / worth at the start", |f| f.roi),
    figure(
        ("unrealised", "Unrealised"),
        Quote,
        High,
        "worth of what open deals hold − what it cost with fees",
        |f| Some(f.unrealised),
    ),
    figure(
        ("total_return", "Total return"),
        Share,
        High,
        "(worth at the end − at the start) / at the start, open deals at the market's price",
        |f| f.total_return,
    ),
    figure(
        ("twr", "Time-weighted return"),
        Share,
        High,
        "product of (worth at the end / at the start) of the spans between payments − 1",
        |f| f.twr,
    ),
    figure(
        ("hold_return", "Buy and hold"),
        Share,
        High,
        "mean over the pairs of (last price / first price − 1), without fees",
        |f| f.hold_return,
    ),
    figure(("alpha", "Alpha"), Share, High, "total return − buy and hold", |f| f.alpha),
    figure(
        ("roi_on_used", "ROI on used capital"),
        Share,
        High,
        "net profit / mean worth of the coins held over time",
        |f| f.roi_on_used,
    ),
    figure(("apr", "APR"), Share, High, "ROI × 365 / days; from 30 days on", |f| f.apr),
    figure(
        ("cagr", "CAGR"),
        Share,
        High,
        "(worth at the end / at the start)^(365 / days) − 1; from 30 days on",
        |f| f.cagr,
    ),
    figure(
        ("drawdown_pct", "Max drawdown"),
        Percent,
        Low,
        "largest (peak − worth) / peak, on hourly worth at the market's price",
        |f| f.drawdown_pct,
    ),
    figure(
        ("drawdown", "Max drawdown, absolute"),
        Quote,
        Low,
        "largest peak − worth, on hourly worth at the market's price",
        |f| Some(f.drawdown),
    ),
    figure(
        ("underwater_hours", "Longest under water"),
        Hours,
        Low,
        "longest time below the running peak, on hourly worth",
        |f| Some(f.underwater_hours),
    ),
    figure(
        ("recovery", "Recovery factor"),
        Ratio,
        High,
        "net profit / max drawdown, absolute",
        |f| f.recovery,
    ),
    figure(
        ("ulcer", "Ulcer index"),
        Percent,
        Low,
        "√ mean of (drawdown in %)², on daily worth, the first sample included",
        |f| f.ulcer,
    ),
    figure(
        ("sharpe", "Sharpe ratio"),
        Ratio,
        High,
        "mean / standard deviation (n − 1) of daily returns × √365, risk-free rate 0",
        |f| f.sharpe,
    ),
    figure(
        ("sortino", "Sortino ratio"),
        Ratio,
        High,
        "mean of daily returns / √ mean of min(return, 0)² × √365",
        |f| f.sortino,
    ),
    figure(("calmar", "Calmar ratio"), Ratio, High, "CAGR / max drawdown", |f| f.calmar),
    figure(("deals", "Closed deals"), Count, High, "number of deals that ended", |f| Some(f.deals)),
    figure(("win_rate", "Win rate"), Share, High, "deals with a profit / closed deals", |f| {
        f.win_rate
    }),
    figure(
        ("average_win", "Average win"),
        Quote,
        High,
        "gross profit / deals with a profit",
        |f| f.average_win,
    ),
    figure(("average_loss", "Average loss"), Quote, Low, "gross loss / deals with a loss", |f| {
        f.average_loss
    }),
    figure(
        ("payoff", "Payoff"),
        Ratio,
        High,
        "average win / average loss; none without a loss",
        |f| f.payoff,
    ),
    figure(
        ("profit_factor", "Profit factor"),
        Ratio,
        High,
        "gross profit / gross loss; none without a loss",
        |f| f.profit_factor,
    ),
    figure(
        ("expectancy", "Expectancy"),
        Quote,
        High,
        "win rate × average win − (1 − win rate) × average loss = mean profit of a deal",
        |f| f.expectancy,
    ),
    figure(
        ("expectancy_ratio", "Expectancy ratio"),
        Ratio,
        High,
        "(1 + payoff) × win rate − 1",
        |f| f.expectancy_ratio,
    ),
    figure(
        ("sqn", "System quality number"),
        Ratio,
        High,
        "√deals × mean / standard deviation (n − 1) of the profits of deals",
        |f| f.sqn,
    ),
    figure(
        ("median_hours", "Usual time in a deal"),
        Hours,
        Low,
        "median of closing time − opening time",
        |f| f.median_hours,
    ),
    figure(
        ("longest_hours", "Longest deal"),
        Hours,
        Low,
        "largest time in a deal, open ones included",
        |f| f.longest_hours,
    ),
    figure(("stuck", "Stuck deals"), Count, Low, "deals older than 3 × the median", |f| {
        Some(f.stuck)
    }),
    figure(
        ("capital_usage", "Capital usage"),
        Share,
        High,
        "mean worth of the coins held over time / worth at the start",
        |f| f.capital_usage,
    ),
    figure(
        ("used_max", "Most capital used"),
        Quote,
        Low,
        "largest worth of the coins held, on hourly worth",
        |f| f.used_max,
    ),
    figure(
        ("planned", "Planned capital"),
        Quote,
        Low,
        "funds for the base order and all safety orders of as many deals as may be open at once",
        |f| Some(f.planned),
    ),
    figure(
        ("overextension", "Overextension"),
        Quote,
        Low,
        "planned capital − worth at the start, if that is above 0",
        |f| Some(f.overextension),
    ),
    figure(("fees", "Fees"), Quote, Low, "sum over all fills, in quote", |f| Some(f.fees)),
    figure(
        ("slippage", "Slippage"),
        Quote,
        Low,
        "sum over market orders of (fill − last price when decided) × quantity, of sells the reverse",
        |f| Some(f.slippage),
    ),
];
