//! What happened before: executions without a gap, whose they were, and the highest price.

use std::collections::BTreeSet;

use tranche_model::{
    fill::Fill,
    ids::VenueOrderId,
    money::Price,
    record::Outcome,
    time::{Millis, Timestamp},
};

use super::{
    account::{BinanceAccount, settle, unreadable},
    owners::Owner,
    parse,
    rest::{Ask, Meter, Rest},
    sign::Params,
    wire,
};
use crate::{catalog::Listed, net::http::BodySize};

/// Rows of one answer.
const PAGE: usize = 1000;
/// "The time between startTime and endTime can't be longer than 24 hours."
const DAY_MS: i64 = 86_400_000;
/// Further back it is cheaper to walk all executions from the first one on.
const WINDOWS_MAX: i64 = 30;
const PAGES_MAX: usize = 200;
/// Up to so many orders are asked for one by one.
const SINGLE_ORDERS_MAX: usize = 5;
/// A read may lag behind an execution by this much.
const READ_LAG: Millis = Millis::from_secs(60);

/// Where to go on.
#[derive(Clone, Copy)]
enum Cursor {
    /// A window of time that begins there.
    From(i64),
    /// All executions from this number on.
    Id(u64),
}

/// All executions from `since` on, oldest first, each with its owner. Whole or not at all.
pub(super) async fn trades(
    account: &BinanceAccount,
    listed: &Listed,
    since: Timestamp,
    meter: &mut Meter,
) -> Result<Vec<Fill>, Outcome> {
    let now = account.shared.rest.now().ms();
    let is_recent = now.saturating_sub(since.ms()) <= WINDOWS_MAX.saturating_mul(DAY_MS);
    let mut cursor = if is_recent { Cursor::From(since.ms().max(0)) } else { Cursor::Id(0) };
    let mut fills: Vec<Fill> = Vec::new();
    for _ in 0..PAGES_MAX {
        let (params, is_last_window) = page(listed, cursor, now);
        let body = account.ask(Ask::get("/api/v3/myTrades", params), None, meter).await?;
        let rows: Vec<wire::Trade<'_>> =
            serde_json::from_slice(&body).map_err(|_| unreadable("executions", &body))?;
        for row in &rows {
            let fill = parse::trade(row, listed).map_err(|_| unreadable("execution", &body))?;
            fills.push(fill);
        }
        let last = rows.iter().map(|row| row.id).max();
        cursor = match (cursor, last) {
            (Cursor::From(_), Some(_)) if is_last_window && rows.len() < PAGE => {
                return owned(account, listed, since, fills, meter).await;
            }
            // From the first execution on, numbers are surer than times.
            (Cursor::From(_), Some(last)) => Cursor::Id(last.saturating_add(1)),
            (Cursor::From(_), None) if is_last_window => {
                return owned(account, listed, since, fills, meter).await;
            }
            (Cursor::From(from), None) => Cursor::From(from.saturating_add(DAY_MS)),
            (Cursor::Id(_), Some(last)) if PAGE <= rows.len() => Cursor::Id(last.saturating_add(1)),
            (Cursor::Id(_), _) => return owned(account, listed, since, fills, meter).await,
        };
    }
    tracing::warn!(instrument = %listed.text, "more executions than can be read at once");
    Err(Outcome::Unknown)
}

/// The question, and whether it reaches the present. The last window has no end, so that a wrong clock
/// cuts nothing off.
fn page(listed: &Listed, cursor: Cursor, now: i64) -> (Params, bool) {
    let params = Params::default().with("symbol", &listed.text).with("limit", &PAGE.to_string());
    match cursor {
        Cursor::Id(id) => (params.with("fromId", &id.to_string()), true),
        Cursor::From(from) => {
            let params = params.with("startTime", &from.to_string());
            let end = from.saturating_add(DAY_MS - 1);
            if now <= end {
                return (params, true);
            }
            (params.with("endTime", &end.to_string()), false)
        }
    }
}

async fn owned(
    account: &BinanceAccount,
    listed: &Listed,
    since: Timestamp,
    mut fills: Vec<Fill>,
    meter: &mut Meter,
) -> Result<Vec<Fill>, Outcome> {
    fills.retain(|fill| since <= fill.at);
    fills.sort_by_key(|fill| fill.trade_id);
    fills.dedup_by_key(|fill| fill.trade_id);
    let strangers: BTreeSet<VenueOrderId> = {
        let owners = account.owners();
        let is_new = |fill: &&Fill| owners.get(listed.id(), fill.venue_order_id).is_none();
        fills.iter().filter(is_new).map(|fill| fill.venue_order_id).collect()
    };
    if SINGLE_ORDERS_MAX < strangers.len() {
        learn_all(account, listed, &strangers, meter).await?;
    } else {
        for order in &strangers {
            learn_one(account, listed, *order, meter).await?;
        }
    }
    let young = account.shared.rest.now().minus(READ_LAG);
    let owners = account.owners();
    for fill in &mut fills {
        fill.client_id = match owners.get(listed.id(), fill.venue_order_id) {
            Some(Owner::Ours(id)) => Some(id),
            Some(Owner::Foreign) => None,
            // Its order is not to be read yet; it would be taken for somebody else's.
            None if young <= fill.at => return Err(Outcome::Unknown),
            None => None,
        };
    }
    Ok(fills)
}

async fn learn_one(
    account: &BinanceAccount,
    listed: &Listed,
    order: VenueOrderId,
    meter: &mut Meter,
) -> Result<(), Outcome> {
    let params = Params::default().with("symbol", &listed.text).with("orderId", &order.to_string());
    match account.ask(Ask::get("/api/v3/order", params), None, meter).await {
        Ok(body) => {
            let row: wire::Order<'_> =
                serde_json::from_slice(&body).map_err(|_| unreadable("order", &body))?;
            learn(account, listed, &row);
            Ok(())
        }
        Err(Outcome::Refused(refusal)) if refusal.code == -2013 => Ok(()),
        Err(outcome) => Err(outcome),
    }
}

/// Orders by number, a page at a time.
async fn learn_all(
    account: &BinanceAccount,
    listed: &Listed,
    strangers: &BTreeSet<VenueOrderId>,
    meter: &mut Meter,
) -> Result<(), Outcome> {
    let mut left = strangers.clone();
    for _ in 0..PAGES_MAX {
        let Some(first) = left.first().copied() else { return Ok(()) };
        let params = Params::default()
            .with("symbol", &listed.text)
            .with("orderId", &first.to_string())
            .with("limit", &PAGE.to_string());
        let body = account.ask(Ask::get("/api/v3/allOrders", params), None, meter).await?;
        let rows: Vec<wire::Order<'_>> =
            serde_json::from_slice(&body).map_err(|_| unreadable("orders", &body))?;
        for row in &rows {
            learn(account, listed, row);
        }
        let last = rows.iter().map(|row| VenueOrderId::new(row.order_id.into())).max();
        let Some(last) = last.filter(|_| PAGE <= rows.len()) else { return Ok(()) };
        left.retain(|order| last < *order);
    }
    Err(Outcome::Unknown)
}

fn learn(account: &BinanceAccount, listed: &Listed, row: &wire::Order<'_>) {
    let owner = parse::own_id(parse::order_id_text(row), account.installation);
    account.owners().put(listed.id(), VenueOrderId::new(row.order_id.into()), owner);
}

/// The highest price from the minute of `since` on: minutes up to the full hour, hours up to the full
/// day, then days; the running candle counts as far as it goes.
pub(super) async fn high(
    rest: &Rest,
    listed: &Listed,
    since: Timestamp,
    meter: &mut Meter,
) -> Result<Option<Price>, Outcome> {
    const STAGES: [(&str, i64, i64); 3] =
        [("1m", 60_000, 3_600_000), ("1h", 3_600_000, DAY_MS), ("1d", DAY_MS, i64::MAX)];
    let now = rest.now().ms();
    let mut from = since.ms().max(0).div_euclid(60_000).saturating_mul(60_000);
    let mut high: Option<Price> = None;
    for (interval, length, whole) in STAGES {
        let is_last = whole == i64::MAX;
        if !is_last && from.rem_euclid(whole) == 0 {
            continue;
        }
        let end = if is_last { whole } else { from.div_euclid(whole).saturating_add(1) * whole };
        // Days reach far: a page of them is almost three years.
        while from < end && from <= now {
            let page_end = from.saturating_add(length.saturating_mul(1000)).min(end);
            let params = Params::default()
                .with("symbol", &listed.text)
                .with("interval", interval)
                .with("startTime", &from.to_string())
                .with("endTime", &page_end.saturating_sub(1).to_string())
                .with("limit", &PAGE.to_string());
            let ask = Ask::get("/api/v3/klines", params);
            let body = settle(rest.public(ask, BodySize::Usual, meter).await)?;
            let rows: Vec<wire::Kline<'_>> =
                serde_json::from_slice(&body).map_err(|_| unreadable("candles", &body))?;
            for row in &rows {
                let candle = parse::kline(row).map_err(|_| unreadable("candle", &body))?.0;
                high = high.max(Some(candle.high));
            }
            from = page_end;
        }
    }
    Ok(high)
}
