//! All state of a server behind one lock: the exchange, what is told of it, who listens, who asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tranche_model::{
    asset::Asset,
    candle::Tick,
    cast,
    ids::{AccountId, InstrumentId},
    instrument::{Instrument, Instruments},
    money::Amount,
    time::{Millis, Timestamp},
};
use tranche_sim::exchange::{Exchange, LedgerError};

use crate::{
    clock::Clock,
    faults::{Chance, Deck},
    keys::Verifier,
    market::Recording,
    settings::{ConnectionSettings, Rights, Settings},
};

pub(crate) mod book;
pub(crate) mod candles;
mod closing;
mod events;
pub(crate) mod hub;
pub(crate) mod ids;
pub(crate) mod limits;
pub(crate) mod lists;
pub(crate) mod reads;
pub(crate) mod records;
mod streams;
pub(crate) mod tape;

use book::Depth;
use hub::Hub;
use ids::Names;
use limits::Limits;
use records::Records;
pub(crate) use streams::{book_ticker, level_rows, trade};
use tape::Tape;

/// The state, shared by all connections.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) recording: Recording,
    pub(crate) latency: Millis,
    pub(crate) connections: ConnectionSettings,
}

/// The state.
#[derive(Debug)]
pub(crate) struct World {
    clock: Arc<dyn Clock>,
    /// Never goes back, whatever the clock does.
    latest: Timestamp,
    pub(crate) exchange: Exchange,
    pub(crate) accounts: Vec<Account>,
    pub(crate) keys: BTreeMap<String, Key>,
    symbols: BTreeMap<String, InstrumentId>,
    markets: Vec<Market>,
    /// Instruments whose book changed since the best prices were told.
    touched: BTreeSet<InstrumentId>,
    /// Milliseconds by which the clock that clients see is ahead.
    pub(crate) skew: i64,
    pub(crate) names: Names,
    pub(crate) records: Records,
    pub(crate) limits: Limits,
    pub(crate) hub: Hub,
    pub(crate) deck: Deck,
    pub(crate) chance: Chance,
    pub(crate) late_events_per_mille: u32,
    /// Whether the events of what happens next wait for the next beat.
    pub(crate) holds_events: bool,
    pub(crate) progress: Progress,
    running: closing::Running,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) settings: crate::settings::AccountSettings,
}

/// A key, ready to check.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) verifier: Verifier,
    pub(crate) rights: Rights,
    pub(crate) is_ip_restricted: bool,
    pub(crate) created_at: Timestamp,
}

/// One instrument's public side.
#[derive(Debug, Default)]
pub(crate) struct Market {
    pub(crate) symbol: String,
    pub(crate) tape: Tape,
    pub(crate) depth: Depth,
}

/// How far the feed has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) items: u64,
    /// The time in the recording.
    pub(crate) at: Option<Timestamp>,
    pub(crate) is_over: bool,
}

impl Shared {
    pub(crate) fn new(world: World, recording: Recording, settings: &Settings) -> Self {
        Self {
            world: Mutex::new(world),
            recording,
            latency: settings.latency,
            connections: settings.connections,
        }
    }

    /// A task that died with the lock leaves the state usable: each change is made whole or the
    /// exchange's own audit says so.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    pub(crate) fn new(
        settings: &Settings,
        instruments: Instruments,
        keys: BTreeMap<String, Key>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let markets: Vec<Market> = instruments.iter().map(Market::of).collect();
        let symbols = instruments.iter().map(|one| (wire_symbol(one), one.id)).collect();
        let latest = clock.now();
        let mut world = Self {
            exchange: Exchange::new(instruments, settings.exchange),
            accounts: Vec::new(),
            keys,
            symbols,
            markets,
            touched: BTreeSet::new(),
            skew: 0,
            names: Names::default(),
            records: Records::default(),
            limits: Limits::new(settings.limits),
            hub: Hub::default(),
            deck: Deck::new(&settings.faults),
            chance: Chance::new(settings.faults.seed ^ 0x7472_616e_6368_6521),
            late_events_per_mille: settings.late_events_per_mille,
            holds_events: false,
            progress: Progress::default(),
            running: closing::Running::new(),
            latest,
            clock,
        };
        for (index, account) in settings.accounts.iter().enumerate() {
            let id = account_id(index);
            let balances = account.balances.clone();
            world.exchange.add_account(id, account.fees, account.fee_asset, balances)?;
            let (name, settings) = (account.name.clone(), account.clone());
            world.accounts.push(Account { id, name, settings });
        }
        Ok(world)
    }

    pub(crate) fn now(&mut self) -> Timestamp {
        self.latest = self.latest.max(self.clock.now());
        self.latest
    }

    pub(crate) fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(crate) fn account_named(&self, name: &str) -> Option<AccountId> {
        self.accounts.iter().find(|account| account.name == name).map(|account| account.id)
    }

    pub(crate) fn instrument(&self, symbol: &str) -> Option<&Instrument> {
        self.exchange.instruments().get(*self.symbols.get(symbol)?)
    }

    pub(crate) fn market(&self, id: InstrumentId) -> Option<&Market> {
        self.markets.get(cast::index(id.get()))
    }

    fn market_mut(&mut self, id: InstrumentId) -> Option<&mut Market> {
        self.markets.get_mut(cast::index(id.get()))
    }

    pub(crate) fn symbol(&self, id: InstrumentId) -> &str {
        self.market(id).map_or("", |market| &market.symbol)
    }

    /// The market trades now, at the tick's price and quantity.
    pub(crate) fn trade(&mut self, tick: &Tick) {
        let tick = Tick { at: self.now(), ..*tick };
        if !tick.price.is_positive() || self.market(tick.instrument).is_none() {
            return;
        }
        self.note_rate(&tick);
        self.exchange.trade(&tick);
        self.touch(tick.instrument);
        if let Some(market) = self.market_mut(tick.instrument) {
            let printed = market.tape.print(&tick);
            self.tell_trade(tick.instrument, &printed);
        }
        self.settle();
    }

    /// Fees in a third asset are worth what it trades at.
    fn note_rate(&mut self, tick: &Tick) {
        let symbol = self.exchange.instruments().get(tick.instrument).map(|it| it.symbol);
        if let Some(symbol) = symbol {
            self.exchange.set_rate(symbol.base, symbol.quote, tick.price);
        }
    }

    /// The book of an instrument changed.
    fn touch(&mut self, instrument: InstrumentId) {
        self.touched.insert(instrument);
        if let Some(market) = self.market_mut(instrument) {
            market.depth.touch();
        }
    }

    /// The time that clients are told, and by which their timestamps are judged.
    pub(crate) fn told(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_ms(now.ms().saturating_add(self.skew))
    }

    /// Tells everyone what changed on the exchange since the last time.
    pub(crate) fn settle(&mut self) {
        let notes = self.exchange.take_notes();
        let events = self.exchange.take_events();
        if events.is_empty() && notes.is_empty() {
            self.tell_best();
            return;
        }
        let now = self.now();
        self.tell_private(events, notes, now);
        self.tell_best();
        if !self.holds_events {
            self.hub.flush();
        }
    }

    /// Moves an amount in (or out, below zero) and tells the account.
    pub(crate) fn deposit(
        &mut self,
        account: AccountId,
        asset: Asset,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        self.exchange.deposit(account, asset, amount)?;
        let now = self.now();
        self.tell_deposit(account, asset, amount, now);
        self.settle();
        Ok(())
    }
}

impl Market {
    fn of(instrument: &Instrument) -> Self {
        let tape = Tape::new(instrument.qty_min.max(instrument.step));
        Self { symbol: wire_symbol(instrument), tape, depth: Depth::default() }
    }
}

/// `BTCUSDT`.
pub(crate) fn wire_symbol(instrument: &Instrument) -> String {
    format!("{}{}", instrument.symbol.base, instrument.symbol.quote)
}

/// Accounts are counted from one.
pub(crate) fn account_id(index: usize) -> AccountId {
    AccountId::new(cast::u32_saturating(index).saturating_add(1))
}
