//! A shard: accounts, the total order of their inputs, and the watch index over all their lanes.
//!
//! Effects of a step come out only when the commit that holds them was confirmed; stepping may run
//! ahead meanwhile, but nothing overtakes its own commit. When a commit fails, or its outcome is not
//! known, the account is discarded and loaded again under a higher epoch, so that a late commit loses;
//! a batch is never retried. An account whose step fails or panics is loaded again too, and the bot
//! that the input was for is put into quarantine; the others go on.

mod port;
mod seat;
mod watchers;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    panic,
    sync::Arc,
};

use tranche_model::{
    candle::Tick,
    ids::{AccountId, BotId, Epoch, InstrumentId, Seq, Ticket},
    instrument::{Instrument, Instruments},
    record::Snapshot,
    time::Timestamp,
};

pub use port::{Durability, Input, Options, Output};
pub use seat::has_exits;

use self::{
    seat::{Failure, Seat},
    watchers::Watchers,
};
use crate::{
    account::{Account, World},
    bot::{BotStatus, Head},
    codec::{self, CodecError},
    dca::Config,
    event::{Command, CommandBody, Effects, Event, Settings, WatchKey},
    watch::{Cause, Index, Wake},
};

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Shard {
    options: Options,
    instruments: Arc<Instruments>,
    /// Boxed, because tree nodes are half empty when ids come in order.
    seats: BTreeMap<AccountId, Box<Seat>>,
    /// The settings that were taken in last: the next bot is often made from the same template.
    template: Option<Arc<Config>>,
    index: Index,
    watchers: Watchers,
    /// Woken and not stepped yet, in order; reversed, so that the next one is last.
    burst: Vec<Wake>,
    wakes: Vec<Wake>,
    /// Empty between events; kept for its memory.
    effects: Effects,
    /// Accounts with something to commit.
    touched: Vec<AccountId>,
    last_ticket: u64,
    /// Instruments whose rules are others than at the beginning.
    ruled: BTreeSet<InstrumentId>,
    /// Whose commit a ticket names.
    flights: BTreeMap<Ticket, AccountId>,
    now: Timestamp,
}

impl Shard {
    pub fn new(instruments: Arc<Instruments>, options: Options) -> Self {
        Self {
            index: Index::new(options.checkpoint_every),
            options,
            instruments,
            seats: BTreeMap::new(),
            template: None,
            watchers: Watchers::default(),
            burst: Vec::new(),
            wakes: Vec::new(),
            effects: Effects::default(),
            touched: Vec::new(),
            last_ticket: 0,
            ruled: BTreeSet::new(),
            flights: BTreeMap::new(),
            now: Timestamp::MIN,
        }
    }

    /// Takes one input in. Effects of durable shards appear after [`Shard::flush`] and the answers to
    /// its commits.
    pub fn step(&mut self, input: Input, now: Timestamp, out: &mut Vec<Output>) {
        self.now = now;
        match input {
            Input::Own { account, settings } => self.own(account, *settings, out),
            Input::Evict { account } => self.discard(account, None, out),
            Input::Loaded { account, epoch, seq, snapshot } => {
                self.loaded((account, epoch, seq), &snapshot, now, out);
            }
            Input::Event { account, event } => self.event(account, &event, now, out),
            Input::Tick(tick) => self.tick(&tick, now, out),
            Input::Gap(instrument) => self.gap(instrument),
            Input::Time => {
                self.index.time(now, &mut self.wakes);
                self.queue_burst();
                self.drain(now, out);
            }
            Input::Committed(ticket) => self.committed(ticket, out),
            Input::CommitFailed(ticket) => self.commit_failed(ticket, out),
            Input::Rules(instrument) => self.rules(*instrument, now, out),
            Input::More => self.drain(now, out),
        }
    }

    /// Turns what was stepped since the last call into commits, one for each account.
    pub fn flush(&mut self, out: &mut Vec<Output>) {
        for account in std::mem::take(&mut self.touched) {
            let Some(seat) = self.seats.get_mut(&account) else { continue };
            self.last_ticket = self.last_ticket.saturating_add(1);
            let ticket = Ticket::new(self.last_ticket);
            match seat.commit(ticket) {
                Ok(Some(commit)) => {
                    self.flights.insert(ticket, account);
                    out.push(commit);
                }
                Ok(None) => {}
                Err(error) => self.discard(account, Some((None, error.to_string())), out),
            }
        }
    }

    /// When [`Input::Time`] has something to do next.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.index.next_time()
    }

    /// The integer prices strictly between which no tick of the instrument does anything.
    pub fn band(&self, instrument: InstrumentId) -> (Option<i64>, Option<i64>) {
        self.index.band(instrument)
    }

    /// Whether a burst is waiting for [`Input::More`].
    pub const fn has_more(&self) -> bool {
        !self.burst.is_empty()
    }

    /// The account, while it is loaded.
    pub fn account(&self, account: AccountId) -> Option<&Account> {
        self.seats.get(&account)?.account.as_deref()
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.seats.values().filter_map(|seat| seat.account.as_deref())
    }

    pub fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// The index over all lanes, for measurements.
    pub const fn index(&self) -> &Index {
        &self.index
    }

    fn own(&mut self, account: AccountId, settings: Settings, out: &mut Vec<Output>) {
        match self.seats.entry(account) {
            Entry::Vacant(free) => {
                free.insert(Box::new(Seat::new(settings)));
                out.push(Output::Reload { account });
            }
            Entry::Occupied(mut known) => {
                known.get_mut().settings = settings;
                self.discard(account, None, out);
            }
        }
    }

    fn loaded(
        &mut self,
        (account, epoch, seq): (AccountId, Epoch, Seq),
        snapshot: &Snapshot,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(seat) = self.seats.get_mut(&account) else { return };
        if seat.account.is_some() || epoch < seat.epoch {
            return;
        }
        match seat::read(account, &seat.settings, snapshot) {
            Ok(mut loaded) => {
                for bot in loaded.bots.values_mut() {
                    share_terms(&mut bot.head, &mut self.template);
                }
                seat.begin(Box::new(loaded), epoch, seq);
                let settings = Box::new(seat.settings.clone());
                if self.options.record {
                    seat.note_start(snapshot);
                }
                // First the quarantine: the account must not break again at the same place.
                for Failure { bot, reason } in seat.broken() {
                    self.event(account, &Event::Quarantine { bot, reason }, now, out);
                }
                self.tell_rules(account, now, out);
                self.event(account, &Event::Loaded { settings }, now, out);
            }
            Err(error) => out.push(Output::Dead { account, reason: error.to_string() }),
        }
    }

    /// The account may not have been there when rules changed, or its commit with them was lost. What
    /// it has nothing to do with is only for those who repeat a recording.
    fn tell_rules(&mut self, account: AccountId, now: Timestamp, out: &mut Vec<Output>) {
        for id in self.ruled.clone() {
            let known = self.instruments.get(id);
            let is_used = self.account(account).is_some_and(|account| account.trades(id));
            if let Some(rules) = known.filter(|_| is_used || self.options.record) {
                let event = Event::Rules(Box::new(rules.clone()));
                self.event(account, &event, now, out);
            }
        }
    }

    fn tick(&mut self, tick: &Tick, now: Timestamp, out: &mut Vec<Output>) {
        let instruments = Arc::clone(&self.instruments);
        let Some(instrument) = instruments.get(tick.instrument) else { return };
        if let Err(reason) = self.index.tick(instrument, tick, &mut self.wakes) {
            out.push(Output::BadTick { instrument: instrument.id, reason });
        }
        if !self.wakes.is_empty() {
            self.queue_burst();
            self.drain(now, out);
        }
    }

    /// New wakes go behind those that wait and press as much.
    fn queue_burst(&mut self) {
        if self.wakes.is_empty() {
            return;
        }
        self.burst.reverse();
        self.burst.append(&mut self.wakes);
        self.burst.sort_by_key(|wake| wake.urgency);
        self.burst.reverse();
    }

    /// No trigger uses a price from before a gap: who was woken by one, and waits for its turn, is told
    /// only that something is due, and answers anew.
    fn gap(&mut self, instrument: InstrumentId) {
        self.index.gap(instrument);
        for wake in &mut self.burst {
            let Some((account, WatchKey::Lane(key))) = self.watchers.get(wake.id) else { continue };
            let account = self.seats.get(&account).and_then(|seat| seat.account.as_deref());
            let lane = account.and_then(|account| account.lane(key));
            if lane.is_some_and(|lane| lane.instrument == instrument) {
                wake.price = None;
                wake.cause = match wake.cause {
                    Cause::Checkpoint { peak } => Cause::Checkpoint { peak },
                    Cause::Below
                    | Cause::Above
                    | Cause::AnyPrice
                    | Cause::Time
                    | Cause::Retraced { .. } => Cause::Time,
                };
            }
        }
    }

    /// Steps a chunk of those that were woken.
    fn drain(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        for _ in 0..self.options.chunk {
            let Some(wake) = self.burst.pop() else { return };
            let Some((account, key)) = self.watchers.get(wake.id) else { continue };
            let event = match key {
                WatchKey::Account => Event::Timer,
                WatchKey::Lane(lane) => Event::Wake { lane, cause: wake.cause, price: wake.price },
            };
            self.event(account, &event, now, out);
        }
        if !self.burst.is_empty() {
            out.push(Output::More);
        }
    }

    /// Wakes of a burst whose lane is gone: their handles may soon belong to others.
    fn forget_gone_wakes(&mut self) {
        let watchers = &self.watchers;
        self.burst.retain(|wake| watchers.get(wake.id).is_some());
    }

    /// Steps one account, guarded.
    fn event(&mut self, account: AccountId, event: &Event, now: Timestamp, out: &mut Vec<Output>) {
        let Some(seat) = self.seats.get_mut(&account) else { return };
        let Some(live) = seat.account.as_deref_mut() else { return };
        let world = World { now, instruments: &self.instruments };
        let mut effects = std::mem::take(&mut self.effects);
        // The account is thrown away when it panics, so nobody sees what is half done.
        let stepped =
            panic::catch_unwind(panic::AssertUnwindSafe(|| live.step(event, &world, &mut effects)));
        let failure = match stepped {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(panic_text(panic.as_ref())),
        };
        if let Event::Command(Command { body: CommandBody::CreateBot { bot, .. }, .. }) = event
            && let Some(bot) = live.bots.get_mut(bot)
        {
            share_terms(&mut bot.head, &mut self.template);
        }
        if let Some(reason) = failure {
            let input = codec::encode_event(event).unwrap_or_default();
            let bot = live.busy().or_else(|| seat::bot_of(event));
            out.push(Output::Quarantined { account, bot, input, reason: reason.clone() });
            self.discard(account, Some((bot, reason)), out);
            return;
        }
        if let Err(error) = self.accept(account, event, &mut effects, (now, out)) {
            self.discard(account, Some((seat::bot_of(event), error.to_string())), out);
            return;
        }
        // The memory of the lists is used again, unless they grew for once; not where many accounts wait,
        // for it would lie between what they keep.
        if self.options.durability == Durability::Volatile && effects.is_small() {
            effects.clear();
            self.effects = effects;
        }
    }

    /// Takes over what a step wants: watches at once, the rest with its commit.
    fn accept(
        &mut self,
        account: AccountId,
        event: &Event,
        effects: &mut Effects,
        (now, out): (Timestamp, &mut Vec<Output>),
    ) -> Result<(), CodecError> {
        for (key, watch) in effects.watches.drain(..) {
            let is_over = watch.is_none();
            self.watchers.apply(account, key, watch, (&mut self.index, &self.instruments));
            if is_over {
                self.forget_gone_wakes();
            }
        }
        let Some(seat) = self.seats.get_mut(&account) else { return Ok(()) };
        let mut recorded = None;
        if self.options.record {
            let (event, trace) = (codec::encode_event(event)?, codec::encode_trace(effects)?);
            let start = seat.take_start();
            recorded = Some(Output::Recorded { account, at: now, event, trace, start });
        }
        if !self.options.why {
            effects.whys.clear();
        }
        match self.options.durability {
            Durability::Volatile => {
                out.extend(recorded);
                seat.release(account, effects, out);
            }
            Durability::Committed => {
                if seat.is_clean() {
                    self.touched.push(account);
                }
                seat.keep((account, event, now), recorded, effects)?;
            }
        }
        Ok(())
    }

    fn committed(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        let account = self.flights.remove(&ticket);
        let seat = account.and_then(|account| self.seats.get_mut(&account));
        // A commit of a life that is over says nothing about the one that follows.
        if let Some(seat) = seat.filter(|seat| seat.awaits(ticket)) {
            seat.committed(ticket, out);
        }
    }

    /// A commit of a life that is over changes nothing: its account is being loaded already.
    fn commit_failed(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        let Some(account) = self.flights.remove(&ticket) else { return };
        if self.seats.get(&account).is_some_and(|seat| seat.awaits(ticket)) {
            self.discard(account, None, out);
        }
    }

    /// Throws an account's state away and asks for it anew.
    fn discard(
        &mut self,
        account: AccountId,
        failure: Option<(Option<BotId>, String)>,
        out: &mut Vec<Output>,
    ) {
        let Some(seat) = self.seats.get_mut(&account) else { return };
        let is_well = |bot: BotId| {
            let bot = seat.account.as_ref().and_then(|account| account.bots.get(&bot));
            bot.is_some_and(|bot| !matches!(bot.head.status, BotStatus::Quarantined { .. }))
        };
        let failure = failure.map(|(bot, reason)| ((bot, bot.is_some_and(is_well)), reason));
        seat.discard();
        self.watchers.remove_all(account, &mut self.index);
        self.forget_gone_wakes();
        self.touched.retain(|touched| *touched != account);
        out.push(Output::Forget { account });
        if let Some((bot, reason)) = failure
            && let Some(seat) = self.seats.get_mut(&account)
            && seat.count_failure(bot, &reason, self.now)
        {
            out.push(Output::Dead { account, reason });
            return;
        }
        out.push(Output::Reload { account });
    }

    fn rules(&mut self, instrument: Instrument, now: Timestamp, out: &mut Vec<Output>) {
        let id = instrument.id;
        let instruments = Arc::make_mut(&mut self.instruments);
        if let Some(known) = instruments.get_mut(id) {
            *known = instrument.clone();
        } else if !instruments.add(instrument.clone()) {
            return;
        }
        self.ruled.insert(id);
        let event = Event::Rules(Box::new(instrument));
        for account in self.seats.keys().copied().collect::<Vec<_>>() {
            self.event(account, &event, now, out);
        }
    }
}

/// Holds the settings in common with the template, or makes them the next one.
fn share_terms(head: &mut Head, template: &mut Option<Arc<Config>>) {
    if let Some(template) = template.as_deref() {
        head.share_terms(template);
    }
    *template = head.current();
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}
