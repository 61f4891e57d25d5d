//! The driver: a shard, the exchange, the line between them and the store, moved by one virtual clock.
//!
//! Backtests, the demo and tests are this driver with other options; nothing about money is decided
//! in it.

mod sender;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tranche_model::{
    candle::Tick,
    client_order_id::ClientOrderId,
    fill::Fill,
    ids::{AccountId, InstrumentId, Ticket, TradeId},
    instrument::{Instrument, Instruments},
    money::Price,
    record::{Call, Outcome, Reply, Snapshot},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    dispatch::{Action, Applicant, limits::Limits},
    event::{Command, Event, Settings},
    shard::{Durability, Input, Options, Output, Shard},
};

pub use sender::Sender;

use crate::{
    exchange::{self, Exchange},
    line::{FromVenue, Line, LinePlan},
    memory::{CommitPlan, FaultyMemory, Memory},
};

/// At one moment nobody acts so often, unless something is wrong that time does not mend: then a run
/// fails with a word instead of hanging.
const ROUNDS_MAX: u32 = 20_000;

/// How a driver is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pub exchange: exchange::Settings,
    pub shard: Options,
    pub commits: CommitPlan,
    pub line: LinePlan,
    /// The venue's limits; `None` lets every call out at once, as backtests do.
    pub limits: Option<Limits>,
    /// Whether of several questions about fills the store answers the last one first: a database answers
    /// them in any order.
    pub last_lookup_first: bool,
}

/// Something worth telling whoever watches.
pub type Told = Output;

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Driver {
    pub shard: Shard,
    pub exchange: Exchange,
    pub line: Line,
    pub memory: FaultyMemory,
    pub sender: Sender,
    durability: Durability,
    now: Timestamp,
    outputs: Vec<Output>,
    told: Vec<Told>,
    settings: BTreeMap<AccountId, Settings>,
    /// Loads that are asked for, one each.
    loads: Vec<AccountId>,
    last_lookup_first: bool,
    /// Fills of which the store is asked whether it knows them.
    lookups: Vec<(AccountId, Fill)>,
    /// Executions that were booked, when no store knows them.
    booked: BTreeSet<(AccountId, InstrumentId, TradeId)>,
    /// The market's price when an order without a price of its own was called for, when no store keeps
    /// intents.
    decided: Vec<(ClientOrderId, Price)>,
    /// How often an account was loaded.
    pub loads_count: u64,
}

/// How long a caller waits for an answer.
const CALL_TIMEOUT: Millis = Millis::from_secs(10);

impl Driver {
    pub fn new(instruments: Instruments, setup: Setup, now: Timestamp) -> Self {
        let shared = Arc::new(instruments.clone());
        Self {
            durability: setup.shard.durability,
            shard: Shard::new(shared, setup.shard),
            exchange: Exchange::new(instruments, setup.exchange),
            line: Line::new(setup.line, CALL_TIMEOUT),
            memory: FaultyMemory::new(Memory::default(), setup.commits),
            sender: Sender::new(setup.limits),
            now,
            outputs: Vec::new(),
            told: Vec::new(),
            settings: BTreeMap::new(),
            loads: Vec::new(),
            last_lookup_first: setup.last_lookup_first,
            lookups: Vec::new(),
            booked: BTreeSet::new(),
            decided: Vec::new(),
            loads_count: 0,
        }
    }

    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Begins to trade for an account that the exchange knows.
    pub fn own(&mut self, account: AccountId, settings: Settings) {
        self.memory.memory_mut().add_account(account, Snapshot::default());
        self.settings.insert(account, settings.clone());
        self.input(Input::Own { account, settings: Box::new(settings) });
        self.pump();
    }

    /// Hands an event to an account, as if it had come from outside.
    pub fn tell(&mut self, account: AccountId, event: Event) {
        self.event(account, event);
        self.pump();
    }

    /// Hands a user's command to an account.
    pub fn command(&mut self, account: AccountId, command: Command) {
        self.tell(account, Event::Command(command));
    }

    /// The rules of an instrument change, at the exchange and here.
    pub fn change_rules(&mut self, instrument: Instrument) {
        self.exchange.replace_instrument(instrument.clone(), self.now);
        self.collect();
        self.input(Input::Rules(Box::new(instrument)));
        self.pump();
    }

    /// The market data of an instrument breaks; the next tick ends the gap.
    pub fn gap(&mut self, instrument: InstrumentId) {
        self.input(Input::Gap(instrument));
        self.pump();
    }

    /// The private stream of an account is lost, with what is on its way, or comes up again.
    pub fn stream(&mut self, account: AccountId, live: bool) {
        if !live {
            self.line.cut_events();
        }
        self.tell(account, Event::Stream { live });
    }

    /// Drops an account from memory, as a crash would, and loads it again.
    pub fn evict(&mut self, account: AccountId) {
        self.input(Input::Evict { account });
        self.pump();
    }

    /// The market trades: first everything that is due before, then the exchange, then the shard.
    pub fn tick(&mut self, tick: &Tick) {
        self.advance(tick.at);
        self.exchange.trade(tick);
        self.collect();
        self.pump();
        self.input(Input::Tick(*tick));
        self.pump();
    }

    /// Moves the clock, stopping wherever something is due.
    pub fn advance(&mut self, to: Timestamp) {
        let mut rounds = 0_u32;
        while let Some(due) = self.next_due().filter(|due| *due < to) {
            rounds = if self.now < due { 0 } else { rounds.saturating_add(1) };
            assert!(rounds < ROUNDS_MAX, "time stands still at {}", self.now);
            self.now = self.now.max(due);
            self.turn_clock();
        }
        if self.now < to {
            self.now = to;
            if self.next_due().is_some_and(|due| due <= to) {
                self.turn_clock();
            }
        }
    }

    /// The next moment at which something happens without the market.
    pub fn next_due(&self) -> Option<Timestamp> {
        let sender = self.sender.next_time();
        [self.shard.next_time(), self.line.next_at(), self.exchange.next_arrival(), sender]
            .into_iter()
            .flatten()
            .map(|due| due.max(self.now))
            .min()
    }

    /// What was told since the last time.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// The same, into a list whose memory is used again.
    pub(crate) const fn swap_told(&mut self, told: &mut Vec<Told>) {
        std::mem::swap(&mut self.told, told);
    }

    /// What was told and not taken.
    pub(crate) fn told(&self) -> &[Told] {
        &self.told
    }

    /// The market's price at which an order without a price of its own was decided.
    pub(crate) fn decided(&self, order: ClientOrderId) -> Option<Price> {
        // Those that are filled were mostly decided just before.
        let found = self.decided.iter().rev().find(|(known, _)| *known == order);
        found.map(|(_, price)| *price)
    }

    fn turn_clock(&mut self) {
        self.exchange.advance(self.now);
        self.collect();
        self.turn_sender();
        self.input(Input::Time);
        self.pump();
    }

    fn input(&mut self, input: Input) {
        self.shard.step(input, self.now, &mut self.outputs);
    }

    fn event(&mut self, account: AccountId, event: Event) {
        self.input(Input::Event { account, event: Box::new(event) });
    }

    /// Lets everybody act until nobody has anything left to do at this moment.
    fn pump(&mut self) {
        for round in 0_u32.. {
            assert!(round < ROUNDS_MAX, "nobody comes to rest at {}", self.now);
            if self.durability == Durability::Committed {
                self.shard.flush(&mut self.outputs);
            }
            let is_idle = self.outputs.is_empty() && !self.memory.is_busy();
            if is_idle && self.loads.is_empty() && !self.sender.is_due(self.now) {
                break;
            }
            let outputs = std::mem::take(&mut self.outputs);
            for output in outputs {
                self.carry_out(output);
            }
            self.turn_store();
            self.turn_sender();
            self.collect();
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Commit { ticket, batch } => self.memory.submit(ticket, *batch),
            Output::Reload { account } => self.loads.push(account),
            Output::Call { account, user, lane, call } => {
                self.note_decision(&call);
                self.sender.send(Applicant { account, user }, lane, call, self.now);
            }
            Output::Ask { account, user, lane, places } => {
                self.sender.ask(Applicant { account, user }, lane, places, self.now);
            }
            Output::Lookup { account, fill } if self.last_lookup_first => {
                self.lookups.push((account, fill));
            }
            Output::Lookup { account, fill } => self.look_up(account, fill),
            Output::More => self.input(Input::More),
            Output::HandBack { account, lane, places } => {
                self.sender.hand_back(account, lane, places);
            }
            Output::Forget { account } => {
                self.sender.forget(account);
                self.line.forget(account);
            }
            Output::Booked { account, ref row } => {
                if self.durability == Durability::Volatile {
                    self.booked.insert((account, row.fill.instrument, row.fill.trade_id));
                }
                self.told.push(output);
            }
            Output::Closed { .. }
            | Output::Verdict { .. }
            | Output::Why { .. }
            | Output::BadTick { .. }
            | Output::Quarantined { .. }
            | Output::Dead { .. }
            | Output::Recorded { .. } => self.told.push(output),
        }
    }

    fn look_up(&mut self, account: AccountId, fill: Fill) {
        let known = match self.durability {
            Durability::Committed => {
                self.memory.fill_known(account, fill.instrument, fill.trade_id)
            }
            Durability::Volatile => {
                self.booked.contains(&(account, fill.instrument, fill.trade_id))
            }
        };
        self.event(account, Event::FillKnown { fill, known });
    }

    fn note_decision(&mut self, call: &Call) {
        if let Call::Place { request, .. } = call
            && self.durability == Durability::Volatile
            && request.kind.price().is_none()
            && let Some(price) = self.exchange.last_price(request.instrument)
        {
            self.decided.push((request.client_id, price));
        }
    }

    /// Lets out what may leave, and hands places to those who asked.
    fn turn_sender(&mut self) {
        for action in self.sender.turn(self.now) {
            match action {
                Action::Granted { account, lane, n: places } => {
                    self.event(account, Event::Granted { lane, places });
                }
                Action::Transmit { account, call, .. } => {
                    self.line.submit(&mut self.exchange, account, call, self.now);
                }
                Action::NotSent { account, call } => {
                    let reply = Reply { call, outcome: Outcome::NotSent };
                    self.event(account, Event::Reply(reply));
                }
            }
        }
    }

    fn turn_store(&mut self) {
        for (ticket, outcome) in self.memory.turn() {
            let answer = answer_of(ticket, outcome.is_ok());
            self.input(answer);
        }
        for (account, fill) in std::mem::take(&mut self.lookups).into_iter().rev() {
            self.look_up(account, fill);
        }
        for account in std::mem::take(&mut self.loads) {
            self.load(account);
        }
    }

    fn load(&mut self, account: AccountId) {
        let Some((epoch, seq, snapshot)) = self.memory.load(account) else { return };
        self.loads_count = self.loads_count.saturating_add(1);
        let snapshot = Box::new(snapshot);
        self.input(Input::Loaded { account, epoch, seq, snapshot });
    }

    /// What the line delivers by now.
    fn collect(&mut self) {
        for (account, delivered) in self.line.take(&mut self.exchange, self.now) {
            let event = match delivered {
                FromVenue::Reply(reply) => {
                    self.sender.replied(account, &reply, self.now);
                    Event::Reply(reply)
                }
                FromVenue::Stale(reply) => {
                    self.sender.replied(account, &reply, self.now);
                    continue;
                }
                FromVenue::Event(event) => Event::Private(event),
            };
            self.event(account, event);
        }
    }
}

const fn answer_of(ticket: Ticket, stands: bool) -> Input {
    if stands { Input::Committed(ticket) } else { Input::CommitFailed(ticket) }
}
