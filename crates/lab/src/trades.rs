//! Trade files: `time_ms,id,side,price,amount,cost` under a header, columns in any order; `cost` may
//! be absent.

#[cfg(test)]
mod tests;

use std::path::Path;

use rust_decimal::Decimal;
use tranche_model::{
    candle::Tick,
    decimal,
    ids::{InstrumentId, TradeId},
    money::{Price, Qty},
    order::Side,
    time::Timestamp,
};

use crate::{
    bytes,
    candles::{TIME_MS_MAX, TIME_MS_MIN},
    fault::{Fault, FileError, shown},
    number,
    source::Source,
    table::{Layout, Row, Table},
};

const TIME: &str = "time_ms";
const LAYOUT: Layout<6> =
    Layout { names: [TIME, "id", "side", "price", "amount", "cost"], optional: 1 };

/// Exporters that compute the cost with floats are off in the sixteenth digit.
const COST_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

/// The trades of one instrument, in order of time, then of number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeFile {
    pub source: Source,
    pub trades: Vec<Trade>,
}

/// One trade of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    pub at: Timestamp,
    pub id: TradeId,
    /// Of the order that came last and met one in the book.
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
}

/// Reads a `.csv` or `.csv.zst` file.
pub fn read(path: &Path) -> Result<TradeFile, FileError> {
    parse(&bytes::name(path), &bytes::read(path)?)
}

/// Reads the text of a trade file; `name` is what errors and the source call it.
pub fn parse(name: &str, text: &[u8]) -> Result<TradeFile, FileError> {
    let mut trades = Vec::new();
    let mut before: Option<(i64, u64)> = None;
    for row in Table::open(name, text, LAYOUT)? {
        let row = row?;
        let at_line = |fault| FileError::at(name, row.line, fault);
        let (key, trade) = trade(&row).map_err(at_line)?;
        if let Some(before) = before {
            in_order(before, key).map_err(at_line)?;
        }
        before = Some(key);
        trades.push(trade);
    }
    if trades.is_empty() {
        return Err(FileError::whole(name, Fault::NoRow));
    }
    Ok(TradeFile { source: Source::Recorded { file: name.to_owned() }, trades })
}

impl TradeFile {
    pub fn ticks(&self, instrument: InstrumentId) -> impl Iterator<Item = Tick> {
        self.trades.iter().map(move |trade| trade.tick(instrument))
    }
}

impl Trade {
    pub const fn tick(&self, instrument: InstrumentId) -> Tick {
        Tick { instrument, price: self.price, qty: self.qty, at: self.at }
    }
}

/// The trade with the time and number that order it.
fn trade(row: &Row<'_, 6>) -> Result<((i64, u64), Trade), Fault> {
    let [at, id, side_text, price, amount, cost] = row.fields;
    let at = time(at)?;
    let id: u64 = number::whole("id", id)?;
    let side = side(side_text)?;
    let price = Price::new(positive("price", price)?);
    let qty = Qty::new(positive("amount", amount)?);
    if !cost.is_empty() {
        check_cost(price, qty, number::decimal("cost", cost)?)?;
    }
    let trade = Trade { at: Timestamp::from_ms(at), id: TradeId::new(id.into()), side, price, qty };
    Ok(((at, id), trade))
}

fn time(text: &[u8]) -> Result<i64, Fault> {
    let value = number::whole(TIME, text)?;
    if (TIME_MS_MIN..TIME_MS_MAX).contains(&value) {
        return Ok(value);
    }
    Err(Fault::TimeOutOfRange { field: TIME, min: TIME_MS_MIN, max: TIME_MS_MAX, value })
}

fn side(text: &[u8]) -> Result<Side, Fault> {
    match text {
        b"buy" => Ok(Side::Buy),
        b"sell" => Ok(Side::Sell),
        other => Err(Fault::NotASide { field: "side", value: shown(other) }),
    }
}

fn positive(field: &'static str, text: &[u8]) -> Result<Decimal, Fault> {
    let value = number::decimal(field, text)?;
    if Decimal::ZERO < value {
        return Ok(value);
    }
    Err(Fault::NotPositive { field, value: value.to_string() })
}

fn check_cost(price: Price, qty: Qty, cost: Decimal) -> Result<(), Fault> {
    let differs = |product: String| Fault::CostDiffers {
        field: "cost",
        product,
        value: cost.normalize().to_string(),
    };
    let product = price.times(qty).map_err(|error| differs(error.to_string()))?;
    let tolerance = product.get().checked_mul(COST_TOLERANCE).unwrap_or_default();
    match decimal::sub(cost, product.get()) {
        Ok(difference) if difference.abs() <= tolerance => Ok(()),
        Ok(_) | Err(_) => Err(differs(product.to_string())),
    }
}

fn in_order(before: (i64, u64), key: (i64, u64)) -> Result<(), Fault> {
    if before < key {
        return Ok(());
    }
    let ((before_at, before), (at, value)) = (before, key);
    if at < before_at {
        return Err(Fault::TimeUnsorted { field: TIME, before: before_at, value: at });
    }
    Err(Fault::TradeUnsorted { field: "id", before, value })
}
