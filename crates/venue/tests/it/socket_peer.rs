//! A small WebSocket server that subscribes everybody and says what a test tells it to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use tranche_venue::net::tasks::{Task, spawn};

/// What all connections do next.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Say(String),
    /// Only the connection that was opened in that place, from one.
    SayOn(usize, String),
    HangUp,
    HangUpOn(usize),
    /// Neither reads nor writes any more.
    GoDeaf,
}

pub(crate) struct SocketPeer {
    pub(crate) port: u16,
    acts: broadcast::Sender<Act>,
    opened: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<Value>>>,
    _task: Task,
}

impl SocketPeer {
    /// `reply` answers a frame; `None` keeps silent.
    pub(crate) async fn start(
        reply: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acts, _) = broadcast::channel(4096);
        let opened = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (all, count, log) = (acts.clone(), Arc::clone(&opened), Arc::clone(&heard));
        let reply = Arc::new(reply);
        let task = spawn("socket peer", async move {
            let guests = Mutex::new(Vec::new());
            while let Ok((stream, _)) = listener.accept().await {
                let (acts, count, log) = (all.subscribe(), Arc::clone(&count), Arc::clone(&log));
                let reply = Arc::clone(&reply);
                guests.lock().unwrap().push(spawn("socket guest", async move {
                    if let Ok(socket) = accept_async(stream).await {
                        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                        serve((number, socket), acts, &log, &*reply).await;
                    }
                }));
            }
        });
        Self { port, acts, opened, heard, _task: task }
    }

    pub(crate) fn act(&self, act: Act) {
        // Nobody listening is fine.
        drop(self.acts.send(act));
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    /// The frames that came, of all connections.
    pub(crate) fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().clone()
    }
}

/// Says yes to each market subscription.
#[expect(clippy::unnecessary_wraps, reason = "other peers keep silent")]
pub(crate) fn yes(frame: &Value) -> Option<Value> {
    Some(json!({ "result": null, "id": frame["id"] }))
}

async fn serve(
    (number, mut socket): (usize, WebSocketStream<TcpStream>),
    mut acts: broadcast::Receiver<Act>,
    log: &Mutex<Vec<Value>>,
    reply: &(impl Fn(&Value) -> Option<Value> + Send + Sync),
) {
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    log.lock().unwrap().push(frame.clone());
                    if let Some(answer) = reply(&frame)
                        && socket.send(Message::text(answer.to_string())).await.is_err()
                    {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            act = acts.recv() => match act {
                Ok(Act::SayOn(other, _)) if other != number => {}
                Ok(Act::Say(text) | Act::SayOn(_, text)) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Ok(Act::HangUpOn(other)) if other != number => {}
                Ok(Act::HangUp | Act::HangUpOn(_)) | Err(_) => return,
                Ok(Act::GoDeaf) => std::future::pending().await,
            },
        }
    }
}
