//! HTTP on a socket: connections, bodies with a bound, upgrades to WebSocket.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::oneshot, time::timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    binance::{api, rest, streams},
    control, socket,
    tasks::Tasks,
    world::Shared,
};

const BODY_MAX: usize = 1 << 20;
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Also how long a kept connection may idle.
const HEAD_WITHIN: Duration = Duration::from_mins(2);

pub(crate) type Reply = Response<Full<Bytes>>;

/// Breaks the connection without an answer.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// Which of the two addresses a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Exchange,
    Control,
}

/// What a connection needs.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: Tasks,
}

/// Serves one connection to its end.
pub(crate) async fn serve(host: Host, stream: TcpStream, peer: SocketAddr, door: Door) {
    let mut stop = host.tasks.stopping();
    let service = service_fn(|request| {
        let host = host.clone();
        async move {
            match door {
                Door::Exchange => exchange(host, peer, request).await,
                Door::Control => Ok(control(&host, request).await),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

async fn exchange(
    host: Host,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Reply, Broken> {
    let path = request.uri().path().to_owned();
    if is_upgrade(request.headers()) {
        return Ok(upgrade(&host, peer, request).unwrap_or_else(|| plain(StatusCode::NOT_FOUND)));
    }
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else { return Ok(plain(StatusCode::BAD_REQUEST)) };
    let request = rest::Request {
        ip: peer.ip(),
        method: head.method.as_str().to_owned(),
        path,
        query: head.uri.query().unwrap_or_default().as_bytes().to_vec(),
        body: body.to_vec(),
        key: text(&head.headers, "x-mbx-apikey"),
    };
    carried_out(host, request).await.map(reply).ok_or(Broken)
}

/// A request that has come is carried out, also when its sender hangs up meanwhile.
async fn carried_out(host: Host, request: rest::Request) -> Option<rest::Answer> {
    let (answer, answered) = oneshot::channel();
    let shared = Arc::clone(&host.shared);
    host.tasks.spawn("request", async move {
        // Who hung up is not told.
        answer.send(rest::answer(&shared, request).await).unwrap_or_default();
    });
    answered.await.ok().flatten()
}

async fn control(host: &Host, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else { return plain(StatusCode::BAD_REQUEST) };
    reply(control::answer(&host.shared, head.method.as_str(), head.uri.path(), &body))
}

/// `None` for a path that has no WebSocket.
fn upgrade(host: &Host, peer: SocketAddr, mut request: Request<Incoming>) -> Option<Reply> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_api = path == "/ws-api/v3";
    let is_streams = path == "/ws" || path.starts_with("/ws/") || path == "/stream";
    if !is_api && !is_streams {
        return None;
    }
    if let Some(refused) = api::connect(&host.shared, peer.ip(), is_api) {
        return Some(reply(refused));
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let host = host.clone();
    let tasks = host.tasks.clone();
    tasks.spawn("websocket", async move {
        let Ok(upgraded) = upgraded.await else { return };
        let socket = socket::over(upgraded).await;
        if is_api {
            api::serve(host, socket, peer.ip(), &query).await;
        } else {
            streams::serve(host, socket, &path, &query).await;
        }
    });
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Some(response)
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn read(body: Incoming) -> Option<Bytes> {
    let whole = timeout(BODY_WITHIN, Limited::new(body, BODY_MAX).collect()).await;
    Some(whole.ok()?.ok()?.to_bytes())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn plain(status: StatusCode) -> Reply {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn reply(answer: rest::Answer) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if answer.is_json { "application/json;charset=UTF-8" } else { "text/html" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
