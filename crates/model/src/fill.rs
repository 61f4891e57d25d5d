//! Executions: the only truth about what was bought and sold.

use serde::{Deserialize, Serialize};

use crate::{
    asset::Asset,
    client_order_id::ClientOrderId,
    ids::{InstrumentId, TradeId, VenueOrderId},
    money::{Amount, Price, Qty, Quote},
    order::Side,
    time::Timestamp,
};

/// Whether the order rested in the book (maker) or took from it (taker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liquidity {
    Maker,
    Taker,
}

/// What the venue took for an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    pub asset: Asset,
    pub amount: Amount,
    /// The fee in units of the instrument's quote asset, at the moment of the fill. Known at once for
    /// fees in base or quote; for a third asset it is stamped by whoever received the fill and knows
    /// a price, else `None`.
    pub in_quote: Option<Quote>,
}

/// One execution of one order. Booked once, by (account, instrument, trade id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    pub trade_id: TradeId,
    /// `None` for an order that carries no id of ours.
    pub client_id: Option<ClientOrderId>,
    pub venue_order_id: VenueOrderId,
    pub instrument: InstrumentId,
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
    /// As the venue states it; price × quantity unless the venue rounds.
    pub quote: Quote,
    pub fee: Fee,
    pub liquidity: Liquidity,
    pub at: Timestamp,
}
