//! Order lists: pairs of which one order ends the other, and orders that wait for another's fill.
//!
//! Binance spot API documents, "Order lists" (2026-07-21). The orders of a pair share one lock, the
//! larger of what either needs: only one of them ever trades. An order that waits for another's fill
//! holds nothing until then.

use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{AccountId, InstrumentId, VenueOrderId},
    money::{Amount, Price},
    order::{OrderKind, OrderRequest, OrderStatus, Side},
    record::Refusal,
    time::Timestamp,
};

use super::{
    Exchange,
    check::{
        Checked, Facts, bad_combination, bad_prices, bad_symbol, duplicate, locked_asset, poor,
        unknown_order,
    },
    condition::{Condition, Note, Stage, Trigger, TriggerKind},
    ledger::Entry,
    order::{Draft, Number, Order},
};

/// The exchange's number of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListNo(u64);

/// An order of a list, with what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    pub request: OrderRequest,
    pub trigger: Option<Trigger>,
}

/// Which orders a list has, in the order in which they are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The first to go to work ends the other.
    Oco([Leg; 2]),
    /// The second is placed once the first is filled whole.
    Oto { working: OrderRequest, pending: Leg },
    /// A pair is placed once the first is filled whole.
    Otoco { working: OrderRequest, pending: [Leg; 2] },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRequest {
    pub client_id: ClientOrderId,
    pub shape: Shape,
}

/// What holds the orders of a list together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    Oco,
    Oto,
}

/// What happened to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListChange {
    /// It was placed, or its second part was.
    Started,
    /// One of its orders has another client id.
    Renamed,
    /// All its orders ended.
    Done,
}

/// What the exchange says of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListReport {
    pub number: ListNo,
    pub account: AccountId,
    pub instrument: InstrumentId,
    pub client_id: ClientOrderId,
    pub kind: ListKind,
    pub change: ListChange,
    pub orders: Vec<VenueOrderId>,
    pub at: Timestamp,
}

/// A list that was taken, with what its first order traded at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlaced {
    pub number: ListNo,
    pub fills: Vec<Fill>,
}

#[derive(Debug, Clone)]
pub(super) struct List {
    number: ListNo,
    pub(super) account: AccountId,
    pub(super) instrument: InstrumentId,
    client_id: ClientOrderId,
    pub(super) kind: ListKind,
    pub(super) orders: Vec<Number>,
    /// The order that the others wait for, until it ends.
    pub(super) working: Option<Number>,
    /// Two orders of which either ends the other, until one does.
    pub(super) pair: Option<[Number; 2]>,
    pub(super) is_done: bool,
}

/// A pair that passed.
#[derive(Debug)]
pub(super) struct Pair {
    drafts: [(Draft, Option<Trigger>); 2],
    pub(super) lock: Amount,
}

/// A list that passed.
#[derive(Debug)]
enum Passed {
    Pair(Pair),
    Chain { working: (Draft, Checked), pending: Vec<(Draft, Option<Trigger>)> },
}

impl ListNo {
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Leg {
    const fn draft(&self, account: AccountId) -> Draft {
        draft(account, &self.request)
    }
}

const fn draft(account: AccountId, request: &OrderRequest) -> Draft {
    let OrderRequest { client_id, instrument, side, kind } = *request;
    Draft { account, client_id: Some(client_id), instrument, side, kind }
}

impl List {
    pub(super) fn other(&self, number: Number) -> Option<Number> {
        let [first, second] = self.pair?;
        if first == number {
            Some(second)
        } else if second == number {
            Some(first)
        } else {
            None
        }
    }

    pub(super) fn report(&self, change: ListChange, at: Timestamp) -> ListReport {
        let id = |number: &Number| VenueOrderId::new(u128::from(*number));
        ListReport {
            number: self.number,
            account: self.account,
            instrument: self.instrument,
            client_id: self.client_id,
            kind: self.kind,
            change,
            orders: self.orders.iter().map(id).collect(),
            at,
        }
    }
}

/// Placing and cancelling.
impl Exchange {
    /// Takes a list at once, whole or not at all.
    pub fn place_list(
        &mut self,
        account: AccountId,
        request: &ListRequest,
        now: Timestamp,
    ) -> Result<ListPlaced, Refusal> {
        let passed = self.check_list(account, request)?;
        let last = self.special.last_list.saturating_add(1);
        let number = ListNo(last);
        let (first, kind) = match request.shape {
            Shape::Oco([leg, _]) => (leg.request, ListKind::Oco),
            Shape::Oto { working, .. } | Shape::Otoco { working, .. } => (working, ListKind::Oto),
        };
        let list = List {
            number,
            account,
            instrument: first.instrument,
            client_id: request.client_id,
            kind,
            orders: Vec::new(),
            working: None,
            pair: None,
            is_done: false,
        };
        let fills = match passed {
            Passed::Pair(pair) => self.place_pair(list, &pair, now).map(|()| Vec::new()),
            Passed::Chain { working, pending } => self.place_chain(list, working, &pending, now),
        }?;
        self.special.last_list = last;
        self.follow_up(now);
        Ok(ListPlaced { number, fills })
    }

    /// Whether the exchange would take the list as things stand; it is not placed.
    pub fn would_take_list(
        &self,
        account: AccountId,
        request: &ListRequest,
    ) -> Result<(), Refusal> {
        self.check_list(account, request).map(|_| ())
    }

    /// Takes back what is open of a list.
    pub fn cancel_list(
        &mut self,
        account: AccountId,
        number: ListNo,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let list = self.special.lists.get(&number);
        let list = list.filter(|list| list.account == account && !list.is_done);
        let orders = list.ok_or_else(unknown_order)?.orders.clone();
        for order in orders {
            self.close(order, OrderStatus::Cancelled, now);
        }
        Ok(())
    }

    fn check_list(&self, account: AccountId, request: &ListRequest) -> Result<Passed, Refusal> {
        let mut lists = self.special.lists.values();
        let is_taken = |list: &List| {
            list.account == account && list.client_id == request.client_id && !list.is_done
        };
        if lists.any(is_taken) {
            return Err(duplicate());
        }
        let first = Facts { is_list: true, ..Facts::default() };
        let pending = |leg: &Leg, beside: usize| {
            let facts = Facts { trigger: leg.trigger, beside, ..Facts::default() };
            let draft = leg.draft(account);
            self.check_rules(&draft, &facts, None).map(|_| (draft, leg.trigger))
        };
        let (working, pending) = match &request.shape {
            Shape::Oco(legs) => return self.check_pair(account, legs, &first).map(Passed::Pair),
            Shape::Oto { working, pending: leg } => (working, vec![pending(leg, 1)?]),
            Shape::Otoco { working, pending: [one, two] } => {
                is_pair(&[*one, *two])?;
                in_order(&[*one, *two], None)?;
                (working, vec![pending(one, 1)?, pending(two, 2)?])
            }
        };
        let working = draft(account, working);
        if working.kind.price().is_none() || !pending.iter().all(|leg| may_wait(&working, leg)) {
            return Err(bad_combination());
        }
        let checked = self.check_with(&working, &first)?;
        let mut seen = vec![working.client_id];
        for (draft, _) in &pending {
            if seen.contains(&draft.client_id) {
                return Err(duplicate());
            }
            self.check_unique(draft)?;
            seen.push(draft.client_id);
        }
        Ok(Passed::Chain { working: (working, checked), pending })
    }

    /// Two orders of which either ends the other: what they hold together.
    pub(super) fn check_pair(
        &self,
        account: AccountId,
        legs: &[Leg; 2],
        facts: &Facts,
    ) -> Result<Pair, Refusal> {
        is_pair(legs)?;
        let drafts = legs.map(|leg| (leg.draft(account), leg.trigger));
        let [(first, first_trigger), (second, second_trigger)] = drafts;
        let of_first = Facts { trigger: first_trigger, ..*facts };
        let beside = usize::from(!facts.is_open);
        let of_second = Facts { trigger: second_trigger, beside, is_list: false, ..*facts };
        for (draft, facts) in [(&first, &of_first), (&second, &of_second)] {
            self.check_rules(draft, facts, None)?;
        }
        in_order(legs, self.last_price(first.instrument))?;
        let lock = self.check_waiting(&first, &of_first)?;
        let lock = lock.max(self.check_waiting(&second, &of_second)?);
        let asset = self.asset_of(&first)?;
        if self.ledger.free(account, asset) < lock {
            return Err(poor());
        }
        Ok(Pair { drafts, lock })
    }

    pub(super) fn asset_of(&self, draft: &Draft) -> Result<Asset, Refusal> {
        let instrument = self.instruments.get(draft.instrument).ok_or_else(bad_symbol)?;
        Ok(locked_asset(instrument, draft.side))
    }

    fn place_pair(&mut self, mut list: List, pair: &Pair, now: Timestamp) -> Result<(), Refusal> {
        let [(first, _), _] = pair.drafts;
        let asset = self.asset_of(&first)?;
        self.ledger.post(&[Entry::lock(first.account, asset, pair.lock)]).map_err(|_| poor())?;
        // One of them carries the lock of both.
        let [one, two] = pair.drafts;
        let one = self.add_to(&mut list, one, pair.lock, now);
        let two = self.add_to(&mut list, two, Amount::ZERO, now);
        list.pair = Some([one.number, two.number]);
        self.begin_list(list, now);
        for order in [one, two] {
            self.await_or_rest(&order);
        }
        self.tell_balances(first.account, &[asset]);
        Ok(())
    }

    /// The first order works, the others wait for its fill.
    fn place_chain(
        &mut self,
        mut list: List,
        (draft, checked): (Draft, Checked),
        pending: &[(Draft, Option<Trigger>)],
        now: Timestamp,
    ) -> Result<Vec<Fill>, Refusal> {
        let asset = self.asset_of(&draft)?;
        self.ledger.post(&[Entry::lock(draft.account, asset, checked.lock)]).map_err(|_| poor())?;
        let working = self.add_to(&mut list, (draft, None), checked.lock, now);
        list.working = Some(working.number);
        for leg in pending {
            self.add_pending(&mut list, *leg, now);
        }
        self.begin_list(list, now);
        self.tell_balances(draft.account, &[asset]);
        let fills = self.carry_out(&working, &checked.plan, now);
        self.finish(working.number, &checked.plan, now);
        Ok(fills)
    }

    fn begin_list(&mut self, list: List, now: Timestamp) {
        self.note(Note::List(list.report(ListChange::Started, now)));
        self.special.lists.insert(list.number, list);
    }

    /// Adds an order that works or waits for its trigger.
    fn add_to(
        &mut self,
        list: &mut List,
        (draft, trigger): (Draft, Option<Trigger>),
        lock: Amount,
        now: Timestamp,
    ) -> Order {
        let stage = if trigger.is_some() { Stage::Waiting } else { Stage::Working };
        let mut condition =
            Condition { trigger, list: Some(list.number), stage, ..Condition::PLAIN };
        condition.begin(self.last_price(draft.instrument), now);
        self.add_special(list, draft, (condition, lock), now)
    }

    fn add_pending(
        &mut self,
        list: &mut List,
        (draft, trigger): (Draft, Option<Trigger>),
        now: Timestamp,
    ) {
        let (list_no, stage) = (Some(list.number), Stage::Pending);
        let condition = Condition { trigger, list: list_no, stage, ..Condition::PLAIN };
        self.add_special(list, draft, (condition, Amount::ZERO), now);
    }

    fn add_special(
        &mut self,
        list: &mut List,
        draft: Draft,
        (condition, lock): (Condition, Amount),
        now: Timestamp,
    ) -> Order {
        let order = self.orders.add(draft, lock, self.reserve_of(&draft), now);
        list.orders.push(order.number);
        self.set_condition(&order, condition);
        self.tell_order(&order);
        order
    }

    /// An order of a pair takes its place: behind its trigger, or in the book.
    pub(super) fn await_or_rest(&mut self, order: &Order) {
        let trigger = self.condition(order.number).and_then(|condition| condition.trigger);
        match (trigger, order.price()) {
            (Some(trigger), _) => self.await_trigger(order, trigger),
            (None, Some(price)) => self.enqueue(order, price),
            (None, None) => {}
        }
    }
}

/// Whether an order may wait for the fill of another.
fn may_wait(working: &Draft, (pending, trigger): &(Draft, Option<Trigger>)) -> bool {
    let is_maker = matches!(pending.kind, OrderKind::LimitMaker { .. });
    pending.instrument == working.instrument
        && pending.kind.qty().is_some()
        && !(is_maker && trigger.is_some())
}

/// Whether two orders may be a pair: same side, quantity and instrument, each behind a trigger or only
/// as maker, one above the market and one below.
fn is_pair(legs: &[Leg; 2]) -> Result<(), Refusal> {
    let [one, two] = legs;
    let fits = |leg: &Leg| match leg.request.kind {
        OrderKind::LimitMaker { .. } => leg.trigger.is_none(),
        OrderKind::Market { .. } | OrderKind::Limit { .. } => leg.trigger.is_some(),
    };
    let (a, b) = (&one.request, &two.request);
    let is_one_order = a.side == b.side
        && a.instrument == b.instrument
        && a.kind.qty().is_some()
        && a.kind.qty() == b.kind.qty();
    if !fits(one) || !fits(two) || !is_one_order || is_above(one) == is_above(two) {
        return Err(bad_combination());
    }
    if a.client_id == b.client_id {
        return Err(duplicate());
    }
    Ok(())
}

fn is_above(leg: &Leg) -> bool {
    let side = leg.request.side;
    leg.trigger.map_or(side == Side::Sell, |trigger| trigger.is_above(side))
}

/// Whether the upper order is above the last price, and the lower one below: a stop with its trigger, a
/// limited take profit with its limit.
fn in_order(legs: &[Leg; 2], last: Option<Price>) -> Result<(), Refusal> {
    let [one, two] = legs;
    let (above, below) = if is_above(one) { (one, two) } else { (two, one) };
    let at = |leg: &Leg| {
        let limit = leg.request.kind.price();
        match leg.trigger.map(|trigger| (trigger.kind, trigger.price)) {
            Some((TriggerKind::StopLoss, price)) => price,
            Some((TriggerKind::TakeProfit, price)) => limit.or(price),
            None => limit,
        }
    };
    let prices: Vec<_> = [at(below), last, at(above)].into_iter().flatten().collect();
    if prices.is_sorted_by(|lower, higher| lower < higher) { Ok(()) } else { Err(bad_prices()) }
}
