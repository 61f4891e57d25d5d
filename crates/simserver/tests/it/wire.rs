//! The smallest clients that can be: requests as bytes, frames as text.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The code of a refusal; zero when it is none.
    pub(crate) fn code(&self) -> i64 {
        self.json().get("code").and_then(Value::as_i64).unwrap_or(0)
    }

    pub(crate) fn said(&self) -> String {
        self.json()["msg"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Sends exactly these bytes; `None` when the connection broke without an answer.
pub(crate) async fn call(
    address: SocketAddr,
    (method, target): (&str, &str),
    key: Option<&str>,
    body: &[u8],
) -> Option<Reply> {
    timeout(PATIENCE, async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let key = key.map(|key| format!("X-MBX-APIKEY: {key}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{key}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        reply(&bytes)
    })
    .await
    .expect("an answer in time")
}

fn reply(bytes: &[u8]) -> Option<Reply> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Reply { status, headers, text: body.to_owned() })
}

#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Self {
        Self::try_open(address, path).await.expect("a WebSocket")
    }

    pub(crate) async fn try_open(address: SocketAddr, path: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}{path}");
        let opened = timeout(PATIENCE, client_async(url, stream)).await.expect("in time");
        opened.ok().map(|(socket, _)| Self(socket))
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next text; `None` at the end of the connection.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a frame in time")? {
                Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_) | Message::Binary(_) | Message::Frame(_)) | Err(_) => {
                    return None;
                }
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        let text = self.text().await.expect("the connection stays");
        serde_json::from_str(&text).unwrap()
    }

    /// The first frame that fits; those before it are dropped.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await;
            if fits(&frame) {
                return frame;
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, frame: &Value) -> Value {
        self.send(frame).await;
        let id = frame["id"].clone();
        self.until(|answer| answer.get("id") == Some(&id)).await
    }

    /// The next event of a private stream.
    pub(crate) async fn event(&mut self) -> Value {
        self.until(|frame| frame.get("event").is_some()).await["event"].clone()
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_silent(&mut self, span: Duration) -> bool {
        timeout(span, self.text()).await.is_err()
    }

    /// The payload of the next ping.
    pub(crate) async fn ping(&mut self) -> Vec<u8> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            if let Message::Ping(payload) = message.unwrap().unwrap() {
                return payload.to_vec();
            }
        }
    }
}
