//! The command line of what runs bots for good, and of what steers them from another process.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use tranche_trading::event::KillLevel;

use super::{TermsOptions, VenueOptions};

/// Where everything that must not be lost is kept.
#[derive(Debug, Args, Default)]
pub(crate) struct StoreOptions {
    /// Folder for the database and the master key [default: ./tranche-data]
    #[arg(long, value_name = "FOLDER", env = "TRANCHE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database, as sqlite:FILE or `postgres://USER@HOST/NAME` [default: a SQLite file in the folder]
    #[arg(long, value_name = "ADDRESS", env = "TRANCHE_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche serve
  tranche bot create --account paper examples/first.toml     (in another terminal)
  tranche bot list

  tranche serve --data-dir /var/lib/tranche --health 127.0.0.1:9020
  tranche serve --database postgres://tranche@db/tranche --egress office
  tranche serve --rest http://127.0.0.1:9010 --market-socket ws://127.0.0.1:9010 \\
      --api-socket ws://127.0.0.1:9010/ws-api/v3             (trades on `tranche simserver`)

At the first start it makes a paper account called `paper`. It runs until Ctrl-C or SIGTERM; orders stay \
at the exchange. Killed in any other way, it loses nothing: the next start finds everything again.")]
pub(crate) struct ServeTask {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    #[command(flatten)]
    pub(crate) venue: VenueOptions,
    /// Another address for prices; with --rest and --api-socket
    #[arg(long, value_name = "URL", env = "TRANCHE_MARKET_SOCKET")]
    pub(crate) market_socket: Option<String>,
    /// Another address for the private stream; with --rest and --market-socket
    #[arg(long, value_name = "URL", env = "TRANCHE_API_SOCKET")]
    pub(crate) api_socket: Option<String>,
    #[command(flatten)]
    pub(crate) terms: TermsOptions,
    /// Make a bot from a file, unless the account has one of its name
    #[arg(long, value_name = "ACCOUNT=FILE")]
    pub(crate) bot: Vec<String>,
    /// How long an account stays this process's on PostgreSQL when it hangs or is cut off; then another
    /// takes over [default: 15s]
    #[arg(long, value_name = "TIME", env = "TRANCHE_LEASE")]
    pub(crate) lease: Option<String>,
    /// Name of the address that the exchange sees: hosts behind one share a name, others take another;
    /// the exchange counts requests by address
    #[arg(long, value_name = "NAME", env = "TRANCHE_EGRESS", default_value = "default")]
    pub(crate) egress: String,
    /// How long the journal is kept, and with it the intents of orders: 30d, 12h, or `forever` (also 0).
    /// Fills, deals, commands and what bots stand at stay in any case [default: 30d]
    #[arg(long, value_name = "TIME", env = "TRANCHE_KEEP_JOURNAL")]
    pub(crate) keep_journal: Option<String>,
    /// Where /livez, /readyz, /status and /metrics are answered; a loopback address
    #[arg(long, value_name = "ADDRESS", env = "TRANCHE_HEALTH")]
    pub(crate) health: Option<SocketAddr>,
}

/// How a command is handed over.
#[derive(Debug, Args)]
pub(crate) struct SendOptions {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// Do it although it costs money or cannot be undone
    #[arg(long)]
    pub(crate) yes: bool,
    /// How long to wait for the verdict: 10s, 1m
    #[arg(long, value_name = "TIME", default_value = "15s")]
    pub(crate) wait: String,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How something is looked at.
#[derive(Debug, Args)]
pub(crate) struct LookOptions {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche bot create --account paper examples/first.toml
  tranche bot show 1
  tranche bot pause 1
  tranche bot edit 1 dca.toml --open-deals --yes

Commands are written into the database and carried out by `tranche serve`; a command is carried out once, \
also when a process is killed in between. The exit code is 0 when it was accepted, 1 when it was refused, \
3 when nobody has answered in time: it stays written and is carried out later.")]
pub(crate) struct BotTask {
    #[command(subcommand)]
    pub(crate) what: BotWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BotWhat {
    /// Make a bot from a file; it starts at once
    Create {
        /// The bot's settings, a TOML file; examples/dca.toml explains each
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The account's name
        #[arg(long, value_name = "NAME", default_value = "paper")]
        account: String,
        #[command(flatten)]
        send: SendOptions,
    },
    /// All bots, one per line
    List {
        #[command(flatten)]
        look: LookOptions,
    },
    /// One bot: its state, its deals, and why it did what it did
    Show {
        #[arg(value_name = "NUMBER")]
        bot: u32,
        /// How many of the last decisions are told
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        story: usize,
        #[command(flatten)]
        look: LookOptions,
    },
    /// Take entries back and place none; exits stay
    Pause(BotNamed),
    /// End a pause
    Resume(BotNamed),
    /// Open deals and follow its settings again
    Start(BotNamed),
    /// Open no new deals; open ones run to their end
    Stop(BotNamed),
    /// Give the bot other settings
    Edit {
        #[arg(value_name = "NUMBER")]
        bot: u32,
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Open deals follow them too
        #[arg(long)]
        open_deals: bool,
        #[command(flatten)]
        send: SendOptions,
    },
    /// Take the bot away, when no deal is open
    Delete(BotNamed),
}

#[derive(Debug, Args)]
pub(crate) struct BotNamed {
    #[arg(value_name = "NUMBER")]
    pub(crate) bot: u32,
    #[command(flatten)]
    pub(crate) send: SendOptions,
}

#[derive(Debug, Args)]
pub(crate) struct DealTask {
    #[command(subcommand)]
    pub(crate) what: DealWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DealWhat {
    /// Open and closed deals
    List {
        /// Only this bot's
        #[arg(long, value_name = "NUMBER")]
        bot: Option<u32>,
        #[command(flatten)]
        look: LookOptions,
    },
    /// Open a deal now, whatever the start condition says
    Start {
        #[arg(value_name = "BOT")]
        bot: u32,
        #[arg(value_name = "PAIR")]
        pair: String,
        #[command(flatten)]
        send: SendOptions,
    },
    /// Take the deal's orders back and leave the coins to you
    Cancel(DealNamed),
    /// Take the deal's orders back and sell at market
    Close(DealNamed),
}

#[derive(Debug, Args)]
pub(crate) struct DealNamed {
    #[arg(value_name = "BOT")]
    pub(crate) bot: u32,
    #[arg(value_name = "DEAL")]
    pub(crate) deal: u32,
    #[command(flatten)]
    pub(crate) send: SendOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche account add training --paper
  TRANCHE_KEY=... tranche account add main --secret-file binance.secret
  tranche account show main
  tranche account kill main --level cancel-entries

The secret is read from --secret-file or from TRANCHE_SECRET, and is sealed with the master key before it \
is written. The exchange is asked what the key may do: one that may withdraw is refused. Give --env, or the \
--rest of `tranche serve`, so that the right exchange is asked.")]
pub(crate) struct AccountTask {
    #[command(subcommand)]
    pub(crate) what: AccountWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountWhat {
    /// Add a paper account, or one with a key of the exchange
    Add {
        #[arg(value_name = "NAME")]
        name: String,
        /// Play money on real prices
        #[arg(long)]
        paper: bool,
        /// The exchange and environment that it is of
        #[command(flatten)]
        venue: Box<VenueOptions>,
        /// The key, as the exchange shows it
        #[arg(long, value_name = "KEY", env = "TRANCHE_KEY", hide_env_values = true)]
        key: Option<String>,
        /// File with the key's secret, or with its private key in PEM
        #[arg(long, value_name = "FILE", env = "TRANCHE_SECRET_FILE")]
        secret_file: Option<PathBuf>,
        /// Add it although the key is refused; with --yes. No deal begins with one that may withdraw, and the
        /// exchange takes no order with one that may not trade, until the key is mended
        #[arg(long)]
        anyway: bool,
        /// With --anyway: that is meant
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        look: LookOptions,
    },
    /// All accounts
    List {
        #[command(flatten)]
        look: LookOptions,
    },
    /// One account: its state, its books, and why it did what it did
    Show {
        #[arg(value_name = "NAME")]
        name: String,
        /// How many of the last decisions are told
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        story: usize,
        #[command(flatten)]
        look: LookOptions,
    },
    /// Take entries of all bots back and place none; exits stay
    Pause(AccountNamed),
    /// End a pause
    Resume(AccountNamed),
    /// The kill switch
    Kill {
        #[arg(value_name = "NAME")]
        name: String,
        /// How much it stops
        #[arg(long, value_enum, default_value_t)]
        level: LevelName,
        #[command(flatten)]
        send: SendOptions,
    },
    /// Lift the kill switch
    Rearm(AccountNamed),
    /// End the quarantine after a restore: orders of the account are sent again
    #[command(group = clap::ArgGroup::new("whose").args(["name", "all"]).required(true))]
    Release {
        /// The account
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// All accounts
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        look: LookOptions,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AccountNamed {
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) send: SendOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LevelName {
    /// No new entry; what rests stays
    PauseEntries,
    /// Resting entries are taken back too; exits stay
    #[default]
    CancelEntries,
    /// Everything is taken back and sold at market
    CloseAll,
}

impl From<LevelName> for KillLevel {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::PauseEntries => Self::PauseEntries,
            LevelName::CancelEntries => Self::CancelEntries,
            LevelName::CloseAll => Self::CloseAll,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche key list
  tranche key rotate

The master key is the file master.key in the folder, or comes from TRANCHE_MASTER_KEY; then a new one is \
given in TRANCHE_MASTER_KEY_NEXT. A rotation may be killed at any moment: everything still opens, and the \
next one goes on. Bots trade meanwhile. No key is ever shown; fingerprints tell them apart.")]
pub(crate) struct KeyTask {
    #[command(subcommand)]
    pub(crate) what: KeyWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyWhat {
    /// All master keys, by fingerprint, and how many exchange keys each seals
    List {
        #[command(flatten)]
        look: LookOptions,
    },
    /// Make a new master key beside the old one, and seal every exchange key anew
    Rotate {
        #[command(flatten)]
        look: LookOptions,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche backup /backups/tranche-2026-01-31.db
  tranche restore /backups/tranche-2026-01-31.db --force
  tranche verify

A backup may be made while bots trade. The master key is not in it: without a copy of that, no exchange \
key in it can be opened. PostgreSQL is backed up by its own tools.")]
pub(crate) struct BackupTask {
    /// The file to write; it must not be there
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche restore /backups/tranche-2026-01-31.db
  tranche restore --mark --database postgres://tranche@db/tranche     (after pg_restore)

Stop `tranche serve` first. The next one sends nothing until `tranche account release`: it first finds out \
what happened since the backup.")]
pub(crate) struct RestoreTask {
    /// A file that `tranche backup` wrote
    #[arg(value_name = "FILE", conflicts_with = "mark")]
    pub(crate) file: Option<PathBuf>,
    /// The database was put back by its own tools
    #[arg(long)]
    pub(crate) mark: bool,
    /// Keep a database that is there under another name
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) store: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyTask {
    #[command(flatten)]
    pub(crate) look: LookOptions,
}
