//! Questions to the exchange; also as it stood some time ago, for a read that lags.

use tranche_model::{
    balance::Balance,
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{AccountId, InstrumentId},
    money::Price,
    order::{ForeignOrder, OrderReport, OrderRequest, Side},
    record::Refusal,
    time::Timestamp,
};

use super::{
    Exchange,
    condition::Trigger,
    order::{Draft, Order},
};

impl Exchange {
    /// The latest order with this id.
    pub fn order(&self, account: AccountId, id: ClientOrderId) -> Option<OrderReport> {
        self.orders.with_id(account, id).next_back().and_then(Order::report)
    }

    /// Every order that ever carried this id, oldest first.
    pub fn orders_with_id(&self, account: AccountId, id: ClientOrderId) -> Vec<OrderReport> {
        self.orders.with_id(account, id).filter_map(Order::report).collect()
    }

    /// Whether the exchange would take the order as things stand; it is not placed.
    pub fn would_take(&self, account: AccountId, request: &OrderRequest) -> Result<(), Refusal> {
        let OrderRequest { client_id, instrument, side, kind } = *request;
        let draft = Draft { account, client_id: Some(client_id), instrument, side, kind };
        self.check(&draft).map(|_| ())
    }

    /// The same for an order that waits for a trigger.
    pub fn would_take_stop(
        &self,
        account: AccountId,
        request: &OrderRequest,
        trigger: Trigger,
    ) -> Result<(), Refusal> {
        let OrderRequest { client_id, instrument, side, kind } = *request;
        let draft = Draft { account, client_id: Some(client_id), instrument, side, kind };
        self.check_stop(&draft, trigger).map(|_| ())
    }

    pub fn open_orders(&self, account: AccountId) -> Vec<OrderReport> {
        self.orders.open_of(account).filter_map(Order::report).collect()
    }

    /// Open orders that carry no id of ours.
    pub fn foreign_open_orders(&self, account: AccountId) -> Vec<ForeignOrder> {
        let foreign = self.orders.open_of(account).filter(|order| order.draft.client_id.is_none());
        foreign.map(Order::foreign).collect()
    }

    /// Executions from `since` on, oldest first.
    pub fn trades(
        &self,
        account: AccountId,
        instrument: InstrumentId,
        since: Timestamp,
    ) -> Vec<Fill> {
        let fills = self.fills_on(account, instrument);
        let from = fills.partition_point(|fill| fill.at < since);
        fills.iter().skip(from).copied().collect()
    }

    /// All that the account holds, also what has fallen to zero.
    pub fn balances(&self, account: AccountId) -> Vec<Balance> {
        self.ledger.balances(account)
    }

    /// The price of the last trade on the tape.
    pub fn last_price(&self, instrument: InstrumentId) -> Option<Price> {
        self.market(instrument).and_then(|market| market.last)
    }

    /// The highest price on the tape from the minute of `since` on.
    pub fn high_since(&self, instrument: InstrumentId, since: Timestamp) -> Option<Price> {
        self.market(instrument).and_then(|market| market.high_since(since))
    }

    /// The highest resting buy and the lowest resting sale, or the triggers before them: between them
    /// no tick does anything.
    pub fn nearest(&self, instrument: InstrumentId) -> (Option<Price>, Option<Price>) {
        let Some(market) = self.market(instrument) else { return (None, None) };
        let best = |side| market.book.best(side).map(|(price, _)| price);
        let (bid, ask) = (best(Side::Buy), best(Side::Sell));
        if market.stops.is_empty() {
            return (bid, ask);
        }
        let (below, above) = market.stops.nearest(market.last);
        (bid.max(below), ask.into_iter().chain(above).min())
    }

    /// The latest order with this id as it stood at `at`.
    pub fn order_as_of(
        &self,
        account: AccountId,
        id: ClientOrderId,
        at: Timestamp,
    ) -> Option<OrderReport> {
        let orders = self.orders.with_id(account, id).rev();
        orders.filter_map(|order| self.past(order, at)).find_map(|order| order.report())
    }

    /// The orders that were open at `at`: own ones and those by hand.
    pub fn open_orders_as_of(
        &self,
        account: AccountId,
        at: Timestamp,
    ) -> (Vec<OrderReport>, Vec<ForeignOrder>) {
        let ended = self.orders.closed_after(at).filter(|order| order.draft.account == account);
        let mut past: Vec<Order> = self
            .orders
            .open_of(account)
            .chain(ended)
            .filter_map(|order| self.past(order, at))
            .filter(Order::is_open)
            .collect();
        past.sort_by_key(|order| (order.draft.instrument, order.number));
        let own = past.iter().filter_map(Order::report).collect();
        let by_hand = past.iter().filter(|order| order.draft.client_id.is_none());
        (own, by_hand.map(Order::foreign).collect())
    }

    fn past(&self, order: &Order, at: Timestamp) -> Option<Order> {
        let fills = self.fills_on(order.draft.account, order.draft.instrument);
        let young = fills.partition_point(|fill| fill.at < order.placed_at);
        order.as_of(at, fills.get(young..).unwrap_or_default())
    }

    fn fills_on(&self, account: AccountId, instrument: InstrumentId) -> &[Fill] {
        self.fills.get(&(account, instrument)).map(Vec::as_slice).unwrap_or_default()
    }
}
