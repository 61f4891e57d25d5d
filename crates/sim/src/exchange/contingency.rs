//! What follows in a list from the end or the fill of one of its orders.

use tranche_model::{
    money::Amount,
    order::{OrderRequest, OrderStatus},
    time::Timestamp,
};

use super::{
    Exchange,
    check::Facts,
    condition::{Condition, Ending, Note, Stage},
    ledger::Entry,
    lists::{Leg, ListChange, ListNo},
    order::{Draft, Number, Order},
};

impl Exchange {
    /// The other order of a pair ends, and its lock goes to this one, before this one trades.
    pub(super) fn take_over(&mut self, number: Number, now: Timestamp) {
        let Some(list_no) = self.condition(number).and_then(|condition| condition.list) else {
            return;
        };
        let Some(list) = self.special.lists.get_mut(&list_no) else { return };
        let Some(other) = list.other(number) else { return };
        list.pair = None;
        let (Some(mut own), Some(mut other)) =
            (self.orders.get(number).copied(), self.orders.get(other).copied())
        else {
            return;
        };
        if let Ok(sum) = own.locked.plus(other.locked) {
            (own.locked, other.locked) = (sum, Amount::ZERO);
            self.orders.put(own);
            self.orders.put(other);
        }
        self.close_for(other.number, OrderStatus::Expired, Some(Ending::OcoTriggered), now);
        let trigger = self.condition(number).and_then(|condition| condition.trigger);
        if let Ok(needed) = self.needed_waiting(&own.draft, trigger) {
            self.relock(number, needed);
            self.tell_lock(&own);
        }
    }

    /// An order ended: so do those that hang on it, or their turn comes.
    pub(super) fn after_end(&mut self, order: &Order, now: Timestamp) {
        let Some(list_no) = self.condition(order.number).and_then(|condition| condition.list)
        else {
            return;
        };
        let Some(list) = self.special.lists.get_mut(&list_no) else { return };
        let is_filled = order.status == OrderStatus::Filled;
        if is_filled && list.working == Some(order.number) {
            list.working = None;
            self.special.due.push_back(list_no);
            return;
        }
        let (others, why) = if list.working.take().is_some() {
            (list.orders.clone(), Ending::WorkingEnded)
        } else {
            let other = list.other(order.number);
            list.pair = None;
            (other.into_iter().collect(), Ending::OcoTriggered)
        };
        let (status, why) = if order.status == OrderStatus::Cancelled {
            (OrderStatus::Cancelled, None)
        } else {
            (OrderStatus::Expired, Some(why))
        };
        for other in others {
            self.close_for(other, status, why, now);
        }
        self.end_list(list_no, now);
    }

    fn end_list(&mut self, number: ListNo, now: Timestamp) {
        let orders = &self.orders;
        let Some(list) = self.special.lists.get_mut(&number) else { return };
        let is_open = |number: &Number| orders.get(*number).is_some_and(Order::is_open);
        if list.is_done || list.orders.iter().any(is_open) {
            return;
        }
        list.is_done = true;
        let report = list.report(ListChange::Done, now);
        self.note(Note::List(report));
    }

    /// Places what waited for a fill.
    pub(super) fn follow_up(&mut self, now: Timestamp) {
        while let Some(number) = self.special.due.pop_front() {
            let Some(list) = self.special.lists.get(&number) else { continue };
            let open = |number: &&Number| self.orders.get(**number).is_some_and(Order::is_open);
            let pending: Vec<Number> = list.orders.iter().filter(open).copied().collect();
            match pending.as_slice() {
                [one] => self.activate(*one, now),
                [one, two] => self.activate_pair(number, [*one, *two], now),
                _ => {}
            }
            let list = self.special.lists.get(&number).filter(|list| !list.is_done);
            if let Some(report) = list.map(|list| list.report(ListChange::Started, now)) {
                self.note(Note::List(report));
            }
        }
    }

    fn activate(&mut self, number: Number, now: Timestamp) {
        let (Some(order), Some(mut condition)) =
            (self.orders.get(number).copied(), self.condition(number))
        else {
            return;
        };
        let Some(trigger) = condition.trigger else {
            self.go_to_work(number, condition, now);
            return;
        };
        let facts = Facts { trigger: Some(trigger), is_open: true, ..Facts::default() };
        let lock = self.check_waiting(&order.draft, &facts).ok();
        if !lock.is_some_and(|lock| self.relock(number, lock)) {
            self.close_for(number, OrderStatus::Expired, Some(Ending::Rejected), now);
            return;
        }
        condition.stage = Stage::Waiting;
        condition.begin(self.last_price(order.draft.instrument), now);
        self.bring_in(number, condition, now);
    }

    fn activate_pair(&mut self, list: ListNo, numbers: [Number; 2], now: Timestamp) {
        let [one, two] = numbers;
        if !self.try_pair(list, numbers, now) {
            for number in [one, two] {
                self.close_for(number, OrderStatus::Expired, Some(Ending::Rejected), now);
            }
        }
    }

    fn try_pair(&mut self, list: ListNo, numbers: [Number; 2], now: Timestamp) -> bool {
        let [Some(first), Some(second)] = numbers.map(|number| self.leg_of(number)) else {
            return false;
        };
        let account = self.special.lists.get(&list).map(|list| list.account);
        let Some(account) = account else { return false };
        let facts = Facts { is_open: true, ..Facts::default() };
        let Ok(pair) = self.check_pair(account, &[first, second], &facts) else { return false };
        let [one, _] = numbers;
        if !self.relock(one, pair.lock) {
            return false;
        }
        if let Some(list) = self.special.lists.get_mut(&list) {
            list.pair = Some(numbers);
        }
        for number in numbers {
            let Some(mut condition) = self.condition(number) else { continue };
            let Some(order) = self.orders.get(number).copied() else { continue };
            condition.stage =
                if condition.trigger.is_some() { Stage::Waiting } else { Stage::Working };
            condition.begin(self.last_price(order.draft.instrument), now);
            self.bring_in(number, condition, now);
        }
        true
    }

    fn leg_of(&self, number: Number) -> Option<Leg> {
        let Draft { client_id, instrument, side, kind, .. } = self.orders.get(number)?.draft;
        let request = OrderRequest { client_id: client_id?, instrument, side, kind };
        Some(Leg { request, trigger: self.condition(number)?.trigger })
    }

    /// A pending order that was paid for takes its place, behind those that are there.
    fn bring_in(&mut self, number: Number, condition: Condition, now: Timestamp) {
        let Some(mut order) = self.orders.get(number).copied() else { return };
        let ticket = self.orders.next_ticket();
        self.set_condition(&order, condition.with_ticket(ticket));
        order.updated_at = now;
        self.orders.put(order);
        self.tell_order(&order);
        self.tell_lock(&order);
        self.await_or_rest(&order);
    }

    /// Makes an open order hold this much; `false` when its account has not enough.
    pub(super) fn relock(&mut self, number: Number, needed: Amount) -> bool {
        let Some(mut order) = self.orders.get(number).copied().filter(Order::is_open) else {
            return false;
        };
        let (Ok(asset), Ok(more)) = (self.asset_of(&order.draft), needed.minus(order.locked))
        else {
            return false;
        };
        let moved = self.ledger.post(&[Entry::lock(order.draft.account, asset, more)]);
        if moved.is_err() {
            return false;
        }
        order.locked = needed;
        self.orders.put(order);
        true
    }

    pub(super) fn tell_lock(&mut self, order: &Order) {
        if let Ok(asset) = self.asset_of(&order.draft) {
            self.tell_balances(order.draft.account, &[asset]);
        }
    }

    /// Tells that an order of a list has another client id.
    pub(super) fn tell_renamed(&mut self, number: ListNo, now: Timestamp) {
        let report = self.special.lists.get(&number);
        let report = report.map(|list| list.report(ListChange::Renamed, now));
        if let Some(report) = report {
            self.note(Note::List(report));
        }
    }

    /// The other order of a pair of which neither has gone to work.
    pub(super) fn partner(&self, number: Number) -> Option<Number> {
        let list = self.special.lists.get(&self.condition(number)?.list?)?;
        let working = list.working.filter(|working| *working != number);
        match (working, list.orders.as_slice()) {
            (Some(_), [_, one, two]) => Some(if *one == number { *two } else { *one }),
            (Some(_) | None, _) => list.other(number),
        }
    }
}
