//! The matching engine: takes orders in, carries out their plans, ends them.

use tranche_model::{
    client_order_id::ClientOrderId,
    fill::{Fill, Liquidity},
    ids::{AccountId, InstrumentId, VenueOrderId},
    money::Amount,
    order::{ForeignOrder, OrderKind, OrderReport, OrderRequest, OrderStatus, Side},
    record::Refusal,
    time::Timestamp,
};

use super::{
    Exchange,
    check::{Checked, Facts, bad_combination, bad_key, locked_asset, poor, unknown_order},
    condition::{Condition, Ending, Note, Stage, Trigger},
    ledger::Entry,
    order::{Draft, Number, Order},
    plan::{Plan, Step, Stop},
    settle::Execution,
};

/// An order that the exchange took, as it stands after it traded what it could at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub report: OrderReport,
    pub fills: Vec<Fill>,
}

/// An order by hand: it carries no id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hand {
    pub instrument: InstrumentId,
    pub side: Side,
    pub kind: OrderKind,
}

/// The outcome of an order by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandPlaced {
    pub order: ForeignOrder,
    pub status: OrderStatus,
    pub fills: Vec<Fill>,
}

impl Exchange {
    /// Takes an order at once, whatever the latency is.
    pub fn place(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        now: Timestamp,
    ) -> Result<Placed, Refusal> {
        let OrderRequest { client_id, instrument, side, kind } = *request;
        let draft = Draft { account, client_id: Some(client_id), instrument, side, kind };
        let (order, fills) = self.take_in(draft, now)?;
        let report = order.report().ok_or_else(unknown_order)?;
        Ok(Placed { report, fills })
    }

    /// Takes an order that goes to work when the market trades at its trigger.
    pub fn place_stop(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<OrderReport, Refusal> {
        let OrderRequest { client_id, instrument, side, kind } = *request;
        let draft = Draft { account, client_id: Some(client_id), instrument, side, kind };
        let lock = self.check_stop(&draft, trigger)?;
        let asset = self.instruments.get(instrument).map(|it| locked_asset(it, side));
        let asset = asset.ok_or_else(poor)?;
        self.ledger.post(&[Entry::lock(account, asset, lock)]).map_err(|_| poor())?;
        let order = self.orders.add(draft, lock, self.reserve_of(&draft), now);
        let mut condition =
            Condition { trigger: Some(trigger), stage: Stage::Waiting, ..Condition::PLAIN };
        condition.begin(self.last_price(instrument), now);
        self.set_condition(&order, condition);
        self.await_trigger(&order, trigger);
        self.tell_order(&order);
        self.tell_balances(account, &[asset]);
        order.report().ok_or_else(unknown_order)
    }

    /// All checks of an order that waits for a trigger; what it holds meanwhile.
    pub(super) fn check_stop(&self, draft: &Draft, trigger: Trigger) -> Result<Amount, Refusal> {
        let is_sized_in_quote = draft.kind.qty().is_none();
        let is_maker = matches!(draft.kind, OrderKind::LimitMaker { .. });
        let never = trigger.price.is_none() && trigger.trailing.is_none();
        if is_sized_in_quote || is_maker || never {
            return Err(bad_combination());
        }
        let facts = Facts { trigger: Some(trigger), ..Facts::default() };
        let lock = self.check_waiting(draft, &facts)?;
        let instrument = self.instruments.get(draft.instrument).ok_or_else(poor)?;
        let free = self.ledger.free(draft.account, locked_asset(instrument, draft.side));
        if free < lock { Err(poor()) } else { Ok(lock) }
    }

    /// Takes an order that a person places beside us.
    pub fn place_foreign(
        &mut self,
        account: AccountId,
        hand: Hand,
        now: Timestamp,
    ) -> Result<HandPlaced, Refusal> {
        let Hand { instrument, side, kind } = hand;
        let draft = Draft { account, client_id: None, instrument, side, kind };
        let (order, fills) = self.take_in(draft, now)?;
        Ok(HandPlaced { order: order.foreign(), status: order.status, fills })
    }

    /// Takes back the open order with this id.
    pub fn cancel(
        &mut self,
        account: AccountId,
        id: ClientOrderId,
        now: Timestamp,
    ) -> Result<OrderReport, Refusal> {
        self.known(account)?;
        let number = self.orders.open_with_id(account, id).map(|order| order.number);
        let order = self.cancel_number(number, now)?;
        order.report().ok_or_else(unknown_order)
    }

    /// Takes back the open order with the exchange's own number, if it carries an id of ours.
    pub fn cancel_by_venue_id(
        &mut self,
        account: AccountId,
        id: VenueOrderId,
        now: Timestamp,
    ) -> Result<OrderReport, Refusal> {
        let order = self.open_number(account, id)?.filter(|order| order.draft.client_id.is_some());
        let order = self.cancel_number(order.map(|order| order.number), now)?;
        order.report().ok_or_else(unknown_order)
    }

    /// A person takes back an order, theirs or ours.
    pub fn cancel_foreign(
        &mut self,
        account: AccountId,
        id: VenueOrderId,
        now: Timestamp,
    ) -> Result<ForeignOrder, Refusal> {
        let order = self.open_number(account, id)?;
        let order = self.cancel_number(order.map(|order| order.number), now)?;
        Ok(order.foreign())
    }

    /// An order expires, as the rule against trading with oneself does it.
    pub(crate) fn prevent(&mut self, account: AccountId, id: VenueOrderId, now: Timestamp) {
        if let Ok(Some(order)) = self.open_number(account, id) {
            self.close(order.number, OrderStatus::Expired, now);
        }
    }

    pub(super) fn open_number(
        &self,
        account: AccountId,
        id: VenueOrderId,
    ) -> Result<Option<Order>, Refusal> {
        self.known(account)?;
        let order = Number::try_from(id.get()).ok().and_then(|number| self.orders.get(number));
        Ok(order.filter(|order| order.draft.account == account && order.is_open()).copied())
    }

    pub(super) fn known(&self, account: AccountId) -> Result<(), Refusal> {
        if self.terms.contains_key(&account) { Ok(()) } else { Err(bad_key()) }
    }

    fn cancel_number(&mut self, number: Option<Number>, now: Timestamp) -> Result<Order, Refusal> {
        let number = number.ok_or_else(unknown_order)?;
        self.close(number, OrderStatus::Cancelled, now);
        self.orders.get(number).copied().ok_or_else(unknown_order)
    }

    fn take_in(&mut self, draft: Draft, now: Timestamp) -> Result<(Order, Vec<Fill>), Refusal> {
        let Checked { plan, lock, reserve } = self.check(&draft)?;
        let instrument = self.instruments.get(draft.instrument);
        let asset = instrument.map(|instrument| locked_asset(instrument, draft.side));
        let asset = asset.ok_or_else(poor)?;
        self.ledger.post(&[Entry::lock(draft.account, asset, lock)]).map_err(|_| poor())?;
        let order = self.orders.add(draft, lock, reserve, now);
        self.tell_order(&order);
        self.tell_balances(draft.account, &[asset]);

        let fills = self.carry_out(&order, &plan, now);
        self.finish(order.number, &plan, now);
        self.follow_up(now);
        let order = self.orders.get(order.number).copied().ok_or_else(unknown_order)?;
        Ok((order, fills))
    }

    pub(super) fn carry_out(&mut self, taker: &Order, plan: &Plan, now: Timestamp) -> Vec<Fill> {
        let mut fills = Vec::new();
        for step in &plan.steps {
            let execution = match *step {
                Step::ExpireMaker(number) => {
                    self.close(number, OrderStatus::Expired, now);
                    continue;
                }
                Step::Maker { number, price, qty } => {
                    self.take_over(number, now);
                    let maker =
                        Execution { number, price, qty, liquidity: Liquidity::Maker, at: now };
                    if self.execute(maker).is_none() {
                        continue;
                    }
                    Execution { number: taker.number, liquidity: Liquidity::Taker, ..maker }
                }
                Step::Tape { price, qty } => {
                    self.use_allowance(taker.draft.instrument, qty);
                    let (number, liquidity) = (taker.number, Liquidity::Taker);
                    Execution { number, price, qty, liquidity, at: now }
                }
            };
            match self.execute(execution) {
                Some(fill) => fills.push(fill),
                None => break,
            }
        }
        fills
    }

    /// Lets the rest of an order wait, or ends it.
    pub(super) fn finish(&mut self, number: Number, plan: &Plan, now: Timestamp) {
        let Some(order) = self.orders.get(number).copied() else { return };
        if !order.is_open() {
            return;
        }
        let is_sized_in_quote = order.draft.kind.qty().is_none();
        match order.price() {
            Some(price) if order.draft.kind.rests() && plan.stop != Stop::SelfTrade => {
                self.enqueue(&order, price);
            }
            None if is_sized_in_quote && plan.stop == Stop::Done && order.executed == plan.qty => {
                self.close(number, OrderStatus::Filled, now);
            }
            Some(_) | None => self.close(number, OrderStatus::Expired, now),
        }
    }

    /// Ends an open order: gives back what it holds and takes it out of the book.
    pub(super) fn close(&mut self, number: Number, status: OrderStatus, now: Timestamp) {
        self.close_for(number, status, None, now);
    }

    /// Ends an open order, for a reason that its kind does not tell.
    pub(super) fn close_for(
        &mut self,
        number: Number,
        status: OrderStatus,
        why: Option<Ending>,
        now: Timestamp,
    ) {
        let Some(mut order) = self.orders.get(number).copied().filter(Order::is_open) else {
            return;
        };
        let draft = order.draft;
        if let Some(price) = order.price() {
            self.dequeue(&order, price);
        }
        self.forget_trigger(&order);
        let instrument = self.instruments.get(draft.instrument);
        let asset = instrument.map(|instrument| locked_asset(instrument, draft.side));
        if let Some(asset) = asset {
            let release = super::ledger::negated(order.locked);
            let given_back = self.ledger.post(&[Entry::lock(draft.account, asset, release)]);
            debug_assert!(given_back.is_ok(), "a lock was lost");
            order.locked = Amount::ZERO;
        }
        order.status = status;
        order.updated_at = now;
        self.orders.put(order);
        if let Some(why) = why {
            self.note(Note::Ended { id: order.venue_id(), why });
        }
        self.tell_order(&order);
        self.tell_balances(draft.account, asset.as_slice());
        self.after_end(&order, now);
    }
}
