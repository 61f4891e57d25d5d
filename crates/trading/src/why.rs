//! The why-log: a typed record of every decision, put into words only when somebody reads it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tranche_model::{
    asset::Asset,
    client_order_id::ClientOrderId,
    filter::Rule,
    ids::{BotId, DealNo, InstrumentId, Slot},
    money::{Amount, Price, Qty, Quote},
    order::{OrderKind, Side},
    record::RefusalReason,
    time::{Millis, Timestamp},
};

use crate::event::KillLevel;

/// A decision, where and when it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyRecord {
    pub at: Timestamp,
    /// `None` for decisions of the account itself.
    pub bot: Option<BotId>,
    pub deal: Option<DealNo>,
    pub instrument: Option<InstrumentId>,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    DealOpened {
        price: Price,
        by_command: bool,
    },
    NoDeal(NoDeal),
    Placed {
        slot: Slot,
        side: Side,
        kind: OrderKind,
    },
    CancelAsked {
        slot: Slot,
        reason: CancelReason,
    },
    Filled {
        slot: Slot,
        price: Price,
        qty: Qty,
    },
    Refused {
        slot: Slot,
        reason: RefusalReason,
        code: i32,
        text: String,
    },
    Blocked {
        slot: Slot,
        reason: BlockReason,
        until: Timestamp,
    },
    EntryRepriced {
        from: Price,
        to: Price,
    },
    EntryGivenUp {
        filled: Qty,
    },
    BaseFilled {
        average: Price,
        origin: Price,
    },
    SafetyTriggered {
        from: u16,
        to: u16,
        price: Price,
        level: Price,
    },
    TakeProfitSet {
        price: Price,
        qty: Qty,
    },
    TrailingArmed {
        price: Price,
    },
    TrailingFired {
        peak: Price,
        price: Price,
    },
    StopTouched {
        price: Price,
        stop: Price,
        until: Timestamp,
    },
    StopLeft {
        price: Price,
        stop: Price,
    },
    StopFired {
        price: Price,
        stop: Price,
    },
    ClosedByCommand,
    CancelledByCommand,
    /// How long the coins were without an exit while one order made way for another.
    ExitPreempted {
        waited: Millis,
    },
    ExitLate {
        waited: Millis,
    },
    DealClosed {
        ended: Ended,
        profit: Quote,
    },
    Dust {
        qty: Qty,
        asset: Asset,
    },
    BotDisabled {
        deals: u32,
    },
    OutcomeUnknown {
        order: ClientOrderId,
    },
    ProvedNotPlaced {
        order: ClientOrderId,
    },
    ProvedPlaced {
        order: ClientOrderId,
    },
    /// The venue has shown the order, and now there is no trace of it any more.
    Forgotten {
        order: ClientOrderId,
    },
    /// The venue will not answer a question; `instrument` is `None` when it concerned the account.
    ReadRefused {
        instrument: Option<InstrumentId>,
        code: i32,
        text: String,
    },
    LateFill {
        slot: Slot,
        qty: Qty,
        price: Price,
    },
    Adopted {
        order: ClientOrderId,
    },
    StrayCancelled {
        order: ClientOrderId,
    },
    BalanceMoved {
        asset: Asset,
        by: Amount,
    },
    Killed {
        level: KillLevel,
    },
    Quarantined {
        reason: String,
    },
}

/// Why no deal was started although one was waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoDeal {
    Cooldown {
        until: Timestamp,
    },
    MaxActiveDeals {
        most: u16,
    },
    EntriesPaused,
    NotAllowed,
    DailyLoss,
    /// At the present price the instrument would not take every order of a deal.
    Unfit {
        until: Timestamp,
    },
    /// The exchange refuses to tell what was traded on the instrument.
    Unread,
    /// The bot is stopped, or has opened as many deals as it may.
    Stopped,
    /// A key with that right is refused.
    KeyMayWithdraw,
}

/// Why a resting order is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelReason {
    NoLongerWanted,
    /// Another price or quantity is wanted.
    Changed,
}

/// Why a wanted order is not placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockReason {
    /// Other orders hold the funds, or they are not there.
    Funds,
    /// A rule of the instrument.
    Rule(Rule),
    /// It would trade with an order of the same account.
    SelfCross,
    OrderNotionalMax,
    NotAllowed,
    DailyLoss,
    /// The deal has spent its budget.
    Budget,
    /// The venue refused.
    Refused(RefusalReason),
    /// It did not get out in time, or the venue throttled.
    NotSent,
    /// It ended at the venue by itself, and nothing of it was traded.
    EndedUntraded,
    MarketClosed,
    KeyInvalid,
    /// The slot ran out of generations.
    Exhausted,
}

impl BlockReason {
    /// Whether other rules of the instrument may lift it.
    pub(crate) const fn hangs_on_rules(self) -> bool {
        match self {
            Self::Rule(_)
            | Self::MarketClosed
            | Self::Refused(RefusalReason::Rule(_) | RefusalReason::MarketClosed) => true,
            Self::Funds
            | Self::SelfCross
            | Self::OrderNotionalMax
            | Self::NotAllowed
            | Self::DailyLoss
            | Self::Budget
            | Self::Refused(
                RefusalReason::InsufficientFunds
                | RefusalReason::WouldTrade
                | RefusalReason::DuplicateId
                | RefusalReason::Key
                | RefusalReason::Other,
            )
            | Self::NotSent
            | Self::EndedUntraded
            | Self::KeyInvalid
            | Self::Exhausted => false,
        }
    }
}

/// How a deal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    TakeProfit,
    TrailingTakeProfit,
    StopLoss,
    ClosedByCommand,
    /// By the user, who keeps the coins.
    Cancelled,
    /// The base order never filled.
    NoEntry,
    /// What was bought is too little to be sold.
    Dust,
}

impl Ended {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TakeProfit => "take_profit",
            Self::TrailingTakeProfit => "trailing_take_profit",
            Self::StopLoss => "stop_loss",
            Self::ClosedByCommand => "closed_by_command",
            Self::Cancelled => "cancelled",
            Self::NoEntry => "no_entry",
            Self::Dust => "dust",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DealOpened { price, by_command: false } => write!(f, "deal opened at {price}"),
            Self::DealOpened { price, by_command: true } => {
                write!(f, "deal opened by command at {price}")
            }
            Self::NoDeal(reason) => write!(f, "no deal: {reason}"),
            Self::Placed { slot, side, kind } => write!(f, "{slot}: {side} {kind}"),
            Self::CancelAsked { slot, reason } => write!(f, "{slot} taken back: {reason}"),
            Self::Filled { slot, price, qty } => write!(f, "{slot} filled: {qty} at {price}"),
            Self::Refused { slot, code, text, .. } => {
                write!(f, "{slot} refused by the exchange: {text} ({code})")
            }
            Self::Blocked { slot, reason, until } => {
                write!(f, "{slot} waits: {reason}; tried again at {until}")
            }
            Self::EntryRepriced { from, to } => write!(f, "base order moves from {from} to {to}"),
            Self::EntryGivenUp { filled } => {
                write!(f, "base order given up after its time; {filled} were filled")
            }
            Self::BaseFilled { average, origin } => {
                write!(f, "base order filled at {average}; the ladder starts at {origin}")
            }
            Self::SafetyTriggered { from, to, price, level } => {
                let other = if from == to { String::new() } else { format!("{from} to ") };
                write!(f, "safety order {other}{to} wanted at {price}: level {level} reached")
            }
            Self::TakeProfitSet { price, qty } => write!(f, "take profit: sell {qty} at {price}"),
            Self::TrailingArmed { price } => write!(f, "take profit reached at {price}: trailing"),
            Self::TrailingFired { peak, price } => {
                write!(f, "trailing take profit at {price}: fell from {peak}")
            }
            Self::StopTouched { price, stop, until } => {
                write!(f, "{price} is at or below the stop {stop}; sells at {until} if it stays")
            }
            Self::StopLeft { price, stop } => write!(f, "{price} is above the stop {stop} again"),
            Self::StopFired { price, stop } => {
                write!(f, "stop loss at {price}: stop {stop} reached")
            }
            Self::ClosedByCommand => f.write_str("closed by command: selling at market"),
            Self::CancelledByCommand => f.write_str("cancelled by command: the coins are yours"),
            Self::ExitPreempted { waited } => write!(f, "exit placed after {waited}"),
            Self::ExitLate { waited } => write!(f, "ALARM: no exit in place for {waited}"),
            Self::DealClosed { ended, profit } => {
                write!(f, "deal closed ({ended}), profit {profit}")
            }
            Self::Dust { qty, asset } => write!(f, "{qty} {asset} too few to sell: kept as dust"),
            Self::BotDisabled { deals } => write!(f, "bot stops after {deals} deals"),
            Self::OutcomeUnknown { order } => write!(f, "{order}: no answer; looking for evidence"),
            Self::ProvedNotPlaced { order } => write!(f, "{order}: proved never placed"),
            Self::ProvedPlaced { order } => write!(f, "{order}: found at the exchange"),
            Self::Forgotten { order } => {
                write!(f, "{order}: the exchange knows it no more; proved gone")
            }
            Self::ReadRefused { code, text, .. } => {
                write!(f, "the exchange refuses to answer: {text} ({code}); asked again later")
            }
            Self::LateFill { slot, qty, price } => {
                write!(f, "{slot}: late fill of {qty} at {price} booked")
            }
            Self::Adopted { order } => write!(f, "{order}: our order, unknown until now, adopted"),
            Self::StrayCancelled { order } => {
                write!(f, "{order}: our order with no place to be; taken back")
            }
            Self::BalanceMoved { asset, by } => {
                write!(f, "{asset} moved by {by} outside our orders")
            }
            Self::Killed { level } => write!(f, "kill switch: {level}"),
            Self::Quarantined { reason } => write!(f, "quarantined: {reason}"),
        }
    }
}

impl fmt::Display for NoDeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cooldown { until } => write!(f, "cooldown until {until}"),
            Self::MaxActiveDeals { most } => write!(f, "{most} deals are open, the most allowed"),
            Self::EntriesPaused => f.write_str("entries are paused"),
            Self::NotAllowed => f.write_str("the instrument is not on the account's list"),
            Self::DailyLoss => f.write_str("the daily loss limit is reached"),
            Self::Unfit { until } => {
                write!(f, "the exchange would not take every order at this price; until {until}")
            }
            Self::Unread => f.write_str("the exchange refuses to tell the trades of the pair"),
            Self::Stopped => f.write_str("the bot is stopped"),
            Self::KeyMayWithdraw => {
                f.write_str("the key may withdraw: take that right away at the exchange")
            }
        }
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLongerWanted => "no longer wanted",
            Self::Changed => "another price or quantity is wanted",
        })
    }
}

impl fmt::Display for BlockReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Funds => f.write_str("not enough free funds"),
            Self::Rule(rule) => write!(f, "the exchange's rule {rule}"),
            Self::SelfCross => f.write_str("it would trade with an order of the same account"),
            Self::OrderNotionalMax => f.write_str("above the account's largest order"),
            Self::NotAllowed => f.write_str("the instrument is not on the account's list"),
            Self::DailyLoss => f.write_str("the daily loss limit is reached"),
            Self::Budget => f.write_str("the deal has spent its budget"),
            Self::Refused(_) => f.write_str("refused by the exchange"),
            Self::NotSent => f.write_str("it could not be sent in time"),
            Self::EndedUntraded => {
                f.write_str("it ended at the exchange and nothing of it was traded")
            }
            Self::MarketClosed => f.write_str("the market is closed"),
            Self::KeyInvalid => f.write_str("the exchange key does not work"),
            Self::Exhausted => f.write_str("the slot has no numbers left"),
        }
    }
}

impl fmt::Display for KillLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PauseEntries => "entries paused",
            Self::CancelEntries => "entries cancelled",
            Self::CloseAll => "everything closed at market",
        })
    }
}
