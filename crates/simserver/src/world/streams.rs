//! What is told to market streams: at once, or with the beat of a tenth of a second.
//!
//! Binance spot API documents, "WebSocket Streams" (2026-07-21).

use serde_json::{Value, json};
use tranche_model::{
    ids::InstrumentId,
    money::{Price, Qty},
    time::Timestamp,
};

use crate::binance::words::{self, decimal};

use super::{
    Market, World,
    book::{Change, Levels},
    candles::{Bar, Interval},
    tape::Print,
};

/// How often the beat comes in a second.
const BEATS_PER_SECOND: u64 = 10;

impl World {
    /// A public trade, on the streams that tell trades at once.
    pub(super) fn tell_trade(&mut self, id: InstrumentId, print: &Print) {
        let symbol = self.symbol(id).to_owned();
        let lower = symbol.to_lowercase();
        for name in self.hub.wanted(&format!("{lower}@")) {
            let data = match name.split_once('@').map(|(_, kind)| kind) {
                Some("trade") => trade(&symbol, print),
                Some("aggTrade") => aggregate(&symbol, print),
                Some(_) | None => continue,
            };
            self.hub.publish(&name, &data.to_string());
        }
    }

    /// The best levels of instruments whose best changed.
    pub(super) fn tell_best(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(market) = self.market(id) else { continue };
            let name = format!("{}@bookTicker", market.symbol.to_lowercase());
            if self.hub.wanted(&name).is_empty() {
                continue;
            }
            let best = self.levels(id).and_then(|levels| levels.best());
            let Some(market) = self.market_mut(id) else { continue };
            if best.is_none() || best == market.depth.best {
                continue;
            }
            market.depth.best = best;
            let (symbol, change) = (market.symbol.clone(), market.depth.id);
            let data = best.map(|best| book_ticker(&symbol, change, best));
            if let Some(data) = data {
                self.hub.publish(&name, &data.to_string());
            }
        }
    }

    /// Everything that is told at fixed times. `number` counts beats.
    pub(crate) fn beat(&mut self, number: u64) {
        let now = self.now();
        self.hub.flush();
        self.hub.flush_late(now);
        self.close_candles();
        let is_second = number.is_multiple_of(BEATS_PER_SECOND);
        if is_second {
            self.hub.flush_swapped();
        }
        for index in 0..self.markets.len() {
            let id = InstrumentId::new(tranche_model::cast::u32_saturating(index));
            let symbol = self.symbol(id).to_owned();
            let prefix = format!("{}@", symbol.to_lowercase());
            let names = self.hub.wanted(&prefix);
            self.tell_depth(id, &names, &prefix, is_second);
            for name in names.iter().filter(|_| is_second) {
                let kind = name.strip_prefix(&prefix).unwrap_or_default();
                if let Some(data) = self.timed(id, kind, number, now) {
                    self.hub.publish(name, &data.to_string());
                }
            }
        }
    }

    /// Depth of both speeds. What was told last moves on only with its own speed.
    fn tell_depth(&mut self, id: InstrumentId, names: &[String], prefix: &str, is_second: bool) {
        let depth: Vec<&str> = names
            .iter()
            .filter_map(|name| name.strip_prefix(prefix))
            .filter(|kind| kind.starts_with("depth"))
            .collect();
        if depth.is_empty() {
            return;
        }
        let Some(levels) = self.levels(id) else { return };
        let now = self.now();
        for is_fast in [true, false] {
            if !is_fast && !is_second {
                continue;
            }
            let Some(market) = self.market_mut(id) else { return };
            let (change_id, symbol) = (market.depth.id, market.symbol.clone());
            let told = if is_fast { &mut market.depth.fast } else { &mut market.depth.slow };
            let change = told.advance(change_id, levels.clone());
            let Some(change) = change else { continue };
            for kind in &depth {
                if kind.ends_with("@100ms") != is_fast {
                    continue;
                }
                let count = kind.trim_end_matches("@100ms").strip_prefix("depth");
                let data = match count.unwrap_or_default() {
                    "" => difference(&symbol, &change, now),
                    count => partial(change_id, &levels, count.parse().unwrap_or(20)),
                };
                self.hub.publish(&format!("{prefix}{kind}"), &data.to_string());
            }
        }
    }

    /// Candles and tickers.
    fn timed(&self, id: InstrumentId, kind: &str, beat: u64, now: Timestamp) -> Option<Value> {
        let market = self.market(id)?;
        if let Some(name) = kind.strip_prefix("kline_") {
            let interval = Interval::parse(name)?;
            let is_turn = interval.is_of_seconds() || beat.is_multiple_of(2 * BEATS_PER_SECOND);
            return is_turn.then(|| self.candle(id, interval, now)).flatten();
        }
        let (bar, _) = market.tape.day(now)?;
        match kind {
            "miniTicker" => Some(json!({
                "e": "24hrMiniTicker",
                "E": now.ms(),
                "s": market.symbol,
                "c": decimal(bar.close.get()),
                "o": decimal(bar.open.get()),
                "h": decimal(bar.high.get()),
                "l": decimal(bar.low.get()),
                "v": decimal(bar.volume.get()),
                "q": decimal(bar.quote.get()),
            })),
            "ticker" => self.ticker(id, now),
            "avgPrice" => {
                let mean = market.tape.mean(5, now)?;
                Some(json!({
                    "e": "avgPrice",
                    "E": now.ms(),
                    "s": market.symbol,
                    "i": "5m",
                    "w": decimal(mean.get()),
                    "T": market.tape.last()?.at.ms(),
                }))
            }
            _ => None,
        }
    }

    /// The candle that runs.
    fn candle(&self, id: InstrumentId, interval: Interval, now: Timestamp) -> Option<Value> {
        let market = self.market(id)?;
        let bars = market.tape.candles(interval, now);
        Some(market.candle_event(interval, bars.last()?, false, now))
    }
}

impl Market {
    pub(super) fn candle_event(
        &self,
        interval: Interval,
        bar: &Bar,
        is_closed: bool,
        now: Timestamp,
    ) -> Value {
        json!({
            "e": "kline",
            "E": now.ms(),
            "s": self.symbol,
            "k": candle(&self.symbol, interval, bar, is_closed),
        })
    }
}

fn candle(symbol: &str, interval: Interval, bar: &Bar, is_closed: bool) -> Value {
    json!({
        "t": bar.open_at,
        "T": interval.next(bar.open_at).saturating_sub(1),
        "s": symbol,
        "i": interval.name,
        "f": if bar.count == 0 { Value::from(-1) } else { bar.first_id.into() },
        "L": if bar.count == 0 { Value::from(-1) } else { bar.last_id.into() },
        "o": decimal(bar.open.get()),
        "c": decimal(bar.close.get()),
        "h": decimal(bar.high.get()),
        "l": decimal(bar.low.get()),
        "v": decimal(bar.volume.get()),
        "n": bar.count,
        "x": is_closed,
        "q": decimal(bar.quote.get()),
        "V": decimal(bar.taker_volume.get()),
        "Q": decimal(bar.taker_quote.get()),
        "B": "0",
    })
}

pub(crate) fn trade(symbol: &str, print: &Print) -> Value {
    json!({
        "e": "trade",
        "E": print.at.ms(),
        "s": symbol,
        "t": print.id,
        "p": decimal(print.price.get()),
        "q": decimal(print.qty.get()),
        "T": print.at.ms(),
        "m": print.is_buyer_maker,
        "M": true,
    })
}

/// The best bid and ask, each with its quantity.
pub(crate) fn book_ticker(
    symbol: &str,
    change: u64,
    ((bid, at_bid), (ask, at_ask)): ((Price, Qty), (Price, Qty)),
) -> Value {
    json!({
        "u": change,
        "s": symbol,
        "b": decimal(bid.get()),
        "B": decimal(at_bid.get()),
        "a": decimal(ask.get()),
        "A": decimal(at_ask.get()),
    })
}

/// Each public trade is an aggregate of its own.
fn aggregate(symbol: &str, print: &Print) -> Value {
    json!({
        "e": "aggTrade",
        "E": print.at.ms(),
        "s": symbol,
        "a": print.id,
        "p": decimal(print.price.get()),
        "q": decimal(print.qty.get()),
        "f": print.id,
        "l": print.id,
        "T": print.at.ms(),
        "m": print.is_buyer_maker,
        "M": true,
    })
}

fn difference(symbol: &str, change: &Change, now: Timestamp) -> Value {
    json!({
        "e": "depthUpdate",
        "E": now.ms(),
        "s": symbol,
        "U": change.first_id,
        "u": change.last_id,
        "b": level_rows(&change.levels.bids, usize::MAX),
        "a": level_rows(&change.levels.asks, usize::MAX),
    })
}

fn partial(id: u64, levels: &Levels, count: usize) -> Value {
    words::depth(id, &level_rows(&levels.bids, count), &level_rows(&levels.asks, count))
}

pub(crate) fn level_rows(levels: &[(Price, Qty)], count: usize) -> Value {
    let row = |(price, qty): &(Price, Qty)| json!([decimal(price.get()), decimal(qty.get())]);
    levels.iter().take(count).map(row).collect()
}
