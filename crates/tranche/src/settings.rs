//! Settings of the program: flags and variables go before the file, the file before defaults.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rust_decimal::Decimal;
use serde::Deserialize;
use tranche_lab::depot::Depot;
use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset, FeeRates},
    client_order_id::Origin,
    decimal,
    ids::{Incarnation, Installation, UserId},
    money::{Amount, Fraction},
};
use tranche_trading::event;

use crate::{
    cli::{EnvironmentName, FolderOptions, Global, ModeName, PathName, TermsOptions, VenueName},
    document::{Document, Field, Kind},
};

const DEFAULT_FILE: &str = "tranche.toml";

const FIELDS: [Field; 18] = [
    Field { name: "log", kind: Kind::Text },
    Field { name: "log_json", kind: Kind::Flag },
    Field { name: "balance", kind: Kind::Texts },
    Field { name: "fee", kind: Kind::Text },
    Field { name: "fee_asset", kind: Kind::Text },
    Field { name: "mode", kind: Kind::Text },
    Field { name: "path", kind: Kind::Text },
    Field { name: "speed", kind: Kind::Whole },
    Field { name: "seed", kind: Kind::Whole },
    Field { name: "bots", kind: Kind::Whole },
    Field { name: "venue", kind: Kind::Text },
    Field { name: "env", kind: Kind::Text },
    Field { name: "rest", kind: Kind::Text },
    Field { name: "market_socket", kind: Kind::Text },
    Field { name: "api_socket", kind: Kind::Text },
    Field { name: "listen", kind: Kind::Text },
    Field { name: "control", kind: Kind::Text },
    Field { name: "data", kind: Kind::Text },
];

/// What tranche.toml may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    log: Option<String>,
    log_json: bool,
    balance: Vec<String>,
    fee: Option<String>,
    fee_asset: Option<String>,
    mode: ModeName,
    path: PathName,
    speed: Option<u32>,
    seed: Option<u64>,
    bots: Option<u16>,
    venue: VenueName,
    env: EnvironmentName,
    rest: Option<String>,
    market_socket: Option<String>,
    api_socket: Option<String>,
    listen: Option<SocketAddr>,
    control: Option<SocketAddr>,
    data: Option<PathBuf>,
}

/// What holds unless a command's own flag says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log: String,
    pub(crate) log_json: bool,
    pub(crate) mode: ModeName,
    pub(crate) path: PathName,
    pub(crate) speed: u32,
    pub(crate) seed: u64,
    pub(crate) bots: u16,
    /// Only when the file says so; each command that passes time has its own default.
    pub(crate) named_speed: Option<u32>,
    pub(crate) exchange: ExchangeSettings,
    data: PathBuf,
    has_log: bool,
    balance: Vec<String>,
    fee: Option<String>,
    fee_asset: Option<String>,
}

/// A shorter memory would be gone before somebody asks what happened.
const KEEP_LEAST: Duration = Duration::from_hours(1);
/// What most accounts pay.
const USUAL_FEE: &str = "0.1%";

/// Where exchanges are, and where ours listens.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeSettings {
    pub(crate) venue: VenueName,
    pub(crate) environment: EnvironmentName,
    pub(crate) rest: Option<String>,
    pub(crate) market_socket: Option<String>,
    pub(crate) api_socket: Option<String>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) control: Option<SocketAddr>,
}

/// What the simulated exchange gives and takes.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Empty when nobody said anything.
    pub(crate) balances: Vec<Balance>,
    pub(crate) fees: FeeRates,
    /// Whether somebody said so; else an exchange knows better.
    pub(crate) is_fee_named: bool,
    pub(crate) fee_asset: FeeAsset,
}

impl Settings {
    pub(crate) fn read(global: &Global) -> Result<Self> {
        let file = match &global.config {
            Some(path) => read_file(path)?,
            None if Path::new(DEFAULT_FILE).is_file() => read_file(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let has_log = global.log.is_some() || file.log.is_some();
        Ok(Self {
            has_log,
            log: global.log.clone().or(file.log).unwrap_or_else(|| "warn".to_owned()),
            log_json: global.log_json || file.log_json,
            mode: file.mode,
            path: file.path,
            speed: file.speed.unwrap_or(3600),
            seed: file.seed.unwrap_or(1),
            bots: file.bots.unwrap_or(6),
            named_speed: file.speed,
            exchange: ExchangeSettings {
                venue: file.venue,
                environment: file.env,
                rest: file.rest,
                market_socket: file.market_socket,
                api_socket: file.api_socket,
                listen: file.listen,
                control: file.control,
            },
            data: file.data.unwrap_or_else(|| PathBuf::from("data")),
            balance: file.balance,
            fee: file.fee,
            fee_asset: file.fee_asset,
        })
    }

    /// Logs errors only, unless somebody asked for more.
    pub(crate) fn quiet(&self) -> Self {
        let log = if self.has_log { self.log.clone() } else { "error".to_owned() };
        Self { log, ..self.clone() }
    }

    /// Where candles are kept.
    pub(crate) fn depot(&self, options: &FolderOptions) -> Depot {
        Depot::new(options.data.clone().unwrap_or_else(|| self.data.clone()))
    }

    pub(crate) fn terms(&self, options: &TermsOptions) -> Result<Terms> {
        self.terms_with(options, "quote")
    }

    /// `usual_fee_asset` holds when nobody says where fees are taken from.
    pub(crate) fn terms_with(
        &self,
        options: &TermsOptions,
        usual_fee_asset: &str,
    ) -> Result<Terms> {
        let balances = if options.balance.is_empty() { &self.balance } else { &options.balance };
        let fee = options.fee.as_ref().or(self.fee.as_ref());
        let fee_asset = options.fee_asset.as_deref().or(self.fee_asset.as_deref());
        Ok(Terms {
            balances: balances.iter().map(|text| balance(text)).collect::<Result<_>>()?,
            fees: fees(fee.map_or(USUAL_FEE, String::as_str))?,
            is_fee_named: fee.is_some(),
            fee_asset: asset_of_fees(fee_asset.unwrap_or(usual_fee_asset))?,
        })
    }
}

impl Terms {
    pub(crate) fn account(&self) -> event::Settings {
        event::Settings {
            user: UserId::new(1),
            origin: Origin { installation: Installation::new(1), incarnation: Incarnation::new(1) },
            fees: self.fees,
            fee_asset: self.fee_asset,
            timing: event::Timing::default(),
        }
    }
}

fn read_file(path: &Path) -> Result<File> {
    Document::read(path, &FIELDS)?.parse()
}

/// `USDT=10000`.
fn balance(text: &str) -> Result<Balance> {
    let wanted =
        || format!("balance: `{text}` is not of the form ASSET=AMOUNT, such as USDT=10000");
    let (asset, amount) = text.split_once('=').with_context(wanted)?;
    let asset = Asset::parse(asset.trim()).with_context(wanted)?;
    let free = Amount::parse(amount.trim()).with_context(wanted)?;
    if free.is_negative() {
        bail!("balance: {text} (must be 0 or more); nobody begins with debts");
    }
    Ok(Balance { asset, free, locked: Amount::ZERO })
}

/// `0.001`, `0.1%` or two of them.
fn fees(text: &str) -> Result<FeeRates> {
    let (maker, taker) = text.split_once(',').unwrap_or((text, text));
    Ok(FeeRates { maker: rate(maker)?, taker: rate(taker)? })
}

fn rate(text: &str) -> Result<Fraction> {
    let wanted = || format!("fee: `{text}` is no fee; write 0.1% or 0.001");
    let text = text.trim();
    let rate = match text.strip_suffix('%') {
        Some(pct) => Fraction::from_pct(decimal::parse(pct.trim()).with_context(wanted)?)?,
        None => Fraction::parse(text).with_context(wanted)?,
    };
    if rate.is_negative() || Decimal::new(5, 2) < rate.get() {
        let pct = rate.pct()?;
        bail!("fee: {text} is {pct} % (must be from 0 to 5 %); write 0.1% for a thousandth");
    }
    Ok(rate)
}

fn asset_of_fees(text: &str) -> Result<FeeAsset> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "quote" => FeeAsset::Quote,
        "received" => FeeAsset::Received,
        _ => FeeAsset::Third(Asset::parse(text).with_context(|| {
            format!("fee-asset: `{text}` is neither quote, received nor the name of an asset")
        })?),
    })
}

/// Names are typed into commands.
const NAME_MAX: usize = 40;

/// `setting` is what is named.
pub(crate) fn check_name(setting: &str, name: &str) -> Result<()> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if name.is_empty() || NAME_MAX < name.len() || !name.chars().all(is_plain) {
        bail!("{setting}: `{name}` (letters, digits, - and _, at most {NAME_MAX})");
    }
    Ok(())
}

/// `90s`, `5m`, `1h30m`, `2d`, or a plain number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let wanted = || format!("for: `{text}` is no time; write 60s, 5m or 1h");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for letter in text.trim().chars() {
        let unit = match letter {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => bail!(wanted()),
        };
        let count = u64::from_str(&digits).with_context(wanted)?;
        seconds = seconds.saturating_add(count.saturating_mul(unit));
        digits.clear();
    }
    if !digits.is_empty() {
        seconds = seconds.saturating_add(u64::from_str(&digits).with_context(wanted)?);
    }
    if seconds == 0 {
        bail!(wanted());
    }
    Ok(Duration::from_secs(seconds))
}

/// As [`duration`], at least an hour; `forever` and `0` are no end.
pub(crate) fn keep_journal(text: &str) -> Result<Option<Duration>> {
    if matches!(text.trim(), "forever" | "0") {
        return Ok(None);
    }
    match duration(text) {
        Ok(keep) if KEEP_LEAST <= keep => Ok(Some(keep)),
        Ok(_) => bail!("keep-journal: {text} (must be 1h or more); write 30d, or forever"),
        Err(_) => bail!("keep-journal: `{text}` is no time; write 30d, 12h or forever"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_read_as_shares_and_in_per_cent() {
        let both = fees("0.02%, 0.0005").unwrap();

        assert_eq!(
            (both.maker.to_string(), both.taker.to_string()),
            ("0.0002".into(), "0.0005".into())
        );
        assert!(fees("0.1").is_err() && fees("-0.001").is_err() && fees("much").is_err());
    }

    #[test]
    fn balances_name_their_asset() {
        assert_eq!(balance("usdt=5.5").unwrap().free.to_string(), "5.5");
        assert!(balance("5").is_err() && balance("USDT=x").is_err() && balance("USDT=-1").is_err());
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in
            [("60s", 60), ("5m", 300), ("1h30m", 5400), ("45", 45), ("2d1s", 172_801)]
        {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        assert!(duration("").is_err() && duration("soon").is_err() && duration("m").is_err());
    }

    #[test]
    fn a_journal_is_kept_for_a_while_or_for_ever() {
        assert_eq!(keep_journal("30d").unwrap(), Some(Duration::from_hours(720)));
        assert_eq!((keep_journal("forever").unwrap(), keep_journal("0").unwrap()), (None, None));
        let told = |text| keep_journal(text).unwrap_err().to_string();
        assert_eq!(told("60s"), "keep-journal: 60s (must be 1h or more); write 30d, or forever");
        assert!(told("always").contains("`always` is no time"));
    }
}
