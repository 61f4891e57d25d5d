//! The sweep as `tranche sweep` carries it out, in a process of its own: candles from the data folder,
//! a journal on the disk, figures of every try, and what speaks against the best ten.

use std::{
    fs, num::NonZeroUsize, path::Path as FilePath, process::Command, sync::atomic::AtomicBool,
    thread, time::Instant,
};

use serde_json::{Value, json};
use tranche_lab::{
    candles::CandleFile,
    depot::{Depot, Range},
    sweep::{self, Journal, Method, Parameter, Scene, Space, Study, Windows},
    trial::Market,
};
use tranche_sim::backtest::Mode;

use crate::{
    COUNT, SIDE,
    scene::{
        figures::{Figures, nanos},
        plans::{self, Terms},
        process::{core_nanos, peak_bytes},
        world,
    },
};

const VENUE: &str = "bench";
const BEST: usize = 10;

/// Writes the candles to a data folder and lets another process sweep over them. `fills` are those of
/// each configuration when it is run without a door.
pub(crate) fn measure(file: &CandleFile, fills: &[u64], figures: &mut Figures) {
    let folder = std::env::temp_dir().join(format!("tranche-sweep-door-{}", std::process::id()));
    let depot = Depot::new(folder.join("data"));
    depot.put(VENUE, world::symbol(0), file).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let told = child.arg("--bench").arg("--door").arg(&folder).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let told: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let theirs: Vec<u64> = serde_json::from_value(told["fills"].clone()).unwrap();
    assert_eq!(theirs, fills, "the door gives other fills");
    for (name, value) in told["figures"].as_object().unwrap() {
        figures.put(name.clone(), value.as_f64().unwrap());
    }
}

/// The other process.
pub(crate) fn carry_out(folder: &FilePath) {
    let (begin, core) = (Instant::now(), core_nanos());
    let depot = Depot::new(folder.join("data"));
    let entry = depot.find(world::symbol(0), None, None).unwrap();
    let file = depot.read(&entry, Range::ALL).unwrap();
    let loaded = nanos(begin);
    let market = Market { instruments: world::instruments(1), files: vec![file] };
    let study = study(&market);
    let scene = Scene::new(&study, &market).unwrap();
    let ready = nanos(begin);
    let mut journal = Journal::open(&folder.join("sweep.jsonl"), &study).unwrap();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let stop = AtomicBool::new(false);
    sweep::carry_out(&scene, &mut journal, threads, &stop, &mut |_| {}).unwrap();
    let tried = nanos(begin);
    let judged = sweep::judge(&scene, journal.known(), BEST);
    assert_eq!((judged.refused, judged.ranked.len()), (0, BEST));
    let fills = journal.known().values().map(|outcome| outcome.result.as_ref().unwrap()[0].fills);
    let told = json!({
        "fills": fills.collect::<Vec<u64>>(),
        "figures": {
            "door/load": loaded,
            "door/prepare": ready - loaded,
            "door/tries": tried - ready,
            "door/judge": nanos(begin) - tried,
            "door/wall": nanos(begin),
            "door/core": core_nanos() - core,
            "door/peak": peak_bytes(),
        }
    });
    println!("{told}");
}

/// The configurations of the benchmark, in their order.
fn study(market: &Market) -> Study {
    let plan = plans::plan(Mode::Jump, &Terms::default());
    let axis = |name: &str, first: f64, step: f64| {
        let values = (0..SIDE).map(|place| format!("{:.2}", first + step * place as f64).into());
        Parameter { name: name.to_owned(), values: values.collect() }
    };
    let space = Space::new(vec![
        axis("safety_order_step_pct", 0.5, 0.25),
        axis("take_profit_pct", 0.5, 0.25),
        axis("volume_scale", 1.0, 0.1),
    ]);
    let span = market.span();
    let (_, config) = plan.bots.into_iter().next().unwrap();
    let draft: tranche_trading::dca::Draft = config.into();
    Study {
        version: Study::version(),
        bot: serde_json::to_value(draft).unwrap(),
        space: space.unwrap(),
        method: Method::Grid,
        tries: COUNT as u32,
        seed: 1,
        metric: "total_return".to_owned(),
        windows: Windows {
            from_ms: span.from.ms(),
            to_ms: span.to.ms(),
            holdout_pct: 0,
            walk_forward: 0,
        },
        data: vec!["the year".to_owned()],
        account: plan.account,
        balances: plan.balances,
        exchange: plan.exchange,
        path: plan.path,
    }
}
