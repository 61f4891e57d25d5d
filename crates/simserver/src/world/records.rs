//! Orders as clients asked for them, with every state that they were in.
//!
//! The exchange decides; this remembers what the wire needs beside it: texts, times of placing, which
//! cancel ended an order, and older states for reads that lag.

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    ids::{AccountId, InstrumentId, VenueOrderId},
    money::{Qty, Quote},
    order::{OrderKind, OrderReport, OrderStatus, Side},
    time::Timestamp,
};
use tranche_sim::exchange::{Condition, Ending, ListNo, Stage, Trigger};

use super::lists::Lists;

/// What the sender of an order said beside the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    pub(crate) strategy_id: Option<i64>,
    pub(crate) strategy_type: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: VenueOrderId,
    pub(crate) account: AccountId,
    pub(crate) instrument: InstrumentId,
    pub(crate) client_id: String,
    pub(crate) side: Side,
    pub(crate) kind: OrderKind,
    pub(crate) extras: Extras,
    pub(crate) placed_at: Timestamp,
    /// `None` for a plain order.
    pub(crate) condition: Option<Condition>,
    /// Oldest first.
    pub(crate) amendments: Vec<Amended>,
    /// Oldest first, never empty.
    states: Vec<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) at: Timestamp,
    pub(crate) status: OrderStatus,
    pub(crate) executed: Qty,
    pub(crate) executed_quote: Quote,
    /// Expired by the rule against trading with oneself.
    pub(crate) is_prevented: bool,
    pub(crate) stage: Stage,
    /// Since when it works; `None` before.
    pub(crate) working_at: Option<Timestamp>,
    /// Why it ended, where its kind does not tell.
    pub(crate) why: Option<Ending>,
}

/// An order became smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amended {
    pub(crate) execution: u64,
    pub(crate) former: (String, Qty),
    pub(crate) current: (String, Qty),
    pub(crate) at: Timestamp,
}

/// What was told of an order before its next report.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    pub(crate) conditions: BTreeMap<VenueOrderId, Condition>,
    pub(crate) endings: BTreeMap<VenueOrderId, Ending>,
    pub(crate) amended: BTreeSet<VenueOrderId>,
}

/// All orders ever.
#[derive(Debug, Default)]
pub(crate) struct Records {
    by_id: BTreeMap<VenueOrderId, Record>,
    by_market: BTreeMap<(AccountId, InstrumentId), Vec<VenueOrderId>>,
    open: BTreeMap<InstrumentId, BTreeSet<VenueOrderId>>,
    /// Orders by the text that their sender gave them, oldest first.
    by_client: BTreeMap<(AccountId, InstrumentId, String), Vec<VenueOrderId>>,
    pub(crate) lists: Lists,
    pub(crate) announced: Announced,
    /// Of the orders that are being placed, by the texts of their ids.
    pub(crate) next_extras: Vec<(String, Extras)>,
    /// The client id of the cancel that is being carried out.
    pub(crate) cancel_id: Option<String>,
    executions: u64,
}

/// How a client names an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderRef {
    Id(u64),
    Client(String),
    /// Both were given and must name the same order.
    Both(u64, String),
}

impl State {
    /// Of a plain order. Nothing but the rule against trading with oneself, or the end of its
    /// instrument, expires one that waits in the book.
    pub(crate) fn plain(report: &OrderReport, is_listed: bool) -> Self {
        Self {
            at: report.updated_at,
            status: report.status,
            executed: report.executed,
            executed_quote: report.executed_quote,
            is_prevented: is_listed && report.status == OrderStatus::Expired && report.kind.rests(),
            stage: Stage::Working,
            working_at: Some(report.updated_at),
            why: None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        !self.status.is_terminal()
    }
}

impl Record {
    /// An order of which only this is known.
    pub(crate) fn of(account: AccountId, report: &OrderReport, text: &str, state: State) -> Self {
        Self {
            id: report.venue_id,
            account,
            instrument: report.instrument,
            client_id: text.to_owned(),
            side: report.side,
            kind: report.kind,
            extras: Extras::default(),
            placed_at: report.updated_at,
            condition: None,
            amendments: Vec::new(),
            states: vec![state],
        }
    }

    /// The state at a time; `None` before it was placed.
    pub(crate) fn state_at(&self, at: Timestamp) -> Option<&State> {
        self.states.iter().rev().find(|state| state.at <= at)
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.states.last()
    }

    /// Base units asked for. An order sized in quote shows what it bought.
    pub(crate) fn qty(&self) -> Qty {
        let bought = || self.state().map(|state| state.executed).unwrap_or_default();
        self.kind.qty().unwrap_or_else(bought)
    }

    pub(crate) fn trigger(&self) -> Option<Trigger> {
        self.condition.and_then(|condition| condition.trigger)
    }

    pub(crate) fn list(&self) -> Option<ListNo> {
        self.condition.and_then(|condition| condition.list)
    }

    pub(crate) fn remaining(&self) -> Qty {
        let executed = self.state().map(|state| state.executed).unwrap_or_default();
        self.qty().minus_floored(executed).unwrap_or_default()
    }
}

impl Records {
    /// Writes down a new state; `true` when the order is new.
    pub(crate) fn note(
        &mut self,
        account: AccountId,
        report: &OrderReport,
        (state, text): (State, &str),
    ) -> bool {
        let is_new = !self.by_id.contains_key(&report.venue_id);
        if is_new {
            let key = (account, report.instrument);
            self.by_market.entry(key).or_default().push(report.venue_id);
            let named = (account, report.instrument, text.to_owned());
            self.by_client.entry(named).or_default().push(report.venue_id);
        }
        let of_text = |(id, _): &&(String, Extras)| id == text;
        let extras = self.next_extras.iter().find(of_text).map(|(_, extras)| *extras);
        let record = self.by_id.entry(report.venue_id).or_insert_with(|| Record {
            id: report.venue_id,
            account,
            instrument: report.instrument,
            client_id: text.to_owned(),
            side: report.side,
            kind: report.kind,
            extras: extras.unwrap_or_default(),
            placed_at: report.updated_at,
            condition: None,
            amendments: Vec::new(),
            states: Vec::new(),
        });
        record.kind = report.kind;
        if let Some(condition) = self.announced.conditions.remove(&report.venue_id) {
            record.condition = Some(condition);
        }
        record.states.push(state);
        let open = self.open.entry(report.instrument).or_default();
        if state.is_open() {
            open.insert(report.venue_id);
        } else {
            open.remove(&report.venue_id);
        }
        is_new
    }

    /// An order goes by another text from now on.
    pub(crate) fn rename(&mut self, id: VenueOrderId, text: &str) {
        let Some(record) = self.by_id.get_mut(&id) else { return };
        let former = (record.account, record.instrument, record.client_id.clone());
        if let Some(ids) = self.by_client.get_mut(&former) {
            ids.retain(|other| *other != id);
        }
        text.clone_into(&mut record.client_id);
        let named = (record.account, record.instrument, text.to_owned());
        self.by_client.entry(named).or_default().push(id);
    }

    pub(crate) fn amended(&mut self, id: VenueOrderId, row: Amended) {
        if let Some(record) = self.by_id.get_mut(&id) {
            record.amendments.push(row);
        }
    }

    /// What is special about an order changes without a report.
    pub(crate) fn set_condition(&mut self, id: VenueOrderId, condition: Condition) {
        self.announced.conditions.insert(id, condition);
        if let Some(record) = self.by_id.get_mut(&id) {
            record.condition = Some(condition);
        }
    }

    pub(crate) fn get(&self, id: VenueOrderId) -> Option<&Record> {
        self.by_id.get(&id)
    }

    /// Orders of an account on an instrument, oldest first.
    pub(crate) fn on(
        &self,
        account: AccountId,
        instrument: InstrumentId,
    ) -> impl Iterator<Item = &Record> {
        let ids = self.by_market.get(&(account, instrument));
        ids.into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn of(&self, account: AccountId) -> impl Iterator<Item = &Record> {
        let all = self.by_market.iter().filter(move |((owner, _), _)| *owner == account);
        all.flat_map(|(_, ids)| ids).filter_map(|id| self.by_id.get(id))
    }

    /// Open orders of everyone on an instrument.
    pub(crate) fn open_on(&self, instrument: InstrumentId) -> impl Iterator<Item = &Record> {
        let ids = self.open.get(&instrument).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// Open orders of an account, by instrument and age.
    pub(crate) fn open_of(&self, account: AccountId) -> impl Iterator<Item = &Record> {
        let ids = self.open.values().flatten();
        ids.filter_map(|id| self.by_id.get(id)).filter(move |record| record.account == account)
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.values().map(BTreeSet::len).sum()
    }

    /// The order that a client names. Of several with one client id it is the latest: only that one can
    /// be open.
    pub(crate) fn find(
        &self,
        (account, instrument): (AccountId, InstrumentId),
        wanted: &OrderRef,
        at: Timestamp,
    ) -> Option<&Record> {
        let there = |record: &&Record| record.placed_at <= at;
        let by_id = |id: u64| {
            let record = self.by_id.get(&VenueOrderId::new(u128::from(id)));
            record.filter(|record| record.account == account && record.instrument == instrument)
        };
        match wanted {
            OrderRef::Id(id) => by_id(*id).filter(there),
            OrderRef::Client(text) => {
                let ids = self.by_client.get(&(account, instrument, text.clone()));
                let named = ids.into_iter().flatten().filter_map(|id| self.by_id.get(id));
                named.rev().find(there)
            }
            OrderRef::Both(id, text) => by_id(*id).filter(|it| it.client_id == *text).filter(there),
        }
    }

    pub(crate) fn next_execution(&mut self) -> u64 {
        self.executions = self.executions.saturating_add(1);
        self.executions
    }
}
