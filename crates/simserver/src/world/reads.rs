//! What several parts of the dialect read out of the state.

use serde_json::{Value, json};
use tranche_model::{ids::InstrumentId, time::Timestamp};

use crate::binance::words::decimal;

use super::World;

/// Digits of a change in per cent.
const PERCENT_DIGITS: u32 = 3;

impl World {
    /// Symbol, prices and volumes of the last day, with the one-letter keys of the stream.
    pub(crate) fn ticker(&self, id: InstrumentId, now: Timestamp) -> Option<Value> {
        let market = self.market(id)?;
        let (day, before) = market.tape.day(now)?;
        let last = market.tape.last()?;
        let change = day.close.get().checked_sub(day.open.get())?;
        let percent = change
            .checked_div(day.open.get())
            .and_then(|share| share.checked_mul(rust_decimal::Decimal::ONE_HUNDRED))?;
        let mut percent = percent.round_dp(PERCENT_DIGITS);
        percent.rescale(PERCENT_DIGITS);
        let mean = day.quote.get().checked_div(day.volume.get()).unwrap_or_else(|| day.close.get());
        let ((bid, at_bid), (ask, at_ask)) = self.levels(id)?.best()?;
        Some(json!({
            "e": "24hrTicker",
            "E": now.ms(),
            "s": market.symbol,
            "p": decimal(change),
            "P": percent.to_string(),
            "w": decimal(mean),
            "x": decimal(before.get()),
            "c": decimal(day.close.get()),
            "Q": decimal(last.qty.get()),
            "b": decimal(bid.get()),
            "B": decimal(at_bid.get()),
            "a": decimal(ask.get()),
            "A": decimal(at_ask.get()),
            "o": decimal(day.open.get()),
            "h": decimal(day.high.get()),
            "l": decimal(day.low.get()),
            "v": decimal(day.volume.get()),
            "q": decimal(day.quote.get()),
            "O": now.ms().saturating_sub(86_400_000),
            "C": now.ms(),
            "F": day.first_id,
            "L": day.last_id,
            "n": day.count,
        }))
    }
}
