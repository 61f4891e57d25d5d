//! What own orders that are out hold back: funds, price levels, places. Derived from the orders,
//! kept up to date with each change of one.

use std::collections::BTreeMap;

use tranche_model::{
    asset::{Asset, Symbol},
    decimal::MathError,
    ids::InstrumentId,
    money::{Amount, Fraction, Price},
    order::Side,
};

use crate::order::Order;

/// The sum over all own orders that are not settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposure {
    reserved: BTreeMap<Asset, Amount>,
    books: BTreeMap<InstrumentId, Box<Book>>,
}

/// Own orders on one instrument.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Book {
    buys: Levels,
    sells: Levels,
    open: u32,
}

/// Prices with how many orders rest at each, ascending. They are few, and there are many books: a
/// tree would be almost empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Levels(Vec<(Price, u32)>);

/// One order's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    instrument: InstrumentId,
    side: Side,
    asset: Asset,
    reserved: Amount,
    price: Option<Price>,
}

impl Share {
    /// `fee` is what a buy may cost beside its price, when fees are taken in quote.
    pub(crate) fn of(
        order: &Order,
        (instrument, symbol): (InstrumentId, Symbol),
        fee: Fraction,
    ) -> Result<Option<Self>, MathError> {
        if order.is_settled() {
            return Ok(None);
        }
        let asset = match order.side {
            Side::Buy => symbol.quote,
            Side::Sell => symbol.base,
        };
        let price = if order.kind.rests() { order.kind.price() } else { None };
        let reserved = order.reserved(fee)?;
        Ok(Some(Self { instrument, side: order.side, asset, reserved, price }))
    }
}

impl Exposure {
    pub fn reserved(&self, asset: Asset) -> Amount {
        self.reserved.get(&asset).copied().unwrap_or_default()
    }

    /// Own open orders on the instrument.
    pub fn open(&self, instrument: InstrumentId) -> u32 {
        self.books.get(&instrument).map_or(0, |book| book.open)
    }

    /// Own open orders on all instruments.
    pub fn open_all(&self) -> u32 {
        self.books.values().map(|book| book.open).fold(0, u32::saturating_add)
    }

    /// Whether an order would trade with one of our own. A market order is taken to trade at `price`.
    pub fn crosses(&self, instrument: InstrumentId, side: Side, price: Price) -> bool {
        let Some(book) = self.books.get(&instrument) else { return false };
        match side {
            Side::Buy => book.sells.lowest().is_some_and(|ask| ask <= price),
            Side::Sell => book.buys.highest().is_some_and(|bid| price <= bid),
        }
    }

    /// An order changed from one share to another.
    pub(crate) fn shift(
        &mut self,
        from: Option<Share>,
        to: Option<Share>,
    ) -> Result<(), MathError> {
        if from == to {
            return Ok(());
        }
        if let Some(share) = from {
            self.remove(share)?;
        }
        if let Some(share) = to {
            self.add(share)?;
        }
        Ok(())
    }

    fn add(&mut self, share: Share) -> Result<(), MathError> {
        let reserved = self.reserved.entry(share.asset).or_default();
        *reserved = reserved.plus(share.reserved)?;
        let book = self.books.entry(share.instrument).or_default();
        book.open = book.open.saturating_add(1);
        if let Some(price) = share.price {
            book.levels(share.side).add(price);
        }
        Ok(())
    }

    fn remove(&mut self, share: Share) -> Result<(), MathError> {
        let reserved = self.reserved.entry(share.asset).or_default();
        *reserved = reserved.minus(share.reserved)?;
        let book = self.books.entry(share.instrument).or_default();
        book.open = book.open.saturating_sub(1);
        if let Some(price) = share.price {
            book.levels(share.side).remove(price);
        }
        Ok(())
    }
}

impl Book {
    const fn levels(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }
}

impl Levels {
    fn lowest(&self) -> Option<Price> {
        self.0.first().map(|(price, _)| *price)
    }

    fn highest(&self) -> Option<Price> {
        self.0.last().map(|(price, _)| *price)
    }

    fn add(&mut self, price: Price) {
        match self.0.binary_search_by_key(&price, |(level, _)| *level) {
            Ok(place) => {
                if let Some((_, count)) = self.0.get_mut(place) {
                    *count = count.saturating_add(1);
                }
            }
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, (price, 1));
            }
        }
    }

    fn remove(&mut self, price: Price) {
        let found = self.0.binary_search_by_key(&price, |(level, _)| *level);
        let Ok(place) = found else { return };
        let Some((_, count)) = self.0.get_mut(place) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.0.remove(place);
        }
    }
}
