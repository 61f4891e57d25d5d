//! The words that enums have in the database. They stay when the code's names change.

use rust_decimal::Decimal;
use tranche_model::{
    fill::Liquidity,
    money::{Price, Qty, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
};

use crate::{error::StoreError, sql::Cells};

/// The columns of an order's kind.
pub(crate) struct Kind {
    pub(crate) word: &'static str,
    pub(crate) price: Option<Price>,
    /// Of base, or of quote for a market order that spends.
    pub(crate) amount: Decimal,
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(crate) fn read_side(cells: &mut Cells) -> Result<Side, StoreError> {
    match cells.text()?.as_str() {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(cells.corrupt(&format!("not a side: {other}"))),
    }
}

pub(crate) const fn liquidity(liquidity: Liquidity) -> &'static str {
    match liquidity {
        Liquidity::Maker => "maker",
        Liquidity::Taker => "taker",
    }
}

pub(crate) fn read_liquidity(cells: &mut Cells) -> Result<Liquidity, StoreError> {
    match cells.text()?.as_str() {
        "maker" => Ok(Liquidity::Maker),
        "taker" => Ok(Liquidity::Taker),
        other => Err(cells.corrupt(&format!("not a liquidity: {other}"))),
    }
}

pub(crate) const fn kind(kind: &OrderKind) -> Kind {
    match kind {
        OrderKind::Market { size: Size::Base(qty) } => {
            Kind { word: "market", price: None, amount: qty.get() }
        }
        OrderKind::Market { size: Size::Quote(quote) } => {
            Kind { word: "market_quote", price: None, amount: quote.get() }
        }
        OrderKind::Limit { price, qty, time_in_force } => {
            let word = match time_in_force {
                TimeInForce::GoodTillCancelled => "limit",
                TimeInForce::ImmediateOrCancel => "limit_ioc",
                TimeInForce::FillOrKill => "limit_fok",
            };
            Kind { word, price: Some(*price), amount: qty.get() }
        }
        OrderKind::LimitMaker { price, qty } => {
            Kind { word: "limit_maker", price: Some(*price), amount: qty.get() }
        }
    }
}

/// Reads the three columns that [`kind`] fills.
pub(crate) fn read_kind(cells: &mut Cells) -> Result<OrderKind, StoreError> {
    let word = cells.text()?;
    let price = cells.decimal_or_null()?.map(Price::new);
    let amount = cells.decimal()?;
    let qty = Qty::new(amount);
    let limit = |time_in_force| price.map(|price| OrderKind::Limit { price, qty, time_in_force });
    let kind = match word.as_str() {
        "market" => Some(OrderKind::Market { size: Size::Base(qty) }),
        "market_quote" => Some(OrderKind::Market { size: Size::Quote(Quote::new(amount)) }),
        "limit" => limit(TimeInForce::GoodTillCancelled),
        "limit_ioc" => limit(TimeInForce::ImmediateOrCancel),
        "limit_fok" => limit(TimeInForce::FillOrKill),
        "limit_maker" => price.map(|price| OrderKind::LimitMaker { price, qty }),
        _ => None,
    };
    kind.ok_or_else(|| cells.corrupt(&format!("not an order: {word}")))
}
