//! The command line of what speaks to exchanges, or stands in for one.

use std::{net::SocketAddr, path::PathBuf};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Deserialize;
use tranche_venue::venue::Interval;

use super::{FolderOptions, ImportTask, ListTask, ResampleTask, TermsOptions};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VenueName {
    #[default]
    BinanceSpot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EnvironmentName {
    /// Real money
    #[default]
    Live,
    /// The test network: own prices, wiped every month
    Testnet,
    /// Play money at prices like the live ones
    Demo,
}

/// Which exchange, and where.
#[derive(Debug, Args, Default)]
pub(crate) struct VenueOptions {
    /// The exchange [default: binance-spot]
    #[arg(long, value_enum, env = "TRANCHE_VENUE")]
    pub(crate) venue: Option<VenueName>,
    /// Which of its environments [default: live]
    #[arg(long = "env", value_enum, env = "TRANCHE_ENV")]
    pub(crate) environment: Option<EnvironmentName>,
    /// Another address for requests [default: that of the environment]
    #[arg(long, value_name = "URL", env = "TRANCHE_REST")]
    pub(crate) rest: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("source").required(true),
    after_help = "\
Examples:
  tranche simserver --market generated --key me --secret play --balance USDT=10000
  tranche simserver --candles BTCUSDT-1m.csv.zst --speed 600 --key me --secret play
  tranche simserver --trades ETHUSDT-trades.csv --symbol ETH/USDT --key me --public-key public.pem
  tranche simserver --market generated --listen 127.0.0.1:9010 --control 127.0.0.1:9011 \\
      --key me --secret play --faults examples/faults.toml --seed 7

Then, in another terminal, with TRANCHE_KEY=me and TRANCHE_SECRET=play:
  tranche doctor --rest http://127.0.0.1:9010 --market-socket ws://127.0.0.1:9010 \\
      --api-socket ws://127.0.0.1:9010/ws-api/v3

It runs until the market ends, or until Ctrl-C. The market passes against the machine's clock: at \
speed 60 an hour of it passes in a minute. docs/simserver.md explains faults, as examples/faults.toml \
does, and the control address, which knows no keys: keep it on this machine."
)]
pub(crate) struct SimserverTask {
    /// Whose dialect it speaks [default: binance-spot]
    #[arg(long, value_enum)]
    pub(crate) venue: Option<VenueName>,
    /// Where clients connect; port 0 takes a free one [default: 127.0.0.1:9010]
    #[arg(long, value_name = "ADDRESS", env = "TRANCHE_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where state is read and faults are made [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "TRANCHE_CONTROL")]
    pub(crate) control: Option<SocketAddr>,
    /// Recorded candles; may be given for several pairs
    #[arg(long, value_name = "[PAIR=]FILE", group = "source")]
    pub(crate) candles: Vec<String>,
    /// Recorded trades, as .csv or .csv.zst with the columns `time_ms,id,side,price,amount`
    #[arg(long, value_name = "[PAIR=]FILE", group = "source")]
    pub(crate) trades: Option<String>,
    /// Recorded lines of a combined stream, a .txt or .txt.zst file of `<nanoseconds> <json>`
    #[arg(long, value_name = "[PAIR=]FILE", group = "source")]
    pub(crate) frames: Option<String>,
    /// A made-up market
    #[arg(long, value_enum, group = "source")]
    pub(crate) market: Option<SourceName>,
    /// The pair of the file; of a generated market one or several [default: the pair in the file's
    /// name; BTC/USDT, ETH/USDT and SOL/USDT]
    #[arg(long, value_name = "PAIR", value_delimiter = ',')]
    pub(crate) symbol: Vec<String>,
    /// Seconds of the market in one second; 0 waits for the control address [default: 600]
    #[arg(long, value_name = "FACTOR", env = "TRANCHE_SPEED")]
    pub(crate) speed: Option<u32>,
    /// The name of the account's key: letters, digits, - and _
    #[arg(long, value_name = "NAME", env = "TRANCHE_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// The key's secret, any text: it guards play money [default: what `TRANCHE_SECRET` says]
    #[arg(long, value_name = "TEXT", conflicts_with = "public_key")]
    pub(crate) secret: Option<String>,
    /// The key's public half instead of a secret, Ed25519 or RSA
    #[arg(long, value_name = "PEMFILE")]
    pub(crate) public_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) terms: TermsOptions,
    /// What goes wrong, and how often
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) faults: Option<PathBuf>,
    /// What generated prices and the chance of faults follow from [default: 1]
    #[arg(long, value_name = "NUMBER", env = "TRANCHE_SEED")]
    pub(crate) seed: Option<u64>,
    /// The key may not trade
    #[arg(long)]
    pub(crate) no_trade_right: bool,
    /// The key may withdraw, as no bot's key should
    #[arg(long)]
    pub(crate) withdraw_right: bool,
    /// The key says that it works from any address
    #[arg(long)]
    pub(crate) any_address: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceName {
    /// Prices that nobody traded at, from the seed, without an end
    Generated,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche doctor
  tranche doctor --pair ETH/USDT --env testnet
  TRANCHE_KEY=... tranche doctor --secret-file binance.secret
  tranche doctor --json | jq '.checks[] | select(.state == \"fail\")'
  tranche doctor --rest http://127.0.0.1:9010 --market-socket ws://127.0.0.1:9010 \\
      --api-socket ws://127.0.0.1:9010/ws-api/v3

The secret is read from --secret-file or from TRANCHE_SECRET, never from a flag: flags are seen by \
everybody on the machine. Of an Ed25519 or RSA key it is the private key in PEM. Without a key only \
what needs none is checked. Nothing is bought, sold or changed.

The exit code is 0 if nothing failed, 1 otherwise; warnings do not count.")]
pub(crate) struct DoctorTask {
    #[command(flatten)]
    pub(crate) venue: VenueOptions,
    /// Another address for prices; with --rest and --api-socket
    #[arg(long, value_name = "URL", env = "TRANCHE_MARKET_SOCKET")]
    pub(crate) market_socket: Option<String>,
    /// Another address for the private stream; with --rest and --market-socket
    #[arg(long, value_name = "URL", env = "TRANCHE_API_SOCKET")]
    pub(crate) api_socket: Option<String>,
    /// The pair to look at
    #[arg(long, value_name = "PAIR", default_value = "BTC/USDT")]
    pub(crate) pair: String,
    /// The key, as the exchange shows it
    #[arg(long, value_name = "KEY", env = "TRANCHE_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// File with the key's secret, or with its private key in PEM [default: what `TRANCHE_SECRET` says]
    #[arg(long, value_name = "FILE", env = "TRANCHE_SECRET_FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DataTask {
    #[command(subcommand)]
    pub(crate) what: DataWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataWhat {
    /// Fetch candles from an exchange into the data folder, or into a file
    Fetch(FetchTask),
    /// Read candle files of others into the data folder
    Import(ImportTask),
    /// Show what is in the data folder
    List(ListTask),
    /// Read everything in the data folder again, compare checksums and show gaps
    Check(ListTask),
    /// Make longer candles out of shorter ones
    Resample(ResampleTask),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche data fetch --pair BTC/USDT --from 2025-01-01 --to 2025-02-01
  tranche data fetch --pair BTC/USDT --interval 1m --from 2025-01-01 --to 2025-02-01 \\
      --out BTCUSDT-1m.csv
  tranche data fetch --pair ETH/USDT --interval 5m --from 2025-01-01T12:00 --to 2025-01-02 \\
      --out eth.csv --force
  tranche backtest --bot examples/dca.toml --candles BTC/USDT=BTCUSDT-1m.csv

No key is needed. While it is fetched, the file has the ending .part; a fetch that was cut goes on \
where it stopped when the same command is run again. Beside the file comes its checksum, for \
`sha256sum --check`. Without --out the candles are added to those in the data folder.")]
pub(crate) struct FetchTask {
    #[command(flatten)]
    pub(crate) venue: VenueOptions,
    /// The pair, such as BTC/USDT
    #[arg(long, value_name = "PAIR")]
    pub(crate) pair: String,
    /// How long a candle is
    #[arg(long, value_enum, default_value = "1m")]
    pub(crate) interval: IntervalName,
    /// The first moment, in UTC: 2025-01-01 or 2025-01-01T12:00
    #[arg(long, value_name = "DATE")]
    pub(crate) from: String,
    /// The first moment that is not fetched any more, in UTC
    #[arg(long, value_name = "DATE")]
    pub(crate) to: String,
    /// A file, ending in .csv, instead of the data folder
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IntervalName {
    #[value(name = "1m")]
    Minute1,
    #[value(name = "3m")]
    Minute3,
    #[value(name = "5m")]
    Minute5,
    #[value(name = "15m")]
    Minute15,
    #[value(name = "30m")]
    Minute30,
    #[value(name = "1h")]
    Hour1,
    #[value(name = "2h")]
    Hour2,
    #[value(name = "4h")]
    Hour4,
    #[value(name = "6h")]
    Hour6,
    #[value(name = "8h")]
    Hour8,
    #[value(name = "12h")]
    Hour12,
    #[value(name = "1d")]
    Day1,
}

impl From<IntervalName> for Interval {
    fn from(name: IntervalName) -> Self {
        match name {
            IntervalName::Minute1 => Self::Minute1,
            IntervalName::Minute3 => Self::Minute3,
            IntervalName::Minute5 => Self::Minute5,
            IntervalName::Minute15 => Self::Minute15,
            IntervalName::Minute30 => Self::Minute30,
            IntervalName::Hour1 => Self::Hour1,
            IntervalName::Hour2 => Self::Hour2,
            IntervalName::Hour4 => Self::Hour4,
            IntervalName::Hour6 => Self::Hour6,
            IntervalName::Hour8 => Self::Hour8,
            IntervalName::Hour12 => Self::Hour12,
            IntervalName::Day1 => Self::Day1,
        }
    }
}
