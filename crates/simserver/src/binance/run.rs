//! Carries out what was asked, once it is known to be allowed.

use serde_json::{Value, json};
use tranche_model::{ids::InstrumentId, time::Timestamp};

use crate::{
    faults::{Dealt, Fault, STRANGE},
    world::{Key, World},
};

use super::{op::Op, refused::Refused};

/// An answer, and whether it tells of a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) body: Value,
    pub(super) is_placement: bool,
}

/// When a request is carried out, and as of when its reads are answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) now: Timestamp,
    pub(super) as_of: Timestamp,
}

impl Done {
    /// The answer as the faults leave it.
    pub(super) fn disguised(mut self, dealt: &Dealt) -> Self {
        if dealt.has(Fault::StrangeStatus)
            && let Some(status) = self.body.get_mut("status")
        {
            *status = STRANGE.into();
        }
        self
    }
}

impl From<Value> for Done {
    fn from(body: Value) -> Self {
        Self { body, is_placement: false }
    }
}

impl World {
    pub(super) fn id_of(&self, symbol: &str) -> Result<InstrumentId, Refused> {
        self.instrument(symbol).map(|found| found.id).ok_or_else(Refused::bad_symbol)
    }

    /// Requests that need no key.
    pub(super) fn run_public(&mut self, op: &Op, when: When) -> Result<Done, Refused> {
        let now = when.now;
        let body = match op {
            Op::Ping => json!({}),
            Op::Time => json!({"serverTime": self.told(now).ms()}),
            Op::ExchangeInfo { symbols, status } => {
                self.exchange_info(symbols.as_deref(), status.as_deref(), self.told(now))?
            }
            Op::Depth { symbol, limit } => self.depth(self.id_of(symbol)?, *limit),
            Op::Trades { symbol, limit } => self.trades(self.id_of(symbol)?, *limit),
            Op::AggTrades { symbol, from_id, span } => {
                self.agg_trades(self.id_of(symbol)?, *from_id, *span)
            }
            Op::Klines { symbol, interval, span } => {
                self.klines(self.id_of(symbol)?, *interval, *span, now)
            }
            Op::AvgPrice { symbol } => self.avg_price(self.id_of(symbol)?, now),
            Op::Ticker24 { symbols, is_mini, is_single } => {
                let row = |world: &Self, id| world.ticker_24(id, *is_mini, now);
                self.rows_of(symbols.as_deref(), *is_single, row)?
            }
            Op::TickerPrice { symbols, is_single } => {
                self.rows_of(symbols.as_deref(), *is_single, Self::ticker_price)?
            }
            Op::TickerBook { symbols, is_single } => {
                self.rows_of(symbols.as_deref(), *is_single, Self::ticker_book)?
            }
            Op::Place(_)
            | Op::TestOrder(_)
            | Op::Cancel { .. }
            | Op::CancelAll { .. }
            | Op::Replace(_)
            | Op::Amend { .. }
            | Op::Amendments { .. }
            | Op::Order { .. }
            | Op::OpenOrders { .. }
            | Op::AllOrders { .. }
            | Op::MyTrades { .. }
            | Op::Account { .. }
            | Op::Commission { .. }
            | Op::OrderCounts
            | Op::Restrictions
            | Op::OrderList { .. }
            | Op::AllOrderLists { .. }
            | Op::OpenOrderLists
            | Op::CancelList { .. }
            | Op::PlaceOpo { .. }
            | Op::PlaceList(_) => return Err(Refused::bad_key()),
        };
        Ok(body.into())
    }

    /// Requests of an account.
    pub(super) fn run_private(&mut self, key: &Key, op: &Op, when: When) -> Result<Done, Refused> {
        let account = key.account;
        let body = match op {
            Op::Place(form) => {
                let body = self.place(account, form, when.now)?;
                return Ok(Done { body, is_placement: true });
            }
            Op::Replace(form) => {
                let body = self.replace(account, form, when.now)?;
                return Ok(Done { body, is_placement: true });
            }
            Op::TestOrder(form) => self.test_order(account, form)?,
            Op::Cancel { symbol, cancel } => self.cancel(account, symbol, cancel, when.now)?,
            Op::CancelAll { symbol } => self.cancel_all(account, symbol, when.now)?,
            Op::Amend { symbol, amend } => self.amend(account, symbol, amend, when.now)?,
            Op::Amendments { symbol, order, from_execution, limit } => {
                self.amendments((account, symbol), *order, (*from_execution, *limit), when)?
            }
            Op::PlaceList(form) => {
                let body = self.place_list(account, form, when.now)?;
                return Ok(Done { body, is_placement: true });
            }
            Op::PlaceOpo { symbol } => {
                self.id_of(symbol)?;
                // `exchangeInfo` says `opoAllowed: false`.
                return Err(Refused::new(-2010, "OPO orders are not supported for this symbol."));
            }
            Op::CancelList { symbol, wanted, own_id } => {
                self.cancel_list((account, symbol), wanted, own_id.clone(), when.now)?
            }
            Op::Order { symbol, wanted } => self.order(account, symbol, wanted, when)?,
            Op::OpenOrders { symbol } => self.open_orders(account, symbol.as_deref(), when)?,
            Op::AllOrders { symbol, from_id, span } => {
                self.all_orders((account, symbol), *from_id, *span, when)?
            }
            Op::MyTrades { symbol, order, from_id, span } => {
                self.my_trades((account, symbol), (*order, *from_id), *span, when)?
            }
            Op::Account { omits_zero } => self.account_status(key, *omits_zero, when.now),
            Op::Commission { symbol } => self.commission(account, symbol)?,
            Op::OrderCounts => self.order_counts(account, when.now),
            Op::Restrictions => restrictions(key),
            Op::OrderList { wanted } => self.order_list(account, wanted, when)?,
            Op::AllOrderLists { from_id, span } => {
                self.all_order_lists(account, *from_id, *span, when)
            }
            Op::OpenOrderLists => self.open_order_lists(account, when),
            Op::Ping
            | Op::Time
            | Op::ExchangeInfo { .. }
            | Op::Depth { .. }
            | Op::Trades { .. }
            | Op::AggTrades { .. }
            | Op::Klines { .. }
            | Op::AvgPrice { .. }
            | Op::Ticker24 { .. }
            | Op::TickerPrice { .. }
            | Op::TickerBook { .. } => return self.run_public(op, when),
        };
        Ok(body.into())
    }
}

/// The rights of a key (Binance wallet API, "Get API Key Permission").
fn restrictions(key: &Key) -> Value {
    json!({
        "ipRestrict": key.is_ip_restricted,
        "createTime": key.created_at.ms(),
        "enableReading": key.rights.read,
        "enableSpotAndMarginTrading": key.rights.trade,
        "enableWithdrawals": key.rights.withdraw,
        "enableInternalTransfer": false,
        "permitsUniversalTransfer": false,
        "enableMargin": false,
        "enableFutures": false,
        "enableVanillaOptions": false,
        "enablePortfolioMarginTrading": false,
        "enableFixApiTrade": false,
        "enableFixReadOnly": false,
    })
}
