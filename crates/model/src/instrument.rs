//! The thing traded, with its rules and the roundings that follow from them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    asset::Symbol,
    cast,
    decimal::{MathError, Rounding},
    filter::{Broken, Filter, MarketState, Proposal, Rule},
    ids::InstrumentId,
    money::{Price, Qty, Quote},
};

/// Digits of the integers that the watch index counts prices in, unless the tick is finer.
const PRICE_SCALE_MIN: u32 = 8;

/// Whether a venue takes orders for an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TradingStatus {
    Trading,
    /// Paused by the venue: orders rest, none is taken.
    Halted,
    /// Only cancels are taken.
    CancelOnly,
    /// Gone for good.
    Delisted,
}

/// An instrument as the rest of the system sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    pub id: InstrumentId,
    pub symbol: Symbol,
    pub status: TradingStatus,
    /// Digits after the point that the venue reads in base and in quote amounts.
    pub base_precision: u32,
    pub quote_precision: u32,
    /// Prices are multiples of this.
    pub tick: Price,
    /// Quantities are multiples of this.
    pub step: Qty,
    pub qty_min: Qty,
    /// The most base units in a limit order and in a market order; zero is no bound.
    pub qty_max: Qty,
    pub market_qty_max: Qty,
    /// The least price × quantity of an order.
    pub notional_min: Quote,
    /// Digits after the point of the integer prices of [`Instrument::price_units`].
    pub price_scale: u32,
    /// Every rule of the venue, in the order in which it checks them.
    pub filters: Vec<Filter>,
}

/// All instruments of a venue, found by id in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruments {
    list: Vec<Instrument>,
}

impl Instrument {
    /// Builds from a venue's filters; the grid is read out of them.
    pub fn new(id: InstrumentId, symbol: Symbol, filters: Vec<Filter>) -> Self {
        let mut instrument = Self {
            id,
            symbol,
            status: TradingStatus::Trading,
            base_precision: 8,
            quote_precision: 8,
            tick: Price::ZERO,
            step: Qty::ZERO,
            qty_min: Qty::ZERO,
            qty_max: Qty::ZERO,
            market_qty_max: Qty::ZERO,
            notional_min: Quote::ZERO,
            price_scale: PRICE_SCALE_MIN,
            filters,
        };
        for filter in instrument.filters.clone() {
            instrument.read_grid(&filter);
        }
        instrument.price_scale = instrument.tick.get().normalize().scale().max(PRICE_SCALE_MIN);
        instrument
    }

    fn read_grid(&mut self, filter: &Filter) {
        match *filter {
            Filter::Price { tick, .. } => self.tick = tick,
            Filter::LotSize { step, min, max } => {
                self.step = step;
                self.qty_min = min;
                self.qty_max = max;
            }
            Filter::MarketLotSize { max, .. } => self.market_qty_max = max,
            Filter::MinNotional { min, .. } | Filter::Notional { min, .. } => {
                self.notional_min = self.notional_min.max(min);
            }
            Filter::PercentPrice { .. }
            | Filter::PercentPriceBySide { .. }
            | Filter::IcebergParts { .. }
            | Filter::MaxNumOrders { .. }
            | Filter::MaxNumAlgoOrders { .. }
            | Filter::MaxNumIcebergOrders { .. }
            | Filter::MaxPosition { .. }
            | Filter::TrailingDelta { .. }
            | Filter::MaxNumOrderAmends { .. }
            | Filter::MaxNumOrderLists { .. }
            | Filter::ExchangeMaxNumOrders { .. }
            | Filter::ExchangeMaxNumAlgoOrders { .. }
            | Filter::ExchangeMaxNumIcebergOrders { .. }
            | Filter::ExchangeMaxNumOrderLists { .. }
            | Filter::MaxAsset { .. } => {}
        }
    }

    /// The first rule that the proposal breaks.
    pub fn check(&self, proposal: &Proposal, market: &MarketState) -> Result<(), Broken> {
        self.check_precision(proposal)?;
        self.filters.iter().try_for_each(|filter| filter.check(self, proposal, market))
    }

    fn check_precision(&self, proposal: &Proposal) -> Result<(), Broken> {
        let too_fine = |value: Decimal, digits: u32, what: &str| {
            (digits < value.normalize().scale()).then(|| Broken {
                rule: Rule::Precision,
                value: format!("{what} {}", value.normalize()),
                bound: format!("at most {digits} digits after the point"),
            })
        };
        let parts = [
            proposal.qty.and_then(|qty| too_fine(qty.get(), self.base_precision, "quantity")),
            proposal.price.and_then(|price| too_fine(price.get(), self.quote_precision, "price")),
            proposal
                .quote
                .and_then(|quote| too_fine(quote.get(), self.quote_precision, "quote quantity")),
        ];
        match parts.into_iter().flatten().next() {
            Some(broken) => Err(broken),
            None => Ok(()),
        }
    }

    pub fn round_price(&self, price: Price, rounding: Rounding) -> Result<Price, MathError> {
        price.to_step(self.tick, rounding)
    }

    pub fn round_qty(&self, qty: Qty, rounding: Rounding) -> Result<Qty, MathError> {
        qty.to_step(self.step, rounding)
    }

    /// What of a holding can be sold: whole steps of it.
    pub fn sellable(&self, holding: Qty) -> Result<Qty, MathError> {
        self.round_qty(holding.max(Qty::ZERO), Rounding::Down)
    }

    /// An amount of the quote asset, cut to as many digits as the venue reads and books.
    pub fn cut_quote(&self, quote: Quote) -> Result<Quote, MathError> {
        quote.to_step(Quote::new(Decimal::new(1, self.quote_precision)), Rounding::Down)
    }

    /// As much of a quantity as one order may hold.
    pub fn capped(&self, qty: Qty, is_market: bool) -> Qty {
        let market = Some(self.market_qty_max).filter(|_| is_market);
        let bounds = [Some(self.qty_max), market].into_iter().flatten();
        bounds.filter(|most| most.is_positive()).fold(qty, Qty::min)
    }

    /// Whether an order of this size is large enough at this price.
    pub fn is_tradable(&self, qty: Qty, price: Price) -> bool {
        self.qty_min <= qty
            && qty.is_positive()
            && price.times(qty).is_ok_and(|notional| self.notional_min <= notional)
    }

    /// The price as an integer count of `10^-price_scale`; `None` when it has more digits or is too
    /// large, in which case it is not a price of this instrument.
    pub fn price_units(&self, price: Price) -> Option<i64> {
        let mut value = price.get();
        if self.price_scale < value.scale() {
            value = value.normalize();
        }
        let more = self.price_scale.checked_sub(value.scale())?;
        // In 64 bits: every tick passes here, and what does not fit is no price.
        i64::try_from(value.mantissa()).ok()?.checked_mul(*POWERS.get(cast::index(more))?)
    }

    /// Back from [`Instrument::price_units`]. Zeros at the end are taken off here: a decimal would do it in
    /// 96 bits.
    pub fn price_from_units(&self, units: i64) -> Price {
        let (mut units, mut scale) = (units, self.price_scale);
        while scale != 0 && units % 10 == 0 {
            (units, scale) = (units / 10, scale.saturating_sub(1));
        }
        Price::new(Decimal::new(units, scale))
    }

    /// The largest integer price that is not above `price` (for lower bounds rounded up, see
    /// [`Instrument::units_ceil`]); saturates.
    pub fn units_floor(&self, price: Price) -> i64 {
        self.units(price, Rounding::Down)
    }

    /// The smallest integer price that is not below `price`; saturates.
    pub fn units_ceil(&self, price: Price) -> i64 {
        self.units(price, Rounding::Up)
    }

    fn units(&self, price: Price, rounding: Rounding) -> i64 {
        let grid = Price::new(Decimal::new(1, self.price_scale));
        let bound = if price.is_negative() { i64::MIN } else { i64::MAX };
        let rounded = price.to_step(grid, rounding);
        rounded.ok().and_then(|price| self.price_units(price)).unwrap_or(bound)
    }
}

/// The powers of ten that fit into 64 bits.
const POWERS: [i64; 19] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
    10_000_000_000_000_000,
    100_000_000_000_000_000,
    1_000_000_000_000_000_000,
];

impl<'a> IntoIterator for &'a Instruments {
    type Item = &'a Instrument;
    type IntoIter = std::slice::Iter<'a, Instrument>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Instruments {
    /// `list` must be ordered by id without gaps, from zero.
    pub fn new(list: Vec<Instrument>) -> Option<Self> {
        let in_place =
            |(place, instrument): (usize, &Instrument)| cast::index(instrument.id.get()) == place;
        list.iter().enumerate().all(in_place).then_some(Self { list })
    }

    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.list.get(cast::index(id.get()))
    }

    pub fn get_mut(&mut self, id: InstrumentId) -> Option<&mut Instrument> {
        self.list.get_mut(cast::index(id.get()))
    }

    /// Adds the next one; `false` when its id is another than the next.
    pub fn add(&mut self, instrument: Instrument) -> bool {
        let is_next = cast::index(instrument.id.get()) == self.list.len();
        if is_next {
            self.list.push(instrument);
        }
        is_next
    }

    pub fn find(&self, symbol: Symbol) -> Option<&Instrument> {
        self.list.iter().find(|instrument| instrument.symbol == symbol)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Instrument> {
        self.list.iter()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::btc_usdt;

    #[test]
    fn the_grid_is_read_out_of_the_filters() {
        let instrument = btc_usdt();

        assert_eq!(instrument.tick.to_string(), "0.01");
        assert_eq!(instrument.step.to_string(), "0.00001");
        assert_eq!(instrument.notional_min.to_string(), "5");
        assert!(
            instrument.is_tradable(Qty::parse("0.0001").unwrap(), Price::parse("50000").unwrap())
        );
        assert!(
            !instrument.is_tradable(Qty::parse("0.00009").unwrap(), Price::parse("50000").unwrap())
        );
    }

    #[test]
    fn prices_become_integers_and_come_back() {
        let instrument = btc_usdt();
        let price = Price::parse("60123.45").unwrap();

        assert_eq!(instrument.price_units(price), Some(6_012_345_000_000));
        assert_eq!(instrument.price_from_units(6_012_345_000_000), price);
        let fine = Price::parse("0.123456789").unwrap();
        assert_eq!(instrument.price_units(fine), None);
        assert_eq!(instrument.units_floor(fine), 12_345_678);
        assert_eq!(instrument.units_ceil(fine), 12_345_679);
    }
}
