//! Frames of the market streams: their names, and what they say.
//!
//! Binance spot API documents, "WebSocket streams" (2026-07-21).

use tranche_model::{
    candle::{Candle, Tick},
    ids::{InstrumentId, TradeId},
    time::Timestamp,
};

use super::{parse, parse::Unreadable, wire};
use crate::{
    catalog::Catalog,
    venue::{Best, Topic},
};

/// A frame as we understand it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    Trade {
        tick: Tick,
        trade_id: TradeId,
        received: Timestamp,
    },
    Best {
        best: Best,
        update: u64,
    },
    Candle {
        instrument: InstrumentId,
        candle: Candle,
    },
    /// An answer to a request of ours.
    Answer {
        id: u64,
        is_ok: bool,
    },
    /// The connection is about to end.
    Shutdown,
    /// Nothing for us: a running candle, an unknown stream, an instrument without a name here.
    Other,
}

/// The name of a stream.
pub(super) fn stream_name(symbol: &str, topic: Topic) -> String {
    let symbol = symbol.to_lowercase();
    match topic {
        Topic::Trades => format!("{symbol}@trade"),
        Topic::Best => format!("{symbol}@bookTicker"),
        Topic::Candles => format!("{symbol}@kline_1m"),
    }
}

/// Reads a frame of a combined stream; `at` is when it came.
pub(super) fn read(text: &str, catalog: &Catalog, at: Timestamp) -> Result<Frame, Unreadable> {
    let name = text.strip_prefix("{\"stream\":\"").and_then(|rest| rest.split_once('"'));
    match name.map(|(name, _)| name) {
        Some(name) if name.ends_with("@trade") => trade(text, catalog, at),
        Some(name) if name.ends_with("@bookTicker") => best(text, catalog, at),
        Some(name) if name.ends_with("@kline_1m") => candle(text, catalog),
        Some(_) | None => control(text, catalog, at),
    }
}

fn trade(text: &str, catalog: &Catalog, at: Timestamp) -> Result<Frame, Unreadable> {
    let row = serde_json::from_str::<wire::Combined<wire::StreamTrade<'_>>>(text)?.data;
    let Some(listed) = catalog.find(&row.symbol) else { return Ok(Frame::Other) };
    let tick = parse::tick(&row, &listed)?;
    Ok(Frame::Trade { tick, trade_id: TradeId::new(row.trade_id.into()), received: at })
}

fn best(text: &str, catalog: &Catalog, at: Timestamp) -> Result<Frame, Unreadable> {
    let row = serde_json::from_str::<wire::Combined<wire::StreamBest<'_>>>(text)?.data;
    let Some(listed) = catalog.find(&row.symbol) else { return Ok(Frame::Other) };
    Ok(Frame::Best { best: parse::best(&row, &listed, at)?, update: row.update_id })
}

fn candle(text: &str, catalog: &Catalog) -> Result<Frame, Unreadable> {
    let row = serde_json::from_str::<wire::Combined<wire::StreamKline<'_>>>(text)?.data;
    let Some(listed) = catalog.find(&row.symbol) else { return Ok(Frame::Other) };
    Ok(match parse::stream_candle(&row.candle)? {
        Some(candle) => Frame::Candle { instrument: listed.id(), candle },
        None => Frame::Other,
    })
}

/// What does not begin with the name of a stream that we know.
fn control(text: &str, catalog: &Catalog, at: Timestamp) -> Result<Frame, Unreadable> {
    let row: wire::Control<'_> = serde_json::from_str(text)?;
    if let Some(stream) = &row.stream {
        // The same fields in another order, or a name with escapes.
        return match stream.as_ref() {
            "!serverShutdown" => Ok(Frame::Shutdown),
            name if name.ends_with("@trade") => trade(text, catalog, at),
            name if name.ends_with("@bookTicker") => best(text, catalog, at),
            name if name.ends_with("@kline_1m") => candle(text, catalog),
            _ => Ok(Frame::Other),
        };
    }
    if row.event.as_deref() == Some("serverShutdown") {
        return Ok(Frame::Shutdown);
    }
    let is_ok = row.error.is_none() && row.code.is_none();
    Ok(row.id.map_or(Frame::Other, |id| Frame::Answer { id, is_ok }))
}
