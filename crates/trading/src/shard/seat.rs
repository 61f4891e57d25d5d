//! An account's place in a shard: its state, what waits to be committed, what waits for a commit.

use std::collections::{BTreeMap, VecDeque};

use tranche_model::{
    client_order_id::ClientOrderId,
    ids::{AccountId, BotId, Epoch, Seq, Ticket},
    money::Qty,
    order::Side,
    record::{Batch, Call, JournalRow, PrivateEvent, Snapshot, SnapshotRow},
    time::{Millis, Timestamp},
};

use super::Output;
use crate::{
    account::Account,
    bot::Lane,
    codec::{self, CodecError},
    event::{Command, CommandBody, Effects, Event, Scope, Settings},
};

/// After so many failures that no quarantine can end an account is left alone.
const FAILURES_MAX: u8 = 5;
/// Failures that are further apart have nothing to do with each other.
const FAILURES_WITHIN: Millis = Millis::from_secs(600);

#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) settings: Settings,
    pub(super) account: Option<Box<Account>>,
    pub(super) epoch: Epoch,
    seq: Seq,
    /// What the account was loaded from, until a recording has it.
    start: Option<Box<(Settings, Snapshot)>>,
    /// Rows of steps that are not in a commit yet.
    batch: Option<Box<Batch>>,
    dirty: Vec<BotId>,
    is_desk_dirty: bool,
    /// Effects of those steps.
    held: Vec<Output>,
    /// Commits under way, oldest first, each with what it holds back.
    flights: VecDeque<(Ticket, Vec<Output>)>,
    /// The bots that broke the account, until their quarantine is committed.
    broken: Vec<Failure>,
    failures: u8,
    failed_at: Timestamp,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) bot: BotId,
    pub(super) reason: String,
}

impl Seat {
    pub(super) const fn new(settings: Settings) -> Self {
        Self {
            settings,
            account: None,
            epoch: Epoch::new(0),
            seq: Seq::new(0),
            start: None,
            batch: None,
            dirty: Vec::new(),
            is_desk_dirty: false,
            held: Vec::new(),
            flights: VecDeque::new(),
            broken: Vec::new(),
            failures: 0,
            failed_at: Timestamp::MIN,
        }
    }

    pub(super) fn begin(&mut self, account: Box<Account>, epoch: Epoch, seq: Seq) {
        self.account = Some(account);
        self.epoch = epoch;
        self.seq = seq;
        self.is_desk_dirty = true;
    }

    /// From here on the next recording begins with what the account was loaded from.
    pub(super) fn note_start(&mut self, snapshot: &Snapshot) {
        self.start = Some(Box::new((self.settings.clone(), snapshot.clone())));
    }

    pub(super) const fn take_start(&mut self) -> Option<Box<(Settings, Snapshot)>> {
        self.start.take()
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.batch.is_none()
    }

    /// Keeps what a step wants until its commit, its recording first.
    pub(super) fn keep(
        &mut self,
        (account, event, now): (AccountId, &Event, Timestamp),
        recorded: Option<Output>,
        effects: &mut Effects,
    ) -> Result<(), CodecError> {
        let body = codec::encode_entry(event, &effects.whys)?;
        let (epoch, seq_before) = (self.epoch, self.seq);
        self.seq = self.seq.next();
        let seq = self.seq;
        let batch = self.batch.get_or_insert_with(|| {
            Box::new(Batch {
                account,
                epoch,
                seq_before,
                seq,
                journal: Vec::new(),
                snapshots: Vec::new(),
                intents: Vec::new(),
                fills: Vec::new(),
                deals: Vec::new(),
                verdicts: Vec::new(),
            })
        });
        batch.seq = seq;
        batch.journal.push(JournalRow { seq, at: now, body });
        batch.intents.append(&mut effects.intents);
        batch.fills.extend(effects.fills.iter().copied());
        batch.deals.extend(effects.deals.iter().cloned());
        batch.verdicts.extend(effects.verdicts.iter().cloned());
        for bot in effects.dirty.drain(..) {
            if !self.dirty.contains(&bot) {
                self.dirty.push(bot);
            }
        }
        self.is_desk_dirty |= effects.account_dirty;
        let mut held = std::mem::take(&mut self.held);
        held.extend(recorded);
        self.release(account, effects, &mut held);
        self.held = held;
        Ok(())
    }

    /// Turns effects into outputs.
    pub(super) fn release(&self, account: AccountId, effects: &mut Effects, out: &mut Vec<Output>) {
        let user = self.settings.user;
        let calls = effects.calls.drain(..);
        out.extend(calls.map(|(lane, call)| Output::Call { account, user, lane, call }));
        let asks = effects.asks.drain(..);
        out.extend(asks.map(|(lane, places)| Output::Ask { account, user, lane, places }));
        let hand_backs = effects.hand_backs.drain(..);
        out.extend(hand_backs.map(|(lane, places)| Output::HandBack { account, lane, places }));
        out.extend(effects.lookups.drain(..).map(|fill| Output::Lookup { account, fill }));
        let fills = effects.fills.drain(..).map(Box::new);
        out.extend(fills.map(|row| Output::Booked { account, row }));
        let deals = effects.deals.drain(..).map(Box::new);
        out.extend(deals.map(|row| Output::Closed { account, row }));
        let verdicts = effects.verdicts.drain(..).map(Box::new);
        out.extend(verdicts.map(|row| Output::Verdict { account, row }));
        let whys = effects.whys.drain(..).map(Box::new);
        out.extend(whys.map(|record| Output::Why { account, record }));
    }

    /// A commit of all that was kept, if there is anything.
    pub(super) fn commit(&mut self, ticket: Ticket) -> Result<Option<Output>, CodecError> {
        let Some(mut batch) = self.batch.take() else { return Ok(None) };
        let Some(account) = &self.account else { return Ok(None) };
        if std::mem::take(&mut self.is_desk_dirty) {
            let body = codec::encode_desk(&account.desk)?;
            batch.snapshots.push(SnapshotRow { bot: None, body });
        }
        for id in self.dirty.drain(..) {
            let body = match account.bots.get(&id) {
                Some(bot) => codec::encode_bot(bot)?,
                None => Vec::new(),
            };
            batch.snapshots.push(SnapshotRow { bot: Some(id), body });
        }
        self.flights.push_back((ticket, std::mem::take(&mut self.held)));
        Ok(Some(Output::Commit { ticket, batch }))
    }

    pub(super) fn awaits(&self, ticket: Ticket) -> bool {
        self.flights.iter().any(|(flight, _)| *flight == ticket)
    }

    /// A commit stands, and with it all before: each began where the former ended.
    pub(super) fn committed(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        self.broken.clear();
        while self.flights.front().is_some_and(|(flight, _)| *flight <= ticket) {
            if let Some((_, mut held)) = self.flights.pop_front() {
                out.append(&mut held);
            }
        }
        if self.flights.is_empty() {
            // Most accounts commit nothing for hours; their queues shall not wait with them.
            self.flights = VecDeque::new();
        }
    }

    pub(super) fn discard(&mut self) {
        self.account = None;
        self.batch = None;
        self.dirty.clear();
        self.held.clear();
        self.flights.clear();
    }

    /// Remembers what broke the account. `true` when it breaks again and again: a bot that was well
    /// until now goes into quarantine, and that is the end of it.
    pub(super) fn count_failure(
        &mut self,
        failure: (Option<BotId>, bool),
        reason: &str,
        now: Timestamp,
    ) -> bool {
        let (bot, is_new) = failure;
        if let Some(bot) = bot
            && !self.broken.iter().any(|known| known.bot == bot)
        {
            self.broken.push(Failure { bot, reason: reason.to_owned() });
            if is_new {
                return false;
            }
        }
        if self.failed_at.plus(FAILURES_WITHIN) < now {
            self.failures = 0;
        }
        self.failed_at = now;
        self.failures = self.failures.saturating_add(1);
        FAILURES_MAX < self.failures
    }

    pub(super) fn broken(&self) -> Vec<Failure> {
        self.broken.clone()
    }
}

/// The state that a snapshot holds; a new account when it is empty.
pub(super) fn read(
    account: AccountId,
    settings: &Settings,
    snapshot: &Snapshot,
) -> Result<Account, CodecError> {
    if snapshot.account.is_empty() {
        return Ok(Account::new(account, settings.clone()));
    }
    let desk = codec::decode_desk(&snapshot.account)?;
    let mut bots = BTreeMap::new();
    for (bot, body) in &snapshot.bots {
        bots.insert(*bot, codec::decode_bot(body)?);
    }
    Ok(Account::from_parts(desk, bots))
}

/// Whether the account has something to sell, or an order out that sells: those are looked after first.
/// What cannot be read is nothing here; loading it says so.
pub fn has_exits(snapshot: &Snapshot) -> bool {
    snapshot.bots.iter().any(|(_, body)| {
        let bot = codec::decode_bot(body);
        bot.is_ok_and(|bot| bot.lanes.iter().any(has_exit))
    })
}

fn has_exit(lane: &Lane) -> bool {
    let holds = lane.deal.as_ref().map(|deal| deal.position.held());
    // Books that cannot be added up are no reason to wait.
    let holds = holds.is_some_and(|held| held.map_or(true, Qty::is_positive));
    holds || lane.orders().any(|(_, order)| order.side == Side::Sell)
}

/// The bot that an event is for.
pub(super) fn bot_of(event: &Event) -> Option<BotId> {
    let of_order = |id: ClientOrderId| Some(id.key().bot);
    match event {
        Event::Wake { lane, .. } => Some(lane.bot),
        Event::Command(Command { body, .. }) => bot_of_command(body),
        Event::Reply(reply) => match reply.call {
            Call::Place { request, .. } => of_order(request.client_id),
            Call::Cancel { client_id, .. } | Call::QueryOrder { client_id, .. } => {
                of_order(client_id)
            }
            Call::CancelByVenueId { .. }
            | Call::OpenOrders
            | Call::Trades { .. }
            | Call::Balances
            | Call::Highs { .. } => None,
        },
        Event::Private(PrivateEvent::Order(report)) => of_order(report.client_id),
        Event::Private(PrivateEvent::Fill(fill)) | Event::FillKnown { fill, .. } => {
            fill.client_id.and_then(of_order)
        }
        Event::Quarantine { bot, .. } => Some(*bot),
        Event::Timer
        | Event::Private(PrivateEvent::Balances(_))
        | Event::Granted { .. }
        | Event::Stream { .. }
        | Event::Loaded { .. }
        | Event::Key { .. }
        | Event::Rules(_) => None,
    }
}

fn bot_of_command(body: &CommandBody) -> Option<BotId> {
    match body {
        CommandBody::CreateBot { bot, .. }
        | CommandBody::EditBot { bot, .. }
        | CommandBody::DeleteBot { bot }
        | CommandBody::StopBot { bot }
        | CommandBody::StartBot { bot }
        | CommandBody::StartDeal { bot, .. }
        | CommandBody::CancelDeal { bot, .. }
        | CommandBody::CloseDeal { bot, .. }
        | CommandBody::PauseEntries { scope: Scope::Bot(bot) }
        | CommandBody::Resume { scope: Scope::Bot(bot) } => Some(*bot),
        CommandBody::PauseEntries { scope: Scope::Account }
        | CommandBody::Resume { scope: Scope::Account }
        | CommandBody::Kill { .. }
        | CommandBody::Rearm
        | CommandBody::SetRisk(_)
        | CommandBody::Unreadable { .. } => None,
    }
}
