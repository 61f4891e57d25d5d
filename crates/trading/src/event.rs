//! What comes into an account, and what goes out of it.
//!
//! An account decides on nothing but these events and its own state: a journal of them, replayed,
//! gives the same commands byte for byte.

use serde::{Deserialize, Serialize};
use tranche_model::{
    balance::{FeeAsset, FeeRates},
    client_order_id::Origin,
    fill::Fill,
    ids::{BotId, CommandId, DealNo, InstrumentId, UserId},
    instrument::Instrument,
    money::{Price, Quote},
    record::{Call, CallLane, DealRow, FillRow, IntentRow, PrivateEvent, Reply, VerdictRow},
    time::Millis,
};

use crate::{
    dca,
    watch::{Cause, Watch},
    why::WhyRecord,
};

/// One input of an account. Its time comes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The watch index woke a lane.
    Wake {
        lane: LaneKey,
        cause: Cause,
        price: Option<Price>,
    },
    /// A time that the account itself had asked for.
    Timer,
    Command(Command),
    Reply(Reply),
    Private(PrivateEvent),
    /// Places that `dispatch` gave; [`u16::MAX`] is as many as are wanted, for ever.
    Granted {
        lane: CallLane,
        places: u16,
    },
    /// The store's answer: whether a fill that came too late for its order was booked before.
    FillKnown {
        fill: Fill,
        known: bool,
    },
    /// The private stream was acknowledged, or lost.
    Stream {
        live: bool,
    },
    /// The account was loaded by its owner, who brings the settings; what may have happened meanwhile
    /// must be read.
    Loaded {
        settings: Box<Settings>,
    },
    /// The rules of an instrument changed.
    Rules(Box<Instrument>),
    /// The input before broke the bot: its fills are booked, and nothing else is done until a user
    /// starts it.
    Quarantine {
        bot: BotId,
        reason: String,
    },
    /// The exchange said what the account's key may do. The owner tells it again after each load.
    Key {
        may_withdraw: bool,
    },
}

/// A lane of a bot: one instrument and the deal on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneKey {
    pub bot: BotId,
    pub lane: u16,
}

/// A user's wish. It is written durably before it comes here, and answered with a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub id: CommandId,
    pub body: CommandBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandBody {
    CreateBot {
        bot: BotId,
        config: Box<dca::Config>,
    },
    /// New deals follow the new settings; open ones too when `open_deals` is set.
    EditBot {
        bot: BotId,
        config: Box<dca::Config>,
        open_deals: bool,
    },
    /// Only when no deal is open.
    DeleteBot {
        bot: BotId,
    },
    /// No base order and no safety order until resumed; resting safety orders are taken back, exits
    /// stay.
    PauseEntries {
        scope: Scope,
    },
    Resume {
        scope: Scope,
    },
    /// No new deal; open deals run to their end, safety orders included.
    StopBot {
        bot: BotId,
    },
    StartBot {
        bot: BotId,
    },
    /// Opens a deal now, whatever the start condition says.
    StartDeal {
        bot: BotId,
        instrument: InstrumentId,
    },
    /// Takes the deal's orders back and leaves the coins to the user.
    CancelDeal {
        bot: BotId,
        deal: DealNo,
    },
    /// Takes the deal's orders back and sells at market.
    CloseDeal {
        bot: BotId,
        deal: DealNo,
    },
    Kill {
        level: KillLevel,
    },
    /// Lifts a kill switch.
    Rearm,
    SetRisk(RiskLimits),
    /// Another version wrote it, or the bytes are damaged: it is refused, so that nobody waits for it.
    Unreadable {
        error: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    Account,
    Bot(BotId),
}

/// How much a kill switch stops, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillLevel {
    /// No new entry; what rests stays.
    PauseEntries,
    /// Resting entries are taken back too; exits stay.
    CancelEntries,
    /// Everything is taken back and sold at market.
    CloseAll,
}

/// Bounds that a person sets for an account. `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RiskLimits {
    /// The most that one order may be worth.
    pub order_notional_max: Option<Quote>,
    /// Losses of deals closed on one UTC day, after which no entry follows on that day.
    pub daily_loss_max: Option<Quote>,
    /// The only instruments that may be bought.
    pub allowed: Option<Vec<InstrumentId>>,
}

/// What an account is told once, by its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub user: UserId,
    pub origin: Origin,
    pub fees: FeeRates,
    pub fee_asset: FeeAsset,
    pub timing: Timing,
}

/// The venue's bounds in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// How long an intent may wait to be sent.
    pub send_within: Millis,
    /// How long after `send_by` a request may still arrive (the venue's receive window).
    pub arrival_margin: Millis,
    /// How long the venue may work on a request before it is visible or dead.
    pub processing_bound: Millis,
    /// Over what time three explicit not-founds must be spread.
    pub not_found_grace: Millis,
    /// How often everything is read again although nothing seems wrong.
    pub reconcile_every: Millis,
}

impl Default for Timing {
    /// Binance spot: window 5 s of which 3 s are for sending, 10 s internal limit
    /// ("Timing security" and error -1007 in the REST documents, 2026-07-21).
    fn default() -> Self {
        Self {
            send_within: Millis::from_secs(3),
            arrival_margin: Millis::from_secs(2),
            processing_bound: Millis::from_secs(10),
            not_found_grace: Millis::from_secs(30),
            reconcile_every: Millis::from_secs(15 * 60),
        }
    }
}

/// What one or more steps of an account want done. Nothing of it leaves before it is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    pub calls: Vec<(CallLane, Call)>,
    /// Places wanted from `dispatch`, by lane.
    pub asks: Vec<(CallLane, u16)>,
    /// Places that are not needed any more.
    pub hand_backs: Vec<(CallLane, u16)>,
    pub intents: Vec<IntentRow>,
    pub fills: Vec<FillRow>,
    pub deals: Vec<DealRow>,
    pub verdicts: Vec<VerdictRow>,
    /// Fills that came too late for their order: the store says whether they were booked.
    pub lookups: Vec<Fill>,
    pub whys: Vec<WhyRecord>,
    /// Answers of lanes to "what do you wait for"; each replaces the former one. `None` removes.
    pub watches: Vec<(WatchKey, Option<(InstrumentId, Watch)>)>,
    /// Bots whose state changed. An absent bot was deleted.
    pub dirty: Vec<BotId>,
    pub account_dirty: bool,
}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchKey {
    /// The account's own timer.
    Account,
    Lane(LaneKey),
}

/// Why a step could not be taken. The account is discarded and loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Math(#[from] tranche_model::decimal::MathError),
    #[error("no such instrument: {0}")]
    NoInstrument(InstrumentId),
}

impl Effects {
    /// Whether the lists are short enough to be kept for the next event.
    pub(crate) fn is_small(&self) -> bool {
        const FEW: usize = 32;
        let lists = [self.calls.capacity(), self.watches.capacity(), self.whys.capacity()];
        lists.into_iter().max() <= Some(FEW)
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.asks.clear();
        self.hand_backs.clear();
        self.intents.clear();
        self.fills.clear();
        self.deals.clear();
        self.verdicts.clear();
        self.lookups.clear();
        self.whys.clear();
        self.watches.clear();
        self.dirty.clear();
        self.account_dirty = false;
    }

    pub(crate) fn dirty(&mut self, bot: BotId) {
        if self.dirty.last() != Some(&bot) && !self.dirty.contains(&bot) {
            self.dirty.push(bot);
        }
    }
}
