//! Candles that close: each is told once more at its end, whatever the beat missed.
//!
//! Binance spot API documents, "Kline/Candlestick Streams" (2026-07-21): `x` says that it is closed.

use std::collections::BTreeMap;

use tranche_model::{cast, ids::InstrumentId};

use super::{World, candles::Interval};

/// When the candle of each stream opened that ran at the last look.
pub(crate) type Running = BTreeMap<String, i64>;

impl World {
    /// Tells what closed since the last look, and notes what runs now.
    pub(crate) fn close_candles(&mut self) {
        let now = self.now();
        let mut running = Running::new();
        for index in 0..self.markets.len() {
            let id = InstrumentId::new(cast::u32_saturating(index));
            let prefix = format!("{}@kline_", self.symbol(id).to_lowercase());
            for name in self.hub.wanted(&prefix) {
                let interval = name.strip_prefix(&prefix).and_then(Interval::parse);
                let Some(interval) = interval else { continue };
                let open_at = interval.open_of(now.ms());
                let before = self.running.get(&name).copied().unwrap_or(open_at);
                if before < open_at {
                    self.tell_closed(id, &name, interval, before..open_at);
                }
                running.insert(name, open_at);
            }
        }
        self.running = running;
    }

    fn tell_closed(
        &mut self,
        id: InstrumentId,
        name: &str,
        interval: Interval,
        opened: std::ops::Range<i64>,
    ) {
        let now = self.now();
        let Some(market) = self.market(id) else { return };
        let bars = market.tape.candles(interval, now);
        let closed: Vec<String> = bars
            .iter()
            .filter(|bar| opened.contains(&bar.open_at))
            .map(|bar| market.candle_event(interval, bar, true, now).to_string())
            .collect();
        for data in closed {
            self.hub.publish(name, &data);
        }
    }
}
