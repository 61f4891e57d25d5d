//! What a fee in a third coin is worth in the quote asset: over which pairs, at which price, and how it is
//! rounded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use rust_decimal::Decimal;
use tranche_model::{
    asset::Asset,
    decimal::{self, Rounding},
    fill::Fill,
    ids::{AccountId, InstrumentId, TradeId},
    instrument::{Instruments, TradingStatus},
    money::{Amount, Price, Quote},
};

/// Digits after the point of a worth; each conversion is rounded up to them, against us.
const WORTH_SCALE: u32 = 12;
/// So many routes are tried.
const ROUTES_MAX: usize = 3;
/// The worth of so many fills is remembered.
const STAMPS_MAX: usize = 4096;

/// A conversion over one pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) instrument: InstrumentId,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From base to quote.
    Times,
    /// From quote to base.
    Divided,
}

/// One conversion, or two over a common asset.
pub(crate) type Route = Vec<Leg>;

/// Which fill of which account.
pub(crate) type Name = (AccountId, InstrumentId, TradeId);

/// What is known of a fee. An execution is told more than once, by streams, answers and reads: each time it
/// is worth the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    Worth(Quote),
    /// The execution is in the books: what its fee counts there stays.
    Booked,
    /// It is told that nobody can value it.
    Unvalued,
}

#[derive(Debug, Default)]
pub(crate) struct Stamps {
    known: BTreeMap<Name, Stamp>,
    /// Oldest first.
    order: VecDeque<Name>,
}

impl Stamps {
    pub(crate) fn get(&self, name: Name) -> Option<Stamp> {
        self.known.get(&name).copied()
    }

    pub(crate) fn put(&mut self, name: Name, stamp: Stamp) {
        if self.known.insert(name, stamp).is_some() {
            return;
        }
        self.order.push_back(name);
        if STAMPS_MAX < self.order.len()
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// From which asset to which a fill's fee has to be valued; `None` when nothing is missing. Fills of others
/// are in nobody's books.
pub(crate) fn missing(fill: &Fill, instruments: &Instruments) -> Option<(Asset, Asset)> {
    let is_free = fill.fee.amount.is_zero();
    if is_free || fill.fee.in_quote.is_some() || fill.client_id.is_none() {
        return None;
    }
    let symbol = instruments.get(fill.instrument)?.symbol;
    let asset = fill.fee.asset;
    (asset != symbol.base && asset != symbol.quote).then_some((asset, symbol.quote))
}

/// Ways from one asset to another, best first: by their own pair, by its inverse, over the asset with the
/// most pairs. Those over pairs that trade come before those that are closed for a while.
pub(crate) fn routes(instruments: &Instruments, from: Asset, to: Asset) -> Vec<Route> {
    let mut direct = Vec::new();
    let (mut begins, mut ends) = (Vec::new(), BTreeMap::<Asset, Leg>::new());
    let mut pairs = BTreeMap::<Asset, u32>::new();
    for instrument in instruments {
        let (base, quote) = (instrument.symbol.base, instrument.symbol.quote);
        if instrument.status == TradingStatus::Delisted {
            continue;
        }
        for asset in [base, quote] {
            let count = pairs.entry(asset).or_default();
            *count = count.saturating_add(1);
        }
        let times = Leg { instrument: instrument.id, way: Way::Times };
        let divided = Leg { instrument: instrument.id, way: Way::Divided };
        match (base == from, quote == from, base == to, quote == to) {
            (true, _, _, true) => direct.insert(0, vec![times]),
            (_, true, true, _) => direct.push(vec![divided]),
            (true, ..) => begins.push((quote, times)),
            (_, true, ..) => begins.push((base, divided)),
            (_, _, true, _) => drop(ends.insert(quote, divided)),
            (.., true) => drop(ends.insert(base, times)),
            (false, false, false, false) => {}
        }
    }
    let joined = begins.into_iter().filter_map(|(over, first)| {
        let last = ends.get(&over).copied()?;
        Some((Reverse(pairs.get(&over).copied()), over, vec![first, last]))
    });
    let mut joined: Vec<_> = joined.collect();
    joined.sort_by_key(|(count, over, _)| (*count, *over));
    let mut routes: Vec<Route> = direct;
    routes.extend(joined.into_iter().map(|(_, _, route)| route));
    let is_open = |leg: &Leg| {
        instruments.get(leg.instrument).is_some_and(|it| it.status == TradingStatus::Trading)
    };
    // A stable sort: among equals the order stays.
    routes.sort_by_key(|route| !route.iter().all(is_open));
    routes.truncate(ROUTES_MAX);
    routes
}

/// The worth by the first route of which all prices are known.
pub(crate) fn worth(
    amount: Amount,
    routes: &[Route],
    price: impl Fn(InstrumentId) -> Option<Price>,
) -> Option<Quote> {
    routes.iter().find_map(|route| {
        let convert = |value, leg: &Leg| converted(value, price(leg.instrument)?, leg.way);
        route.iter().try_fold(amount.get(), convert).map(Quote::new)
    })
}

fn converted(value: Decimal, price: Price, way: Way) -> Option<Decimal> {
    if !price.is_positive() {
        return None;
    }
    let (value, divisor) = match way {
        Way::Times => (decimal::mul(value, price.get()).ok()?, Decimal::ONE),
        Way::Divided => (value, price.get()),
    };
    decimal::div(value, divisor, WORTH_SCALE, Rounding::Up).ok()
}

#[cfg(test)]
mod tests;
