#![expect(clippy::float_arithmetic, reason = "the expected values are statistics")]

use super::{equity::Flow, figures::Frame, *};
use tranche_model::{
    candle::Candle,
    ids::{DealNo, InstrumentId},
    money::{Price, Qty},
    time::{Millis, Timestamp},
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
            mae_quote: None,
            mfe_quote: None,
        });
    }
    let held = vec![0.0; hourly.len()];
    (Equity { hourly, held, flows: Vec::new() }, deals)
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

/// The same, then thirty days in which nothing happens: all figures can be said.
fn forty_days() -> Figures {
    let (mut equity, mut deals) = ten_days();
    for day in 11..=40 {
        equity.hourly.push(Sample { at: Timestamp::from_ms(day * DAY_MS), worth: 1075.0 });
    }
    // Coins for 100 on two days, for 250 on three, for none on the other 35.
    equity.held = [0.0, 100.0, 100.0, 250.0, 250.0, 250.0].into();
    equity.held.resize(41, 0.0);
    // One deal is open for four days, and 3 below what it cost.
    deals.push(Deal {
        number: DealNo::new(11),
        opened_at: Timestamp::from_ms(36 * DAY_MS),
        closed_at: Timestamp::from_ms(40 * DAY_MS),
        is_closed: false,
        profit: -3.0,
        ..deals[0].clone()
    });
    let ends = [(100.0, 110.0), (50.0, 45.0), (10.0, 11.2)];
    let frame = Frame {
        fees: 1.25,
        slippage: 0.75,
        planned: 1318.75,
        hold_return: figures::hold_return(&ends),
    };
    figures::figures(&equity, &deals, &frame)
}

#[test]
fn every_figure_comes_out_of_its_formula() {
    let figures = forty_days();
    let wanted = [
        ("profit", 75.0),
        ("roi", 0.075),
        ("unrealised", -3.0),
        ("total_return", 0.075),
        ("twr", 0.075),
        // The mean of 10 %, -10 % and 12 %.
        ("hold_return", 0.04),
        ("alpha", 0.035),
        // (2 × 100 + 3 × 250) / 40 = 23.75.
        ("roi_on_used", 3.157_894_736_8),
        ("apr", 0.684_375),
        ("cagr", 0.934_649_236_5),
        ("drawdown_pct", 2.803_738_317_8),
        ("drawdown", 30.0),
        ("underwater_hours", 72.0),
        ("recovery", 2.5),
        ("ulcer", 0.715_938_864_8),
        ("sharpe", 3.067_518_588_5),
        ("sortino", 5.895_142_36),
        ("calmar", 33.335_822_767),
        ("deals", 10.0),
        ("win_rate", 0.6),
        ("average_win", 24.166_666_666_7),
        ("average_loss", 17.5),
        ("payoff", 1.380_952_381),
        ("profit_factor", 2.071_428_571_4),
        ("expectancy", 7.5),
        ("expectancy_ratio", 0.428_571_428_6),
        ("sqn", 0.980_813_565_1),
        ("median_hours", 24.0),
        ("longest_hours", 96.0),
        ("stuck", 1.0),
        ("capital_usage", 0.023_75),
        ("used_max", 250.0),
        ("planned", 1318.75),
        ("overextension", 318.75),
        ("fees", 1.25),
        ("slippage", 0.75),
    ];

    for (key, want) in wanted {
        near(key, metric(key).unwrap().of(&figures), want);
    }
    let (ours, theirs) = (METRICS.iter().map(|one| one.key), wanted.iter().map(|(key, _)| *key));
    assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
}

#[test]
fn a_year_is_as_long_as_in_the_published_vector() {
    near("apr", figures::apr(0.075, 10.0), 2.7375);
    near("cagr", figures::cagr(1000.0, 1075.0, 10.0), 13.009_058_38);
    assert_eq!(figures::cagr(1000.0, -5.0, 10.0), None);
}

#[test]
fn money_that_was_paid_in_is_no_return() {
    let (mut equity, deals) = ten_days();
    equity.hourly.last_mut().unwrap().worth = 1520.0;
    equity.flows = vec![Flow { before: 1100.0, amount: 500.0 }];

    let figures = figures::figures(&equity, &deals, &Frame::default());

    near("twr", figures.twr, 0.045);
}

#[test]
fn capital_in_use_is_weighed_with_time() {
    let hour = |hour: i64| Sample { at: Timestamp::from_ms(hour * 3_600_000), worth: 500.0 };
    let held = [0.0, 100.0, 100.0, 250.0, 250.0, 250.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let equity = Equity { hourly: (0..11).map(hour).collect(), held: held.into(), flows: vec![] };

    let figures = figures::figures(&equity, &[], &Frame::default());

    near("capital_usage", figures.capital_usage, 0.19);
}

#[test]
fn how_far_a_deal_went_against_and_for_is_said_in_price_and_in_quote() {
    let (_, deals) = ten_days();
    let fill = |level: u16, price: f64, qty: f64, minute: i64| DealFill {
        at: Timestamp::from_ms(minute * 60_000),
        is_buy: true,
        level: Some(level),
        price,
        qty,
        quote: price * qty,
        fee: price * qty / 1000.0,
        received: qty,
    };
    let mut deal = Deal { opened_at: Timestamp::from_ms(0), ..deals[0].clone() };
    deal.fills = vec![fill(0, 100.0, 1.0, 0), fill(1, 90.0, 9.0, 5)];
    let candle = |minute: i64, low: i64, high: i64| Candle {
        open_at: Timestamp::from_ms(minute * 60_000),
        open: Price::new(low.into()),
        high: Price::new(high.into()),
        low: Price::new(low.into()),
        close: Price::new(low.into()),
        volume: Qty::ZERO,
    };

    deal.look_at(&[candle(0, 93, 106)], Millis::from_secs(60));

    // Bought for 100.1 with the fee.
    near("mae", deal.mae, -0.070_929_07);
    near("mfe", deal.mfe, 0.058_941_06);
    near("mae_quote", deal.mae_quote, -7.1);
    near("mfe_quote", deal.mfe_quote, 5.9);

    deal.look_at(&[candle(0, 93, 106), candle(5, 90, 91)], Millis::from_secs(60));

    // Ten coins for 910.91: less far in price, further in quote.
    near("mae", deal.mae, -0.070_929_07);
    near("mae_quote", deal.mae_quote, -10.91);
    near("mfe_quote", deal.mfe_quote, 5.9);
}
