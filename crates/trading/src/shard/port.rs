//! What comes into a shard, what goes out of it, and how it is set up.

use tranche_model::{
    candle::Tick,
    fill::Fill,
    ids::{AccountId, BotId, Epoch, InstrumentId, Seq, Ticket, UserId},
    instrument::Instrument,
    record::{Batch, Call, CallLane, DealRow, FillRow, Snapshot, VerdictRow},
    time::{Millis, Timestamp},
};

use crate::{
    event::{Event, Settings},
    watch::BadTick,
    why::WhyRecord,
};

/// What comes into a shard.
#[derive(Debug, Clone)]
pub enum Input {
    /// Begins to own an account, or brings it other settings: it is loaded.
    Own {
        account: AccountId,
        settings: Box<Settings>,
    },
    /// Drops an account from memory and loads it again, as after a crash.
    Evict {
        account: AccountId,
    },
    /// The store's answer to [`Output::Reload`], with the epoch raised.
    Loaded {
        account: AccountId,
        epoch: Epoch,
        seq: Seq,
        snapshot: Box<Snapshot>,
    },
    Event {
        account: AccountId,
        event: Box<Event>,
    },
    Tick(Tick),
    /// The market data of an instrument broke: no trigger uses the last price any more.
    Gap(InstrumentId),
    /// The clock moved.
    Time,
    Committed(Ticket),
    /// Failed, or nobody knows.
    CommitFailed(Ticket),
    /// The rules of an instrument changed, or it is the next new one.
    Rules(Box<Instrument>),
    /// Goes on with a burst that [`Output::More`] announced.
    More,
}

/// What a shard wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Commit {
        ticket: Ticket,
        batch: Box<Batch>,
    },
    /// Load the account under a raised epoch.
    Reload {
        account: AccountId,
    },
    /// Forget places and calls of the account that have not left; answers to its questions that are on
    /// their way are for nobody.
    Forget {
        account: AccountId,
    },
    Call {
        account: AccountId,
        user: UserId,
        lane: CallLane,
        call: Call,
    },
    Ask {
        account: AccountId,
        user: UserId,
        lane: CallLane,
        places: u16,
    },
    /// Places that the account was granted and does not need.
    HandBack {
        account: AccountId,
        lane: CallLane,
        places: u16,
    },
    /// Was this fill booked? Answered by [`Event::FillKnown`].
    Lookup {
        account: AccountId,
        fill: Fill,
    },
    /// A fill was booked.
    Booked {
        account: AccountId,
        row: Box<FillRow>,
    },
    /// A deal ended.
    Closed {
        account: AccountId,
        row: Box<DealRow>,
    },
    Verdict {
        account: AccountId,
        row: Box<VerdictRow>,
    },
    Why {
        account: AccountId,
        record: Box<WhyRecord>,
    },
    /// A tick that moved nothing.
    BadTick {
        instrument: InstrumentId,
        reason: BadTick,
    },
    /// A bot was put aside, with the input that broke it.
    Quarantined {
        account: AccountId,
        bot: Option<BotId>,
        input: Vec<u8>,
        reason: String,
    },
    /// The account cannot be loaded: a person has to look.
    Dead {
        account: AccountId,
        reason: String,
    },
    /// An event with what came of it, when the shard records; like all else it waits for its commit.
    Recorded {
        account: AccountId,
        at: Timestamp,
        event: Vec<u8>,
        trace: Vec<u8>,
        /// Of the first event since the account was loaded: what it was loaded from.
        start: Option<Box<(Settings, Snapshot)>>,
    },
    /// A burst is not over: give [`Input::More`] when there is time.
    More,
}

/// Whether effects wait for commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in live trading.
    Committed,
    /// Nothing is written: effects come out at once, and nothing survives. For backtests.
    Volatile,
}

/// How a shard works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub durability: Durability,
    /// Gives [`Output::Recorded`] for each event.
    pub record: bool,
    /// Gives [`Output::Why`].
    pub why: bool,
    /// How many lanes are woken in one go.
    pub chunk: usize,
    pub checkpoint_every: Millis,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Committed,
            record: false,
            why: true,
            chunk: 256,
            checkpoint_every: Millis::from_secs(60),
        }
    }
}
