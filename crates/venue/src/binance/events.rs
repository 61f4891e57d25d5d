//! Frames of the private streams, and what one account's share of them is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::{sync::mpsc, time::Instant};
use tranche_model::{
    client_order_id::ClientOrderId,
    ids::{InstrumentId, VenueOrderId},
    record::PrivateEvent,
    time::Timestamp,
};

use super::{
    parse::{self, Mark, Unreadable},
    refusal::{self, Word},
    rest::Pen,
    user_stream::Subscriber,
    wire,
};
use crate::{
    catalog::Catalog,
    net::relay::LineNo,
    venue::{LostReason, PrivateMessage},
};

/// A frame as we understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// An answer to a subscription: its number, or why not.
    Answer {
        id: u64,
        result: Result<u64, Word>,
    },
    /// An event, still in the exchange's words.
    Event {
        subscription: u64,
        text: String,
    },
    /// The exchange ended the subscription.
    Ended {
        subscription: u64,
    },
    /// The connection is about to end.
    Shutdown,
    Other,
}

/// What an event says, and of which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Private {
    pub(super) mark: Mark,
    pub(super) order: Option<(InstrumentId, VenueOrderId, Option<ClientOrderId>)>,
    pub(super) events: Vec<PrivateEvent>,
}

/// How an account stands on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Asked { id: u64, until: Instant },
    Active(u64),
    Refused { until: Instant },
}

/// One account on the connection.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) subscriber: Subscriber,
    pub(super) out: mpsc::Sender<PrivateMessage>,
    pub(super) standings: BTreeMap<LineNo, Standing>,
    pub(super) is_live: bool,
    pub(super) recent: Recent,
    /// Messages were thrown away for want of room.
    is_overrun: bool,
}

/// Marks of the latest events: two connections tell the same for a while.
#[derive(Debug, Default)]
pub(super) struct Recent {
    marks: BTreeSet<Mark>,
    order: VecDeque<Mark>,
}

/// Reads a frame. A wait of which the exchange does not say the end has one in the past.
pub(super) fn read(text: &str) -> Result<Frame, Unreadable> {
    let row: wire::ApiFrame<'_> = serde_json::from_str(text)?;
    if let Some(raw) = row.event {
        let name = serde_json::from_str::<wire::EventName<'_>>(raw.get())?.name;
        return Ok(match (name.as_ref(), row.subscription_id) {
            ("serverShutdown", _) => Frame::Shutdown,
            ("eventStreamTerminated", Some(subscription)) => Frame::Ended { subscription },
            ("executionReport" | "outboundAccountPosition", Some(subscription)) => {
                Frame::Event { subscription, text: raw.get().to_owned() }
            }
            _ => Frame::Other,
        });
    }
    let Some(id) = row.id else { return Ok(Frame::Other) };
    let subscription = row.result.and_then(|result| result.subscription_id);
    let status = row.status.unwrap_or_default();
    let result = match (subscription, row.error) {
        (Some(subscription), _) => Ok(subscription),
        (None, Some(error)) => Err(refusal::of_error(status, &error, None, Timestamp::from_ms(0))),
        (None, None) => Err(Word::Unknown { status }),
    };
    Ok(Frame::Answer { id, result })
}

/// What an event says to this account. `None` for an instrument that has no name here.
pub(super) fn private(
    text: &str,
    member: &Member,
    catalog: &Catalog,
) -> Result<Option<Private>, Unreadable> {
    private_of(text, member.subscriber.installation, catalog)
}

pub(super) fn private_of(
    text: &str,
    installation: tranche_model::ids::Installation,
    catalog: &Catalog,
) -> Result<Option<Private>, Unreadable> {
    let name = serde_json::from_str::<wire::EventName<'_>>(text)?.name;
    match name.as_ref() {
        "executionReport" => {
            let row: wire::ExecutionReport<'_> = serde_json::from_str(text)?;
            let Some(listed) = catalog.find(&row.symbol) else { return Ok(None) };
            parse::execution(&row, &listed, installation).map(Some)
        }
        "outboundAccountPosition" => {
            let row: wire::AccountPosition<'_> = serde_json::from_str(text)?;
            parse::position(&row).map(Some)
        }
        _ => Ok(None),
    }
}

/// A request for the events of a key ("Subscribe to User Data Stream through signature").
pub(super) fn subscribe(id: u64, pen: &Pen, stamp: Timestamp) -> Option<String> {
    let mut params = BTreeMap::from([
        ("apiKey", pen.key.expose().to_owned()),
        ("recvWindow", "5000".to_owned()),
        ("timestamp", stamp.ms().to_string()),
    ]);
    let signature = pen.signer.sign_sorted(&params)?;
    let text = serde_json::json!({
        "id": id,
        "method": "userDataStream.subscribe.signature",
        "params": {
            "apiKey": params.remove("apiKey"),
            "recvWindow": 5000,
            "timestamp": stamp.ms(),
            "signature": signature,
        },
    });
    Some(text.to_string())
}

pub(super) fn unsubscribe(id: u64, subscription: u64) -> String {
    serde_json::json!({
        "id": id,
        "method": "userDataStream.unsubscribe",
        "params": { "subscriptionId": subscription },
    })
    .to_string()
}

impl Member {
    pub(super) fn new(subscriber: Subscriber, out: mpsc::Sender<PrivateMessage>) -> Self {
        Self {
            subscriber,
            out,
            standings: BTreeMap::new(),
            is_live: false,
            recent: Recent::default(),
            is_overrun: false,
        }
    }

    /// Never waits: one account that does not listen must not hold up the others.
    pub(super) fn tell(&mut self, message: PrivateMessage) {
        if !self.is_overrun && self.out.try_send(message).is_err() {
            self.is_overrun = true;
        }
    }

    /// Says that something was thrown away, once there is room again.
    pub(super) fn tell_overrun(&mut self, most: usize) {
        if !self.is_overrun || self.out.capacity() < most / 2 {
            return;
        }
        self.is_overrun = false;
        self.tell(PrivateMessage::Lost { reason: LostReason::Overrun });
        if self.is_live {
            self.tell(PrivateMessage::Live);
        }
    }

    pub(super) fn come_alive(&mut self) {
        if !self.is_live {
            self.is_live = true;
            self.tell(PrivateMessage::Live);
        }
    }

    pub(super) fn lose(&mut self, reason: LostReason) {
        if self.is_live {
            self.is_live = false;
            self.tell(PrivateMessage::Lost { reason });
        }
    }

    pub(super) fn has_to_ask(&self, line: LineNo, now: Instant) -> bool {
        match self.standings.get(&line) {
            None => true,
            Some(Standing::Refused { until }) => *until <= now,
            Some(Standing::Asked { .. } | Standing::Active(_)) => false,
        }
    }

    /// Whether the exchange has answered on the line, either way.
    pub(super) fn is_settled(&self, line: LineNo) -> bool {
        match self.standings.get(&line) {
            Some(Standing::Active(_) | Standing::Refused { .. }) => true,
            Some(Standing::Asked { .. }) | None => false,
        }
    }

    /// When something is due on the line.
    pub(super) fn due(&self, line: LineNo, now: Instant) -> Option<Instant> {
        match self.standings.get(&line)? {
            Standing::Asked { until, .. } => Some(*until),
            Standing::Refused { until } => Some(*until).filter(|until| now < *until),
            Standing::Active(_) => None,
        }
    }
}

impl Recent {
    const MARKS_MAX: usize = 2048;

    /// Whether the event was not told before.
    pub(super) fn is_new(&mut self, mark: Mark) -> bool {
        if !self.marks.insert(mark.clone()) {
            return false;
        }
        self.order.push_back(mark);
        if Self::MARKS_MAX < self.order.len()
            && let Some(oldest) = self.order.pop_front()
        {
            self.marks.remove(&oldest);
        }
        true
    }
}
