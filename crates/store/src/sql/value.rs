//! What goes into a column.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    ids::{
        AccountId, BotId, CommandId, DealNo, Epoch, InstrumentId, Seq, TradeId, UserId,
        VenueOrderId,
    },
    money::{Amount, Price, Qty, Quote},
    time::Timestamp,
};

/// A value with the type of its column, also when it is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Decimal(Option<Decimal>),
}

/// Microseconds of a moment. Beyond the year 292 000, either way, time stands still.
pub(crate) const fn micros(at: Timestamp) -> i64 {
    at.ms().saturating_mul(1000)
}

/// The moment of microseconds.
pub(crate) const fn moment(micros: i64) -> Timestamp {
    Timestamp::from_ms(micros.div_euclid(1000))
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<u128> for Value {
    fn from(value: u128) -> Self {
        Self::Text(Some(value.to_string()))
    }
}

impl From<&str> for Value {
    /// A zero character, which PostgreSQL has no place for, becomes the mark of an unreadable one.
    fn from(value: &str) -> Self {
        Self::Text(Some(value.replace('\0', "\u{fffd}")))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl From<Decimal> for Value {
    fn from(value: Decimal) -> Self {
        Self::Decimal(Some(value.normalize()))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        micros(value).into()
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(micros))
    }
}

impl From<ClientOrderId> for Value {
    fn from(value: ClientOrderId) -> Self {
        Self::Text(Some(value.to_string()))
    }
}

impl From<Option<ClientOrderId>> for Value {
    fn from(value: Option<ClientOrderId>) -> Self {
        Self::Text(value.map(|id| id.to_string()))
    }
}

impl From<Asset> for Value {
    fn from(value: Asset) -> Self {
        value.as_str().into()
    }
}

impl From<Option<Price>> for Value {
    fn from(value: Option<Price>) -> Self {
        Self::Decimal(value.map(|price| price.get().normalize()))
    }
}

impl From<Option<Quote>> for Value {
    fn from(value: Option<Quote>) -> Self {
        Self::Decimal(value.map(|quote| quote.get().normalize()))
    }
}

macro_rules! inner {
    ($($name:ident),*) => {
        $(impl From<$name> for Value {
            fn from(value: $name) -> Self {
                value.get().into()
            }
        })*
    };
}

inner!(
    AccountId,
    BotId,
    CommandId,
    DealNo,
    Epoch,
    InstrumentId,
    Seq,
    TradeId,
    UserId,
    VenueOrderId
);
inner!(Amount, Price, Qty, Quote);
