//! What the IO reports back: outcomes, and the venue's own counts.

use tranche_model::{
    record::Outcome,
    time::{Millis, Timestamp},
};

use super::{AT_ONCE, CallNumber, Dispatch, Usage, gate::Gate};

impl Dispatch {
    /// The outcome of a call in flight. Reports that came with it go first.
    pub fn reply(&mut self, number: CallNumber, outcome: &Outcome, now: Timestamp) {
        let Some(expired) = self.landed(number, now) else { return };
        self.gate.learn(number, outcome, expired, now);
        heed(&mut self.gate, outcome, now);
    }

    /// A call was kept back here: in quarantine, or because its account is another's now. That says nothing
    /// of the venue.
    pub fn withheld(&mut self, number: CallNumber, now: Timestamp) {
        if self.landed(number, now).is_some() {
            self.gate.learn(number, &Outcome::NotSent, true, now);
        }
    }

    /// A call is not in flight any more; whether its own deadline is over. `None` for one that was not.
    fn landed(&mut self, number: CallNumber, now: Timestamp) -> Option<bool> {
        let flight = self.in_flight.remove(&number)?;
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
        Some(expired)
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

    /// The weight that the venue counted in its minute of `sent_at`, as the answer to something that is no
    /// call says. It never lowers the own count: what is in flight may be missing in it.
    pub fn weight_told(&mut self, used: u32, sent_at: Timestamp, now: Timestamp) {
        self.budget.roll(now);
        if self.budget.began_at() <= sent_at {
            let missing = u64::from(used).saturating_sub(self.budget.used());
            self.budget.spend_aside(missing);
            self.wake_at = Some(AT_ONCE);
        }
    }

    /// What is used of the address at present.
    pub fn usage(&mut self, now: Timestamp) -> Usage {
        self.budget.roll(now);
        self.gate.roll(now);
        Usage {
            began_at: self.budget.began_at(),
            used: self.budget.used(),
            banned_until: self.gate.banned_until(),
        }
    }

    /// What a former process left of the address, before anything is sent.
    pub fn recall(&mut self, usage: Usage, now: Timestamp) {
        self.budget.roll(now);
        if usage.began_at == self.budget.began_at() {
            self.budget.spend_aside(usage.used);
        }
        if let Some(until) = usage.banned_until {
            self.banned(until);
        }
        self.wake_at = Some(AT_ONCE);
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
