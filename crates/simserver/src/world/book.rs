//! The order book that clients see: levels made up around the last price, and resting orders.
//!
//! The exchange trades with the tape at its last price, whatever the size; the levels show a market
//! around it. Their quantities follow from their prices alone, so that a book that moved by a tick
//! differs in few levels.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use tranche_model::{
    decimal::Rounding,
    instrument::Instrument,
    money::{Price, Qty},
    order::Side,
};

use tranche_model::ids::InstrumentId;
use tranche_sim::exchange::Stage;

use crate::faults::scramble;

use super::{World, records::Record};

/// Made-up levels on each side.
const LEVELS: u32 = 100;
/// A made-up level holds one to this many lots.
const LOTS_MAX: u64 = 40;
/// Worth of a lot in the least order of the instrument.
const LOT_ORDERS: i64 = 20;

/// Both sides, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) bids: Vec<(Price, Qty)>,
    pub(crate) asks: Vec<(Price, Qty)>,
}

/// What of a book was told to streams, and the number of its last change.
#[derive(Debug, Default)]
pub(crate) struct Depth {
    pub(crate) id: u64,
    pub(crate) fast: Told,
    pub(crate) slow: Told,
    pub(crate) best: Option<Best>,
}

/// The book at the last message of a depth stream.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) id: u64,
    levels: Levels,
}

/// The best levels: bid, then ask.
pub(crate) type Best = ((Price, Qty), (Price, Qty));

/// What changed between two messages of a depth stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) first_id: u64,
    pub(crate) last_id: u64,
    pub(crate) levels: Levels,
}

impl Depth {
    /// Something about the book changed.
    pub(crate) const fn touch(&mut self) {
        self.id = self.id.saturating_add(1);
    }
}

impl Told {
    /// The difference to what was told last; `None` when there is none.
    pub(crate) fn advance(&mut self, id: u64, levels: Levels) -> Option<Change> {
        if id == self.id {
            return None;
        }
        let bids = changed(&self.levels.bids, &levels.bids);
        let asks = changed(&self.levels.asks, &levels.asks);
        let change = Change {
            first_id: self.id.saturating_add(1),
            last_id: id,
            levels: Levels { bids, asks },
        };
        *self = Self { id, levels };
        Some(change)
    }
}

fn changed(before: &[(Price, Qty)], after: &[(Price, Qty)]) -> Vec<(Price, Qty)> {
    let old: BTreeMap<Price, Qty> = before.iter().copied().collect();
    let new: BTreeMap<Price, Qty> = after.iter().copied().collect();
    let gone = old.keys().filter(|price| !new.contains_key(price)).map(|price| (*price, Qty::ZERO));
    let other = new.iter().filter(|(price, qty)| old.get(price) != Some(qty));
    gone.chain(other.map(|(price, qty)| (*price, *qty))).collect()
}

impl Levels {
    pub(crate) fn best(&self) -> Option<Best> {
        Some((*self.bids.first()?, *self.asks.first()?))
    }

    /// A market around `last` between what rests.
    fn new(instrument: &Instrument, last: Price, resting: &[(Side, Price, Qty)]) -> Self {
        let own = |side: Side| resting.iter().filter(move |(of, ..)| *of == side);
        let best_buy = own(Side::Buy).map(|(_, price, _)| *price).max();
        let best_sale = own(Side::Sell).map(|(_, price, _)| *price).min();
        let tick = instrument.tick.get();
        let below = best_sale.map_or(last, |sale| last.min(sale));
        let above = best_buy.map_or(last, |buy| last.max(buy));
        let mut bids = made_up(instrument, below, -tick);
        let mut asks = made_up(instrument, above, tick);
        for (side, price, qty) in resting {
            let levels = if *side == Side::Buy { &mut bids } else { &mut asks };
            let level = levels.entry(*price).or_default();
            *level = level.plus(*qty).unwrap_or(*level);
        }
        Self { bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect() }
    }
}

/// Levels from the first tick beyond `from` on, by price.
fn made_up(instrument: &Instrument, from: Price, tick: Decimal) -> BTreeMap<Price, Qty> {
    let lot = lot(instrument, from);
    let towards = if tick.is_sign_negative() { Rounding::Up } else { Rounding::Down };
    let start = instrument.round_price(from, towards).unwrap_or(from);
    let prices = (1..=LEVELS).map_while(|number| {
        let way = tick.checked_mul(Decimal::from(number))?;
        let price = Price::new(start.get().checked_add(way)?.normalize());
        price.is_positive().then_some(price)
    });
    let with_qty = prices.filter_map(|price| {
        let key = u64::try_from(instrument.price_units(price)?).ok()?;
        let lots = Decimal::from(scramble(key) % LOTS_MAX + 1);
        Some((price, lot.scaled(lots).ok()?))
    });
    with_qty.collect()
}

/// The least quantity times a power of ten, so that it stays the same while the price moves a little.
fn lot(instrument: &Instrument, price: Price) -> Qty {
    let mut lot = instrument.qty_min.max(instrument.step);
    let worth = instrument.notional_min.get().checked_mul(Decimal::from(LOT_ORDERS));
    while let Some(larger) = lot.get().checked_mul(Decimal::TEN).map(Qty::new)
        && lot.is_positive()
        && price.times(lot).is_ok_and(|quote| worth.is_some_and(|worth| quote.get() < worth))
    {
        lot = larger;
    }
    lot
}

impl World {
    /// The book as it is; `None` before the first trade.
    pub(crate) fn levels(&self, id: InstrumentId) -> Option<Levels> {
        let instrument = self.exchange.instruments().get(id)?;
        let last = self.exchange.last_price(id)?;
        let resting: Vec<_> = self.records.open_on(id).filter_map(waiting).collect();
        Some(Levels::new(instrument, last, &resting))
    }
}

fn waiting(record: &Record) -> Option<(Side, Price, Qty)> {
    let works = record.state().is_some_and(|state| state.stage == Stage::Working);
    let price = record.kind.price().filter(|_| works && record.kind.rests())?;
    Some((record.side, price, record.remaining()))
}

#[cfg(test)]
mod tests {
    use tranche_model::{asset::Symbol, filter::Filter, money::Quote};

    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    fn qty(text: &str) -> Qty {
        Qty::parse(text).unwrap()
    }

    fn instrument() -> Instrument {
        let filters = vec![
            Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") },
            Filter::LotSize { min: qty("0.0001"), max: qty("9000"), step: qty("0.0001") },
            Filter::MinNotional { min: Quote::parse("5").unwrap(), market: true },
        ];
        Instrument::new(InstrumentId::new(0), Symbol::parse("BTC/USDT").unwrap(), filters)
    }

    #[test]
    fn a_book_stands_around_the_last_price() {
        let levels = Levels::new(&instrument(), price("100"), &[]);

        let ((bid, _), (ask, _)) = levels.best().unwrap();
        assert_eq!((bid, ask), (price("99.99"), price("100.01")));
        assert_eq!(levels.bids.len(), 100);
        assert!(levels.bids.iter().chain(&levels.asks).all(|(_, qty)| qty.is_positive()));
    }

    #[test]
    fn resting_orders_stand_in_it_and_are_never_crossed() {
        let resting = [
            (Side::Buy, price("100"), qty("0.5")),
            (Side::Buy, price("90"), qty("2")),
            (Side::Sell, price("100.01"), qty("1")),
        ];

        let levels = Levels::new(&instrument(), price("100"), &resting);

        let ((bid, at_bid), (ask, at_ask)) = levels.best().unwrap();
        assert_eq!((bid, at_bid), (price("100"), qty("0.5")));
        assert_eq!(ask, price("100.01"));
        assert!(qty("1") < at_ask);
        assert_eq!(levels.bids.last(), Some(&(price("90"), qty("2"))));
    }

    #[test]
    fn a_difference_leads_from_one_book_to_the_next() {
        let instrument = instrument();
        let first = Levels::new(&instrument, price("100"), &[]);
        let second = Levels::new(&instrument, price("100.03"), &[]);
        let mut told = Told::default();
        told.advance(4, first.clone()).unwrap();

        let change = told.advance(9, second.clone()).unwrap();

        assert_eq!((change.first_id, change.last_id), (5, 9));
        let mut book: BTreeMap<Price, Qty> = first.bids.into_iter().collect();
        book.extend(change.levels.bids.iter().copied());
        book.retain(|_, qty| qty.is_positive());
        assert_eq!(book, second.bids.into_iter().collect());
        assert!(change.levels.bids.len() < 10, "{:?}", change.levels.bids);
        assert_eq!(told.advance(9, Levels::default()), None);
    }
}
