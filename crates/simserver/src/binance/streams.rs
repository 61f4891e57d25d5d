//! Connections to market streams: `/ws/<stream>…`, `/stream?streams=…`, live subscriptions.
//!
//! Binance spot API documents, "WebSocket Streams", "Live Subscribing/Unsubscribing" (2026-07-21).

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    http::Host,
    socket::{self, Socket, Talk},
    world::hub::{ConnectionId, Kind, Out, combined},
};

use super::params::Params;

/// Letters of a request's id.
const ID_MAX: usize = 36;

pub(crate) async fn serve(host: Host, socket: Socket, path: &str, query: &str) {
    let (mut line, ends) = open(&host, path, query);
    socket::run(&host, socket, ends, &mut line).await;
}

/// A connection that is subscribed to what its address names.
pub(crate) fn open(
    host: &Host,
    path: &str,
    query: &str,
) -> (impl Talk + use<>, (ConnectionId, mpsc::Receiver<Out>)) {
    let is_combined = path == "/stream";
    let names = if is_combined {
        let params = Params::of_request(query.as_bytes(), b"").unwrap_or_default();
        params.get("streams").unwrap_or_default().to_owned()
    } else {
        let encoded = path.trim_start_matches("/ws").trim_start_matches('/');
        let params = Params::of_request(format!("streams={encoded}").as_bytes(), b"");
        params.unwrap_or_default().get("streams").unwrap_or_default().to_owned()
    };
    let kind = Kind::Streams { is_combined, names: std::collections::BTreeSet::new() };
    let (id, inlet) = {
        let mut world = host.shared.world();
        let (id, inlet) = world.hub.open(kind);
        for name in names.split('/').filter(|name| !name.is_empty()) {
            world.hub.subscribe(id, name);
        }
        world.close_candles();
        (id, inlet)
    };
    (Line { host: host.clone(), id, second: 0, heard: 0 }, (id, inlet))
}

/// One client on the market streams.
struct Line {
    host: Host,
    id: ConnectionId,
    second: i64,
    /// Messages in this second.
    heard: u32,
}

impl Talk for Line {
    fn hear(&mut self, text: &str) -> bool {
        let mut world = self.host.shared.world();
        let second = world.now().ms().div_euclid(1000);
        if second != self.second {
            (self.second, self.heard) = (second, 0);
        }
        self.heard = self.heard.saturating_add(1);
        let lives = self.host.shared.connections;
        if lives.messages_per_second < self.heard {
            return false;
        }
        let request = Request::read(text);
        let answer = request.and_then(|request| {
            let names = request.params.len();
            let more = world.hub.count_with(self.id, &request.params);
            if request.method == "SUBSCRIBE" && lives.streams_max < more {
                return Err(format!("too many streams ({names} more)"));
            }
            let result = request.carry_out(&mut world.hub, self.id)?;
            Ok(json!({"result": result, "id": request.id}))
        });
        let answer = answer
            .unwrap_or_else(|what| json!({"code": 2, "msg": format!("Invalid request: {what}")}));
        world.close_candles();
        world.hub.send(self.id, answer.to_string());
        true
    }

    fn shutdown_notice(&mut self) -> String {
        let mut world = self.host.shared.world();
        let event = json!({"e": "serverShutdown", "E": world.now().ms()}).to_string();
        if world.hub.is_combined(self.id) { combined("!serverShutdown", &event) } else { event }
    }
}

struct Request {
    id: Value,
    method: String,
    params: Vec<String>,
    property: Option<bool>,
}

impl Request {
    fn read(text: &str) -> Result<Self, String> {
        let frame: Value = serde_json::from_str(text).map_err(|_| "not JSON".to_owned())?;
        let method = frame.get("method").and_then(Value::as_str).ok_or("missing field `method`")?;
        let id = frame.get("id").cloned().unwrap_or(Value::Null);
        if !is_id(&id) {
            return Err("request ID must be an unsigned integer or a short text".to_owned());
        }
        let list = frame.get("params").and_then(Value::as_array).cloned().unwrap_or_default();
        let property = list.get(1).and_then(Value::as_bool);
        let params = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { id, method: method.to_owned(), params, property })
    }

    fn carry_out(
        &self,
        hub: &mut crate::world::hub::Hub,
        id: ConnectionId,
    ) -> Result<Value, String> {
        match self.method.as_str() {
            "SUBSCRIBE" => self.params.iter().for_each(|name| hub.subscribe(id, name)),
            "UNSUBSCRIBE" => self.params.iter().for_each(|name| hub.unsubscribe(id, name)),
            "LIST_SUBSCRIPTIONS" => return Ok(hub.names(id).into()),
            "GET_PROPERTY" => return Ok(hub.is_combined(id).into()),
            "SET_PROPERTY" => match (self.params.first().map(String::as_str), self.property) {
                (Some("combined"), Some(on)) => hub.set_combined(id, on),
                _ => return Err("unknown property".to_owned()),
            },
            method => return Err(format!("unknown method `{method}`")),
        }
        Ok(Value::Null)
    }
}

/// An integer, a short text of letters and digits, or nothing. Dashes are what the stock clients' own
/// ids (UUIDs) have.
pub(super) fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => {
            let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            text.len() <= ID_MAX && text.bytes().all(is_legal)
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}
