//! The backtest: candles through the same shard and exchange as everywhere else.
//!
//! `Scan` feeds every candle. `Jump` feeds those in which something can happen: a price at or beyond
//! a lane's band or an own order of the exchange, or a timer. Both give the same deals.

mod extremes;

use tranche_model::{
    balance::Balance,
    candle::{Candle, Tick},
    decimal::MathError,
    ids::{AccountId, BotId, CommandId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::Quote,
    record::{DealRow, VerdictRow},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    dca,
    event::{Command, CommandBody, Settings},
    shard::{Durability, Options, Output},
    why::Ended,
};

use self::extremes::Extremes;
use crate::{
    driver::{Driver, Setup},
    exchange::{self, LedgerError, Path},
};

/// What is tried, under which conditions.
#[derive(Debug, Clone)]
pub struct Plan {
    pub account: Settings,
    pub balances: Vec<Balance>,
    pub bots: Vec<(BotId, dca::Config)>,
    pub exchange: exchange::Settings,
    pub path: Path,
    pub mode: Mode,
    /// Keeps every event with its effects in the report, and the why-log.
    pub record: bool,
}

impl Plan {
    /// The account's settings as a backtest uses them, which a recording of it begins with: nothing
    /// is lost, so nothing is read again for safety.
    pub fn settings(&self) -> Settings {
        let mut settings = self.account.clone();
        settings.timing.reconcile_every = Millis::MAX;
        settings
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    Scan,
    #[default]
    Jump,
}

/// The candles of one instrument, ascending in time.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    pub instrument: InstrumentId,
    pub candles: &'a [Candle],
    pub interval: Millis,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Deals whose base order filled or still may.
    pub deals_opened: u32,
    pub deals_closed: u32,
    pub fills: u64,
    /// Candles with fills in which the order of high and low decided what happened.
    pub ambiguous_candles: u64,
    pub candles: u64,
    /// Realised by closed deals.
    pub profit: Quote,
    /// All fees paid, valued in quote.
    pub fees: Quote,
    pub deals: Vec<DealRow>,
    /// With [`Plan::record`]: everything that was told.
    pub told: Vec<Output>,
}

/// Why a backtest cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BacktestError {
    #[error("there are no candles")]
    NoCandles,
    #[error("the series have different intervals; give all of them the same one")]
    Intervals,
    #[error("no such instrument: {0}")]
    NoInstrument(InstrumentId),
    #[error("candle of {at}: a price has more digits than instrument {instrument} can hold")]
    OffGrid { instrument: InstrumentId, at: Timestamp },
    #[error("bot {bot} was refused: {reason}")]
    BotRefused { bot: BotId, reason: String },
    #[error("the account stopped working: {0}")]
    Dead(String),
    #[error(transparent)]
    Balance(#[from] LedgerError),
    #[error(transparent)]
    Math(#[from] MathError),
}

/// The one account of a backtest.
pub const ACCOUNT: AccountId = AccountId::new(1);
/// After so many candles closed orders are forgotten, which nobody asks for any more.
const FORGET_EVERY: u64 = 4096;
const FORGET_OLDER_THAN: Millis = Millis::from_secs(86_400);
/// How many candles before the one that matters are fed: a lone far price would be taken for a
/// mistake of the data, and held back.
const LEAD_IN: usize = 2;

/// Runs a plan over the series. `progress` is told how many candles are done.
pub fn run(
    instruments: Instruments,
    plan: &Plan,
    series: &[Series<'_>],
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    let tracks = tracks(&instruments, series, plan.mode)?;
    let start = tracks.iter().filter_map(|track| track.open_at(0)).min();
    let mut run = Run {
        driver: driver(instruments, plan, start.ok_or(BacktestError::NoCandles)?)?,
        path: plan.path,
        record: plan.record,
        tracks,
        report: Report::default(),
        since_forgotten: 0,
    };
    for (number, (bot, config)) in (1_u128..).zip(&plan.bots) {
        let body = CommandBody::CreateBot { bot: *bot, config: Box::new(config.clone()) };
        run.driver.command(ACCOUNT, Command { id: CommandId::new(number), body });
        run.take_told(Some(*bot))?;
    }
    while let Some(at) = run.next_stop() {
        run.feed(at)?;
        progress(run.done());
    }
    Ok(run.finish())
}

fn driver(
    instruments: Instruments,
    plan: &Plan,
    start: Timestamp,
) -> Result<Driver, BacktestError> {
    let setup = Setup {
        exchange: plan.exchange,
        shard: Options {
            durability: Durability::Volatile,
            record: plan.record,
            why: plan.record,
            // Nothing is lost here, so nothing is written down or read again for safety.
            checkpoint_every: Millis::MAX,
            ..Options::default()
        },
        ..Setup::default()
    };
    let mut driver = Driver::new(instruments, setup, start);
    let (fees, fee_asset) = (plan.account.fees, plan.account.fee_asset);
    driver.exchange.add_account(ACCOUNT, fees, fee_asset, plan.balances.clone())?;
    driver.own(ACCOUNT, plan.settings());
    Ok(driver)
}

/// A series with where it stands.
struct Track<'a> {
    series: Series<'a>,
    /// `None` when every candle is fed.
    extremes: Option<Extremes>,
    next: usize,
}

struct Run<'a> {
    driver: Driver,
    path: Path,
    record: bool,
    tracks: Vec<Track<'a>>,
    report: Report,
    since_forgotten: u64,
}

fn tracks<'a>(
    instruments: &Instruments,
    series: &[Series<'a>],
    mode: Mode,
) -> Result<Vec<Track<'a>>, BacktestError> {
    let mut tracks = Vec::with_capacity(series.len());
    for one in series {
        let id = one.instrument;
        let instrument = instruments.get(id).ok_or(BacktestError::NoInstrument(id))?;
        if series.iter().any(|other| other.interval != one.interval) {
            return Err(BacktestError::Intervals);
        }
        let mut spans = Vec::with_capacity(one.candles.len());
        for candle in one.candles {
            let span = span(instrument, candle);
            spans.push(span.ok_or(BacktestError::OffGrid { instrument: id, at: candle.open_at })?);
        }
        let extremes = match mode {
            Mode::Scan => None,
            Mode::Jump => Some(Extremes::new(spans.into_iter())),
        };
        tracks.push(Track { series: *one, extremes, next: 0 });
    }
    Ok(tracks)
}

/// The integers of low and high; `None` when a price of the candle has none.
fn span(instrument: &Instrument, candle: &Candle) -> Option<(i64, i64)> {
    instrument.price_units(candle.open)?;
    instrument.price_units(candle.close)?;
    Some((instrument.price_units(candle.low)?, instrument.price_units(candle.high)?))
}

impl Track<'_> {
    fn open_at(&self, place: usize) -> Option<Timestamp> {
        self.series.candles.get(place).map(|candle| candle.open_at)
    }

    /// The first candle from which on `at` is not past.
    fn place_of(&self, at: Timestamp) -> usize {
        let span = self.series.interval;
        self.series.candles.partition_point(|candle| candle.open_at.plus(span) <= at)
    }
}

impl Run<'_> {
    /// The opening time of the next candle in which something can happen.
    fn next_stop(&self) -> Option<Timestamp> {
        let due = self.driver.next_due();
        let stops = self.tracks.iter().filter_map(|track| {
            let Some(extremes) = &track.extremes else { return track.open_at(track.next) };
            let (low, high) = self.bounds(track.series.instrument);
            let by_price = extremes.next(track.next, low, high);
            let by_time = due.map(|due| track.place_of(due).max(track.next));
            let place = by_price.into_iter().chain(by_time).min()?;
            track.open_at(place)
        });
        stops.min()
    }

    /// The integer prices at or beyond which a lane or an own order is touched.
    fn bounds(&self, instrument: InstrumentId) -> (i64, i64) {
        let (low, high) = self.driver.shard.band(instrument);
        let (bid, ask) = self.nearest(instrument);
        (low.unwrap_or(i64::MIN).max(bid), high.unwrap_or(i64::MAX).min(ask))
    }

    fn nearest(&self, instrument: InstrumentId) -> (i64, i64) {
        let Some(known) = self.driver.shard.instruments().get(instrument) else {
            return (i64::MIN, i64::MAX);
        };
        let (bid, ask) = self.driver.exchange.nearest(instrument);
        (
            bid.map_or(i64::MIN, |price| known.units_ceil(price)),
            ask.map_or(i64::MAX, |price| known.units_floor(price)),
        )
    }

    /// Feeds the candles that open at `at`, and those just before that were passed over.
    fn feed(&mut self, at: Timestamp) -> Result<(), BacktestError> {
        let mut times: Vec<Timestamp> = Vec::new();
        for track in &self.tracks {
            let landing = track.series.candles.partition_point(|candle| candle.open_at < at);
            let first = landing.saturating_sub(LEAD_IN).max(track.next);
            let fed = track
                .series
                .candles
                .get(first..=landing)
                .or_else(|| track.series.candles.get(first..));
            times.extend(fed.unwrap_or_default().iter().map(|candle| candle.open_at));
        }
        times.sort_unstable();
        times.dedup();
        for time in times.into_iter().filter(|time| *time <= at) {
            self.feed_candles(time)?;
        }
        Ok(())
    }

    fn feed_candles(&mut self, at: Timestamp) -> Result<(), BacktestError> {
        let mut ticks: Vec<Tick> = Vec::with_capacity(self.tracks.len() * 4);
        let mut is_open = false;
        for place in 0..self.tracks.len() {
            let Some(track) = self.tracks.get_mut(place) else { continue };
            let landing = track.series.candles.partition_point(|candle| candle.open_at < at);
            track.next = track.next.max(landing);
            let Some(candle) = track.series.candles.get(landing).filter(|c| c.open_at == at) else {
                continue;
            };
            track.next = landing.saturating_add(1);
            let Series { instrument, interval, .. } = track.series;
            ticks.extend(exchange::candle(instrument, candle, self.path, interval));
            is_open |= self.is_order_open(instrument, candle);
        }
        // Ticks of the same moment go in the order of the series, in every mode.
        ticks.sort_by_key(|tick| tick.at);
        let fills = self.report.fills;
        for tick in &ticks {
            self.driver.tick(tick);
        }
        self.take_told(None)?;
        if is_open && fills != self.report.fills {
            self.report.ambiguous_candles = self.report.ambiguous_candles.saturating_add(1);
        }
        self.forget();
        Ok(())
    }

    /// Whether the candle reaches both what lies below and what lies above: its inner order decides.
    fn is_order_open(&self, instrument: InstrumentId, candle: &Candle) -> bool {
        let Some(known) = self.driver.shard.instruments().get(instrument) else { return false };
        let (low, high) = self.bounds(instrument);
        low != i64::MAX
            && known.units_floor(candle.low) <= low
            && high <= known.units_ceil(candle.high)
    }

    fn forget(&mut self) {
        self.since_forgotten = self.since_forgotten.saturating_add(1);
        if FORGET_EVERY <= self.since_forgotten {
            self.since_forgotten = 0;
            let before = self.driver.now().minus(FORGET_OLDER_THAN);
            self.driver.exchange.forget_closed_before(before);
        }
    }

    /// Counts what was told. A refusal of a command of ours ends the run.
    fn take_told(&mut self, creating: Option<BotId>) -> Result<(), BacktestError> {
        for told in self.driver.take_told() {
            match &told {
                Output::Booked { row, .. } => {
                    self.report.fills = self.report.fills.saturating_add(1);
                    let fee = row.fill.fee.in_quote.unwrap_or_default();
                    self.report.fees = self.report.fees.plus(fee)?;
                }
                Output::Closed { row, .. } => {
                    // A deal whose base order never filled was none.
                    let was_one = row.ended != Ended::NoEntry.name();
                    self.report.deals_closed += u32::from(was_one);
                    self.report.profit = self.report.profit.plus(row.profit)?;
                    self.report.deals.push(row.as_ref().clone());
                }
                Output::Verdict { row, .. } => refused(row, creating)?,
                Output::Quarantined { reason, .. } | Output::Dead { reason, .. } => {
                    return Err(BacktestError::Dead(reason.clone()));
                }
                Output::Commit { .. }
                | Output::Reload { .. }
                | Output::Forget { .. }
                | Output::Call { .. }
                | Output::Ask { .. }
                | Output::HandBack { .. }
                | Output::Lookup { .. }
                | Output::Why { .. }
                | Output::BadTick { .. }
                | Output::Recorded { .. }
                | Output::More => {}
            }
            if self.record {
                self.report.told.push(told);
            }
        }
        Ok(())
    }

    fn done(&self) -> u64 {
        let done = self.tracks.iter().map(|track| track.next.min(track.series.candles.len()));
        tranche_model::cast::count(done.sum())
    }

    fn finish(mut self) -> Report {
        let candles = self.tracks.iter().map(|track| track.series.candles.len()).sum();
        self.report.candles = tranche_model::cast::count(candles);
        let bots = self.driver.shard.accounts().flat_map(|account| account.bots.values());
        let opened = bots.map(|bot| bot.head.deals_opened);
        self.report.deals_opened = opened.fold(0, u32::saturating_add);
        self.report
    }
}

fn refused(row: &VerdictRow, creating: Option<BotId>) -> Result<(), BacktestError> {
    match (&row.verdict, creating) {
        (Err(reason), Some(bot)) => Err(BacktestError::BotRefused { bot, reason: reason.clone() }),
        (Err(_), None) | (Ok(()), _) => Ok(()),
    }
}
