//! Which paths and methods there are, who may use them, and what they weigh.
//!
//! Binance spot API documents, "REST API" and "WebSocket API" (2026-07-21).

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    AggTrades,
    Klines,
    AvgPrice,
    Ticker24,
    TickerPrice,
    TickerBook,
    Place,
    TestOrder,
    Cancel,
    CancelAll,
    Replace,
    Amend,
    Order,
    OpenOrders,
    AllOrders,
    MyTrades,
    Account,
    Commission,
    OrderCounts,
    Restrictions,
    Amendments,
    PlaceOco,
    /// The form that came before the present one.
    PlaceLegacyOco,
    PlaceOto,
    PlaceOtoco,
    /// Lists whose second part is what the first one bought: not on this exchange.
    PlaceOpo,
    CancelList,
    OrderList,
    AllOrderLists,
    OpenOrderLists,
}

/// What a key must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    None,
    Read,
    Trade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(crate) right: Right,
}

use Endpoint as E;
use Right as R;

/// HTTP method, path, method of the WebSocket API, endpoint, right.
const ROUTES: [(&str, &str, &str, Endpoint, Right); 37] = [
    ("GET", "/api/v3/ping", "ping", E::Ping, R::None),
    ("GET", "/api/v3/time", "time", E::Time, R::None),
    ("GET", "/api/v3/exchangeInfo", "exchangeInfo", E::ExchangeInfo, R::None),
    ("GET", "/api/v3/depth", "depth", E::Depth, R::None),
    ("GET", "/api/v3/trades", "trades.recent", E::Trades, R::None),
    ("GET", "/api/v3/aggTrades", "trades.aggregate", E::AggTrades, R::None),
    ("GET", "/api/v3/klines", "klines", E::Klines, R::None),
    ("GET", "/api/v3/avgPrice", "avgPrice", E::AvgPrice, R::None),
    ("GET", "/api/v3/ticker/24hr", "ticker.24hr", E::Ticker24, R::None),
    ("GET", "/api/v3/ticker/price", "ticker.price", E::TickerPrice, R::None),
    ("GET", "/api/v3/ticker/bookTicker", "ticker.book", E::TickerBook, R::None),
    ("POST", "/api/v3/order", "order.place", E::Place, R::Trade),
    ("POST", "/api/v3/order/test", "order.test", E::TestOrder, R::Trade),
    ("DELETE", "/api/v3/order", "order.cancel", E::Cancel, R::Trade),
    ("DELETE", "/api/v3/openOrders", "openOrders.cancelAll", E::CancelAll, R::Trade),
    ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace", E::Replace, R::Trade),
    ("PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority", E::Amend, R::Trade),
    ("GET", "/api/v3/order", "order.status", E::Order, R::Read),
    ("GET", "/api/v3/openOrders", "openOrders.status", E::OpenOrders, R::Read),
    ("GET", "/api/v3/allOrders", "allOrders", E::AllOrders, R::Read),
    ("GET", "/api/v3/myTrades", "myTrades", E::MyTrades, R::Read),
    ("GET", "/api/v3/account", "account.status", E::Account, R::Read),
    ("GET", "/api/v3/account/commission", "account.commission", E::Commission, R::Read),
    ("GET", "/api/v3/rateLimit/order", "account.rateLimits.orders", E::OrderCounts, R::Read),
    ("GET", "/sapi/v1/account/apiRestrictions", "", E::Restrictions, R::Read),
    ("GET", "/api/v3/order/amendments", "order.amendments", E::Amendments, R::Read),
    ("GET", "/api/v3/orderList", "orderList.status", E::OrderList, R::Read),
    ("DELETE", "/api/v3/orderList", "orderList.cancel", E::CancelList, R::Trade),
    ("GET", "/api/v3/allOrderList", "allOrderLists", E::AllOrderLists, R::Read),
    ("GET", "/api/v3/openOrderList", "openOrderLists.status", E::OpenOrderLists, R::Read),
    ("POST", "/api/v3/orderList/oco", "orderList.place.oco", E::PlaceOco, R::Trade),
    ("POST", "/api/v3/orderList/oto", "orderList.place.oto", E::PlaceOto, R::Trade),
    ("POST", "/api/v3/orderList/otoco", "orderList.place.otoco", E::PlaceOtoco, R::Trade),
    ("POST", "/api/v3/orderList/opo", "orderList.place.opo", E::PlaceOpo, R::Trade),
    ("POST", "/api/v3/orderList/opoco", "orderList.place.opoco", E::PlaceOpo, R::Trade),
    ("POST", "/api/v3/order/oco", "orderList.place", E::PlaceLegacyOco, R::Trade),
    ("GET", "/api/v3/uiKlines", "uiKlines", E::Klines, R::None),
];

/// Removed on 2026-02-20; they answer 410.
const REMOVED: &str = "/api/v3/userDataStream";

impl Route {
    pub(crate) fn of_request(method: &str, path: &str) -> Option<Self> {
        let found = ROUTES.iter().find(|(verb, place, ..)| *verb == method && *place == path);
        found.map(|(.., endpoint, right)| Self { endpoint: *endpoint, right: *right })
    }

    pub(crate) fn of_frame(method: &str) -> Option<Self> {
        let found = ROUTES.iter().find(|(_, _, name, ..)| !name.is_empty() && *name == method);
        found.map(|(.., endpoint, right)| Self { endpoint: *endpoint, right: *right })
    }

    pub(crate) fn is_removed(path: &str) -> bool {
        path == REMOVED
    }

    /// Whether the path is there under another HTTP method.
    pub(crate) fn is_known(path: &str) -> bool {
        ROUTES.iter().any(|(_, place, ..)| *place == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_frames_lead_to_the_same_endpoint() {
        let by_path = Route::of_request("POST", "/api/v3/order").unwrap();

        assert_eq!(Route::of_frame("order.place"), Some(by_path));
        assert_eq!(by_path.right, Right::Trade);
        assert_eq!(Route::of_frame(""), None);
        assert_eq!(Route::of_request("PATCH", "/api/v3/order"), None);
    }
}
