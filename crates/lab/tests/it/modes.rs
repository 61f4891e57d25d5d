//! Feeding every candle, scanning and jumping give the same deals, whatever the bot does.

use tranche_model::{ids::InstrumentId, time::Millis};
use tranche_sim::backtest::{self, Mode, Report, Series};

use crate::market::{generated, instruments, plan, run, year};

/// Settings that between them use everything that the bot waits for.
const BOTS: [&str; 10] = [
    "{}",
    r#"{"active_safety_orders_count": 0}"#,
    r#"{"active_safety_orders_count": 1, "deviation_reference": "average"}"#,
    r#"{"active_safety_orders_count": 0, "deviation_reference": "previous", "step_scale": "1.3"}"#,
    r#"{"trailing_deviation_pct": "0.4"}"#,
    r#"{"trailing_deviation_pct": "0.4", "active_safety_orders_count": 0}"#,
    r#"{"stop_loss_pct": "9", "stop_loss_timeout_seconds": 300, "cooldown_seconds": 3600}"#,
    r#"{"stop_loss_pct": "2", "stop_loss_reference": "average", "max_safety_orders": 2,
        "active_safety_orders_count": 2}"#,
    r#"{"base_order_type": "limit", "entry_reprice_seconds": 45, "entry_timeout_seconds": 200}"#,
    r#"{"take_profit_type": "base", "qty_rounding": "up", "ladder_origin": "fee_inclusive"}"#,
];

#[test]
fn on_a_recorded_year_every_mode_gives_the_same_deals() {
    let (candles, interval) = year();
    let mut deals = 0;
    for bot in BOTS {
        let [every, scan, jump] = [Mode::Every, Mode::Scan, Mode::Jump]
            .map(|mode| run(&plan(bot, mode), &candles, interval));
        same(&every, &scan, bot);
        same(&every, &jump, bot);
        deals += scan.deals_closed;
        println!("{bot}: {} deals, {} fills, {}", scan.deals_closed, scan.fills, scan.profit);
    }
    assert!(0 < deals || candles.len() < 1000);
}

#[test]
fn on_generated_markets_every_mode_gives_the_same_deals() {
    for seed in 0..4 {
        let candles = generated(seed, 20_000);
        for bot in BOTS {
            let [every, scan, jump] = [Mode::Every, Mode::Scan, Mode::Jump]
                .map(|mode| run(&plan(bot, mode), &candles, Millis::from_secs(60)));
            same(&every, &scan, bot);
            same(&every, &jump, bot);
        }
    }
}

#[test]
fn two_pairs_on_one_account_give_the_same_deals_in_both_modes() {
    let (btc, eth) = (generated(5, 20_000), generated(6, 20_000));
    let interval = Millis::from_secs(60);
    let series = [
        Series { instrument: InstrumentId::new(0), candles: &btc, interval },
        Series { instrument: InstrumentId::new(1), candles: &eth, interval },
    ];
    for more in ["", r#", "max_active_deals": 1"#, r#", "trailing_deviation_pct": "0.3""#] {
        let bot = format!(r#"{{"pairs": ["BTC/USD", "ETH/USD"]{more}}}"#);
        let [every, jump] = [Mode::Every, Mode::Jump].map(|mode| {
            backtest::run(instruments(), &plan(&bot, mode), &series, &mut |_| {}).unwrap()
        });
        same(&every, &jump, &bot);
        assert!(0 < every.deals_closed);
    }
}

fn same(every: &Report, other: &Report, bot: &str) {
    assert_eq!(every.deals.len(), other.deals.len(), "{bot}");
    for (fed, found) in every.deals.iter().zip(&other.deals) {
        assert_eq!(fed, found, "{bot}");
    }
    assert_eq!(every, other, "{bot}");
}
