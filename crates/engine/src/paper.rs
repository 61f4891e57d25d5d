//! Paper accounts: the simulated exchange on real prices, behind the same door as a real one.

mod coin;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;
use tranche_model::{
    asset::Asset,
    balance::{Balance, FeeAsset, FeeRates},
    candle::Tick,
    ids::{AccountId, InstrumentId},
    instrument::Instrument,
    money::Price,
    order::OrderRequest,
    record::{Call, Outcome, PrivateEvent, Snapshot},
    time::{Millis, Timestamp},
};
use tranche_sim::exchange::{Exchange, LedgerError};
use tranche_trading::{
    codec::{self, CodecError},
    order::{Order, Stage},
};
use tranche_venue::venue::{
    KeyReport, Later, PrivateMessage, ReadError, Report, Venue, VenueAccount,
};

use self::coin::Coins;

/// How many private messages of an account wait at most. More are a sign that nobody reads: the stream is
/// told to be lost.
const PRIVATES: usize = 4096;

/// What ended longer ago than this is forgotten, as exchanges do one day. Accounts hear of it at once, and
/// read what they missed whenever their stream comes back.
const REMEMBERS: Millis = Millis::from_secs(86_400);
const FORGETS_EVERY: Millis = Millis::from_secs(3600);

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
    forgets_at: Timestamp,
    accounts: BTreeSet<AccountId>,
    coins: Coins,
    streams: BTreeMap<AccountId, mpsc::Sender<PrivateMessage>>,
    /// For an engine, which takes all news itself and in order; streams only say that they are up.
    news: Option<Vec<(AccountId, PrivateEvent)>>,
}

/// Why a paper account cannot go on from what was committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeOverError {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// One account's way to it.
#[derive(Debug)]
struct PaperAccount {
    paper: Arc<Paper>,
    account: AccountId,
    fees: FeeRates,
}

impl Paper {
    pub fn new(mut exchange: Exchange, venue: Arc<dyn Venue>) -> Arc<Self> {
        // Fewer than a thousand trades in a millisecond: those of a former life have lower numbers.
        let passed = u64::try_from(venue.now().ms()).unwrap_or_default();
        exchange.number_above(passed.saturating_mul(1000));
        let inner = Inner {
            exchange,
            forgets_at: Timestamp::MIN,
            accounts: BTreeSet::new(),
            coins: Coins::new(),
            streams: BTreeMap::new(),
            news: None,
        };
        Arc::new(Self { venue, inner: Mutex::new(inner) })
    }

    /// Opens an account with a purse.
    pub fn open(
        self: &Arc<Self>,
        account: AccountId,
        (fees, fee_asset): (FeeRates, FeeAsset),
        purse: Vec<Balance>,
    ) -> Result<Box<dyn VenueAccount>, LedgerError> {
        let mut inner = self.locked();
        inner.exchange.add_account(account, fees, fee_asset, purse)?;
        inner.accounts.insert(account);
        let coin = match fee_asset {
            FeeAsset::Third(coin) => Some(coin),
            FeeAsset::Received | FeeAsset::Quote => None,
        };
        inner.coins.set(account, coin);
        drop(inner);
        Ok(Box::new(PaperAccount { paper: Arc::clone(self), account, fees }))
    }

    /// An account is loaded by a new owner: the exchange that it traded on is gone with the process that ran
    /// it, and is made again from what was committed. It holds what the books say, and orders that rested
    /// rest; an order that was on its way has not arrived, and what was traded and not booked was not.
    pub(crate) fn take_over(
        &self,
        account: AccountId,
        snapshot: &Snapshot,
    ) -> Result<(), TakeOverError> {
        if snapshot.account.is_empty() {
            return Ok(());
        }
        let desk = codec::decode_desk(&snapshot.account)?;
        if !desk.ledger.is_open() {
            return Ok(());
        }
        let now = self.venue.now();
        let mut inner = self.locked();
        inner.tell();
        let exchange = &mut inner.exchange;
        exchange.empty_account(account, now)?;
        let holdings = desk.ledger.totals().filter(|(_, total)| total.is_positive());
        for (asset, total) in holdings {
            exchange.deposit(account, asset, total)?;
        }
        for (_, body) in &snapshot.bots {
            let bot = codec::decode_bot(body)?;
            for lane in &bot.lanes {
                let resting = lane.orders().filter(|(_, order)| rests(order));
                for (_, order) in resting {
                    let request = OrderRequest {
                        client_id: order.client_id,
                        instrument: lane.instrument,
                        side: order.side,
                        kind: order.kind,
                    };
                    if let Err(refusal) = exchange.place(account, &request, now) {
                        // The account asks for it, and learns that it is gone.
                        tracing::warn!(%account, order = %order.client_id, text = refusal.text,
                            "a resting order of a paper account could not be put back");
                    }
                }
            }
        }
        // Nobody has to be told of what stands already.
        inner.exchange.take_events().clear();
        Ok(())
    }

    /// The market traded.
    pub fn tick(&self, tick: &Tick) {
        let mut inner = self.locked();
        inner.note_rate(tick);
        inner.exchange.trade(tick);
        inner.forget(tick.at);
        inner.tell();
    }

    /// The rules of an instrument changed, or it is the next new one.
    pub(crate) fn rules(&self, instrument: &Instrument) {
        let now = self.venue.now();
        let mut inner = self.locked();
        let is_known = inner.exchange.replace_instrument(instrument.clone(), now);
        if !is_known && !inner.exchange.add_instrument(instrument.clone()) {
            tracing::error!(symbol = %instrument.symbol, "an instrument stands at another place");
        }
        inner.tell();
    }

    /// Whether any account pays in a third coin, so that prices of it are wanted.
    pub(crate) fn pays_in_third_coins(&self) -> bool {
        !self.locked().coins.is_empty()
    }

    /// What one unit of a third coin is worth: fees in it are taken at this from now on.
    pub(crate) fn rate(&self, (coin, quote): (Asset, Asset), price: Price) {
        self.locked().set_rate((coin, quote), price);
    }

    /// From now on an engine takes the news, and hears of a fill before it sees the tick that made it.
    pub(crate) fn tell_engine(&self) {
        self.locked().news.get_or_insert_default();
    }

    /// What was not told yet.
    pub(crate) fn take_news(&self) -> Vec<(AccountId, PrivateEvent)> {
        self.locked().news.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Lets somebody look at the exchange's own books.
    pub fn look<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.locked().exchange)
    }

    /// Whether the account trades here.
    pub(crate) fn has(&self, account: AccountId) -> bool {
        self.locked().accounts.contains(&account)
    }

    /// The first order on a pair waits a moment for the price of the coin that pays its fee.
    async fn await_rate(&self, account: AccountId, instrument: InstrumentId) {
        let lacks = {
            let inner = self.locked();
            let symbol = inner.exchange.instruments().get(instrument).map(|it| it.symbol);
            symbol.and_then(|symbol| inner.coins.lacks(account, symbol))
        };
        if let Some(mut wait) = lacks {
            let pair = wait.pair;
            if !wait.is_over().await {
                self.locked().coins.missed(pair);
            }
        }
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

/// Whether the order rested whole. Of one that was traded in part the rest is gone.
fn rests(order: &Order) -> bool {
    order.stage == Stage::Open && order.kind.rests() && order.executed().is_zero()
}

impl Inner {
    /// The coin that pays may be traded itself.
    fn note_rate(&mut self, tick: &Tick) {
        let symbol = self.exchange.instruments().get(tick.instrument).map(|it| it.symbol);
        if let Some(symbol) = symbol.filter(|symbol| self.coins.has(symbol.base)) {
            self.set_rate((symbol.base, symbol.quote), tick.price);
        }
    }

    fn set_rate(&mut self, (coin, quote): (Asset, Asset), price: Price) {
        if price.is_positive() {
            self.exchange.set_rate(coin, quote, price);
            self.coins.price_is_known((coin, quote));
        }
    }

    fn look_at_fees(&mut self, events: &[(AccountId, PrivateEvent)]) {
        if self.coins.is_empty() {
            return;
        }
        for (account, event) in events {
            if let PrivateEvent::Fill(fill) = event
                && let Some(instrument) = self.exchange.instruments().get(fill.instrument)
            {
                self.coins.look_at(*account, fill, instrument.symbol);
            }
        }
    }

    /// Now and then, so that memory does not grow with the time that a process runs.
    fn forget(&mut self, now: Timestamp) {
        if self.forgets_at <= now {
            self.forgets_at = now.plus(FORGETS_EVERY);
            self.exchange.forget_closed_before(now.minus(REMEMBERS));
        }
    }

    /// Hands the exchange's news to those who listen.
    fn tell(&mut self) {
        let events = self.exchange.take_events();
        self.look_at_fees(&events);
        if let Some(news) = &mut self.news {
            news.extend(events);
            return;
        }
        for (account, event) in events {
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
        Box::pin(async move {
            if let Call::Place { request, .. } = call {
                self.paper.await_rate(self.account, request.instrument).await;
            }
            Report::bare(self.paper.call(self.account, call))
        })
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
