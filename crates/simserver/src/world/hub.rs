//! Who listens: WebSocket connections, their streams and their private subscriptions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tranche_model::{ids::AccountId, time::Timestamp};

/// Messages that may wait for a slow connection; beyond, it is cut.
pub(crate) const OUTLET_MAX: usize = 4096;

/// Names a connection for as long as the server runs.
pub(crate) type ConnectionId = u64;

/// What a connection's task is to do.
#[derive(Debug, Clone)]
pub(crate) enum Out {
    Text(String),
    /// Break the connection, without a farewell.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Connection {
    outlet: mpsc::Sender<Out>,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Streams { is_combined: bool, names: BTreeSet<String> },
    Api(Session),
}

/// State of a connection to the WebSocket API.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) opened_at: Timestamp,
    /// The key that logged on, and when.
    pub(crate) logon: Option<(String, Timestamp)>,
    pub(crate) subscriptions: BTreeMap<u32, Subscription>,
    pub(crate) next_subscription: u32,
    pub(crate) returns_limits: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) account: AccountId,
    /// Made by the session's logon, and over with it.
    pub(crate) is_of_logon: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Hub {
    connections: BTreeMap<ConnectionId, Connection>,
    by_stream: BTreeMap<String, BTreeSet<ConnectionId>>,
    last: ConnectionId,
    /// Private events that wait for the next flush.
    waiting: Vec<(ConnectionId, String)>,
    /// An event that comes after the following one.
    swapped: BTreeMap<AccountId, Value>,
    /// Events that come late, by their time and in order.
    late: BTreeMap<(Timestamp, u64), (AccountId, Value)>,
    last_late: u64,
    /// Instruments replayed from recorded frames (`btcusdt@`); nothing made up is sent of them.
    pub(crate) recorded: BTreeSet<String>,
}

impl Session {
    pub(crate) const fn new(opened_at: Timestamp, returns_limits: bool) -> Self {
        Self {
            opened_at,
            logon: None,
            subscriptions: BTreeMap::new(),
            next_subscription: 0,
            returns_limits,
        }
    }
}

impl Hub {
    pub(crate) fn open(&mut self, kind: Kind) -> (ConnectionId, mpsc::Receiver<Out>) {
        let (outlet, inlet) = mpsc::channel(OUTLET_MAX);
        self.last = self.last.saturating_add(1);
        self.connections.insert(self.last, Connection { outlet, kind });
        (self.last, inlet)
    }

    pub(crate) fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Kind::Streams { names, .. } = connection.kind {
            for name in names {
                self.leave(id, &name);
            }
        }
    }

    fn leave(&mut self, id: ConnectionId, name: &str) {
        if let Some(ids) = self.by_stream.get_mut(name) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_stream.remove(name);
            }
        }
    }

    pub(crate) fn session(&self, id: ConnectionId) -> Option<&Session> {
        match &self.connections.get(&id)?.kind {
            Kind::Api(session) => Some(session),
            Kind::Streams { .. } => None,
        }
    }

    pub(crate) fn session_mut(&mut self, id: ConnectionId) -> Option<&mut Session> {
        match &mut self.connections.get_mut(&id)?.kind {
            Kind::Api(session) => Some(session),
            Kind::Streams { .. } => None,
        }
    }

    /// Streams of a connection, in order of their names.
    pub(crate) fn names(&self, id: ConnectionId) -> Vec<String> {
        match self.connections.get(&id).map(|connection| &connection.kind) {
            Some(Kind::Streams { names, .. }) => names.iter().cloned().collect(),
            Some(Kind::Api(_)) | None => Vec::new(),
        }
    }

    pub(crate) fn is_combined(&self, id: ConnectionId) -> bool {
        let kind = self.connections.get(&id).map(|connection| &connection.kind);
        matches!(kind, Some(Kind::Streams { is_combined: true, .. }))
    }

    pub(crate) fn set_combined(&mut self, id: ConnectionId, on: bool) {
        if let Some(Kind::Streams { is_combined, .. }) =
            self.connections.get_mut(&id).map(|connection| &mut connection.kind)
        {
            *is_combined = on;
        }
    }

    /// How many streams the connection would have with these.
    pub(crate) fn count_with(&self, id: ConnectionId, more: &[String]) -> usize {
        let mut names: BTreeSet<String> = self.names(id).into_iter().collect();
        names.extend(more.iter().cloned());
        names.len()
    }

    pub(crate) fn subscribe(&mut self, id: ConnectionId, name: &str) {
        if let Some(Kind::Streams { names, .. }) =
            self.connections.get_mut(&id).map(|connection| &mut connection.kind)
        {
            names.insert(name.to_owned());
            self.by_stream.entry(name.to_owned()).or_default().insert(id);
        }
    }

    pub(crate) fn unsubscribe(&mut self, id: ConnectionId, name: &str) {
        if let Some(Kind::Streams { names, .. }) =
            self.connections.get_mut(&id).map(|connection| &mut connection.kind)
        {
            names.remove(name);
            self.leave(id, name);
        }
    }

    /// Streams of an instrument that somebody listens to, unless it is replayed from frames.
    pub(crate) fn wanted(&self, prefix: &str) -> Vec<String> {
        let from = self.by_stream.range(prefix.to_owned()..);
        let names = from.map(|(name, _)| name).take_while(|name| name.starts_with(prefix));
        let is_recorded = self.recorded.iter().any(|recorded| prefix.starts_with(recorded));
        names.filter(|_| !is_recorded).cloned().collect()
    }

    /// Sends the text of `data` to everyone on the stream.
    pub(crate) fn publish(&mut self, name: &str, data: &str) {
        let Some(ids) = self.by_stream.get(name) else { return };
        let sends: Vec<(ConnectionId, String)> = ids
            .iter()
            .map(|id| {
                let text =
                    if self.is_combined(*id) { combined(name, data) } else { data.to_owned() };
                (*id, text)
            })
            .collect();
        for (id, text) in sends {
            self.send(id, text);
        }
    }

    /// Sends at once; a connection that does not read is dropped, and with it its socket.
    pub(crate) fn send(&mut self, id: ConnectionId, text: String) {
        let outlet = self.connections.get(&id).map(|connection| connection.outlet.clone());
        if outlet.is_some_and(|outlet| outlet.try_send(Out::Text(text)).is_err()) {
            self.close(id);
        }
    }

    /// Hands an event to the private streams of an account, to be sent with the next flush.
    pub(crate) fn tell(&mut self, account: AccountId, event: &Value) {
        for (id, subscription) in self.private_of(account) {
            let text = json!({"subscriptionId": subscription, "event": event}).to_string();
            self.waiting.push((id, text));
        }
    }

    /// Sends an event after the one that follows it.
    pub(crate) fn swap(&mut self, account: AccountId, event: Value) -> Option<Value> {
        self.swapped.insert(account, event)
    }

    pub(crate) fn tell_late(&mut self, due: Timestamp, account: AccountId, event: Value) {
        self.last_late = self.last_late.saturating_add(1);
        self.late.insert((due, self.last_late), (account, event));
    }

    /// Sends what is due.
    pub(crate) fn flush_late(&mut self, now: Timestamp) {
        while let Some(entry) = self.late.first_entry() {
            if now < entry.key().0 {
                break;
            }
            let (account, event) = entry.remove();
            self.tell(account, &event);
        }
        self.flush();
    }

    pub(crate) fn take_swapped(&mut self, account: AccountId) -> Option<Value> {
        self.swapped.remove(&account)
    }

    pub(crate) fn flush(&mut self) {
        for (id, text) in std::mem::take(&mut self.waiting) {
            self.send(id, text);
        }
    }

    /// Events that waited for a following one that never came.
    pub(crate) fn flush_swapped(&mut self) {
        for (account, event) in std::mem::take(&mut self.swapped) {
            self.tell(account, &event);
        }
        self.flush();
    }

    fn private_of(&self, account: AccountId) -> Vec<(ConnectionId, u32)> {
        let mut found = Vec::new();
        for (id, connection) in &self.connections {
            if let Kind::Api(session) = &connection.kind {
                let own = session.subscriptions.iter().filter(|(_, it)| it.account == account);
                found.extend(own.map(|(subscription, _)| (*id, *subscription)));
            }
        }
        found
    }

    /// Ends the private subscriptions of an account, with notice.
    pub(crate) fn expire(&mut self, account: AccountId, now: Timestamp) -> usize {
        self.flush();
        let ended = self.private_of(account);
        for (id, subscription) in &ended {
            self.terminate(*id, *subscription, now);
        }
        ended.len()
    }

    /// Ends one subscription, with notice.
    pub(crate) fn terminate(&mut self, id: ConnectionId, subscription: u32, now: Timestamp) {
        if let Some(session) = self.session_mut(id) {
            session.subscriptions.remove(&subscription);
        }
        let event = json!({"e": "eventStreamTerminated", "E": now.ms()});
        self.send(id, json!({"subscriptionId": subscription, "event": event}).to_string());
    }

    /// Breaks connections: those with private streams of an account, or all of a kind.
    pub(crate) fn cut(&mut self, which: impl Fn(&Kind) -> bool) -> usize {
        let ids: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, connection)| which(&connection.kind))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            if let Some(connection) = self.connections.get(id) {
                // A full outlet breaks the connection as well: its task sees the end of the channel.
                connection.outlet.try_send(Out::Cut).unwrap_or_default();
            }
            self.close(*id);
        }
        ids.len()
    }

    /// Market connections and WebSocket API connections.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let is_market = |it: &&Connection| matches!(it.kind, Kind::Streams { .. });
        let market = self.connections.values().filter(is_market).count();
        (market, self.connections.len().saturating_sub(market))
    }
}

impl Kind {
    pub(crate) fn listens_to(&self, account: AccountId) -> bool {
        match self {
            Self::Streams { .. } => false,
            Self::Api(session) => session.subscriptions.values().any(|it| it.account == account),
        }
    }
}

/// A frame of a combined stream.
pub(crate) fn combined(name: &str, data: &str) -> String {
    let name = Value::from(name);
    format!("{{\"stream\":{name},\"data\":{data}}}")
}
