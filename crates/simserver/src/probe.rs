//! An exchange without sockets, and what clients and operators send it: for fuzz targets only.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use crate::{
    BindError, Clock, Market, Settings,
    binance::{
        api,
        rest::{self, Request},
        streams,
    },
    control, feed,
    http::Host,
    server,
    socket::Talk,
    world::hub::Out,
};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Each kind of what is told at fixed times comes within so many beats.
const BEATS: u64 = 21;

/// The exchange. Faults that hold something up are not served here.
#[derive(Debug)]
pub struct Exchange {
    host: Host,
}

impl Exchange {
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        server::host(settings, feed::quiet(), clock).map(|host| Self { host })
    }

    pub fn market(&self) -> Market {
        Market::new(Arc::clone(&self.host.shared))
    }

    /// Status and body of the answer; `None` when the connection breaks.
    pub fn request(
        &self,
        (method, path): (&str, &str),
        (query, body): (&str, &str),
        key: Option<&str>,
    ) -> Option<(u16, String)> {
        let request = Request {
            ip: IP,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.as_bytes().to_vec(),
            body: body.as_bytes().to_vec(),
            key: key.map(str::to_owned),
        };
        let answer = rest::answer(&self.host.shared, request).now_or_never()??;
        Some((answer.status, answer.body))
    }

    /// What comes back on a fresh connection to the WebSocket API.
    pub fn api_frames<'a>(
        &self,
        query: &str,
        frames: impl IntoIterator<Item = &'a str>,
    ) -> Vec<String> {
        let (line, (_, inlet)) = api::open(&self.host, IP, query);
        self.talk(line, inlet, frames)
    }

    /// What comes back on a fresh connection to market streams.
    pub fn stream_frames<'a>(
        &self,
        (path, query): (&str, &str),
        frames: impl IntoIterator<Item = &'a str>,
    ) -> Vec<String> {
        let (line, (_, inlet)) = streams::open(&self.host, path, query);
        self.talk(line, inlet, frames)
    }

    /// Status and body of the control address's answer.
    pub fn control(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = control::answer(&self.host.shared, method, path, body.as_bytes());
        (answer.status, answer.body)
    }

    /// Whether the books add up.
    pub fn is_sound(&self) -> bool {
        self.host.shared.world().exchange.audit().is_ok()
    }

    fn talk<'a>(
        &self,
        mut line: impl Talk,
        mut inlet: mpsc::Receiver<Out>,
        frames: impl IntoIterator<Item = &'a str>,
    ) -> Vec<String> {
        let mut answers = Vec::new();
        let mut drain = |inlet: &mut mpsc::Receiver<Out>| {
            while let Ok(Out::Text(text)) = inlet.try_recv() {
                answers.push(text);
            }
        };
        for frame in frames {
            if !line.hear(frame) {
                break;
            }
            drain(&mut inlet);
        }
        for number in 0..BEATS {
            self.host.shared.world().beat(number);
        }
        drain(&mut inlet);
        answers
    }
}
