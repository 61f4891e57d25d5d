//! A year of one-minute candles through the backtest in every mode, beside the bare arithmetic.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark: its input is its own, it looks at the clock, and not all use all of the scene"
)]

#[path = "scene/mod.rs"]
mod scene;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scene::{
    core_time::CoreTime,
    dca, market,
    plans::{self, Terms},
};
use tranche_sim::{
    backtest::{self, Market, Mode, Report},
    exchange::Path,
};

fn ours(market: &Market, mode: Mode, terms: &Terms) -> Report {
    backtest::run_on(market, &plans::plan(mode, terms), &mut |_| {}).unwrap()
}

fn year(criterion: &mut Criterion<CoreTime>) {
    let file = market::year();
    let columns = file.columns(file.price_scale()).unwrap();
    let tree = dca::Tree::new(&columns);
    let config = dca::Config::of_bench();
    let market = plans::market(&file);
    let plain = Terms::default();
    let trailing = Terms { trailing: Some("0.4".to_owned()), ..Terms::default() };
    let worst = Terms { path: Path::Worst, ..Terms::default() };
    for terms in [&plain, &trailing] {
        let every = ours(&market, Mode::Every, terms);
        assert_eq!(every.deals, ours(&market, Mode::Scan, terms).deals);
        assert_eq!(every.deals, ours(&market, Mode::Jump, terms).deals);
        println!("{}: {} deals and {} fills", file.source, every.deals_closed, every.fills);
    }
    let limit = dca::scan(&columns, &config);
    assert_eq!(limit, dca::jump(&columns, &tree, &config));
    println!("the kernel: {} deals and {} fills", limit.deals, limit.fills);
    let mut group = criterion.benchmark_group("backtest");
    group.throughput(Throughput::Elements(file.candles.len() as u64));
    group.sample_size(10).warm_up_time(Duration::from_millis(100));
    let runs = [
        ("every", Mode::Every, &plain),
        ("scan", Mode::Scan, &plain),
        ("jump", Mode::Jump, &plain),
        ("scan-trailing", Mode::Scan, &trailing),
        ("jump-trailing", Mode::Jump, &trailing),
        ("jump-worst", Mode::Jump, &worst),
    ];
    for (name, mode, terms) in runs {
        group.bench_function(name, |bencher| {
            bencher.iter(|| ours(black_box(&market), mode, terms));
        });
    }
    group.bench_function("prepare", |bencher| bencher.iter(|| plans::market(black_box(&file))));
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

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CoreTime);
    targets = year
}
criterion_main!(benches);
