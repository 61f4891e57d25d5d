//! What the IO reports back: outcomes, and the venue's own counts.

use tranche_model::{
    record::Outcome,
    time::{Millis, Timestamp},
};

use super::{AT_ONCE, CallNumber, Dispatch, gate::Gate};

impl Dispatch {
    /// The outcome of a call in flight. Reports that came with it go first.
    pub fn reply(&mut self, number: CallNumber, outcome: &Outcome, now: Timestamp) {
        let Some(flight) = self.in_flight.remove(&number) else { return };
        self.wake_at = Some(AT_ONCE);
        // What was in flight when a window ended has to be known before it shrinks.
        self.budget.roll(now);
        self.budget.answer(flight.cost);
        let expired = flight.order.as_ref().is_some_and(|order| order.send_by < now);
        if flight.order.is_some() {
            let places = self.places_of(flight.account);
            places.roll(now);
            places.answer();
        }
        self.gate.learn(number, outcome, expired, now);
        heed(&mut self.gate, outcome, now);
    }

    /// The weight that the venue counted in its current minute, as the answer to call `number` says.
    /// Corrects the own count both ways, never below what is known to be in flight.
    pub fn weight_report(&mut self, number: CallNumber, used: u32, now: Timestamp) {
        self.budget.roll(now);
        if let Some(flight) = self.in_flight.get(&number) {
            self.budget.correct(used, flight.cost, flight.weight_mark, flight.sent_at);
            self.wake_at = Some(AT_ONCE);
        }
    }

    /// Weight that left beside what was counted when calls left: of a call that took more requests than
    /// one, or of what is no call at all.
    pub fn spent(&mut self, weight: u32, now: Timestamp) {
        if weight != 0 {
            self.budget.roll(now);
            self.budget.spend_aside(u64::from(weight));
            self.wake_at = Some(AT_ONCE);
        }
    }

    /// The orders that the venue counted in the account's current `window`, as the answer to the
    /// order `number` says.
    pub fn order_count_report(
        &mut self,
        number: CallNumber,
        window: Millis,
        count: u32,
        now: Timestamp,
    ) {
        let Some(flight) = self.in_flight.get(&number) else { return };
        let Some(mark) = flight.order.as_ref().map(|order| order.mark) else { return };
        let (account, sent_at) = (flight.account, flight.sent_at);
        let places = self.places_of(account);
        places.roll(now);
        places.correct(window, count, mark, sent_at);
        self.unpark(account);
        self.wake_at = Some(AT_ONCE);
    }

    /// The venue shuts the address out: nothing is sent until then, and a little longer.
    pub fn banned(&mut self, until: Timestamp) {
        self.gate.ban(until);
        self.wake_at = Some(AT_ONCE);
    }
}

fn heed(gate: &mut Gate, outcome: &Outcome, now: Timestamp) {
    match outcome {
        Outcome::Throttled { retry_at } => gate.throttle(*retry_at, now),
        Outcome::Done(_) | Outcome::Refused(_) | Outcome::NotSent | Outcome::Unknown => {}
    }
}
