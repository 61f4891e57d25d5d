//! Orders: what we ask for, and what a venue says of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    ids::{InstrumentId, VenueOrderId},
    money::{Price, Qty, Quote},
    time::Timestamp,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

/// How much a market order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// Base units.
    Base(Qty),
    /// At most this much of the quote asset; the venue buys whole steps for it.
    Quote(Quote),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Rests until it is filled or cancelled.
    GoodTillCancelled,
    /// What does not trade at once expires.
    ImmediateOrCancel,
    /// Trades whole and at once, or expires.
    FillOrKill,
}

/// The order types that we send, each with what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    Market {
        size: Size,
    },
    Limit {
        price: Price,
        qty: Qty,
        time_in_force: TimeInForce,
    },
    /// Refused by the venue when it would trade at once.
    LimitMaker {
        price: Price,
        qty: Qty,
    },
}

/// What is sent to a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
    pub client_id: ClientOrderId,
    pub instrument: InstrumentId,
    pub side: Side,
    pub kind: OrderKind,
}

/// A venue's word for the state of an order. Only what was executed counts as truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderStatus {
    Open,
    PartiallyFilled,
    Filled,
    Cancelled,
    Rejected,
    Expired,
    /// A word that we do not know: never taken as an end, always a reason to ask again.
    Unrecognized,
}

/// A venue's statement on an order: a push, or the answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    pub client_id: ClientOrderId,
    pub venue_id: VenueOrderId,
    pub instrument: InstrumentId,
    pub side: Side,
    pub kind: OrderKind,
    pub status: OrderStatus,
    /// Executed so far, in base units; never falls.
    pub executed: Qty,
    /// Executed so far, in quote units.
    pub executed_quote: Quote,
    /// The venue's time of the last change.
    pub updated_at: Timestamp,
}

/// An open order of the account that carries no id of ours: somebody else's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignOrder {
    pub venue_id: VenueOrderId,
    pub instrument: InstrumentId,
    pub side: Side,
    pub kind: OrderKind,
    pub executed: Qty,
}

impl Side {
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl OrderKind {
    pub const fn price(self) -> Option<Price> {
        match self {
            Self::Market { .. } => None,
            Self::Limit { price, .. } | Self::LimitMaker { price, .. } => Some(price),
        }
    }

    /// Base units asked for; `None` for a market order sized in quote.
    pub const fn qty(self) -> Option<Qty> {
        match self {
            Self::Market { size: Size::Base(qty) }
            | Self::Limit { qty, .. }
            | Self::LimitMaker { qty, .. } => Some(qty),
            Self::Market { size: Size::Quote(_) } => None,
        }
    }

    /// The most quote that a buy can spend, without fees; `None` when no bound is known.
    pub fn quote_max(self) -> Option<Result<Quote, MathError>> {
        match self {
            Self::Market { size: Size::Quote(quote) } => Some(Ok(quote)),
            Self::Market { size: Size::Base(_) } => None,
            Self::Limit { price, qty, .. } | Self::LimitMaker { price, qty } => {
                Some(price.times(qty))
            }
        }
    }

    /// Whether the order may wait in the book.
    pub const fn rests(self) -> bool {
        match self {
            Self::Limit { time_in_force: TimeInForce::GoodTillCancelled, .. }
            | Self::LimitMaker { .. } => true,
            Self::Market { .. } | Self::Limit { .. } => false,
        }
    }
}

impl OrderStatus {
    /// Whether the venue says that the order will not trade any more. Late trades may still arrive.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired => true,
            Self::Open | Self::PartiallyFilled | Self::Unrecognized => false,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(qty) => write!(f, "{qty}"),
            Self::Quote(quote) => write!(f, "for {quote}"),
        }
    }
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Market { size } => write!(f, "{size} at market"),
            Self::Limit { price, qty, .. } => write!(f, "{qty} @ {price}"),
            Self::LimitMaker { price, qty } => write!(f, "{qty} @ {price} (maker only)"),
        }
    }
}
