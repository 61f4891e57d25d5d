//! The private streams of all keys on one connection to the WebSocket API, replaced without a gap.
//!
//! Binance spot API documents, "User Data Stream" (2026-07-21): a key subscribes with a signature and
//! gets a number; the subscription lives as long as the connection, at most 24 hours.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tranche_model::{ids::Installation, time::Millis};

use super::{
    Shared,
    events::{self, Frame, Member, Standing},
    owners::Owners,
    refusal::{Word, refusal},
    rest::Pen,
};
use crate::{
    net::{
        clock::timer_now,
        relay::{LineNo, Relay, RelayEvent},
        socket::SocketFault,
    },
    venue::{LostReason, PrivateMessage},
};

/// Messages that wait for one account.
const MESSAGES_MAX: usize = 1024;
const JOINING_MAX: usize = 1024;
/// What opening a connection weighs, and each request about a subscription.
const MESSAGE_WEIGHT: u32 = 2;
const MESSAGE_PAUSE: Duration = Duration::from_millis(250);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// After a refusal that only a person can lift.
const ASK_AGAIN: Duration = Duration::from_mins(1);
/// After a refusal that passes by itself.
const ASK_SOON: Duration = Duration::from_secs(5);
/// How often accounts that are not listened to are looked for.
const ROUND: Duration = Duration::from_secs(2);
const HELD_MAX: usize = 20_000;
/// Without a word on how long ("IP Limits").
const BAN_DEFAULT: Millis = Millis::from_secs(120);

/// What an account brings along.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) pen: Arc<Pen>,
    pub(super) installation: Installation,
    pub(super) owners: Arc<Mutex<Owners>>,
}

/// The door to the task.
#[derive(Debug)]
pub(super) struct Users {
    joining: mpsc::Sender<(Subscriber, mpsc::Sender<PrivateMessage>)>,
}

pub(super) type Joining = mpsc::Receiver<(Subscriber, mpsc::Sender<PrivateMessage>)>;

#[derive(Debug)]
struct Line {
    send_at: Instant,
    ready_at: Option<Instant>,
    held: VecDeque<(u64, Frame)>,
}

/// The task behind the private streams.
pub(super) struct Hub {
    shared: Arc<Shared>,
    relay: Relay,
    joining: Joining,
    members: BTreeMap<u64, Member>,
    lines: BTreeMap<LineNo, Line>,
    last_member: u64,
    last_request: u64,
}

impl Users {
    pub(super) fn new() -> (Self, Joining) {
        let (joining, joined) = mpsc::channel(JOINING_MAX);
        (Self { joining }, joined)
    }

    /// A receiver that ends at once means that too many accounts join at the same time.
    pub(super) fn subscribe(&self, subscriber: Subscriber) -> mpsc::Receiver<PrivateMessage> {
        let (out, messages) = mpsc::channel(MESSAGES_MAX);
        if self.joining.try_send((subscriber, out)).is_err() {
            tracing::error!("an account cannot join the private stream");
        }
        messages
    }
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, relay: Relay, joining: Joining) -> Self {
        let (members, lines) = (BTreeMap::new(), BTreeMap::new());
        Self { shared, relay, joining, members, lines, last_member: 0, last_request: 0 }
    }

    /// Runs until the exchange is dropped.
    pub(super) async fn run(mut self) {
        loop {
            let is_open = !self.members.is_empty() || !self.lines.is_empty();
            let alarm = self.alarm();
            tokio::select! {
                event = self.relay.next(), if is_open => self.handle(event),
                joined = self.joining.recv() => match joined {
                    Some((subscriber, out)) => {
                        self.last_member = self.last_member.saturating_add(1);
                        self.members.insert(self.last_member, Member::new(subscriber, out));
                    }
                    None => return,
                },
                () = sleep_until(alarm) => {}
            }
            self.keep_members().await;
            self.keep_lines().await;
        }
    }

    fn handle(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Opened(number) => {
                self.shared.rest.note_aside(MESSAGE_WEIGHT, None);
                let line = Line { send_at: timer_now(), ready_at: None, held: VecDeque::new() };
                self.lines.insert(number, line);
                if self.relay.current().is_none() {
                    self.take_over(number);
                }
            }
            RelayEvent::Text(number, text) => self.text(number, text.as_str()),
            RelayEvent::Lost { line, was_current, fault } => self.lost(line, was_current, fault),
            RelayEvent::Unreachable(fault) => {
                tracing::warn!(%fault, "the private stream cannot be opened");
                self.shared.note_denied(fault);
                if self.relay.current().is_none() {
                    for member in self.members.values_mut() {
                        member.tell(PrivateMessage::Lost { reason: fault.into() });
                    }
                }
            }
        }
    }

    fn lost(&mut self, number: LineNo, was_current: bool, fault: SocketFault) {
        self.lines.remove(&number);
        for member in self.members.values_mut() {
            member.standings.remove(&number);
        }
        if !was_current {
            return;
        }
        tracing::info!(%fault, "the private stream broke");
        let successor = self.lines.iter().next_back();
        let successor = successor.map(|(&number, line)| (number, line.ready_at.is_some()));
        if successor.is_none_or(|(_, is_ready)| !is_ready) {
            for member in self.members.values_mut() {
                member.lose(fault.into());
            }
        }
        if let Some((number, _)) = successor {
            self.take_over(number);
        }
    }

    fn text(&mut self, number: LineNo, text: &str) {
        match events::read(text) {
            Ok(Frame::Answer { id, result }) => self.answered(number, id, result),
            Ok(Frame::Shutdown) if self.relay.current() == Some(number) => self.relay.retire(),
            Ok(Frame::Shutdown) => self.relay.drop_line(number, SocketFault::Closed),
            Ok(Frame::Other) => {}
            Ok(frame @ (Frame::Event { .. } | Frame::Ended { .. })) => self.event(number, frame),
            Err(error) => {
                tracing::warn!(%error, bytes = text.len(), "a private frame cannot be read");
            }
        }
    }

    fn event(&mut self, number: LineNo, frame: Frame) {
        let subscription = match &frame {
            Frame::Event { subscription, .. } | Frame::Ended { subscription } => *subscription,
            Frame::Answer { .. } | Frame::Shutdown | Frame::Other => return,
        };
        let active = Standing::Active(subscription);
        let found = self.members.iter().find(|(_, it)| it.standings.get(&number) == Some(&active));
        let Some((&key, _)) = found else { return };
        if self.relay.current() == Some(number) {
            self.pass_on(key, number, &frame);
        } else if let Some(line) = self.lines.get_mut(&number) {
            line.held.push_back((key, frame));
            if HELD_MAX <= line.held.len() {
                self.relay.drop_line(number, SocketFault::TooLarge);
            }
        }
    }

    fn pass_on(&mut self, key: u64, number: LineNo, frame: &Frame) {
        let Some(member) = self.members.get_mut(&key) else { return };
        match frame {
            Frame::Event { text, .. } => {
                match events::private(text, member, &self.shared.catalog) {
                    Ok(Some(private)) => {
                        if let Some((instrument, order, owner)) = private.order {
                            let owners = &member.subscriber.owners;
                            let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
                            owners.put(instrument, order, owner);
                        }
                        if member.recent.is_new(private.mark) {
                            for event in private.events {
                                member.tell(PrivateMessage::Event(event));
                            }
                        }
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a private event cannot be read");
                        member.lose(LostReason::Unreadable);
                        member.come_alive();
                    }
                }
            }
            Frame::Ended { .. } => {
                let until = timer_now() + MESSAGE_PAUSE;
                member.standings.insert(number, Standing::Refused { until });
                member.lose(LostReason::Ended);
            }
            Frame::Answer { .. } | Frame::Shutdown | Frame::Other => {}
        }
    }

    fn answered(&mut self, number: LineNo, id: u64, result: Result<u64, Word>) {
        let is_it = |member: &&mut Member| matches!(member.standings.get(&number), Some(Standing::Asked { id: asked, .. }) if *asked == id);
        let Some(member) = self.members.values_mut().find(is_it) else { return };
        let is_current = self.relay.current() == Some(number);
        match result {
            Ok(subscription) => {
                member.standings.insert(number, Standing::Active(subscription));
                if is_current {
                    member.come_alive();
                }
            }
            Err(word) => {
                let (wait, reason) = self.shared.judge_subscription(word);
                let until = timer_now() + wait;
                member.standings.insert(number, Standing::Refused { until });
                if is_current {
                    member.is_live = false;
                    member.tell(PrivateMessage::Lost { reason });
                }
            }
        }
    }

    /// Forgets accounts that nobody listens to, tells others what they missed.
    async fn keep_members(&mut self) {
        let gone: Vec<u64> =
            self.members.iter().filter(|(_, it)| it.out.is_closed()).map(|(key, _)| *key).collect();
        for key in gone {
            let Some(member) = self.members.remove(&key) else { continue };
            for (number, standing) in member.standings {
                if let Standing::Active(subscription) = standing {
                    self.last_request = self.last_request.saturating_add(1);
                    let text = events::unsubscribe(self.last_request, subscription);
                    self.shared.rest.note_aside(MESSAGE_WEIGHT, None);
                    self.relay.send(number, text).await;
                }
            }
        }
        for member in self.members.values_mut() {
            member.tell_overrun(MESSAGES_MAX);
        }
    }

    async fn keep_lines(&mut self) {
        let now = timer_now();
        let mut messages = Vec::new();
        for (&number, line) in &mut self.lines {
            let is_late = |member: &Member| matches!(member.standings.get(&number), Some(Standing::Asked { until, .. }) if *until <= now);
            if self.members.values().any(is_late) {
                self.relay.drop_line(number, SocketFault::NoAcknowledgement);
                continue;
            }
            let is_waiting = |member: &&mut Member| member.has_to_ask(number, now);
            if now < line.send_at {
                continue;
            }
            let Some(member) = self.members.values_mut().find(is_waiting) else { continue };
            self.last_request = self.last_request.saturating_add(1);
            let id = self.last_request;
            line.send_at = now + MESSAGE_PAUSE;
            let stamp = self.shared.rest.now();
            let Some(text) = events::subscribe(id, &member.subscriber.pen, stamp) else { continue };
            member.standings.insert(number, Standing::Asked { id, until: now + ANSWER_WITHIN });
            messages.push((number, text));
        }
        for (number, text) in messages {
            self.shared.rest.note_aside(MESSAGE_WEIGHT, None);
            self.relay.send(number, text).await;
        }
        self.notice_ready();
    }

    fn notice_ready(&mut self) {
        let now = timer_now();
        let overlap = self.shared.settings.relay.overlap;
        let Some(current) = self.relay.current() else { return };
        let mut due = None;
        for (&number, line) in self.lines.iter_mut().filter(|(number, _)| current < **number) {
            let is_ready = self.members.values().all(|it| it.is_settled(number));
            line.ready_at = if is_ready { line.ready_at.or(Some(now)) } else { None };
            if line.ready_at.is_some_and(|ready| ready + overlap <= now) {
                due = Some(number);
            }
        }
        if let Some(number) = due {
            self.take_over(number);
        }
    }

    fn take_over(&mut self, number: LineNo) {
        self.relay.take_over(number);
        self.lines.retain(|other, _| *other == number);
        for member in self.members.values_mut() {
            member.standings.retain(|other, _| *other == number);
            if matches!(member.standings.get(&number), Some(Standing::Active(_))) {
                member.come_alive();
            } else if member.is_live {
                member.lose(LostReason::Ended);
            }
        }
        let held = self.lines.get_mut(&number).map(|line| std::mem::take(&mut line.held));
        for (key, frame) in held.unwrap_or_default() {
            self.pass_on(key, number, &frame);
        }
    }

    fn alarm(&self) -> Instant {
        let now = timer_now();
        let overlap = self.shared.settings.relay.overlap;
        let mut alarm = now + if self.members.is_empty() { ASK_AGAIN } else { ROUND };
        for (&number, line) in &self.lines {
            let takes_over = line.ready_at.map(|ready| ready + overlap).filter(|at| now < *at);
            let is_waiting = |member: &Member| member.has_to_ask(number, now);
            let sends = self.members.values().any(is_waiting).then_some(line.send_at);
            let moments = self.members.values().filter_map(|member| member.due(number, now));
            alarm = moments.chain(takes_over).chain(sends).fold(alarm, Instant::min);
        }
        alarm
    }
}

impl Shared {
    /// How long to wait before a subscription is asked for again, and what to say of it.
    fn judge_subscription(&self, word: Word) -> (Duration, LostReason) {
        match word {
            Word::No(refusal) if refusal.code == -1021 => {
                self.rest.resync.notify_one();
                (ASK_SOON, LostReason::Refused(refusal))
            }
            Word::No(refusal) => (ASK_AGAIN, LostReason::Refused(refusal)),
            Word::Wait { retry_at, is_ban } => {
                if is_ban {
                    let now = self.rest.now();
                    let until = if retry_at <= now { now.plus(BAN_DEFAULT) } else { retry_at };
                    self.rest.note_aside(0, Some(until));
                }
                let told = Duration::from_millis(retry_at.since(self.rest.now()).ms().into());
                let wait = if told.is_zero() { ASK_AGAIN } else { told.max(ASK_SOON) };
                (wait, LostReason::Refused(refusal(-1003, "the exchange asks to wait")))
            }
            Word::Yes | Word::Unknown { .. } | Word::Alien => {
                let text = "the exchange does not say why";
                (ASK_SOON, LostReason::Refused(refusal(-1000, text)))
            }
        }
    }
}
