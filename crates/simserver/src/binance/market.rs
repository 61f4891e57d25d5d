//! Public market data.

use serde_json::{Value, json};
use tranche_model::{ids::InstrumentId, time::Timestamp};

use crate::world::{
    World,
    candles::{Bar, Interval},
    tape::Print,
};

use super::{
    op::Span,
    refused::Refused,
    words::{self, decimal},
};

/// Minutes of `avgPrice`.
const MEAN_MINUTES: i64 = 5;

impl World {
    /// Empty sides before the first trade.
    pub(super) fn depth(&self, id: InstrumentId, limit: usize) -> Value {
        let levels = self.levels(id).unwrap_or_default();
        let number = self.market(id).map_or(0, |market| market.depth.id);
        let rows = |side: &[(_, _)]| crate::world::level_rows(side, limit);
        words::depth(number, &rows(&levels.bids), &rows(&levels.asks))
    }

    pub(super) fn trades(&self, id: InstrumentId, limit: usize) -> Value {
        let Some(market) = self.market(id) else { return json!([]) };
        let prints = market.tape.prints();
        let skipped = prints.len().saturating_sub(limit);
        prints.skip(skipped).map(trade).collect()
    }

    pub(super) fn agg_trades(&self, id: InstrumentId, from: Option<u64>, span: Span) -> Value {
        let Some(market) = self.market(id) else { return json!([]) };
        let wanted: Vec<&Print> = market
            .tape
            .prints()
            .filter(|print| from.is_none_or(|from| from <= print.id))
            .filter(|print| span.holds(print.at.ms()))
            .collect();
        let is_from_start = from.is_some() || span.start.is_some();
        taken(wanted, span.limit, is_from_start).into_iter().map(aggregate).collect()
    }

    pub(super) fn klines(
        &self,
        id: InstrumentId,
        interval: Interval,
        span: Span,
        now: Timestamp,
    ) -> Value {
        let Some(market) = self.market(id) else { return json!([]) };
        let mut bars = market.tape.candles(interval, now);
        bars.retain(|bar| span.holds(bar.open_at));
        let bars = taken(bars, span.limit, span.start.is_some());
        bars.iter().map(|bar| kline(bar, interval)).collect()
    }

    pub(super) fn avg_price(&self, id: InstrumentId, now: Timestamp) -> Value {
        let tape = self.market(id).map(|market| &market.tape);
        let mean = tape.and_then(|tape| tape.mean(MEAN_MINUTES, now)).unwrap_or_default();
        let last = tape.and_then(|tape| tape.last()).map_or(0, |print| print.at.ms());
        json!({"mins": MEAN_MINUTES, "price": decimal(mean.get()), "closeTime": last})
    }

    pub(super) fn ticker_price(&self, id: InstrumentId) -> Option<Value> {
        let price = self.exchange.last_price(id)?;
        Some(json!({"symbol": self.symbol(id), "price": decimal(price.get())}))
    }

    pub(super) fn ticker_book(&self, id: InstrumentId) -> Option<Value> {
        let ((bid, at_bid), (ask, at_ask)) = self.levels(id)?.best()?;
        Some(json!({
            "symbol": self.symbol(id),
            "bidPrice": decimal(bid.get()),
            "bidQty": decimal(at_bid.get()),
            "askPrice": decimal(ask.get()),
            "askQty": decimal(at_ask.get()),
        }))
    }

    /// The stream's ticker with the long names of REST.
    pub(super) fn ticker_24(
        &self,
        id: InstrumentId,
        is_mini: bool,
        now: Timestamp,
    ) -> Option<Value> {
        const MINI: [(&str, &str); 13] = [
            ("symbol", "s"),
            ("openPrice", "o"),
            ("highPrice", "h"),
            ("lowPrice", "l"),
            ("lastPrice", "c"),
            ("volume", "v"),
            ("quoteVolume", "q"),
            ("openTime", "O"),
            ("closeTime", "C"),
            ("firstId", "F"),
            ("lastId", "L"),
            ("count", "n"),
            ("symbol", "s"),
        ];
        const MORE: [(&str, &str); 9] = [
            ("priceChange", "p"),
            ("priceChangePercent", "P"),
            ("weightedAvgPrice", "w"),
            ("prevClosePrice", "x"),
            ("lastQty", "Q"),
            ("bidPrice", "b"),
            ("bidQty", "B"),
            ("askPrice", "a"),
            ("askQty", "A"),
        ];
        let ticker = self.ticker(id, now)?;
        let more = MORE.iter().filter(|_| !is_mini);
        let named = MINI
            .iter()
            .chain(more)
            .filter_map(|(name, letter)| Some(((*name).to_owned(), ticker.get(letter)?.clone())));
        Some(Value::Object(named.collect()))
    }

    /// A row for each symbol (all without a list); the row alone when one was asked for. Instruments
    /// on which nothing traded have none.
    pub(super) fn rows_of(
        &self,
        symbols: Option<&[String]>,
        is_single: bool,
        row: impl Fn(&Self, InstrumentId) -> Option<Value>,
    ) -> Result<Value, Refused> {
        let ids: Vec<InstrumentId> = match symbols {
            Some(names) => names.iter().map(|name| self.id_of(name)).collect::<Result<_, _>>()?,
            None => self.exchange.instruments().iter().map(|it| it.id).collect(),
        };
        let mut rows: Vec<Value> = ids.into_iter().filter_map(|id| row(self, id)).collect();
        if is_single {
            return Ok(rows.pop().unwrap_or_else(|| json!({})));
        }
        Ok(rows.into())
    }
}

impl Span {
    pub(super) fn holds(&self, at: i64) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at <= end)
    }
}

/// At most `limit` rows: the oldest when the start was given, else the newest.
pub(super) fn taken<T>(mut rows: Vec<T>, limit: usize, from_start: bool) -> Vec<T> {
    if from_start {
        rows.truncate(limit);
        return rows;
    }
    let skipped = rows.len().saturating_sub(limit);
    rows.split_off(skipped)
}

fn trade(print: &Print) -> Value {
    json!({
        "id": print.id,
        "price": decimal(print.price.get()),
        "qty": decimal(print.qty.get()),
        "quoteQty": decimal(print.quote.get()),
        "time": print.at.ms(),
        "isBuyerMaker": print.is_buyer_maker,
        "isBestMatch": true,
    })
}

fn aggregate(print: &Print) -> Value {
    json!({
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

pub(super) fn kline(bar: &Bar, interval: Interval) -> Value {
    json!([
        bar.open_at,
        decimal(bar.open.get()),
        decimal(bar.high.get()),
        decimal(bar.low.get()),
        decimal(bar.close.get()),
        decimal(bar.volume.get()),
        interval.next(bar.open_at).saturating_sub(1),
        decimal(bar.quote.get()),
        bar.count,
        decimal(bar.taker_volume.get()),
        decimal(bar.taker_quote.get()),
        "0",
    ])
}
