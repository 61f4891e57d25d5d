use std::{
    fs,
    io::Write as _,
    num::NonZeroUsize,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use rust_decimal::Decimal;
use serde_json::json;
use tranche_model::{
    asset::{Asset, Symbol},
    balance::{Balance, FeeAsset, FeeRates},
    client_order_id::Origin,
    ids::{Incarnation, Installation, InstrumentId, UserId},
    instrument::Instruments,
    money::{Amount, Fraction},
};
use tranche_sim::exchange;
use tranche_trading::event::{Settings, Timing};

use super::*;
use crate::{
    candles::CandleFile,
    generate::{Generator, Params},
    instruments,
    trial::Market,
};

fn market(minutes: usize) -> Market {
    let generator = Generator::new(3, &Params::btc_usdt()).unwrap();
    let (source, interval) = (generator.source(), generator.interval());
    let candles = generator.take(minutes).collect();
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let instrument = instruments::known(InstrumentId::new(0), symbol).unwrap();
    Market {
        instruments: Instruments::new(vec![instrument]).unwrap(),
        files: vec![CandleFile { source, interval, candles, gaps: Vec::new() }],
    }
}

fn space() -> Space {
    let steps = |name: &str, from: i64, to: i64, is_whole| {
        let hundredths = |value: i64| Decimal::new(value, 2);
        Parameter::steps(name, (hundredths(from), hundredths(to), hundredths(20)), is_whole)
            .unwrap()
    };
    Space::new(vec![
        steps("take_profit_pct", 20, 100, false),
        steps("safety_order_step_pct", 20, 120, false),
    ])
    .unwrap()
}

fn study(market: &Market, method: Method, tries: u32) -> Study {
    let span = market.span();
    let rate = Fraction::new(Decimal::new(1, 3));
    Study {
        version: Study::version(),
        bot: json!({
            "name": "a", "pairs": ["BTC/USDT"], "base_order_volume": "100",
            "safety_order_volume": "100", "safety_order_step_pct": "1", "max_safety_orders": 3,
            "take_profit_pct": "1"
        }),
        space: space(),
        method,
        tries,
        seed: 5,
        metric: "total_return".to_owned(),
        windows: Windows {
            from_ms: span.from.ms(),
            to_ms: span.to.ms(),
            holdout_pct: 30,
            walk_forward: 2,
        },
        data: vec!["made up".to_owned()],
        account: Settings {
            user: UserId::new(1),
            origin: Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) },
            fees: FeeRates { maker: rate, taker: rate },
            fee_asset: FeeAsset::Quote,
            timing: Timing::default(),
        },
        balances: vec![Balance {
            asset: Asset::parse("USDT").unwrap(),
            free: Amount::parse("10000").unwrap(),
            locked: Amount::ZERO,
        }],
        exchange: exchange::Settings::default(),
        path: exchange::Path::default(),
    }
}

struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("tranche-sweep-{name}-{}", std::process::id()));
        drop(fs::remove_file(&path));
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn run(scene: &Scene<'_>, file: &File, threads: usize, stop_after: u32) -> End {
    let mut journal = Journal::open(&file.0, scene.study).unwrap();
    let stop = AtomicBool::new(false);
    let threads = NonZeroUsize::new(threads).unwrap();
    let mut progress = |progress: Progress| {
        if stop_after <= progress.done {
            stop.store(true, Ordering::Relaxed);
        }
    };
    carry_out(scene, &mut journal, threads, &stop, &mut progress).unwrap()
}

/// The lines of a journal, in order.
fn lines(file: &File) -> Vec<String> {
    let text = fs::read_to_string(&file.0).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn results_do_not_depend_on_threads_and_a_cut_sweep_goes_on() {
    let market = market(3000);
    for method in [Method::Grid, Method::Random, Method::Bayes] {
        let study = study(&market, method, 40);
        let scene = Scene::new(&study, &market).unwrap();
        let (one, many, cut) = (File::new("one"), File::new("many"), File::new("cut"));

        assert_eq!(run(&scene, &one, 1, u32::MAX), End::Done);
        assert_eq!(run(&scene, &many, 3, u32::MAX), End::Done);
        assert_eq!(run(&scene, &cut, 2, 10), End::Stopped);
        // As kill -9 leaves it.
        let mut torn = fs::OpenOptions::new().append(true).open(&cut.0).unwrap();
        torn.write_all(b"{\"number\":39,\"po").unwrap();
        assert!(lines(&cut).len() < 41);
        assert_eq!(run(&scene, &cut, 2, u32::MAX), End::Done);

        assert_eq!(lines(&one).len(), 1 + 30, "{method:?}: 5 × 6 combinations and the study");
        assert_eq!(lines(&one), lines(&many), "{method:?}");
        assert_eq!(lines(&one), lines(&cut), "{method:?}");
    }
}

#[test]
fn a_piece_travels_as_text_and_gives_the_same_anywhere() {
    let market = market(1500);
    let study = study(&market, Method::Grid, 30);
    let scene = Scene::new(&study, &market).unwrap();
    let piece = Piece { study: scene.id.clone(), tries: vec![(7, study.space.point(7))] };
    let sent: Piece = serde_json::from_str(&serde_json::to_string(&piece).unwrap()).unwrap();
    let there: Study = serde_json::from_str(&serde_json::to_string(&study).unwrap()).unwrap();

    let outcomes = sent.carry_out(&Scene::new(&there, &market).unwrap()).unwrap();

    assert_eq!(outcomes, piece.carry_out(&scene).unwrap());
    assert_eq!(outcomes[0].result.as_ref().unwrap().len(), 3, "training and two stretches");
    let stranger = Piece { study: "other".to_owned(), ..piece };
    assert!(matches!(stranger.carry_out(&scene), Err(StudyError::Other(_))));
}

#[test]
fn a_journal_of_another_sweep_is_refused() {
    let market = market(500);
    let file = File::new("other");
    let first = study(&market, Method::Grid, 4);
    drop(Journal::open(&file.0, &first).unwrap());
    let held = Journal::open(&file.0, &first).unwrap();
    assert!(matches!(Journal::open(&file.0, &first), Err(JournalError::Busy { .. })));
    drop(held);
    let second = Study { seed: 6, ..first };

    assert!(matches!(Journal::open(&file.0, &second), Err(JournalError::OtherStudy { .. })));
}

#[test]
fn no_search_tries_anything_twice_and_all_reach_the_end_of_the_space() {
    let market = market(400);
    for method in [Method::Grid, Method::Random, Method::Bayes] {
        let mut study = study(&market, method, 1000);
        study.windows.walk_forward = 0;
        let scene = Scene::new(&study, &market).unwrap();
        let file = File::new("twice");
        run(&scene, &file, 2, u32::MAX);
        let journal = Journal::open(&file.0, &study).unwrap();
        let mut points: Vec<Point> =
            journal.known().values().map(|outcome| outcome.point.clone()).collect();
        points.sort();
        points.dedup();
        assert_eq!(points.len(), 30, "{method:?}");
    }
}

#[test]
fn the_best_come_first_with_what_speaks_against_them() {
    let market = market(4000);
    let study = study(&market, Method::Grid, 30);
    let scene = Scene::new(&study, &market).unwrap();
    let file = File::new("judge");
    run(&scene, &file, 2, u32::MAX);
    let journal = Journal::open(&file.0, &study).unwrap();

    let judged = judge(&scene, journal.known(), 5);

    assert_eq!((judged.ranked.len(), judged.tries, judged.refused), (5, 30, 0));
    let values = judged.ranked.iter().map(|ranked| ranked.training.value("total_return").unwrap());
    let values: Vec<f64> = values.collect();
    assert!(values.is_sorted_by(|a, b| a >= b), "{values:?}");
    let best = &judged.ranked[0];
    assert!(best.holdout.is_some() && best.baseline.is_some());
    assert!(2 <= best.neighbours.unwrap().count);
    assert_eq!(best.grade, "F");
    assert!(best.doubts.iter().any(|doubt| doubt.contains("deals")), "{:?}", best.doubts);
    assert_eq!(judged.folds.len(), 2);
    assert!(judged.folds[0].cut < judged.folds[1].cut);
    // The same judgement again, to the last digit.
    let again = judge(&scene, journal.known(), 5);
    assert_eq!(format!("{again:?}"), format!("{judged:?}"));
}

#[test]
fn settings_that_cannot_be_are_kept_with_their_reason() {
    let market = market(300);
    let mut study = study(&market, Method::Grid, 2);
    study.space = Space::new(vec![Parameter {
        name: "max_safety_orders".to_owned(),
        values: vec![json!(3), json!(9999)],
    }])
    .unwrap();
    let scene = Scene::new(&study, &market).unwrap();
    let piece = Piece { study: scene.id.clone(), tries: vec![(0, vec![0]), (1, vec![1])] };

    let outcomes = piece.carry_out(&scene).unwrap();

    assert!(outcomes[0].result.is_ok());
    let reason = outcomes[1].result.as_ref().unwrap_err();
    assert!(reason.contains("max_safety_orders"), "{reason}");
}

#[test]
fn odd_spaces_and_windows_are_refused() {
    let one = |values: Vec<serde_json::Value>| {
        Space::new(vec![Parameter { name: "a".to_owned(), values }])
    };
    assert_eq!(Space::new(Vec::new()), Err(SpaceError::Empty));
    assert!(one(Vec::new()).is_err());
    assert!(one(vec![json!("1"), json!("1")]).is_err());
    let wide = |name: &str| Parameter {
        name: name.to_owned(),
        values: (0..9999).map(|it| json!(it)).collect(),
    };
    assert_eq!(
        Space::new(vec![wide("a"), wide("b"), wide("c"), wide("d")]),
        Err(SpaceError::TooLarge)
    );
    assert!(Parameter::steps("a", (Decimal::ONE, Decimal::TEN, Decimal::ZERO), false).is_err());
    let market = market(100);
    let mut study = study(&market, Method::Grid, 1);
    study.windows.holdout_pct = 81;
    assert!(matches!(Scene::new(&study, &market), Err(StudyError::Holdout(81))));
    study.windows.holdout_pct = 0;
    study.metric = "luck".to_owned();
    assert!(matches!(Scene::new(&study, &market), Err(StudyError::Metric(_))));
}

#[test]
fn points_are_numbered_and_have_neighbours() {
    let space = space();
    assert_eq!(space.size(), 30);
    assert_eq!(space.point(0), [0, 0]);
    assert_eq!(space.point(29), [4, 5]);
    assert_eq!(space.point(7), [1, 1]);
    assert_eq!(space.neighbours(&[0, 5]), [vec![1, 5], vec![0, 4]]);
    assert_eq!(space.settings(&[9, 9]), None);
}
