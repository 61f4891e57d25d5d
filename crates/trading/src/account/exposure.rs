//! What own orders that are out hold back: funds, price levels, places. Derived from the orders,
//! kept up to date with each change of one.

use std::collections::BTreeMap;

use tranche_model::{
    asset::{Asset, Symbol},
    cast,
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

/// Own orders on one instrument. They are few, and there are many books: a tree would be almost empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Book {
    /// Where orders rest, as often as they do: the buys, ascending, and then the sells.
    prices: Vec<Price>,
    /// How many of them are buys.
    buys: u32,
    open: u32,
}

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
            Side::Buy => book.sells().first().is_some_and(|ask| *ask <= price),
            Side::Sell => book.buys().last().is_some_and(|bid| price <= *bid),
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
            book.add(share.side, price);
        }
        Ok(())
    }

    fn remove(&mut self, share: Share) -> Result<(), MathError> {
        let reserved = self.reserved.entry(share.asset).or_default();
        *reserved = reserved.minus(share.reserved)?;
        let book = self.books.entry(share.instrument).or_default();
        book.open = book.open.saturating_sub(1);
        if let Some(price) = share.price {
            book.remove(share.side, price);
        }
        Ok(())
    }
}

impl Book {
    fn buys(&self) -> &[Price] {
        self.prices.get(..cast::index(self.buys)).unwrap_or_default()
    }

    fn sells(&self) -> &[Price] {
        self.prices.get(cast::index(self.buys)..).unwrap_or_default()
    }

    /// Where a price of this side stands, or would.
    fn place(&self, side: Side, price: Price) -> usize {
        let is_before = |known: &Price| *known < price;
        match side {
            Side::Buy => self.buys().partition_point(is_before),
            Side::Sell => self.sells().partition_point(is_before).saturating_add(self.buys().len()),
        }
    }

    fn add(&mut self, side: Side, price: Price) {
        let place = self.place(side, price);
        self.prices.reserve_exact(1);
        self.prices.insert(place, price);
        if side == Side::Buy {
            self.buys = self.buys.saturating_add(1);
        }
    }

    fn remove(&mut self, side: Side, price: Price) {
        let place = self.place(side, price);
        let is_there = match side {
            Side::Buy => place < self.buys().len(),
            Side::Sell => true,
        };
        if is_there && self.prices.get(place) == Some(&price) {
            self.prices.remove(place);
            if side == Side::Buy {
                self.buys = self.buys.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_a_book_has_its_own_prices() {
        let price = |text| Price::parse(text).unwrap();
        let mut book = Book::default();
        for (side, at) in [
            (Side::Sell, "103"),
            (Side::Buy, "99"),
            (Side::Sell, "102"),
            (Side::Buy, "98"),
            (Side::Buy, "99"),
            (Side::Sell, "98"),
        ] {
            book.add(side, price(at));
        }
        assert_eq!(book.buys(), ["98", "99", "99"].map(price));
        assert_eq!(book.sells(), ["98", "102", "103"].map(price));

        for (side, at) in
            [(Side::Buy, "99"), (Side::Buy, "102"), (Side::Sell, "99"), (Side::Sell, "98")]
        {
            book.remove(side, price(at));
        }
        assert_eq!(book.buys(), ["98", "99"].map(price));
        assert_eq!(book.sells(), ["102", "103"].map(price));
    }
}
