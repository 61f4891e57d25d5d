//! From the first minute to the last.

use std::collections::BTreeMap;

use tranche_model::{
    asset::Asset,
    balance::Balance,
    candle::Tick,
    ids::{AccountId, InstrumentId},
    instrument::Instruments,
    money::{Amount, Price, Qty},
    record::Snapshot,
    time::{Millis, Timestamp},
};
use tranche_trading::shard::{Input, Options};

use rust_decimal::Decimal;

use super::{
    Counts, Plan, Report, Wire, World,
    check::Checks,
    line::Line,
    market::{self, Market},
    node::Node,
    people::People,
    plan::{BEGINNING, MINUTE},
    settings_of,
    trace::Trace,
};
use crate::{exchange::Exchange, memory::Memory};

/// So many lanes are woken in one go: few, so that bursts are cut.
const CHUNK: usize = 4;
/// Old orders and executions are forgotten once in so many minutes.
const TIDY_EVERY: u32 = 360;

impl<'w> World<'w> {
    pub fn new(plan: Plan, wire: Option<&'w dyn Wire>) -> Self {
        let mut exchange = exchange_of(&plan);
        if plan.is_spoken {
            exchange.tell_plain_fees();
        }
        let settings = plan.accounts.iter().map(|account| (*account, settings_of(&plan, 1)));
        let mut memory = Memory::default();
        for account in &plan.accounts {
            memory.add_account(*account, Snapshot::default());
        }
        let mut world = Self {
            now: BEGINNING,
            minute: 0,
            exchange,
            line: Line::new(plan.way_back, wire),
            wire,
            backup: memory.clone(),
            memory,
            nodes: vec![None, None],
            owner: 0,
            lives: 0,
            starts_at: None,
            settings: settings.collect(),
            market: Market::new(plan.market.clone(), &plan.instruments, plan.restlessness),
            frozen: BTreeMap::new(),
            gaps: BTreeMap::new(),
            dry_until: Timestamp::MIN,
            thin_until: Timestamp::MIN,
            mended_at: BTreeMap::new(),
            people: People::new(plan.people.clone()),
            next_act: 0,
            deaths: Vec::new(),
            store_faults: Vec::new(),
            weights: Vec::new(),
            struck: Counts::default(),
            states: Counts::default(),
            checks: Checks::new(&plan),
            trace: Trace::default(),
            kills: 0,
            ticks: 0,
            plan,
        };
        world.start();
        world
    }

    /// Lives through the plan, or until something is wrong.
    pub fn run(mut self) -> Report {
        while self.minute < self.plan.minutes && self.checks.is_clean() {
            self.live_a_minute();
            self.minute = self.minute.saturating_add(1);
        }
        self.report()
    }

    fn live_a_minute(&mut self) {
        let at = BEGINNING.plus(MINUTE.times(self.minute));
        self.advance(at);
        let is_calm = self.plan.is_calm(self.minute);
        if self.plan.is_beginning(self.minute) {
            self.begin_episode();
        }
        if is_calm && !self.plan.is_calm(self.minute.saturating_sub(1)) {
            self.begin_calm();
        }
        if self.plan.is_soon(self.minute) {
            self.look_soon();
        }
        self.trade(is_calm);
        self.insist();
        if self.minute.is_multiple_of(TIDY_EVERY) {
            self.tidy();
        }
        if self.minute.saturating_add(1) == self.plan.episode_end(self.minute) {
            self.look_closely();
        }
    }

    /// The market prints a price for each instrument.
    fn trade(&mut self, is_calm: bool) {
        let is_kept =
            self.plan.wish.keep.minutes.as_ref().is_none_or(|kept| kept.contains(&self.minute));
        for place in 0..self.plan.instruments.len() {
            let parts = self.market.step(place, is_calm, self.minute);
            if is_kept {
                self.trade_on(place, parts);
            } else {
                self.show_again(place);
            }
        }
    }

    /// In a minute that is left out the market stands still. It is not silent: the price would grow old,
    /// and a failure that is made smaller would become another one.
    fn show_again(&mut self, place: usize) {
        let id = InstrumentId::new(u32::try_from(place).unwrap_or(0));
        if let Some(price) = self.checks.last_price(id) {
            self.show(&Tick { instrument: id, price, qty: Qty::ZERO, at: self.now });
        }
    }

    fn trade_on(&mut self, place: usize, parts: i64) {
        let number = u32::try_from(place).unwrap_or(0);
        let id = InstrumentId::new(number);
        let now = self.now;
        let mut tick = market::tick(self.exchange.instruments(), id, parts, now);
        self.ticks = self.ticks.saturating_add(1);
        tick.qty = self.depth();
        self.exchange.trade(&tick);
        self.collect();
        if self.frozen.get(&number).is_some_and(|until| now < *until) {
            tick.price = self.checks.last_price(id).unwrap_or(tick.price);
        }
        self.show(&tick);
    }

    /// Every process sees a price, but for an instrument in a gap: one print in it would make a price
    /// fresh that stays for as long as nothing else is shown.
    pub(super) fn show(&mut self, tick: &Tick) {
        if self.gaps.get(&tick.instrument.get()).is_some_and(|until| self.now < *until) {
            return;
        }
        let heard = self.wire.map_or(Some(*tick), |wire| wire.tick(tick));
        let Some(tick) = heard else { return };
        self.checks.saw(&tick);
        for place in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(place).and_then(Option::as_mut)
                && !node.is_paused(self.now)
            {
                let clock = node.clock(self.now);
                node.step(Input::Tick(Tick { at: clock, ..tick }), self.now);
                self.pump(place);
            }
        }
        self.check_touched();
    }

    /// Moves the clock, stopping wherever something is due.
    pub(super) fn advance(&mut self, to: Timestamp) {
        let mut rounds = 0_u32;
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            rounds = if self.now < due { 0 } else { rounds.saturating_add(1) };
            if 10_000 < rounds {
                self.checks.fail("I-31", format!("time stands still at {}", self.now));
                break;
            }
            self.now = self.now.max(due);
            self.happen();
            if !self.checks.is_clean() {
                return;
            }
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self) {
        if self.starts_at.is_some_and(|at| at <= self.now) {
            self.start();
        }
        self.take_acts();
        self.exchange.advance(self.now);
        self.collect();
        self.deliver();
        for place in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(place).and_then(Option::as_mut) else { continue };
            if node.ends_at.is_some_and(|at| at <= self.now) {
                let life = node.life;
                self.line.disconnect(life);
                if let Some(seat) = self.nodes.get_mut(place) {
                    *seat = None;
                }
                continue;
            }
            let clock = node.clock(self.now);
            if !node.is_paused(self.now) && node.shard.next_time().is_some_and(|at| at <= clock) {
                node.step(Input::Time, self.now);
            }
            self.pump(place);
        }
        self.check_touched();
    }

    /// A process starts and takes over all accounts.
    pub(super) fn start(&mut self) {
        self.starts_at = None;
        let free = self.nodes.iter().position(Option::is_none);
        let Some(place) = free else { return };
        self.lives = self.lives.saturating_add(1);
        let options = Options { chunk: CHUNK, record: self.plan.repeats, ..Options::default() };
        // It learns of changed rules before anything else, as whoever starts a process does it.
        let instruments = self.rules_as_read();
        let mut node = Node::new(self.lives, &instruments, options, self.plan.limits.clone());
        for (account, settings) in &self.settings {
            self.line.connect(node.life, *account);
            let settings = Box::new(settings.clone());
            node.step(Input::Own { account: *account, settings }, self.now);
        }
        if let Some(seat) = self.nodes.get_mut(place) {
            *seat = Some(Box::new(node));
        }
        self.owner = place;
        self.pump(place);
    }

    /// The instruments with the rules that a process reads.
    fn rules_as_read(&self) -> Instruments {
        let known = self.exchange.instruments();
        let Some(wire) = self.wire else { return known.clone() };
        let read = |rules| wire.rules(rules, self.now).unwrap_or_else(|| rules.clone());
        Instruments::new(known.iter().map(read).collect()).unwrap_or_else(|| known.clone())
    }

    /// What no check and no bot asks for any more goes: worlds are long, memory is not.
    fn tidy(&mut self) {
        self.memory.forget_journals();
        let before = self.now.minus(Millis::from_secs(12 * 3_600));
        self.exchange.forget_highs_before(before);
    }

    fn report(mut self) -> Report {
        self.checks.finish(&self.memory);
        self.struck.merge(&self.line.struck);
        self.guard_dumps();
        self.hear_wire();
        let (violations, tail) = self.checks.into_found();
        Report {
            wish: self.plan.wish,
            minutes: self.minute,
            bots: self.plan.bots.len(),
            accounts: self.plan.accounts.len(),
            ticks: self.ticks,
            events: self.trace.events().saturating_add(self.ticks),
            kills: self.kills,
            faults: self.struck,
            states: self.states,
            acts: self.next_act,
            trace_hash: self.trace.hash(),
            is_spoken: self.wire.is_some(),
            texts: self.wire.map_or(0, Wire::passed),
            violations,
            tail,
        }
    }
}

fn exchange_of(plan: &Plan) -> Exchange {
    let mut exchange = Exchange::new(plan.instruments.clone(), plan.exchange);
    let purse = [("USDT", plan.funds), ("BNB", 50)];
    let purse = purse.into_iter().filter_map(|(name, units)| {
        let free = Amount::new(Decimal::from(units));
        Asset::parse(name).ok().map(|asset| Balance { asset, free, locked: Amount::ZERO })
    });
    let purse: Vec<_> = purse.collect();
    for account in &plan.accounts {
        // New accounts with small whole amounts are always taken.
        let _opened = exchange.add_account(*account, plan.fees, plan.fee_asset, purse.clone());
    }
    if let (Ok(bnb), Ok(usdt)) = (Asset::parse("BNB"), Asset::parse("USDT")) {
        exchange.set_rate(bnb, usdt, Price::new(Decimal::from(300_u32)));
    }
    exchange
}

/// Accounts in order.
pub(super) fn account_of(plan: &Plan, drawn: u64) -> AccountId {
    let count = u64::try_from(plan.accounts.len()).unwrap_or(1).max(1);
    let place = usize::try_from(drawn % count).unwrap_or(0);
    plan.accounts.get(place).copied().unwrap_or(AccountId::new(1))
}
