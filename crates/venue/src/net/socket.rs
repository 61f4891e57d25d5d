//! One WebSocket: opened in time, watched for deafness, bounded in size.
//!
//! A socket that says nothing is asked with a ping; one that does not answer is dead, whatever TCP
//! believes.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        Bytes, Error, Message, Utf8Bytes, client::IntoClientRequest as _, error::TlsError,
        protocol::WebSocketConfig,
    },
};

use super::{
    clock::timer_now,
    http::{HttpFault, connect_fault, tls_fault},
};

/// Limits of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketLimits {
    /// To open it, encryption and handshake included.
    pub connect: Duration,
    /// Silence after which it is asked whether it is there. Binance sends a ping every 20 s.
    pub silence: Duration,
    /// How long an answer to that may take.
    pub pong: Duration,
    pub write: Duration,
    /// The longest message, in bytes.
    pub message_max: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(25),
            pong: Duration::from_secs(10),
            write: Duration::from_secs(5),
            message_max: 4 << 20,
        }
    }
}

/// Why a socket is not there, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SocketFault {
    #[error("cannot connect: {0}")]
    Connect(#[from] HttpFault),
    /// An answer, but no socket.
    #[error("the host answers {status} instead of opening a socket")]
    Denied { status: u16, retry_after: Option<Duration> },
    /// An answer that is none of a web server.
    #[error("the host does not speak WebSocket")]
    NotSocket,
    /// Neither data nor an answer to a ping.
    #[error("nothing comes any more")]
    Deaf,
    #[error("the other side closed it")]
    Closed,
    #[error("the connection broke")]
    Broken,
    #[error("a message longer than allowed")]
    TooLarge,
    /// We ended it: an answer that is part of the protocol did not come.
    #[error("no acknowledgement in time")]
    NoAcknowledgement,
}

/// An open socket.
pub struct Socket {
    stream: Box<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    limits: SocketLimits,
    /// When silence has lasted too long.
    deadline: Instant,
    is_asked: bool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("is_asked", &self.is_asked).finish_non_exhaustive()
    }
}

impl Socket {
    pub async fn open(
        address: String,
        tls: Arc<ClientConfig>,
        limits: SocketLimits,
    ) -> Result<Self, SocketFault> {
        let opened = timeout(limits.connect, open(&address, tls, limits)).await;
        let stream = opened.unwrap_or(Err(SocketFault::Connect(HttpFault::Unreachable)))?;
        Ok(Self {
            stream: Box::new(stream),
            limits,
            deadline: timer_now() + limits.silence,
            is_asked: false,
        })
    }

    /// The next text. May be dropped while it waits; nothing is lost. After an error the socket is of
    /// no use.
    pub async fn next(&mut self) -> Result<Utf8Bytes, SocketFault> {
        loop {
            match timeout_at(self.deadline, self.stream.next()).await {
                Ok(Some(Ok(message))) => {
                    self.deadline = timer_now() + self.limits.silence;
                    self.is_asked = false;
                    match message {
                        Message::Text(text) => return Ok(text),
                        Message::Close(_) => return Err(SocketFault::Closed),
                        Message::Ping(_)
                        | Message::Pong(_)
                        | Message::Binary(_)
                        | Message::Frame(_) => {}
                    }
                }
                Ok(Some(Err(error))) => return Err(read_fault(&error)),
                Ok(None) => return Err(SocketFault::Closed),
                Err(_) if self.is_asked => return Err(SocketFault::Deaf),
                Err(_) => {
                    self.is_asked = true;
                    self.deadline = timer_now() + self.limits.pong;
                    self.write(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    pub async fn send(&mut self, text: String) -> Result<(), SocketFault> {
        self.write(Message::text(text)).await
    }

    async fn write(&mut self, message: Message) -> Result<(), SocketFault> {
        match timeout(self.limits.write, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(read_fault(&error)),
            Err(_) => Err(SocketFault::Deaf),
        }
    }
}

async fn open(
    address: &str,
    tls: Arc<ClientConfig>,
    limits: SocketLimits,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, SocketFault> {
    let url = Url::parse(address).map_err(|_| HttpFault::Malformed)?;
    let host = url.host_str().ok_or(HttpFault::Malformed)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().ok_or(HttpFault::Malformed)?;
    let stream = connect(bare, port).await?;
    let request = address.into_client_request().map_err(|_| HttpFault::Malformed)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.message_max))
        .max_frame_size(Some(limits.message_max));
    let connector = Some(Connector::Rustls(tls));
    match client_async_tls_with_config(request, stream, Some(config), connector).await {
        Ok((stream, _)) => Ok(stream),
        Err(error) => Err(open_fault(&error)),
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, SocketFault> {
    let places = lookup_host((host, port)).await.map_err(|_| HttpFault::Dns)?;
    let mut fault = HttpFault::Dns;
    for place in places {
        match TcpStream::connect(place).await {
            Ok(stream) => {
                let is_set = stream.set_nodelay(true);
                return is_set.map(|()| stream).map_err(|error| connect_fault(&error).into());
            }
            Err(error) => fault = connect_fault(&error),
        }
    }
    Err(fault.into())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum; all other cases say the same")]
fn open_fault(error: &Error) -> SocketFault {
    match error {
        Error::Http(response) => SocketFault::Denied {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok())
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
        },
        Error::Tls(TlsError::Rustls(error)) => tls_fault(error).into(),
        Error::Tls(_) => HttpFault::Tls.into(),
        Error::Io(io) => connect_fault(io).into(),
        Error::Protocol(_) | Error::HttpFormat(_) | Error::Utf8(_) | Error::Capacity(_) => {
            SocketFault::NotSocket
        }
        _ => HttpFault::Unreachable.into(),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum; all other cases say the same")]
const fn read_fault(error: &Error) -> SocketFault {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => SocketFault::Closed,
        Error::Capacity(_) => SocketFault::TooLarge,
        _ => SocketFault::Broken,
    }
}
