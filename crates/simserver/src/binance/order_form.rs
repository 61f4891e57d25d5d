//! The form of a new order: what must be sent, what must not, and in which letters.
//!
//! Binance spot API documents, "New order" (2026-07-21).

use tranche_model::{
    money::{Price, Qty, Quote},
    order::{OrderKind, Side, Size, TimeInForce},
};

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
    Kind(OrderKind),
    Unsupported(&'static str),
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
    let side = match params.required("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Refused::new(-1117, "Invalid side.")),
    };
    let asked = asked(params)?;
    let strategy_type = params.integer("strategyType")?;
    if strategy_type.is_some_and(|number| number < STRATEGY_TYPE_MIN) {
        return Err(Refused::new(-1134, "'strategyType' was less than 1000000."));
    }
    Ok(OrderForm {
        symbol,
        side,
        asked,
        client_id: params.client_id("newClientOrderId")?,
        response: response(params, asked)?,
        self_trade: params.text("selfTradePreventionMode")?.map(str::to_owned),
        extras: Extras { strategy_id: params.integer("strategyId")?, strategy_type },
        with_rates: params.flag("computeCommissionRates")?.unwrap_or(false),
    })
}

fn asked(params: &Params) -> Result<Asked, Refused> {
    for name in ["price", "quantity", "quoteOrderQty", "stopPrice", "icebergQty"] {
        params.number(name)?;
    }
    let kind = match params.required("type")? {
        "LIMIT" => {
            let time_in_force = time_in_force(params.required("timeInForce")?)?;
            let (price, qty) = price_and_qty(params)?;
            OrderKind::Limit { price, qty, time_in_force }
        }
        "LIMIT_MAKER" => {
            not_required(params, &["timeInForce"])?;
            let (price, qty) = price_and_qty(params)?;
            OrderKind::LimitMaker { price, qty }
        }
        "MARKET" => {
            not_required(params, &["timeInForce", "price"])?;
            OrderKind::Market { size: size(params)? }
        }
        "STOP_LOSS" => return stop(params, "Stop loss orders"),
        "STOP_LOSS_LIMIT" => return stop(params, "Stop loss limit orders"),
        "TAKE_PROFIT" => return stop(params, "Take profit orders"),
        "TAKE_PROFIT_LIMIT" => return stop(params, "Take profit limit orders"),
        _ => return Err(Refused::new(-1116, "Invalid orderType.")),
    };
    not_required(params, &["stopPrice"])?;
    if params.is_set("trailingDelta") {
        return Ok(Asked::Unsupported("Trailing stop orders"));
    }
    if params.is_set("icebergQty") {
        return Ok(Asked::Unsupported("Iceberg orders"));
    }
    if params.is_set("pegPriceType") {
        return Ok(Asked::Unsupported("Pegged orders"));
    }
    if !matches!(kind, OrderKind::Market { .. }) {
        not_required(params, &["quoteOrderQty"])?;
    }
    Ok(Asked::Kind(kind))
}

fn stop(params: &Params, name: &'static str) -> Result<Asked, Refused> {
    params.required("quantity")?;
    if !params.is_set("stopPrice") && !params.is_set("trailingDelta") {
        let text = "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!";
        return Err(Refused::new(-1102, text));
    }
    Ok(Asked::Unsupported(name))
}

fn not_required(params: &Params, names: &[&str]) -> Result<(), Refused> {
    match names.iter().find(|name| params.is_set(name)) {
        Some(name) => Err(Refused::not_required(name)),
        None => Ok(()),
    }
}

fn time_in_force(text: &str) -> Result<TimeInForce, Refused> {
    match text {
        "GTC" => Ok(TimeInForce::GoodTillCancelled),
        "IOC" => Ok(TimeInForce::ImmediateOrCancel),
        "FOK" => Ok(TimeInForce::FillOrKill),
        _ => Err(Refused::new(-1115, "Invalid timeInForce.")),
    }
}

fn price_and_qty(params: &Params) -> Result<(Price, Qty), Refused> {
    let (quantity, price) = (params.required("quantity")?, params.required("price")?);
    Ok((
        Price::parse(price).map_err(|_| too_precise("price"))?,
        Qty::parse(quantity).map_err(|_| too_precise("quantity"))?,
    ))
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

/// Market and limit orders are answered in full unless asked otherwise, others shortly.
fn response(params: &Params, asked: Asked) -> Result<ResponseType, Refused> {
    match params.text("newOrderRespType")? {
        Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(Refused::illegal("newOrderRespType", "^(ACK|RESULT|FULL)$")),
        None => Ok(match asked {
            Asked::Kind(OrderKind::Market { .. } | OrderKind::Limit { .. }) => ResponseType::Full,
            Asked::Kind(OrderKind::LimitMaker { .. }) | Asked::Unsupported(_) => ResponseType::Ack,
        }),
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
