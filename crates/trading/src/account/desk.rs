//! What an account's bots share: its state at the venue, its books, its limits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tranche_model::{
    asset::Asset,
    balance::FeeAsset,
    decimal::MathError,
    fill::Fill,
    ids::{AccountId, BotId, CommandId, InstrumentId, TradeId},
    instrument::Instruments,
    money::{Amount, Fraction, Quote},
    record::{CallLane, RefusalReason},
    time::{Millis, Timestamp},
};

use super::{
    exposure::Exposure,
    ledger::Ledger,
    reads::{Read, Reads},
    strays::Strays,
};
use crate::event::{Effects, KillLevel, LaneKey, RiskLimits, Settings};
use crate::few::Few;

/// What an account may look at beside its state.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    pub now: Timestamp,
    pub instruments: &'a Instruments,
}

/// How an account stands with its venue. Users see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AccountState {
    /// Reads what happened; nothing is sent but questions.
    #[default]
    Syncing,
    Ready,
    /// Exits only: the private stream is gone.
    Degraded,
    /// The key does not work: a person has to act.
    KeyInvalid,
}

/// Whether orders that open or enlarge positions may be out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    Allowed,
    /// What rests stays; nothing is added.
    Frozen,
    /// What rests is taken back.
    Withdrawn,
}

/// What the account's key may do, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyRights {
    /// Nothing speaks against it.
    #[default]
    Fit,
    /// A key with that right is refused.
    MayWithdraw,
}

impl KeyRights {
    pub const fn new(may_withdraw: bool) -> Self {
        if may_withdraw { Self::MayWithdraw } else { Self::Fit }
    }

    pub const fn may_withdraw(self) -> bool {
        matches!(self, Self::MayWithdraw)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    pub id: AccountId,
    pub settings: Settings,
    pub key_invalid: bool,
    pub entries_paused: bool,
    pub kill: Option<KillLevel>,
    pub risk: RiskLimits,
    pub ledger: Ledger,
    pub foreign_open: BTreeMap<InstrumentId, u32>,
    pub losses: DayLosses,
    /// Numbers of deleted bots that had deals: the ids of their orders must never come again.
    pub(crate) retired: Few<BotId>,
    commands: VecDeque<CommandId>,
    /// Late fills that were booked last: the store may have been asked twice before it knew one.
    late_fills: VecDeque<(InstrumentId, TradeId)>,
    /// Fills of open deals that the store was asked about, with its answers.
    #[serde(skip)]
    lookups: Few<Lookup>,
    /// When executions on an instrument were asked for and since when, of answers that came while some of
    /// them were looked up.
    #[serde(skip)]
    pub(super) read_meanwhile: Few<(InstrumentId, (Timestamp, Timestamp))>,
    #[serde(skip)]
    pub(super) strays: Strays,
    /// As the owner was told by the exchange: no deal begins, those that are open run to their end.
    #[serde(skip)]
    pub rights: KeyRights,
    #[serde(skip)]
    pub state: AccountState,
    #[serde(skip)]
    pub exposure: Exposure,
    #[serde(skip)]
    pub reads: Reads,
    /// Answers that must be in before the account is ready.
    #[serde(skip)]
    pub awaited: BTreeSet<Read>,
    /// When everything was compared with the venue last, or began to be.
    #[serde(skip)]
    pub(crate) compared_from: Timestamp,
    /// Whether the private stream is up, as far as the account was told.
    #[serde(skip, default = "is_assumed_live")]
    pub(crate) is_live: bool,
    /// Instruments whose trades the venue refuses to tell.
    #[serde(skip)]
    pub unread: Few<InstrumentId>,
    /// How the venue's balances differed from ours when last read, and since when they do.
    #[serde(skip)]
    pub(crate) suspected: (Timestamp, Vec<(Asset, Amount)>),
    /// Assets of which the venue says that there are too few for a buy, although our books say otherwise:
    /// nothing is bought with them until the balances were read.
    #[serde(skip)]
    pub(crate) short: Few<Asset>,
    #[serde(skip)]
    pub queued: BTreeSet<LaneKey>,
    #[serde(skip)]
    credits: BTreeMap<CallLane, Credit>,
    #[serde(skip)]
    pub timer: Option<Timestamp>,
}

/// Losses of deals that closed on one UTC day, by quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DayLosses {
    day: i64,
    lost: BTreeMap<Asset, Quote>,
}

/// A fill whose order no slot holds, and whether the store says that it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lookup {
    fill: Fill,
    known: Option<bool>,
}

/// Places that `dispatch` gave and that are not used, and those asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Credit {
    /// [`u16::MAX`] is as many as are wanted.
    places: u16,
    asked: u16,
}

/// As many places are kept in store; others may need the rest.
const STORE: u16 = 4;

/// How often open orders are listed while nobody tells of their fills.
const DEGRADED_CENSUS_EVERY: Millis = Millis::from_secs(60);

/// Whoever loads an account tells it when its stream is not up.
const fn is_assumed_live() -> bool {
    true
}

/// How many ids of commands, and of late fills, are remembered; the store remembers all.
const REMEMBERED: usize = 256;

impl Desk {
    pub fn new(id: AccountId, settings: Settings) -> Self {
        Self {
            id,
            settings,
            key_invalid: false,
            rights: KeyRights::default(),
            entries_paused: false,
            kill: None,
            risk: RiskLimits::default(),
            ledger: Ledger::default(),
            foreign_open: BTreeMap::new(),
            losses: DayLosses::default(),
            retired: Few::new(),
            commands: VecDeque::new(),
            late_fills: VecDeque::new(),
            lookups: Few::new(),
            read_meanwhile: Few::new(),
            strays: Strays::default(),
            state: AccountState::Syncing,
            exposure: Exposure::default(),
            reads: Reads::default(),
            awaited: BTreeSet::new(),
            compared_from: Timestamp::MIN,
            is_live: is_assumed_live(),
            unread: Few::new(),
            suspected: (Timestamp::MIN, Vec::new()),
            short: Few::new(),
            queued: BTreeSet::new(),
            credits: BTreeMap::new(),
            timer: None,
        }
    }

    /// What the account as a whole allows.
    pub fn entries(&self) -> Entries {
        match (self.kill, self.state) {
            (Some(KillLevel::CancelEntries | KillLevel::CloseAll), _) => Entries::Withdrawn,
            _ if self.entries_paused => Entries::Withdrawn,
            (Some(KillLevel::PauseEntries), _)
            | (None, AccountState::Syncing | AccountState::Degraded | AccountState::KeyInvalid) => {
                Entries::Frozen
            }
            (None, AccountState::Ready) => Entries::Allowed,
        }
    }

    /// Whether anything but questions may be sent.
    pub const fn may_send(&self) -> bool {
        match self.state {
            AccountState::Ready | AccountState::Degraded => true,
            AccountState::Syncing | AccountState::KeyInvalid => false,
        }
    }

    /// What a buy may cost beside its price: fees that are taken from the quote asset.
    pub fn buy_fee(&self) -> Fraction {
        match self.settings.fee_asset {
            FeeAsset::Quote => self.settings.fees.taker,
            FeeAsset::Received | FeeAsset::Third(_) => Fraction::ZERO,
        }
    }

    /// How the account stands once everything was read.
    pub(crate) const fn synced_state(&self) -> AccountState {
        if self.is_live { AccountState::Ready } else { AccountState::Degraded }
    }

    pub(crate) const fn census_every(&self) -> Millis {
        if self.is_live { self.settings.timing.reconcile_every } else { DEGRADED_CENSUS_EVERY }
    }

    /// Uses up a place. Without one the order waits, and one is asked for unless it `waits` already and
    /// one is on its way: while an order waits, an ask is out. After the last place in store some are
    /// asked for that cost nobody anything (`dispatch` gives them in quiet times).
    pub(crate) fn take_place(&mut self, lane: CallLane, waits: bool, out: &mut Effects) -> bool {
        let credit = self.credits.entry(lane).or_default();
        match credit.places {
            u16::MAX => return true,
            0 => {
                if !waits || credit.asked == 0 {
                    credit.asked = credit.asked.saturating_add(1);
                    out.asks.push((lane, 1));
                }
                return false;
            }
            1..u16::MAX => credit.places -= 1,
        }
        if credit.places == 0 && credit.asked == 0 {
            out.asks.push((lane, 0));
        }
        true
    }

    pub(crate) fn granted(&mut self, lane: CallLane, places: u16) {
        let credit = self.credits.entry(lane).or_default();
        credit.places = credit.places.saturating_add(places);
        credit.asked = credit.asked.saturating_sub(places);
    }

    /// Gives back what nobody of the account needs and is too much to keep in store.
    pub(crate) fn hand_back(&mut self, lane: CallLane, out: &mut Effects) {
        let Some(credit) = self.credits.get_mut(&lane) else { return };
        if STORE < credit.places && credit.places != u16::MAX {
            out.hand_backs.push((lane, credit.places - STORE));
            credit.places = STORE;
        }
    }

    pub fn has_place(&self, lane: CallLane) -> bool {
        self.credits.get(&lane).is_some_and(|credit| credit.places != 0)
    }

    /// Whether a question about orders or trades is open that the venue does not refuse to answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.reads.is_asking(&self.unread)
    }

    /// Remembers a command; `false` when it was carried out before.
    pub(crate) fn is_new(&mut self, command: CommandId) -> bool {
        remember(&mut self.commands, command)
    }

    /// Remembers a late fill; `false` when it was booked before.
    pub(crate) fn is_new_late_fill(&mut self, fill: &Fill) -> bool {
        remember(&mut self.late_fills, (fill.instrument, fill.trade_id))
    }

    /// Whether the fill was booked although no slot held its order.
    pub(crate) fn is_late_fill(&self, fill: &Fill) -> bool {
        self.late_fills.contains(&(fill.instrument, fill.trade_id))
    }

    /// Notes that the store is asked about a fill of an open deal.
    pub(crate) fn looked_up(&mut self, fill: &Fill) {
        if !self.waits_for(fill) {
            self.lookups.push(Lookup { fill: *fill, known: None });
        }
    }

    /// Takes the store's answer down. The answer is, with the last one on the instrument, the fills
    /// that the store does not know, in the order in which they were made: it may have answered in any.
    /// `None` while answers are missing.
    pub(crate) fn look_up_answered(&mut self, fill: &Fill, known: bool) -> Option<Vec<Fill>> {
        let Some(lookup) = self.lookups.iter_mut().find(|lookup| lookup.is_of(fill)) else {
            return Some(if known { Vec::new() } else { vec![*fill] });
        };
        lookup.known = Some(known);
        let instrument = fill.instrument;
        let mut unknown = Vec::new();
        for Lookup { fill, known } in self.lookups.iter().filter(|one| one.is_on(instrument)) {
            if !(*known)? {
                unknown.push(*fill);
            }
        }
        unknown.sort_by_key(|fill| fill.trade_id);
        Some(unknown)
    }

    /// Whether the store's answer about the fill is awaited by a deal.
    pub(crate) fn waits_for(&self, fill: &Fill) -> bool {
        self.lookups.iter().any(|lookup| lookup.is_of(fill))
    }

    /// Nothing is asked any more of the fills on an instrument.
    pub(crate) fn end_lookups(&mut self, instrument: InstrumentId) {
        self.lookups.retain(|lookup| !lookup.is_on(instrument));
    }

    pub(crate) fn is_looking_up(&self, instrument: InstrumentId) -> bool {
        self.lookups.iter().any(|lookup| lookup.is_on(instrument))
    }

    /// Whether everything was read, and all that was read is booked.
    pub(crate) fn is_read(&self) -> bool {
        self.awaited.is_empty() && self.lookups.is_empty()
    }

    /// A refusal that concerns the key stops the account.
    pub(crate) fn note_refusal(&mut self, reason: RefusalReason) {
        if reason == RefusalReason::Key {
            self.key_invalid = true;
            self.state = AccountState::KeyInvalid;
        }
    }
}

impl Lookup {
    fn is_on(&self, instrument: InstrumentId) -> bool {
        self.fill.instrument == instrument
    }

    fn is_of(&self, fill: &Fill) -> bool {
        (self.fill.instrument, self.fill.trade_id) == (fill.instrument, fill.trade_id)
    }
}

fn remember<T: PartialEq>(known: &mut VecDeque<T>, id: T) -> bool {
    if known.contains(&id) {
        return false;
    }
    if REMEMBERED <= known.len() {
        known.pop_front();
    }
    known.push_back(id);
    true
}

impl DayLosses {
    /// Adds the result of a deal closed at `now`.
    pub(crate) fn add(
        &mut self,
        asset: Asset,
        profit: Quote,
        now: Timestamp,
    ) -> Result<(), MathError> {
        if self.day != now.utc_day() {
            *self = Self { day: now.utc_day(), lost: BTreeMap::new() };
        }
        if profit.is_negative() {
            let lost = self.lost.entry(asset).or_default();
            *lost = lost.minus(profit)?;
        }
        Ok(())
    }

    /// What was lost on the day of `now`.
    pub fn on_day_of(&self, asset: Asset, now: Timestamp) -> Quote {
        if self.day != now.utc_day() {
            return Quote::ZERO;
        }
        self.lost.get(&asset).copied().unwrap_or_default()
    }
}
