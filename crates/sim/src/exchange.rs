//! A deterministic spot exchange with Binance's checks, codes and order of events.
//!
//! Invariants: every asset sums to zero over accounts, fees, the market and the outside
//! ([`Exchange::audit`]); no holding of an account falls below zero; at one price the order that
//! arrived first trades first. Time is what the caller says; the driver feeds ticks with
//! [`Exchange::trade`] and calls with [`Exchange::submit`].

use std::collections::BTreeMap;

use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset, FeeRates},
    cast,
    fill::Fill,
    filter::Filter,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments, TradingStatus},
    money::{Amount, Fraction, Price, Qty},
    order::{OrderStatus, Side},
    record::PrivateEvent,
    time::Timestamp,
};

mod amend;
mod book;
mod calls;
mod check;
mod condition;
mod contingency;
mod engine;
mod ledger;
mod lists;
mod order;
mod path;
mod plan;
mod query;
mod settings;
mod settle;
mod tape;

pub use amend::Amendment;
pub(crate) use calls::{Answered, CallNo};
pub use condition::{Condition, Ending, Note, Stage, Trigger, TriggerKind};
pub use engine::{Hand, HandPlaced, Placed};
pub use ledger::{AuditError, LedgerError};
pub use lists::{Leg, ListChange, ListKind, ListNo, ListPlaced, ListReport, ListRequest, Shape};
pub(crate) use path::{First, quarter, ticks};
pub use path::{Path, candle, points};
pub use settings::{FillRule, SelfTradePrevention, Settings};

use book::Market;
use calls::Calls;
use condition::Special;
use ledger::{Entry, Ledger, Place, negated};
use order::Orders;

/// The exchange: instruments, accounts, orders, money.
#[derive(Debug, Clone)]
pub struct Exchange {
    settings: Settings,
    instruments: Instruments,
    /// In the places of the instruments.
    markets: Vec<Market>,
    terms: BTreeMap<AccountId, Terms>,
    ledger: Ledger,
    orders: Orders,
    fills: BTreeMap<(AccountId, InstrumentId), Vec<Fill>>,
    /// What one unit of the first asset is worth in the second, for fees.
    rates: BTreeMap<(Asset, Asset), Price>,
    events: Vec<(AccountId, PrivateEvent)>,
    special: Special,
    calls: Calls,
    /// Whether fees carry only the worth that a message of a real exchange shows.
    tells_plain_fees: bool,
}

/// What an account pays.
#[derive(Debug, Clone, Copy)]
struct Terms {
    fees: FeeRates,
    fee_asset: FeeAsset,
}

impl Terms {
    /// The fee rate that a lock has to include.
    fn reserve(&self, side: Side) -> Fraction {
        match (self.fee_asset, side) {
            (FeeAsset::Quote, Side::Buy) => {
                self.fees.maker.max(self.fees.taker).max(Fraction::ZERO)
            }
            (FeeAsset::Quote, Side::Sell) | (FeeAsset::Received | FeeAsset::Third(_), _) => {
                Fraction::ZERO
            }
        }
    }
}

impl Exchange {
    pub fn new(instruments: Instruments, settings: Settings) -> Self {
        let markets = instruments.iter().map(|_| Market::default()).collect();
        Self {
            settings,
            instruments,
            markets,
            terms: BTreeMap::new(),
            ledger: Ledger::default(),
            orders: Orders::default(),
            fills: BTreeMap::new(),
            rates: BTreeMap::new(),
            events: Vec::new(),
            special: Special::default(),
            calls: Calls::default(),
            tells_plain_fees: false,
        }
    }

    /// From now on a fee carries the worth that follows from the message about it: that of a third
    /// coin is not known then.
    pub const fn tell_plain_fees(&mut self) {
        self.tells_plain_fees = true;
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub const fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Opens an account, or changes what it pays. Both parts of a balance come in as free.
    pub fn add_account(
        &mut self,
        account: AccountId,
        fees: FeeRates,
        fee_asset: FeeAsset,
        balances: Vec<Balance>,
    ) -> Result<(), LedgerError> {
        self.terms.insert(account, Terms { fees, fee_asset });
        for balance in balances {
            self.move_in(account, balance.asset, balance.total()?)?;
        }
        Ok(())
    }

    /// Takes back every order of the account and everything that it holds. What it pays stays.
    pub fn empty_account(&mut self, account: AccountId, now: Timestamp) -> Result<(), LedgerError> {
        let open = self.orders.open_of(account).map(|order| order.number);
        for number in open.collect::<Vec<_>>() {
            self.close(number, OrderStatus::Cancelled, now);
        }
        for balance in self.balances(account) {
            self.move_in(account, balance.asset, negated(balance.total()?))?;
        }
        Ok(())
    }

    pub fn deposit(
        &mut self,
        account: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        self.move_in(account, asset, amount)?;
        self.tell_balances(account, &[asset]);
        Ok(())
    }

    /// Takes out what is free.
    pub fn withdraw(
        &mut self,
        account: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        self.move_in(account, asset, negated(amount))?;
        self.tell_balances(account, &[asset]);
        Ok(())
    }

    fn move_in(
        &mut self,
        account: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        if !self.terms.contains_key(&account) {
            return Err(LedgerError::NoAccount(account));
        }
        self.ledger.post(&[
            Entry::free(Place::Account(account), asset, amount),
            Entry::free(Place::Outside, asset, negated(amount)),
        ])
    }

    /// States what one unit of `asset` is worth in `quote`, for fees in a third asset.
    pub fn set_rate(&mut self, asset: Asset, quote: Asset, price: Price) {
        if price.is_positive() {
            self.rates.insert((asset, quote), price);
        }
    }

    /// Pauses, resumes or removes an instrument. Removing it expires its open orders, as the venue
    /// does it (Binance, "Order status", EXPIRED by the exchange).
    pub fn set_status(&mut self, id: InstrumentId, status: TradingStatus, now: Timestamp) {
        let Some(instrument) = self.instruments.get_mut(id) else { return };
        instrument.status = status;
        if status != TradingStatus::Delisted {
            return;
        }
        let open = self.orders.all_open().filter(|order| order.draft.instrument == id);
        let numbers: Vec<_> = open.map(|order| order.number).collect();
        for number in numbers {
            self.close(number, OrderStatus::Expired, now);
        }
    }

    /// Changes the rules of an instrument; `false` when there is none with its id and symbol. Open
    /// orders stay.
    pub fn replace_instrument(&mut self, instrument: Instrument, now: Timestamp) -> bool {
        let (id, status) = (instrument.id, instrument.status);
        match self.instruments.get_mut(id) {
            Some(place) if place.symbol == instrument.symbol => *place = instrument,
            Some(_) | None => return false,
        }
        self.set_status(id, status, now);
        true
    }

    /// Numbers of orders and trades begin above `last`: an exchange that is opened again must not give one
    /// twice.
    pub fn number_above(&mut self, last: u64) {
        self.orders.number_above(last);
        for market in &mut self.markets {
            market.last_trade = market.last_trade.max(last);
        }
    }

    /// Lists the next instrument; `false` when its id is another than the next.
    pub fn add_instrument(&mut self, instrument: Instrument) -> bool {
        let is_next = self.instruments.add(instrument);
        if is_next {
            // Its trades are numbered like those of the others.
            let last_trade = self.markets.iter().map(|market| market.last_trade).max();
            let mut market = Market::default();
            market.last_trade = last_trade.unwrap_or_default();
            self.markets.push(market);
        }
        is_next
    }

    /// Forgets orders that ended before, their executions and old highs.
    pub fn forget_closed_before(&mut self, before: Timestamp) {
        self.orders.forget_closed_before(before);
        self.forget_conditions();
        for fills in self.fills.values_mut() {
            let orders = &self.orders;
            fills.retain(|fill| {
                before <= fill.at
                    || order::Number::try_from(fill.venue_order_id.get())
                        .is_ok_and(|number| orders.get(number).is_some())
            });
        }
        self.forget_highs_before(before);
    }

    /// Forgets old highs.
    pub(crate) fn forget_highs_before(&mut self, before: Timestamp) {
        for market in &mut self.markets {
            market.forget_highs_before(before);
        }
    }

    /// Checks the books: sums, signs, and that what is locked belongs to open orders.
    pub fn audit(&self) -> Result<(), AuditError> {
        self.ledger.audit()?;
        let mut needed: BTreeMap<(AccountId, Asset), Amount> = BTreeMap::new();
        for order in self.orders.all_open() {
            let Some(instrument) = self.instruments.get(order.draft.instrument) else { continue };
            let asset = check::locked_asset(instrument, order.draft.side);
            let sum = needed.entry((order.draft.account, asset)).or_default();
            *sum = sum.plus(order.locked).map_err(|_| AuditError::TooManyDigits { asset })?;
        }
        self.ledger.audit_locks(&needed)
    }

    /// What the exchange earned in `asset`.
    pub fn fees_taken(&self, asset: Asset) -> Amount {
        self.ledger.holding(Place::Fees, asset).free
    }

    /// What the tape gained from all accounts together; below zero when it lost.
    pub fn tape_gained(&self, asset: Asset) -> Amount {
        self.ledger.holding(Place::Market, asset).free
    }

    fn market(&self, instrument: InstrumentId) -> Option<&Market> {
        self.markets.get(cast::index(instrument.get()))
    }

    fn market_mut(&mut self, instrument: InstrumentId) -> Option<&mut Market> {
        self.markets.get_mut(cast::index(instrument.get()))
    }
}

/// The coarser of the steps that hold for market orders.
fn market_step(instrument: &Instrument) -> Qty {
    let steps = instrument.filters.iter().filter_map(|filter| {
        if let Filter::MarketLotSize { step, .. } = filter { Some(*step) } else { None }
    });
    steps.fold(instrument.step, Qty::max)
}

#[cfg(test)]
pub(crate) mod tests;
