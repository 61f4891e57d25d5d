//! One account as the exchange's own books have it.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    decimal::MathError,
    fill::Fill,
    ids::{BotId, DealNo},
    money::Qty,
    order::{OrderKind, Side},
    time::Timestamp,
};

use super::model::{Broken, Checked, View, hold};
use crate::memory::Stored;

type DealKey = (BotId, DealNo);

/// The exchange's books of one account: what carries our ids.
pub(super) struct Venue {
    pub(super) open: BTreeMap<ClientOrderId, (Side, OrderKind, Qty)>,
    pub(super) fills: Vec<Fill>,
    by_deal: BTreeMap<DealKey, Vec<Fill>>,
}

impl Venue {
    pub(super) fn read(view: &View<'_>) -> Result<Self, Broken> {
        let id = view.account.desk.id;
        let mut fills = Vec::new();
        for instrument in view.exchange.instruments() {
            let trades = view.exchange.trades(id, instrument.id, Timestamp::MIN);
            fills.extend(trades.into_iter().filter(|fill| fill.client_id.is_some()));
        }
        let mut by_deal: BTreeMap<DealKey, Vec<Fill>> = BTreeMap::new();
        for fill in &fills {
            if let Some(key) = fill.client_id.map(ClientOrderId::key) {
                by_deal.entry((key.bot, key.deal)).or_default().push(*fill);
            }
        }
        let mut open = BTreeMap::new();
        for order in view.exchange.open_orders(id) {
            let leaves = order.kind.qty().unwrap_or_default().minus_floored(order.executed)?;
            open.insert(order.client_id, (order.side, order.kind, leaves));
        }
        Ok(Self { open, fills, by_deal })
    }

    /// At most one order ever under an id, and an intent for each.
    pub(super) fn check_ids(&self, view: &View<'_>, stored: &Stored) -> Checked {
        let id = view.account.desk.id;
        let mut intents = BTreeSet::new();
        for row in &stored.intents {
            let client_id = row.request.client_id;
            hold(intents.insert(client_id), "I-01", || format!("two intents with {client_id}"))?;
            let orders = view.exchange.orders_with_id(id, client_id).len();
            hold(orders <= 1, "I-01", || format!("{orders} orders with {client_id}"))?;
        }
        let filled = self.fills.iter().filter_map(|fill| fill.client_id);
        for client_id in self.open.keys().copied().chain(filled) {
            hold(intents.contains(&client_id), "I-02", || format!("no intent for {client_id}"))?;
        }
        Ok(())
    }

    /// One live order per slot.
    pub(super) fn check_slots(&self) -> Checked {
        let mut slots = BTreeSet::new();
        for client_id in self.open.keys() {
            let key = client_id.key();
            hold(slots.insert((key.bot, key.deal, key.slot)), "I-10", || {
                format!("two live orders in {key:?}")
            })?;
        }
        Ok(())
    }

    pub(super) fn fills_of(&self, key: DealKey) -> &[Fill] {
        self.by_deal.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Base units that the deal holds by the exchange's books.
    pub(super) fn held(&self, key: DealKey, base: Asset) -> Result<Qty, MathError> {
        let mut held = Qty::ZERO;
        for fill in self.fills_of(key) {
            held = match fill.side {
                Side::Buy => held.plus(fill.qty)?,
                Side::Sell => held.minus(fill.qty)?,
            };
            if fill.fee.asset == base {
                held = held.minus(fill.fee.amount.qty())?;
            }
        }
        Ok(held)
    }

    pub(super) fn selling(&self, key: DealKey) -> Result<Qty, MathError> {
        let of_deal = self.open.iter().filter(|(id, _)| (id.key().bot, id.key().deal) == key);
        let mut sales = of_deal.filter(|(_, (side, ..))| *side == Side::Sell);
        sales.try_fold(Qty::ZERO, |sum, (_, (_, _, leaves))| sum.plus(*leaves))
    }
}
