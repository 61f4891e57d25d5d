//! Paper accounts: the simulated exchange on real prices, behind the same door as a real one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;
use tranche_model::{
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    ids::{AccountId, InstrumentId},
    record::{Call, Outcome},
};
use tranche_sim::exchange::{Exchange, LedgerError};
use tranche_venue::venue::{
    KeyReport, Later, PrivateMessage, ReadError, Report, Venue, VenueAccount,
};

/// How many private messages of an account wait at most. More are a sign that nobody reads: the stream is
/// told to be lost.
const PRIVATES: usize = 4096;

/// One simulated exchange for all paper accounts of a venue. Time comes from the venue whose prices it
/// trades on.
#[derive(Debug)]
pub struct Paper {
    venue: Arc<dyn Venue>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    exchange: Exchange,
    streams: BTreeMap<AccountId, mpsc::Sender<PrivateMessage>>,
}

/// One account's way to it.
#[derive(Debug)]
struct PaperAccount {
    paper: Arc<Paper>,
    account: AccountId,
    fees: FeeRates,
}

impl Paper {
    pub fn new(exchange: Exchange, venue: Arc<dyn Venue>) -> Arc<Self> {
        Arc::new(Self { venue, inner: Mutex::new(Inner { exchange, streams: BTreeMap::new() }) })
    }

    /// Opens an account with a purse.
    pub fn open(
        self: &Arc<Self>,
        account: AccountId,
        (fees, fee_asset): (FeeRates, FeeAsset),
        purse: Vec<Balance>,
    ) -> Result<Box<dyn VenueAccount>, LedgerError> {
        self.locked().exchange.add_account(account, fees, fee_asset, purse)?;
        Ok(Box::new(PaperAccount { paper: Arc::clone(self), account, fees }))
    }

    /// The market traded.
    pub fn tick(&self, tick: &Tick) {
        let mut inner = self.locked();
        inner.exchange.trade(tick);
        inner.tell();
    }

    /// Lets somebody look at the exchange's own books.
    pub fn look<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.locked().exchange)
    }

    fn call(&self, account: AccountId, call: Call) -> Outcome {
        let now = self.venue.now();
        let mut inner = self.locked();
        inner.exchange.submit(account, call, now);
        let replies = inner.exchange.take_replies(now);
        inner.tell();
        let own =
            replies.into_iter().find(|(owner, reply)| *owner == account && reply.call == call);
        own.map_or(Outcome::Unknown, |(_, reply)| reply.outcome)
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands the exchange's news to those who listen.
    fn tell(&mut self) {
        for (account, event) in self.exchange.take_events() {
            if let Some(stream) = self.streams.get(&account)
                && stream.try_send(PrivateMessage::Event(event)).is_err()
            {
                tracing::warn!(%account, "private news of a paper account was not taken in time");
                self.streams.remove(&account);
            }
        }
    }
}

impl VenueAccount for PaperAccount {
    fn call(&self, call: Call) -> Later<'_, Report> {
        Box::pin(async move { Report::bare(self.paper.call(self.account, call)) })
    }

    fn private_stream(&self) -> mpsc::Receiver<PrivateMessage> {
        let (sender, receiver) = mpsc::channel(PRIVATES);
        // The queue is new: there is room.
        drop(sender.try_send(PrivateMessage::Live));
        self.paper.locked().streams.insert(self.account, sender);
        receiver
    }

    fn check_key(&self) -> Later<'_, Result<KeyReport, ReadError>> {
        let report = KeyReport {
            can_trade: true,
            can_withdraw: Some(false),
            is_ip_restricted: None,
            permissions: vec!["paper".to_owned()],
            clock_offset_ms: self.paper.venue.clock_offset_ms(),
        };
        Box::pin(async move { Ok(report) })
    }

    fn fees(&self, _instrument: InstrumentId) -> Later<'_, Result<FeeRates, ReadError>> {
        Box::pin(async move { Ok(self.fees) })
    }
}
