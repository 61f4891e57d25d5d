//! Refusals: HTTP status, code and text.
//!
//! Binance spot API documents, "Error codes" (2026-07-21).

use serde_json::{Value, json};
use tranche_model::{
    record::{Refusal, RefusalReason},
    time::Timestamp,
};

use crate::world::limits::{Stop, seconds_until};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) data: Option<Value>,
    /// When the sender may ask again.
    pub(crate) retry_at: Option<Timestamp>,
}

impl Refused {
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Self {
        Self { status: 400, code, text: text.into(), data: None, retry_at: None }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn missing(name: &str) -> Self {
        let text =
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::new(-1102, text)
    }

    pub(crate) fn not_required(name: &str) -> Self {
        Self::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    pub(crate) fn illegal(name: &str, range: &str) -> Self {
        let text =
            format!("Illegal characters found in parameter '{name}'; legal range is '{range}'.");
        Self::new(-1100, text)
    }

    pub(crate) fn bad_symbol() -> Self {
        Self::new(-1121, "Invalid symbol.")
    }

    pub(crate) fn bad_key() -> Self {
        Self::new(-2015, "Invalid API-key, IP, or permissions for action.").with_status(401)
    }

    pub(crate) fn bad_signature() -> Self {
        Self::new(-1022, "Signature for this request is not valid.")
    }

    pub(crate) fn outside_window() -> Self {
        Self::new(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    pub(crate) fn unknown_order() -> Self {
        Self::new(-2011, "Unknown order sent.")
    }

    pub(crate) fn no_such_order() -> Self {
        Self::new(-2013, "Order does not exist.")
    }

    pub(crate) fn timeout() -> Self {
        let text = "Timeout waiting for response from backend server. \
            Send status unknown; execution status unknown.";
        Self::new(-1007, text).with_status(408)
    }

    pub(crate) fn unexpected_response() -> Self {
        let text = "An unexpected response was received from the message bus. \
            Execution status unknown.";
        Self::new(-1006, text).with_status(500)
    }

    pub(crate) fn stopped(stop: Stop, weight_most: u32) -> Self {
        match stop {
            Stop::Throttled { until } => Self {
                status: 429,
                retry_at: Some(until),
                ..Self::new(
                    -1003,
                    format!(
                        "Too much request weight used; current limit is {weight_most} request \
                         weight per 1 MINUTE. Please use WebSocket Streams for live updates to \
                         avoid polling the API."
                    ),
                )
            },
            Stop::Banned { until } => Self {
                status: 418,
                retry_at: Some(until),
                ..Self::new(
                    -1003,
                    format!(
                        "Way too much request weight used; IP banned until {}. Please use \
                         WebSocket Streams for live updates to avoid bans.",
                        until.ms()
                    ),
                )
            },
        }
    }

    /// An open order has the client order id.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.text == "Duplicate order sent."
    }

    /// `{"code":…,"msg":…}`, with `data` where there is some.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "msg": self.text});
        if let (Some(data), Some(map)) = (&self.data, body.as_object_mut()) {
            map.insert("data".to_owned(), data.clone());
        }
        body
    }

    /// The `error` of a WebSocket API frame.
    pub(crate) fn frame(&self, now: Timestamp) -> Value {
        let mut body = self.body();
        if let (Some(retry_at), Some(map)) = (self.retry_at, body.as_object_mut()) {
            let data = json!({"serverTime": now.ms(), "retryAfter": retry_at.ms()});
            map.insert("data".to_owned(), data);
        }
        body
    }

    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<u32> {
        self.retry_at.map(|until| seconds_until(until, now))
    }
}

/// A refusal of the exchange itself.
impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.reason {
            RefusalReason::Key => 401,
            RefusalReason::InsufficientFunds
            | RefusalReason::Rule(_)
            | RefusalReason::WouldTrade
            | RefusalReason::MarketClosed
            | RefusalReason::DuplicateId
            | RefusalReason::Other => 400,
        };
        Self::new(refusal.code, refusal.text).with_status(status)
    }
}
