//! Orders as the exchange keeps them: all by number, open ones by account and instrument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tranche_model::{
    client_order_id::ClientOrderId,
    decimal::MathError,
    fill::Fill,
    ids::{AccountId, InstrumentId, VenueOrderId},
    money::{Amount, Fraction, Price, Qty, Quote},
    order::{ForeignOrder, OrderKind, OrderReport, OrderStatus, Side},
    time::Timestamp,
};

/// The exchange's number of an order, in order of arrival.
pub(super) type Number = u64;

/// What is asked for, with or without an id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) account: AccountId,
    pub(super) client_id: Option<ClientOrderId>,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) kind: OrderKind,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) number: Number,
    pub(super) draft: Draft,
    pub(super) status: OrderStatus,
    pub(super) executed: Qty,
    pub(super) executed_quote: Quote,
    /// Still held for it: quote of a buy, base of a sale.
    pub(super) locked: Amount,
    /// The fee rate that the lock includes.
    pub(super) reserve: Fraction,
    pub(super) placed_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Order {
    pub(super) fn venue_id(&self) -> VenueOrderId {
        VenueOrderId::new(u128::from(self.number))
    }

    pub(super) const fn is_open(&self) -> bool {
        !self.status.is_terminal()
    }

    /// What may still trade; zero for a market order sized in quote.
    pub(super) fn remaining(&self) -> Result<Qty, MathError> {
        self.draft.kind.qty().unwrap_or(self.executed).minus(self.executed)
    }

    /// The limit of an order that may wait, for its place in the book.
    pub(super) const fn price(&self) -> Option<Price> {
        self.draft.kind.price()
    }

    pub(super) fn report(&self) -> Option<OrderReport> {
        let Draft { client_id, instrument, side, kind, .. } = self.draft;
        client_id.map(|client_id| OrderReport {
            client_id,
            venue_id: self.venue_id(),
            instrument,
            side,
            kind,
            status: self.status,
            executed: self.executed,
            executed_quote: self.executed_quote,
            updated_at: self.updated_at,
        })
    }

    pub(super) fn foreign(&self) -> ForeignOrder {
        let Draft { instrument, side, kind, .. } = self.draft;
        ForeignOrder { venue_id: self.venue_id(), instrument, side, kind, executed: self.executed }
    }

    /// The order as it stood at `at`, rebuilt from its fills; `None` before it was placed.
    pub(super) fn as_of(&self, at: Timestamp, fills: &[Fill]) -> Option<Self> {
        if at < self.placed_at {
            return None;
        }
        if self.updated_at <= at {
            return Some(*self);
        }
        let mut past = Self {
            status: OrderStatus::Open,
            executed: Qty::ZERO,
            executed_quote: Quote::ZERO,
            updated_at: self.placed_at,
            ..*self
        };
        for fill in fills {
            if fill.venue_order_id == self.venue_id() && fill.at <= at {
                past.status = OrderStatus::PartiallyFilled;
                past.executed = past.executed.plus(fill.qty).ok()?;
                past.executed_quote = past.executed_quote.plus(fill.quote).ok()?;
                past.updated_at = fill.at;
            }
        }
        Some(past)
    }
}

/// All orders ever, until they are forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    all: BTreeMap<Number, Order>,
    by_client: BTreeMap<(AccountId, ClientOrderId), Vec<Number>>,
    open: BTreeMap<AccountId, BTreeMap<InstrumentId, BTreeSet<Number>>>,
    /// In order of closing.
    closed: VecDeque<(Timestamp, Number)>,
    last: Number,
}

impl Orders {
    pub(super) fn add(
        &mut self,
        draft: Draft,
        locked: Amount,
        reserve: Fraction,
        now: Timestamp,
    ) -> Order {
        self.last = self.last.saturating_add(1);
        let order = Order {
            number: self.last,
            draft,
            status: OrderStatus::Open,
            executed: Qty::ZERO,
            executed_quote: Quote::ZERO,
            locked,
            reserve,
            placed_at: now,
            updated_at: now,
        };
        self.all.insert(order.number, order);
        if let Some(id) = draft.client_id {
            self.by_client.entry((draft.account, id)).or_default().push(order.number);
        }
        let of_account = self.open.entry(draft.account).or_default();
        of_account.entry(draft.instrument).or_default().insert(order.number);
        order
    }

    pub(super) fn number_above(&mut self, last: Number) {
        self.last = self.last.max(last);
    }

    /// A place behind all orders that are there; no order gets its number.
    pub(super) fn next_ticket(&mut self) -> Number {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Writes an order back that has another client id than before.
    pub(super) fn rename(&mut self, order: Order, former: ClientOrderId) {
        let account = order.draft.account;
        if let Some(numbers) = self.by_client.get_mut(&(account, former)) {
            numbers.retain(|number| *number != order.number);
        }
        if let Some(id) = order.draft.client_id {
            self.by_client.entry((account, id)).or_default().push(order.number);
        }
        self.put(order);
    }

    pub(super) fn get(&self, number: Number) -> Option<&Order> {
        self.all.get(&number)
    }

    /// Writes a changed order back; one that ended leaves the open ones.
    pub(super) fn put(&mut self, order: Order) {
        if !order.is_open() {
            let of_account = self.open.get_mut(&order.draft.account);
            let of_instrument = of_account.and_then(|map| map.get_mut(&order.draft.instrument));
            if of_instrument.is_some_and(|set| set.remove(&order.number)) {
                self.closed.push_back((order.updated_at, order.number));
            }
        }
        self.all.insert(order.number, order);
    }

    /// Every order with this id, oldest first.
    pub(super) fn with_id(
        &self,
        account: AccountId,
        id: ClientOrderId,
    ) -> impl DoubleEndedIterator<Item = &Order> {
        let numbers = self.by_client.get(&(account, id)).map(Vec::as_slice).unwrap_or_default();
        numbers.iter().filter_map(|number| self.all.get(number))
    }

    pub(super) fn open_with_id(&self, account: AccountId, id: ClientOrderId) -> Option<&Order> {
        self.with_id(account, id).rev().find(|order| order.is_open())
    }

    /// Open orders of an account, in order of arrival per instrument.
    pub(super) fn open_of(&self, account: AccountId) -> impl Iterator<Item = &Order> {
        let by_instrument = self.open.get(&account).into_iter().flat_map(BTreeMap::values);
        by_instrument.flatten().filter_map(|number| self.all.get(number))
    }

    pub(super) fn open_on(
        &self,
        account: AccountId,
        instrument: InstrumentId,
    ) -> impl Iterator<Item = &Order> {
        let numbers = self.open.get(&account).and_then(|map| map.get(&instrument));
        numbers.into_iter().flatten().filter_map(|number| self.all.get(number))
    }

    /// How many are open on the instrument, and on the whole account.
    pub(super) fn counts(&self, account: AccountId, instrument: InstrumentId) -> (usize, usize) {
        let Some(map) = self.open.get(&account) else { return (0, 0) };
        let on_instrument = map.get(&instrument).map_or(0, BTreeSet::len);
        (on_instrument, map.values().map(BTreeSet::len).sum())
    }

    pub(super) fn all_open(&self) -> impl Iterator<Item = &Order> {
        let maps = self.open.values().flat_map(BTreeMap::values);
        maps.flatten().filter_map(|number| self.all.get(number))
    }

    /// Orders that ended after `at`, newest first.
    pub(super) fn closed_after(&self, at: Timestamp) -> impl Iterator<Item = &Order> {
        let young = self.closed.iter().rev().take_while(move |(closed_at, _)| at < *closed_at);
        young.filter_map(|(_, number)| self.all.get(number))
    }

    pub(super) fn forget_closed_before(&mut self, before: Timestamp) {
        while let Some((closed_at, number)) = self.closed.front().copied() {
            if before <= closed_at {
                break;
            }
            self.closed.pop_front();
            let Some(order) = self.all.remove(&number) else { continue };
            let Some(id) = order.draft.client_id else { continue };
            let key = (order.draft.account, id);
            if let Some(numbers) = self.by_client.get_mut(&key) {
                numbers.retain(|other| *other != number);
                if numbers.is_empty() {
                    self.by_client.remove(&key);
                }
            }
        }
    }
}
