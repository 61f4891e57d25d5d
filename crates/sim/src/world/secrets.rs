//! No secret is told: everything that a process writes down or says is searched.

use tranche_model::record::Batch;
use tranche_trading::shard::Output;

use super::World;

impl World<'_> {
    /// Takes over what the wire has found.
    pub(super) fn hear_wire(&mut self) {
        let Some(wire) = self.wire else { return };
        if let Some(found) = wire.violation() {
            self.checks.fail(found.invariant, found.text);
        }
    }

    fn guard(&mut self, place: &str, bytes: &[u8]) {
        if let Some(secret) = self.wire.and_then(|wire| wire.secret_in(bytes)) {
            self.checks.fail("I-33", format!("{secret} stands in {place}"));
        }
    }

    /// What is written down for good.
    pub(super) fn guard_batch(&mut self, batch: &Batch) {
        if self.wire.is_none() {
            return;
        }
        for row in &batch.journal {
            self.guard("the journal", &row.body);
        }
        for row in &batch.snapshots {
            self.guard("a snapshot", &row.body);
        }
        for row in &batch.verdicts {
            if let Err(text) = &row.verdict {
                self.guard("a verdict", text.as_bytes());
            }
        }
    }

    /// What is told to people.
    pub(super) fn guard_output(&mut self, told: &Output) {
        if self.wire.is_none() {
            return;
        }
        match told {
            Output::Why { record, .. } => {
                self.guard("a reason", record.why.to_string().as_bytes());
            }
            Output::Quarantined { input, reason, .. } => {
                self.guard("a broken input", input);
                self.guard("a breakdown", reason.as_bytes());
            }
            Output::Dead { reason, .. } => self.guard("a breakdown", reason.as_bytes()),
            Output::Recorded { event, trace, .. } => {
                self.guard("a recording", event);
                self.guard("a recording", trace);
            }
            Output::Commit { .. }
            | Output::Reload { .. }
            | Output::Forget { .. }
            | Output::Call { .. }
            | Output::Ask { .. }
            | Output::HandBack { .. }
            | Output::Lookup { .. }
            | Output::Booked { .. }
            | Output::Closed { .. }
            | Output::Verdict { .. }
            | Output::BadTick { .. }
            | Output::More => {}
        }
    }

    /// All that is in memory, as a dump would show it.
    pub(super) fn guard_dumps(&mut self) {
        if self.wire.is_none() {
            return;
        }
        let dumps: Vec<String> = self.nodes.iter().flatten().map(|it| format!("{it:?}")).collect();
        for dump in dumps {
            self.guard("a dump", dump.as_bytes());
        }
    }
}
