//! Ticks that wait for what they caused on paper.
//!
//! In a backtest a tick trades at the exchange first, everything that follows from it is done, and then the
//! strategies see it. On paper that takes a commit or two. Where only paper accounts trade a pair, its ticks
//! wait for it, a quarter of a second at most; nobody with real money waits for play money.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tranche_model::{candle::Tick, ids::InstrumentId};
use tranche_trading::{event::Event, shard::Input};

use super::Engine;
use crate::lease::now;

/// No tick is seen later than this after it came.
const HOLD: Duration = Duration::from_millis(250);

/// By instrument: the first has traded on paper and waits to be seen, the others wait behind it.
#[derive(Debug, Default)]
pub(super) struct Held {
    ticks: BTreeMap<InstrumentId, VecDeque<Waiting>>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    tick: Tick,
    until: Instant,
}

impl Held {
    /// When the first of them must be seen.
    pub(super) fn until(&self) -> Option<Instant> {
        self.ticks.values().filter_map(|queue| queue.front()).map(|first| first.until).min()
    }

    /// What came before a gap says nothing after it.
    pub(super) fn forget(&mut self, instruments: &[InstrumentId]) {
        self.ticks.retain(|instrument, _| !instruments.contains(instrument));
    }
}

impl Engine {
    /// A price came: paper orders meet it first, as those at an exchange do.
    pub(super) fn tick(&mut self, tick: Tick) {
        let waiting = Waiting { tick, until: now() + HOLD };
        match self.held.ticks.get_mut(&tick.instrument) {
            Some(queue) => queue.push_back(waiting),
            None => self.trade(waiting),
        }
    }

    fn trade(&mut self, waiting: Waiting) {
        let tick = waiting.tick;
        if let Some(paper) = &self.paper {
            paper.tick(&tick);
        }
        let is_news = self.hear_paper();
        if is_news && now() < waiting.until && !self.is_traded_for_real(tick.instrument) {
            self.held.ticks.entry(tick.instrument).or_default().push_front(waiting);
        } else {
            self.see(tick);
        }
    }

    fn see(&mut self, tick: Tick) {
        // What was due before the tick comes before it.
        if self.shard.next_time().is_some_and(|due| due <= self.venue.now()) {
            self.input(Input::Time);
        }
        self.running.ticks = self.running.ticks.saturating_add(1);
        self.jotter.tick(&tick);
        self.input(Input::Tick(tick));
    }

    /// Lets held ticks be seen when nothing is under way any more, or when they have waited long enough.
    /// Returns whether there were any.
    pub(super) fn release(&mut self) -> bool {
        let Some(until) = self.held.until() else { return false };
        let venue_now = self.venue.now();
        let is_due = self.shard.next_time().is_some_and(|due| due <= venue_now);
        let is_settled = self.running.is_quiet() && !is_due && !self.shard.has_more();
        if !is_settled && now() < until {
            return false;
        }
        for (instrument, mut queue) in std::mem::take(&mut self.held.ticks) {
            if !is_settled && queue.front().is_some_and(|first| now() < first.until) {
                self.held.ticks.insert(instrument, queue);
                continue;
            }
            if let Some(first) = queue.pop_front() {
                self.see(first.tick);
            }
            while let Some(next) = queue.pop_front() {
                self.trade(next);
                if let Some(held) = self.held.ticks.get_mut(&instrument) {
                    held.append(&mut queue);
                }
            }
        }
        true
    }

    /// What the paper exchange has to tell its accounts. Returns whether there was anything.
    pub(super) fn hear_paper(&mut self) -> bool {
        let Some(paper) = &self.paper else { return false };
        let news = paper.take_news();
        let is_news = !news.is_empty();
        for (account, event) in news {
            if self.owned.contains_key(&account) {
                self.note_private(account, &event);
                self.event(account, Event::Private(event));
            }
        }
        is_news
    }

    /// Whether an account that is not on paper trades the instrument.
    fn is_traded_for_real(&self, instrument: InstrumentId) -> bool {
        let real = self.owned.iter().filter(|(_, owned)| !owned.is_paper);
        let mut accounts = real.filter_map(|(account, _)| self.shard.account(*account));
        accounts.any(|account| account.trades(instrument))
    }
}
