//! Prices by request while the market stream is down, so that data stays fresh: about once a minute, until
//! the stream is back.

use std::{collections::BTreeMap, sync::Arc};

use tranche_model::{
    candle::Tick,
    ids::InstrumentId,
    money::{Price, Qty},
    time::{Millis, Timestamp},
};
use tranche_trading::{dispatch::Status, shard::Input};
use tranche_venue::venue::ReadError;

use super::Engine;
use crate::tasks;

/// A stream that breaks is usually back by then.
const GRACE: Millis = Millis::from_secs(2);
const EVERY: Millis = Millis::from_secs(60);
/// A price that was received this long ago is not fresh any more.
const HOLDS: Millis = Millis::from_secs(90);

/// Which instruments no stream tells of, and when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Polls {
    down: BTreeMap<InstrumentId, Down>,
    ask_at: Option<Timestamp>,
    is_asking: bool,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    since: Timestamp,
    /// When its last price was received that still counts.
    received: Option<Timestamp>,
}

/// What became of asking.
pub(super) struct Polled {
    asked_at: Timestamp,
    result: Result<Vec<(InstrumentId, Price)>, ReadError>,
}

impl Polls {
    /// The ones that are lost with this. Each failed attempt to come back tells of all; for those that were
    /// down already it is the same gap, and what was asked for in it still counts.
    pub(super) fn lost(
        &mut self,
        mut instruments: Vec<InstrumentId>,
        now: Timestamp,
    ) -> Vec<InstrumentId> {
        instruments.retain(|instrument| !self.down.contains_key(instrument));
        let down = Down { since: now, received: None };
        self.down.extend(instruments.iter().map(|instrument| (*instrument, down)));
        if !self.down.is_empty() {
            self.ask_at = self.ask_at.or_else(|| Some(now.plus(GRACE)));
        }
        instruments
    }

    pub(super) fn back(&mut self, instruments: &[InstrumentId]) {
        self.keep(|instrument| !instruments.contains(instrument));
    }

    /// Forgets what is not watched any more.
    pub(super) fn keep(&mut self, is_wanted: impl Fn(&InstrumentId) -> bool) {
        self.down.retain(|instrument, _| is_wanted(instrument));
        if self.down.is_empty() {
            self.ask_at = None;
        }
    }

    /// Instruments that no stream tells of at present.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.down.len()).unwrap_or(u32::MAX)
    }

    /// Whether to ask now.
    fn is_due(&self, now: Timestamp) -> bool {
        !self.is_asking && self.ask_at.is_some_and(|due| due <= now)
    }

    /// Instruments whose price has become too old.
    fn outdated(&mut self, now: Timestamp) -> Vec<InstrumentId> {
        let mut outdated = Vec::new();
        for (instrument, down) in &mut self.down {
            if down.received.is_some_and(|at| at.plus(HOLDS) <= now) {
                down.received = None;
                outdated.push(*instrument);
            }
        }
        outdated
    }

    /// The prices that count: of what was down when they were asked for, and still is.
    fn take(
        &mut self,
        polled: Polled,
        now: Timestamp,
    ) -> Result<Vec<(InstrumentId, Price)>, ReadError> {
        self.is_asking = false;
        let mut wait = EVERY;
        if let Err(ReadError::Throttled { retry_at, .. }) = &polled.result {
            wait = wait.max(retry_at.since(now));
        }
        self.ask_at = (!self.down.is_empty()).then(|| now.plus(wait));
        let mut prices = polled.result?;
        prices.retain(|(instrument, _)| {
            let down = self.down.get_mut(instrument);
            let down = down.filter(|down| down.since <= polled.asked_at);
            down.map(|down| down.received = Some(now)).is_some()
        });
        Ok(prices)
    }
}

impl Engine {
    /// Asks for prices when it is time to, and gives up those that are too old.
    pub(super) fn poll(&mut self) {
        let now = self.venue.now();
        for instrument in self.polls.outdated(now) {
            self.input(Input::Gap(instrument));
        }
        if !self.polls.is_due(now) {
            return;
        }
        match self.dispatch.status() {
            Status::Open | Status::Broken(_) => {}
            Status::Throttled(until) | Status::Banned(until) => {
                self.polls.ask_at = Some(until.max(now.plus(GRACE)));
                return;
            }
        }
        self.polls.is_asking = true;
        self.running.polls = self.running.polls.saturating_add(1);
        let instruments = self.polls.down.keys().copied().collect();
        let venue = Arc::clone(&self.venue);
        let work = async move { Polled { asked_at: now, result: venue.prices(instruments).await } };
        let died = ReadError::Unreadable("the task of the question died".to_owned());
        let dead = Polled { asked_at: now, result: Err(died) };
        tasks::deliver("prices", self.polled.into.clone(), work, dead);
    }

    pub(super) fn polled(&mut self, polled: Polled) {
        let now = self.venue.now();
        match self.polls.take(polled, now) {
            Ok(prices) => {
                for (instrument, price) in prices {
                    self.tick(Tick { instrument, price, qty: Qty::ZERO, at: now });
                }
            }
            Err(error) => tracing::warn!(%error, "no prices while the market stream is down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InstrumentId = InstrumentId::new(0);
    const B: InstrumentId = InstrumentId::new(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn polled(asked_at: Timestamp, ids: &[InstrumentId]) -> Polled {
        let price = Price::parse("100").unwrap();
        Polled { asked_at, result: Ok(ids.iter().map(|id| (*id, price)).collect()) }
    }

    fn taken(polls: &mut Polls, polled: Polled, now: Timestamp) -> Vec<InstrumentId> {
        polls.take(polled, now).unwrap().into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn prices_are_asked_for_once_a_minute_while_a_stream_is_down() {
        let mut polls = Polls::default();
        polls.lost(vec![A, B], at(100));
        assert!(!polls.is_due(at(101)));
        assert!(polls.is_due(at(102)));
        polls.is_asking = true;
        assert!(!polls.is_due(at(200)), "one at a time");

        assert_eq!(taken(&mut polls, polled(at(102), &[A, B]), at(103)), [A, B]);

        assert!(!polls.is_due(at(162)));
        assert!(polls.is_due(at(163)));
    }

    #[test]
    fn nothing_is_asked_for_once_the_stream_is_back() {
        let mut polls = Polls::default();
        polls.lost(vec![A, B], at(100));
        polls.back(&[A]);
        assert!(polls.is_due(at(102)));
        polls.back(&[B]);

        assert!(!polls.is_due(at(1000)));
        assert_eq!(taken(&mut polls, polled(at(102), &[A, B]), at(103)), []);
        assert!(!polls.is_due(at(1000)));
        assert_eq!(polls.outdated(at(1000)), []);
    }

    #[test]
    fn a_price_asked_for_before_the_last_gap_does_not_count() {
        let mut polls = Polls::default();
        polls.lost(vec![A, B], at(100));
        polls.back(&[A]);
        polls.lost(vec![A], at(110));

        assert_eq!(taken(&mut polls, polled(at(102), &[A, B]), at(111)), [B]);
    }

    #[test]
    fn a_stream_that_does_not_come_back_is_one_gap() {
        let mut polls = Polls::default();
        assert_eq!(polls.lost(vec![A], at(100)), [A]);

        assert_eq!(polls.lost(vec![A, B], at(110)), [B]);

        assert_eq!(taken(&mut polls, polled(at(105), &[A, B]), at(111)), [A]);
        polls.back(&[A]);
        assert_eq!(polls.lost(vec![A, B], at(120)), [A]);
    }

    #[test]
    fn a_price_counts_for_ninety_seconds() {
        let mut polls = Polls::default();
        polls.lost(vec![A], at(100));
        taken(&mut polls, polled(at(102), &[A]), at(103));

        assert_eq!(polls.outdated(at(192)), []);
        assert_eq!(polls.outdated(at(193)), [A]);
        assert_eq!(polls.outdated(at(194)), [], "told once");
    }

    #[test]
    fn who_is_asked_to_wait_waits() {
        let mut polls = Polls::default();
        polls.lost(vec![A], at(100));
        let result = Err(ReadError::Throttled { retry_at: at(400), banned: true });

        assert!(polls.take(Polled { asked_at: at(102), result }, at(103)).is_err());

        assert!(!polls.is_due(at(399)));
        assert!(polls.is_due(at(400)));
    }
}
