//! A small web server that says what a test tells it to.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tranche_venue::net::tasks::{Task, spawn};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// What is done with it.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: &'static str,
        body: String,
    },
    /// Nothing, for as long as the caller waits.
    Silence,
    /// The connection is closed without a word.
    HangUp,
}

pub(crate) struct HttpPeer {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    _task: Task,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer { status, headers: "", body: body.into() }
}

impl Request {
    /// The value of a parameter, in the query or the form.
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').chain(self.body.split('&'));
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }
}

impl HttpPeer {
    pub(crate) async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, reply) = (Arc::clone(&requests), Arc::new(reply));
        let task = spawn("http peer", async move {
            let guests = Mutex::new(Vec::new());
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                guests.lock().unwrap().push(spawn("http guest", async move {
                    serve(stream, &seen, &*reply).await;
                }));
            }
        });
        Self { port, requests, _task: task }
    }

    /// Says the same bytes to everything it hears, whatever that is.
    pub(crate) async fn start_raw(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = spawn("raw peer", async move {
            let guests = Mutex::new(Vec::new());
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 4096];
                if stream.read(&mut heard).await.is_ok() && stream.write_all(bytes).await.is_ok() {
                    guests.lock().unwrap().push(stream);
                }
            }
        });
        Self { port, requests: Arc::default(), _task: task }
    }

    /// The requests to a path, in order.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.path == path).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    reply: &(impl Fn(&Request) -> Reply + Send + Sync),
) {
    while let Some(request) = read(&mut stream).await {
        seen.lock().unwrap().push(request.clone());
        match reply(&request) {
            Reply::HangUp => return,
            Reply::Silence => std::future::pending().await,
            Reply::Answer { status, headers, body } => {
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
                );
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end;
        }
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok().filter(|count| *count != 0)?;
        bytes.extend_from_slice(&part[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").and_then(|text| text.trim().parse::<usize>().ok())
    });
    let whole = end + 4 + length.unwrap_or(0);
    while bytes.len() < whole {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok().filter(|count| *count != 0)?;
        bytes.extend_from_slice(&part[..count]);
    }
    let body = String::from_utf8(bytes[end + 4..whole].to_vec()).ok()?;
    let (first, headers) = head.split_once("\r\n")?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Request { method, path, query, headers: headers.to_owned(), body })
}
