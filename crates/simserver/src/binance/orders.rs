//! Orders: placing, cancelling, asking.

use serde_json::{Value, json};
use tranche_model::{
    fill::Fill,
    ids::{AccountId, VenueOrderId},
    order::{OrderRequest, OrderStatus},
    record::RefusalReason,
    time::Timestamp,
};

use crate::world::{
    World,
    records::{Extras, OrderRef, Record, State},
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
        let request = self.checked(account, form)?;
        if let Some(text) = self.limits.too_many_orders(account, now) {
            return Err(Refused::new(-1015, text).with_status(429));
        }
        self.records.next_extras = form.extras;
        let placed = self.exchange.place(account, &request, now);
        if placed.is_ok() {
            self.limits.count_order(account, now);
        }
        self.settle();
        self.records.next_extras = Extras::default();
        let placed = placed?;
        self.placed(placed.report.venue_id, form.response, &placed.fills)
    }

    /// The exchange's form of an order, after the checks that come before the count of orders.
    pub(super) fn checked(
        &mut self,
        account: AccountId,
        form: &OrderForm,
    ) -> Result<OrderRequest, Refused> {
        let instrument = self.id_of(&form.symbol)?;
        let kind = match form.asked {
            Asked::Kind(kind) => kind,
            Asked::Unsupported(name) => {
                let text = format!("{name} are not supported for this symbol.");
                return Err(Refused::new(-2010, text));
            }
        };
        let rule = words::self_trade(self.exchange.settings().self_trade);
        if form.self_trade.as_deref().is_some_and(|wanted| wanted != rule) {
            let text = "This symbol does not allow the specified self-trade prevention mode.";
            return Err(Refused::new(-2010, text));
        }
        let text = form.client_id.clone().unwrap_or_else(|| self.names.draw());
        let client_id = self.names.packed(&text).ok_or_else(|| {
            Refused::new(-1000, "An unknown error occurred while processing the request.")
        })?;
        let request = OrderRequest { client_id, instrument, side: form.side, kind };
        match self.exchange.would_take(account, &request) {
            Err(refusal) if !is_of_engine(refusal.reason) => Err(refusal.into()),
            Ok(()) | Err(_) => Ok(request),
        }
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

    fn placed(
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
            "orderListId": -1,
            "clientOrderId": record.client_id,
            "transactTime": record.placed_at.ms(),
        });
        if response == ResponseType::Ack {
            return body;
        }
        extend(&mut body, self.result(record, state));
        extend(&mut body, json!({"workingTime": record.placed_at.ms()}));
        if response == ResponseType::Full {
            let rows: Vec<Value> = fills.iter().map(fill).collect();
            extend(&mut body, json!({"fills": rows}));
        }
        body
    }

    /// What answers to placing, cancelling and asking have in common.
    fn result(&self, record: &Record, state: &State) -> Value {
        let mut body = json!({
            "price": words::price(record.kind),
            "origQty": decimal(record.qty().get()),
            "executedQty": decimal(state.executed.get()),
            "origQuoteOrderQty": words::quote_qty(record.kind),
            "cummulativeQuoteQty": decimal(state.executed_quote.get()),
            "status": words::status(state),
            "timeInForce": words::time_in_force(record.kind),
            "type": words::order_type(record.kind),
            "side": words::side(record.side),
            "selfTradePreventionMode": words::self_trade(self.exchange.settings().self_trade),
        });
        if let Some(reason) = words::expiry_reason(record, state) {
            extend(&mut body, json!({"expiryReason": reason}));
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
    fn mismatch(&self, (account, symbol): (AccountId, &str), wanted: &OrderRef) -> Option<Refused> {
        let OrderRef::Both(id, _) = wanted else { return None };
        let instrument = self.id_of(symbol).ok()?;
        self.records.find((account, instrument), &OrderRef::Id(*id), Timestamp::MAX)?;
        Some(Refused::new(-2039, "Client order ID is not correct for this order ID."))
    }

    fn cancel_number(
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
        let record = self.records.get(id).ok_or_else(Refused::unknown_order)?;
        let state = record.state().ok_or_else(Refused::unknown_order)?;
        Ok(self.taken_back((record, state), &own_id, now))
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
            "orderListId": -1,
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
        let rows = open.into_iter().map(|id| self.cancel_number(account, id, None, now));
        rows.collect::<Result<Vec<_>, _>>().map(Value::from)
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
            "orderListId": -1,
            "clientOrderId": record.client_id,
            "stopPrice": "0.00000000",
            "icebergQty": "0.00000000",
            "time": record.placed_at.ms(),
            "updateTime": state.at.ms(),
            "isWorking": true,
            "workingTime": record.placed_at.ms(),
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
        Ok(trade_rows(symbol, &fills, (order, from_id), span))
    }
}

/// Those of an account's executions that were asked for.
pub(super) fn trade_rows(
    symbol: &str,
    fills: &[Fill],
    (order, from_id): (Option<u64>, Option<u64>),
    span: Span,
) -> Value {
    let rows: Vec<Value> = fills
        .iter()
        .filter(|fill| span.holds(fill.at.ms()))
        .filter(|fill| order.is_none_or(|id| id == words::id(fill.venue_order_id.get())))
        .filter(|fill| from_id.is_none_or(|from| from <= words::id(fill.trade_id.get())))
        .map(|fill| trade(symbol, fill))
        .collect();
    taken(rows, span.limit, from_id.is_some() || span.start.is_some()).into()
}

/// Refusals that come after the count of orders.
const fn is_of_engine(reason: RefusalReason) -> bool {
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

fn extend(body: &mut Value, more: Value) {
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

fn trade(symbol: &str, fill: &Fill) -> Value {
    json!({
        "symbol": symbol,
        "id": words::id(fill.trade_id.get()),
        "orderId": words::id(fill.venue_order_id.get()),
        "orderListId": -1,
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
