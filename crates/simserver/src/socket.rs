//! A WebSocket connection: pings, its age, and the way in and out.
//!
//! Binance spot API documents, "WebSocket Streams" (2026-07-21): a ping every 20 seconds, closed
//! without a pong within a minute, closed after 24 hours, `serverShutdown` before.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::mpsc,
    time::{interval, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    http::Host,
    world::hub::{ConnectionId, Out},
};

const MESSAGE_MAX: usize = 1 << 20;
/// A peer that does not read for this long is given up.
const SEND_WITHIN: Duration = Duration::from_secs(10);

pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a kind of connection does with its messages.
pub(crate) trait Talk: Send {
    /// Returns `false` to end the connection. Answers go through the hub.
    fn hear(&mut self, text: &str) -> bool;

    /// The frame that tells of the end.
    fn shutdown_notice(&mut self) -> String;
}

pub(crate) async fn over(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// Serves the connection to its end and takes it out of the hub.
pub(crate) async fn run(
    host: &Host,
    mut socket: Socket,
    (id, mut inlet): (ConnectionId, mpsc::Receiver<Out>),
    talk: &mut impl Talk,
) {
    let lives = host.shared.connections;
    let span = |millis: tranche_model::time::Millis| Duration::from_millis(u64::from(millis.ms()));
    let mut stop = host.tasks.stopping();
    let mut ping = interval(span(lives.ping_every).max(Duration::from_millis(1)));
    ping.tick().await;
    let mut unanswered = 0_u32;
    let mut life = std::pin::pin!(sleep(span(lives.life)));
    let before = span(lives.life).saturating_sub(span(lives.notice));
    let mut notice = std::pin::pin!(sleep(before));
    let mut is_noticed = false;
    let is_polite = loop {
        let message = tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    if talk.hear(text.as_str()) {
                        continue;
                    }
                    break true
                }
                Some(Ok(Message::Pong(_))) => { unanswered = 0; continue }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break true,
                Some(Ok(Message::Ping(_) | Message::Binary(_) | Message::Frame(_))) => continue,
            },
            out = inlet.recv() => match out {
                Some(Out::Text(text)) => Message::text(text),
                Some(Out::Cut) | None => break false,
            },
            _ = ping.tick() => {
                if lives.pong_within.ms() <= unanswered.saturating_mul(lives.ping_every.ms()) {
                    break false;
                }
                unanswered = unanswered.saturating_add(1);
                let now = host.shared.world().now();
                Message::Ping(now.ms().to_string().into())
            }
            () = &mut notice, if !is_noticed => {
                is_noticed = true;
                Message::text(talk.shutdown_notice())
            }
            () = &mut life => break true,
            () = stop.wait() => break true,
        };
        if !matches!(timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(()))) {
            break false;
        }
    };
    host.shared.world().hub.close(id);
    if is_polite && timeout(SEND_WITHIN, socket.close(None)).await.is_err() {
        tracing::debug!(id, "a peer did not take the farewell");
    }
}
