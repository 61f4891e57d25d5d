//! The command line of what looks at the past: candles, backtests, sweeps.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{ModeName, PathName, TermsOptions};

/// Which candles.
#[derive(Debug, Args, Default)]
pub(crate) struct MarketOptions {
    /// Candles of the bot's pair from a file instead of the data folder; with several pairs once for
    /// each, with its name before the file
    #[arg(long, value_name = "[PAIR=]FILE")]
    pub(crate) candles: Vec<String>,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Whose candles, when the folder has those of several exchanges
    #[arg(long, value_name = "NAME", conflicts_with = "candles")]
    pub(crate) venue: Option<String>,
    /// How long a candle is, such as 1m, 1h or 1d; longer ones are made of shorter ones [default: that
    /// of the candles]
    #[arg(long, value_name = "TIME")]
    pub(crate) interval: Option<String>,
    /// The first moment, in UTC: 2025-01-01 or 2025-01-01T12:00 [default: the first candle]
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// The first moment that is not looked at any more [default: after the last candle]
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
}

/// Where candles are kept.
#[derive(Debug, Args, Default)]
pub(crate) struct FolderOptions {
    /// The data folder, which `tranche data` fills [default: data]
    #[arg(long, value_name = "FOLDER", env = "TRANCHE_CANDLES")]
    pub(crate) data: Option<PathBuf>,
}

/// What is written of a result.
#[derive(Debug, Args, Default)]
pub(crate) struct ResultOptions {
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a report: .html is one page that needs no network, .json the same as data
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write tables as Parquet into this folder, for pandas, polars and others
    #[arg(long, value_name = "FOLDER")]
    pub(crate) export: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche backtest --bot examples/dca.toml --candles BTCUSDT-1m.csv.zst
  tranche backtest --bot bot.toml --from 2024-01-01 --to 2025-01-01 --report bot.html
  tranche backtest --bot bot.toml --candles BTC/USDT=btc.csv --candles ETH/USDT=eth.csv \\
      --balance USDT=50000 --fee 0.02%,0.05% --fee-asset received
  tranche backtest --bot bot.toml --candles btc.csv --json | jq .profit_quote
  tranche backtest --bot bot.toml --candles btc.csv --record run.tranche

Without --candles they come from the data folder: `tranche data list` shows what is there. Candle files \
are .csv or .csv.zst with the columns open_time_ms,open,high,low,close,volume; `tranche data import` \
reads others. docs/backtesting.md explains the figures.")]
pub(crate) struct BacktestTask {
    /// The bot's settings, a TOML file; examples/dca.toml explains each
    #[arg(long, value_name = "FILE")]
    pub(crate) bot: PathBuf,
    #[command(flatten)]
    pub(crate) market: MarketOptions,
    #[command(flatten)]
    pub(crate) result: ResultOptions,
    /// Look at every candle, or only at those in which something can happen; the results are the same
    /// [default: jump]
    #[arg(long, value_enum, env = "TRANCHE_MODE")]
    pub(crate) mode: Option<ModeName>,
    /// In which order a candle touched its extremes [default: nearest]
    #[arg(long, value_enum, env = "TRANCHE_PATH")]
    pub(crate) path: Option<PathName>,
    #[command(flatten)]
    pub(crate) terms: TermsOptions,
    /// Write every event and decision to this file, for `tranche replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche sweep --bot examples/dca.toml --space examples/space.toml --candles BTCUSDT-1m.csv.zst
  tranche sweep --bot bot.toml --space space.toml --from 2024-01-01 --to 2025-01-01 \\
      --report sweep.html
  tranche sweep --bot bot.toml --space space.toml --json | jq '.ranked[0]'

Every try is kept in the journal at once. A sweep that was stopped, or killed, goes on when the same \
command is run again. Results do not depend on the number of threads.")]
pub(crate) struct SweepTask {
    /// The bot's settings, a TOML file; what the space names is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) bot: PathBuf,
    /// What is tried and how, a TOML file; examples/space.toml explains it
    #[arg(long, value_name = "FILE")]
    pub(crate) space: PathBuf,
    #[command(flatten)]
    pub(crate) market: MarketOptions,
    #[command(flatten)]
    pub(crate) result: ResultOptions,
    /// Where tries are kept [default: sweep-….jsonl here, named after what is tried]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// How many cores work [default: all]
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// How many of the best are looked at closely and shown
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) top: u16,
    /// In which order a candle touched its extremes [default: nearest]
    #[arg(long, value_enum, env = "TRANCHE_PATH")]
    pub(crate) path: Option<PathName>,
    #[command(flatten)]
    pub(crate) terms: TermsOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche data import --venue binance-spot --pair BTC/USDT BTCUSDT-1m-2024-*.zip
  tranche data import --venue kraken --pair BTC/USD XBTUSD_60.csv \\
      --columns time,open,high,low,close,volume,-
  tranche data import --venue binance-spot --pair BTC/USDT user_data/data/BTC_USDT-1m.feather
  tranche data import --venue bitstamp --pair BTC/USD candles.csv --zone +01:00

Read are .csv (with a header in the words of most, or with --columns), the public archive of Binance, \
freqtrade's .json and .feather, .parquet, and .csv or .json inside .zip, .gz or .zst. Several files \
become one series, in order of time. What is there already stays; the same candle twice comes once; a \
candle that contradicts another one stops the import, and nothing changes.")]
pub(crate) struct ImportTask {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Whose candles they are: lower-case letters, digits and -
    #[arg(long, value_name = "NAME")]
    pub(crate) venue: String,
    /// The pair, such as BTC/USDT
    #[arg(long, value_name = "PAIR")]
    pub(crate) pair: String,
    /// How long a candle is [default: the smallest distance between two]
    #[arg(long, value_name = "TIME")]
    pub(crate) interval: Option<String>,
    /// The columns in order, of files without a header: time, open, high, low, close, volume, and -
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// What times without a zone mean: UTC, +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub(crate) zone: Option<String>,
    /// Forget what is there of this series
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListTask {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Print one line of JSON for each series
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche data resample --pair BTC/USDT --from-interval 1m --interval 1h
  tranche data resample --pair BTC/USDT --interval 1d

Candles that the ends cut are left out. What is there of the longer series is replaced.")]
pub(crate) struct ResampleTask {
    /// The pair, such as BTC/USDT
    #[arg(long, value_name = "PAIR")]
    pub(crate) pair: String,
    /// How long the new candles are
    #[arg(long, value_name = "TIME")]
    pub(crate) interval: String,
    /// How long those are that they are made of, when there are several
    #[arg(long, value_name = "TIME")]
    pub(crate) from_interval: Option<String>,
    /// Whose candles, when there are those of several exchanges
    #[arg(long, value_name = "NAME")]
    pub(crate) venue: Option<String>,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
}

/// How a search goes through its space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MethodName {
    #[default]
    Grid,
    Random,
    Bayes,
}
