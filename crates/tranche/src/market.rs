//! Recorded markets that a command is given, with the rules of their instruments.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
pub(crate) use tranche_lab::trial::Market;
use tranche_lab::{
    candles::{self, CandleFile},
    depot::{self, Depot, Range},
    instruments::{self, Origin},
    resample::resample,
};
use tranche_model::{
    asset::Symbol,
    cast,
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
    time::{Millis, Timestamp},
};

use crate::{cli::MarketOptions, console, dates, settings::Settings};

/// What a command was asked to look at.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) market: Market,
    /// From the data folder, whose files know their checksums.
    is_stored: bool,
    /// What a reader of results has to know.
    pub(crate) notes: Vec<String>,
}

/// The candles of each pair: from files if any are named, else from the data folder.
pub(crate) fn choose(
    options: &MarketOptions,
    settings: &Settings,
    pairs: &[Symbol],
) -> Result<Chosen> {
    let range = range(options)?;
    let interval = options.interval.as_deref().map(interval).transpose()?;
    let depot = settings.depot(&options.folder);
    let paths =
        if options.candles.is_empty() { Vec::new() } else { files(&options.candles, pairs)? };
    let (mut list, mut read, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (number, symbol) in pairs.iter().enumerate() {
        let file = match paths.get(number) {
            Some(path) => cut(candles::read(Path::new(path), None)?, range)?,
            None => stored(&depot, options.venue.as_deref(), *symbol, (interval, range))?,
        };
        let file = match interval.filter(|interval| *interval != file.interval) {
            Some(interval) => resample(&file, interval).with_context(|| symbol.to_string())?,
            None => file,
        };
        let (instrument, note) = instrument(number, *symbol, &file);
        notes.extend(note);
        notes.extend(missing(*symbol, &file));
        list.push(instrument);
        read.push(file);
    }
    let market = Market { instruments: all(list)?, files: read };
    Ok(Chosen { market, is_stored: paths.is_empty(), notes })
}

impl Chosen {
    /// What the candles of each instrument are, so that others are told apart.
    pub(crate) fn data(&self) -> Vec<String> {
        let Market { instruments, files } = &self.market;
        let names = instruments.iter().zip(files).map(|(instrument, file)| {
            let checksum = if self.is_stored { String::new() } else { file.checksum() };
            let ends = file.candles.first().zip(file.candles.last());
            let ends = ends.map(|(first, last)| format!("{} to {}", first.open_at, last.open_at));
            let (rows, interval) = (file.candles.len(), depot::interval_name(file.interval));
            let symbol = instrument.symbol;
            // The name of a file says nothing; what is stored is named by its checksum.
            let source = if self.is_stored { file.source.to_string() } else { checksum };
            format!("{symbol} {source}: {rows} of {interval}, {}", ends.unwrap_or_default())
        });
        names.collect()
    }
}

/// Reads one `[PAIR=]FILE`; the pair may be in the file's name.
pub(crate) fn read_one(text: &str) -> Result<Market> {
    let (symbol, path) = pair_and_path(text, None, "candles")?;
    let file = candles::read(Path::new(path), None)?;
    let (instrument, note) = instrument(0, symbol, &file);
    if let Some(note) = &note {
        console::complain(&format!("note: {note}"));
    }
    Ok(Market { instruments: all(vec![instrument])?, files: vec![file] })
}

/// Reads `[PAIR=]FILE` for each of the pairs.
pub(crate) fn read(given: &[String], pairs: &[Symbol]) -> Result<Market> {
    let (mut list, mut files) = (Vec::new(), Vec::new());
    for (number, (path, symbol)) in self::files(given, pairs)?.into_iter().zip(pairs).enumerate() {
        let file = candles::read(Path::new(path), None)?;
        let (instrument, note) = instrument(number, *symbol, &file);
        if let Some(note) = &note {
            console::complain(&format!("note: {note}"));
        }
        list.push(instrument);
        files.push(file);
    }
    Ok(Market { instruments: all(list)?, files })
}

/// The file of each pair, in their order.
fn files<'a>(given: &'a [String], pairs: &[Symbol]) -> Result<Vec<&'a str>> {
    let mut named = Vec::new();
    for text in given {
        let (symbol, path) = of_pairs(text, pairs)?;
        if named.iter().any(|(known, _)| *known == symbol) {
            bail!("candles: {symbol} is given twice; remove one");
        }
        named.push((symbol, path));
    }
    let path = |symbol: &Symbol| {
        let (_, path) = named
            .iter()
            .find(|(known, _)| known == symbol)
            .with_context(|| format!("candles: none for {symbol}; add --candles {symbol}=FILE"))?;
        Ok(*path)
    };
    pairs.iter().map(path).collect()
}

fn range(options: &MarketOptions) -> Result<Range> {
    let from = options.from.as_deref().map(|text| dates::moment("from", text)).transpose()?;
    let to = options.to.as_deref().map(|text| dates::moment("to", text)).transpose()?;
    let range = Range { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MAX) };
    if range.to <= range.from {
        bail!("to: {} must be after --from, {}", range.to, range.from);
    }
    Ok(range)
}

/// `1m`, `1h`, `90s`.
pub(crate) fn interval(text: &str) -> Result<Millis> {
    depot::interval_of(text)
        .with_context(|| format!("interval: `{text}` is no length; write 1m, 15m, 1h, 1d or 90s"))
}

/// From the data folder: those of the wanted length if they are there, else the only ones.
fn stored(
    depot: &Depot,
    venue: Option<&str>,
    symbol: Symbol,
    (interval, range): (Option<Millis>, Range),
) -> Result<CandleFile> {
    let entry = match depot.find(symbol, venue, interval) {
        Err(_) if interval.is_some() => depot.find(symbol, venue, None),
        found => found,
    };
    let entry = entry.context("candles: name files with --candles, or fill the data folder")?;
    Ok(depot.read(&entry, range)?)
}

fn cut(file: CandleFile, range: Range) -> Result<CandleFile> {
    let CandleFile { source, interval, mut candles, mut gaps } = file;
    candles.retain(|candle| range.contains(candle.open_at));
    gaps.retain(|gap| range.contains(gap.from) && range.contains(gap.to));
    if candles.is_empty() {
        bail!("from, to: there are no candles in this time");
    }
    Ok(CandleFile { source, interval, candles, gaps })
}

fn missing(symbol: Symbol, file: &CandleFile) -> Option<String> {
    let missing = file.gaps.iter().fold(0, |sum: u64, gap| sum.saturating_add(gap.missing));
    let interval = depot::interval_name(file.interval);
    (0 < missing).then(|| {
        let gaps = file.gaps.len();
        format!("{symbol}: {missing} candles of {interval} are missing in {gaps} gaps; no price moved there")
    })
}

/// The pair and path of `[PAIR=]FILE`: the pair before the file, else the one that was named beside
/// it, else the one in the file's name. `what` is the flag's name.
pub(crate) fn pair_and_path<'a>(
    text: &'a str,
    named: Option<Symbol>,
    what: &str,
) -> Result<(Symbol, &'a str)> {
    let (pair, path) = split(text);
    match (pair.map(Symbol::parse).transpose()?, named) {
        (Some(pair), Some(named)) if pair != named => {
            bail!("{what}: {pair} before the file and {named} beside it; name one of them")
        }
        (Some(pair), _) | (None, Some(pair)) => Ok((pair, path)),
        (None, None) => {
            let found = symbol_in(path).with_context(|| {
                format!("{what}: no pair in the name `{path}`; write --{what} BTC/USDT={path}")
            })?;
            Ok((found, path))
        }
    }
}

fn all(list: Vec<Instrument>) -> Result<Instruments> {
    Instruments::new(list).ok_or_else(|| anyhow!("the instruments do not fit together"))
}

/// The rules of an instrument, and what is to be said when they are derived.
fn instrument(number: usize, symbol: Symbol, file: &CandleFile) -> (Instrument, Option<String>) {
    let id = InstrumentId::new(cast::u32_saturating(number));
    let (instrument, origin) = instruments::choose(id, symbol, &file.candles);
    let Instrument { tick, step, notional_min, .. } = &instrument;
    let note = (origin == Origin::Candles).then(|| {
        format!(
            "{symbol} is not in our table; from its candles follow tick {tick}, step {step}, least \
             order {notional_min} {}",
            symbol.quote
        )
    });
    (instrument, note)
}

/// The pair and path of `[PAIR=]FILE`, where the pair must be one of the bot's.
fn of_pairs<'a>(text: &'a str, pairs: &[Symbol]) -> Result<(Symbol, &'a str)> {
    let names = || pairs.iter().map(Symbol::to_string).collect::<Vec<_>>().join(", ");
    match (split(text), pairs) {
        ((Some(pair), path), _) => {
            let symbol = Symbol::parse(pair)?;
            if !pairs.contains(&symbol) {
                bail!("candles: the bot does not trade {symbol}; it trades {}", names());
            }
            Ok((symbol, path))
        }
        ((None, path), [only]) => Ok((*only, path)),
        ((None, path), _) => bail!(
            "candles: the bot trades {}; name the pair of each file, such as --candles BTC/USDT={path}",
            names()
        ),
    }
}

fn split(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((pair, path)) if Symbol::parse(pair).is_ok() => (Some(pair), path),
        Some(_) | None => (None, text),
    }
}

/// `bitfinex-BTCUSD-1m-2018.csv.zst` holds BTC/USD.
fn symbol_in(path: &str) -> Option<Symbol> {
    const QUOTES: [&str; 7] = ["USDT", "USDC", "USD", "EUR", "BTC", "ETH", "BNB"];
    let name = Path::new(path).file_name()?.to_str()?.to_ascii_uppercase();
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(|part| {
        let quote = QUOTES.iter().find(|quote| part.ends_with(**quote))?;
        let base = part.strip_suffix(quote).filter(|base| 2 <= base.len())?;
        Symbol::parse(&format!("{base}/{quote}")).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_in_names() {
        for (name, pair) in [
            ("../data/bitfinex-BTCUSD-1m-2018.csv.zst", Some("BTC/USD")),
            ("binance-ETHBTC-5m.csv", Some("ETH/BTC")),
            ("ADAUSDT.csv", Some("ADA/USDT")),
            ("candles.csv", None),
        ] {
            assert_eq!(symbol_in(name).map(|symbol| symbol.to_string()).as_deref(), pair, "{name}");
        }
    }

    #[test]
    fn files_are_named_after_the_bots_pairs() {
        let pairs = [Symbol::parse("BTC/USDT").unwrap(), Symbol::parse("ETH/USDT").unwrap()];

        assert_eq!(of_pairs("ETH/USDT=a.csv", &pairs).unwrap(), (pairs[1], "a.csv"));
        assert_eq!(of_pairs("a=b.csv", &pairs[..1]).unwrap(), (pairs[0], "a=b.csv"));
        assert!(of_pairs("a.csv", &pairs).is_err());
        assert!(of_pairs("SOL/USDT=a.csv", &pairs).is_err());
    }
}
