//! What must hold whatever happens.
//!
//! Safety is looked at after every event, each time only where something moved; at quiet points the
//! plain [`model`] computes everything anew from the exchange's own books. The numbers are those of the
//! project's list of invariants; [`INVARIANTS`] says where each is looked at.

pub mod model;

mod book;
mod look;
mod table;
mod tail;
mod venue;

use std::collections::{BTreeMap, BTreeSet};

use tranche_model::{
    candle::Tick,
    ids::{AccountId, BotId, DealNo, Epoch, InstrumentId, VenueOrderId},
    instrument::{Instrument, Instruments},
    money::Price,
    order::{OrderKind, OrderStatus},
    record::{Answer, Batch, Call, Outcome, PrivateEvent, Reply, Snapshot},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    event::CommandBody,
    shard::Output,
    why::{Why, WhyRecord},
};

pub use model::Disturbed;
pub use table::{INVARIANTS, Invariant, Place};

use self::{book::Book, tail::Tail};
use super::{Counts, Fault, Plan, state::State};
use crate::{
    audit::Violation,
    memory::Memory,
    replay::{Entry, Header, Verifier},
};

/// A price is fresh until the next one, or until a gap is told. Markets of worlds print once a minute;
/// the clocks' difference is included.
const FRESH: Millis = Millis::from_secs(65);
/// Clocks of worlds are never farther apart.
const CLOCK_ERROR: Millis = Millis::from_secs(3);
/// A bot's saved state never needs more.
const BODY_MOST: usize = 64 * 1024;
/// Nor does the line ever hold more.
const LINE_MOST: usize = 20_000;

/// A bot's slot in a deal is touched: its sums are looked at.
type Touched = BTreeSet<(AccountId, BotId, DealNo)>;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Checks {
    found: Vec<Violation>,
    books: BTreeMap<AccountId, Book>,
    epochs: BTreeMap<AccountId, Epoch>,
    touched: Touched,
    seen: BTreeMap<InstrumentId, (Timestamp, Price)>,
    /// When the price last passed watched safety orders.
    passed: BTreeMap<(AccountId, Option<BotId>), Timestamp>,
    /// Which bots were stopped, and at which deal.
    stopped: BTreeMap<(AccountId, BotId), Option<DealNo>>,
    /// Rules that an order may still follow: those before the last change.
    former_rules: BTreeMap<InstrumentId, (Instrument, Timestamp)>,
    by_hand: BTreeSet<(AccountId, VenueOrderId)>,
    tail: Tail,
    /// Repeats what was recorded.
    twin: Option<Verifier>,
    /// Deals that took over other settings, and bots whose deals may.
    edited: Touched,
    editing: BTreeSet<(AccountId, BotId)>,
    pub(super) disturbed: Disturbed,
}

impl Checks {
    pub(super) fn new(plan: &Plan) -> Self {
        let books = plan.accounts.iter().map(|account| (*account, Book::new(&plan.instruments)));
        Self {
            found: Vec::new(),
            books: books.collect(),
            epochs: BTreeMap::new(),
            touched: BTreeSet::new(),
            seen: BTreeMap::new(),
            passed: BTreeMap::new(),
            stopped: BTreeMap::new(),
            former_rules: BTreeMap::new(),
            by_hand: BTreeSet::new(),
            tail: Tail::default(),
            twin: plan.repeats.then(|| twin_of(plan)),
            edited: BTreeSet::new(),
            editing: BTreeSet::new(),
            disturbed: Disturbed::default(),
        }
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// What is wrong, and the last that happened before.
    pub(super) fn into_found(self) -> (Vec<Violation>, Vec<String>) {
        let tail = if self.found.is_empty() { Vec::new() } else { self.tail.into_words() };
        (self.found, tail)
    }

    /// A fault comes to pass.
    pub(super) fn struck(&mut self, fault: Fault, at: Timestamp) {
        self.tail.struck(fault, at);
    }

    pub(super) fn fail(&mut self, invariant: &'static str, text: String) {
        self.found.push(Violation { invariant, text });
    }

    fn take(&mut self, account: AccountId, checked: Result<(), model::Broken>) {
        if let Err(model::Broken { invariant, text }) = checked {
            self.fail(invariant, format!("account {account}: {text}"));
        }
    }

    /// The exchange says what it did, before anything can go wrong on the way.
    pub(super) fn at_venue(
        &mut self,
        account: AccountId,
        event: &PrivateEvent,
        states: &mut Counts<State>,
    ) {
        self.tail.venue(account, event);
        let Some(book) = self.books.get_mut(&account) else { return };
        let checked = match event {
            PrivateEvent::Order(report) => book.order(report, states),
            PrivateEvent::Fill(fill) => book.fill(fill),
            PrivateEvent::Balances(_) => Ok(None),
        };
        match checked {
            Ok(Some((bot, deal))) => {
                self.touched.insert((account, bot, deal));
            }
            Ok(None) => {}
            Err(broken) => self.take(account, Err(broken)),
        }
    }

    /// A commit stands.
    pub(super) fn committed(&mut self, batch: &Batch, instruments: &Instruments, now: Timestamp) {
        let account = batch.account;
        if self.epochs.get(&account).is_some_and(|epoch| batch.epoch < *epoch) {
            self.fail("I-24", format!("account {account}: a former owner's commit stands"));
        }
        let Some(book) = self.books.get_mut(&account) else { return };
        let mut checked = Ok(());
        for row in &batch.intents {
            let id = row.request.instrument;
            let former = self.former_rules.get(&id).map(|(rules, _)| rules);
            let rules = instruments.get(id).into_iter().chain(former);
            checked = checked.and_then(|()| book.intend(row, rules));
        }
        for row in &batch.fills {
            checked = checked.and_then(|()| book.booked(row));
        }
        for row in &batch.deals {
            checked = checked.and_then(|()| book.closed(row));
        }
        self.take(account, checked);
        self.former_rules.retain(|_, (_, until)| now <= *until);
    }

    /// An account was loaded.
    pub(super) fn loaded(&mut self, account: AccountId, epoch: Epoch, snapshot: &Snapshot) {
        if self.epochs.insert(account, epoch).is_some_and(|former| epoch <= former) {
            self.fail("I-24", format!("account {account} was loaded twice in epoch {epoch}"));
        }
        let bodies = snapshot.bots.iter().map(|(_, body)| body.len());
        let most = bodies.chain([snapshot.account.len()]).max().unwrap_or(0);
        if BODY_MOST < most {
            self.fail("I-30", format!("account {account} saves a body of {most} bytes"));
        }
        self.passed.retain(|(owner, _), _| *owner != account);
    }

    /// A call leaves a process.
    pub(super) fn transmitted(
        &mut self,
        account: AccountId,
        call: &Call,
        (now, clock): (Timestamp, Timestamp),
        silent_until: Timestamp,
    ) {
        if clock < silent_until {
            self.fail("I-21", format!("account {account}: {call:?} at {now}, in a pause"));
        }
        if let Call::Place { request, .. } = call
            && let Some(book) = self.books.get_mut(&account)
        {
            let checked = book.leaves(request);
            self.take(account, checked);
        }
    }

    /// An answer reaches its process.
    pub(super) fn answered(
        &mut self,
        account: AccountId,
        reply: &Reply,
        states: &mut Counts<State>,
    ) {
        let Some(book) = self.books.get_mut(&account) else { return };
        match (&reply.call, &reply.outcome) {
            (Call::Cancel { client_id, .. }, Outcome::Done(Answer::Order { report, .. })) => {
                book.acknowledged(*client_id, report.status);
            }
            (Call::Cancel { client_id, .. }, Outcome::Done(Answer::OrderNotFound))
                if book.status_of(*client_id) == Some(OrderStatus::Filled) =>
            {
                states.add(State::CancelTooLate);
            }
            (Call::QueryOrder { .. }, Outcome::Done(Answer::Order { report, .. }))
                if report.status == OrderStatus::Filled && !book.is_all_booked(report) =>
            {
                states.add(State::FilledBeforeFills);
            }
            _nothing_to_note => {}
        }
    }

    /// A process told something.
    pub(super) fn told(&mut self, told: &Output, states: &mut Counts<State>) {
        match told {
            Output::Quarantined { account, reason, .. } => {
                self.fail("I-08", format!("account {account}: quarantined: {reason}"));
            }
            Output::Dead { account, reason } => {
                self.fail("I-08", format!("account {account}: dead: {reason}"));
            }
            Output::BadTick { .. } => states.add(State::BadTick),
            Output::Recorded { .. } => self.repeat(told),
            Output::Why { account, record } => self.hear(*account, record, states),
            Output::Booked { account, row } => {
                let id = row.fill.client_id;
                let book = self.books.get(account);
                if id.zip(book).is_some_and(|(id, book)| book.was_acknowledged(id)) {
                    states.add(State::FillAfterCancel);
                }
            }
            Output::Commit { .. }
            | Output::Reload { .. }
            | Output::Forget { .. }
            | Output::Call { .. }
            | Output::Ask { .. }
            | Output::HandBack { .. }
            | Output::Lookup { .. }
            | Output::Closed { .. }
            | Output::Verdict { .. }
            | Output::More => {}
        }
    }

    /// The same event, given to another account in the same state, gives the same.
    fn repeat(&mut self, told: &Output) {
        let Some((twin, entry)) = self.twin.as_mut().zip(Entry::of(told)) else { return };
        if let Err(difference) = twin.repeat(&entry) {
            self.fail("I-32", difference.to_string());
        }
    }

    fn hear(&mut self, account: AccountId, record: &WhyRecord, states: &mut Counts<State>) {
        if let Some(state) = State::of(&record.why) {
            states.add(state);
        }
        self.tail.decided(account, record);
        let key = (account, record.bot);
        if let Why::SafetyTriggered { .. } = record.why {
            self.passed.insert(key, record.at);
        }
        if let Why::Placed { slot, kind: OrderKind::Market { .. }, .. } = record.why
            && slot.safety_number().is_some()
            && let Some(passed) = self.passed.get(&key)
            && Millis::from_secs(2) < record.at.since(*passed)
        {
            self.fail("I-20", format!("{slot} is bought long after its price was passed"));
        }
        if let Why::DealOpened { .. } = record.why {
            self.check_opened(account, record);
        }
        if let Why::ProvedNotPlaced { order } = record.why
            && let Some(book) = self.books.get_mut(&account)
        {
            let checked = book.proved_absent(order);
            self.take(account, checked);
        }
        if let Why::Refused { slot, text, code, .. } = &record.why {
            let ours = ["PRICE_FILTER", "PERCENT", "precision", "Duplicate"];
            if ours.iter().any(|rule| text.contains(rule)) && self.former_rules.is_empty() {
                self.fail("I-19", format!("account {account}: {slot}: {text} ({code})"));
            }
        }
    }

    /// A deal begins at a fresh price, and not for a bot that is stopped.
    fn check_opened(&mut self, account: AccountId, record: &WhyRecord) {
        let seen = record.instrument.and_then(|instrument| self.seen.get(&instrument));
        let is_fresh = seen.is_some_and(|(at, _)| record.at.since(*at) <= FRESH);
        if !is_fresh {
            self.fail("I-20", format!("account {account}: a deal begins at an old price"));
        }
        let Some((bot, deal)) = record.bot.zip(record.deal) else { return };
        if let Some(stopped) = self.stopped.get(&(account, bot))
            && stopped.is_none_or(|last| last <= deal)
        {
            self.fail("I-28", format!("account {account}: stopped bot {bot} opened deal {deal}"));
        }
    }

    /// A command has its verdict.
    pub(super) fn decided(&mut self, account: AccountId, body: &CommandBody, is_done: bool) {
        if let CommandBody::DeleteBot { bot } = body
            && is_done
        {
            self.stopped.remove(&(account, *bot));
            let book = self.books.get(&account);
            if book.is_some_and(|book| book.has_live_orders(*bot)) {
                self.fail("I-29", format!("bot {bot} was deleted with open orders"));
            }
        }
    }

    /// A user asked for other settings, also of open deals.
    pub(super) fn edits(&mut self, account: AccountId, bot: BotId) {
        self.disturbed.edits = true;
        self.editing.insert((account, bot));
    }

    /// Other settings were taken over, by these deals.
    pub(super) fn edited(&mut self, account: AccountId, bot: BotId, deals: Vec<DealNo>) {
        self.editing.remove(&(account, bot));
        self.edited.extend(deals.into_iter().map(|deal| (account, bot, deal)));
    }

    /// A user asked for it to run again: whether and when it does is not ours to say.
    pub(super) fn started(&mut self, account: AccountId, bot: BotId) {
        self.stopped.remove(&(account, bot));
    }

    /// The bot is stopped from now on: its next deal has this number.
    pub(super) fn stopped(&mut self, account: AccountId, bot: BotId, next: Option<DealNo>) {
        self.stopped.insert((account, bot), next);
    }

    pub(super) fn saw(&mut self, tick: &Tick) {
        if tick.price.is_positive() {
            self.seen.insert(tick.instrument, (tick.at, tick.price));
        }
    }

    /// The market data broke.
    pub(super) fn gap(&mut self, id: InstrumentId) {
        self.seen.remove(&id);
    }

    pub(super) fn last_price(&self, id: InstrumentId) -> Option<Price> {
        self.seen.get(&id).map(|(_, price)| *price)
    }

    /// Other rules hold; orders on their way may follow the former ones for a while.
    pub(super) fn ruled(&mut self, former: &Instrument, now: Timestamp) {
        let until = now.plus(Millis::from_secs(60));
        self.former_rules.insert(former.id, (former.clone(), until));
    }

    pub(super) fn by_hand(&mut self, account: AccountId, id: VenueOrderId) {
        self.by_hand.insert((account, id));
    }

    pub(super) fn hand_gone(&mut self, account: AccountId, id: VenueOrderId) {
        self.by_hand.remove(&(account, id));
    }

    /// The store is an older copy of itself: what was written since then is forgotten.
    pub(super) fn restored(&mut self, memory: &Memory) {
        self.disturbed.restored = true;
        self.epochs.clear();
        self.stopped.clear();
        for (account, book) in &mut self.books {
            book.restored(memory.stored(*account));
        }
    }

    /// Looks at what grows.
    pub(super) fn bounded(&mut self, line: usize) {
        if LINE_MOST < line {
            self.fail("I-30", format!("{line} calls and events are under way"));
        }
    }

    /// At the very end.
    pub(super) fn finish(&mut self, memory: &Memory) {
        for (account, stored) in memory.accounts() {
            let body = stored.account.len();
            if BODY_MOST < body {
                self.fail("I-30", format!("account {account} saves {body} bytes"));
            }
        }
    }
}

fn twin_of(plan: &Plan) -> Verifier {
    Verifier::new(&Header {
        written_by: "a world".to_owned(),
        market: "made up".to_owned(),
        instruments: plan.instruments.clone(),
    })
}
