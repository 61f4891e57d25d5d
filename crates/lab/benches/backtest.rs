//! A year of one-minute candles through the backtest, in scan and in jump, beside the bare arithmetic.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark: its input is its own, and its kernels count as fast as they can"
)]

#[path = "limits/dca.rs"]
mod dca;
#[path = "scene/market.rs"]
mod market;
#[path = "scene/world.rs"]
mod world;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tranche_lab::candles::CandleFile;
use tranche_model::{
    balance::Balance,
    ids::{BotId, InstrumentId},
    money::Amount,
    time::Millis,
};
use tranche_sim::{
    backtest::{self, Mode, Plan, Report, Series},
    exchange::{self, Path},
};

fn plan(mode: Mode) -> Plan {
    let free = Amount::parse("1000000").unwrap();
    let asset = world::symbol(0).quote;
    let extra =
        r#","safety_order_step_pct":"1.5","take_profit_pct":"1.5","active_safety_orders_count":5"#;
    // There is nothing to reconcile with: no order of a backtest is ever forgotten.
    let mut settings = world::settings();
    settings.timing.reconcile_every = Millis::from_secs(30 * 86_400);
    Plan {
        account: settings,
        balances: vec![Balance { asset, free, locked: Amount::ZERO }],
        bots: vec![(BotId::new(1), world::config(world::symbol(0), extra))],
        exchange: exchange::Settings::default(),
        path: Path::OpenLowHighClose,
        mode,
        record: false,
    }
}

fn ours(file: &CandleFile, mode: Mode) -> Report {
    let (instrument, interval) = (InstrumentId::new(0), file.interval);
    let series = [Series { instrument, candles: &file.candles, interval }];
    backtest::run(world::instruments(1), &plan(mode), &series, &mut |_| {}).unwrap()
}

fn year(criterion: &mut Criterion) {
    let file = market::year();
    let columns = file.columns(file.price_scale()).unwrap();
    let tree = dca::Tree::new(&columns);
    let config = dca::Config::of_bench();
    let (scanned, jumped) = (ours(&file, Mode::Scan), ours(&file, Mode::Jump));
    assert_eq!(scanned.deals, jumped.deals);
    let limit = dca::scan(&columns, &config);
    assert_eq!(limit, dca::jump(&columns, &tree, &config));
    println!(
        "{}: {} deals and {} fills, the kernel {} and {}",
        file.source, scanned.deals_closed, scanned.fills, limit.deals, limit.fills
    );
    let mut group = criterion.benchmark_group("backtest");
    group.throughput(Throughput::Elements(file.candles.len() as u64));
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    for (name, mode) in [("scan", Mode::Scan), ("jump", Mode::Jump)] {
        group.bench_function(name, |bencher| bencher.iter(|| ours(black_box(&file), mode)));
    }
    group.bench_function("limit-scan", |bencher| {
        bencher.iter(|| dca::scan(black_box(&columns), &config));
    });
    group.bench_function("limit-jump", |bencher| {
        bencher.iter(|| dca::jump(black_box(&columns), &tree, &config));
    });
    group.bench_function("limit-tree", |bencher| {
        bencher.iter(|| dca::Tree::new(black_box(&columns)));
    });
    group.finish();
}

criterion_group!(benches, year);
criterion_main!(benches);
