//! The backtest: candles through the same shard and exchange as everywhere else.
//!
//! What can change nothing is passed over: a row matters when a price in it is at or beyond a lane's band
//! or an own order of the exchange, or when something is due. [`Mode`] says how the next such row is
//! found; the deals are the same. A [`Market`] is made ready once and shared by any number of runs; a run
//! is a pure function of it and a [`Plan`].

mod extremes;
mod feed;
mod market;
mod run;

use tranche_model::{
    balance::Balance,
    candle::Candle,
    decimal::MathError,
    ids::{AccountId, BotId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::Quote,
    record::{DealRow, FillRow},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    dca,
    dispatch::limits::Limits,
    event::{Command, Settings},
    shard::Output,
};

pub use self::market::Market;

use self::run::Run;
use crate::exchange::{self, LedgerError, Path};

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

/// How the rows are found that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each row is fed to the shard: slow, and what the others are held to.
    Every,
    /// Each row is looked at in the columns.
    Scan,
    /// A tree of minima and maxima leads from one to the next.
    #[default]
    Jump,
}

/// What happens in a run beside the market, ascending in time, and what a paper account has around it.
/// The default is nothing: no limits of the venue, nothing read again for safety.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub happenings: Vec<(Timestamp, Happening)>,
    /// The venue's limits on calls.
    pub limits: Option<Limits>,
    /// How often a risen peak is written down.
    pub checkpoint_every: Option<Millis>,
    /// Everything is read again from time to time, as the plan's account says.
    pub reads_again: bool,
}

/// Something from outside. At its moment it comes before the market's price of the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    Command(Command),
    Rules(Box<Instrument>),
    /// The market data breaks; the next price ends it.
    Gap(InstrumentId),
    /// The private stream is lost, or comes up.
    Stream {
        live: bool,
    },
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
    /// Candles with fills in which the order of high and low could decide what was filled. With
    /// [`Path::Worst`] and [`Path::Best`], in which it did.
    pub ambiguous_candles: u64,
    /// The fills in those.
    pub ambiguous_fills: u64,
    pub candles: u64,
    /// Realised by closed deals.
    pub profit: Quote,
    /// All fees paid, valued in quote.
    pub fees: Quote,
    /// What market orders paid more, or got less, than at the market's price when they were decided;
    /// below zero when it moved in their favour.
    pub slippage: Quote,
    pub deals: Vec<DealRow>,
    /// Every fill, in the order in which they were booked.
    pub booked: Vec<FillRow>,
    /// With [`Plan::record`]: everything that was told.
    pub told: Vec<Output>,
}

/// Why a backtest cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BacktestError {
    #[error("there are no candles")]
    NoCandles,
    #[error("the intervals do not fit: all series share one, and finer candles have a shorter one")]
    Intervals,
    #[error("no such instrument: {0}")]
    NoInstrument(InstrumentId),
    #[error("candle of {at}: a price has more digits than instrument {instrument} can hold")]
    OffGrid { instrument: InstrumentId, at: Timestamp },
    #[error("candle of {at} on instrument {instrument} does not come after the one before")]
    Unsorted { instrument: InstrumentId, at: Timestamp },
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

/// Runs a plan over the series. `progress` is told how many candles are done. Who runs more than one plan
/// makes a [`Market`] and uses [`run_on`].
pub fn run(
    instruments: Instruments,
    plan: &Plan,
    series: &[Series<'_>],
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    run_on(&Market::new(instruments, series)?, plan, progress)
}

/// Runs a plan on a market that is ready.
pub fn run_on(
    market: &Market,
    plan: &Plan,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    run_script(market, plan, &Script::default(), progress)
}

/// Runs a plan with happenings from outside.
pub fn run_script(
    market: &Market,
    plan: &Plan,
    script: &Script,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, BacktestError> {
    Run::new(market, plan, script)?.carry_out(progress)
}
