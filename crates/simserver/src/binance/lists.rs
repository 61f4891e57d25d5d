//! Order lists: placing, cancelling, asking.
//!
//! Binance spot API documents, "Order lists" (2026-07-21).

use serde_json::{Value, json};
use tranche_model::{
    ids::{AccountId, InstrumentId, VenueOrderId},
    order::{OrderRequest, OrderStatus},
    time::Timestamp,
};
use tranche_sim::exchange::{Leg, ListChange, ListPlaced, ListRequest, Shape};

use crate::world::{
    World,
    lists::{ListRecord, ListRef},
    records::State,
};

use super::{
    list_form::{LegForm, ListForm, ShapeForm},
    market::taken,
    op::Span,
    orders::{extend, is_of_engine},
    refused::Refused,
    run::When,
    words,
};

impl World {
    /// Places a list. The order of the checks is that of one order.
    pub(super) fn place_list(
        &mut self,
        account: AccountId,
        form: &ListForm,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let request = self.list_request(form)?;
        match self.exchange.would_take_list(account, &request) {
            Err(refusal) if !is_of_engine(refusal.reason) => return Err(refusal.into()),
            Ok(()) | Err(_) => {}
        }
        let count = u32::try_from(form.shape.legs().len()).unwrap_or(u32::MAX);
        if let Some(text) = self.limits.too_many_with(account, count, now) {
            return Err(Refused::new(-1015, text).with_status(429));
        }
        let legs = form.shape.legs().into_iter().zip(requests(&request.shape));
        self.records.next_extras =
            legs.map(|(leg, order)| (self.names.text(order.client_id), leg.extras)).collect();
        let placed = self.exchange.place_list(account, &request, now);
        if placed.is_ok() {
            self.limits.count_orders(account, count, now);
        }
        self.settle();
        self.records.next_extras.clear();
        self.placed_list(&placed?, form)
    }

    fn list_request(&mut self, form: &ListForm) -> Result<ListRequest, Refused> {
        let instrument = self.id_of(&form.symbol)?;
        self.check_self_trade(form.self_trade.as_deref())?;
        let client_id = self.packed(form.client_id.as_deref())?;
        let mut leg = |form: &LegForm| self.leg(instrument, form);
        let shape = match &form.shape {
            ShapeForm::Oco([one, two]) => Shape::Oco([leg(one)?, leg(two)?]),
            ShapeForm::Oto { working, pending } => {
                Shape::Oto { working: leg(working)?.request, pending: leg(pending)? }
            }
            ShapeForm::Otoco { working, pending: [one, two] } => {
                let working = leg(working)?.request;
                Shape::Otoco { working, pending: [leg(one)?, leg(two)?] }
            }
        };
        Ok(ListRequest { client_id, shape })
    }

    fn leg(&mut self, instrument: InstrumentId, form: &LegForm) -> Result<Leg, Refused> {
        let LegForm { side, kind, trigger, .. } = *form;
        let client_id = self.packed(form.client_id.as_deref())?;
        Ok(Leg { request: OrderRequest { client_id, instrument, side, kind }, trigger })
    }

    fn placed_list(&self, placed: &ListPlaced, form: &ListForm) -> Result<Value, Refused> {
        let list = self.records.lists.get(placed.number).ok_or_else(no_such_list)?;
        let mut body = self.list(list, (list.placed_at, ListChange::Started));
        let mut reports = Vec::new();
        for (place, id) in list.orders.iter().enumerate() {
            let fills = if place == 0 { placed.fills.as_slice() } else { &[] };
            let mut report = self.placed(*id, form.response, fills)?;
            let waits_for_fill = 0 < place && !matches!(form.shape, ShapeForm::Oco(_));
            if waits_for_fill && !self.has_expired(*id) {
                // A second part that was placed at once is told of by its events only.
                as_pending(&mut report);
            }
            reports.push(report);
        }
        if list.orders.iter().all(|id| self.has_expired(*id)) {
            let at = list.state_at(Timestamp::MAX).map_or(list.placed_at, |(at, _)| at);
            body = self.list(list, (at, ListChange::Done));
        }
        extend(&mut body, json!({"orderReports": reports}));
        Ok(body)
    }

    fn has_expired(&self, id: VenueOrderId) -> bool {
        let state = self.records.get(id).and_then(|record| record.state());
        state.is_some_and(|state| state.status == OrderStatus::Expired)
    }

    /// A list as every answer tells it.
    pub(super) fn list(&self, list: &ListRecord, (at, change): (Timestamp, ListChange)) -> Value {
        let (kind, status) = words::list_status(change);
        let symbol = self.symbol(list.instrument);
        json!({
            "orderListId": list.number.get(),
            "contingencyType": words::contingency(list.kind),
            "listStatusType": kind,
            "listOrderStatus": status,
            "listClientOrderId": list.client_id,
            "transactionTime": at.ms(),
            "symbol": symbol,
            "orders": self.orders_of(list),
        })
    }

    pub(super) fn orders_of(&self, list: &ListRecord) -> Value {
        let symbol = self.symbol(list.instrument);
        let orders = list.orders.iter().filter_map(|id| self.records.get(*id));
        let row = |id: VenueOrderId, text: &str| json!({"symbol": symbol, "orderId": words::id(id.get()), "clientOrderId": text});
        orders.map(|order| row(order.id, &order.client_id)).collect()
    }

    /// How many orders of a list are open.
    pub(super) fn open_orders_of(&self, list: &ListRecord) -> usize {
        let states = list.orders.iter().filter_map(|id| self.records.get(*id)?.state());
        states.filter(|state| State::is_open(state)).count()
    }

    pub(super) fn cancel_list(
        &mut self,
        (account, symbol): (AccountId, &str),
        wanted: &ListRef,
        own_id: Option<String>,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let found = self.records.lists.find(account, wanted, Timestamp::MAX);
        let found = found.filter(|list| list.instrument == instrument).cloned();
        let list = found.ok_or_else(Refused::unknown_order)?;
        self.cancel_whole(account, &list, own_id, now)
    }

    /// Cancels what is open of a list; the answer tells of all its orders.
    pub(super) fn cancel_whole(
        &mut self,
        account: AccountId,
        list: &ListRecord,
        own_id: Option<String>,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let own_id = own_id.unwrap_or_else(|| self.names.draw());
        self.records.cancel_id = Some(own_id.clone());
        let cancelled = self.exchange.cancel_list(account, list.number, now);
        self.settle();
        self.records.cancel_id = None;
        cancelled?;
        let mut body = self.list(list, (now, ListChange::Done));
        let reports = list.orders.iter().map(|id| self.cancelled(*id, &own_id, now));
        let reports = reports.collect::<Result<Vec<_>, _>>()?;
        extend(&mut body, json!({"orderReports": reports}));
        Ok(body)
    }

    pub(super) fn order_list(
        &self,
        account: AccountId,
        wanted: &ListRef,
        when: When,
    ) -> Result<Value, Refused> {
        let found = self.records.lists.find(account, wanted, when.as_of);
        let list = found.ok_or_else(no_such_list)?;
        let state = list.state_at(when.as_of).ok_or_else(no_such_list)?;
        Ok(self.list(list, state))
    }

    pub(super) fn all_order_lists(
        &self,
        account: AccountId,
        from_id: Option<u64>,
        span: Span,
        when: When,
    ) -> Value {
        let rows: Vec<Value> = self
            .records
            .lists
            .of(account)
            .filter(|list| from_id.is_none_or(|from| from <= list.number.get()))
            .filter(|list| span.holds(list.placed_at.ms()))
            .filter_map(|list| Some(self.list(list, list.state_at(when.as_of)?)))
            .collect();
        taken(rows, span.limit, from_id.is_some() || span.start.is_some()).into()
    }

    pub(super) fn open_order_lists(&self, account: AccountId, when: When) -> Value {
        let open = self.records.lists.of(account).filter(|list| list.is_open_at(when.as_of));
        let rows = open.filter_map(|list| Some(self.list(list, list.state_at(when.as_of)?)));
        rows.collect()
    }
}

/// The orders of a list, in the order of its form.
fn requests(shape: &Shape) -> Vec<OrderRequest> {
    match *shape {
        Shape::Oco([one, two]) => vec![one.request, two.request],
        Shape::Oto { working, pending } => vec![working, pending.request],
        Shape::Otoco { working, pending: [one, two] } => vec![working, one.request, two.request],
    }
}

/// Shows an order as it was before its turn came.
fn as_pending(report: &mut Value) {
    let zero = words::decimal(rust_decimal::Decimal::ZERO);
    let before = [
        ("status", Value::from("PENDING_NEW")),
        ("workingTime", Value::from(-1)),
        ("executedQty", zero.clone().into()),
        ("cummulativeQuoteQty", zero.into()),
    ];
    for (name, value) in before {
        if let Some(part) = report.get_mut(name) {
            *part = value;
        }
    }
}

fn no_such_list() -> Refused {
    Refused::new(-2013, "Order list does not exist.")
}
