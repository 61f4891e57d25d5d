//! What a supervisor and a monitor ask: is it alive, may it be relied on, how does it stand.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    time::{Instant, timeout},
};
use tranche_engine::{Handle, Running};
use tranche_store::Store;
use tranche_trading::{
    account::{Account, AccountState},
    bot::Lane,
};

use super::retention::Retained;
use crate::runtime;

/// A loop that does not answer within this is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// At most so often the database is written to for who asks whether it can be.
const PROBE_EVERY: Duration = Duration::from_secs(2);
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Labels cost whoever stores them: beyond this many accounts only sums are told.
const ACCOUNTS_MAX: usize = 200;

const STARTING: &str = "starting: the exchange has not told its pairs yet, see the log\n";

/// A bound address, before there is anything to say.
#[derive(Debug)]
pub(super) struct Health {
    listener: Option<TcpListener>,
}

/// The address is answered as long as this lives.
#[derive(Debug)]
pub(super) struct Served {
    address: Option<SocketAddr>,
    /// Empty until the engine has begun.
    engine: Arc<OnceLock<Asked>>,
    _task: Option<runtime::Task>,
}

/// Who is asked.
#[derive(Debug)]
struct Asked {
    engine: Handle,
    venue: &'static str,
    store: Arc<Store>,
    retained: Arc<Retained>,
    /// When the database was written to last for whoever asked, and whether it could be.
    probed: Mutex<Option<(Instant, bool)>>,
}

/// The whole of the engine at one moment.
#[derive(Debug, Serialize)]
struct Status {
    venue: &'static str,
    /// Pairs whose prices have a gap now.
    pairs_dark: u32,
    accounts: Vec<Standing>,
}

#[derive(Debug, Serialize)]
struct Standing {
    account: u32,
    state: &'static str,
    bots: usize,
    deals: usize,
    orders_unknown: usize,
    key_may_withdraw: bool,
}

impl Health {
    /// Metrics tell who trades what: the address must be one of this machine.
    pub(super) async fn listen(address: Option<SocketAddr>) -> Result<Self> {
        let Some(address) = address else { return Ok(Self { listener: None }) };
        if !address.ip().is_loopback() {
            bail!("health: {address} is not of this machine alone; use 127.0.0.1");
        }
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("health: {address} is taken; choose another port"))?;
        Ok(Self { listener: Some(listener) })
    }

    /// Answers from now on: that the process lives, and, once it is told, how the engine does.
    pub(super) fn serve(self) -> Served {
        let engine = Arc::<OnceLock<Asked>>::default();
        let Some(listener) = self.listener else {
            return Served { address: None, engine, _task: None };
        };
        let address = listener.local_addr().ok();
        let asked = Arc::clone(&engine);
        let task = runtime::keep(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        drop(runtime::spawn(connection(stream, Arc::clone(&asked))));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(ANSWER_WITHIN).await;
                    }
                }
            }
        });
        Served { address, engine, _task: Some(task) }
    }
}

impl Served {
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The engine has begun.
    pub(super) fn began(
        &self,
        engine: Handle,
        venue: &'static str,
        store: Arc<Store>,
        retained: Arc<Retained>,
    ) {
        // It begins once.
        drop(self.engine.set(Asked { engine, venue, store, retained, probed: Mutex::default() }));
    }
}

impl Asked {
    /// Whether the database takes a write now: nobody may have had anything to commit for long. Who asks
    /// often costs one write in [`PROBE_EVERY`].
    async fn takes_writes(&self) -> bool {
        let mut probed = self.probed.lock().await;
        if let Some((_, known)) = probed.filter(|(at, _)| at.elapsed() < PROBE_EVERY) {
            return known;
        }
        let takes = match timeout(ANSWER_WITHIN, self.store.probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database takes no write");
                false
            }
            Err(_) => {
                tracing::warn!("the database took no write in time");
                false
            }
        };
        *probed = Some((Instant::now(), takes));
        takes
    }
}

async fn connection(stream: TcpStream, asked: Arc<OnceLock<Asked>>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let asked = Arc::clone(&asked);
        async move { Ok::<_, Infallible>(answer(request.uri().path(), asked.get()).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(path: &str, asked: Option<&Asked>) -> Response<Full<Bytes>> {
    let Some(asked @ Asked { engine, venue, retained, .. }) = asked else {
        return match path {
            "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
            _ => text(StatusCode::SERVICE_UNAVAILABLE, STARTING.to_owned()),
        };
    };
    let venue = *venue;
    let look = engine.look(move |shard, running| {
        let accounts = shard.accounts().map(standing).collect();
        (Status { venue, pairs_dark: running.dark, accounts }, *running)
    });
    let Ok(Ok((status, running))) = timeout(ANSWER_WITHIN, look).await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer\n".to_owned());
    };
    match path {
        "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => ready(&status, &running, asked.takes_writes().await),
        "/status" => match serde_json::to_string(&status) {
            Ok(json) => text(StatusCode::OK, json + "\n"),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        "/metrics" => match metrics(&status, &running, retained) {
            Ok(metrics) => text(StatusCode::OK, metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "try /livez /readyz /status /metrics\n".to_owned()),
    }
}

/// Ready when the database answers and each account was loaded. An exchange that is down is no reason to
/// start another process.
fn ready(status: &Status, running: &Running, takes_writes: bool) -> Response<Full<Bytes>> {
    if running.is_stuck() || !takes_writes {
        let what = "the database does not take what is committed\n".to_owned();
        return text(StatusCode::SERVICE_UNAVAILABLE, what);
    }
    if u32::try_from(status.accounts.len()).is_ok_and(|loaded| loaded < running.owned) {
        let what = format!("{} of {} accounts are loaded\n", status.accounts.len(), running.owned);
        return text(StatusCode::SERVICE_UNAVAILABLE, what);
    }
    text(StatusCode::OK, "ready\n".to_owned())
}

fn standing(account: &Account) -> Standing {
    let lanes = || account.bots.values().flat_map(|bot| &bot.lanes);
    let unknown = lanes().flat_map(Lane::orders).filter(|(_, order)| order.is_unknown());
    Standing {
        account: account.desk.id.get(),
        state: match account.desk.state {
            AccountState::Syncing => "syncing",
            AccountState::Ready => "ready",
            AccountState::Degraded => "degraded",
            AccountState::KeyInvalid => "key_invalid",
        },
        bots: account.bots.len(),
        deals: lanes().filter(|lane| lane.deal.is_some()).count(),
        orders_unknown: unknown.count(),
        key_may_withdraw: account.desk.rights.may_withdraw(),
    }
}

/// Prometheus text, version 0.0.4.
fn metrics(status: &Status, running: &Running, retained: &Retained) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let sum = |of: fn(&Standing) -> usize| status.accounts.iter().map(of).sum::<usize>();
    let figures: [(&str, &str, u64); 20] = [
        ("ticks_total", "counter", running.ticks),
        ("commits_total", "counter", running.commits),
        ("commits_failed_total", "counter", running.commits_failed),
        ("commit_slowest_microseconds", "gauge", running.commit_micros.get()),
        ("calls_sent_total", "counter", running.sent),
        ("calls_unknown_total", "counter", running.unknown),
        ("calls_withheld_total", "counter", running.withheld),
        ("calls_waiting", "gauge", running.calls.into()),
        ("store_waiting", "gauge", running.stored.into()),
        ("news_lost_total", "counter", running.untold),
        ("leases_lost_total", "counter", running.leases_lost),
        ("fees_unvalued_total", "counter", running.fees_unvalued),
        ("weight_used", "gauge", running.weight_used),
        ("journal_rows_removed_total", "counter", retained.rows()),
        ("journal_cleaned_timestamp_seconds", "gauge", retained.done_at()),
        ("accounts_owned", "gauge", running.owned.into()),
        ("bots", "gauge", count(sum(|account| account.bots))),
        ("deals_open", "gauge", count(sum(|account| account.deals))),
        ("orders_unknown", "gauge", count(sum(|account| account.orders_unknown))),
        ("keys_may_withdraw", "gauge", count(sum(|account| account.key_may_withdraw.into()))),
    ];
    for (name, kind, value) in figures {
        writeln!(text, "# TYPE tranche_{name} {kind}\ntranche_{name} {value}")?;
    }
    let venue = status.venue;
    write!(
        text,
        "# TYPE tranche_pairs_dark gauge\ntranche_pairs_dark{{venue=\"{venue}\"}} {}\n\
         # TYPE tranche_accounts gauge\n",
        status.pairs_dark
    )?;
    for state in ["syncing", "ready", "degraded", "key_invalid"] {
        let number = status.accounts.iter().filter(|account| account.state == state).count();
        writeln!(text, "tranche_accounts{{state=\"{state}\"}} {number}")?;
    }
    text.push_str("# TYPE tranche_account_ready gauge\n");
    for account in status.accounts.iter().take(ACCOUNTS_MAX) {
        let ready = u8::from(account.state == "ready");
        writeln!(text, "tranche_account_ready{{account=\"{}\"}} {ready}", account.account)?;
    }
    Ok(text)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
