//! What the exchange tells an account unasked, in the words of the user data stream.
//!
//! Binance spot API documents, "User Data Streams" (2026-07-21): NEW comes before TRADE; an execution
//! report comes before the account position; of a cancelled order `c` is the cancel's own id and `C`
//! the order's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tranche_model::{
    asset::Asset,
    balance::Balance,
    fill::{Fill, Liquidity},
    ids::InstrumentId,
    ids::{AccountId, VenueOrderId},
    instrument::TradingStatus,
    money::{Amount, Qty},
    order::{OrderReport, OrderStatus},
    record::PrivateEvent,
    time::{Millis, Timestamp},
};
use tranche_sim::exchange::{ListChange, Note, Stage};

use crate::{
    binance::words,
    faults::{Fault, STRANGE},
};

use super::{
    World,
    lists::ListRecord,
    records::{Amended, Extras, Record, State},
};

/// What a report tells.
#[derive(Debug, Clone, Copy)]
enum Happened {
    /// It was taken, or goes to work.
    New,
    Trade(Fill),
    Replaced,
    Ended,
}

/// Events of one account, in order, before the faults.
#[derive(Debug, Default)]
struct Letters {
    /// With the order of a report.
    reports: Vec<(Option<VenueOrderId>, Value)>,
    balances: BTreeMap<Asset, Balance>,
}

type AllLetters = BTreeMap<AccountId, Letters>;

impl World {
    /// Writes down what happened and tells it to the accounts.
    pub(super) fn tell_private(
        &mut self,
        events: Vec<(AccountId, PrivateEvent)>,
        notes: Vec<(usize, Note)>,
        now: Timestamp,
    ) {
        for (account, event) in self.write_private(events, notes, now) {
            self.send_event(account, event);
        }
    }

    /// Writes down what happened; what the accounts are told of it, in order.
    pub(crate) fn write_private(
        &mut self,
        events: Vec<(AccountId, PrivateEvent)>,
        notes: Vec<(usize, Note)>,
        now: Timestamp,
    ) -> Vec<(AccountId, Value)> {
        let mut letters = AllLetters::new();
        // An order sized in quote shows what it will have bought from its first report on.
        let final_qty: BTreeMap<VenueOrderId, Qty> = events
            .iter()
            .filter_map(|(_, event)| match event {
                PrivateEvent::Order(report) => Some((report.venue_id, report.executed)),
                PrivateEvent::Fill(_) | PrivateEvent::Balances(_) => None,
            })
            .collect();
        let mut notes = notes.into_iter().peekable();
        let mut events = events.into_iter().enumerate().peekable();
        while let Some((place, (account, event))) = events.next() {
            while let Some((_, note)) = notes.next_if(|(before, _)| *before <= place) {
                self.take_note(note, now, &mut letters);
            }
            match event {
                PrivateEvent::Order(report) => {
                    let next = events.next_if(|(_, (_, next))| is_fill_of(next, &report));
                    let fill = next.and_then(|(_, (_, event))| match event {
                        PrivateEvent::Fill(fill) => Some(fill),
                        PrivateEvent::Order(_) | PrivateEvent::Balances(_) => None,
                    });
                    let qty =
                        report.kind.qty().or_else(|| final_qty.get(&report.venue_id).copied());
                    let letters = letters.entry(account).or_default();
                    self.tell_report(
                        (account, &report),
                        fill,
                        (qty.unwrap_or_default(), now),
                        letters,
                    );
                }
                PrivateEvent::Balances(balances) => {
                    let letters = letters.entry(account).or_default();
                    letters.balances.extend(balances.into_iter().map(|it| (it.asset, it)));
                }
                PrivateEvent::Fill(_) => {}
            }
        }
        for (_, note) in notes {
            self.take_note(note, now, &mut letters);
        }
        let mut written = Vec::new();
        for (account, letters) in letters {
            written.extend(letters.reports.into_iter().map(|(_, event)| (account, event)));
            if !letters.balances.is_empty() {
                written.push((account, position(&letters.balances, now)));
            }
        }
        written
    }

    /// What is said beside the events: for the next report, or of a list.
    fn take_note(&mut self, note: Note, now: Timestamp, letters: &mut AllLetters) {
        let announced = &mut self.records.announced;
        match note {
            Note::Condition { id, condition } => self.records.set_condition(id, condition),
            Note::Ended { id, why } => {
                announced.endings.insert(id, why);
            }
            Note::Amended { id, .. } => {
                announced.amended.insert(id);
            }
            Note::List(report) => {
                let text = self.names.text(report.client_id);
                let change = report.change;
                let list = self.records.lists.note(&report, text).clone();
                let event = self.list_event(&list, change, now);
                letters.entry(list.account).or_default().reports.push((None, event));
            }
        }
    }

    fn list_event(&self, list: &ListRecord, change: ListChange, now: Timestamp) -> Value {
        let (kind, status) = words::list_status(change);
        let symbol = self.symbol(list.instrument);
        let orders = list.orders.iter().filter_map(|id| self.records.get(*id));
        let orders: Vec<Value> = orders
            .map(|it| json!({"s": symbol, "i": words::id(it.id.get()), "c": it.client_id}))
            .collect();
        json!({
            "e": "listStatus",
            "E": now.ms(),
            "s": symbol,
            "g": list.number.get(),
            "c": words::contingency(list.kind),
            "l": kind,
            "L": status,
            "r": "NONE",
            "C": list.client_id,
            "T": list.state_at(Timestamp::MAX).map_or(0, |(at, _)| at.ms()),
            "O": orders,
        })
    }

    fn tell_report(
        &mut self,
        (account, report): (AccountId, &OrderReport),
        fill: Option<Fill>,
        (qty, now): (Qty, Timestamp),
        letters: &mut Letters,
    ) {
        let text = self.names.text(report.client_id);
        let state = self.next_state(report);
        let was_filled = self.records.get(report.venue_id).and_then(Record::state);
        let is_first_fill = was_filled.is_none_or(|state| state.executed.is_zero());
        let former = self.records.get(report.venue_id).map(|it| (it.client_id.clone(), it.qty()));
        let is_amended = self.records.announced.amended.remove(&report.venue_id);
        let is_new = self.records.note(account, report, (state, &text));
        self.touch(report.instrument);
        if let Some(fill) = fill.filter(|_| is_first_fill) {
            self.limits.first_fill(account, fill.liquidity, now);
        }
        let happened = match fill {
            Some(fill) => Happened::Trade(fill),
            None if is_new => Happened::New,
            None if report.status == OrderStatus::Filled => {
                // The last trade of an order sized in quote filled it: one report says both.
                let mut reports = letters.reports.iter_mut().rev();
                let last = reports.find(|(id, _)| *id == Some(report.venue_id));
                if let Some(status) = last.and_then(|(_, report)| report.get_mut("X")) {
                    *status = Value::from("FILLED");
                }
                return;
            }
            None if is_amended => Happened::Replaced,
            None if state.is_open() => Happened::New,
            None => Happened::Ended,
        };
        let execution = self.records.next_execution();
        let mut other_id = self.records.cancel_id.clone();
        if let (Happened::Replaced, Some(former)) = (happened, former) {
            other_id = Some(former.0.clone());
            let current = (text.clone(), report.kind.qty().unwrap_or_default());
            let row = Amended { execution, former, current, at: state.at };
            self.records.amended(report.venue_id, row);
            self.records.rename(report.venue_id, &text);
        }
        let Some(record) = self.records.get(report.venue_id) else { return };
        let mut event = self.report(record, &state, (qty, now));
        finish(&mut event, record, (&state, happened), (execution, other_id));
        letters.reports.push((Some(record.id), event));
    }

    /// The state that a report leads to.
    fn next_state(&mut self, report: &OrderReport) -> State {
        let id = report.venue_id;
        let record = self.records.get(id);
        let announced = &self.records.announced;
        let condition = announced.conditions.get(&id).copied();
        let condition = condition.or_else(|| record.and_then(|record| record.condition));
        let stage = condition.map_or(Stage::Working, |condition| condition.stage);
        let former = record.and_then(Record::state).and_then(|state| state.working_at);
        let why = self.records.announced.endings.remove(&id);
        let plain = State::plain(report, self.is_listed(report.instrument));
        let is_working = stage == Stage::Working;
        State {
            is_prevented: plain.is_prevented && why.is_none() && is_working,
            stage,
            working_at: former.or_else(|| plain.working_at.filter(|_| is_working)),
            why,
            ..plain
        }
    }

    pub(crate) fn is_listed(&self, instrument: InstrumentId) -> bool {
        let status = self.exchange.instruments().get(instrument).map(|it| it.status);
        status != Some(TradingStatus::Delisted)
    }

    /// The parts that every execution report has.
    fn report(&self, record: &Record, state: &State, (qty, now): (Qty, Timestamp)) -> Value {
        let zero = words::decimal(Amount::ZERO.get());
        let rests = record.kind.rests() && state.is_open() && state.stage == Stage::Working;
        let mut event = json!({
            "e": "executionReport",
            "E": now.ms(),
            "s": self.symbol(record.instrument),
            "c": record.client_id,
            "S": words::side(record.side),
            "o": words::special_type(record.kind, record.trigger()),
            "f": words::time_in_force(record.kind),
            "q": words::decimal(qty.get()),
            "p": words::price(record.kind),
            "P": words::stop_price(record),
            "F": zero,
            "g": words::list_id(record),
            "C": "",
            "r": "NONE",
            "X": words::status(state),
            "i": words::id(record.id.get()),
            "z": words::decimal(state.executed.get()),
            "T": state.at.ms(),
            "w": rests,
            "M": false,
            "O": record.placed_at.ms(),
            "Z": words::decimal(state.executed_quote.get()),
            "Q": words::quote_qty(record.kind),
            "V": words::self_trade(self.exchange.settings().self_trade),
        });
        let Some(parts) = event.as_object_mut() else { return event };
        if let Some(at) = state.working_at {
            parts.insert("W".to_owned(), at.ms().into());
        }
        let Extras { strategy_id, strategy_type } = record.extras;
        for (name, number) in [("j", strategy_id), ("J", strategy_type)] {
            parts.extend(number.map(|number| (name.to_owned(), Value::from(number))));
        }
        if let Some(delta) = record.trigger().and_then(|trigger| trigger.trailing) {
            parts.insert("d".to_owned(), delta.into());
            let since = record.condition.and_then(|condition| condition.trails_since);
            parts.insert("D".to_owned(), since.map_or(-1, Timestamp::ms).into());
        }
        event
    }

    pub(super) fn tell_deposit(
        &mut self,
        account: AccountId,
        asset: Asset,
        amount: Amount,
        now: Timestamp,
    ) {
        let event = json!({
            "e": "balanceUpdate",
            "E": now.ms(),
            "a": asset.as_str(),
            "d": words::decimal(amount.get()),
            "T": now.ms(),
        });
        self.send_event(account, event);
    }

    /// Hands an event on, with the faults that it meets.
    fn send_event(&mut self, account: AccountId, mut event: Value) {
        let name = self.account(account).map(|account| account.name.clone()).unwrap_or_default();
        let kind = event.get("e").and_then(Value::as_str).unwrap_or_default();
        let dealt = self.deck.of_event(&name, kind);
        if dealt.has(Fault::EventStrange)
            && let Some(status) = event.get_mut("X")
        {
            *status = STRANGE.into();
        }
        if dealt.has(Fault::EventDrop) {
            return;
        }
        if 0 < dealt.late() {
            let due = self.now().plus(Millis::new(dealt.late()));
            self.hub.tell_late(due, account, event);
            return;
        }
        if dealt.has(Fault::EventSwap) {
            if let Some(former) = self.hub.swap(account, event) {
                self.hub.tell(account, &former);
            }
            return;
        }
        self.hub.tell(account, &event);
        if dealt.has(Fault::EventDouble) {
            self.hub.tell(account, &event);
        }
        if let Some(former) = self.hub.take_swapped(account) {
            self.hub.tell(account, &former);
        }
    }
}

fn is_fill_of(event: &PrivateEvent, report: &OrderReport) -> bool {
    matches!(event, PrivateEvent::Fill(fill) if fill.venue_order_id == report.venue_id)
}

/// Adds what only this kind of report says.
fn finish(
    event: &mut Value,
    record: &Record,
    (state, happened): (&State, Happened),
    (execution, other_id): (u64, Option<String>),
) {
    let Some(event) = event.as_object_mut() else { return };
    let is_cancelled =
        matches!(happened, Happened::Ended) && state.status == OrderStatus::Cancelled;
    let kind = match happened {
        Happened::New => "NEW",
        Happened::Trade(_) => "TRADE",
        Happened::Replaced => "REPLACED",
        Happened::Ended if is_cancelled => "CANCELED",
        Happened::Ended if state.is_prevented => "TRADE_PREVENTION",
        Happened::Ended => "EXPIRED",
    };
    event.insert("x".to_owned(), kind.into());
    event.insert("I".to_owned(), execution.into());
    match (happened, other_id) {
        (Happened::Ended, Some(cancel_id)) if is_cancelled => {
            event.insert("c".to_owned(), cancel_id.into());
            event.insert("C".to_owned(), record.client_id.clone().into());
        }
        (Happened::Replaced, Some(former)) => {
            event.insert("C".to_owned(), former.into());
        }
        (Happened::New | Happened::Trade(_) | Happened::Replaced | Happened::Ended, _) => {}
    }
    if let Some(reason) = words::expiry_reason(record, state) {
        event.insert("eR".to_owned(), reason.into());
    }
    let fill = if let Happened::Trade(fill) = happened { Some(fill) } else { None };
    let shown = |value: Option<rust_decimal::Decimal>| words::decimal(value.unwrap_or_default());
    let parts = [
        ("l", Value::from(shown(fill.map(|fill| fill.qty.get())))),
        ("L", shown(fill.map(|fill| fill.price.get())).into()),
        ("Y", shown(fill.map(|fill| fill.quote.get())).into()),
        ("n", fill.map_or_else(|| "0".into(), |fill| words::decimal(fill.fee.amount.get()).into())),
        ("N", fill.map_or(Value::Null, |fill| fill.fee.asset.as_str().into())),
        ("t", fill.map_or_else(|| Value::from(-1), |fill| words::id(fill.trade_id.get()).into())),
        ("m", fill.is_some_and(|fill| fill.liquidity == Liquidity::Maker).into()),
        ("M", fill.is_some().into()),
    ];
    event.extend(parts.map(|(name, value)| (name.to_owned(), value)));
}

fn position(balances: &BTreeMap<Asset, Balance>, now: Timestamp) -> Value {
    let rows: Vec<Value> = balances
        .values()
        .map(|it| {
            json!({
                "a": it.asset.as_str(),
                "f": words::decimal(it.free.get()),
                "l": words::decimal(it.locked.get()),
            })
        })
        .collect();
    json!({"e": "outboundAccountPosition", "E": now.ms(), "u": now.ms(), "B": rows})
}
