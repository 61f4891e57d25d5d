//! Requests to the exchange: signed, timed, counted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Method;
use tokio::sync::Notify;
use tranche_model::time::{Millis, Timestamp};

use super::{
    filters::window,
    refusal::{self, Word},
    sign::{Params, Signer},
    wire,
};
use crate::{
    net::{
        clock::{Clock, Probe, VenueClock},
        http::{BodySize, Http, HttpAnswer, HttpFault, HttpRequest},
    },
    secret::ApiKey,
    venue::{Aside, ReadError},
};

/// How far a request may lag behind its stamp when it arrives ("Timing security").
const RECEIVE_WINDOW_MS: &str = "5000";
const KEY_HEADER: &str = "X-MBX-APIKEY";
const PROBES: usize = 4;

/// The key half of a signed request.
#[derive(Debug)]
pub(super) struct Pen {
    pub(super) key: ApiKey,
    pub(super) signer: Signer,
}

/// What the exchange counted, as its last answers say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Meter {
    /// What was sent weighs, whatever became of it.
    pub(super) spent: u32,
    pub(super) used_weight: Option<u32>,
    pub(super) order_counts: Vec<(Millis, u32)>,
    pub(super) banned_until: Option<Timestamp>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) params: Params,
}

/// The exchange's REST side, with its clock.
#[derive(Debug)]
pub(super) struct Rest {
    name: &'static str,
    base: String,
    http: Http,
    clock: Arc<dyn Clock>,
    venue_clock: VenueClock,
    /// Wakes whoever keeps the clock.
    pub(super) resync: Notify,
    aside: Mutex<Aside>,
}

impl Ask {
    pub(super) const fn new(method: Method, path: &'static str, params: Params) -> Self {
        Self { method, path, params }
    }

    pub(super) fn get(path: &'static str, params: Params) -> Self {
        Self::new(Method::GET, path, params)
    }
}

impl Rest {
    pub(super) fn new(name: &'static str, base: String, http: Http, clock: Arc<dyn Clock>) -> Self {
        let (venue_clock, resync) = (VenueClock::default(), Notify::new());
        let aside = Mutex::new(Aside::default());
        Self { name, base, http, clock, venue_clock, resync, aside }
    }

    /// The venue's time, estimated.
    pub(super) fn now(&self) -> Timestamp {
        self.venue_clock.now(&*self.clock)
    }

    pub(super) fn offset_ms(&self) -> Option<i64> {
        self.venue_clock.offset_ms(&*self.clock)
    }

    /// Sends with a stamp of `stamp`, or of the present.
    pub(super) async fn signed(
        &self,
        pen: &Pen,
        ask: Ask,
        stamp: Option<Timestamp>,
        meter: &mut Meter,
    ) -> Result<(Word, HttpAnswer), HttpFault> {
        let stamp = stamp.unwrap_or_else(|| self.now());
        let params = ask
            .params
            .with("recvWindow", RECEIVE_WINDOW_MS)
            .with("timestamp", &stamp.ms().to_string());
        let sealed = pen.signer.seal(params).ok_or(HttpFault::Malformed)?;
        meter.spent = meter.spent.saturating_add(weight(&ask.method, ask.path));
        let is_form = ask.method == Method::POST;
        let (query, body) = if is_form { (String::new(), Some(sealed)) } else { (sealed, None) };
        let answer = self
            .http
            .send(HttpRequest {
                method: ask.method,
                address: format!("{}{}", self.base, ask.path),
                query,
                body,
                key: Some((KEY_HEADER, &pen.key)),
                size: BodySize::Usual,
            })
            .await?;
        Ok((self.word(&answer, meter), answer))
    }

    pub(super) async fn public(
        &self,
        ask: Ask,
        size: BodySize,
        meter: &mut Meter,
    ) -> Result<(Word, HttpAnswer), HttpFault> {
        meter.spent = meter.spent.saturating_add(weight(&ask.method, ask.path));
        let answer = self
            .http
            .send(HttpRequest {
                method: ask.method,
                address: format!("{}{}", self.base, ask.path),
                query: ask.params.into_text(),
                body: None,
                key: None,
                size,
            })
            .await?;
        Ok((self.word(&answer, meter), answer))
    }

    /// The body of a public question that was answered.
    pub(super) async fn read(&self, ask: Ask, size: BodySize) -> Result<Vec<u8>, ReadError> {
        let (mut meter, asked_at) = (Meter::default(), self.now());
        let result = self.public(ask, size, &mut meter).await;
        self.note_meter(&meter, asked_at);
        let (word, answer) = result?;
        self.body(word, answer)
    }

    /// The body of a signed question that was answered.
    pub(super) async fn read_signed(&self, pen: &Pen, ask: Ask) -> Result<Vec<u8>, ReadError> {
        let (mut meter, asked_at) = (Meter::default(), self.now());
        let result = self.signed(pen, ask, None, &mut meter).await;
        self.note_meter(&meter, asked_at);
        let (word, answer) = result?;
        self.body(word, answer)
    }

    /// Something beside calls used the address.
    pub(super) fn note_aside(&self, weight: u32, banned_until: Option<Timestamp>) {
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        aside.weight = aside.weight.saturating_add(weight);
        aside.banned_until = aside.banned_until.max(banned_until);
    }

    /// A question that is no call was answered, or was not.
    fn note_meter(&self, meter: &Meter, asked_at: Timestamp) {
        self.note_aside(meter.spent, meter.banned_until);
        if let Some(used) = meter.used_weight {
            let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
            aside.used_weight = Some((used, asked_at));
        }
    }

    /// What was noted since this was asked last.
    pub(super) fn take_aside(&self) -> Aside {
        std::mem::take(&mut self.aside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn body(&self, word: Word, answer: HttpAnswer) -> Result<Vec<u8>, ReadError> {
        match word.error(self.name) {
            None => Ok(answer.body),
            Some(error) => Err(error),
        }
    }

    /// Says why a body of status 200 cannot be read: a foreign page, or a form that we do not know.
    pub(super) fn unreadable(&self, body: &[u8], what: &str) -> ReadError {
        if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
            return ReadError::NotThisVenue { name: self.name };
        }
        ReadError::Unreadable(what.to_owned())
    }

    fn word(&self, answer: &HttpAnswer, meter: &mut Meter) -> Word {
        meter.read(answer);
        let word = refusal::word(answer, self.now());
        match &word {
            Word::No(refusal) if refusal.code == -1021 => self.resync.notify_one(),
            Word::Wait { retry_at, is_ban: true } => meter.banned_until = Some(*retry_at),
            Word::Yes | Word::No(_) | Word::Wait { .. } | Word::Unknown { .. } | Word::Alien => {}
        }
        word
    }

    pub(super) async fn server_time(&self) -> Result<Timestamp, ReadError> {
        let ask = Ask::get("/api/v3/time", Params::default());
        let body = self.read(ask, BodySize::Usual).await?;
        let time: wire::Time =
            serde_json::from_slice(&body).map_err(|_| self.unreadable(&body, "server time"))?;
        Ok(Timestamp::from_ms(time.server_time))
    }

    /// Measures the venue's clock. Some probes may fail.
    pub(super) async fn sync_clock(&self) -> Result<(), ReadError> {
        let mut probes = Vec::with_capacity(PROBES);
        let mut error = None;
        for _ in 0..PROBES {
            let sent = self.clock.steady();
            match self.server_time().await {
                Ok(venue) => probes.push(Probe { sent, received: self.clock.steady(), venue }),
                Err(failed) => {
                    error = Some(failed);
                    break;
                }
            }
        }
        self.venue_clock.set(&probes);
        match error {
            Some(error) if probes.is_empty() => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps the clock: at once, then every so often, and when a request was refused for its stamp.
    pub(super) async fn keep_clock(&self, every: Duration) {
        let wait = match self.sync_clock().await {
            Ok(()) => every,
            Err(error) => {
                tracing::warn!(venue = self.name, %error, "the clock cannot be measured");
                Duration::from_secs(5).min(every)
            }
        };
        // A storm of refusals measures once in five seconds.
        tokio::time::sleep(Duration::from_secs(5).min(wait)).await;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.resync.notified() => {}
        }
    }
}

/// What a request weighs ("REST API", each endpoint). `/sapi` has limits of its own.
fn weight(method: &Method, path: &str) -> u32 {
    match (method.as_str(), path) {
        ("GET", "/api/v3/order" | "/api/v3/ticker/price") => 4,
        ("GET", "/api/v3/openOrders") => 80,
        (_, "/api/v3/klines") => 2,
        (
            _,
            "/api/v3/exchangeInfo"
            | "/api/v3/myTrades"
            | "/api/v3/allOrders"
            | "/api/v3/account"
            | "/api/v3/account/commission",
        ) => 20,
        (_, path) if path.starts_with("/sapi/") => 0,
        _ => 1,
    }
}

impl Meter {
    /// Header names: `X-MBX-USED-WEIGHT-1M`, `X-MBX-ORDER-COUNT-10S`, `X-MBX-ORDER-COUNT-1D`.
    pub(super) fn read(&mut self, answer: &HttpAnswer) {
        let number = |name| answer.header(name).and_then(|text| text.trim().parse().ok());
        let weight = number("x-mbx-used-weight-1m").or_else(|| number("x-mbx-used-weight"));
        self.used_weight = weight.or(self.used_weight);
        for (name, value) in &answer.headers {
            let Some(span) = name.as_str().strip_prefix("x-mbx-order-count-") else { continue };
            let letters = span.trim_start_matches(|letter: char| letter.is_ascii_digit());
            let digits = span.strip_suffix(letters).unwrap_or_default();
            let length = digits.parse().ok().and_then(|count| window(letters, count));
            let count = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            if let (Some(length), Some(count)) = (length, count) {
                self.order_counts.retain(|(known, _)| *known != length);
                self.order_counts.push((length, count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::net::{clock::SystemClock, http::HttpLimits};

    fn rest() -> Rest {
        let http = Http::new(HttpLimits::default()).unwrap();
        Rest::new("binance", String::new(), http, Arc::new(SystemClock::new()))
    }

    fn answer(code: i32) -> HttpAnswer {
        let body = format!(r#"{{"code":{code},"msg":"x"}}"#).into_bytes();
        HttpAnswer { status: 400, headers: HeaderMap::new(), body }
    }

    #[test]
    fn a_refused_stamp_wakes_the_keeper_of_the_clock() {
        let rest = rest();

        rest.word(&answer(-2010), &mut Meter::default());
        assert!(rest.resync.notified().now_or_never().is_none());

        rest.word(&answer(-1021), &mut Meter::default());
        assert!(rest.resync.notified().now_or_never().is_some());
    }

    #[test]
    fn counts_without_a_window_that_we_know_are_left_out() {
        let mut meter = Meter::default();
        let mut answer = answer(-2010);
        for (name, value) in [
            ("x-mbx-order-count-10s", "7"),
            ("x-mbx-order-count-1d", "-3"),
            ("x-mbx-order-count-", "1"),
            ("x-mbx-order-count-1w", "1"),
            ("x-mbx-order-count-99999999999d", "1"),
            ("x-mbx-used-weight", "9"),
            ("x-mbx-used-weight-1m", "-1"),
        ] {
            answer.headers.insert(name, value.parse().unwrap());
        }

        meter.read(&answer);

        assert_eq!(meter.order_counts, [(Millis::from_secs(10), 7)]);
        assert_eq!(meter.used_weight, Some(9));
    }
}
