//! The world of the demo: bots, their exchange, their store, and the auditor over all.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tranche_model::{
    asset::Symbol,
    candle::Tick,
    ids::{AccountId, BotId, CommandId, InstrumentId},
    instrument::Instruments,
    money::{Price, Qty, Quote},
    record::FillRow,
    time::{Millis, Timestamp},
};
use tranche_sim::{
    audit::{Auditor, Books, Violation},
    driver::{Driver, Setup},
};
use tranche_trading::{
    dca::Config,
    event::{Command, CommandBody},
    shard::Output,
    why::{Why, WhyRecord},
};

use super::{
    feed::Feed,
    floor::Floor,
    wire::{Plan, Wire},
    words,
};
use crate::{recording::Recorder, settings::Terms};

const HOUR: Millis = Millis::from_secs(3600);
/// How much of the past is kept for the screen.
const REMEMBERED: usize = 200;
/// One step of the price curve.
const CURVE_STEP_MS: i64 = 5 * 60 * 1000;
/// After the last tick, what is on its way arrives.
const SETTLING: Millis = Millis::from_secs(60);
/// Over sockets: how often a look at the books is repeated until nothing is under way, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 6000;
const NO_PRICES: &str = "the market has no prices";

/// What is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) deals_closed: u64,
    pub(crate) orders_placed: u64,
    pub(crate) fills: u64,
    pub(crate) restarts: u64,
    pub(crate) profit: Quote,
    pub(crate) fees: Quote,
}

/// Closing prices of one instrument, one for each step of the curve.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    step: i64,
    pub(crate) prices: VecDeque<Price>,
}

pub(crate) struct World {
    pub(crate) floor: Floor,
    /// Absent when prices come from a real exchange.
    feed: Option<Feed>,
    pub(crate) source: String,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) tally: Tally,
    pub(crate) curves: BTreeMap<InstrumentId, Curve>,
    /// Newest first.
    pub(crate) fills: VecDeque<FillRow>,
    pub(crate) whys: VecDeque<WhyRecord>,
    /// Rules that did not hold, each said once.
    pub(crate) violations: BTreeSet<String>,
    pub(crate) start: Timestamp,
    auditor: Auditor,
    recorder: Option<Recorder>,
    restart_at: Timestamp,
    last_command: u128,
}

/// Why [`World::run_until`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Target,
    /// The time that it may take was over before.
    Short,
    /// The market has no more prices.
    End,
}

impl World {
    /// Under one virtual clock, in this process.
    pub(crate) fn near(
        mut feed: Feed,
        instruments: Instruments,
        (terms, accounts): (&Terms, &[AccountId]),
        recorder: Option<Recorder>,
    ) -> Result<Self> {
        let start = feed.next_at().context(NO_PRICES)?;
        let mut setup = Setup::default();
        setup.shard.record = recorder.is_some();
        let mut driver = Driver::new(instruments, setup, start);
        for account in accounts {
            let (fees, fee_asset) = (terms.fees, terms.fee_asset);
            driver.exchange.add_account(*account, fees, fee_asset, terms.balances.clone())?;
            driver.own(*account, terms.account());
        }
        let source = words::source(&feed.source);
        Self::on(Floor::Near(Box::new(driver)), Some(feed), (source, start), (accounts, recorder))
    }

    /// Over sockets, on an exchange of our own.
    pub(crate) fn practice(
        mut feed: Feed,
        instruments: &Instruments,
        plan: &Plan,
        recorder: Option<Recorder>,
    ) -> Result<Self> {
        let start = feed.next_at().context(NO_PRICES)?;
        let wire = Wire::practice(instruments, plan, start)?;
        let source = words::source(&feed.source);
        let floor = Floor::Wire(Box::new(wire));
        Self::on(floor, Some(feed), (source, start), (&plan.accounts, recorder))
    }

    /// On the real exchange's prices, with paper accounts.
    pub(crate) fn live(
        symbols: &[Symbol],
        plan: &Plan,
        recorder: Option<Recorder>,
    ) -> Result<Self> {
        let wire = Wire::live(symbols, plan)?;
        let start = wire.now();
        let source = "live prices of Binance, paper money".to_owned();
        let floor = Floor::Wire(Box::new(wire));
        Self::on(floor, None, (source, start), (&plan.accounts, recorder))
    }

    fn on(
        floor: Floor,
        feed: Option<Feed>,
        (source, start): (String, Timestamp),
        (accounts, recorder): (&[AccountId], Option<Recorder>),
    ) -> Result<Self> {
        let mut world = Self {
            floor,
            feed,
            source,
            accounts: accounts.to_vec(),
            tally: Tally::default(),
            curves: BTreeMap::new(),
            fills: VecDeque::new(),
            whys: VecDeque::new(),
            violations: BTreeSet::new(),
            start,
            auditor: Auditor::new(),
            recorder,
            restart_at: start.plus(HOUR),
            last_command: 0,
        };
        world.listen()?;
        Ok(world)
    }

    /// Deals the bots out over the accounts.
    pub(crate) fn create(&mut self, bots: &[Config]) -> Result<()> {
        let accounts = self.accounts.clone();
        for ((number, config), account) in (1..).zip(bots).zip(accounts.into_iter().cycle()) {
            let bot = BotId::new(number);
            self.command(
                account,
                CommandBody::CreateBot { bot, config: Box::new(config.clone()) },
            )?;
            let is_there = self.floor.accounts().iter().any(|known| known.bots.contains_key(&bot));
            if !is_there {
                bail!("bot {} cannot trade on this market", config.name());
            }
        }
        Ok(())
    }

    pub(crate) fn command(&mut self, account: AccountId, body: CommandBody) -> Result<()> {
        self.last_command += 1;
        let id = CommandId::new(self.last_command);
        self.floor.command(account, Command { id, body })?;
        self.listen()
    }

    pub(crate) fn command_all(&mut self, body: &CommandBody) -> Result<()> {
        self.accounts
            .clone()
            .into_iter()
            .try_for_each(|account| self.command(account, body.clone()))
    }

    /// Trades on until `target`; `is_over` is asked now and then whether to come back before.
    pub(crate) fn run_until(
        &mut self,
        target: Timestamp,
        is_over: &mut dyn FnMut() -> bool,
    ) -> Result<Reached> {
        for count in 1_u32.. {
            let Some(feed) = &mut self.feed else { break };
            let Some(at) = feed.next_at() else { return Ok(Reached::End) };
            self.restart_before(at.min(target))?;
            if target < at {
                break;
            }
            if let Some(tick) = self.feed.as_mut().and_then(Feed::take) {
                self.floor.tick(&tick);
                self.note(&tick);
                self.listen()?;
            }
            if count % 64 == 0 && is_over() {
                return Ok(Reached::Short);
            }
        }
        self.floor.advance(target)?;
        if self.feed.is_none() {
            self.restart_before(self.floor.now())?;
            self.note_live();
        }
        self.listen()?;
        Ok(Reached::Target)
    }

    /// Lets what is on its way arrive, looks at everything once more, closes the recording.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if let Floor::Near(driver) = &mut self.floor {
            driver.advance(driver.now().plus(SETTLING));
        }
        self.listen()?;
        self.audit()?;
        if let Some(recorder) = self.recorder.take() {
            let events = recorder.finish()?;
            tracing::info!(events, "recorded");
        }
        Ok(())
    }

    /// Ends what runs beside.
    pub(crate) fn stop(self) {
        match self.floor {
            Floor::Near(_) => {}
            Floor::Wire(wire) => wire.stop(),
        }
    }

    /// Every simulated hour the books are compared, then every account is thrown out of memory and
    /// loaded from the store, as after a crash.
    fn restart_before(&mut self, at: Timestamp) -> Result<()> {
        while self.restart_at <= at {
            self.floor.advance(self.restart_at)?;
            self.listen()?;
            self.audit()?;
            for account in self.accounts.clone() {
                self.floor.evict(account)?;
                self.tally.restarts += 1;
            }
            self.listen()?;
            self.restart_at = self.restart_at.plus(HOUR);
        }
        Ok(())
    }

    fn audit(&mut self) -> Result<()> {
        let found = match &mut self.floor {
            Floor::Near(driver) => {
                let books = Books::of(driver);
                self.auditor.check(books, driver.shard.accounts())
            }
            Floor::Wire(_) => self.audit_when_quiet()?,
        };
        for violation in found {
            self.violations.insert(format!("{}: {}", violation.invariant, violation.text));
        }
        let loaded: BTreeSet<AccountId> =
            self.floor.accounts().iter().map(|account| account.desk.id).collect();
        for account in self.accounts.iter().filter(|account| !loaded.contains(account)) {
            self.violations.insert(format!("account {account} is not loaded"));
        }
        Ok(())
    }

    /// Over sockets, what differs may still be on its way: a difference counts when it stays.
    fn audit_when_quiet(&mut self) -> Result<Vec<Violation>> {
        let mut found = None;
        for _ in 0..LOOKS_MAX {
            self.listen()?;
            let Floor::Wire(wire) = &mut self.floor else { break };
            if let Some(violations) = wire.audit(&mut self.auditor)? {
                let is_over = violations.is_empty();
                found = Some(violations);
                if is_over {
                    break;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        if found.is_none() {
            self.violations.insert("not compared: something was under way all the time".to_owned());
        }
        Ok(found.unwrap_or_default())
    }

    /// Prices that nobody pushed.
    fn note_live(&mut self) {
        let (at, instruments) = (self.floor.now(), self.floor.instruments());
        let ids: Vec<InstrumentId> = instruments.iter().map(|one| one.id).collect();
        for instrument in ids {
            if let Some(price) = self.floor.price(instrument) {
                self.note(&Tick { instrument, price, qty: Qty::ZERO, at });
            }
        }
    }

    fn note(&mut self, tick: &Tick) {
        let curve = self.curves.entry(tick.instrument).or_default();
        let step = tick.at.ms().div_euclid(CURVE_STEP_MS);
        if curve.step == step
            && let Some(last) = curve.prices.back_mut()
        {
            *last = tick.price;
            return;
        }
        curve.step = step;
        keep(&mut curve.prices, tick.price, VecDeque::push_back, VecDeque::pop_front);
    }

    fn listen(&mut self) -> Result<()> {
        for told in self.floor.take_told() {
            self.auditor.observe(&told);
            if let Some(recorder) = &mut self.recorder {
                recorder.observe(&told)?;
            }
            self.hear(told)?;
        }
        Ok(())
    }

    fn hear(&mut self, told: Output) -> Result<()> {
        match told {
            Output::Booked { row, .. } => {
                self.tally.fills += 1;
                self.tally.fees =
                    self.tally.fees.plus(row.fill.fee.in_quote.unwrap_or_default())?;
                keep(&mut self.fills, *row, VecDeque::push_front, VecDeque::pop_back);
            }
            Output::Closed { row, .. } => {
                // A deal whose base order never filled is none that anybody saw.
                if row.bought.is_positive() {
                    self.tally.deals_closed += 1;
                }
                self.tally.profit = self.tally.profit.plus(row.profit)?;
            }
            Output::Why { record, .. } => {
                if matches!(record.why, Why::Placed { .. }) {
                    self.tally.orders_placed += 1;
                }
                keep(&mut self.whys, *record, VecDeque::push_front, VecDeque::pop_back);
            }
            Output::Quarantined { account, reason, .. } => {
                self.violations.insert(format!("account {account}, bot put aside: {reason}"));
            }
            Output::Dead { account, reason } => {
                self.violations.insert(format!("account {account} cannot be loaded: {reason}"));
            }
            Output::Verdict { row, .. } => {
                if let Err(reason) = &row.verdict {
                    tracing::warn!(command = %row.command, reason, "command refused");
                }
            }
            Output::BadTick { instrument, reason } => {
                tracing::debug!(%instrument, ?reason, "tick held back");
            }
            Output::Commit { .. }
            | Output::Reload { .. }
            | Output::Forget { .. }
            | Output::Call { .. }
            | Output::Ask { .. }
            | Output::HandBack { .. }
            | Output::Lookup { .. }
            | Output::Recorded { .. }
            | Output::More => {}
        }
        Ok(())
    }
}

/// Puts an item in and takes the oldest out when there are too many.
fn keep<T>(
    items: &mut VecDeque<T>,
    item: T,
    put: fn(&mut VecDeque<T>, T),
    drop_oldest: fn(&mut VecDeque<T>) -> Option<T>,
) {
    put(items, item);
    if REMEMBERED < items.len() {
        drop(drop_oldest(items));
    }
}
