//! The market connection: one combined stream whose subscriptions follow what is watched, replaced
//! without a gap before the exchange ends it.
//!
//! Binance spot API documents, "WebSocket streams" (2026-07-21): at most five messages a second to the
//! exchange and 1024 streams on a connection, which lives for 24 hours.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tranche_model::{
    ids::{InstrumentId, TradeId},
    time::Timestamp,
};

use super::{
    Shared,
    frames::{self, Frame},
};
use crate::{
    net::{
        clock::timer_now,
        relay::{LineNo, Relay, RelayEvent},
        socket::SocketFault,
    },
    venue::{GapReason, MarketEvent, Topic, Watched},
};

pub(super) const STREAMS_MAX: usize = 1024;
pub(super) const EVENTS_MAX: usize = 8192;
/// Streams named in one message.
const NAMED_MAX: usize = 100;
/// Between two messages: four a second, with room for the socket's own pongs.
const MESSAGE_PAUSE: Duration = Duration::from_millis(250);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What a line that listens along may hold back; a fuller one takes over at once.
const HELD_MAX: usize = 20_000;

type Stream = (InstrumentId, Topic);

/// The subscriptions of one connection.
#[derive(Debug)]
struct Line {
    acknowledged: BTreeSet<Stream>,
    asked: BTreeMap<u64, Asked>,
    /// When the next message may leave.
    send_at: Instant,
    /// When everything was acknowledged.
    ready_at: Option<Instant>,
    /// What came while another line is in use.
    held: VecDeque<Frame>,
}

#[derive(Debug)]
struct Asked {
    streams: Vec<Stream>,
    adds: bool,
    until: Instant,
}

/// The newest of each kind that was passed on.
#[derive(Debug, Default)]
struct Newest {
    trade: Option<TradeId>,
    update: Option<u64>,
    candle: Option<Timestamp>,
}

/// The task behind a market connection.
pub(super) struct Feed {
    shared: Arc<Shared>,
    relay: Relay,
    wished: watch::Receiver<Watched>,
    out: mpsc::Sender<MarketEvent>,
    /// What is watched, as far as it has a name.
    watched: Watched,
    refused: Watched,
    lines: BTreeMap<LineNo, Line>,
    newest: BTreeMap<InstrumentId, Newest>,
    live: BTreeSet<InstrumentId>,
    /// Instruments of which events were thrown away for want of room.
    overrun: BTreeSet<InstrumentId>,
    last_request: u64,
}

impl Feed {
    pub(super) fn new(
        shared: Arc<Shared>,
        relay: Relay,
        wished: watch::Receiver<Watched>,
        out: mpsc::Sender<MarketEvent>,
    ) -> Self {
        Self {
            shared,
            relay,
            wished,
            out,
            watched: Watched::new(),
            refused: Watched::new(),
            lines: BTreeMap::new(),
            newest: BTreeMap::new(),
            live: BTreeSet::new(),
            overrun: BTreeSet::new(),
            last_request: 0,
        }
    }

    /// Runs until nobody takes events out any more.
    pub(super) async fn run(mut self) {
        let mut has_control = true;
        self.read_wishes();
        let mut alarm = self.alarm();
        loop {
            // A connection without subscriptions is of no use to anybody.
            let is_open = !self.watched.is_empty() || !self.lines.is_empty();
            let mut is_data = false;
            tokio::select! {
                event = self.relay.next(), if is_open => is_data = self.handle(event),
                changed = self.wished.changed(), if has_control => {
                    has_control = changed.is_ok();
                    self.read_wishes();
                }
                () = sleep_until(alarm) => {}
                () = self.out.closed() => return,
            }
            // Data is most of what comes, and changes nothing about subscriptions.
            if !is_data || !self.overrun.is_empty() {
                self.tell_overrun();
                self.keep_lines().await;
                alarm = self.alarm();
            }
        }
    }

    fn read_wishes(&mut self) {
        let wished = self.wished.borrow_and_update().clone();
        let mut nameless = BTreeSet::new();
        self.watched.clear();
        for stream in wished {
            if self.shared.catalog.get(stream.0).is_none() {
                nameless.insert(stream.0);
            } else {
                self.watched.insert(stream);
            }
        }
        self.refused.retain(|stream| self.watched.contains(stream));
        let watched: BTreeSet<InstrumentId> = self.watched.iter().map(|(id, _)| *id).collect();
        self.live.retain(|id| watched.contains(id));
        self.newest.retain(|id, _| watched.contains(id));
        // A new topic of a live instrument is not live yet.
        let current = self.relay.current().and_then(|number| self.lines.get(&number));
        let missing = |id: &InstrumentId| {
            let is_there = |stream: &Stream| current.is_some_and(|line| line.has(*stream));
            !self.watched.iter().filter(|(other, _)| other == id).all(is_there)
        };
        let lost: BTreeSet<InstrumentId> = self.live.iter().copied().filter(missing).collect();
        self.live.retain(|id| !lost.contains(id));
        for line in self.lines.values_mut() {
            line.ready_at = None;
        }
        self.gap(nameless, GapReason::Refused);
    }

    /// Whether it was data and nothing else.
    fn handle(&mut self, event: RelayEvent) -> bool {
        match event {
            RelayEvent::Opened(number) => {
                self.lines.insert(number, Line::new());
            }
            RelayEvent::Text(number, text) => return self.text(number, text.as_str()),
            RelayEvent::Lost { line, was_current, fault } => {
                self.lines.remove(&line);
                if was_current {
                    self.lost_current(fault);
                }
            }
            RelayEvent::Unreachable(fault) => {
                tracing::warn!(%fault, "the market stream cannot be opened");
                self.shared.note_denied(fault);
                if self.relay.current().is_none() {
                    let all = self.watched.iter().map(|(id, _)| *id).collect();
                    self.gap(all, fault.into());
                }
            }
        }
        false
    }

    /// A successor that has everything goes on where the lost line ended; else there is a gap.
    fn lost_current(&mut self, fault: SocketFault) {
        tracing::info!(%fault, "the market stream broke");
        let ready = self.lines.iter().find(|(_, line)| line.ready_at.is_some());
        if let Some((&number, _)) = ready {
            self.take_over(number);
            return;
        }
        // Numbers may begin anew while nobody looks, as when the test network is wiped.
        self.newest.clear();
        let live = std::mem::take(&mut self.live);
        self.gap(live, fault.into());
    }

    fn text(&mut self, number: LineNo, text: &str) -> bool {
        let frame = match frames::read(text, &self.shared.catalog, self.shared.rest.now()) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(%error, bytes = text.len(), "a market frame cannot be read");
                return true;
            }
        };
        match frame {
            Frame::Answer { id, is_ok } => self.answered(number, id, is_ok),
            Frame::Shutdown if self.relay.current() == Some(number) => self.relay.retire(),
            Frame::Shutdown => self.relay.drop_line(number, SocketFault::Closed),
            Frame::Other => return true,
            Frame::Trade { .. } | Frame::Best { .. } | Frame::Candle { .. } => {
                if self.relay.current() == Some(number) {
                    self.pass_on(&frame);
                    return true;
                }
                if let Some(line) = self.lines.get_mut(&number) {
                    line.held.push_back(frame);
                    if line.held.len() < HELD_MAX || line.ready_at.is_none() {
                        return true;
                    }
                    self.take_over(number);
                }
            }
        }
        false
    }

    fn answered(&mut self, number: LineNo, id: u64, is_ok: bool) {
        let Some(line) = self.lines.get_mut(&number) else { return };
        let Some(asked) = line.asked.remove(&id) else { return };
        if !asked.adds {
            return;
        }
        if is_ok {
            line.acknowledged.extend(asked.streams);
            return;
        }
        self.refused.extend(asked.streams.iter().copied());
        let instruments = asked.streams.iter().map(|(instrument, _)| *instrument).collect();
        self.live.retain(|id| !asked.streams.iter().any(|(instrument, _)| instrument == id));
        self.gap(instruments, GapReason::Refused);
    }

    /// Each trade, book and candle once, none older than the last.
    fn pass_on(&mut self, frame: &Frame) {
        let event = match *frame {
            Frame::Trade { tick, trade_id, received } => {
                let newest = &mut self.newest.entry(tick.instrument).or_default().trade;
                let event = MarketEvent::Trade { tick, trade_id, received };
                advance(newest, trade_id).then_some(event)
            }
            Frame::Best { best, update } => {
                let newest = &mut self.newest.entry(best.instrument).or_default().update;
                advance(newest, update).then_some(MarketEvent::Best(best))
            }
            Frame::Candle { instrument, candle } => {
                let newest = &mut self.newest.entry(instrument).or_default().candle;
                let event = MarketEvent::Candle { instrument, candle };
                advance(newest, candle.open_at).then_some(event)
            }
            Frame::Answer { .. } | Frame::Shutdown | Frame::Other => None,
        };
        let Some(event) = event else { return };
        let instrument = event.instrument();
        let is_watched = instrument.is_some_and(|id| {
            self.watched.range((id, Topic::Trades)..=(id, Topic::Candles)).next().is_some()
        });
        if is_watched {
            self.emit(event);
        }
    }

    fn emit(&mut self, event: MarketEvent) {
        let instrument = event.instrument();
        if instrument.is_some_and(|id| self.overrun.contains(&id)) {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(event)) = self.out.try_send(event) {
            match event {
                MarketEvent::Trade { .. } | MarketEvent::Best(_) | MarketEvent::Candle { .. } => {
                    self.overrun.extend(instrument);
                }
                MarketEvent::Live(instruments) | MarketEvent::Gap { instruments, .. } => {
                    self.overrun.extend(instruments);
                }
            }
        }
    }

    /// Says what was thrown away, as soon as there is room for it.
    fn tell_overrun(&mut self) {
        if self.overrun.is_empty() || self.out.capacity() < EVENTS_MAX / 2 {
            return;
        }
        let overrun = std::mem::take(&mut self.overrun);
        let back = overrun.iter().filter(|id| self.live.contains(id)).copied().collect();
        self.gap(overrun, GapReason::Overrun);
        self.tell_live(back);
    }

    fn gap(&mut self, instruments: BTreeSet<InstrumentId>, reason: GapReason) {
        if !instruments.is_empty() {
            let instruments = instruments.into_iter().collect();
            self.emit(MarketEvent::Gap { instruments, reason });
        }
    }

    fn tell_live(&mut self, instruments: Vec<InstrumentId>) {
        if !instruments.is_empty() {
            self.emit(MarketEvent::Live(instruments));
        }
    }

    /// Subscribes, notices what is due, lets a ready line take over.
    async fn keep_lines(&mut self) {
        let now = timer_now();
        let mut messages = Vec::new();
        for (&number, line) in &mut self.lines {
            if line.asked.values().any(|asked| asked.until <= now) {
                self.relay.drop_line(number, SocketFault::NoAcknowledgement);
                continue;
            }
            if now < line.send_at {
                continue;
            }
            let Some((adds, streams)) = line.next_message(&self.watched, &self.refused) else {
                continue;
            };
            self.last_request = self.last_request.saturating_add(1);
            let id = self.last_request;
            let names = streams.iter().filter_map(|(instrument, topic)| {
                let listed = self.shared.catalog.get(*instrument)?;
                Some(frames::stream_name(&listed.text, *topic))
            });
            let method = if adds { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
            let params: Vec<String> = names.collect();
            let text = serde_json::json!({ "method": method, "params": params, "id": id });
            messages.push((number, text.to_string()));
            if !adds {
                line.acknowledged.retain(|stream| !streams.contains(stream));
            }
            line.asked.insert(id, Asked { streams, adds, until: now + ANSWER_WITHIN });
            line.send_at = now + MESSAGE_PAUSE;
        }
        for (number, text) in messages {
            self.relay.send(number, text).await;
        }
        self.notice_ready();
    }

    fn notice_ready(&mut self) {
        let now = timer_now();
        let wanted: Vec<Stream> = self.watched.difference(&self.refused).copied().collect();
        for line in self.lines.values_mut() {
            let is_ready = wanted.iter().all(|stream| line.has(*stream));
            line.ready_at = if is_ready { line.ready_at.or(Some(now)) } else { None };
        }
        let overlap = self.shared.settings.relay.overlap;
        let current = self.relay.current();
        let due = self.lines.iter().filter(|(number, _)| current.is_none_or(|it| it < **number));
        let due = due.filter(|(_, line)| {
            line.ready_at.is_some_and(|ready| current.is_none() || ready + overlap <= now)
        });
        if let Some(number) = due.map(|(number, _)| *number).next_back() {
            self.take_over(number);
        }
        self.notice_live();
    }

    fn take_over(&mut self, number: LineNo) {
        self.relay.take_over(number);
        self.lines.retain(|other, _| *other == number);
        let held = self.lines.get_mut(&number).map(|line| std::mem::take(&mut line.held));
        // Live comes before the first event, unless it still holds from the former line.
        self.notice_live();
        for frame in held.unwrap_or_default() {
            self.pass_on(&frame);
        }
    }

    /// Instruments of which everything watched is acknowledged on the line in use.
    fn notice_live(&mut self) {
        let current = self.relay.current().and_then(|number| self.lines.get(&number));
        let Some(line) = current else { return };
        let mut fresh = BTreeSet::new();
        let mut missing = BTreeSet::new();
        for stream in &self.watched {
            if line.has(*stream) {
                fresh.insert(stream.0)
            } else {
                missing.insert(stream.0)
            };
        }
        let fresh: Vec<InstrumentId> = fresh
            .into_iter()
            .filter(|id| !missing.contains(id) && !self.live.contains(id))
            .collect();
        self.live.extend(fresh.iter().copied());
        self.tell_live(fresh);
    }

    /// When something is due without a word from outside.
    fn alarm(&self) -> Instant {
        let now = timer_now();
        let overlap = self.shared.settings.relay.overlap;
        let mut alarm = now + Duration::from_hours(1);
        for line in self.lines.values() {
            let answers = line.asked.values().map(|asked| asked.until);
            let takes_over = line.ready_at.map(|ready| ready + overlap).filter(|at| now < *at);
            let has_more = line.next_message(&self.watched, &self.refused).is_some();
            let sends = has_more.then_some(line.send_at);
            alarm = answers.chain(takes_over).chain(sends).fold(alarm, Instant::min);
        }
        if !self.overrun.is_empty() {
            alarm = alarm.min(now + Duration::from_millis(100));
        }
        alarm
    }
}

impl Line {
    fn new() -> Self {
        Self {
            acknowledged: BTreeSet::new(),
            asked: BTreeMap::new(),
            send_at: timer_now(),
            ready_at: None,
            held: VecDeque::new(),
        }
    }

    fn has(&self, stream: Stream) -> bool {
        self.acknowledged.contains(&stream)
    }

    fn is_asking(&self, stream: Stream) -> bool {
        self.asked.values().any(|asked| asked.streams.contains(&stream))
    }

    /// What to subscribe to, or else what to let go.
    fn next_message(&self, watched: &Watched, refused: &Watched) -> Option<(bool, Vec<Stream>)> {
        let is_new = |stream: &&Stream| {
            !self.has(**stream) && !self.is_asking(**stream) && !refused.contains(stream)
        };
        let new: Vec<Stream> = watched.iter().filter(is_new).take(NAMED_MAX).copied().collect();
        if !new.is_empty() {
            return Some((true, new));
        }
        let old = self.acknowledged.difference(watched).take(NAMED_MAX).copied();
        let old: Vec<Stream> = old.collect();
        (!old.is_empty()).then_some((false, old))
    }
}

/// Whether `value` is newer than the newest, which it then is.
fn advance<T: PartialOrd>(newest: &mut Option<T>, value: T) -> bool {
    let is_new = newest.as_ref().is_none_or(|newest| *newest < value);
    if is_new {
        *newest = Some(value);
    }
    is_new
}

impl MarketEvent {
    /// The instrument of a piece of market data.
    const fn instrument(&self) -> Option<InstrumentId> {
        match self {
            Self::Trade { tick, .. } => Some(tick.instrument),
            Self::Best(best) => Some(best.instrument),
            Self::Candle { instrument, .. } => Some(*instrument),
            Self::Live(_) | Self::Gap { .. } => None,
        }
    }
}
