//! The form of a new order: what must be sent, what must not, and in which letters.
//!
//! Binance spot API documents, "New order" (2026-07-21).

use tranche_model::{
    money::{Price, Qty, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
};

use tranche_sim::exchange::{Trigger, TriggerKind};

use crate::world::records::Extras;

use super::{params::Params, refused::Refused};

/// Least value of `strategyType`; lower ones are the exchange's own.
const STRATEGY_TYPE_MIN: i64 = 1_000_000;

const NAMES: [&str; 19] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    "pegPriceType",
    "pegOffsetValue",
    "pegOffsetType",
    "computeCommissionRates",
];

/// An order that is well formed; whether it is taken is not yet known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderForm {
    pub(super) symbol: String,
    pub(super) side: Side,
    pub(super) asked: Asked,
    pub(super) client_id: Option<String>,
    pub(super) response: ResponseType,
    pub(super) self_trade: Option<String>,
    pub(super) extras: Extras,
    pub(super) with_rates: bool,
}

/// A kind of order that the exchange carries, or the name of one that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Kind(OrderKind, Option<Trigger>),
    Unsupported(&'static str),
}

/// Where the parts of one order stand among the parameters of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Before the names, as in `aboveStopPrice`.
    pub(super) prefix: &'a str,
    /// The parameter that says how much.
    pub(super) qty: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseType {
    Ack,
    Result,
    Full,
}

pub(super) fn read(params: &Params) -> Result<OrderForm, Refused> {
    read_with(params, &[])
}

/// Reads a form that has other parameters beside it.
pub(super) fn read_with(params: &Params, more: &[&str]) -> Result<OrderForm, Refused> {
    let names: Vec<&str> = NAMES.iter().chain(more).copied().collect();
    params.only(&names)?;
    let symbol = params.symbol()?;
    let side = side(params, "side")?;
    let asked = asked(params)?;
    let extras = Place { prefix: "", qty: "quantity" }.extras(params)?;
    Ok(OrderForm {
        symbol,
        side,
        asked,
        client_id: params.client_id("newClientOrderId")?,
        response: response(params)?.unwrap_or_else(|| of_kind(asked)),
        self_trade: params.text("selfTradePreventionMode")?.map(str::to_owned),
        extras,
        with_rates: params.flag("computeCommissionRates")?.unwrap_or(false),
    })
}

fn asked(params: &Params) -> Result<Asked, Refused> {
    let place = Place { prefix: "", qty: "quantity" };
    params.number("quoteOrderQty")?;
    let asked = place.read(params, params.required("type")?)?;
    if !matches!(asked, Asked::Kind(OrderKind::Market { .. }, None)) {
        not_required(params, &["quoteOrderQty"])?;
    }
    Ok(asked)
}

impl Place<'_> {
    /// The name of a part of this order: `stopPrice`, or `aboveStopPrice`.
    pub(super) fn name(&self, part: &str) -> String {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if !self.prefix.is_empty() => {
                format!("{}{}{}", self.prefix, first.to_ascii_uppercase(), letters.as_str())
            }
            Some(_) | None => part.to_owned(),
        }
    }

    /// The order of a type: what it needs is there, and nothing else.
    pub(super) fn read(&self, params: &Params, kind: &str) -> Result<Asked, Refused> {
        for part in ["price", "stopPrice", "icebergQty"] {
            params.number(&self.name(part))?;
        }
        params.number(self.qty)?;
        let (stop_loss, take_profit) = (TriggerKind::StopLoss, TriggerKind::TakeProfit);
        let (kind, trigger) = match kind {
            "LIMIT" => (self.limit(params)?, None),
            "LIMIT_MAKER" => (self.maker(params)?, None),
            "MARKET" => (self.market(params)?, None),
            "STOP_LOSS" => (self.at_market(params)?, Some(self.trigger(params, stop_loss)?)),
            "TAKE_PROFIT" => (self.at_market(params)?, Some(self.trigger(params, take_profit)?)),
            "STOP_LOSS_LIMIT" => (self.limit(params)?, Some(self.trigger(params, stop_loss)?)),
            "TAKE_PROFIT_LIMIT" => (self.limit(params)?, Some(self.trigger(params, take_profit)?)),
            _ => return Err(Refused::new(-1116, "Invalid orderType.")),
        };
        if trigger.is_none() {
            not_required(params, &[&self.name("stopPrice"), &self.name("trailingDelta")])?;
        }
        if params.is_set(&self.name("icebergQty")) {
            return Ok(Asked::Unsupported("Iceberg orders"));
        }
        if params.is_set(&self.name("pegPriceType")) {
            return Ok(Asked::Unsupported("Pegged orders"));
        }
        Ok(Asked::Kind(kind, trigger))
    }

    fn limit(&self, params: &Params) -> Result<OrderKind, Refused> {
        let time_in_force = time_in_force(params.required(&self.name("timeInForce"))?)?;
        let (price, qty) = (self.price(params)?, self.qty(params)?);
        Ok(OrderKind::Limit { price, qty, time_in_force })
    }

    fn maker(&self, params: &Params) -> Result<OrderKind, Refused> {
        not_required(params, &[&self.name("timeInForce")])?;
        Ok(OrderKind::LimitMaker { price: self.price(params)?, qty: self.qty(params)? })
    }

    /// Sized in quote only where it stands alone.
    fn market(&self, params: &Params) -> Result<OrderKind, Refused> {
        not_required(params, &[&self.name("timeInForce"), &self.name("price")])?;
        let size =
            if self.prefix.is_empty() { size(params)? } else { Size::Base(self.qty(params)?) };
        Ok(OrderKind::Market { size })
    }

    fn at_market(&self, params: &Params) -> Result<OrderKind, Refused> {
        not_required(params, &[&self.name("timeInForce"), &self.name("price")])?;
        Ok(OrderKind::Market { size: Size::Base(self.qty(params)?) })
    }

    fn trigger(&self, params: &Params, kind: TriggerKind) -> Result<Trigger, Refused> {
        let (stop, trailing) = (self.name("stopPrice"), self.name("trailingDelta"));
        let price = params.number(&stop)?.map(Price::parse).transpose();
        let price = price.map_err(|_| too_precise(&stop))?;
        let delta = params.integer(&trailing)?.map(u32::try_from).transpose();
        let delta = delta.map_err(|_| Refused::new(-1108, overflowed(&trailing)))?;
        if price.is_none() && delta.is_none() {
            let text =
                format!("Param '{stop}' or '{trailing}' must be sent, but both were empty/null!");
            return Err(Refused::new(-1102, text));
        }
        Ok(Trigger { kind, price, trailing: delta })
    }

    fn price(&self, params: &Params) -> Result<Price, Refused> {
        let name = self.name("price");
        Price::parse(params.required(&name)?).map_err(|_| too_precise(&name))
    }

    fn qty(&self, params: &Params) -> Result<Qty, Refused> {
        Qty::parse(params.required(self.qty)?).map_err(|_| too_precise(self.qty))
    }

    pub(super) fn extras(&self, params: &Params) -> Result<Extras, Refused> {
        let strategy_type = params.integer(&self.name("strategyType"))?;
        if strategy_type.is_some_and(|number| number < STRATEGY_TYPE_MIN) {
            return Err(Refused::new(-1134, "'strategyType' was less than 1000000."));
        }
        Ok(Extras { strategy_id: params.integer(&self.name("strategyId"))?, strategy_type })
    }
}

fn not_required(params: &Params, names: &[&str]) -> Result<(), Refused> {
    match names.iter().find(|name| params.is_set(name)) {
        Some(name) => Err(Refused::not_required(name)),
        None => Ok(()),
    }
}

pub(super) fn side(params: &Params, name: &str) -> Result<Side, Refused> {
    match params.required(name)? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(Refused::new(-1117, "Invalid side.")),
    }
}

fn overflowed(name: &str) -> String {
    format!("Parameter '{name}' overflowed.")
}

fn time_in_force(text: &str) -> Result<TimeInForce, Refused> {
    match text {
        "GTC" => Ok(TimeInForce::GoodTillCancelled),
        "IOC" => Ok(TimeInForce::ImmediateOrCancel),
        "FOK" => Ok(TimeInForce::FillOrKill),
        _ => Err(Refused::new(-1115, "Invalid timeInForce.")),
    }
}

fn size(params: &Params) -> Result<Size, Refused> {
    match (params.number("quantity")?, params.number("quoteOrderQty")?) {
        (Some(_), Some(_)) => Err(Refused::not_required("quoteOrderQty")),
        (Some(qty), None) => Qty::parse(qty).map(Size::Base).map_err(|_| too_precise("quantity")),
        (None, Some(quote)) => {
            Quote::parse(quote).map(Size::Quote).map_err(|_| too_precise("quoteOrderQty"))
        }
        (None, None) => {
            let text =
                "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!";
            Err(Refused::new(-1102, text))
        }
    }
}

fn too_precise(name: &str) -> Refused {
    Refused::new(-1111, format!("Parameter '{name}' has too much precision."))
}

pub(super) fn response(params: &Params) -> Result<Option<ResponseType>, Refused> {
    match params.text("newOrderRespType")? {
        Some("ACK") => Ok(Some(ResponseType::Ack)),
        Some("RESULT") => Ok(Some(ResponseType::Result)),
        Some("FULL") => Ok(Some(ResponseType::Full)),
        Some(_) => Err(Refused::illegal("newOrderRespType", "^(ACK|RESULT|FULL)$")),
        None => Ok(None),
    }
}

/// Market and limit orders are answered in full unless asked otherwise, others shortly.
const fn of_kind(asked: Asked) -> ResponseType {
    match asked {
        Asked::Kind(OrderKind::Market { .. } | OrderKind::Limit { .. }, None) => ResponseType::Full,
        Asked::Kind(_, _) | Asked::Unsupported(_) => ResponseType::Ack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(query: &str) -> Result<OrderForm, Refused> {
        read(&Params::of_request(query.as_bytes(), b"").unwrap())
    }

    #[test]
    fn each_type_has_what_it_needs_and_no_more() {
        let cases = [
            ("type=LIMIT&timeInForce=GTC&quantity=1&price=2", Ok(())),
            ("type=LIMIT&quantity=1&price=2", Err(-1102)),
            ("type=LIMIT&timeInForce=GTX&quantity=1&price=2", Err(-1115)),
            ("type=LIMIT_MAKER&quantity=1&price=2", Ok(())),
            ("type=LIMIT_MAKER&timeInForce=GTC&quantity=1&price=2", Err(-1106)),
            ("type=MARKET&quantity=1", Ok(())),
            ("type=MARKET&quoteOrderQty=1", Ok(())),
            ("type=MARKET", Err(-1102)),
            ("type=MARKET&quantity=1&price=2", Err(-1106)),
            ("type=MARKET&quantity=1e-5", Err(-1100)),
            ("type=SOMETHING&quantity=1", Err(-1116)),
            ("type=STOP_LOSS&quantity=1", Err(-1102)),
            ("type=STOP_LOSS&quantity=1&stopPrice=1", Ok(())),
            ("type=STOP_LOSS&quantity=1&trailingDelta=10", Ok(())),
            ("type=STOP_LOSS&quantity=1&trailingDelta=9999999999", Err(-1108)),
            ("type=STOP_LOSS&stopPrice=1&quoteOrderQty=5", Err(-1102)),
            ("type=STOP_LOSS&stopPrice=1&quantity=1&quoteOrderQty=5", Err(-1106)),
            ("type=TAKE_PROFIT&quantity=1&stopPrice=1&price=1", Err(-1106)),
            ("type=TAKE_PROFIT&quantity=1&stopPrice=1&timeInForce=GTC", Err(-1106)),
            ("type=STOP_LOSS_LIMIT&quantity=1&stopPrice=1&price=1", Err(-1102)),
            ("type=TAKE_PROFIT_LIMIT&quantity=1&stopPrice=1&price=1&timeInForce=IOC", Ok(())),
            ("type=LIMIT&timeInForce=GTC&quantity=1&price=2&stopPrice=1", Err(-1106)),
            ("type=LIMIT&timeInForce=GTC&quantity=1&price=2&trailingDelta=9", Err(-1106)),
        ];
        for (rest, want) in cases {
            let got = read_text(&format!("symbol=BTCUSDT&side=BUY&{rest}"));
            assert_eq!(got.map(|_| ()).map_err(|refused| refused.code), want, "{rest}");
        }
    }

    #[test]
    fn the_answer_is_as_full_as_the_type_says() {
        let limit = "symbol=A&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=2";
        let maker = "symbol=A&side=BUY&type=LIMIT_MAKER&quantity=1&price=2";

        assert_eq!(read_text(limit).unwrap().response, ResponseType::Full);
        assert_eq!(read_text(maker).unwrap().response, ResponseType::Ack);
        let asked = read_text(&format!("{maker}&newOrderRespType=RESULT")).unwrap();
        assert_eq!(asked.response, ResponseType::Result);
    }
}
