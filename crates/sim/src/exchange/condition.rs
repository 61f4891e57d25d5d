//! What some orders are beside plain ones: what they wait for, the list that they belong to.
//!
//! Plain orders leave no trace here, and cost no more for it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use rust_decimal::Decimal;
use tranche_model::{
    client_order_id::ClientOrderId,
    decimal,
    ids::{InstrumentId, VenueOrderId},
    money::{Price, Qty},
    order::{OrderStatus, Side},
    time::Timestamp,
};

use super::{
    Exchange,
    lists::{List, ListNo, ListReport},
    order::{Number, Order},
};

/// Basis points in one.
const BASIS_POINTS: u32 = 10_000;

/// What an order waits for before it goes to work: a price of the last trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trigger {
    pub kind: TriggerKind,
    /// Where it goes to work; with a trailing distance, where the trailing begins.
    pub price: Option<Price>,
    /// How far the price has to turn back from its best, in basis points.
    pub trailing: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerKind {
    StopLoss,
    TakeProfit,
}

/// How far an order has come that does not go to work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for another order to be filled; holds nothing.
    Pending,
    /// Waits for its trigger.
    Waiting,
    Working,
}

/// What is special about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    pub trigger: Option<Trigger>,
    pub list: Option<ListNo>,
    pub stage: Stage,
    /// When its trailing began.
    pub trails_since: Option<Timestamp>,
    pub amends: u32,
    /// Since then the highest price for a sale, the lowest for a buy.
    pub(super) best: Option<Price>,
    /// Its place among orders of the same price, when it came to the book later than it was placed.
    pub(super) ticket: Option<Number>,
}

/// Why an order ended that did nothing for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The other order of its pair went to work, or expired.
    OcoTriggered,
    /// The order that it waited for ended without being filled.
    WorkingEnded,
    /// When its turn came, a rule or want of funds forbade it.
    Rejected,
    /// It was made no larger than what it had traded.
    Amended,
}

/// What the events alone do not tell. Each stands before the event of its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// An order is special, or in another way than before.
    Condition {
        id: VenueOrderId,
        condition: Condition,
    },
    /// Its quantity, and perhaps its client id, change with its next event.
    Amended {
        id: VenueOrderId,
        former: (ClientOrderId, Qty),
    },
    Ended {
        id: VenueOrderId,
        why: Ending,
    },
    List(ListReport),
}

/// Everything about orders that are not plain.
#[derive(Debug, Clone, Default)]
pub(super) struct Special {
    pub(super) conditions: BTreeMap<Number, Condition>,
    pub(super) lists: BTreeMap<ListNo, List>,
    pub(super) last_list: u64,
    /// Lists whose first order was filled.
    pub(super) due: VecDeque<ListNo>,
    /// Places in books that are not the number of their order.
    tickets: BTreeMap<Number, Number>,
    /// With the number of events before them.
    notes: Vec<(usize, Note)>,
}

/// Orders of one instrument that wait for its price.
#[derive(Debug, Clone, Default)]
pub(super) struct Stops {
    above: BTreeSet<(Price, Number)>,
    below: BTreeSet<(Reverse<Price>, Number)>,
    trailing: BTreeSet<Number>,
}

impl Trigger {
    /// Whether the price has to rise to it.
    pub const fn is_above(self, side: Side) -> bool {
        match (self.kind, side) {
            (TriggerKind::StopLoss, Side::Buy) | (TriggerKind::TakeProfit, Side::Sell) => true,
            (TriggerKind::StopLoss, Side::Sell) | (TriggerKind::TakeProfit, Side::Buy) => false,
        }
    }

    /// Whether its price is reached; always without one.
    pub(super) fn is_reached(self, side: Side, last: Price) -> bool {
        self.price.is_none_or(
            |price| {
                if self.is_above(side) { price <= last } else { last <= price }
            },
        )
    }
}

impl Condition {
    pub(super) const PLAIN: Self = Self {
        trigger: None,
        list: None,
        stage: Stage::Working,
        trails_since: None,
        amends: 0,
        best: None,
        ticket: None,
    };

    pub(super) fn with_ticket(self, ticket: Number) -> Self {
        Self { ticket: Some(ticket), ..self }
    }

    /// Follows the price; whether it turned back far enough, and whether the trailing begins.
    fn follow(&mut self, side: Side, last: Price, now: Timestamp) -> (bool, bool) {
        let Some((trigger, delta)) = self.trigger.and_then(|it| Some((it, it.trailing?))) else {
            return (false, false);
        };
        let Some(best) = self.best else {
            let begins = trigger.is_reached(side, last);
            if begins {
                (self.best, self.trails_since) = (Some(last), Some(now));
            }
            return (false, begins);
        };
        let is_better = match side {
            Side::Buy => last < best,
            Side::Sell => best < last,
        };
        if is_better {
            self.best = Some(last);
            return (false, false);
        }
        (has_turned(side, best, last, delta), false)
    }

    /// Begins to trail at the price of its placing.
    pub(super) fn begin(&mut self, last: Option<Price>, now: Timestamp) {
        let trails = self.trigger.is_some_and(|it| it.trailing.is_some() && it.price.is_none());
        if trails && last.is_some() {
            (self.best, self.trails_since) = (last, Some(now));
        }
    }
}

/// Whether the price is `delta` basis points worse than the best; exact.
fn has_turned(side: Side, best: Price, last: Price, delta: u32) -> bool {
    let whole = decimal::mul(last.get(), Decimal::from(BASIS_POINTS));
    let share = match side {
        Side::Buy => BASIS_POINTS.saturating_add(delta),
        Side::Sell => BASIS_POINTS.saturating_sub(delta),
    };
    let bound = decimal::mul(best.get(), Decimal::from(share));
    match (whole, bound, side) {
        (Ok(whole), Ok(bound), Side::Buy) => bound <= whole,
        (Ok(whole), Ok(bound), Side::Sell) => whole <= bound,
        (Err(_), _, _) | (_, Err(_), _) => false,
    }
}

impl Stops {
    pub(super) fn is_empty(&self) -> bool {
        self.above.is_empty() && self.below.is_empty() && self.trailing.is_empty()
    }

    pub(super) fn insert(&mut self, number: Number, side: Side, trigger: Trigger) {
        match (trigger.trailing, trigger.price) {
            (Some(_), _) | (None, None) => self.trailing.insert(number),
            (None, Some(price)) if trigger.is_above(side) => self.above.insert((price, number)),
            (None, Some(price)) => self.below.insert((Reverse(price), number)),
        };
    }

    pub(super) fn remove(&mut self, number: Number, side: Side, trigger: Trigger) {
        match (trigger.trailing, trigger.price) {
            (Some(_), _) | (None, None) => self.trailing.remove(&number),
            (None, Some(price)) if trigger.is_above(side) => self.above.remove(&(price, number)),
            (None, Some(price)) => self.below.remove(&(Reverse(price), number)),
        };
    }

    /// Orders whose price is reached; those that trail see to themselves.
    fn reached(&self, last: Price) -> Vec<Number> {
        let above = self.above.iter().take_while(|(price, _)| *price <= last);
        let below = self.below.iter().take_while(|(Reverse(price), _)| last <= *price);
        above.map(|(_, number)| *number).chain(below.map(|(_, number)| *number)).collect()
    }

    #[cfg(test)]
    pub(super) fn numbers(&self) -> Vec<Number> {
        let above = self.above.iter().map(|(_, number)| *number);
        let below = self.below.iter().map(|(_, number)| *number);
        above.chain(below).chain(self.trailing.iter().copied()).collect()
    }

    /// The nearest prices below and above at which something may go to work.
    pub(super) fn nearest(&self, last: Option<Price>) -> (Option<Price>, Option<Price>) {
        if !self.trailing.is_empty() {
            return (last, last);
        }
        let below = self.below.first().map(|(Reverse(price), _)| *price);
        (below, self.above.first().map(|(price, _)| *price))
    }
}

impl Exchange {
    /// What the events since the last time do not tell, each with the number of events before it. To
    /// be taken together with [`Exchange::take_events`].
    pub fn take_notes(&mut self) -> Vec<(usize, Note)> {
        std::mem::take(&mut self.special.notes)
    }

    /// What is special about an order; `None` for a plain one.
    pub fn special_of(&self, id: VenueOrderId) -> Option<Condition> {
        self.condition(Number::try_from(id.get()).ok()?)
    }

    pub(super) fn note(&mut self, note: Note) {
        self.special.notes.push((self.events.len(), note));
    }

    /// Notes what is special about an order, for the event that follows.
    pub(super) fn set_condition(&mut self, order: &Order, condition: Condition) {
        self.special.conditions.insert(order.number, condition);
        self.note(Note::Condition { id: order.venue_id(), condition });
    }

    pub(super) fn condition(&self, number: Number) -> Option<Condition> {
        if self.special.conditions.is_empty() {
            return None;
        }
        self.special.conditions.get(&number).copied()
    }

    /// The market traded: triggers go off, in the order in which their orders came.
    pub(super) fn pull_triggers(&mut self, instrument: InstrumentId, last: Price, now: Timestamp) {
        let Some(market) = self.market(instrument) else { return };
        let mut due = market.stops.reached(last);
        let trailing: Vec<Number> = market.stops.trailing.iter().copied().collect();
        due.extend(trailing.into_iter().filter(|number| self.follow(*number, last, now)));
        due.sort_unstable();
        for number in due {
            self.set_off(number, now);
        }
    }

    /// Whether an order that trails goes off.
    fn follow(&mut self, number: Number, last: Price, now: Timestamp) -> bool {
        let Some(order) = self.orders.get(number).copied() else { return false };
        let Some(mut condition) = self.condition(number) else { return false };
        let (goes_off, begins) = condition.follow(order.draft.side, last, now);
        if begins {
            self.set_condition(&order, condition);
        } else {
            self.special.conditions.insert(number, condition);
        }
        goes_off
    }

    /// Lets an order wait for its trigger.
    pub(super) fn await_trigger(&mut self, order: &Order, trigger: Trigger) {
        let side = order.draft.side;
        if let Some(market) = self.market_mut(order.draft.instrument) {
            market.stops.insert(order.number, side, trigger);
        }
    }

    /// An order waits no more for its trigger.
    pub(super) fn forget_trigger(&mut self, order: &Order) {
        let Some(trigger) = self.condition(order.number).and_then(|it| it.trigger) else { return };
        let side = order.draft.side;
        if let Some(market) = self.market_mut(order.draft.instrument) {
            market.stops.remove(order.number, side, trigger);
        }
    }

    /// A trigger went off: the order goes to work, behind those that already wait in the book.
    fn set_off(&mut self, number: Number, now: Timestamp) {
        let Some(order) = self.orders.get(number).copied().filter(Order::is_open) else { return };
        let Some(condition) = self.condition(number) else { return };
        self.forget_trigger(&order);
        self.take_over(number, now);
        self.go_to_work(number, condition, now);
    }

    /// An order that has waited goes to work, if the rules and its account allow it.
    pub(super) fn go_to_work(&mut self, number: Number, condition: Condition, now: Timestamp) {
        let Some(order) = self.orders.get(number).copied() else { return };
        let checked = self.check_for_work(&order.draft).ok();
        let Some(checked) = checked.filter(|checked| self.relock(number, checked.lock)) else {
            self.close_for(number, OrderStatus::Expired, Some(Ending::Rejected), now);
            return;
        };
        let Some(mut order) = self.orders.get(number).copied() else { return };
        let ticket = Some(self.orders.next_ticket());
        self.set_condition(&order, Condition { stage: Stage::Working, ticket, ..condition });
        order.reserve = checked.reserve;
        order.updated_at = now;
        self.orders.put(order);
        self.tell_order(&order);
        self.tell_lock(&order);
        self.carry_out(&order, &checked.plan, now);
        self.finish(number, &checked.plan, now);
    }

    /// Puts an order in the book, behind those of its price.
    pub(super) fn enqueue(&mut self, order: &Order, price: Price) {
        let ticket = self.condition(order.number).and_then(|condition| condition.ticket);
        let place = ticket.unwrap_or(order.number);
        if let Some(ticket) = ticket {
            self.special.tickets.insert(ticket, order.number);
        }
        if let Some(market) = self.market_mut(order.draft.instrument) {
            market.book.insert(order.draft.side, price, place);
        }
    }

    pub(super) fn dequeue(&mut self, order: &Order, price: Price) {
        let ticket = self.condition(order.number).and_then(|condition| condition.ticket);
        if let Some(ticket) = ticket {
            self.special.tickets.remove(&ticket);
        }
        if let Some(market) = self.market_mut(order.draft.instrument) {
            market.book.remove(order.draft.side, price, ticket.unwrap_or(order.number));
        }
    }

    /// The order at a place of a book.
    pub(super) fn at_place(&self, place: Number) -> Number {
        if self.special.tickets.is_empty() {
            return place;
        }
        self.special.tickets.get(&place).copied().unwrap_or(place)
    }

    /// Forgets what was special about orders that are forgotten.
    pub(super) fn forget_conditions(&mut self) {
        if self.special.conditions.is_empty() {
            return;
        }
        let orders = &self.orders;
        self.special.conditions.retain(|number, _| orders.get(*number).is_some());
        let is_known = |list: &List| list.orders.iter().any(|it| orders.get(*it).is_some());
        self.special.lists.retain(|_, list| is_known(list));
    }
}
