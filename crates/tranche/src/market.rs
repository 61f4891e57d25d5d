//! Recorded markets that a command is given, with the rules of their instruments.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use tranche_lab::{
    candles::{self, CandleFile},
    instruments::{self, Origin},
};
use tranche_model::{
    asset::Symbol,
    cast,
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
};

use crate::console;

/// Candle files, one for each instrument, in the order of the instruments.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) instruments: Instruments,
    pub(crate) files: Vec<CandleFile>,
}

impl Market {
    /// Reads `[PAIR=]FILE` for each of the pairs.
    pub(crate) fn read(given: &[String], pairs: &[Symbol]) -> Result<Self> {
        let mut named = Vec::new();
        for text in given {
            let (symbol, path) = of_pairs(text, pairs)?;
            if named.iter().any(|(known, _)| *known == symbol) {
                bail!("candles: {symbol} is given twice; remove one");
            }
            named.push((symbol, path));
        }
        let mut list = Vec::new();
        let mut files = Vec::new();
        for (number, symbol) in pairs.iter().enumerate() {
            let (_, path) = named.iter().find(|(known, _)| known == symbol).with_context(|| {
                format!("candles: none for {symbol}; add --candles {symbol}=FILE")
            })?;
            let file = candles::read(Path::new(path), None)?;
            list.push(instrument(number, *symbol, &file));
            files.push(file);
        }
        Ok(Self { instruments: all(list)?, files })
    }

    /// Reads one `[PAIR=]FILE`; the pair may be in the file's name.
    pub(crate) fn read_one(text: &str) -> Result<Self> {
        let (symbol, path) = pair_and_path(text, None, "candles")?;
        let file = candles::read(Path::new(path), None)?;
        let list = vec![instrument(0, symbol, &file)];
        Ok(Self { instruments: all(list)?, files: vec![file] })
    }
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

/// The rules of an instrument; that they are derived is said.
fn instrument(number: usize, symbol: Symbol, file: &CandleFile) -> Instrument {
    let id = InstrumentId::new(cast::u32_saturating(number));
    let (instrument, origin) = instruments::choose(id, symbol, &file.candles);
    if origin == Origin::Candles {
        let Instrument { tick, step, notional_min, .. } = &instrument;
        console::complain(&format!(
            "note: {symbol} is not in our table; from its candles follow tick {tick}, step {step}, \
             least order {notional_min} {}",
            symbol.quote
        ));
    }
    instrument
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
