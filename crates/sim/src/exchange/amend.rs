//! Making an open order smaller, in its place.
//!
//! Binance spot API documents, FAQ "Order Amend Keep Priority" (2026-07-21). That an order ends which
//! is made no larger than what it has traded follows from the weights of the request; its status then
//! is not documented.

use tranche_model::{
    client_order_id::ClientOrderId,
    filter::Rule,
    ids::{AccountId, VenueOrderId},
    money::{Amount, Qty},
    order::{OrderKind, OrderReport, OrderStatus, Size},
    record::{Refusal, RefusalReason},
    time::Timestamp,
};

use super::{
    Exchange,
    check::{Facts, not_amended, too_many_digits, unknown_order},
    condition::{Condition, Ending, Note, Stage},
    order::{Draft, Number, Order},
};

/// What an order becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    /// Less than it is, in base units.
    pub qty: Qty,
    pub client_id: ClientOrderId,
}

impl Exchange {
    /// Makes an open order smaller; it keeps its place. The other order of a pair shrinks with it.
    pub fn amend(
        &mut self,
        account: AccountId,
        id: VenueOrderId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<OrderReport, Refusal> {
        let order = self.open_number(account, id)?.ok_or_else(unknown_order)?;
        self.check_amendment(&order, amendment)?;
        if amendment.qty <= order.executed {
            self.close_for(order.number, OrderStatus::Expired, Some(Ending::Amended), now);
        } else {
            let other = self.partner(order.number);
            self.shrink(&order, amendment, now);
            let other = other.and_then(|other| self.orders.get(other).copied());
            if let Some((other, client_id)) = other.and_then(|it| Some((it, it.draft.client_id?))) {
                self.shrink(&other, Amendment { client_id, ..amendment }, now);
            }
            self.relock_amended(order.number);
            self.tell_lock(&order);
            let list = self.condition(order.number).and_then(|condition| condition.list);
            if let Some(list) = list.filter(|_| order.draft.client_id != Some(amendment.client_id))
            {
                self.tell_renamed(list, now);
            }
        }
        let order = self.orders.get(order.number).and_then(Order::report);
        order.ok_or_else(unknown_order)
    }

    fn check_amendment(&self, order: &Order, amendment: Amendment) -> Result<(), Refusal> {
        let draft = with_qty(order.draft, amendment);
        let former = order.draft.kind.qty().ok_or_else(unknown_order)?;
        if amendment.qty == former {
            return Err(not_amended("The requested action would change no state; rejecting."));
        }
        if former < amendment.qty {
            return Err(not_amended("Order amend (quantity increase) is not supported."));
        }
        let condition = self.condition(order.number).unwrap_or(Condition::PLAIN);
        let facts = Facts {
            trigger: condition.trigger,
            is_open: true,
            amends: condition.amends.saturating_add(1),
            ..Facts::default()
        };
        self.check_rules(&draft, &facts, None).map_err(|refusal| match refusal.reason {
            RefusalReason::Rule(Rule::MaxNumOrderAmends) => Refusal { code: -2038, ..refusal },
            RefusalReason::Rule(_)
            | RefusalReason::InsufficientFunds
            | RefusalReason::WouldTrade
            | RefusalReason::MarketClosed
            | RefusalReason::DuplicateId
            | RefusalReason::Key
            | RefusalReason::Other => refusal,
        })?;
        if order.draft.client_id == Some(amendment.client_id) {
            return Ok(());
        }
        self.check_unique(&draft)
    }

    fn shrink(&mut self, order: &Order, amendment: Amendment, now: Timestamp) {
        let Some(former) = order.draft.client_id.zip(order.draft.kind.qty()) else { return };
        let Some(mut order) = self.orders.get(order.number).copied() else { return };
        let condition = self.condition(order.number).unwrap_or(Condition::PLAIN);
        let amends = condition.amends.saturating_add(1);
        self.set_condition(&order, Condition { amends, ..condition });
        self.note(Note::Amended { id: order.venue_id(), former });
        order.draft = with_qty(order.draft, amendment);
        order.updated_at = now;
        self.orders.rename(order, former.0);
        self.tell_order(&order);
    }

    /// The order, or the pair, holds no more than it needs now.
    fn relock_amended(&mut self, number: Number) {
        let numbers: Vec<Number> =
            [Some(number), self.partner(number)].into_iter().flatten().collect();
        let needed = numbers.iter().filter_map(|number| self.needed_now(*number).ok());
        let Some(needed) = needed.max() else { return };
        let holds = |order: &&Order| order.locked.is_positive();
        let bearer = numbers.iter().filter_map(|number| self.orders.get(*number)).find(holds);
        // What a buy at market is reckoned to need may have risen with the price since.
        let bearer = bearer.map(|order| (order.number, order.locked.min(needed)));
        if let Some((bearer, needed)) = bearer {
            let is_held = self.relock(bearer, needed);
            debug_assert!(is_held, "a smaller order needs more");
        }
    }

    fn needed_now(&self, number: Number) -> Result<Amount, Refusal> {
        let order = self.orders.get(number).ok_or_else(unknown_order)?;
        let remaining = order.remaining().map_err(too_many_digits)?;
        let left = Amendment {
            qty: remaining,
            client_id: order.draft.client_id.ok_or_else(unknown_order)?,
        };
        let condition = self.condition(number).unwrap_or(Condition::PLAIN);
        if condition.stage == Stage::Pending {
            return Ok(Amount::ZERO);
        }
        let draft = with_qty(order.draft, left);
        self.needed_waiting(&draft, condition.trigger).map_err(too_many_digits)
    }
}

fn with_qty(draft: Draft, amendment: Amendment) -> Draft {
    let Amendment { qty, client_id } = amendment;
    let kind = match draft.kind {
        OrderKind::Market { .. } => OrderKind::Market { size: Size::Base(qty) },
        OrderKind::Limit { price, time_in_force, .. } => {
            OrderKind::Limit { price, qty, time_in_force }
        }
        OrderKind::LimitMaker { price, .. } => OrderKind::LimitMaker { price, qty },
    };
    Draft { kind, client_id: Some(client_id), ..draft }
}
