//! What crosses floors: calls to a venue and their outcomes, and the rows of a commit.
//!
//! Bodies of snapshots and journal entries are opaque bytes here; `trading::codec` writes and reads
//! them.

use serde::{Deserialize, Serialize};

use crate::{
    balance::Balance,
    client_order_id::ClientOrderId,
    fill::Fill,
    filter::Rule,
    ids::{AccountId, BotId, CommandId, DealNo, Epoch, InstrumentId, Seq, VenueOrderId},
    money::{Price, Quote},
    order::{ForeignOrder, OrderReport, OrderRequest},
    time::Timestamp,
};

/// One thing asked of a venue on behalf of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// May leave until `send_by`; afterwards it counts as not sent.
    Place {
        request: OrderRequest,
        send_by: Timestamp,
    },
    Cancel {
        client_id: ClientOrderId,
        instrument: InstrumentId,
    },
    /// Takes back an order that carries our mark but that no memory of ours knows by its id.
    CancelByVenueId {
        venue_id: VenueOrderId,
        instrument: InstrumentId,
    },
    QueryOrder {
        client_id: ClientOrderId,
        instrument: InstrumentId,
    },
    OpenOrders,
    /// All executions on the instrument from `since` on.
    Trades {
        instrument: InstrumentId,
        since: Timestamp,
    },
    Balances,
    /// The highest price traded from `since` on, from one-minute candles.
    Highs {
        instrument: InstrumentId,
        since: Timestamp,
    },
}

impl Call {
    /// Whether it only asks and changes nothing.
    pub const fn is_question(&self) -> bool {
        match self {
            Self::QueryOrder { .. }
            | Self::OpenOrders
            | Self::Trades { .. }
            | Self::Balances
            | Self::Highs { .. } => true,
            Self::Place { .. } | Self::Cancel { .. } | Self::CancelByVenueId { .. } => false,
        }
    }
}

/// The order in which calls leave when not all can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallLane {
    /// Cancels, and orders that close a position at once.
    Protect,
    /// Questions whose answer decides what happened to an order.
    Evidence,
    /// Take profits.
    Exit,
    /// Orders that open or enlarge a position.
    Entry,
    History,
}

/// What became of a call, named by what may be done next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Done(Answer),
    /// The venue says no; it did nothing.
    Refused(Refusal),
    /// It never left. Sending again is safe.
    NotSent,
    /// The venue did nothing because of its limits.
    Throttled {
        retry_at: Timestamp,
    },
    /// It left and no usable answer came. Only evidence tells what happened.
    Unknown,
}

/// The venue's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To `Place`, `Cancel` and `QueryOrder`. Fills may come with it or later.
    Order {
        report: OrderReport,
        fills: Vec<Fill>,
    },
    /// The venue knows no such order (or none that is open, for a cancel).
    OrderNotFound,
    OpenOrders {
        own: Vec<OrderReport>,
        foreign: Vec<ForeignOrder>,
    },
    Trades(Vec<Fill>),
    Balances(Vec<Balance>),
    /// `None` when nothing traded.
    Highs(Option<Price>),
}

/// A definite no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: RefusalReason,
    /// The venue's own number.
    pub code: i32,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefusalReason {
    InsufficientFunds,
    Rule(Rule),
    /// A maker-only order would have traded at once.
    WouldTrade,
    /// The instrument takes no orders.
    MarketClosed,
    /// An open order has this client order id.
    DuplicateId,
    /// The key is wrong, expired or lacks a right: a person has to act.
    Key,
    Other,
}

/// What a venue says unasked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrivateEvent {
    Order(OrderReport),
    Fill(Fill),
    /// Only the balances that changed.
    Balances(Vec<Balance>),
}

/// A call with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub call: Call,
    pub outcome: Outcome,
}

/// All that one account writes at once. It takes effect only if the account still stands at
/// (`epoch`, `seq_before`), whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub account: AccountId,
    pub epoch: Epoch,
    pub seq_before: Seq,
    pub seq: Seq,
    pub journal: Vec<JournalRow>,
    pub snapshots: Vec<SnapshotRow>,
    pub intents: Vec<IntentRow>,
    pub fills: Vec<FillRow>,
    pub deals: Vec<DealRow>,
    pub verdicts: Vec<VerdictRow>,
}

impl Batch {
    /// Whether each of its inputs has its row in the journal.
    pub fn is_whole(&self) -> bool {
        let mut seq = self.seq_before;
        for row in &self.journal {
            if row.seq != seq.next() {
                return false;
            }
            seq = row.seq;
        }
        seq == self.seq
    }
}

/// An input of an account, as it was stepped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    pub seq: Seq,
    pub at: Timestamp,
    pub body: Vec<u8>,
}

/// The state of a bot, or of the account itself (`None`), replacing the former one. An empty body
/// deletes the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    pub bot: Option<BotId>,
    pub body: Vec<u8>,
}

/// An order that may be on its way from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    pub request: OrderRequest,
    pub send_by: Timestamp,
    pub at: Timestamp,
}

/// A fill booked to the deal that its order names. When that was closed before, the deal's result stays
/// as it was, and only the account's books change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillRow {
    pub bot: BotId,
    pub deal: DealNo,
    pub fill: Fill,
}

/// A deal that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DealRow {
    pub bot: BotId,
    pub deal: DealNo,
    pub instrument: InstrumentId,
    pub opened_at: Timestamp,
    pub closed_at: Timestamp,
    /// How it ended, in the words of the strategy.
    pub ended: String,
    pub profit: Quote,
    pub fees: Quote,
    /// Spent on buys, without fees.
    pub bought: Quote,
    pub safety_orders: u16,
}

/// The answer to a user's command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRow {
    pub command: CommandId,
    /// `Err` says why not, and what to do.
    pub verdict: Result<(), String>,
}

/// What an account is loaded from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    pub account: Vec<u8>,
    pub bots: Vec<(BotId, Vec<u8>)>,
}
