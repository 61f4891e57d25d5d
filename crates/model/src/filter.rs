//! A venue's rules for orders, each naming itself when it is broken.
//!
//! Names and meanings: Binance, "Filters" in the spot API documents (2026-07-21).

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    asset::Asset,
    instrument::Instrument,
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, OrderRequest, Side, Size},
};

/// One rule. A bound of zero is off, as on the venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    Price {
        min: Price,
        max: Price,
        tick: Price,
    },
    /// The price lies within these multiples of the reference price.
    PercentPrice {
        up: Multiplier,
        down: Multiplier,
    },
    PercentPriceBySide {
        bid_up: Multiplier,
        bid_down: Multiplier,
        ask_up: Multiplier,
        ask_down: Multiplier,
    },
    LotSize {
        min: Qty,
        max: Qty,
        step: Qty,
    },
    MarketLotSize {
        min: Qty,
        max: Qty,
        step: Qty,
    },
    MinNotional {
        min: Quote,
        market: bool,
    },
    Notional {
        min: Quote,
        min_market: bool,
        max: Quote,
        max_market: bool,
    },
    IcebergParts {
        limit: u32,
    },
    MaxNumOrders {
        limit: u32,
    },
    MaxNumAlgoOrders {
        limit: u32,
    },
    MaxNumIcebergOrders {
        limit: u32,
    },
    /// Free and locked base and all open buys together.
    MaxPosition {
        max: Qty,
    },
    /// Trailing stops, in basis points.
    TrailingDelta {
        above: (u32, u32),
        below: (u32, u32),
    },
    MaxNumOrderAmends {
        limit: u32,
    },
    MaxNumOrderLists {
        limit: u32,
    },
    ExchangeMaxNumOrders {
        limit: u32,
    },
    ExchangeMaxNumAlgoOrders {
        limit: u32,
    },
    ExchangeMaxNumIcebergOrders {
        limit: u32,
    },
    ExchangeMaxNumOrderLists {
        limit: u32,
    },
    /// The most of one asset in one order.
    MaxAsset {
        asset: Asset,
        limit: Amount,
    },
}

/// A multiplier of the reference price.
pub type Multiplier = Price;

/// The name of a rule, as the venue writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    Precision,
    PriceFilter,
    PercentPrice,
    PercentPriceBySide,
    LotSize,
    MarketLotSize,
    MinNotional,
    Notional,
    IcebergParts,
    MaxNumOrders,
    MaxNumAlgoOrders,
    MaxNumIcebergOrders,
    MaxPosition,
    TrailingDelta,
    MaxNumOrderAmends,
    MaxNumOrderLists,
    ExchangeMaxNumOrders,
    ExchangeMaxNumAlgoOrders,
    ExchangeMaxNumIcebergOrders,
    ExchangeMaxNumOrderLists,
    MaxAsset,
}

/// A broken rule, with what broke it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {value} (must be {bound})")]
pub struct Broken {
    pub rule: Rule,
    pub value: String,
    pub bound: String,
}

/// An order before it is sent, as the rules see it. Parts that a plain order lacks are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    pub side: Side,
    pub is_market: bool,
    pub price: Option<Price>,
    pub stop_price: Option<Price>,
    pub qty: Option<Qty>,
    pub quote: Option<Quote>,
    pub iceberg_qty: Option<Qty>,
    /// Waits for a trigger at the venue.
    pub is_algo: bool,
    /// Trailing distance in basis points, and whether it trails from above the market.
    pub trailing: Option<(bool, u32)>,
    pub is_list: bool,
    /// How often the order was amended, this time included.
    pub amends: u32,
}

/// What the rules need to know beside the order. A missing reference price leaves the rules that
/// need it to the venue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MarketState {
    pub reference: Option<Price>,
    pub open: OpenOrders,
    pub open_account: OpenOrders,
    /// The base that counts against [`Filter::MaxPosition`]: at Binance free and locked base and the
    /// unfilled part of open buys. Our own guard knows the first two; the venue has the last word.
    pub position: Qty,
}

/// Counts of open orders: on a symbol, or on the whole account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenOrders {
    pub all: u32,
    pub algo: u32,
    pub iceberg: u32,
    pub lists: u32,
}

impl Filter {
    pub const fn rule(&self) -> Rule {
        match self {
            Self::Price { .. } => Rule::PriceFilter,
            Self::PercentPrice { .. } => Rule::PercentPrice,
            Self::PercentPriceBySide { .. } => Rule::PercentPriceBySide,
            Self::LotSize { .. } => Rule::LotSize,
            Self::MarketLotSize { .. } => Rule::MarketLotSize,
            Self::MinNotional { .. } => Rule::MinNotional,
            Self::Notional { .. } => Rule::Notional,
            Self::IcebergParts { .. } => Rule::IcebergParts,
            Self::MaxNumOrders { .. } => Rule::MaxNumOrders,
            Self::MaxNumAlgoOrders { .. } => Rule::MaxNumAlgoOrders,
            Self::MaxNumIcebergOrders { .. } => Rule::MaxNumIcebergOrders,
            Self::MaxPosition { .. } => Rule::MaxPosition,
            Self::TrailingDelta { .. } => Rule::TrailingDelta,
            Self::MaxNumOrderAmends { .. } => Rule::MaxNumOrderAmends,
            Self::MaxNumOrderLists { .. } => Rule::MaxNumOrderLists,
            Self::ExchangeMaxNumOrders { .. } => Rule::ExchangeMaxNumOrders,
            Self::ExchangeMaxNumAlgoOrders { .. } => Rule::ExchangeMaxNumAlgoOrders,
            Self::ExchangeMaxNumIcebergOrders { .. } => Rule::ExchangeMaxNumIcebergOrders,
            Self::ExchangeMaxNumOrderLists { .. } => Rule::ExchangeMaxNumOrderLists,
            Self::MaxAsset { .. } => Rule::MaxAsset,
        }
    }

    /// Whether the proposal keeps this rule.
    pub fn check(
        &self,
        instrument: &Instrument,
        order: &Proposal,
        market: &MarketState,
    ) -> Result<(), Broken> {
        let checked = Checked { rule: self.rule(), instrument, order, market };
        match *self {
            Self::Price { min, max, tick } => checked.prices(min, max, tick),
            Self::PercentPrice { up, down } => checked.percent(up, down),
            Self::PercentPriceBySide { bid_up, bid_down, ask_up, ask_down } => match order.side {
                Side::Buy => checked.percent(bid_up, bid_down),
                Side::Sell => checked.percent(ask_up, ask_down),
            },
            Self::LotSize { min, max, step } => checked.lot(min, max, step),
            Self::MarketLotSize { min, max, step } if order.is_market => {
                checked.lot(min, max, step)
            }
            Self::MarketLotSize { .. } => Ok(()),
            Self::MinNotional { min, market } => checked
                .notional(if market || !order.is_market { min } else { Quote::ZERO }, Quote::ZERO),
            Self::Notional { min, min_market, max, max_market } => checked.notional(
                if min_market || !order.is_market { min } else { Quote::ZERO },
                if max_market || !order.is_market { max } else { Quote::ZERO },
            ),
            Self::IcebergParts { limit } => checked.iceberg_parts(limit),
            Self::MaxPosition { max } => checked.position(max),
            Self::TrailingDelta { above, below } => checked.trailing(above, below),
            Self::MaxNumOrderAmends { limit } => checked.at_most(order.amends, limit),
            Self::MaxAsset { asset, limit } => checked.asset(asset, limit),
            Self::MaxNumOrders { limit } => checked.room(true, market.open.all, limit),
            Self::MaxNumAlgoOrders { limit } => {
                checked.room(order.is_algo, market.open.algo, limit)
            }
            Self::MaxNumIcebergOrders { limit } => {
                checked.room(order.iceberg_qty.is_some(), market.open.iceberg, limit)
            }
            Self::MaxNumOrderLists { limit } => {
                checked.room(order.is_list, market.open.lists, limit)
            }
            Self::ExchangeMaxNumOrders { limit } => {
                checked.room(true, market.open_account.all, limit)
            }
            Self::ExchangeMaxNumAlgoOrders { limit } => {
                checked.room(order.is_algo, market.open_account.algo, limit)
            }
            Self::ExchangeMaxNumIcebergOrders { limit } => {
                checked.room(order.iceberg_qty.is_some(), market.open_account.iceberg, limit)
            }
            Self::ExchangeMaxNumOrderLists { limit } => {
                checked.room(order.is_list, market.open_account.lists, limit)
            }
        }
    }
}

/// A rule at work on one proposal.
struct Checked<'a> {
    rule: Rule,
    instrument: &'a Instrument,
    order: &'a Proposal,
    market: &'a MarketState,
}

impl Checked<'_> {
    fn broken<T: fmt::Display>(&self, value: T, bound: String) -> Result<(), Broken> {
        Err(Broken { rule: self.rule, value: value.to_string(), bound })
    }

    fn prices(&self, min: Price, max: Price, tick: Price) -> Result<(), Broken> {
        for price in [self.order.price, self.order.stop_price].into_iter().flatten() {
            if price < min {
                return self.broken(format!("price {price}"), format!("at least {min}"));
            }
            if max.is_positive() && max < price {
                return self.broken(format!("price {price}"), format!("at most {max}"));
            }
            if !price.is_multiple_of(tick) {
                return self.broken(format!("price {price}"), format!("a multiple of {tick}"));
            }
        }
        Ok(())
    }

    fn percent(&self, up: Multiplier, down: Multiplier) -> Result<(), Broken> {
        let (Some(price), Some(reference)) = (self.order.price, self.market.reference) else {
            return Ok(());
        };
        let bound = |factor: Multiplier| reference.scaled(factor.get()).unwrap_or(reference);
        let (low, high) = (bound(down), bound(up));
        if price < low || (up.is_positive() && high < price) {
            return self.broken(format!("price {price}"), format!("from {low} to {high}"));
        }
        Ok(())
    }

    fn lot(&self, min: Qty, max: Qty, step: Qty) -> Result<(), Broken> {
        for qty in [self.order.qty, self.order.iceberg_qty].into_iter().flatten() {
            if qty < min || !qty.is_positive() {
                return self.broken(format!("quantity {qty}"), format!("at least {min}"));
            }
            if max.is_positive() && max < qty {
                return self.broken(format!("quantity {qty}"), format!("at most {max}"));
            }
            if !qty.is_multiple_of(step) {
                return self.broken(format!("quantity {qty}"), format!("a multiple of {step}"));
            }
        }
        Ok(())
    }

    /// Price × quantity; for a market order at the reference price.
    fn worth(&self) -> Option<Quote> {
        let price = self.order.price.or(self.market.reference);
        match (self.order.quote, self.order.qty) {
            (Some(quote), _) => Some(quote),
            (None, Some(qty)) => price?.times(qty).ok(),
            (None, None) => None,
        }
    }

    fn notional(&self, min: Quote, max: Quote) -> Result<(), Broken> {
        let Some(worth) = self.worth() else { return Ok(()) };
        if worth < min {
            return self.broken(format!("notional {worth}"), format!("at least {min}"));
        }
        if max.is_positive() && max < worth {
            return self.broken(format!("notional {worth}"), format!("at most {max}"));
        }
        Ok(())
    }

    fn iceberg_parts(&self, limit: u32) -> Result<(), Broken> {
        let (Some(qty), Some(part)) = (self.order.qty, self.order.iceberg_qty) else {
            return Ok(());
        };
        let parts = qty.get().checked_div(part.get()).map(|parts| parts.ceil());
        match parts {
            Some(parts) if parts <= Decimal::from(limit) => Ok(()),
            Some(parts) => self.broken(format!("{parts} parts"), format!("at most {limit}")),
            None => self.broken("parts of nothing", format!("at most {limit}")),
        }
    }

    fn position(&self, max: Qty) -> Result<(), Broken> {
        let Some(qty) = self.order.qty else { return Ok(()) };
        let after = self.market.position.plus(qty).unwrap_or(self.market.position);
        if self.order.side == Side::Buy && max < after {
            return self.broken(format!("position {after}"), format!("at most {max}"));
        }
        Ok(())
    }

    fn trailing(&self, above: (u32, u32), below: (u32, u32)) -> Result<(), Broken> {
        let Some((is_above, delta)) = self.order.trailing else { return Ok(()) };
        let (min, max) = if is_above { above } else { below };
        if delta < min || max < delta {
            return self.broken(format!("{delta} basis points"), format!("from {min} to {max}"));
        }
        Ok(())
    }

    fn at_most(&self, count: u32, limit: u32) -> Result<(), Broken> {
        if limit < count {
            return self.broken(count, format!("at most {limit}"));
        }
        Ok(())
    }

    /// Whether one more of a kind fits beside those open.
    fn room(&self, counts: bool, open: u32, limit: u32) -> Result<(), Broken> {
        if counts && limit <= open {
            return self.broken(format!("{open} open"), format!("below {limit} before one more"));
        }
        Ok(())
    }

    fn asset(&self, asset: Asset, limit: Amount) -> Result<(), Broken> {
        let symbol = self.instrument.symbol;
        let value = if asset == symbol.base {
            self.order.qty.map(Qty::amount)
        } else if asset == symbol.quote {
            self.worth().map(Quote::amount)
        } else {
            None
        };
        match value {
            Some(value) if limit < value => {
                self.broken(format!("{value} {asset}"), format!("at most {limit} {asset}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Proposal {
    /// A plain order of one of the kinds that we send.
    pub const fn new(side: Side, kind: OrderKind) -> Self {
        let (is_market, quote) = match kind {
            OrderKind::Market { size: Size::Quote(quote) } => (true, Some(quote)),
            OrderKind::Market { size: Size::Base(_) } => (true, None),
            OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } => (false, None),
        };
        Self {
            side,
            is_market,
            price: kind.price(),
            stop_price: None,
            qty: kind.qty(),
            quote,
            iceberg_qty: None,
            is_algo: false,
            trailing: None,
            is_list: false,
            amends: 0,
        }
    }
}

impl From<&OrderRequest> for Proposal {
    fn from(request: &OrderRequest) -> Self {
        Self::new(request.side, request.kind)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Precision => "PRECISION",
            Self::PriceFilter => "PRICE_FILTER",
            Self::PercentPrice => "PERCENT_PRICE",
            Self::PercentPriceBySide => "PERCENT_PRICE_BY_SIDE",
            Self::LotSize => "LOT_SIZE",
            Self::MarketLotSize => "MARKET_LOT_SIZE",
            Self::MinNotional => "MIN_NOTIONAL",
            Self::Notional => "NOTIONAL",
            Self::IcebergParts => "ICEBERG_PARTS",
            Self::MaxNumOrders => "MAX_NUM_ORDERS",
            Self::MaxNumAlgoOrders => "MAX_NUM_ALGO_ORDERS",
            Self::MaxNumIcebergOrders => "MAX_NUM_ICEBERG_ORDERS",
            Self::MaxPosition => "MAX_POSITION",
            Self::TrailingDelta => "TRAILING_DELTA",
            Self::MaxNumOrderAmends => "MAX_NUM_ORDER_AMENDS",
            Self::MaxNumOrderLists => "MAX_NUM_ORDER_LISTS",
            Self::ExchangeMaxNumOrders => "EXCHANGE_MAX_NUM_ORDERS",
            Self::ExchangeMaxNumAlgoOrders => "EXCHANGE_MAX_NUM_ALGO_ORDERS",
            Self::ExchangeMaxNumIcebergOrders => "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            Self::ExchangeMaxNumOrderLists => "EXCHANGE_MAX_NUM_ORDER_LISTS",
            Self::MaxAsset => "MAX_ASSET",
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
