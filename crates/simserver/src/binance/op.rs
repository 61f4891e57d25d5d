//! A request that is well formed: every parameter read, nothing looked up yet.

use tranche_model::money::Qty;

use crate::world::{candles::Interval, lists::ListRef, records::OrderRef};

use super::{
    list_form::{self, ListForm},
    order_form::{self, OrderForm},
    params::Params,
    refused::Refused,
    routes::Endpoint,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Ping,
    Time,
    ExchangeInfo {
        symbols: Option<Vec<String>>,
        status: Option<String>,
    },
    Depth {
        symbol: String,
        limit: usize,
    },
    Trades {
        symbol: String,
        limit: usize,
    },
    AggTrades {
        symbol: String,
        from_id: Option<u64>,
        span: Span,
    },
    Klines {
        symbol: String,
        interval: Interval,
        span: Span,
    },
    AvgPrice {
        symbol: String,
    },
    Ticker24 {
        symbols: Option<Vec<String>>,
        is_mini: bool,
        is_single: bool,
    },
    TickerPrice {
        symbols: Option<Vec<String>>,
        is_single: bool,
    },
    TickerBook {
        symbols: Option<Vec<String>>,
        is_single: bool,
    },
    Place(OrderForm),
    TestOrder(OrderForm),
    Cancel {
        symbol: String,
        cancel: CancelForm,
    },
    CancelAll {
        symbol: String,
    },
    Replace(Box<ReplaceForm>),
    Amend {
        symbol: String,
        amend: AmendForm,
    },
    Amendments {
        symbol: String,
        order: u64,
        from_execution: Option<u64>,
        limit: usize,
    },
    Order {
        symbol: String,
        wanted: OrderRef,
    },
    OpenOrders {
        symbol: Option<String>,
    },
    AllOrders {
        symbol: String,
        from_id: Option<u64>,
        span: Span,
    },
    MyTrades {
        symbol: String,
        order: Option<u64>,
        from_id: Option<u64>,
        span: Span,
    },
    Account {
        omits_zero: bool,
    },
    Commission {
        symbol: String,
    },
    OrderCounts,
    Restrictions,
    PlaceList(Box<ListForm>),
    /// A kind of list that the exchange does not carry.
    PlaceOpo {
        symbol: String,
    },
    CancelList {
        symbol: String,
        wanted: ListRef,
        own_id: Option<String>,
    },
    OrderList {
        wanted: ListRef,
    },
    AllOrderLists {
        from_id: Option<u64>,
        span: Span,
    },
    OpenOrderLists,
}

/// A stretch of time and the most rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CancelForm {
    pub(super) wanted: OrderRef,
    pub(super) own_id: Option<String>,
    pub(super) only: Option<CancelOnly>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AmendForm {
    pub(super) wanted: OrderRef,
    pub(super) own_id: Option<String>,
    pub(super) qty: Qty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CancelOnly {
    New,
    PartiallyFilled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplaceForm {
    pub(super) order: OrderForm,
    pub(super) cancel: CancelForm,
    pub(super) stops_on_failure: bool,
    /// Cancels although there is no room for one more order.
    pub(super) cancels_when_full: bool,
}

/// What a replacement says beside the new order.
const REPLACE_NAMES: [&str; 6] = [
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "orderRateLimitExceededMode",
    "cancelRestrictions",
];
/// Longest stretch of a read of orders and trades.
const DAY_MS: i64 = 86_400_000;
const ROWS: usize = 500;
const ROWS_MAX: usize = 1000;

impl Op {
    pub(super) fn read(endpoint: Endpoint, params: &Params) -> Result<Self, Refused> {
        match endpoint {
            Endpoint::Ping => params.only(&[]).map(|()| Self::Ping),
            Endpoint::Time => params.only(&[]).map(|()| Self::Time),
            Endpoint::ExchangeInfo => exchange_info(params),
            Endpoint::Depth => {
                params.only(&["symbol", "limit", "symbolStatus"])?;
                Ok(Self::Depth { symbol: params.symbol()?, limit: params.limit(100, 5000)? })
            }
            Endpoint::Trades => {
                params.only(&["symbol", "limit"])?;
                Ok(Self::Trades { symbol: params.symbol()?, limit: params.limit(ROWS, ROWS_MAX)? })
            }
            Endpoint::AggTrades => {
                params.only(&["symbol", "fromId", "startTime", "endTime", "limit"])?;
                let (symbol, from_id) = (params.symbol()?, params.number_of("fromId")?);
                Ok(Self::AggTrades { symbol, from_id, span: span(params)? })
            }
            Endpoint::Klines => klines(params),
            Endpoint::AvgPrice => symbol_only(params).map(|symbol| Self::AvgPrice { symbol }),
            Endpoint::Ticker24 => {
                let (symbols, is_single) = ticker(params)?;
                let is_mini = params.text("type")? == Some("MINI");
                Ok(Self::Ticker24 { symbols, is_mini, is_single })
            }
            Endpoint::TickerPrice => {
                ticker(params).map(|(symbols, is_single)| Self::TickerPrice { symbols, is_single })
            }
            Endpoint::TickerBook => {
                ticker(params).map(|(symbols, is_single)| Self::TickerBook { symbols, is_single })
            }
            Endpoint::Place => order_form::read(params).map(Self::Place),
            Endpoint::TestOrder => order_form::read(params).map(Self::TestOrder),
            Endpoint::Cancel => cancel_one(params),
            Endpoint::CancelAll => symbol_only(params).map(|symbol| Self::CancelAll { symbol }),
            Endpoint::Replace => replace(params).map(|form| Self::Replace(Box::new(form))),
            Endpoint::Amend => amend(params),
            Endpoint::Amendments => amendments(params),
            Endpoint::PlaceOco => list_form::oco(params).map(placed_list),
            Endpoint::PlaceLegacyOco => list_form::legacy_oco(params).map(placed_list),
            Endpoint::PlaceOto => list_form::oto(params).map(placed_list),
            Endpoint::PlaceOtoco => list_form::otoco(params).map(placed_list),
            Endpoint::PlaceOpo => Ok(Self::PlaceOpo { symbol: params.symbol()? }),
            Endpoint::Order => order(params),
            Endpoint::OpenOrders => {
                params.only(&["symbol"])?;
                let symbol = params.text("symbol")?.map(|_| params.symbol()).transpose()?;
                Ok(Self::OpenOrders { symbol })
            }
            Endpoint::AllOrders => all_orders(params),
            Endpoint::MyTrades => my_trades(params),
            Endpoint::Account => {
                params.only(&["omitZeroBalances"])?;
                let omits_zero = params.flag("omitZeroBalances")?.unwrap_or(false);
                Ok(Self::Account { omits_zero })
            }
            Endpoint::Commission => symbol_only(params).map(|symbol| Self::Commission { symbol }),
            Endpoint::OrderCounts => params.only(&[]).map(|()| Self::OrderCounts),
            Endpoint::Restrictions => params.only(&[]).map(|()| Self::Restrictions),
            Endpoint::CancelList => cancel_list(params),
            Endpoint::OrderList => {
                params.only(&["orderListId", "origClientOrderId"])?;
                list_ref(params, "origClientOrderId").map(|wanted| Self::OrderList { wanted })
            }
            Endpoint::AllOrderLists => all_order_lists(params),
            Endpoint::OpenOrderLists => params.only(&[]).map(|()| Self::OpenOrderLists),
        }
    }

    /// What it weighs when it succeeds (or changes nothing), and when it fails.
    pub(super) fn weights(&self) -> (u32, u32) {
        let reads = |weight| (weight, weight);
        match self {
            Self::Place(_)
            | Self::Cancel { .. }
            | Self::CancelAll { .. }
            | Self::Replace(_)
            | Self::PlaceList(_)
            | Self::PlaceOpo { .. }
            | Self::CancelList { .. } => (0, 1),
            Self::TestOrder(form) => reads(if form.with_rates { 20 } else { 1 }),
            Self::Ping | Self::Time | Self::Restrictions => reads(1),
            Self::ExchangeInfo { .. }
            | Self::AllOrders { .. }
            | Self::AllOrderLists { .. }
            | Self::Account { .. }
            | Self::Commission { .. } => reads(20),
            Self::Depth { limit, .. } => reads(match limit {
                0..=100 => 5,
                101..=500 => 25,
                501..=1000 => 50,
                _ => 250,
            }),
            Self::Trades { .. } => reads(25),
            Self::Klines { .. } | Self::AvgPrice { .. } => reads(2),
            Self::Amend { .. }
            | Self::Amendments { .. }
            | Self::Order { .. }
            | Self::OrderList { .. }
            | Self::AggTrades { .. } => reads(4),
            Self::Ticker24 { symbols, .. } => reads(match symbols.as_ref().map(Vec::len) {
                Some(0..=20) => 2,
                Some(21..=100) => 40,
                Some(_) | None => 80,
            }),
            Self::TickerPrice { is_single, .. } | Self::TickerBook { is_single, .. } => {
                reads(if *is_single { 2 } else { 4 })
            }
            Self::OpenOrders { symbol } => reads(if symbol.is_some() { 6 } else { 80 }),
            Self::MyTrades { order, .. } => reads(if order.is_some() { 5 } else { 20 }),
            Self::OrderCounts => reads(40),
            Self::OpenOrderLists => reads(6),
        }
    }
}

fn exchange_info(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"])?;
    let status = params.text("symbolStatus")?.map(str::to_owned);
    Ok(Op::ExchangeInfo { symbols: params.symbols()?, status })
}

fn klines(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "interval", "startTime", "endTime", "timeZone", "limit"])?;
    let interval = Interval::parse(params.required("interval")?)
        .ok_or_else(|| Refused::new(-1120, "Invalid interval."))?;
    Ok(Op::Klines { symbol: params.symbol()?, interval, span: span(params)? })
}

fn symbol_only(params: &Params) -> Result<String, Refused> {
    params.only(&["symbol"])?;
    params.symbol()
}

/// The symbols, and whether one alone was asked for.
fn ticker(params: &Params) -> Result<(Option<Vec<String>>, bool), Refused> {
    params.only(&["symbol", "symbols", "type", "symbolStatus"])?;
    Ok((params.symbols()?, params.is_set("symbol")))
}

fn cancel_one(params: &Params) -> Result<Op, Refused> {
    const NAMES: [&str; 5] =
        ["symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"];
    params.only(&NAMES)?;
    let cancel = cancel(params, ("orderId", "origClientOrderId", "newClientOrderId"))?;
    Ok(Op::Cancel { symbol: params.symbol()?, cancel })
}

fn order(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderId", "origClientOrderId"])?;
    let wanted = order_ref(params, "orderId", "origClientOrderId")?;
    Ok(Op::Order { symbol: params.symbol()?, wanted })
}

fn all_orders(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderId", "startTime", "endTime", "limit"])?;
    let (symbol, from_id) = (params.symbol()?, params.number_of("orderId")?);
    Ok(Op::AllOrders { symbol, from_id, span: day(params)? })
}

fn placed_list(form: ListForm) -> Op {
    Op::PlaceList(Box::new(form))
}

fn amend(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderId", "origClientOrderId", "newClientOrderId", "newQty"])?;
    let wanted = order_ref(params, "orderId", "origClientOrderId")?;
    params.number("newQty")?;
    let qty = Qty::parse(params.required("newQty")?)
        .map_err(|_| Refused::new(-1111, "Parameter 'newQty' has too much precision."))?;
    let amend = AmendForm { wanted, own_id: params.client_id("newClientOrderId")?, qty };
    Ok(Op::Amend { symbol: params.symbol()?, amend })
}

fn amendments(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderId", "fromExecutionId", "limit"])?;
    params.required("orderId")?;
    let order = params.number_of("orderId")?.unwrap_or_default();
    let from_execution = params.number_of("fromExecutionId")?;
    let limit = params.limit(ROWS, ROWS_MAX)?;
    Ok(Op::Amendments { symbol: params.symbol()?, order, from_execution, limit })
}

fn cancel_list(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderListId", "listClientOrderId", "newClientOrderId"])?;
    let wanted = list_ref(params, "listClientOrderId")?;
    let own_id = params.client_id("newClientOrderId")?;
    Ok(Op::CancelList { symbol: params.symbol()?, wanted, own_id })
}

fn list_ref(params: &Params, client: &str) -> Result<ListRef, Refused> {
    match (params.number_of("orderListId")?, params.client_id(client)?) {
        (Some(number), None) => Ok(ListRef::Number(number)),
        (Some(number), Some(text)) => Ok(ListRef::Both(number, text)),
        (None, Some(text)) => Ok(ListRef::Client(text)),
        (None, None) => {
            let text = format!(
                "Param '{client}' or 'orderListId' must be sent, but both were empty/null!"
            );
            Err(Refused::new(-1102, text))
        }
    }
}

fn all_order_lists(params: &Params) -> Result<Op, Refused> {
    params.only(&["fromId", "startTime", "endTime", "limit"])?;
    let (from_id, span) = (params.number_of("fromId")?, day(params)?);
    if from_id.is_some() && (span.start.is_some() || span.end.is_some()) {
        let text = "Combination of optional parameters invalid.";
        return Err(Refused::new(-1128, text));
    }
    Ok(Op::AllOrderLists { from_id, span })
}

fn replace(params: &Params) -> Result<ReplaceForm, Refused> {
    let stops_on_failure = match params.required("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => true,
        "ALLOW_FAILURE" => false,
        _ => {
            let range = "^(STOP_ON_FAILURE|ALLOW_FAILURE)$";
            return Err(Refused::illegal("cancelReplaceMode", range));
        }
    };
    let cancels_when_full = match params.text("orderRateLimitExceededMode")? {
        None | Some("DO_NOTHING") => false,
        Some("CANCEL_ONLY") => true,
        Some(_) => return Err(Refused::illegal("orderRateLimitExceededMode", "^[A-Z_]+$")),
    };
    let names = ("cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId");
    let (order, cancel) = (order_form::read_with(params, &REPLACE_NAMES)?, cancel(params, names)?);
    Ok(ReplaceForm { order, cancel, stops_on_failure, cancels_when_full })
}

/// `names` are those of the order's number, of its client id and of the cancel's own id.
fn cancel(params: &Params, names: (&str, &str, &str)) -> Result<CancelForm, Refused> {
    let (id, client, own) = names;
    let only = match params.text("cancelRestrictions")? {
        None => None,
        Some("ONLY_NEW") => Some(CancelOnly::New),
        Some("ONLY_PARTIALLY_FILLED") => Some(CancelOnly::PartiallyFilled),
        Some(_) => {
            let text = "Invalid cancelRestrictions: has to be either ONLY_NEW or \
                ONLY_PARTIALLY_FILLED.";
            return Err(Refused::new(-1145, text));
        }
    };
    Ok(CancelForm { wanted: order_ref(params, id, client)?, own_id: params.client_id(own)?, only })
}

fn order_ref(params: &Params, id: &str, client: &str) -> Result<OrderRef, Refused> {
    match (params.number_of(id)?, params.client_id(client)?) {
        (Some(id), None) => Ok(OrderRef::Id(id)),
        (None, Some(text)) => Ok(OrderRef::Client(text)),
        (Some(id), Some(text)) => Ok(OrderRef::Both(id, text)),
        (None, None) => {
            let text =
                format!("Param '{client}' or '{id}' must be sent, but both were empty/null!");
            Err(Refused::new(-1102, text))
        }
    }
}

/// Only some combinations are allowed.
fn my_trades(params: &Params) -> Result<Op, Refused> {
    params.only(&["symbol", "orderId", "startTime", "endTime", "fromId", "limit"])?;
    let (order, from_id) = (params.number_of("orderId")?, params.number_of("fromId")?);
    let span = day(params)?;
    let has_time = span.start.is_some() || span.end.is_some();
    if has_time && (order.is_some() || from_id.is_some()) {
        let text = "Combination of optional parameters invalid.";
        return Err(Refused::new(-1128, text));
    }
    Ok(Op::MyTrades { symbol: params.symbol()?, order, from_id, span })
}

fn span(params: &Params) -> Result<Span, Refused> {
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        return Err(Refused::new(-1100, "Parameter 'startTime' must be before 'endTime'."));
    }
    Ok(Span { start, end, limit: params.limit(ROWS, ROWS_MAX)? })
}

/// A stretch of at most a day.
fn day(params: &Params) -> Result<Span, Refused> {
    let span = span(params)?;
    match (span.start, span.end) {
        (Some(start), Some(end)) if DAY_MS < end.saturating_sub(start) => {
            Err(Refused::new(-1127, "More than 24 hours between startTime and endTime."))
        }
        _ => Ok(span),
    }
}
