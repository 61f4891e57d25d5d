//! Listens to a stream: what came, in order, within a bounded time.

use std::fmt;

use tokio::{sync::mpsc, time::timeout};
use tranche_model::{
    client_order_id::ClientOrderId,
    fill::Fill,
    order::{OrderReport, OrderStatus},
    record::PrivateEvent,
};
use tranche_venue::venue::PrivateMessage;

use crate::scene::PATIENCE;

/// A stream and what it has said so far.
pub(crate) struct Ear<T> {
    messages: mpsc::Receiver<T>,
    pub(crate) heard: Vec<T>,
}

impl<T: fmt::Debug> Ear<T> {
    pub(crate) const fn new(messages: mpsc::Receiver<T>) -> Self {
        Self { messages, heard: Vec::new() }
    }

    /// Listens until something fits; everything is kept.
    pub(crate) async fn until(&mut self, what: &str, fits: impl Fn(&T) -> bool) -> &T {
        loop {
            let Ok(message) = timeout(PATIENCE, self.messages.recv()).await else {
                panic!("never heard {what}: {:#?}", self.heard);
            };
            let message = message.unwrap_or_else(|| panic!("the stream ended before {what}"));
            let is_it = fits(&message);
            self.heard.push(message);
            if is_it {
                return self.heard.last().unwrap();
            }
        }
    }

    /// Listens until all that was heard fits.
    pub(crate) async fn until_all(&mut self, what: &str, fits: impl Fn(&[T]) -> bool) {
        while !fits(&self.heard) {
            self.until(what, |_| true).await;
        }
    }
}

impl Ear<PrivateMessage> {
    pub(crate) async fn until_live(&mut self) {
        self.until("live", |message| *message == PrivateMessage::Live).await;
    }

    /// Listens until the order ended.
    pub(crate) async fn until_ended(&mut self, id: ClientOrderId) {
        let is_end = |report: &OrderReport| report.client_id == id && report.status.is_terminal();
        self.until_all("the end of the order", |heard| reports(heard).iter().any(is_end)).await;
    }

    pub(crate) fn fills(&self) -> Vec<Fill> {
        fills(&self.heard)
    }

    pub(crate) fn statuses(&self, id: ClientOrderId) -> Vec<OrderStatus> {
        let mine = reports(&self.heard).into_iter().filter(|report| report.client_id == id);
        mine.map(|report| report.status).collect()
    }
}

pub(crate) fn fills(heard: &[PrivateMessage]) -> Vec<Fill> {
    heard.iter().filter_map(|it| fill_of(it).copied()).collect()
}

pub(crate) fn reports(heard: &[PrivateMessage]) -> Vec<OrderReport> {
    let report = |message: &PrivateMessage| match message {
        PrivateMessage::Event(PrivateEvent::Order(report)) => Some(*report),
        PrivateMessage::Event(PrivateEvent::Fill(_) | PrivateEvent::Balances(_))
        | PrivateMessage::Live
        | PrivateMessage::Lost { .. } => None,
    };
    heard.iter().filter_map(report).collect()
}

pub(crate) fn fill_of(message: &PrivateMessage) -> Option<&Fill> {
    match message {
        PrivateMessage::Event(PrivateEvent::Fill(fill)) => Some(fill),
        PrivateMessage::Event(PrivateEvent::Order(_) | PrivateEvent::Balances(_))
        | PrivateMessage::Live
        | PrivateMessage::Lost { .. } => None,
    }
}
