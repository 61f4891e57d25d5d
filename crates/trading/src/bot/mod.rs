//! A bot: lanes, one for each instrument, each with at most one deal; limits over the lanes; versions
//! of settings.

mod reconcile;
mod versions;

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use tranche_model::{
    asset::Asset,
    decimal::MathError,
    ids::{BotId, DealNo, Generation, InstrumentId, Slot, TradeId},
    instrument::Instruments,
    money::{Qty, Quote},
    order::{OrderKind, Side},
    record::CallLane,
    time::{Millis, Timestamp},
};

pub use reconcile::{Move, moves};

use self::versions::Versions;

use crate::{
    dca::{Config, Deal},
    few::Few,
    order::Order,
    why::{BlockReason, Ended, NoDeal},
};

/// An order that a strategy wants at the exchange now. It has no id: the account assigns one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub slot: Slot,
    pub side: Side,
    /// With what is left to be executed.
    pub kind: OrderKind,
    pub lane: CallLane,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bot {
    pub head: Head,
    pub lanes: Vec<Lane>,
}

/// What the lanes of a bot share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub id: BotId,
    pub status: BotStatus,
    /// Base and safety orders are withdrawn.
    pub entries_paused: bool,
    /// The version that new deals follow.
    pub version: u32,
    configs: Versions,
    pub next_deal: DealNo,
    pub deals_opened: u32,
    pub deals_closed: u32,
    /// Realised by closed deals, in the bot's quote asset.
    pub profit: Quote,
    /// Coins of closed deals that were too few to be sold.
    dust: Few<(Asset, Qty)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BotStatus {
    Running,
    /// No new deals; open ones run to their end.
    Stopped,
    /// An input broke it: it does nothing until a user starts it again.
    Quarantined {
        reason: Box<str>,
    },
}

/// One instrument of a bot, with the deal on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    pub instrument: InstrumentId,
    pub deal: Option<Deal>,
    /// Made once in a deal and kept: spare ones would only wait.
    pub seats: Box<[Seat]>,
    pub cooldown_until: Timestamp,
    /// Up to when the trades of the open deal were read, without a gap from its beginning on.
    pub trades_read_to: Timestamp,
    /// A user asked for a deal.
    pub start_wanted: bool,
    /// Deals in a row whose base order could not be placed. After a restart it is tried anew.
    #[serde(skip)]
    unplaced: u8,
    /// Why no deal was started when last looked at.
    /// Boxed: most lanes have a deal.
    pub no_deal: Option<Box<NoDeal>>,
}

/// A slot that holds, held or shall hold an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub slot: Slot,
    /// The number of the last order, counted up before the next.
    pub generation: Option<Generation>,
    /// Boxed, as what follows: a lane has room for more seats than it holds orders.
    pub order: Option<Box<Order>>,
    past: Past,
    /// Waits for `dispatch` to grant a place.
    pub queued: bool,
}

/// What a seat remembers of orders that are gone. Most remember nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Memory")]
struct Past(Option<Box<Memory>>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Memory {
    /// The fills of the last settled order: they may be told again.
    last_trades: Box<[TradeId]>,
    blocked: Option<Box<Blocked>>,
}

impl Serialize for Past {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(memory) => memory.serialize(serializer),
            None => Memory::default().serialize(serializer),
        }
    }
}

impl From<Past> for Memory {
    fn from(past: Past) -> Self {
        past.0.map(|memory| *memory).unwrap_or_default()
    }
}

impl From<Memory> for Past {
    fn from(memory: Memory) -> Self {
        Self((memory != Memory::default()).then(|| Box::new(memory)))
    }
}

/// A wanted order that cannot be placed, and when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    pub reason: BlockReason,
    pub attempts: u16,
    pub retry_at: Timestamp,
}

/// Pauses between attempts double from the first to the last.
const RETRY_FIRST: Millis = Millis::from_secs(1);
pub(crate) const RETRY_LAST: Millis = Millis::from_secs(300);

/// Pauses between deals whose base order could not be placed double from the first to the last.
const UNPLACED_FIRST: Millis = Millis::from_secs(60);
const UNPLACED_LAST: Millis = Millis::from_secs(30 * 60);

impl Bot {
    /// A new bot; `None` when one of its instruments does not exist.
    pub fn new(id: BotId, config: Config, instruments: &Instruments) -> Option<Self> {
        let lanes = lanes_of(&config, instruments)?;
        let head = Head {
            id,
            status: BotStatus::Running,
            entries_paused: false,
            version: 1,
            configs: Versions::new(1, Arc::new(config)),
            next_deal: DealNo::new(1),
            deals_opened: 0,
            deals_closed: 0,
            profit: Quote::ZERO,
            dust: Few::new(),
        };
        Some(Self { head, lanes })
    }

    /// Takes in new settings. A lane that they do not name goes; it must hold no deal.
    pub fn edit(&mut self, config: Config, instruments: &Instruments) -> Option<u32> {
        let wanted = lanes_of(&config, instruments)?;
        let names = |instrument| wanted.iter().any(|lane| lane.instrument == instrument);
        self.lanes.retain(|lane| names(lane.instrument));
        for lane in &wanted {
            if !self.lanes.iter().any(|known| known.instrument == lane.instrument) {
                self.lanes.push(lane.clone());
            }
        }
        self.head.version = self.head.version.checked_add(1)?;
        self.head.configs.push(self.head.version, Arc::new(config));
        self.forget_old_versions();
        Some(self.head.version)
    }

    /// Settings that no deal follows any more go.
    pub fn forget_old_versions(&mut self) {
        let lanes = &self.lanes;
        let follows = |version: u32| {
            lanes.iter().any(|lane| lane.deal.as_ref().is_some_and(|deal| deal.version == version))
        };
        self.head.configs.retain(follows);
    }

    pub fn active_deals(&self) -> u16 {
        let open = self.lanes.iter().filter(|lane| lane.deal.is_some()).count();
        u16::try_from(open).unwrap_or(u16::MAX)
    }

    /// Deals that a user asked for on other instruments, and that have not begun.
    pub(crate) fn wishes_beside(&self, instrument: InstrumentId) -> u16 {
        let others = self.lanes.iter().filter(|lane| lane.instrument != instrument);
        let wished = others.filter(|lane| lane.start_wanted && lane.deal.is_none()).count();
        u16::try_from(wished).unwrap_or(u16::MAX)
    }

    pub fn has_orders(&self) -> bool {
        self.lanes.iter().any(Lane::has_orders)
    }

    /// Deals that a user asked for and that have not begun are not wanted any more.
    pub(crate) fn forget_wishes(&mut self) {
        for lane in &mut self.lanes {
            lane.start_wanted = false;
        }
    }
}

impl Head {
    pub fn config(&self, version: u32) -> Option<Arc<Config>> {
        self.configs.get(version)
    }

    /// The settings that new deals follow.
    pub fn current(&self) -> Option<Arc<Config>> {
        self.config(self.version)
    }

    /// Holds its settings in common with another bot's where they are the same.
    pub(crate) fn share_terms(&mut self, other: &Config) {
        for config in self.configs.iter_mut() {
            Arc::make_mut(config).share_terms(other);
        }
    }

    /// Coins of closed deals that were too few to be sold.
    pub fn dust(&self, asset: Asset) -> Qty {
        let found = self.dust.iter().find(|(known, _)| *known == asset);
        found.map_or(Qty::ZERO, |(_, qty)| *qty)
    }

    pub fn add_dust(&mut self, asset: Asset, qty: Qty) -> Result<(), MathError> {
        match self.dust.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, dust)) => *dust = dust.plus(qty)?,
            None => self.dust.push((asset, qty)),
        }
        Ok(())
    }
}

impl Lane {
    pub fn new(instrument: InstrumentId) -> Self {
        Self {
            instrument,
            deal: None,
            seats: Box::default(),
            cooldown_until: Timestamp::MIN,
            trades_read_to: Timestamp::MIN,
            start_wanted: false,
            unplaced: 0,
            no_deal: None,
        }
    }

    /// How long the lane waits after the deal that ends now. One whose base order could not be placed, for
    /// want of funds, would fail again at once: the pauses double.
    pub(crate) fn pause_after(&mut self, ended: Ended) -> Millis {
        let base = self.seat(Slot::BASE);
        let is_blocked = base.is_some_and(|seat| seat.blocked().is_some());
        if ended != Ended::NoEntry || !is_blocked {
            self.unplaced = 0;
            return Millis::ZERO;
        }
        let pause = UNPLACED_FIRST.times(1 << self.unplaced.min(16)).min(UNPLACED_LAST);
        self.unplaced = self.unplaced.saturating_add(1);
        pause
    }

    /// The trades since `since` were asked for at `asked_at`, and are booked.
    pub(crate) fn trades_are_read(&mut self, (asked_at, since): (Timestamp, Timestamp)) {
        if since <= self.trades_read_to {
            self.trades_read_to = self.trades_read_to.max(asked_at);
        }
    }

    /// A price that was unfit for a deal may be fit now.
    pub(crate) fn look_at_price_again(&mut self) {
        self.no_deal.take_if(|reason| matches!(**reason, NoDeal::Unfit { .. }));
    }

    pub fn has_orders(&self) -> bool {
        self.seats.iter().any(|seat| seat.order.is_some())
    }

    pub fn seat(&self, slot: Slot) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.slot == slot)
    }

    /// The seat of a slot, made when it is missing.
    pub fn seat_mut(&mut self, slot: Slot) -> &mut Seat {
        let place = self.seats.iter().position(|seat| seat.slot == slot).unwrap_or_else(|| {
            let mut seats = std::mem::take(&mut self.seats).into_vec();
            seats.reserve_exact(1);
            seats.push(Seat::new(slot));
            self.seats = seats.into_boxed_slice();
            self.seats.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made just above")]
        &mut self.seats[place]
    }

    pub fn orders(&self) -> impl Iterator<Item = (Slot, &Order)> {
        self.seats.iter().filter_map(|seat| seat.order.as_deref().map(|order| (seat.slot, order)))
    }
}

impl Seat {
    pub(crate) fn new(slot: Slot) -> Self {
        Self { slot, generation: None, order: None, past: Past::default(), queued: false }
    }

    /// Notes that the slot cannot be filled now. Returns whether this is news. Pauses grow although the
    /// reasons take turns.
    pub(crate) fn block(&mut self, reason: BlockReason, now: Timestamp) -> bool {
        let former = self.blocked();
        let attempts = former.map_or(0, |former| former.attempts).saturating_add(1);
        let is_news = former.is_none_or(|former| former.reason != reason);
        let retry_at = now.plus(backoff(attempts));
        self.set_blocked(Some(Blocked { reason, attempts, retry_at }));
        is_news
    }

    pub(crate) fn block_until(&mut self, reason: BlockReason, retry_at: Timestamp) {
        let attempts = self.blocked().map_or(0, |former| former.attempts).saturating_add(1);
        self.set_blocked(Some(Blocked { reason, attempts, retry_at }));
    }

    /// Why the slot cannot be filled now.
    pub fn blocked(&self) -> Option<Blocked> {
        self.past.0.as_ref().and_then(|memory| memory.blocked.as_deref().copied())
    }

    /// Forgets a block, unless it still holds by this.
    pub(crate) fn unblock_unless(&mut self, holds: impl FnOnce(Blocked) -> bool) {
        if self.blocked().is_some_and(|blocked| !holds(blocked)) {
            self.set_blocked(None);
        }
    }

    /// Whether the trade is one of the last settled order's.
    pub(crate) fn settled(&self, trade: TradeId) -> bool {
        self.past.0.as_ref().is_some_and(|memory| memory.last_trades.contains(&trade))
    }

    pub(crate) fn remember_trades(&mut self, trades: Vec<TradeId>) {
        self.change_past(|memory| memory.last_trades = trades.into_boxed_slice());
    }

    fn set_blocked(&mut self, blocked: Option<Blocked>) {
        self.change_past(|memory| memory.blocked = blocked.map(Box::new));
    }

    fn change_past(&mut self, change: impl FnOnce(&mut Memory)) {
        let mut memory = Memory::from(std::mem::take(&mut self.past));
        change(&mut memory);
        self.past = Past::from(memory);
    }
}

/// How long to wait after the given number of attempts.
pub(crate) fn backoff(attempts: u16) -> Millis {
    let doublings = u32::from(attempts.saturating_sub(1).min(16));
    RETRY_FIRST.times(1 << doublings).min(RETRY_LAST)
}

fn lanes_of(config: &Config, instruments: &Instruments) -> Option<Vec<Lane>> {
    let lane = |symbol| instruments.find(symbol).map(|instrument| Lane::new(instrument.id));
    let mut lanes: Vec<Lane> =
        config.pairs().iter().map(|symbol| lane(*symbol)).collect::<Option<_>>()?;
    // Most bots have one lane; room for three more would be most of what the bot takes.
    lanes.shrink_to_fit();
    Some(lanes)
}
