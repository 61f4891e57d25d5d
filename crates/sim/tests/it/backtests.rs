//! Passing over what changes nothing changes nothing: every mode gives the same journal, whatever the
//! bots, the market and the exchange are like.

use proptest::prelude::*;
use rust_decimal::Decimal;
use tranche_model::{
    asset::Symbol,
    balance::{Balance, FeeAsset, FeeRates},
    candle::{Candle, Tick},
    ids::{BotId, InstrumentId},
    instrument::Instruments,
    money::{Amount, Fraction, Price, Qty},
    time::{Millis, Timestamp},
};
use tranche_sim::{
    backtest::{self, BacktestError, Market, Mode, Plan, Report, Series},
    exchange::{self, FillRule, Path},
};
use tranche_trading::{
    dca::{
        Config, Draft,
        draft::{BaseOrderType, DeviationReference, QtyRounding, StopLossReference},
    },
    shard::Output,
};

use crate::scene::{A, B, Terms, asset, config, draft, instrument, pct, settings};

const MINUTE: Millis = Millis::from_secs(60);
const BEGIN: Timestamp = Timestamp::from_ms(1_600_000_200_000);

#[derive(Debug, Clone)]
struct Case {
    drafts: Vec<Draft>,
    exchange: exchange::Settings,
    path: Path,
    funds: i64,
    fee_asset: FeeAsset,
    market: Prices,
}

#[derive(Debug, Clone)]
enum Prices {
    Candles(Vec<Candle>, Vec<Candle>),
    /// The first instrument's candles are five minutes long, and finer ones are there for some.
    Finer(Vec<Candle>, Vec<Candle>),
    Ticks(Vec<Tick>, Vec<Tick>),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_candle_scan_and_jump_give_the_same_journal(case in cases()) {
        let market = case.market();
        let [every, scan, jump] = [Mode::Every, Mode::Scan, Mode::Jump]
            .map(|mode| backtest::run_on(&market, &case.plan(mode), &mut |_| {}).unwrap());
        for other in [&scan, &jump] {
            for (number, (a, b)) in journal(&every).iter().zip(journal(other)).enumerate() {
                prop_assert!(*a == b, "{number}: {} and {}", shown(a), shown(b));
            }
            let counts = |report: &Report| Report { told: Vec::new(), ..report.clone() };
            prop_assert_eq!(counts(&every), counts(other));
            prop_assert_eq!(journal(&every).len(), journal(other).len());
        }
    }

    #[test]
    fn the_worst_order_of_a_lone_candle_is_not_better_than_another(
        ladder in 1_u16..4,
        opens in 90_i64..110,
        up in 0_i64..12,
        down in 0_i64..12,
        closes in -10_i64..10,
        stop in prop::option::of(Just("2.5")),
    ) {
        // One candle opens the deal, the next decides.
        let calm = candle(0, [10_000, 10_000, 10_000, 10_000]);
        let open = opens * 100;
        let close = (open + closes * 100).clamp(open - down * 100, open + up * 100);
        let wild = candle(1, [open, open + up * 100, open - down * 100, close]);
        let draft = Draft {
            max_safety_orders: ladder,
            active_safety_orders_count: Some(ladder),
            stop_loss_pct: stop.map(|_| pct("6")),
            ..draft()
        };
        let worth = |path| {
            let case = Case { path, ..Case::of(draft.clone(), vec![calm, wild]) };
            let plan = Plan { record: true, ..case.plan(Mode::Jump) };
            let report = backtest::run_on(&case.market(), &plan, &mut |_| {}).unwrap();
            (held(&report, close), report.ambiguous_candles)
        };
        let (low_first, high_first) = (worth(Path::OpenLowHighClose), worth(Path::OpenHighLowClose));
        let (worst, best) = (worth(Path::Worst), worth(Path::Best));
        prop_assert_eq!(worst.0, low_first.0.min(high_first.0));
        prop_assert_eq!(best.0, low_first.0.max(high_first.0));
        // What differs is ambiguous, and what is said to be safe does not differ.
        if low_first.0 != high_first.0 {
            prop_assert_eq!((worst.1, best.1), (1, 1));
            prop_assert!(low_first.1 == 1 || high_first.1 == 1);
        }
        if low_first.1 == 0 && high_first.1 == 0 {
            prop_assert_eq!(low_first.0, high_first.0);
        }
    }
}

#[test]
fn a_safety_order_and_the_take_profit_in_one_candle_are_ambiguous() {
    let candles = vec![
        candle(0, [10_000, 10_000, 10_000, 10_000]),
        candle(1, [10_000, 10_300, 9_850, 10_000]),
        candle(2, [10_000, 10_010, 9_990, 10_000]),
    ];
    let run = |path| {
        let case = Case { path, ..Case::of(draft(), candles.clone()) };
        backtest::run_on(&case.market(), &case.plan(Mode::Jump), &mut |_| {}).unwrap()
    };
    let (fixed, worst) = (run(Path::OpenLowHighClose), run(Path::Worst));

    assert_eq!((fixed.ambiguous_candles, worst.ambiguous_candles), (1, 1));
    assert!(2 <= fixed.ambiguous_fills, "{}", fixed.ambiguous_fills);
    assert_eq!(run(Path::OpenHighLowClose).deals_closed, 1);
}

#[test]
fn finer_candles_say_what_came_first() {
    // The five minutes reach the safety order and the take profit: the minutes show the rise first.
    let coarse = candle(0, [10_000, 10_300, 9_850, 9_900]);
    let minutes = [
        [10_000, 10_010, 9_990, 10_000],
        [10_000, 10_300, 10_000, 10_290],
        [10_290, 10_290, 10_100, 10_100],
        [10_100, 10_100, 9_850, 9_850],
        [9_850, 9_900, 9_850, 9_900],
    ];
    let finer: Vec<Candle> = (0..).zip(minutes).map(|(n, prices)| candle(n, prices)).collect();
    let mut case = Case::of(draft(), vec![coarse]);
    let series = Series { instrument: A, candles: &[coarse], interval: MINUTE.times(5) };
    let plain = Market::new(instruments(), &[series]).unwrap();
    let minutes = Series { instrument: A, candles: &finer, interval: MINUTE };
    let refined = plain.clone().with_finer(&minutes).unwrap();
    case.path = Path::OpenLowHighClose;
    let run = |market| backtest::run_on(market, &case.plan(Mode::Jump), &mut |_| {}).unwrap();

    let (guessed, known) = (run(&plain), run(&refined));

    // Guessed: the price falls to the safety order first, and the deal closes with it.
    assert_eq!(guessed.deals[0].safety_orders, 1);
    assert_eq!(known.deals[0].safety_orders, 0);
    assert_eq!(guessed.ambiguous_candles, 1);
}

#[test]
fn prices_out_of_order_and_intervals_that_do_not_fit_are_refused() {
    let (early, late) = (candle(0, [1, 1, 1, 1]), candle(1, [1, 1, 1, 1]));
    let refused = |candles: &[Candle], interval| {
        let series = Series { instrument: A, candles, interval };
        Market::new(instruments(), &[series]).map(|_| ()).unwrap_err()
    };
    let at = early.open_at;

    assert_eq!(refused(&[late, early], MINUTE), BacktestError::Unsorted { instrument: A, at });
    assert_eq!(refused(&[early, early], MINUTE), BacktestError::Unsorted { instrument: A, at });
    assert_eq!(refused(&[early], Millis::ZERO), BacktestError::Intervals);
    assert_eq!(refused(&[], MINUTE), BacktestError::NoCandles);
    let series = Series { instrument: A, candles: &[early], interval: MINUTE };
    let market = Market::new(instruments(), &[series]).unwrap();
    assert_eq!(market.clone().with_finer(&series).map(|_| ()), Err(BacktestError::Intervals));
    let half = Timestamp::from_ms(early.open_at.ms() + 59_500);
    let astride = Series {
        candles: &[Candle { open_at: half, ..early }],
        interval: Millis::from_secs(1),
        ..series
    };
    assert_eq!(market.clone().with_finer(&astride).map(|_| ()), Err(BacktestError::Intervals));
    let other = Series { instrument: B, interval: Millis::from_secs(1), ..series };
    assert_eq!(market.with_finer(&other).map(|_| ()), Err(BacktestError::NoInstrument(B)));
}

#[test]
fn slippage_is_what_market_orders_lose_against_the_price_they_were_decided_at() {
    let settings = |latency, slippage| exchange::Settings {
        latency: Millis::new(latency),
        slippage: Fraction::new(slippage),
        ..exchange::Settings::default()
    };
    let first = |case: &Case| {
        let report = backtest::run_on(&case.market(), &case.plan(Mode::Jump), &mut |_| {}).unwrap();
        (report.booked.first().unwrap().fill, report.slippage.get())
    };
    let calm = (0..3).map(|minute| candle(minute, [10_000; 4])).collect();
    let dear = Case { exchange: settings(0, Decimal::new(5, 4)), ..Case::of(draft(), calm) };
    // The price climbs by a cent each second, and an order travels for one and a half.
    let second = |number: i64| Tick {
        instrument: A,
        price: cents(10_000 + number),
        qty: Qty::ZERO,
        at: Timestamp::from_ms(BEGIN.ms() + number * 1000),
    };
    let climb =
        Prices::Ticks((0..60).map(second).collect(), vec![Tick { instrument: B, ..second(0) }]);
    let late = Case { exchange: settings(1500, Decimal::ZERO), market: climb, ..dear.clone() };

    let (bought, slippage) = first(&dear);
    assert_eq!(bought.price, cents(10_005));
    assert_eq!(slippage, bought.qty.get() * Decimal::new(5, 2));

    let (bought, slippage) = first(&late);
    let lost = slippage / bought.qty.get();
    assert!([Decimal::new(1, 2), Decimal::new(2, 2)].contains(&lost), "{lost}");
}

#[test]
fn one_market_serves_many_threads() {
    let case = Case::of(draft(), walk(7, 4000, 12));
    let market = case.market();
    let alone = backtest::run_on(&market, &case.plan(Mode::Jump), &mut |_| {}).unwrap();
    let together: Vec<Report> = std::thread::scope(|scope| {
        let run = || backtest::run_on(&market, &case.plan(Mode::Jump), &mut |_| {}).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    assert!(2 < alone.deals_closed);
    assert!(together.iter().all(|report| *report == alone));
}

impl Case {
    fn of(draft: Draft, candles: Vec<Candle>) -> Self {
        Self {
            drafts: vec![draft],
            exchange: exchange::Settings { fill: FillRule::Touch, ..Default::default() },
            path: Path::Nearest,
            funds: 10_000,
            fee_asset: FeeAsset::Received,
            market: Prices::Candles(candles, Vec::new()),
        }
    }

    fn plan(&self, mode: Mode) -> Plan {
        let fee = Fraction::new(Decimal::new(1, 3));
        let fees = FeeRates { maker: fee, taker: fee };
        let terms = Terms { fees, fee_asset: self.fee_asset, funds: self.funds };
        let free = Amount::new(self.funds.into());
        let bots = (1_u32..).zip(&self.drafts);
        Plan {
            account: settings(terms),
            balances: vec![Balance { asset: asset("USDT"), free, locked: Amount::ZERO }],
            bots: bots.map(|(n, draft)| (BotId::new(n), config(draft.clone()))).collect(),
            exchange: self.exchange,
            path: self.path,
            mode,
            record: true,
        }
    }

    fn market(&self) -> Market {
        let series = |instrument, candles, interval| Series { instrument, candles, interval };
        let market = match &self.market {
            Prices::Candles(a, b) => {
                Market::new(instruments(), &[series(A, a, MINUTE), series(B, b, MINUTE)])
            }
            Prices::Finer(a, b) => {
                let (coarse_a, coarse_b) = (coarse(a), coarse(b));
                let five = MINUTE.times(5);
                // Every third minute is missing, and from a place on all are.
                let some: Vec<Candle> = a.iter().take(a.len() * 2 / 3).copied().collect();
                let all = [series(A, &coarse_a, five), series(B, &coarse_b, five)];
                Market::new(instruments(), &all)
                    .and_then(|market| market.with_finer(&series(A, &some, MINUTE)))
            }
            Prices::Ticks(a, b) => Market::of_ticks(instruments(), &[(A, a), (B, b)]),
        };
        market.unwrap()
    }
}

/// What was recorded and decided, and how it ended; a lone far price is only seen by who is shown it.
fn journal(report: &Report) -> Vec<&Output> {
    report.told.iter().filter(|told| !matches!(told, Output::BadTick { .. })).collect()
}

fn shown(told: &Output) -> String {
    let Output::Recorded { at, event, .. } = told else { return format!("{told:?}") };
    format!("{at} {:?}", tranche_trading::codec::decode_event(event))
}

/// What the account would have at a price, from its fills.
fn held(report: &Report, close: i64) -> Decimal {
    let mut sum = Decimal::ZERO;
    let mut coins = Decimal::ZERO;
    for told in &report.told {
        if let Output::Booked { row, .. } = told {
            let fill = row.fill;
            let (qty, quote) = (fill.qty.get(), fill.quote.get());
            let is_buy = fill.side == tranche_model::order::Side::Buy;
            let fee = fill.fee.amount.get();
            coins += if is_buy { qty - fee } else { -qty };
            sum += if is_buy { -quote } else { quote - fee };
        }
    }
    sum + coins * Decimal::new(close, 2)
}

fn instruments() -> Instruments {
    Instruments::new(vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")]).unwrap()
}

fn cents(cents: i64) -> Price {
    Price::new(Decimal::new(cents, 2))
}

fn candle(minute: i64, [open, high, low, close]: [i64; 4]) -> Candle {
    Candle {
        open_at: Timestamp::from_ms(BEGIN.ms() + minute * 60_000),
        open: cents(open),
        high: cents(high),
        low: cents(low),
        close: cents(close),
        volume: Qty::ZERO,
    }
}

fn coarse(minutes: &[Candle]) -> Vec<Candle> {
    let group = |candle: &Candle| candle.open_at.ms() / 300_000;
    let join = |group: &[Candle]| {
        let (first, last) = (group[0], group[group.len() - 1]);
        Candle {
            open_at: Timestamp::from_ms(first.open_at.ms() / 300_000 * 300_000),
            open: first.open,
            high: group.iter().map(|candle| candle.high).max().unwrap(),
            low: group.iter().map(|candle| candle.low).min().unwrap(),
            close: last.close,
            volume: first.volume,
        }
    };
    minutes.chunk_by(|a, b| group(a) == group(b)).map(join).collect()
}

/// Numbers that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A walk of minutes with gaps and a rare wick that no other price is near.
fn walk(seed: u64, count: usize, swing: i64) -> Vec<Candle> {
    let mut numbers = Numbers(seed);
    let (mut close, mut minute) = (10_000_i64, 0);
    (0..count)
        .map(|_| {
            minute += 1 + i64::from(numbers.below(40) == 0) * numbers.below(30);
            let open = (close + numbers.below(5) - 2).max(100);
            close = (open + numbers.below(2 * swing + 1) - swing).clamp(100, 1_000_000);
            let mut high = open.max(close) + numbers.below(swing);
            let mut low = (open.min(close) - numbers.below(swing)).max(1);
            match numbers.below(400) {
                0 => high *= 3,
                1 => low = (low / 3).max(1),
                _ => {}
            }
            let volume = Qty::new(Decimal::new(numbers.below(900), 2));
            Candle { volume, ..candle(minute, [open, high, low, close]) }
        })
        .collect()
}

/// Trades, several of them in the same moment at times.
fn trades(instrument: InstrumentId, seed: u64, count: usize, swing: i64) -> Vec<Tick> {
    let mut numbers = Numbers(seed);
    let (mut price, mut ms) = (10_000_i64, BEGIN.ms());
    (0..count)
        .map(|_| {
            ms += [0, 1, 40, 900, 20_000][usize::try_from(numbers.below(5)).unwrap()];
            price = (price + numbers.below(2 * swing + 1) - swing).max(100);
            let shown = if numbers.below(500) == 0 { price * 3 } else { price };
            let qty = Qty::new(Decimal::new(numbers.below(900), 2));
            Tick { instrument, price: cents(shown), qty, at: Timestamp::from_ms(ms) }
        })
        .collect()
}

fn drafts() -> impl Strategy<Value = Draft> {
    let pairs = prop_oneof![Just("AAA"), Just("BBB"), Just("AAA BBB")];
    let exits = (
        prop::option::of(prop_oneof![Just("0.2"), Just("0.7")]),
        prop::option::of(prop_oneof![Just("1.5"), Just("4")]),
        any::<bool>(),
        prop_oneof![Just(0_u32), Just(300)],
    );
    let ladder = (0_u16..5, 0_u16..5, 0_usize..3, any::<bool>());
    let pace = (any::<bool>(), prop_oneof![Just(0_u32), Just(3600)], prop::option::of(Just(1_u16)));
    (pairs, exits, ladder, pace).prop_map(|(pairs, exits, ladder, pace)| {
        let (trailing, stop, from_average, stop_timeout) = exits;
        let (count, active, reference, rounds_up) = ladder;
        let (is_limit, cooldown, most) = pace;
        let pairs = pairs.split(' ').map(|base| Symbol::parse(&format!("{base}/USDT")).unwrap());
        Draft {
            pairs: pairs.collect(),
            trailing_deviation_pct: trailing.map(pct),
            stop_loss_pct: stop.map(|stop| pct(if from_average { stop } else { "9" })),
            stop_loss_reference: if from_average && stop.is_some() {
                StopLossReference::Average
            } else {
                StopLossReference::default()
            },
            stop_loss_timeout_seconds: if stop.is_some() { stop_timeout } else { 0 },
            max_safety_orders: count,
            active_safety_orders_count: Some(active.min(if reference == 1 { 1 } else { count })),
            deviation_reference: [
                DeviationReference::Base,
                DeviationReference::Average,
                DeviationReference::Previous,
            ][reference],
            qty_rounding: if rounds_up { QtyRounding::Up } else { QtyRounding::Down },
            base_order_type: if is_limit { BaseOrderType::Limit } else { BaseOrderType::default() },
            cooldown_seconds: cooldown,
            max_active_deals: most,
            take_profit_pct: pct("1"),
            ..draft()
        }
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let exchange = (any::<bool>(), 0_usize..4, any::<bool>(), any::<bool>());
    let path = prop_oneof![
        Just(Path::OpenLowHighClose),
        Just(Path::OpenHighLowClose),
        Just(Path::Nearest),
        Just(Path::Worst),
        Just(Path::Best),
    ];
    let purse = (
        prop_oneof![Just(150_i64), Just(500), Just(100_000)],
        prop_oneof![Just(FeeAsset::Received), Just(FeeAsset::Quote)],
    );
    let market = (0_u8..4, any::<u64>(), 5_i64..60);
    let sound = |draft: &Draft| Config::try_from(draft.clone()).is_ok();
    let drafts = prop::collection::vec(drafts().prop_filter("sound", sound), 1..4);
    (drafts, exchange, path, purse, market).prop_map(|(drafts, exchange, path, purse, market)| {
        let (touch, latency, slips, capped) = exchange;
        let (kind, seed, swing) = market;
        Case {
            drafts,
            exchange: exchange::Settings {
                fill: if touch { FillRule::Touch } else { FillRule::Through },
                latency: Millis::new([0, 0, 350, 90_000][latency]),
                slippage: Fraction::new(Decimal::new(i64::from(slips) * 5, 4)),
                volume_cap: capped.then(|| Fraction::new(Decimal::new(25, 2))),
                ..exchange::Settings::default()
            },
            path,
            funds: purse.0,
            fee_asset: purse.1,
            market: match kind {
                0 | 1 => Prices::Candles(walk(seed, 900, swing), walk(!seed, 700, swing)),
                2 => Prices::Finer(walk(seed, 900, swing), walk(!seed, 700, swing)),
                _ => Prices::Ticks(
                    trades(A, seed, 1500, swing / 4 + 1),
                    trades(B, !seed, 1500, swing / 4 + 1),
                ),
            },
        }
    })
}
