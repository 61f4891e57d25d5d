//! One exchange key, or one paper account: books, limits, bots, and every order that is out.
//!
//! [`Account::step`] takes one event and says what it wants done. It has no clock and no memory but
//! its state: the journal of its events, replayed, gives the same effects.

mod census;
mod commands;
mod compare;
mod desk;
mod evidence;
mod exposure;
mod late;
mod ledger;
mod orders;
mod placing;
mod reads;
mod strays;
mod turn;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tranche_model::{
    client_order_id::Origin,
    ids::{AccountId, BotId, DealNo, InstrumentId},
    money::Price,
    record::CallLane,
    time::Timestamp,
};

pub use desk::{AccountState, Desk, Entries, KeyRights, World};
pub use ledger::Ledger;

use self::{exposure::Share, reads::Read, turn::Turn};
use crate::{
    bot::{Bot, BotStatus, Lane},
    dca::Fact,
    event::{Effects, Event, LaneKey, Settings, StepError, WatchKey},
    watch::{Cause, Watch},
    why::{Why, WhyRecord},
};

/// So many deals of a bot a store may have forgotten when an older copy replaces it.
const FORGOTTEN_MOST: u32 = 4_096;
/// Lives that differ in how far they go beyond: a bot's numbers last for more than sixty of the longest leaps.
const LEAPS: u16 = 16;

/// The account with its bots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub desk: Desk,
    /// Boxed, because a node of the tree has eleven places and most accounts have few bots.
    pub bots: BTreeMap<BotId, Box<Bot>>,
    /// The bot that is being stepped: it is to blame when the step fails.
    busy: Option<BotId>,
}

impl Account {
    pub fn new(id: AccountId, settings: Settings) -> Self {
        Self::from_parts(Desk::new(id, settings), BTreeMap::new())
    }

    /// From the saved parts; what is derived is computed anew by [`Event::Loaded`].
    pub fn from_parts(desk: Desk, bots: BTreeMap<BotId, Bot>) -> Self {
        let bots = bots.into_iter().map(|(id, bot)| (id, Box::new(bot))).collect();
        Self { desk, bots, busy: None }
    }

    /// Whose turn failed, after a step that failed.
    pub(crate) const fn busy(&self) -> Option<BotId> {
        self.busy
    }

    /// Takes one event in.
    pub fn step(
        &mut self,
        event: &Event,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        match event {
            Event::Wake { lane, cause, price } => self.wake(*lane, *cause, *price, (world, out))?,
            // The timer has run out: it is set anew below.
            Event::Timer => self.desk.timer = None,
            Event::Command(command) => self.command(command, world, out)?,
            Event::Reply(reply) => self.reply(reply, world, out)?,
            Event::Private(event) => self.private(event, world, out)?,
            Event::Granted { lane, places } => self.granted(*lane, *places, world, out)?,
            Event::FillKnown { fill, known } => self.fill_known(fill, *known, world, out)?,
            Event::Stream { live } => self.stream(*live, world, out)?,
            Event::Loaded { settings } => {
                self.number_beyond(settings.origin, out);
                self.desk.settings.clone_from(settings);
                out.account_dirty = true;
                self.loaded(world, out)?;
            }
            Event::Rules(instrument) => {
                for key in self.lanes_on(instrument.id) {
                    let Some(mut turn) = self.turn(key, world)? else { continue };
                    turn.take_rules(out)?;
                    self.run(key, world, out)?;
                }
            }
            Event::Quarantine { bot, reason } => self.quarantine(*bot, reason, world, out),
            Event::Key { may_withdraw } => {
                self.desk.rights = KeyRights::new(*may_withdraw);
                if *may_withdraw {
                    for (id, bot) in &mut self.bots {
                        bot.forget_wishes();
                        out.dirty(*id);
                    }
                }
                self.run_all(world, out)?;
            }
        }
        self.busy = None;
        self.cancel_strays(world.now, out);
        self.desk.reads.issue(world.now, &mut out.calls);
        self.answer_timer(out);
        Ok(())
    }

    fn wake(
        &mut self,
        key: LaneKey,
        cause: Cause,
        price: Option<Price>,
        (world, out): (&World<'_>, &mut Effects),
    ) -> Result<(), StepError> {
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        if turn.is_quarantined() {
            return Ok(());
        }
        if turn.lane.deal.is_none() {
            let started = match price {
                Some(price) => turn.start(price, out)?,
                None => false,
            };
            turn.run(out)?;
            return if started { self.refresh_siblings(key, world, out) } else { Ok(()) };
        }
        let fact = match (cause, price) {
            (Cause::Checkpoint { peak }, _) => Fact::Checkpoint { peak },
            (Cause::Retraced { peak }, Some(price)) => Fact::Price { price, peak: Some(peak) },
            (Cause::Below | Cause::Above | Cause::AnyPrice | Cause::Time, Some(price)) => {
                Fact::Price { price, peak: None }
            }
            (
                Cause::Below
                | Cause::Above
                | Cause::AnyPrice
                | Cause::Time
                | Cause::Retraced { .. },
                None,
            ) => Fact::Time,
        };
        turn.look_anew();
        turn.tell(fact, out)?;
        self.run(key, world, out)
    }

    /// Lanes that wait for a place are tried in turn while places last.
    fn granted(
        &mut self,
        lane: CallLane,
        places: u16,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        self.desk.granted(lane, places);
        let queued = std::mem::take(&mut self.desk.queued);
        for key in queued {
            if self.desk.has_place(lane) {
                self.run(key, world, out)?;
            } else {
                self.desk.queued.insert(key);
            }
        }
        self.desk.hand_back(lane, out);
        Ok(())
    }

    /// The private stream came up or went down: what happened meanwhile is read.
    fn stream(
        &mut self,
        live: bool,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        self.desk.is_live = live;
        if live {
            return self.read_everything(world, out);
        }
        if self.desk.state == AccountState::Ready {
            self.desk.state = AccountState::Degraded;
            self.desk.reads.want(Read::OpenOrders, world.now, world.now);
            self.run_all(world, out)?;
        }
        Ok(())
    }

    /// A store that was replaced by an older copy of itself has forgotten deals of which the venue still
    /// tells: the new life numbers its deals beyond them, or their executions would be booked to it. How far
    /// hangs on the life: the same copy may be put back twice.
    fn number_beyond(&mut self, origin: Origin, out: &mut Effects) {
        if origin == self.desk.settings.origin {
            return;
        }
        let leap = FORGOTTEN_MOST.saturating_mul(u32::from(origin.incarnation.get() % LEAPS) + 1);
        for bot in self.bots.values_mut() {
            let next = bot.head.next_deal.get().saturating_add(leap);
            bot.head.next_deal = DealNo::new(next);
            out.dirty(bot.head.id);
        }
    }

    /// A new owner: whatever may have left is looked up before anything is sent.
    fn loaded(&mut self, world: &World<'_>, out: &mut Effects) -> Result<(), StepError> {
        // A former owner's last word on the key may be old: the first question tells.
        self.desk.key_invalid = false;
        let fee = self.desk.buy_fee();
        for bot in self.bots.values_mut() {
            self.busy = Some(bot.head.id);
            for lane in &mut bot.lanes {
                let instrument = world.instruments.get(lane.instrument);
                let instrument = instrument.ok_or(StepError::NoInstrument(lane.instrument))?;
                let place = (instrument.id, instrument.symbol);
                for seat in &mut lane.seats {
                    seat.queued = false;
                    let Some(order) = &mut seat.order else { continue };
                    order.lost();
                    order.forget_cancel(world.now);
                    self.desk.exposure.shift(None, Share::of(order, place, fee)?)?;
                }
            }
        }
        self.regrid(world, out)?;
        self.read_everything(world, out)
    }

    /// The rules of an instrument may have changed while nobody was told.
    fn regrid(&mut self, world: &World<'_>, out: &mut Effects) -> Result<(), StepError> {
        for key in self.all_lanes() {
            if let Some(mut turn) = self.turn(key, world)?
                && turn.is_off_grid()?
            {
                turn.take_rules(out)?;
                out.dirty(key.bot);
            }
        }
        Ok(())
    }

    fn read_everything(&mut self, world: &World<'_>, out: &mut Effects) -> Result<(), StepError> {
        let now = world.now;
        self.desk.state =
            if self.desk.key_invalid { AccountState::KeyInvalid } else { AccountState::Syncing };
        for read in [Read::OpenOrders, Read::Balances] {
            self.desk.reads.want(read, now, now);
            self.desk.awaited.insert(read);
        }
        self.desk.compared_from = now;
        for key in self.all_lanes() {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            turn.want_doubtful();
            if !turn.is_quarantined() {
                turn.want_highs();
                turn.answer(out)?;
            }
        }
        Ok(())
    }

    /// A bot that an input broke keeps its orders where they are; their fills are booked. When a user
    /// starts it again, its targets are computed anew.
    fn quarantine(&mut self, bot: BotId, reason: &str, world: &World<'_>, out: &mut Effects) {
        let Some(known) = self.bots.get_mut(&bot) else { return };
        known.head.status = BotStatus::Quarantined { reason: reason.into() };
        out.dirty(bot);
        for key in self.lanes_of(bot) {
            out.watches.push((WatchKey::Lane(key), None));
        }
        let why = Why::Quarantined { reason: reason.to_owned() };
        let at = world.now;
        out.whys.push(WhyRecord { at, bot: Some(bot), deal: None, instrument: None, why });
    }

    /// A lane with what its turn may touch; `None` for a bot that is gone.
    fn turn<'a>(
        &'a mut self,
        key: LaneKey,
        world: &'a World<'a>,
    ) -> Result<Option<Turn<'a>>, StepError> {
        self.busy = Some(key.bot);
        let bot = self.bots.get_mut(&key.bot).map(Box::as_mut);
        Turn::new(bot, &mut self.desk, key, world)
    }

    /// Lets a lane act on what is known. When its deal ended, the bot's others may begin one.
    fn run(&mut self, key: LaneKey, world: &World<'_>, out: &mut Effects) -> Result<(), StepError> {
        let Some(mut turn) = self.turn(key, world)? else { return Ok(()) };
        let has_ended = turn.run(out)?;
        if has_ended {
            if let Some(bot) = self.bots.get_mut(&key.bot) {
                bot.forget_old_versions();
            }
            self.refresh_siblings(key, world, out)?;
        }
        // What fails from here on is not this bot's fault.
        self.busy = None;
        Ok(())
    }

    /// Lanes without a deal answer anew: how many deals are open has changed.
    fn refresh_siblings(
        &mut self,
        key: LaneKey,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        for sibling in self.lanes_of(key.bot) {
            if sibling != key
                && let Some(mut turn) = self.turn(sibling, world)?
                && turn.lane.deal.is_none()
                && !turn.is_quarantined()
            {
                turn.answer(out)?;
            }
        }
        Ok(())
    }

    fn run_bot(
        &mut self,
        bot: BotId,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        for key in self.lanes_of(bot) {
            self.run(key, world, out)?;
        }
        out.dirty(bot);
        Ok(())
    }

    fn run_all(&mut self, world: &World<'_>, out: &mut Effects) -> Result<(), StepError> {
        for key in self.all_lanes() {
            self.run(key, world, out)?;
        }
        Ok(())
    }

    pub(crate) fn lane(&self, key: LaneKey) -> Option<&Lane> {
        self.bots.get(&key.bot)?.lanes.get(usize::from(key.lane))
    }

    /// Whether a bot of the account has a lane on the instrument.
    pub fn trades(&self, instrument: InstrumentId) -> bool {
        let mut lanes = self.bots.values().flat_map(|bot| &bot.lanes);
        lanes.any(|lane| lane.instrument == instrument)
    }

    fn lanes_of(&self, bot: BotId) -> Vec<LaneKey> {
        let lanes = self.bots.get(&bot).map_or(0, |bot| bot.lanes.len());
        let lanes = u16::try_from(lanes).unwrap_or(u16::MAX);
        (0..lanes).map(|lane| LaneKey { bot, lane }).collect()
    }

    fn all_lanes(&self) -> Vec<LaneKey> {
        self.bots.keys().flat_map(|bot| self.lanes_of(*bot)).collect()
    }

    fn lanes_on(&self, instrument: InstrumentId) -> Vec<LaneKey> {
        let is_on =
            |key: &LaneKey| self.lane(*key).is_some_and(|lane| lane.instrument == instrument);
        self.all_lanes().into_iter().filter(is_on).collect()
    }

    /// The account asks to be woken for its next question or cancel.
    fn answer_timer(&mut self, out: &mut Effects) {
        let (read, stray) = (self.desk.reads.next_due(), self.desk.strays.next_due());
        let next: Option<Timestamp> = read.into_iter().chain(stray).min();
        if next != self.desk.timer {
            self.desk.timer = next;
            let watch = Watch { at: next, ..Watch::default() };
            out.watches.push((WatchKey::Account, Some((InstrumentId::new(0), watch))));
        }
    }
}

/// A decision of the account itself.
fn note(why: Why, world: &World<'_>, out: &mut Effects) {
    out.whys.push(WhyRecord { at: world.now, bot: None, deal: None, instrument: None, why });
}
