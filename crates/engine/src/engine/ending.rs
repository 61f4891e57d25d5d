//! The graceful end. Nothing depends on it: who is killed finds everything again, only later.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tranche_model::ids::AccountId;
use tranche_trading::shard::{Input, Output};

use super::{Answered, Engine, Stored};
use crate::lease::now;

/// How long the end may take.
const WITHIN: Duration = Duration::from_secs(10);
/// How long giving the leases back may take.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);

impl Engine {
    /// Sends what was committed to be sent, and hears what left. Nothing new is decided: answers are not
    /// taken in, the next owner asks for them.
    pub(super) async fn wind_down(&mut self) {
        let until = now() + WITHIN;
        self.commits.clear();
        loop {
            self.turn_dispatch();
            self.outputs.clear();
            let is_done = self.in_commit == 0 && self.running.calls == 0 && self.in_flight == 0;
            if is_done || until <= now() {
                break;
            }
            self.hear(until).await;
        }
        if 0 < self.in_flight {
            tracing::warn!(calls = self.in_flight, "calls left and were not answered in time");
        }
        self.jot_last(RELEASE_WITHIN).await;
        let accounts: Vec<AccountId> = self.owned.keys().copied().collect();
        for owned in self.owned.values() {
            owned.lease.lose();
        }
        match timeout(RELEASE_WITHIN, self.store.release(accounts)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leases were not given back; they run out"),
            Err(_) => tracing::warn!("leases were not given back in time; they run out"),
        }
    }

    async fn hear(&mut self, until: Instant) {
        let soon = self.wake_at().min(until);
        tokio::select! {
            Some(answered) = self.answers.from.recv() => self.hear_answer(&answered),
            Some(stored) = self.stored.from.recv() => self.hear_store(stored),
            () = sleep_until(soon) => {}
        }
    }

    fn hear_answer(&mut self, answered: &Answered) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.running.calls = self.running.calls.saturating_sub(1);
        let now = self.venue.now();
        if answered.is_withheld {
            self.dispatch.withheld(answered.number, now);
        } else {
            self.dispatch.reply(answered.number, &answered.report.outcome, now);
        }
    }

    /// Of a commit that stands the effects come out: they are sent, as they were committed to be.
    fn hear_store(&mut self, stored: Stored) {
        let Stored::Committed { results, .. } = stored else { return };
        self.in_commit = 0;
        for (ticket, result) in results {
            if result.is_ok() {
                self.input(Input::Committed(ticket));
            }
        }
        for output in std::mem::take(&mut self.outputs) {
            if matches!(output, Output::Call { .. } | Output::Verdict { .. }) {
                self.carry_out(output);
            }
        }
    }
}
