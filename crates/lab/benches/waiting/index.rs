//! The watch index alone: a tick that wakes nobody, a hit, and trails, from 1,000 to 1,000,000 bots.

use std::{hint::black_box, time::Instant};

use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
    money::{Fraction, Price, Qty},
    time::{Millis, Timestamp},
};
use tranche_trading::watch::{Bound, Cause, Index, Trail, Urgency, Wake, Watch, WatchId};

use crate::scene::{
    figures::{Chance, Figures, Times, nanos, slope},
    levels::{self, Levels, Ordered},
    world,
};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const NOW: Timestamp = Timestamp::from_ms(1_700_000_000_000);
const FAR: Timestamp = Timestamp::from_ms(1_800_000_000_000);
/// Enough visits for a mean, few enough for a million bots.
const VISITS: usize = 20_000_000;

/// At one size only, if one is given.
pub(crate) fn measure(trades: &[Price], only: Option<usize>, figures: &mut Figures) {
    let clock = Times::of_clock();
    figures.put("index/clock".to_owned(), clock);
    let instruments = world::instruments(1);
    let mut kinds = [("quiet", Vec::new()), ("trail", Vec::new()), ("ordered", Vec::new())];
    for bots in only.map_or_else(|| SIZES.to_vec(), |only| vec![only]) {
        let thirds = replay(&instruments, trades, bots, third);
        tell(figures, &format!("index/thirds/{bots}"), &thirds);
        kinds[0].1.push((bots, thirds.quiet.steady_mean() - clock));
        let trails = replay(&instruments, trades, bots, |_, mid, chance| trail(mid, chance));
        tell(figures, &format!("index/trails/{bots}"), &trails);
        kinds[1].1.push((bots, trails.all.mean() - clock));
        let peers = peers(&instruments, trades, bots);
        tell(figures, &format!("limit/ordered/{bots}"), &peers.0);
        kinds[2].1.push((bots, peers.0.quiet.steady_mean() - clock));
        figures.put(format!("limit/visit-all/{bots}/mean"), peers.1);
    }
    for (name, points) in &kinds {
        for (bots, cost) in points {
            figures.put(format!("cost/{name}/{bots}"), *cost);
        }
        figures.put(format!("slope/{name}"), slope(points));
    }
}

/// What a replay took, less nothing: the clock is in it.
#[derive(Default)]
struct Replay {
    all: Times,
    /// Ticks that woke nobody.
    quiet: Times,
    /// The others.
    busy: Times,
    hits: u64,
}

impl Replay {
    fn note(&mut self, nanos: f64, hits: u64) {
        self.all.add(nanos);
        self.hits += hits;
        if hits == 0 { self.quiet.add(nanos) } else { self.busy.add(nanos) }
    }
}

fn tell(figures: &mut Figures, name: &str, replay: &Replay) {
    figures.put(format!("{name}/p50"), replay.quiet.quantile(0.5));
    figures.put(format!("{name}/p99"), replay.quiet.quantile(0.99));
    figures.put(format!("{name}/mean"), replay.all.mean());
    figures.put(format!("{name}/hits"), replay.hits as f64);
    figures.put(format!("{name}/per-hit"), replay.busy.sum() / replay.hits.max(1) as f64);
}

/// Feeds the trades; whoever is woken answers anew.
fn replay(
    instruments: &Instruments,
    trades: &[Price],
    bots: usize,
    answer: impl Fn(usize, Price, &mut Chance) -> Watch,
) -> Replay {
    let instrument = instruments.get(InstrumentId::new(0)).unwrap();
    let mut index = Index::new(Millis::from_secs(60));
    let mut chance = Chance::new();
    for bot in 0..bots {
        index.set(WatchId::new(bot as u32), instrument, answer(bot, trades[0], &mut chance));
    }
    let (mut replay, mut wakes) = (Replay::default(), Vec::new());
    for price in trades {
        let tick = tick(*price);
        let since = Instant::now();
        index.tick(instrument, &tick, &mut wakes).unwrap();
        let mut spent = nanos(since);
        let hits = wakes.len() as u64;
        if hits != 0 {
            let answers = wakes.drain(..).map(|wake| (wake.id, again(&wake))).collect::<Vec<_>>();
            let since = Instant::now();
            for (id, answer) in answers {
                index.set(id, instrument, answer);
            }
            spent += nanos(since);
        }
        replay.note(spent, hits);
    }
    replay
}

fn tick(price: Price) -> Tick {
    Tick { instrument: InstrumentId::new(0), price, qty: Qty::ZERO, at: NOW }
}

/// A third has only resting orders, half of those with a time; a third watches two prices; a third
/// trails.
fn third(bot: usize, mid: Price, chance: &mut Chance) -> Watch {
    match bot % 6 {
        0 => Watch::default(),
        1 => Watch { at: Some(FAR), ..Watch::default() },
        2 | 3 => band(at(mid, -0.05 * chance.next()), at(mid, 0.03 * chance.next())),
        _ => trail(mid, chance),
    }
}

fn trail(mid: Price, chance: &mut Chance) -> Watch {
    let peak = at(mid, 0.003 * chance.next());
    let deviation = Decimal::new((1_000_000.0 + 49_000_000.0 * chance.next()) as i64, 9);
    Watch { trail: Some(Trail { peak, deviation: Fraction::new(deviation) }), ..Watch::default() }
}

fn band(below: Price, above: Price) -> Watch {
    let below = Some(Bound { price: below, urgency: Urgency::Entry });
    let above = Some(Bound { price: above, urgency: Urgency::Exit });
    Watch { below, above, ..Watch::default() }
}

/// Those woken wait again, as far away as a new deal would.
fn again(wake: &Wake) -> Watch {
    let price = wake.price.unwrap();
    if matches!(wake.cause, Cause::Retraced { .. }) {
        let deviation = Fraction::new(Decimal::new(15, 3));
        return Watch { trail: Some(Trail { peak: price, deviation }), ..Watch::default() };
    }
    band(at(price, -0.015), at(price, 0.015))
}

/// A price on the grid, some share away.
fn at(price: Price, share: f64) -> Price {
    let cents = (price.get() * Decimal::ONE_HUNDRED).mantissa() as f64;
    let scale = 10_f64.powi((price.get() * Decimal::ONE_HUNDRED).scale() as i32);
    Price::new(Decimal::new((cents / scale * (1.0 + share)) as i64, 2))
}

/// The ordered sets on the same ticks, and the mean cost of asking every bot.
fn peers(instruments: &Instruments, trades: &[Price], bots: usize) -> (Replay, f64) {
    let instrument = instruments.get(InstrumentId::new(0)).unwrap();
    let units = |price: Price| instrument.price_units(price).unwrap();
    let (mid, mut chance) = (trades[0], Chance::new());
    let mut all = Vec::with_capacity(bots);
    for _ in 0..bots {
        let buy = units(at(mid, -0.05 * chance.next()));
        all.push(Levels { buy, sell: units(at(mid, 0.03 * chance.next())) });
    }
    let mut ordered = Ordered::new(&all);
    let mut replay = Replay::default();
    for price in trades {
        let price = units(*price);
        let since = Instant::now();
        let hits = ordered.tick(black_box(price));
        replay.note(nanos(since), hits);
    }
    let few = (VISITS / bots).clamp(20, trades.len());
    (replay, visit(instrument, &trades[..few], &mut all))
}

fn visit(instrument: &Instrument, trades: &[Price], bots: &mut [Levels]) -> f64 {
    let mut times = Times::default();
    for price in trades {
        let price = instrument.price_units(*price).unwrap();
        let since = Instant::now();
        black_box(levels::visit_all(bots, black_box(price)));
        times.push(since);
    }
    times.mean()
}
