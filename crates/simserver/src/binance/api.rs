//! The WebSocket API: requests as frames, sessions, private streams.
//!
//! Binance spot API documents, "WebSocket API" (2026-07-21). That a key of another kind cannot log on
//! is documented; its code (-4056) is that of the futures API.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, mpsc};
use tranche_model::{ids::AccountId, time::Timestamp};

use crate::{
    faults::{Dealt, Who},
    http::Host,
    socket::{self, Socket, Talk},
    world::{
        Key, Shared, World,
        hub::{ConnectionId, Kind, Out, Session, Subscription},
    },
};

use super::{
    gate,
    info::rate_limit,
    op::Op,
    params::Params,
    refused::Refused,
    rest::{Answer, Instead, half, instead_after, instead_before, wait},
    routes::{Right, Route},
    run::{Done, When},
    streams::is_id,
};

/// What opening a connection to the WebSocket API weighs; so does each request about sessions.
const SESSION_WEIGHT: u32 = 2;
/// Requests of a connection that may be held up at once; one more ends the connection.
const LATE_MAX: usize = 1024;
/// Subscriptions over the life of a connection.
const SUBSCRIPTIONS_MAX: u32 = 65_535;

/// Lets a new WebSocket connection in; an answer is a refusal.
pub(crate) fn connect(shared: &Shared, ip: IpAddr, is_api: bool) -> Option<Answer> {
    let world = &mut *shared.world();
    let now = world.now();
    if !world.limits.connect(ip, now) {
        let refused = Refused::new(-1003, "Too many connections.");
        return Some(Answer::json(429, &refused.body()));
    }
    let weight = if is_api { SESSION_WEIGHT } else { 0 };
    let refused = world.admit(ip, weight, &Dealt::default())?;
    Some(Answer::json(refused.status, &refused.body()))
}

pub(crate) async fn serve(host: Host, socket: Socket, ip: IpAddr, query: &str) {
    let (mut line, ends) = open(&host, ip, query);
    socket::run(&host, socket, ends, &mut line).await;
}

/// A connection without a session.
pub(crate) fn open(
    host: &Host,
    ip: IpAddr,
    query: &str,
) -> (impl Talk + use<>, (ConnectionId, mpsc::Receiver<Out>)) {
    let params = Params::of_request(query.as_bytes(), b"").unwrap_or_default();
    let returns_limits = params.get("returnRateLimits") != Some("false");
    let (id, inlet) = {
        let mut world = host.shared.world();
        let now = world.now();
        world.hub.open(Kind::Api(Session::new(now, returns_limits)))
    };
    let room = Arc::new(Semaphore::new(LATE_MAX));
    (Line { host: host.clone(), id, ip, room }, (id, inlet))
}

struct Line {
    host: Host,
    id: ConnectionId,
    ip: IpAddr,
    /// Room for requests that are held up.
    room: Arc<Semaphore>,
}

/// A request, well formed as a frame.
#[derive(Debug, Clone)]
struct Frame {
    id: Value,
    method: String,
    params: Params,
    returns_limits: Option<bool>,
}

impl Talk for Line {
    fn hear(&mut self, text: &str) -> bool {
        let frame = match Frame::read(text) {
            Ok(frame) => frame,
            Err((id, refused)) => {
                let error = refused.body();
                let text = json!({"id": id, "status": 400, "error": error}).to_string();
                self.host.shared.world().hub.send(self.id, text);
                return true;
            }
        };
        let dealt = self.host.shared.world().deal_frame(self.id, &frame);
        let late = dealt.delay().saturating_add(self.host.shared.latency.ms());
        if late == 0 && dealt.delay_answer() == 0 {
            return answer_now(&self.host.shared, (self.id, self.ip), &frame, &dealt);
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return false };
        let (shared, whose) = (Arc::clone(&self.host.shared), (self.id, self.ip));
        self.host.tasks.spawn("request", async move {
            wait(late).await;
            let (text, stays) = shared.world().frame_answer(whose, &frame, &dealt);
            wait(dealt.delay_answer()).await;
            deliver(&shared, whose.0, text, stays);
            drop(place);
        });
        true
    }

    fn shutdown_notice(&mut self) -> String {
        let now = self.host.shared.world().now();
        json!({"event": {"e": "serverShutdown", "E": now.ms()}}).to_string()
    }
}

fn answer_now(
    shared: &Shared,
    whose: (ConnectionId, IpAddr),
    frame: &Frame,
    dealt: &Dealt,
) -> bool {
    let (text, stays) = shared.world().frame_answer(whose, frame, dealt);
    deliver(shared, whose.0, text, stays)
}

/// Sends the answer, or breaks the connection; `false` when it is broken.
fn deliver(shared: &Shared, id: ConnectionId, text: Option<String>, stays: bool) -> bool {
    let mut world = shared.world();
    if let Some(text) = text {
        world.hub.send(id, text);
    }
    if !stays {
        world.hub.close(id);
    }
    stays
}

impl Frame {
    /// The id with the refusal, where it could be read.
    fn read(text: &str) -> Result<Self, (Value, Refused)> {
        let refused = || Refused::new(-1135, "Invalid JSON Request");
        let frame: Value = serde_json::from_str(text).map_err(|_| (Value::Null, refused()))?;
        let id = frame.get("id").cloned().unwrap_or(Value::Null);
        if !is_id(&id) {
            return Err((Value::Null, refused()));
        }
        let method =
            frame.get("method").and_then(Value::as_str).ok_or_else(|| (id.clone(), refused()))?;
        let empty = Map::new();
        let params = match frame.get("params") {
            None | Some(Value::Null) => &empty,
            Some(Value::Object(params)) => params,
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return Err((id, refused()));
            }
        };
        let returns_limits = params.get("returnRateLimits").and_then(Value::as_bool);
        let params = Params::of_frame(params);
        Ok(Self { id, method: method.to_owned(), params, returns_limits })
    }
}

/// What a session asked for besides what REST has too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionCall {
    Logon,
    Status,
    Logout,
    Subscriptions,
    Subscribe,
    SubscribeSigned,
    Unsubscribe,
}

impl SessionCall {
    fn of(method: &str) -> Option<Self> {
        Some(match method {
            "session.logon" => Self::Logon,
            "session.status" => Self::Status,
            "session.logout" => Self::Logout,
            "session.subscriptions" => Self::Subscriptions,
            "userDataStream.subscribe" => Self::Subscribe,
            "userDataStream.subscribe.signature" => Self::SubscribeSigned,
            "userDataStream.unsubscribe" => Self::Unsubscribe,
            _ => return None,
        })
    }
}

impl World {
    fn deal_frame(&mut self, id: ConnectionId, frame: &Frame) -> Dealt {
        let key = self.caller_key(id, frame);
        let account = key.as_ref().and_then(|key| self.account(key.account));
        let account = account.map(|account| account.name.clone());
        let key = key.map(|key| key.name);
        let who = Who { account: account.as_deref(), key: key.as_deref() };
        self.deck.of_request(who, &frame.method)
    }

    fn caller_key(&self, id: ConnectionId, frame: &Frame) -> Option<Key> {
        let logon = || self.hub.session(id)?.logon.as_ref().map(|(key, _)| key.as_str());
        let name = frame.params.get("apiKey").or_else(logon)?;
        self.keys.get(name).cloned()
    }

    fn caller(&self, id: ConnectionId, frame: &Frame) -> Option<AccountId> {
        self.caller_key(id, frame).map(|key| key.account)
    }

    /// The text to send, and whether the connection stays.
    fn frame_answer(
        &mut self,
        whose: (ConnectionId, IpAddr),
        frame: &Frame,
        dealt: &Dealt,
    ) -> (Option<String>, bool) {
        let op = Route::of_frame(&frame.method)
            .map(|route| (route, Op::read(route.endpoint, &frame.params)));
        let weight = match &op {
            Some((_, Ok(op))) => op.weights().0,
            Some((_, Err(_))) => 1,
            None => SESSION_WEIGHT,
        };
        if let Some(refused) = self.admit(whose.1, weight, dealt) {
            return (Some(self.frame_text(whose, frame, Err(refused))), true);
        }
        if let Some(instead) = instead_before(dealt) {
            return self.instead(whose, frame, instead, None);
        }
        let now = self.now();
        let when = When { now, as_of: dealt.as_of(now) };
        let done = match (&op, SessionCall::of(&frame.method)) {
            (Some((route, op)), _) => self.carry_out_frame(whose.0, frame, (*route, op), when),
            (None, Some(call)) => self.session_call(whose.0, call, &frame.params, now),
            (None, None) if frame.method.starts_with("userDataStream.") => {
                Err(Refused::new(-1020, "This endpoint has been removed.").with_status(410))
            }
            (None, None) => Err(Refused::new(-1020, "This operation is not supported.")),
        };
        if let (Some((_, Ok(op))), Err(_)) = (&op, &done) {
            let (success, failure) = op.weights();
            self.limits.charge(whose.1, failure.saturating_sub(success), now);
        }
        if let Some(account) = self.caller(whose.0, frame) {
            self.strike_streams(account, dealt, now);
        }
        let done = done.map(|done| done.disguised(dealt));
        let text = self.frame_text(whose, frame, done);
        match instead_after(dealt) {
            Some(instead) => self.instead(whose, frame, instead, Some(&text)),
            None => (Some(text), true),
        }
    }

    fn instead(
        &mut self,
        whose: (ConnectionId, IpAddr),
        frame: &Frame,
        instead: Instead,
        whole: Option<&str>,
    ) -> (Option<String>, bool) {
        let unknown = "An unknown error occurred while processing the request.";
        let refused = match instead {
            Instead::Drop => return (None, false),
            Instead::Half => return (whole.map(|text| half(text).to_owned()), true),
            Instead::Page(status) => Refused::new(-1000, unknown).with_status(status),
            Instead::Text(status, text) => Refused::new(-1000, text).with_status(status),
            Instead::Refused(refused) => refused,
        };
        (Some(self.frame_text(whose, frame, Err(refused))), true)
    }

    /// Key, parameters, time, signature, as for REST; a session that logged on needs no signature.
    fn carry_out_frame(
        &mut self,
        id: ConnectionId,
        frame: &Frame,
        (route, op): (Route, &Result<Op, Refused>),
        when: When,
    ) -> Result<Done, Refused> {
        if route.right == Right::None {
            return self.run_public(op.as_ref().map_err(Clone::clone)?, when);
        }
        let logon = match frame.params.get("apiKey") {
            Some(_) => None,
            None => self.hub.session(id).and_then(|session| session.logon.clone()),
        };
        let name = logon.as_ref().map(|(name, _)| name.as_str());
        if name.is_none() {
            frame.params.required("apiKey")?;
        }
        let key = self.key_named(name.or_else(|| frame.params.get("apiKey")), route.right)?;
        gate::mandatory(&frame.params, name.is_some())?;
        let op = op.as_ref().map_err(Clone::clone)?;
        if name.is_some() {
            gate::in_time(&frame.params, self.told(when.now))?;
        } else {
            signed(&key, &frame.params, self.told(when.now))?;
        }
        self.with_late_events(|world| world.run_private(&key, op, when))
    }

    fn session_call(
        &mut self,
        id: ConnectionId,
        call: SessionCall,
        params: &Params,
        now: Timestamp,
    ) -> Result<Done, Refused> {
        let body = match call {
            SessionCall::Logon => {
                let key = self.signed_key(params, now)?;
                if !key.verifier.may_log_on() {
                    let text = "Only Ed25519 API keys are supported for session logon.";
                    return Err(Refused::new(-4056, text));
                }
                if let Some(session) = self.hub.session_mut(id) {
                    session.logon = Some((key.name, now));
                }
                self.session_status(id, now)
            }
            SessionCall::Status => self.session_status(id, now),
            SessionCall::Logout => {
                self.log_out(id, now);
                self.session_status(id, now)
            }
            SessionCall::Subscriptions => {
                let session = self.hub.session(id);
                let ids = session.into_iter().flat_map(|session| session.subscriptions.keys());
                ids.map(|number| json!({"subscriptionId": number})).collect()
            }
            SessionCall::Subscribe => {
                let logon = self.hub.session(id).and_then(|session| session.logon.clone());
                let (name, _) = logon.ok_or_else(|| {
                    Refused::new(-2015, "The session is not authenticated.").with_status(401)
                })?;
                let key = self.key_named(Some(&name), Right::Read)?;
                self.subscribe(id, Subscription { account: key.account, is_of_logon: true })?
            }
            SessionCall::SubscribeSigned => {
                let key = self.signed_key(params, now)?;
                self.subscribe(id, Subscription { account: key.account, is_of_logon: false })?
            }
            SessionCall::Unsubscribe => {
                let wanted = params.number_of("subscriptionId")?;
                self.unsubscribe(id, wanted, now)?
            }
        };
        Ok(body.into())
    }

    fn signed_key(&self, params: &Params, now: Timestamp) -> Result<Key, Refused> {
        params.required("apiKey")?;
        let key = self.key_named(params.get("apiKey"), Right::Read)?;
        gate::mandatory(params, false)?;
        params.only(&[])?;
        signed(&key, params, self.told(now))?;
        Ok(key)
    }

    fn session_status(&mut self, id: ConnectionId, now: Timestamp) -> Value {
        let Some(session) = self.hub.session(id) else { return Value::Null };
        json!({
            "apiKey": session.logon.as_ref().map(|(key, _)| key),
            "authorizedSince": session.logon.as_ref().map(|(_, since)| since.ms()),
            "connectedSince": session.opened_at.ms(),
            "returnRateLimits": session.returns_limits,
            "serverTime": now.ms(),
            "userDataStream": !session.subscriptions.is_empty(),
        })
    }

    /// Ends the logon with the subscriptions that came of it.
    fn log_out(&mut self, id: ConnectionId, now: Timestamp) {
        let Some(session) = self.hub.session_mut(id) else { return };
        session.logon = None;
        let of_logon = session.subscriptions.iter().filter(|(_, it)| it.is_of_logon);
        let ended: Vec<u32> = of_logon.map(|(number, _)| *number).collect();
        self.hub.flush();
        for number in ended {
            self.hub.terminate(id, number, now);
        }
    }

    fn subscribe(&mut self, id: ConnectionId, new: Subscription) -> Result<Value, Refused> {
        let session = self.hub.session_mut(id).ok_or_else(Refused::bad_key)?;
        if session.subscriptions.values().any(|it| it.account == new.account) {
            let text = "User Data Stream subscription already active.";
            return Err(Refused::new(-2035, text));
        }
        let number = session.next_subscription;
        if SUBSCRIPTIONS_MAX <= number {
            return Err(Refused::new(-2042, "Too many subscriptions on this connection."));
        }
        session.next_subscription = number.saturating_add(1);
        session.subscriptions.insert(number, new);
        Ok(json!({"subscriptionId": number}))
    }

    /// One subscription, or all.
    fn unsubscribe(
        &mut self,
        id: ConnectionId,
        wanted: Option<u64>,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let session = self.hub.session(id).ok_or_else(Refused::bad_key)?;
        let numbers = session.subscriptions.keys().copied();
        let ended: Vec<u32> =
            numbers.filter(|it| wanted.is_none_or(|wanted| wanted == u64::from(*it))).collect();
        if ended.is_empty() {
            return Err(Refused::new(-2036, "User Data Stream subscription not active."));
        }
        self.hub.flush();
        for number in ended {
            self.hub.terminate(id, number, now);
        }
        Ok(json!({}))
    }

    fn frame_text(
        &mut self,
        (id, ip): (ConnectionId, IpAddr),
        frame: &Frame,
        done: Result<Done, Refused>,
    ) -> String {
        let now = self.now();
        let is_placement = done.as_ref().is_ok_and(|done| done.is_placement);
        let mut body = match done {
            Ok(done) => json!({"id": frame.id, "status": 200, "result": done.body}),
            Err(refused) => {
                json!({"id": frame.id, "status": refused.status, "error": refused.frame(now)})
            }
        };
        let by_session = self.hub.session(id).is_none_or(|session| session.returns_limits);
        if frame.returns_limits.unwrap_or(by_session)
            && let Some(body) = body.as_object_mut()
        {
            let account = self.caller(id, frame).filter(|_| is_placement);
            body.insert("rateLimits".to_owned(), self.used_limits(ip, account, now));
        }
        body.to_string()
    }

    fn used_limits(&self, ip: IpAddr, account: Option<AccountId>, now: Timestamp) -> Value {
        let limits = self.limits.limits();
        let mut weight = rate_limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute);
        if let Some(row) = weight.as_object_mut() {
            row.insert("count".to_owned(), self.limits.used_weight(ip, now).into());
        }
        let orders = account.map(|account| self.order_counts(account, now));
        let mut rows = orders.and_then(|rows| rows.as_array().cloned()).unwrap_or_default();
        rows.push(weight);
        rows.into()
    }
}

fn signed(key: &Key, params: &Params, now: Timestamp) -> Result<(), Refused> {
    gate::in_time(params, now)?;
    let signature = params.required("signature")?;
    if key.verifier.accepts(params.sorted_payload().as_bytes(), signature) {
        Ok(())
    } else {
        Err(Refused::bad_signature())
    }
}
