#![expect(clippy::float_arithmetic, reason = "the expected values are statistics")]

use super::figures::Frame;
use super::*;
use tranche_model::{
    ids::{DealNo, InstrumentId},
    time::Timestamp,
};

const DAY_MS: i64 = 86_400_000;

/// Ten closed deals, one a day, each the change of the day.
fn ten_days() -> (Equity, Vec<Deal>) {
    let profits = [20.0, -10.0, 35.0, -25.0, 15.0, -5.0, 40.0, -30.0, 10.0, 25.0];
    let mut worth = 1000.0;
    let sample = |day: i64, worth: f64| Sample { at: Timestamp::from_ms(day * DAY_MS), worth };
    let mut hourly = vec![sample(0, worth)];
    let mut deals = Vec::new();
    for (day, profit) in (1..).zip(profits) {
        worth += profit;
        hourly.push(sample(day, worth));
        deals.push(Deal {
            number: DealNo::new(u32::try_from(day).unwrap()),
            instrument: InstrumentId::new(0),
            opened_at: Timestamp::from_ms((day - 1) * DAY_MS),
            closed_at: Timestamp::from_ms(day * DAY_MS),
            is_closed: true,
            ended: "take_profit".to_owned(),
            profit,
            fees: 0.0,
            bought: 100.0,
            safety_orders: 0,
            fills: Vec::new(),
            mae: None,
            mfe: None,
        });
    }
    let held = vec![0.0; hourly.len()];
    (Equity { hourly, held }, deals)
}

fn near(name: &str, value: Option<f64>, want: f64) {
    let value = value.unwrap_or(f64::NAN);
    assert!((value - want).abs() < 1e-6 * want.abs().max(1.0), "{name}: {value}, not {want}");
}

#[test]
fn the_published_vector_comes_out() {
    let (equity, deals) = ten_days();

    let figures = figures::figures(&equity, &deals, &Frame::default());

    for (key, want) in [
        ("profit", 75.0),
        ("profit_factor", 2.071_428_571_4),
        ("win_rate", 0.6),
        ("average_win", 24.166_666_666_7),
        ("average_loss", 17.5),
        ("payoff", 1.380_952_381),
        ("expectancy", 7.5),
        ("expectancy_ratio", 0.428_571_428_6),
        ("sqn", 0.980_813_565_1),
        ("drawdown", 30.0),
        ("drawdown_pct", 2.803_738_317_8),
        ("underwater_hours", 72.0),
        ("sharpe", 6.143_027),
        ("sortino", 11.790_285),
        ("roi", 0.075),
        ("recovery", 2.5),
        ("ulcer", 1.382_202_02),
        ("deals", 10.0),
    ] {
        near(key, metric(key).unwrap().of(&figures), want);
    }
    // Ten days say nothing about a year.
    assert_eq!((figures.apr, figures.cagr, figures.calmar), (None, None, None));
}

#[test]
fn nothing_that_cannot_be_said_is_said() {
    let figures = figures::figures(&Equity::default(), &[], &Frame::default());

    for metric in &METRICS {
        let value = metric.of(&figures);
        assert!(value.is_none_or(f64::is_finite), "{}: {value:?}", metric.key);
    }
    assert_eq!((figures.profit_factor, figures.sharpe, figures.win_rate), (None, None, None));
}

#[test]
fn keys_are_unique_and_formulas_are_there() {
    for (place, one) in METRICS.iter().enumerate() {
        assert!(!one.formula.is_empty());
        assert!(METRICS.iter().skip(place + 1).all(|other| other.key != one.key), "{}", one.key);
    }
}

#[test]
fn the_documents_have_every_figure_with_its_formula() {
    let text = include_str!("../../../../docs/backtesting.md");

    for metric in &METRICS {
        let Metric { key, name, formula, .. } = metric;
        assert!(text.contains(&format!("| `{key}` | {name} |")), "{key}");
        assert!(text.contains(&format!("| {formula} |")), "{key}: {formula}");
    }
}
