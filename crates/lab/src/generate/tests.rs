//! What a generated market must be like.

use proptest::prelude::*;

use super::*;
use tranche_model::{asset::Symbol, candle::Tick, ids::InstrumentId, money::Fraction};

const YEAR_MINUTES: usize = 365 * 1440;
const DAY_MINUTES: usize = 1440;

#[test]
fn the_same_seed_gives_the_same_market() {
    let first: Vec<_> = market(7).take(5000).collect();

    assert_eq!(first, market(7).take(5000).collect::<Vec<_>>());
    assert_ne!(first, market(8).take(5000).collect::<Vec<_>>());
}

#[test]
fn a_market_is_the_same_on_every_platform() {
    let candle = market(7).nth(100_000).unwrap();

    let Candle { open_at, open, high, low, close, volume } = candle;
    let shown = format!("{open_at} {open} {high} {low} {close} {volume}");
    assert_eq!(shown, "2024-03-10T10:40:00Z 62923.6 62994.28 62923.42 62982.43 16.10755");
}

#[test]
fn a_market_says_that_it_is_generated() {
    assert_eq!(market(7).source().to_string(), "generated market (seed 7)");
}

#[test]
fn a_year_looks_like_a_year() {
    for seed in 1..=2 {
        let closes = closes(market(seed).take(YEAR_MINUTES));

        let daily = returns(closes.iter().step_by(DAY_MINUTES));
        let deviation = moment(&daily, 2).isqrt();
        println!("seed {seed}: {}", summary(&closes));
        assert!((250_000..500_000).contains(&deviation), "seed {seed}: daily {deviation}");
        let minutely = returns(closes.iter());
        assert!(4000 < kurtosis_milli(&minutely), "seed {seed}: {}", kurtosis_milli(&minutely));
        assert!(100 < echo_milli(&minutely), "seed {seed}: {}", echo_milli(&minutely));
        let (min, max) = (closes.iter().min().unwrap(), closes.iter().max().unwrap());
        assert!(600_000 < *min && *max < 60_000_000, "seed {seed}: {min} {max}");
    }
}

#[test]
fn volatility_is_right_at_every_interval() {
    for secs in [1, 300, 3600, 86_400] {
        let days = if secs == 1 { 20 } else { 700 };
        let params = Params { interval: Millis::from_secs(secs), ..Params::btc_usdt() };
        let per_day = usize::try_from(86_400 / secs).unwrap();
        let market = Generator::new(3, &params).unwrap();

        let closes = closes(market.take(per_day * days));

        let deviation = moment(&returns(closes.iter().step_by(per_day)), 2).isqrt();
        println!("{secs} s: daily {deviation}");
        assert!((150_000..600_000).contains(&deviation), "{secs} s: daily {deviation}");
    }
}

#[test]
fn a_busy_hour_trades_more_than_a_quiet_one() {
    let mut volumes = [0_i128; 24];
    for candle in market(5).take(60 * DAY_MINUTES) {
        let hour = usize::try_from(candle.open_at.ms() / 3_600_000 % 24).unwrap();
        volumes[hour] += candle.volume.get().trunc().mantissa();
    }

    let mean_daily = volumes.iter().sum::<i128>() / 60;

    assert!(volumes[5] * 3 < volumes[15] * 2, "{volumes:?}");
    assert!((15_000..40_000).contains(&mean_daily), "{mean_daily}");
}

#[test]
fn every_candle_can_have_happened() {
    let symbols = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ETH/BTC"];
    for symbol in symbols {
        let params = Params::of(Symbol::parse(symbol).unwrap()).unwrap();
        let mut market = Generator::new(1, &params).unwrap();
        let mut before: Option<Candle> = None;
        for _ in 0..50_000 {
            let Bar { candle, spread } = market.next_bar().unwrap();
            assert_eq!(candle.check(), Ok(()), "{symbol} {candle:?}");
            assert!(candle.close.is_multiple_of(params.tick), "{symbol} {candle:?}");
            assert!(candle.volume.is_multiple_of(params.qty_step), "{symbol} {candle:?}");
            assert!(params.tick <= spread && spread.is_multiple_of(params.tick), "{symbol}");
            if let Some(before) = before {
                assert_eq!(before.open_at.plus(market.interval()), candle.open_at);
                assert_eq!(before.close, candle.open);
            }
            before = Some(candle);
        }
    }
    assert_eq!(Params::of(Symbol::parse("ABC/XYZ").unwrap()), None);
}

#[test]
fn parameters_that_make_no_market_are_named() {
    let fraction = |text| Fraction::parse(text).unwrap();
    let cases = [
        (Params { tick: Price::ZERO, ..Params::btc_usdt() }, "tick: must be above 0: 0"),
        (
            Params { start_price: Price::parse("60000.005").unwrap(), ..Params::btc_usdt() },
            "start_price: must be a multiple of the tick 0.01: 60000.005",
        ),
        (
            Params { daily_volatility: fraction("3.5"), ..Params::btc_usdt() },
            "daily_volatility: must be from 0.0001 to 0.3: 3.5",
        ),
        (
            Params { interval: Millis::ZERO, ..Params::btc_usdt() },
            "interval: must be from 1000 to 86400000: 0",
        ),
        (Params { trend_days: 0, ..Params::btc_usdt() }, "trend_days: must be from 1 to 3650: 0"),
        (
            Params { jump: fraction("0.2"), jump_days: 1, ..Params::btc_usdt() },
            "jump: jumps this large and frequent move more than daily_volatility allows: 0.2",
        ),
    ];
    for (params, words) in cases {
        assert_eq!(Generator::new(1, &params).unwrap_err().to_string(), words);
    }
}

#[test]
fn a_path_goes_through_the_whole_candle() {
    let path = path(12);
    for candle in market(9).take(2000) {
        let ticks = path.through(&candle).unwrap();

        let prices = || ticks.iter().map(|tick| tick.price);
        assert_eq!(ticks.len(), 12);
        assert_eq!(prices().next(), Some(candle.open));
        assert_eq!(prices().next_back(), Some(candle.close));
        assert_eq!(prices().max(), Some(candle.high));
        assert_eq!(prices().min(), Some(candle.low));
        assert!(ticks.is_sorted_by(|a, b| a.at < b.at), "{ticks:?}");
        assert!(candle.open_at <= ticks[0].at && ticks[11].at < candle.open_at.plus(path.interval));
        assert_eq!(ticks, path.through(&candle).unwrap());
    }
}

#[test]
fn a_candle_off_the_tick_has_no_path() {
    let candle = market(9).next().unwrap();
    let path = TickPath { tick: Price::parse("0.7").unwrap(), ..path(4) };

    let words = "a price of the candle is not a multiple of the tick 0.7: 60000";
    assert_eq!(path.through(&candle).unwrap_err().to_string(), words);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_seed_and_no_character_make_a_broken_market(
        seed: u64,
        price in 100_i64..1_000_000_000,
        scale in 0_u32..9,
        volatility in 1_i64..300,
        secs in 1_u32..86_400,
        jump_days in 0_u32..10,
    ) {
        let params = Params {
            start_price: Price::new(Decimal::new(price, scale)),
            tick: Price::new(Decimal::new(1, scale)),
            daily_volatility: Fraction::new(Decimal::new(volatility, 3)),
            interval: Millis::from_secs(secs),
            jump_days,
            ..Params::btc_usdt()
        };
        if let Ok(market) = Generator::new(seed, &params) {
            let path = TickPath { tick: params.tick, ..path(5) };
            for candle in market.take(2000) {
                prop_assert_eq!(candle.check(), Ok(()));
                let ticks: Vec<Tick> = path.through(&candle).unwrap();
                prop_assert_eq!(ticks.len(), 5);
            }
        }
    }
}

fn market(seed: u64) -> Generator {
    Generator::new(seed, &Params::btc_usdt()).unwrap()
}

fn path(points: u32) -> TickPath {
    TickPath {
        instrument: InstrumentId::new(0),
        interval: Millis::from_secs(60),
        tick: Params::btc_usdt().tick,
        points,
        seed: 1,
    }
}

/// In hundredths.
fn closes(candles: impl Iterator<Item = Candle>) -> Vec<i128> {
    candles
        .map(|candle| fixed::steps(candle.close.get(), Decimal::new(1, 2)).unwrap().into())
        .collect()
}

/// In units of 10^−7.
fn returns<'a>(closes: impl Iterator<Item = &'a i128> + Clone) -> Vec<i128> {
    let pairs = closes.clone().zip(closes.skip(1));
    pairs.map(|(before, after)| (after - before) * 10_000_000 / before).collect()
}

/// The mean of a power, around zero.
fn moment(returns: &[i128], power: u32) -> i128 {
    returns.iter().map(|value| value.pow(power)).sum::<i128>() / count(returns)
}

/// Thousand times the fourth moment over the square of the second; 3000 for the normal distribution.
fn kurtosis_milli(returns: &[i128]) -> i128 {
    moment(returns, 4) * 1000 / moment(returns, 2).pow(2)
}

/// Thousand times the correlation of the sizes of moves ten candles apart; 0 without bursts.
fn echo_milli(returns: &[i128]) -> i128 {
    let mean = returns.iter().map(|value| value.abs()).sum::<i128>() / count(returns);
    let sizes: Vec<_> = returns.iter().map(|value| value.abs() - mean).collect();
    let pairs = sizes.iter().zip(sizes.iter().skip(10));
    pairs.map(|(a, b)| a * b).sum::<i128>() * 1000
        / sizes.iter().map(|size| size * size).sum::<i128>()
}

fn summary(closes: &[i128]) -> String {
    let (daily, minutely) = (returns(closes.iter().step_by(DAY_MINUTES)), returns(closes.iter()));
    format!(
        "daily deviation {} e-7, kurtosis {} (daily {}) /1000, echo {} /1000, from {} to {}, ends {}",
        moment(&daily, 2).isqrt(),
        kurtosis_milli(&minutely),
        kurtosis_milli(&daily),
        echo_milli(&minutely),
        closes.iter().min().unwrap(),
        closes.iter().max().unwrap(),
        closes.last().unwrap(),
    )
}

fn count(returns: &[i128]) -> i128 {
    i128::try_from(returns.len()).unwrap()
}
