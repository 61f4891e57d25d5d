//! What was done, and what was found: the closing line of a run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Map, Value, json};

use super::proxy::Struck;

/// What goes wrong with orders and books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lost,
    Doubled,
    Orphaned,
    Ledger,
    /// A secret that lies open.
    Secret,
    Sent,
}

/// What differs from what must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

/// What a run did, in the order of the closing line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Cycles,
    Kills,
    Pauses,
    Takeovers,
    SecondsRefused,
    FailingDisks,
    FullDisks,
    Restores,
    BackupHours,
    Worlds,
    Audits,
    Intents,
    DealsClosed,
    /// Until everything agreed after the last kill of a world: orders of unknown fate are looked up.
    SecondsSettling,
}

/// Of all worlds of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    deeds: Mutex<BTreeMap<Deed, u64>>,
    findings: Mutex<Vec<Finding>>,
    pub(crate) struck: Arc<Struck>,
}

const DEEDS: [(Deed, &str); 14] = [
    (Deed::Cycles, "cycles"),
    (Deed::Kills, "kills"),
    (Deed::Pauses, "pauses"),
    (Deed::Takeovers, "takeovers"),
    (Deed::SecondsRefused, "second_engines_refused"),
    (Deed::FailingDisks, "failing_disks"),
    (Deed::FullDisks, "full_disks"),
    (Deed::Restores, "restores"),
    (Deed::BackupHours, "hours_behind_the_restores"),
    (Deed::Worlds, "worlds"),
    (Deed::Audits, "audits"),
    (Deed::Intents, "intents"),
    (Deed::DealsClosed, "deals_closed"),
    (Deed::SecondsSettling, "seconds_settling"),
];

const KINDS: [(Kind, &str); 6] = [
    (Kind::Lost, "lost"),
    (Kind::Doubled, "doubled"),
    (Kind::Orphaned, "orphaned"),
    (Kind::Ledger, "ledger_differences"),
    (Kind::Secret, "secrets_in_the_open"),
    (Kind::Sent, "sent_in_quarantine"),
];

impl Finding {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl Tally {
    pub(crate) fn add(&self, deed: Deed) {
        self.add_many(deed, 1);
    }

    pub(crate) fn add_many(&self, deed: Deed, count: u64) {
        *self.deeds.lock().unwrap().entry(deed).or_default() += count;
    }

    pub(crate) fn count(&self, deed: Deed) -> u64 {
        self.deeds.lock().unwrap().get(&deed).copied().unwrap_or_default()
    }

    /// Takes what was found down; the run goes no further in this world.
    pub(crate) fn judge(&self, found: Vec<Finding>, around: &str) {
        if !found.is_empty() {
            let told = format!("{found:#?}\n{around}");
            self.findings.lock().unwrap().extend(found);
            panic!("{told}");
        }
    }

    pub(crate) fn json(&self, head: Map<String, Value>) -> Value {
        let mut line = head;
        for (deed, name) in DEEDS {
            line.insert(name.to_owned(), json!(self.count(deed)));
        }
        line.insert("line".to_owned(), self.struck.json());
        let found = self.findings.lock().unwrap();
        for (kind, name) in KINDS {
            let count = found.iter().filter(|finding| finding.kind == kind).count();
            line.insert(name.to_owned(), json!(count));
        }
        Value::Object(line)
    }
}
