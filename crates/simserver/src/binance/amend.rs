//! Making an order smaller, and telling how often that was done.
//!
//! Binance spot API documents, "Order Amend Keep Priority" (2026-07-21). What the engine refuses has
//! a code of its own here (-2038), whatever it has elsewhere.

use serde_json::{Value, json};
use tranche_model::{ids::AccountId, time::Timestamp};
use tranche_sim::exchange::Amendment;

use crate::world::{
    World,
    records::{Amended, OrderRef, Record, State},
};

use super::{
    op::AmendForm,
    orders::extend,
    refused::Refused,
    run::When,
    words::{self, decimal},
};

const REJECTED: i32 = -2038;

impl World {
    pub(super) fn amend(
        &mut self,
        account: AccountId,
        symbol: &str,
        form: &AmendForm,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let found = self.records.find((account, instrument), &form.wanted, Timestamp::MAX);
        let Some((id, former)) = found.map(|record| (record.id, record.client_id.clone())) else {
            let mismatch = self.mismatch((account, symbol), &form.wanted);
            return Err(mismatch.unwrap_or_else(|| of_amend(Refused::unknown_order())));
        };
        let client_id = self.packed(form.own_id.as_deref())?;
        let amendment = Amendment { qty: form.qty, client_id };
        let amended = self.exchange.amend(account, id, amendment, now);
        self.settle();
        amended.map_err(|refusal| of_amend(refusal.into()))?;
        let record = self.records.get(id).ok_or_else(Refused::no_such_order)?;
        let state = record.state().ok_or_else(Refused::no_such_order)?;
        let execution = record.amendments.last().map(|row| row.execution);
        let mut body = json!({
            "transactTime": now.ms(),
            "executionId": execution.unwrap_or_default(),
            "amendedOrder": self.amended_order(record, state, &former),
        });
        if let Some(list) = record.list().and_then(|number| self.records.lists.get(number)) {
            let state = list.state_at(Timestamp::MAX).ok_or_else(Refused::no_such_order)?;
            let mut shown = self.list(list, state);
            if let Some(parts) = shown.as_object_mut() {
                parts.remove("listStatusType");
                parts.remove("transactionTime");
            }
            extend(&mut body, json!({"listStatus": shown}));
        }
        Ok(body)
    }

    /// The names of some parts are not those of other answers.
    fn amended_order(&self, record: &Record, state: &State, former: &str) -> Value {
        let mut body = json!({
            "symbol": self.symbol(record.instrument),
            "orderId": words::id(record.id.get()),
            "orderListId": words::list_id(record),
            "origClientOrderId": former,
            "clientOrderId": record.client_id,
            "price": words::price(record.kind),
            "qty": decimal(record.qty().get()),
            "executedQty": decimal(state.executed.get()),
            "preventedQty": decimal(rust_decimal::Decimal::ZERO),
            "quoteOrderQty": words::quote_qty(record.kind),
            "cumulativeQuoteQty": decimal(state.executed_quote.get()),
            "status": words::status(state),
            "timeInForce": words::time_in_force(record.kind),
            "type": words::special_type(record.kind, record.trigger()),
            "side": words::side(record.side),
            "selfTradePreventionMode": words::self_trade(self.exchange.settings().self_trade),
        });
        if let Some(at) = state.working_at {
            extend(&mut body, json!({"workingTime": at.ms()}));
        }
        if record.trigger().is_some_and(|trigger| trigger.price.is_some()) {
            extend(&mut body, json!({"stopPrice": words::stop_price(record)}));
        }
        body
    }

    pub(super) fn amendments(
        &self,
        (account, symbol): (AccountId, &str),
        order: u64,
        (from, limit): (Option<u64>, usize),
        when: When,
    ) -> Result<Value, Refused> {
        let instrument = self.id_of(symbol)?;
        let wanted = OrderRef::Id(order);
        let record = self.records.find((account, instrument), &wanted, when.as_of);
        let rows = record.into_iter().flat_map(|record| &record.amendments);
        let rows = rows
            .filter(|row| row.at <= when.as_of && from.is_none_or(|from| from <= row.execution))
            .take(limit);
        Ok(rows.map(|row| amendment(symbol, order, row)).collect())
    }
}

fn amendment(symbol: &str, order: u64, row: &Amended) -> Value {
    json!({
        "symbol": symbol,
        "orderId": order,
        "executionId": row.execution,
        "origClientOrderId": row.former.0,
        "newClientOrderId": row.current.0,
        "origQty": decimal(row.former.1.get()),
        "newQty": decimal(row.current.1.get()),
        "time": row.at.ms(),
    })
}

fn of_amend(refused: Refused) -> Refused {
    match refused.code {
        -2010 | -2011 => Refused { code: REJECTED, ..refused },
        _ => refused,
    }
}
