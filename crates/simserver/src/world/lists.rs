//! Order lists as clients asked for them, with every state that they were in.

use std::collections::BTreeMap;

use tranche_model::{
    ids::{AccountId, InstrumentId, VenueOrderId},
    time::Timestamp,
};
use tranche_sim::exchange::{ListChange, ListKind, ListNo, ListReport};

#[derive(Debug, Clone)]
pub(crate) struct ListRecord {
    pub(crate) number: ListNo,
    pub(crate) account: AccountId,
    pub(crate) instrument: InstrumentId,
    pub(crate) client_id: String,
    pub(crate) kind: ListKind,
    pub(crate) orders: Vec<VenueOrderId>,
    pub(crate) placed_at: Timestamp,
    /// Oldest first, never empty.
    changes: Vec<(Timestamp, ListChange)>,
}

/// All lists ever, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    all: BTreeMap<ListNo, ListRecord>,
}

/// How a client names a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListRef {
    Number(u64),
    Client(String),
    /// Both were given and must name the same list.
    Both(u64, String),
}

impl ListRecord {
    /// When it changed last before a time, and how; `None` before it was placed.
    pub(crate) fn state_at(&self, at: Timestamp) -> Option<(Timestamp, ListChange)> {
        self.changes.iter().rev().find(|(changed_at, _)| *changed_at <= at).copied()
    }

    pub(crate) fn is_open_at(&self, at: Timestamp) -> bool {
        self.state_at(at).is_some_and(|(_, change)| change != ListChange::Done)
    }
}

impl Lists {
    /// Writes down what was said of a list.
    pub(crate) fn note(&mut self, report: &ListReport, text: String) -> &ListRecord {
        let record = self.all.entry(report.number).or_insert_with(|| ListRecord {
            number: report.number,
            account: report.account,
            instrument: report.instrument,
            client_id: text,
            kind: report.kind,
            orders: report.orders.clone(),
            placed_at: report.at,
            changes: Vec::new(),
        });
        record.changes.push((report.at, report.change));
        record
    }

    pub(crate) fn get(&self, number: ListNo) -> Option<&ListRecord> {
        self.all.get(&number)
    }

    pub(crate) fn of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &ListRecord> {
        self.all.values().filter(move |list| list.account == account)
    }

    /// The list that a client names; of several with one text the latest.
    pub(crate) fn find(
        &self,
        account: AccountId,
        wanted: &ListRef,
        at: Timestamp,
    ) -> Option<&ListRecord> {
        let is_named = |list: &&ListRecord| match wanted {
            ListRef::Number(number) => list.number.get() == *number,
            ListRef::Client(text) => list.client_id == *text,
            ListRef::Both(number, text) => list.number.get() == *number && list.client_id == *text,
        };
        self.of(account).rev().find(|list| list.placed_at <= at && is_named(list))
    }
}
