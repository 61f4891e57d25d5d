//! Where the market of a simulated exchange comes from: candles, trades, frames, or a generator.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use tranche_lab::{frames, instruments, trades};
use tranche_model::{
    asset::Symbol,
    candle::{Candle, Tick},
    ids::InstrumentId,
    instrument::{Instrument, Instruments},
    money::Qty,
};
use tranche_simserver::{self as server, Frame};

use super::listed;
use crate::{
    cli::SimserverTask,
    console,
    feed::{Feed, GENERATED},
    market,
};

/// The one instrument of a file of trades or frames.
const ONE: InstrumentId = InstrumentId::new(0);

/// What passes on the exchange.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) instruments: Vec<Instrument>,
    pub(super) feed: Box<dyn server::Feed>,
    pub(super) source: String,
}

impl Market {
    /// Reads what the command line names; a generated one follows from `seed`.
    pub(super) fn read(task: &SimserverTask, seed: u64) -> Result<Self> {
        let symbols: Vec<Symbol> = task
            .symbol
            .iter()
            .map(|text| Symbol::parse(text).with_context(|| format!("symbol: `{text}`")))
            .collect::<Result<_>>()?;
        if let Some(given) = &task.trades {
            return of_trades(given, one(&symbols)?);
        }
        if let Some(given) = &task.frames {
            return of_frames(given, one(&symbols)?);
        }
        if task.candles.is_empty() { generated(&symbols, seed) } else { of_candles(task, &symbols) }
    }
}

fn one(symbols: &[Symbol]) -> Result<Option<Symbol>> {
    match symbols {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        _ => bail!("symbol: the file holds one pair, and {} are given; name one", symbols.len()),
    }
}

fn of_candles(task: &SimserverTask, symbols: &[Symbol]) -> Result<Market> {
    let fallback = one(symbols).with_context(|| "name the pairs of several files as PAIR=FILE")?;
    let mut pairs = Vec::new();
    let mut named = Vec::new();
    for given in &task.candles {
        let (pair, path) = market::pair_and_path(given, fallback, "candles")?;
        pairs.push(pair);
        named.push(format!("{pair}={path}"));
    }
    let market = market::read(&named, &pairs)?;
    let instruments = listed(&market.instruments);
    let feed = Feed::recorded(market).context("the market has no prices")?;
    Ok(of_feed(instruments, feed))
}

fn generated(symbols: &[Symbol], seed: u64) -> Result<Market> {
    let usual = || -> Result<Vec<Symbol>> {
        GENERATED.iter().map(|name| Ok(Symbol::parse(name)?)).collect()
    };
    let symbols: Vec<Symbol> = if symbols.is_empty() { usual()? } else { symbols.to_vec() };
    let mut list = Vec::new();
    for (number, symbol) in (0..).zip(&symbols) {
        let known = instruments::known(InstrumentId::new(number), *symbol);
        list.push(known.with_context(|| unknown(*symbol))?);
    }
    let instruments =
        Instruments::new(list).ok_or_else(|| anyhow!("the instruments do not fit together"))?;
    let feed = Feed::generated(seed, &instruments)?;
    Ok(of_feed(listed(&instruments), feed))
}

fn of_feed(instruments: Vec<Instrument>, mut feed: Feed) -> Market {
    let source = feed.source.to_string();
    let ticks = std::iter::from_fn(move || feed.take());
    Market { instruments, feed: server::ticks(ticks), source }
}

fn of_trades(given: &str, symbol: Option<Symbol>) -> Result<Market> {
    let (symbol, path) = market::pair_and_path(given, symbol, "trades")?;
    let file = trades::read(Path::new(path))?;
    let instrument = match instruments::known(ONE, symbol) {
        Some(instrument) => instrument,
        None => instruments::derived(ONE, symbol, &as_candles(&file)),
    };
    let source = file.source.to_string();
    let ticks: Vec<Tick> = file.ticks(ONE).collect();
    Ok(Market { instruments: vec![instrument], feed: server::ticks(ticks), source })
}

/// A trade is a candle of one price.
fn as_candles(file: &trades::TradeFile) -> Vec<Candle> {
    let candle = |trade: &trades::Trade| Candle {
        open_at: trade.at,
        open: trade.price,
        high: trade.price,
        low: trade.price,
        close: trade.price,
        volume: Qty::ZERO,
    };
    file.trades.iter().map(candle).collect()
}

fn of_frames(given: &str, symbol: Option<Symbol>) -> Result<Market> {
    let (symbol, path) = market::pair_and_path(given, symbol, "frames")?;
    let instrument = instruments::known(ONE, symbol).with_context(|| unknown(symbol))?;
    let file = frames::read(Path::new(path))?;
    let wanted = format!("{}{}@", symbol.base, symbol.quote).to_ascii_lowercase();
    // Recorders put other answers between the frames, such as a snapshot of the book.
    let frames: Vec<Frame> =
        file.lines.iter().filter_map(|line| server::frame(line.at, &line.text)).collect();
    let others = file.lines.len().saturating_sub(frames.len());
    if frames.is_empty() {
        bail!("frames: {path} has no frame of a combined stream, {{\"stream\":...,\"data\":...}}");
    }
    if !frames.iter().any(|frame| frame.stream.starts_with(&wanted)) {
        bail!("frames: {path} tells nothing of {symbol}; name its pair with --symbol");
    }
    if 0 < others {
        console::complain(&format!(
            "note: {others} lines of {path} are no frames of a combined stream and are left out"
        ));
    }
    let source = file.source.to_string();
    Ok(Market { instruments: vec![instrument], feed: server::frames(frames), source })
}

fn unknown(symbol: Symbol) -> String {
    let names = instruments::names().collect::<Vec<_>>().join(", ");
    format!("symbol: the rules of {symbol} are not in our table; known are {names}")
}
