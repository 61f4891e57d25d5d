//! The forms of new order lists.
//!
//! Binance spot API documents, "New Order list - OCO", "- OTO", "- OTOCO" and the older "New OCO"
//! (2026-07-21).

use tranche_model::order::{OrderKind, Side};
use tranche_sim::exchange::{Trigger, TriggerKind};

use crate::world::records::Extras;

use super::{
    order_form::{self, Asked, Place, ResponseType},
    params::Params,
    refused::Refused,
};

/// What every list may say.
const LIST_NAMES: [&str; 4] =
    ["symbol", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode"];
/// What every order of a list may say, behind its prefix.
const LEG_NAMES: [&str; 12] = [
    "type",
    "clientOrderId",
    "icebergQty",
    "price",
    "stopPrice",
    "trailingDelta",
    "timeInForce",
    "strategyId",
    "strategyType",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
];

/// A list that is well formed; whether it is taken is not yet known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListForm {
    pub(super) symbol: String,
    pub(super) client_id: Option<String>,
    pub(super) response: ResponseType,
    pub(super) self_trade: Option<String>,
    pub(super) shape: ShapeForm,
}

/// The orders of a list, in the order in which they are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ShapeForm {
    Oco([LegForm; 2]),
    Oto { working: LegForm, pending: LegForm },
    Otoco { working: LegForm, pending: [LegForm; 2] },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LegForm {
    pub(super) side: Side,
    pub(super) kind: OrderKind,
    pub(super) trigger: Option<Trigger>,
    pub(super) client_id: Option<String>,
    pub(super) extras: Extras,
}

impl ShapeForm {
    pub(super) fn legs(&self) -> Vec<&LegForm> {
        match self {
            Self::Oco([one, two]) => vec![one, two],
            Self::Oto { working, pending } => vec![working, pending],
            Self::Otoco { working, pending: [one, two] } => vec![working, one, two],
        }
    }
}

pub(super) fn oco(params: &Params) -> Result<ListForm, Refused> {
    known(params, &["above", "below"], &["side", "quantity"])?;
    let side = order_form::side(params, "side")?;
    let pair = pair(params, side, ("above", "below"), "quantity")?;
    list(params, ShapeForm::Oco(pair))
}

pub(super) fn oto(params: &Params) -> Result<ListForm, Refused> {
    let own = ["workingSide", "workingQuantity", "pendingSide", "pendingQuantity"];
    known(params, &["working", "pending"], &own)?;
    let working = working(params)?;
    let place = Place { prefix: "pending", qty: "pendingQuantity" };
    let side = order_form::side(params, "pendingSide")?;
    let pending = leg(params, side, place)?;
    list(params, ShapeForm::Oto { working, pending })
}

pub(super) fn otoco(params: &Params) -> Result<ListForm, Refused> {
    let own = ["workingSide", "workingQuantity", "pendingSide", "pendingQuantity"];
    known(params, &["working", "pendingAbove", "pendingBelow"], &own)?;
    let working = working(params)?;
    let side = order_form::side(params, "pendingSide")?;
    let pending = pair(params, side, ("pendingAbove", "pendingBelow"), "pendingQuantity")?;
    list(params, ShapeForm::Otoco { working, pending })
}

/// The older form: a limit order, and a stop with or without a limit.
pub(super) fn legacy_oco(params: &Params) -> Result<ListForm, Refused> {
    const NAMES: [&str; 15] = [
        "side",
        "quantity",
        "limitClientOrderId",
        "price",
        "limitStrategyId",
        "limitStrategyType",
        "limitIcebergQty",
        "trailingDelta",
        "stopClientOrderId",
        "stopPrice",
        "stopStrategyId",
        "stopStrategyType",
        "stopLimitPrice",
        "stopIcebergQty",
        "stopLimitTimeInForce",
    ];
    const NUMBERS: [&str; 6] =
        ["quantity", "price", "stopPrice", "stopLimitPrice", "limitIcebergQty", "stopIcebergQty"];
    known(params, &[], &NAMES)?;
    for name in NUMBERS {
        params.number(name)?;
    }
    params.integer("trailingDelta")?;
    let side = order_form::side(params, "side")?;
    let renamed = |prefix: &'static str, pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().filter_map(|(from, to)| Some((*to, params.get(from)?)));
        let pairs = pairs.chain(params.get("quantity").map(|qty| ("quantity", qty)));
        let part = Params::of_pairs(pairs);
        let place = Place { prefix, qty: "quantity" };
        (part, place)
    };
    let (limit, limit_place) = renamed(
        "limit",
        &[
            ("price", "limitPrice"),
            ("limitClientOrderId", "limitClientOrderId"),
            ("limitStrategyId", "limitStrategyId"),
            ("limitStrategyType", "limitStrategyType"),
            ("limitIcebergQty", "limitIcebergQty"),
        ],
    );
    let (stop, stop_place) = renamed(
        "stop",
        &[
            ("stopPrice", "stopStopPrice"),
            ("trailingDelta", "stopTrailingDelta"),
            ("stopLimitPrice", "stopPrice"),
            ("stopLimitTimeInForce", "stopTimeInForce"),
            ("stopClientOrderId", "stopClientOrderId"),
            ("stopStrategyId", "stopStrategyId"),
            ("stopStrategyType", "stopStrategyType"),
            ("stopIcebergQty", "stopIcebergQty"),
        ],
    );
    params.required("quantity")?;
    params.required("price")?;
    params.required("stopPrice")?;
    let has_limit = params.is_set("stopLimitPrice");
    if has_limit {
        params.required("stopLimitTimeInForce")?;
    }
    let stop_type = if has_limit { "STOP_LOSS_LIMIT" } else { "STOP_LOSS" };
    let stop = typed_leg(&stop, side, stop_place, stop_type)?;
    let limit = typed_leg(&limit, side, limit_place, "LIMIT_MAKER")?;
    list(params, ShapeForm::Oco([stop, limit]))
}

fn known(params: &Params, prefixes: &[&str], own: &[&str]) -> Result<(), Refused> {
    let of_legs = prefixes.iter().flat_map(|prefix| {
        let place = Place { prefix, qty: "" };
        LEG_NAMES.map(|name| place.name(name))
    });
    let of_legs: Vec<String> = of_legs.collect();
    let names: Vec<&str> = of_legs.iter().map(String::as_str).collect();
    params.only(&[names.as_slice(), &LIST_NAMES, own].concat())
}

fn list(params: &Params, shape: ShapeForm) -> Result<ListForm, Refused> {
    Ok(ListForm {
        symbol: params.symbol()?,
        client_id: params.client_id("listClientOrderId")?,
        response: order_form::response(params)?.unwrap_or(ResponseType::Result),
        self_trade: params.text("selfTradePreventionMode")?.map(str::to_owned),
        shape,
    })
}

fn working(params: &Params) -> Result<LegForm, Refused> {
    let place = Place { prefix: "working", qty: "workingQuantity" };
    let kind = params.required("workingType")?;
    if !matches!(kind, "LIMIT" | "LIMIT_MAKER") {
        let text = "Order type not supported for the working order.";
        return Err(Refused::new(-1159, text));
    }
    typed_leg(params, order_form::side(params, "workingSide")?, place, kind)
}

fn leg(params: &Params, side: Side, place: Place<'_>) -> Result<LegForm, Refused> {
    let kind = params.required(&place.name("type"))?;
    typed_leg(params, side, place, kind)
}

fn typed_leg(
    params: &Params,
    side: Side,
    place: Place<'_>,
    kind: &str,
) -> Result<LegForm, Refused> {
    match place.read(params, kind)? {
        Asked::Kind(kind, trigger) => Ok(LegForm {
            side,
            kind,
            trigger,
            client_id: params.client_id(&place.name("clientOrderId"))?,
            extras: place.extras(params)?,
        }),
        Asked::Unsupported(name) => {
            let text = format!("{name} are not supported for this symbol.");
            Err(Refused::new(-2010, text))
        }
    }
}

/// Two orders of which either ends the other; the one that waits for its trigger is numbered first.
fn pair(
    params: &Params,
    side: Side,
    (above, below): (&str, &str),
    qty: &str,
) -> Result<[LegForm; 2], Refused> {
    let name =
        |prefix: &str| params.required(&Place { prefix, qty }.name("type")).and_then(oco_type);
    let types = (name(above)?, name(below)?);
    fits(side, types)?;
    let above = leg(params, side, Place { prefix: above, qty })?;
    let below = leg(params, side, Place { prefix: below, qty })?;
    let is_limit = above.trigger.is_none();
    let is_profit = above.trigger.is_some_and(|trigger| trigger.kind == TriggerKind::TakeProfit);
    Ok(if is_limit || is_profit { [below, above] } else { [above, below] })
}

/// A type of order that may be in a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OcoType {
    Limit,
    StopLoss,
    TakeProfit,
}

fn oco_type(text: &str) -> Result<OcoType, Refused> {
    match text {
        "LIMIT_MAKER" => Ok(OcoType::Limit),
        "STOP_LOSS" | "STOP_LOSS_LIMIT" => Ok(OcoType::StopLoss),
        "TAKE_PROFIT" | "TAKE_PROFIT_LIMIT" => Ok(OcoType::TakeProfit),
        _ => Err(Refused::new(-1158, "Order type not supported in OCO.")),
    }
}

/// Which type may stand above the market, and which below ("Error codes", -1165 to -1199).
fn fits(side: Side, (above, below): (OcoType, OcoType)) -> Result<(), Refused> {
    let (code, text) = match (side, above, below) {
        (_, OcoType::Limit, OcoType::Limit) => {
            (-1168, "At least one OCO order must be contingent.")
        }
        (Side::Buy, OcoType::Limit, _) => (-1165, "A limit order in a buy OCO must be below."),
        (Side::Sell, _, OcoType::Limit) => (-1166, "A limit order in a sell OCO must be above."),
        (Side::Buy, _, OcoType::StopLoss) => {
            (-1196, "A stop loss order in a buy OCO must be above.")
        }
        (Side::Sell, OcoType::StopLoss, _) => {
            (-1197, "A stop loss order in a sell OCO must be below.")
        }
        (Side::Buy, OcoType::TakeProfit, _) => {
            (-1198, "A take profit order in a buy OCO must be below.")
        }
        (Side::Sell, _, OcoType::TakeProfit) => {
            (-1199, "A take profit order in a sell OCO must be above.")
        }
        (Side::Buy, OcoType::StopLoss, OcoType::Limit | OcoType::TakeProfit)
        | (Side::Sell, OcoType::Limit | OcoType::TakeProfit, OcoType::StopLoss) => return Ok(()),
    };
    Err(Refused::new(code, text))
}

#[cfg(test)]
mod tests;
