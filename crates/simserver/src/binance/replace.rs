//! Cancel and replace: an order goes, another comes.
//!
//! Binance spot API documents, "Cancel an Existing Order and Send a New Order" (2026-07-21): filters
//! and the count of orders are looked at before the cancel.

use serde_json::{Value, json};
use tranche_model::{ids::AccountId, time::Timestamp};

use crate::world::World;

use super::{op::ReplaceForm, refused::Refused};

impl World {
    pub(super) fn replace(
        &mut self,
        account: AccountId,
        form: &ReplaceForm,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        match self.checked(account, &form.order) {
            // The new order may carry the id of the one that goes.
            Err(refused) if !refused.is_duplicate() => return Err(refused),
            Ok(_) | Err(_) => {}
        }
        let full = self.limits.too_many_orders(account, now);
        if let Some(text) = full.filter(|_| !form.cancels_when_full) {
            return Err(Refused::new(-1015, text).with_status(429));
        }
        let symbol = &form.order.symbol;
        let cancelled = self.cancel(account, symbol, &form.cancel, now);
        if cancelled.is_err() && form.stops_on_failure {
            // An attempt that was never made counts as well.
            self.limits.count_order(account, now);
            return Err(failed(&cancelled, None, form.stops_on_failure));
        }
        let placed = self.place(account, &form.order, now);
        match (&cancelled, &placed) {
            (Ok(cancel), Ok(order)) => Ok(json!({
                "cancelResult": "SUCCESS",
                "newOrderResult": "SUCCESS",
                "cancelResponse": cancel,
                "newOrderResponse": order,
            })),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => {
                Err(failed(&cancelled, Some(&placed), form.stops_on_failure))
            }
        }
    }
}

/// `None` for an order that was not tried.
fn failed(
    cancelled: &Result<Value, Refused>,
    placed: Option<&Result<Value, Refused>>,
    stops_on_failure: bool,
) -> Refused {
    let word = |is_ok: bool| if is_ok { "SUCCESS" } else { "FAILURE" };
    let body = |result: &Result<Value, Refused>| match result {
        Ok(body) => body.clone(),
        Err(refused) => refused.body(),
    };
    let data = json!({
        "cancelResult": word(cancelled.is_ok()),
        "newOrderResult": placed.map_or("NOT_ATTEMPTED", |placed| word(placed.is_ok())),
        "cancelResponse": body(cancelled),
        "newOrderResponse": placed.map_or(Value::Null, body),
    });
    let is_half = cancelled.is_ok() || placed.is_some_and(Result::is_ok);
    let is_full = placed
        .and_then(|placed| placed.as_ref().err())
        .is_some_and(|refused| refused.code == -1015);
    let refused = if is_half {
        let status = if is_full && stops_on_failure { 429 } else { 409 };
        Refused::new(-2021, "Order cancel-replace partially failed.").with_status(status)
    } else {
        Refused::new(-2022, "Order cancel-replace failed.")
    };
    Refused { data: Some(data), ..refused }
}
