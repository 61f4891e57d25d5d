//! Orders: placing, cancelling, asking.

use serde_json::{Value, json};
use tranche_model::{
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{AccountId, VenueOrderId},
    order::{OrderRequest, OrderStatus},
    record::RefusalReason,
    time::Timestamp,
};

use tranche_sim::exchange::Trigger;

use crate::world::{
    World,
    records::{OrderRef, Record, State},
};

use super::{
    market::taken,
    op::{CancelForm, CancelOnly, Span},
    order_form::{Asked, OrderForm, ResponseType},
    refused::Refused,
    run::When,
    words::{self, decimal},
};

impl World {
    /// Places an order. The order of the checks: symbol, what the exchange carries, its own checks up
    /// to the duplicate id, the count of orders, the exchange's other checks.
    pub(super) fn place(
        &mut self,
        account: AccountId,
        form: &OrderForm,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let (request, trigger) = self.checked(account, form)?;
        if let Some(text) = self.limits.too_many_orders(account, now) {
            return Err(Refused::new(-1015, text).with_status(429));
        }
        self.records.next_extras = vec![(self.names.text(request.client_id), form.extras)];
        let placed = match trigger {
            None => {
                let placed = self.exchange.place(account, &request, now);
                placed.map(|placed| (placed.report.venue_id, placed.fills))
            }
            Some(trigger) => {
                let report = self.exchange.place_stop(account, &request, trigger, now);
                report.map(|report| (report.venue_id, Vec::new()))
            }
        };
        if placed.is_ok() {
            self.limits.count_order(account, now);
        }
        self.settle();
        self.records.next_extras.clear();
        let (id, fills) = placed?;
        self.placed(id, form.response, &fills)
    }

    /// The exchange's form of an order, after the checks that come before the count of orders.
    pub(super) fn checked(
        &mut self,
        account: AccountId,
        form: &OrderForm,
    ) -> Result<(OrderRequest, Option<Trigger>), Refused> {
        let instrument = self.id_of(&form.symbol)?;
        let (kind, trigger) = match form.asked {
            Asked::Kind(kind, trigger) => (kind, trigger),
            Asked::Unsupported(name) => {
                let text = format!("{name} are not supported for this symbol.");
                return Err(Refused::new(-2010, text));
            }
        };
        self.check_self_trade(form.self_trade.as_deref())?;
        let client_id = self.packed(form.client_id.as_deref())?;
        let request = OrderRequest { client_id, instrument, side: form.side, kind };
        let checked = match trigger {
            None => self.exchange.would_take(account, &request),
            Some(trigger) => self.exchange.would_take_stop(account, &request, trigger),
        };
        match checked {
            Err(refusal) if !is_of_engine(refusal.reason) => Err(refusal.into()),
            Ok(()) | Err(_) => Ok((request, trigger)),
        }
    }

    /// One mode is allowed, the configured one.
    pub(super) fn check_self_trade(&self, wanted: Option<&str>) -> Result<(), Refused> {
        let rule = words::self_trade(self.exchange.settings().self_trade);
        if wanted.is_some_and(|wanted| wanted != rule) {
            let text = "This symbol does not allow the specified self-trade prevention mode.";
            return Err(Refused::new(-2010, text));
        }
        Ok(())
    }

    /// The exchange's form of a client order id; one is drawn where none was sent.
    pub(super) fn packed(&mut self, text: Option<&str>) -> Result<ClientOrderId, Refused> {
        let text = text.map_or_else(|| self.names.draw(), str::to_owned);
        self.names.packed(&text).ok_or_else(|| {
            Refused::new(-1000, "An unknown error occurred while processing the request.")
        })
    }

    /// Everything but the engine's own checks, without an order.
    pub(super) fn test_order(
        &mut self,
        account: AccountId,
        form: &OrderForm,
    ) -> Result<Value, Refused> {
        self.checked(account, form)?;
        if !form.with_rates {
            return Ok(json!({}));
        }
        let rates = self.rates(account);
        Ok(json!({
            "standardCommissionForOrder": {"maker": rates.0, "taker": rates.1},
            "specialCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
            "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
            "discount": self.discount(account),
        }))
    }

    pub(super) fn placed(
        &self,
        id: VenueOrderId,
        response: ResponseType,
        fills: &[Fill],
    ) -> Result<Value, Refused> {
        let record = self.records.get(id).ok_or_else(Refused::no_such_order)?;
        let state = *record.state().ok_or_else(Refused::no_such_order)?;
        Ok(self.taken_in((record, &state), response, fills))
    }

    /// The answer to a placement.
    pub(super) fn taken_in(
        &self,
        (record, state): (&Record, &State),
        response: ResponseType,
        fills: &[Fill],
    ) -> Value {
        let mut body = json!({
            "symbol": self.symbol(record.instrument),
            "orderId": words::id(record.id.get()),
            "orderListId": words::list_id(record),
            "clientOrderId": record.client_id,
            "transactTime": record.placed_at.ms(),
        });
        if response == ResponseType::Ack {
            return body;
        }
        extend(&mut body, self.result(record, state));
        extend(&mut body, json!({"workingTime": words::working_time(state)}));
        if response == ResponseType::Full {
            let rows: Vec<Value> = fills.iter().map(fill).collect();
            extend(&mut body, json!({"fills": rows}));
        }
        body
    }

    /// What answers to placing, cancelling and asking have in common.
    pub(super) fn result(&self, record: &Record, state: &State) -> Value {
        let mut body = json!({
            "price": words::price(record.kind),
            "origQty": decimal(record.qty().get()),
            "executedQty": decimal(state.executed.get()),
            "origQuoteOrderQty": words::quote_qty(record.kind),
            "cummulativeQuoteQty": decimal(state.executed_quote.get()),
            "status": words::status(state),
            "timeInForce": words::time_in_force(record.kind),
            "type": words::special_type(record.kind, record.trigger()),
            "side": words::side(record.side),
            "selfTradePreventionMode": words::self_trade(self.exchange.settings().self_trade),
        });
        if let Some(reason) = words::expiry_reason(record, state) {
            extend(&mut body, json!({"expiryReason": reason}));
        }
        if let Some(trigger) = record.trigger() {
            if trigger.price.is_some() {
                extend(&mut body, json!({"stopPrice": words::stop_price(record)}));
            }
            if let Some(delta) = trigger.trailing {
                let since = record.condition.and_then(|condition| condition.trails_since);
                let since = since.map_or(-1, Timestamp::ms);
                extend(&mut body, json!({"trailingDelta": delta, "trailingTime": since}));
            }
        }
        if let Some(id) = record.extras.strategy_id {
            extend(&mut body, json!({"strategyId": id}));
        }
        if let Some(number) = record.extras.strategy_type {
            extend(&mut body, json!({"strategyType": number}));
        }
        body
    }

    pub(super) fn cancel(
        &mut self,
        account: AccountId,
        symbol: &str,
        form: &CancelForm,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let found = self.records.find((account, instrument), &form.wanted, Timestamp::MAX);
        let Some(record) = found else {
            let mismatch = self.mismatch((account, symbol), &form.wanted);
            return Err(mismatch.unwrap_or_else(Refused::unknown_order));
        };
        let status = record.state().map(|state| state.status);
        let is_allowed = match form.only {
            None => true,
            Some(CancelOnly::New) => status == Some(OrderStatus::Open),
            Some(CancelOnly::PartiallyFilled) => status == Some(OrderStatus::PartiallyFilled),
        };
        let is_open = record.state().is_some_and(State::is_open);
        if is_open && !is_allowed {
            let text = "Order was not canceled due to cancel restrictions.";
            return Err(Refused::new(-2011, text));
        }
        self.cancel_number(account, record.id, form.own_id.clone(), now)
    }

    /// Both names were given, and the number is that of another order.
    pub(super) fn mismatch(
        &self,
        (account, symbol): (AccountId, &str),
        wanted: &OrderRef,
    ) -> Option<Refused> {
        let OrderRef::Both(id, _) = wanted else { return None };
        let instrument = self.id_of(symbol).ok()?;
        self.records.find((account, instrument), &OrderRef::Id(*id), Timestamp::MAX)?;
        Some(Refused::new(-2039, "Client order ID is not correct for this order ID."))
    }

    pub(super) fn cancel_number(
        &mut self,
        account: AccountId,
        id: VenueOrderId,
        own_id: Option<String>,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let own_id = own_id.unwrap_or_else(|| self.names.draw());
        self.records.cancel_id = Some(own_id.clone());
        let cancelled = self.exchange.cancel_by_venue_id(account, id, now);
        self.settle();
        self.records.cancel_id = None;
        cancelled?;
        self.cancelled(id, &own_id, now)
    }

    /// The answer to a cancel, of the order as it is afterwards.
    pub(super) fn cancelled(
        &self,
        id: VenueOrderId,
        own_id: &str,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let record = self.records.get(id).ok_or_else(Refused::unknown_order)?;
        let state = record.state().ok_or_else(Refused::unknown_order)?;
        Ok(self.taken_back((record, state), own_id, now))
    }

    /// The answer to a cancel; `own_id` is the cancel's.
    pub(super) fn taken_back(
        &self,
        (record, state): (&Record, &State),
        own_id: &str,
        now: Timestamp,
    ) -> Value {
        let mut body = json!({
            "symbol": self.symbol(record.instrument),
            "origClientOrderId": record.client_id,
            "orderId": words::id(record.id.get()),
            "orderListId": words::list_id(record),
            "clientOrderId": own_id,
            "transactTime": now.ms(),
        });
        extend(&mut body, self.result(record, state));
        body
    }

    /// Cancels what is open on a symbol; nothing open is a refusal, as for one order.
    pub(super) fn cancel_all(
        &mut self,
        account: AccountId,
        symbol: &str,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let open: Vec<VenueOrderId> = self
            .records
            .open_on(instrument)
            .filter(|record| record.account == account)
            .map(|record| record.id)
            .collect();
        if open.is_empty() {
            return Err(Refused::unknown_order());
        }
        let mut rows = Vec::new();
        for id in open {
            let record = self.records.get(id).filter(|it| it.state().is_some_and(State::is_open));
            let Some(record) = record else { continue };
            // Orders that still belong together go together, and are told together.
            let list = record.list().and_then(|number| self.records.lists.get(number)).cloned();
            rows.push(match list.filter(|list| self.open_orders_of(list) > 1) {
                Some(list) => self.cancel_whole(account, &list, None, now)?,
                None => self.cancel_number(account, id, None, now)?,
            });
        }
        Ok(rows.into())
    }

    pub(super) fn order(
        &self,
        account: AccountId,
        symbol: &str,
        wanted: &OrderRef,
        when: When,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let found = self.records.find((account, instrument), wanted, when.as_of);
        let record = found.ok_or_else(|| {
            let mismatch = self.mismatch((account, symbol), wanted);
            mismatch.unwrap_or_else(Refused::no_such_order)
        })?;
        let state = record.state_at(when.as_of).ok_or_else(Refused::no_such_order)?;
        Ok(self.shown(record, state))
    }

    /// An order as it is told to who asks.
    pub(super) fn shown(&self, record: &Record, state: &State) -> Value {
        let mut body = json!({
            "symbol": self.symbol(record.instrument),
            "orderId": words::id(record.id.get()),
            "orderListId": words::list_id(record),
            "clientOrderId": record.client_id,
            "stopPrice": words::stop_price(record),
            "icebergQty": "0.00000000",
            "time": record.placed_at.ms(),
            "updateTime": state.at.ms(),
            "isWorking": state.working_at.is_some(),
            "workingTime": words::working_time(state),
        });
        extend(&mut body, self.result(record, state));
        body
    }

    pub(super) fn open_orders(
        &self,
        account: AccountId,
        symbol: Option<&str>,
        when: When,
    ) -> Result<Value, Refused> {
        let wanted = symbol.map(|symbol| self.id_of(symbol)).transpose()?;
        let records: Vec<&Record> = if when.as_of == Timestamp::MAX {
            self.records.open_of(account).collect()
        } else {
            self.records.of(account).collect()
        };
        let rows = records
            .into_iter()
            .filter(|record| wanted.is_none_or(|wanted| wanted == record.instrument))
            .filter_map(|record| Some((record, record.state_at(when.as_of)?)))
            .filter(|(_, state)| state.is_open());
        Ok(rows.map(|(record, state)| self.shown(record, state)).collect())
    }

    pub(super) fn all_orders(
        &self,
        (account, symbol): (AccountId, &str),
        from_id: Option<u64>,
        span: Span,
        when: When,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let rows: Vec<Value> = self
            .records
            .on(account, instrument)
            .filter(|record| from_id.is_none_or(|from| from <= words::id(record.id.get())))
            .filter(|record| from_id.is_some() || span.holds(record.placed_at.ms()))
            .filter_map(|record| Some(self.shown(record, record.state_at(when.as_of)?)))
            .collect();
        Ok(taken(rows, span.limit, from_id.is_some() || span.start.is_some()).into())
    }

    pub(super) fn my_trades(
        &self,
        (account, symbol): (AccountId, &str),
        (order, from_id): (Option<u64>, Option<u64>),
        span: Span,
        when: When,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let since = span.start.map_or(Timestamp::MIN, Timestamp::from_ms);
        let mut fills = self.exchange.trades(account, instrument, since);
        fills.retain(|fill| fill.at <= when.as_of);
        let list = |id| self.records.get(id).map_or_else(|| Value::from(-1), words::list_id);
        Ok(trade_rows((symbol, &list), &fills, (order, from_id), span))
    }
}

/// Those of an account's executions that were asked for; `list` is how the list of an order is told.
pub(super) fn trade_rows(
    (symbol, list): (&str, &dyn Fn(VenueOrderId) -> Value),
    fills: &[Fill],
    (order, from_id): (Option<u64>, Option<u64>),
    span: Span,
) -> Value {
    let rows: Vec<Value> = fills
        .iter()
        .filter(|fill| span.holds(fill.at.ms()))
        .filter(|fill| order.is_none_or(|id| id == words::id(fill.venue_order_id.get())))
        .filter(|fill| from_id.is_none_or(|from| from <= words::id(fill.trade_id.get())))
        .map(|fill| trade(symbol, fill, &list(fill.venue_order_id)))
        .collect();
    taken(rows, span.limit, from_id.is_some() || span.start.is_some()).into()
}

/// Refusals that come after the count of orders.
pub(super) const fn is_of_engine(reason: RefusalReason) -> bool {
    match reason {
        RefusalReason::InsufficientFunds
        | RefusalReason::WouldTrade
        | RefusalReason::MarketClosed => true,
        RefusalReason::Rule(_)
        | RefusalReason::DuplicateId
        | RefusalReason::Key
        | RefusalReason::Other => false,
    }
}

pub(super) fn extend(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}

fn fill(fill: &Fill) -> Value {
    json!({
        "price": decimal(fill.price.get()),
        "qty": decimal(fill.qty.get()),
        "commission": decimal(fill.fee.amount.get()),
        "commissionAsset": fill.fee.asset.as_str(),
        "tradeId": words::id(fill.trade_id.get()),
    })
}

fn trade(symbol: &str, fill: &Fill, list: &Value) -> Value {
    json!({
        "symbol": symbol,
        "id": words::id(fill.trade_id.get()),
        "orderId": words::id(fill.venue_order_id.get()),
        "orderListId": list,
        "price": decimal(fill.price.get()),
        "qty": decimal(fill.qty.get()),
        "quoteQty": decimal(fill.quote.get()),
        "commission": decimal(fill.fee.amount.get()),
        "commissionAsset": fill.fee.asset.as_str(),
        "time": fill.at.ms(),
        "isBuyer": fill.side == tranche_model::order::Side::Buy,
        "isMaker": fill.liquidity == tranche_model::fill::Liquidity::Maker,
        "isBestMatch": true,
    })
}
