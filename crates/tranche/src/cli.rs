//! The command line.

mod exchange;
mod lab;
mod serve;
mod simulate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use tranche_sim::{backtest::Mode, exchange::Path};

pub(crate) use exchange::{
    DataTask, DataWhat, DoctorTask, EnvironmentName, FetchTask, SimserverTask, VenueName,
    VenueOptions,
};
pub(crate) use lab::{
    BacktestTask, FolderOptions, ImportTask, ListTask, MarketOptions, MethodName, ResampleTask,
    ResultOptions, SweepTask,
};
pub(crate) use serve::{
    AccountNamed, AccountTask, AccountWhat, BackupTask, BotNamed, BotTask, BotWhat, DealNamed,
    DealTask, DealWhat, KeyTask, KeyWhat, LookOptions, RestoreTask, SendOptions, ServeTask,
    StoreOptions, VerifyTask,
};
pub(crate) use simulate::SimulateTask;

/// Trading bots that do not lose money to their own mistakes.
#[derive(Debug, Parser)]
#[command(name = "tranche", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) task: Task,
}

const EXAMPLES: &str = "\
Examples:
  tranche demo
  tranche serve
  tranche bot create --account paper examples/first.toml
  tranche backtest --bot examples/dca.toml --candles BTCUSDT-1m.csv.zst
  tranche sweep --bot examples/dca.toml --space examples/space.toml --candles BTCUSDT-1m.csv.zst
  tranche replay run.tranche --text
  tranche data fetch --pair BTC/USDT --from 2025-01-01 --to 2025-02-01 --out BTCUSDT-1m.csv
  tranche doctor
  tranche simserver --market generated --key me --secret play
  tranche simulate --bot-years 20

Settings come from flags, else from TRANCHE_* variables, else from tranche.toml, else they have the \
defaults that the help names. Each command has its own --help with more examples.";

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// File with settings [default: tranche.toml, if it is there]
    #[arg(long, value_name = "FILE", global = true, env = "TRANCHE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// What to log on stderr: error, warn, info, debug, or per module such as tranche=debug
    /// [default: warn; of data and doctor, which say themselves what is wrong, error]
    #[arg(long, value_name = "FILTER", global = true, env = "TRANCHE_LOG")]
    pub(crate) log: Option<String>,
    /// Log one JSON object per line
    #[arg(long, global = true, env = "TRANCHE_LOG_JSON")]
    pub(crate) log_json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run a bot over recorded candles
    Backtest(Box<BacktestTask>),
    /// Try many settings of a bot over recorded candles
    Sweep(Box<SweepTask>),
    /// Watch bots trade on a simulated exchange
    Demo(DemoTask),
    /// Run bots for good, on a database
    Serve(Box<ServeTask>),
    /// Bots of a running server: make, look at, pause, edit
    Bot(BotTask),
    /// Deals of a running server: look at, start, cancel, close
    Deal(DealTask),
    /// Accounts of a running server: add, look at, pause, kill switch
    Account(AccountTask),
    /// The master key that seals exchange keys: look at, change
    Key(KeyTask),
    /// Copy the database while it is in use
    Backup(BackupTask),
    /// Put a backup back
    Restore(RestoreTask),
    /// Look the database through
    Verify(VerifyTask),
    /// Repeat a recording and compare every decision
    Replay(ReplayTask),
    /// Fetch, import, list and check market data
    Data(DataTask),
    /// Check addresses, clock, pair and key before a bot trades
    Doctor(DoctorTask),
    /// Be an exchange for real clients, with play money and faults on demand
    Simserver(Box<SimserverTask>),
    /// Live through simulated years in which everything goes wrong
    Simulate(SimulateTask),
}

/// What the simulated exchange gives and takes.
#[derive(Debug, Args, Default)]
pub(crate) struct TermsOptions {
    /// What the account begins with; may be given for several assets [default: 10000 of the quote
    /// asset, 1 if that is BTC]
    #[arg(long, value_name = "ASSET=AMOUNT", env = "TRANCHE_BALANCE", value_delimiter = ',')]
    pub(crate) balance: Vec<String>,
    /// Fee of each fill, as 0.001 or 0.1%; a second one after a comma is for market orders [default:
    /// 0.1%]
    #[arg(long, value_name = "MAKER[,TAKER]", env = "TRANCHE_FEE")]
    pub(crate) fee: Option<String>,
    /// Where fees are taken from: quote, received, or the name of a third asset [default: quote; of
    /// serve and simserver, as on the real exchange, received]
    #[arg(long, value_name = "ASSET", env = "TRANCHE_FEE_ASSET")]
    pub(crate) fee_asset: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche demo
  tranche demo --seed 42 --bots 12 --speed 600
  tranche demo --candles bitfinex-BTCUSD-1m-2018.csv.zst
  tranche demo --headless --for 60s --json
  tranche demo --faults usual
  tranche demo --market live

The bots trade through the real client, over sockets, on a simulated exchange on this machine. Its \
market passes fast, while bots and calls live in real time. --in-process leaves the sockets out and \
lets everything live in the market's time, as a backtest does.

Without --candles the prices are made up from the seed. Keys: q quit, space pause, + and - speed, \
p pause entries, r resume, c close all deals, tab next bot.

The exit code is 0 only if a deal was closed and our books agree with the exchange's own to the \
last unit.")]
pub(crate) struct DemoTask {
    /// Show nothing but lines of progress, on stderr
    #[arg(long)]
    pub(crate) headless: bool,
    /// End after this time on the wall clock, such as 60s, 5m or 1h [default: headless 60s, else when
    /// you quit]
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<String>,
    /// Print one line of JSON at the end
    #[arg(long)]
    pub(crate) json: bool,
    /// Trade on recorded candles; with the pair's name before the file if that does not hold it
    #[arg(long, value_name = "[PAIR=]FILE")]
    pub(crate) candles: Option<String>,
    /// Whose prices: made up or from --candles, or those of Binance with paper money (needs the internet
    /// and no key)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) market: MarketName,
    /// Trade without sockets, under one virtual clock
    #[arg(long, conflicts_with = "market")]
    pub(crate) in_process: bool,
    /// Let calls and events go wrong: `usual`, or a TOML file as for `tranche simserver`
    #[arg(long, value_name = "PROFILE", conflicts_with = "in_process")]
    pub(crate) faults: Option<String>,
    /// Simulated seconds in one second [default: 3600]
    #[arg(long, value_name = "FACTOR", env = "TRANCHE_SPEED")]
    pub(crate) speed: Option<u32>,
    /// What generated prices follow from [default: 1]
    #[arg(long, value_name = "NUMBER", env = "TRANCHE_SEED")]
    pub(crate) seed: Option<u64>,
    /// How many bots trade [default: 6]
    #[arg(long, value_name = "COUNT", env = "TRANCHE_BOTS")]
    pub(crate) bots: Option<u16>,
    /// Write every event and decision to this file, for `tranche replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche replay run.tranche
  tranche replay run.tranche --text | less

The exit code is 0 only if every event gave what was recorded, byte for byte.")]
pub(crate) struct ReplayTask {
    /// A file that --record wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print what the accounts were told and what they decided, and why
    #[arg(long)]
    pub(crate) text: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModeName {
    Scan,
    #[default]
    Jump,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PathName {
    /// Open, low, high, close
    Olhc,
    /// Open, high, low, close
    Ohlc,
    /// The extreme nearer to the open first
    #[default]
    Nearest,
    /// Whichever leaves the account worth less; both are tried where it matters
    Worst,
    /// Whichever leaves the account worth more
    Best,
}

/// Whose prices the demo trades on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum MarketName {
    #[default]
    Generated,
    Live,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Scan => Self::Scan,
            ModeName::Jump => Self::Jump,
        }
    }
}

impl From<PathName> for Path {
    fn from(name: PathName) -> Self {
        match name {
            PathName::Olhc => Self::OpenLowHighClose,
            PathName::Ohlc => Self::OpenHighLowClose,
            PathName::Nearest => Self::Nearest,
            PathName::Worst => Self::Worst,
            PathName::Best => Self::Best,
        }
    }
}
