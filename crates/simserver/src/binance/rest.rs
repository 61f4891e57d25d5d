//! REST: from a request to an answer, with the faults that it meets.

use std::{net::IpAddr, time::Duration};

use serde_json::Value;
use tranche_model::time::{Millis, Timestamp};

use crate::{
    faults::{Busy, Dealt, Fault, Who},
    world::{Key, Shared, World},
};

use super::{
    gate,
    op::Op,
    params::{self, Params},
    refused::Refused,
    routes::{Right, Route},
    run::{Done, When},
};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) ip: IpAddr,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) key: Option<String>,
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) is_json: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What comes instead of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instead {
    /// The connection breaks.
    Drop,
    /// A page of a server in between.
    Page(u16),
    /// A body that is not JSON.
    Text(u16, &'static str),
    Refused(Refused),
    /// The answer, cut in the middle.
    Half,
}

const UNKNOWN_ERROR: &str = "Unknown error, please check your request or try again later.";
const INTERNAL_ERROR: &str = "Internal error; unable to process your request. Please try again.";
const OVERLOADED: &str =
    "Server is currently overloaded with other requests. Please try again in a few minutes.";

/// `None` when the connection is to break.
pub(crate) async fn answer(shared: &Shared, request: Request) -> Option<Answer> {
    if Route::is_removed(&request.path) {
        return Some(Answer::text(410, "This endpoint has been removed."));
    }
    let Some(route) = Route::of_request(&request.method, &request.path) else {
        let status = if Route::is_known(&request.path) { 405 } else { 404 };
        return Some(Answer::page(status));
    };
    let read = Read::new(route, &request);
    let dealt = shared.world().deal(&request, &format!("{} {}", request.method, request.path));
    wait(dealt.delay().saturating_add(shared.latency.ms())).await;
    let stopped = shared.world().admit(request.ip, read.weight(), &dealt);
    if let Some(refused) = stopped {
        let world = &mut *shared.world();
        return Some(world.refusal(&request, &refused));
    }
    if let Some(instead) = instead_before(&dealt) {
        return instead.answer(&mut shared.world(), &request, None);
    }
    let answer = shared.world().answer(&request, &read, &dealt);
    wait(dealt.delay_answer()).await;
    match instead_after(&dealt) {
        Some(instead) => instead.answer(&mut shared.world(), &request, Some(answer)),
        None => Some(answer),
    }
}

pub(super) async fn wait(ms: u32) {
    if 0 < ms {
        tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
    }
}

/// A request, taken apart.
pub(super) struct Read {
    route: Route,
    /// `None` when an escape is broken.
    params: Option<Params>,
    op: Result<Op, Refused>,
}

impl Read {
    pub(super) fn new(route: Route, request: &Request) -> Self {
        let body: &[u8] = if request.method == "GET" { &[] } else { &request.body };
        let params = Params::of_request(&request.query, body);
        let op = match &params {
            Some(params) => Op::read(route.endpoint, params),
            None => Err(Refused::new(-1100, "Illegal characters found in a parameter.")),
        };
        Self { route, params, op }
    }

    /// What it weighs before it is carried out.
    fn weight(&self) -> u32 {
        self.op.as_ref().map_or(1, |op| op.weights().0)
    }
}

impl World {
    /// The faults that a request meets.
    fn deal(&mut self, request: &Request, what: &str) -> Dealt {
        let key = request.key.as_deref().and_then(|name| self.keys.get(name));
        let account = key.and_then(|key| self.account(key.account)).map(|it| it.name.clone());
        let who = Who { account: account.as_deref(), key: request.key.as_deref() };
        self.deck.of_request(who, what)
    }

    /// The address's limits, with the faults that tighten them.
    pub(super) fn admit(&mut self, ip: IpAddr, weight: u32, dealt: &Dealt) -> Option<Refused> {
        let now = self.now();
        for fault in &dealt.faults {
            if let Fault::TooMany { seconds } = *fault {
                self.limits.throttle(ip, Millis::from_secs(seconds), now);
            }
            if let Fault::Ban { seconds } = *fault {
                self.limits.ban(ip, Millis::from_secs(seconds), now);
            }
        }
        let most = self.limits.limits().weight_per_minute;
        let stop = self.limits.admit(ip, weight, now).err()?;
        Some(Refused::stopped(stop, most))
    }

    fn answer(&mut self, request: &Request, read: &Read, dealt: &Dealt) -> Answer {
        let now = self.now();
        let when = When { now, as_of: dealt.as_of(now) };
        let done = self.carry_out(request, read, when);
        if done.is_err()
            && let Ok(op) = &read.op
        {
            let (success, failure) = op.weights();
            self.limits.charge(request.ip, failure.saturating_sub(success), now);
        }
        let account = request.key.as_deref().and_then(|name| self.keys.get(name));
        let account = account.map(|key| key.account);
        if let Some(account) = account {
            self.strike_streams(account, dealt, now);
        }
        match done.map(|done| done.disguised(dealt)) {
            Ok(done) => {
                let mut headers = self.weight_headers(request.ip, now);
                if let Some(account) = account.filter(|_| done.is_placement) {
                    let (ten_seconds, day) = self.limits.orders(account, now);
                    headers.push(("x-mbx-order-count-10s", ten_seconds.to_string()));
                    headers.push(("x-mbx-order-count-1d", day.to_string()));
                }
                Answer { status: 200, body: done.body.to_string(), is_json: true, headers }
            }
            Err(refused) => self.refusal(request, &refused),
        }
    }

    /// The order of the checks is the exchange's: key, parameters, time, signature, then what is
    /// asked for.
    fn carry_out(&mut self, request: &Request, read: &Read, when: When) -> Result<Done, Refused> {
        if read.route.right == Right::None {
            return self.run_public(read.op.as_ref().map_err(Clone::clone)?, when);
        }
        let (key, op) = self.admitted(request, read, when.now)?;
        self.with_late_events(|world| world.run_private(&key, op, when))
    }

    /// What a request asks for, and on whose behalf. A public one has no key.
    pub(super) fn asked<'r>(
        &self,
        request: &Request,
        read: &'r Read,
        now: Timestamp,
    ) -> Result<(Option<Key>, &'r Op), Refused> {
        if read.route.right == Right::None {
            return Ok((None, read.op.as_ref().map_err(Clone::clone)?));
        }
        let (key, op) = self.admitted(request, read, now)?;
        Ok((Some(key), op))
    }

    fn admitted<'r>(
        &self,
        request: &Request,
        read: &'r Read,
        now: Timestamp,
    ) -> Result<(Key, &'r Op), Refused> {
        let key = self.key_named(request.key.as_deref(), read.route.right)?;
        let params = read.params.as_ref().ok_or_else(Refused::bad_signature)?;
        gate::mandatory(params, false)?;
        let op = read.op.as_ref().map_err(Clone::clone)?;
        gate::in_time(params, self.told(now))?;
        let body: &[u8] = if request.method == "GET" { &[] } else { &request.body };
        let payload = params::payload(&request.query, body);
        let signature = params.required("signature")?;
        if !params::is_encoded(&payload) || !key.verifier.accepts(&payload, signature) {
            return Err(Refused::bad_signature());
        }
        Ok((key, op))
    }

    /// The real exchange sends the events of a call before or after its answer.
    pub(super) fn with_late_events<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        self.holds_events = self.chance.happens(self.late_events_per_mille);
        let done = run(self);
        self.holds_events = false;
        done
    }

    /// Faults that strike the private streams of the caller.
    pub(super) fn strike_streams(
        &mut self,
        account: tranche_model::ids::AccountId,
        dealt: &Dealt,
        now: Timestamp,
    ) {
        if dealt.has(Fault::ExpireToken) {
            self.hub.expire(account, now);
        }
        if dealt.has(Fault::CutStreams) {
            self.hub.cut(|kind| kind.listens_to(account));
        }
    }

    fn weight_headers(&self, ip: IpAddr, now: Timestamp) -> Vec<(&'static str, String)> {
        let used = self.limits.used_weight(ip, now).to_string();
        vec![("x-mbx-used-weight", used.clone()), ("x-mbx-used-weight-1m", used)]
    }

    fn refusal(&mut self, request: &Request, refused: &Refused) -> Answer {
        let now = self.now();
        let mut headers = self.weight_headers(request.ip, now);
        if let Some(seconds) = refused.retry_after(now) {
            headers.push(("retry-after", seconds.to_string()));
        }
        let body = refused.body().to_string();
        Answer { status: refused.status, body, is_json: true, headers }
    }
}

/// What comes instead of the answer, nothing having been done.
pub(super) fn instead_before(dealt: &Dealt) -> Option<Instead> {
    first_instead(dealt, false)
}

/// What comes instead of the answer after everything was done.
pub(super) fn instead_after(dealt: &Dealt) -> Option<Instead> {
    first_instead(dealt, true)
}

fn first_instead(dealt: &Dealt, is_done: bool) -> Option<Instead> {
    let all = dealt.faults.iter().filter_map(|fault| instead(*fault));
    all.filter(|(after, _)| *after == is_done).map(|(_, instead)| instead).next()
}

/// What a fault puts in the place of the answer, and whether the request is carried out before.
fn instead(fault: Fault) -> Option<(bool, Instead)> {
    Some(match fault {
        Fault::DropBefore => (false, Instead::Drop),
        Fault::DropAfter => (true, Instead::Drop),
        Fault::ErrorBefore { status } => (false, Instead::Page(status)),
        Fault::ErrorAfter { status } => (true, Instead::Page(status)),
        Fault::Timeout { executed } => (executed, Instead::Refused(Refused::timeout())),
        Fault::UnexpectedResponse { executed } => {
            (executed, Instead::Refused(Refused::unexpected_response()))
        }
        Fault::Busy { text, executed } => (executed, busy(text)),
        Fault::ClockSkew => (false, Instead::Refused(Refused::outside_window())),
        Fault::BrokenJson => (true, Instead::Half),
        Fault::Delay { .. }
        | Fault::DelayAnswer { .. }
        | Fault::TooMany { .. }
        | Fault::Ban { .. }
        | Fault::StaleRead { .. }
        | Fault::CutStreams
        | Fault::ExpireToken
        | Fault::StrangeStatus
        | Fault::EventDrop
        | Fault::EventDouble
        | Fault::EventSwap
        | Fault::EventLate { .. }
        | Fault::EventStrange => return None,
    })
}

fn busy(text: Busy) -> Instead {
    let refused = |code, text| Instead::Refused(Refused::new(code, text).with_status(503));
    match text {
        Busy::Unknown => refused(-1000, UNKNOWN_ERROR),
        Busy::Unavailable => Instead::Text(503, "Service Unavailable."),
        Busy::Internal => refused(-1001, INTERNAL_ERROR),
        Busy::Overloaded => refused(-1008, OVERLOADED),
    }
}

impl Instead {
    fn answer(self, world: &mut World, request: &Request, whole: Option<Answer>) -> Option<Answer> {
        match self {
            Self::Drop => None,
            Self::Page(status) => Some(Answer::page(status)),
            Self::Text(status, text) => Some(Answer::text(status, text)),
            Self::Refused(refused) => Some(world.refusal(request, &refused)),
            Self::Half => whole.map(Answer::half),
        }
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string(), is_json: true, headers: Vec::new() }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, body: text.to_owned(), is_json: false, headers: Vec::new() }
    }

    pub(super) fn page(status: u16) -> Self {
        let body = format!("<html><head><title>{status}</title></head><body></body></html>");
        Self { status, body, is_json: false, headers: Vec::new() }
    }

    fn half(mut self) -> Self {
        let half = half(&self.body).to_owned();
        self.body = half;
        self
    }
}

/// The first half of a text.
pub(super) fn half(text: &str) -> &str {
    let middle = text.floor_char_boundary(text.len() / 2);
    text.get(..middle).unwrap_or_default()
}
