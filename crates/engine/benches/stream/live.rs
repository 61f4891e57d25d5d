//! The reading side: the client, the shard, and what a plain reference makes of the same prices.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use tokio::{sync::mpsc::error::TryRecvError, time::timeout};
use tranche_model::{
    ids::{AccountId, BotId, InstrumentId},
    money::Price,
    time::Timestamp,
};
use tranche_trading::shard::Options;
use tranche_venue::{
    address::Address,
    binance::{Binance, LIVE},
    catalog::{Catalog, Listed},
    net::clock::Clock,
    venue::{Market, MarketEvent, Topic, Venue as _, Watched},
};

use crate::{
    figures::{Figures, Times},
    tape::{INSTRUMENTS, Tape},
    world::{self, World},
};

const BOTS: u32 = 100_000;
const BOTS_PER_ACCOUNT: u32 = 10;
const BOTS_PER_INSTRUMENT: u32 = BOTS / INSTRUMENTS;
/// Silence after which nothing more comes.
const SILENCE: Duration = Duration::from_secs(3);

/// Counts microseconds in the place of milliseconds: what is read carries the moment of reading.
#[derive(Debug)]
struct Micros {
    begin: Instant,
}

impl Micros {
    fn now(&self) -> i64 {
        self.begin.elapsed().as_micros() as i64
    }
}

impl Clock for Micros {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(self.now())
    }

    fn steady(&self) -> Duration {
        self.begin.elapsed()
    }
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    /// From reading to the computed intent, in nanoseconds.
    to_intent: Times,
    /// From reading to the end of the shard's step.
    to_step: Times,
    /// From the moment at which it was due to the end of the step, in microseconds on two clocks.
    late: Vec<i64>,
    /// The least that lies between the two clocks.
    apart: Option<i64>,
    /// Between the first and the last trade.
    span: Duration,
    trades: usize,
    best: usize,
    gaps: usize,
    intents: usize,
}

pub(crate) fn measure(tape: &Tape, (speed, seconds): (u64, u64), figures: &mut Figures) {
    let mut writer = Writer::start(speed, seconds);
    let mut world = waiting(tape);
    let clock = Arc::new(Micros { begin: Instant::now() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let seen = runtime.unwrap().block_on(watch(&mut world, &clock, (writer.port(), speed), tape));
    let found = levels(&world);
    drop(world);
    let name = format!("stream/{speed}x");
    let lost = missing(tape, &found);
    figures.put(
        format!("{name}/trades-lost"),
        (tape.trades() - seen.trades.min(tape.trades())) as f64,
    );
    figures.put(format!("{name}/gaps"), seen.gaps as f64);
    figures.put(format!("{name}/levels-crossed"), lost.crossed as f64);
    figures.put(format!("{name}/levels-lost"), lost.lost as f64);
    figures.put(format!("{name}/levels-wrong"), lost.wrong as f64);
    figures.put(format!("{name}/intents"), seen.intents as f64);
    let frames = (seen.trades + seen.best) as f64;
    figures.put(format!("{name}/frame"), seen.span.as_nanos() as f64 / frames);
    let mut lag = Times::default();
    for late in &seen.late {
        lag.add((late - seen.apart.unwrap_or(0)) as f64 * 1e3);
    }
    for (what, times) in [("intent", &seen.to_intent), ("step", &seen.to_step), ("lag", &lag)] {
        figures.put(format!("{name}/{what}/p50"), times.quantile(0.5));
        figures.put(format!("{name}/{what}/p99"), times.quantile(0.99));
    }
}

/// Bots in open deals that watch their safety orders, with first levels up to 5 % away.
fn waiting(tape: &Tape) -> World {
    let mut world = World::new(world::instruments(INSTRUMENTS), Options::default());
    for instrument in 0..INSTRUMENTS {
        let first = instrument * BOTS_PER_INSTRUMENT;
        for bot in first..first + BOTS_PER_INSTRUMENT {
            if bot % BOTS_PER_ACCOUNT == 0 {
                world.own(account_of(bot));
            }
            let config = world::config(
                world::symbol(instrument),
                &format!(
                    r#","safety_order_step_pct":"{}","take_profit_pct":"3","active_safety_orders_count":0"#,
                    step(bot)
                ),
            );
            world.create(account_of(bot), bot_id(bot), &config);
        }
        world.tick(InstrumentId::new(instrument), tape.entry(instrument));
        world.settle();
    }
    world
}

fn account_of(bot: u32) -> AccountId {
    AccountId::new(bot / BOTS_PER_ACCOUNT + 1)
}

fn bot_id(bot: u32) -> BotId {
    BotId::new(bot + 1)
}

/// Of the first safety order, in per cent.
fn step(bot: u32) -> Decimal {
    let place = Decimal::from(bot % BOTS_PER_INSTRUMENT);
    Decimal::new(1, 2) + place * Decimal::new(25, 3)
}

/// The engine's way without its store: takes what has come, lets the shard step, carries out.
async fn watch(
    world: &mut World,
    clock: &Arc<Micros>,
    (port, speed): (u16, u64),
    tape: &Tape,
) -> Seen {
    let venue = venue(port, Arc::<Micros>::clone(clock));
    let Market { mut events, control } = venue.market();
    let ids = (0..INSTRUMENTS).map(InstrumentId::new);
    let wished: Watched = ids.flat_map(|id| [(id, Topic::Trades), (id, Topic::Best)]).collect();
    control.watch(wished).unwrap();
    let (mut seen, mut began, expected) = (Seen::default(), None, tape.trades());
    loop {
        let event = match events.try_recv() {
            Ok(event) => event,
            Err(TryRecvError::Disconnected) => panic!("the client died"),
            Err(TryRecvError::Empty) => {
                let limit = if began.is_some() { SILENCE } else { Duration::from_mins(2) };
                let Ok(event) = timeout(limit, events.recv()).await else { return seen };
                event.unwrap()
            }
        };
        match event {
            MarketEvent::Trade { tick, received, .. } => {
                world.tick(tick.instrument, tick.price);
                let intents = world.finish();
                let done = clock.now();
                let due = tick.at.ms() / speed as i64;
                let began = *began.get_or_insert(done);
                seen.note((received.ms(), done, due), intents);
                seen.span = Duration::from_micros((done - began) as u64);
                if 0 < intents {
                    world.settle();
                }
                if seen.trades == expected {
                    return seen;
                }
            }
            MarketEvent::Best(_) => seen.best += 1,
            MarketEvent::Gap { reason, .. } => {
                println!("gap: {reason}");
                seen.gaps += 1;
            }
            MarketEvent::Live(_) | MarketEvent::Candle { .. } => {}
        }
    }
}

impl Seen {
    fn note(&mut self, (received, done, due): (i64, i64, i64), intents: usize) {
        let from_read = (done - received) as f64 * 1e3;
        self.trades += 1;
        self.intents += intents;
        self.to_step.add(from_read);
        self.late.push(done - due);
        self.apart = Some(self.apart.map_or(received - due, |apart| apart.min(received - due)));
        if 0 < intents {
            self.to_intent.add(from_read);
        }
    }
}

fn venue(port: u16, clock: Arc<Micros>) -> Binance {
    let mut settings = LIVE.settings().unwrap();
    // Nobody is asked for the time: that of the benchmark holds.
    settings.rest = Address::http("http://127.0.0.1:1", false).unwrap();
    settings.market_socket = Address::socket(&format!("ws://127.0.0.1:{port}"), false).unwrap();
    settings.api_socket = Address::socket("ws://127.0.0.1:1", false).unwrap();
    let listed = |instrument: &tranche_model::instrument::Instrument| Listed {
        text: format!("C{}USDT", instrument.id.get()),
        instrument: instrument.clone(),
    };
    let instruments = world::instruments(INSTRUMENTS);
    let catalog = Arc::new(Catalog::new(instruments.iter().map(listed)));
    Binance::start(settings, catalog, clock).unwrap()
}

/// How many safety orders of each bot were filled.
fn levels(world: &World) -> Vec<u16> {
    let count = |bot: u32| {
        let account = world.shard.account(account_of(bot)).unwrap();
        let deal = account.bots[&bot_id(bot)].lanes[0].deal.as_ref();
        deal.map_or(u16::MAX, |deal| deal.levels.count())
    };
    (0..BOTS).map(count).collect()
}

#[derive(Default)]
struct Missing {
    crossed: usize,
    /// Levels that the price crossed, and no order was placed for.
    lost: usize,
    /// Orders at prices that nobody paid, and bots that differ from those that saw the same prices
    /// without a socket.
    wrong: usize,
}

/// Compares with plain arithmetic on the lowest prices, and with a shard that is handed the same prices
/// one by one.
fn missing(tape: &Tape, found: &[u16]) -> Missing {
    let mut lowest: BTreeMap<u32, Price> = BTreeMap::new();
    for (instrument, price) in tape.prices() {
        let low = lowest.entry(instrument).or_insert(price);
        *low = price.min(*low);
    }
    let mut world = waiting(tape);
    for (instrument, price) in tape.prices() {
        world.tick(InstrumentId::new(instrument), price);
        if 0 < world.finish() {
            world.settle();
        }
    }
    let again = levels(&world);
    let entries: Vec<Price> = (0..INSTRUMENTS).map(|id| tape.entry(id)).collect();
    let (tick, mut missing) = (Decimal::new(1, 2), Missing::default());
    for bot in 0..BOTS {
        let instrument = bot / BOTS_PER_INSTRUMENT;
        let entry = entries[instrument as usize].get();
        let level = entry * (Decimal::ONE - step(bot) / Decimal::ONE_HUNDRED);
        let low = lowest[&instrument].get();
        let count = found[bot as usize];
        missing.crossed += usize::from(again[bot as usize]);
        missing.lost += usize::from(low <= level - tick && count == 0);
        missing.lost += usize::from(again[bot as usize].saturating_sub(count));
        let is_early = level + tick < low && 0 < count;
        missing.wrong += usize::from(is_early || again[bot as usize] < count);
    }
    missing
}

/// The process that writes; it ends with this.
struct Writer(Child);

impl Writer {
    fn start(speed: u64, seconds: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--write", &speed.to_string(), "--seconds", &seconds.to_string()]);
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Known once everything is encoded.
    fn port(&mut self) -> u16 {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
