//! A client on a bench, and short words for what a case does with it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
    time::Duration,
};

use tranche_model::{
    client_order_id::{ClientOrderId, OrderKey, Origin},
    fill::Fill,
    ids::{BotId, DealNo, Generation, Incarnation, Installation, InstrumentId, Slot},
    instrument::TradingStatus,
    money::{Price, Qty},
    order::{OrderKind, OrderReport, OrderRequest, Side, Size, TimeInForce},
    record::{Answer, Call, Outcome, Refusal},
    time::{Millis, Timestamp},
};
use tranche_venue::{
    catalog::{Catalog, Listed},
    net::clock::{Clock, SystemClock},
    venue::{Report, Venue, VenueAccount},
};

use crate::bench::{Bench, Place, Wiring};

/// Trades at 50000.
pub(crate) const BTC: InstrumentId = InstrumentId::new(0);
/// Trades at 2000.
pub(crate) const ETH: InstrumentId = InstrumentId::new(1);
/// In our catalogue, and not on the exchange.
pub(crate) const NOWHERE: InstrumentId = InstrumentId::new(90);
/// Not even in our catalogue.
pub(crate) const UNNAMED: InstrumentId = InstrumentId::new(91);
pub(crate) const HOUSE: Installation = Installation::new(7);
/// Another copy of the software.
const OTHER_HOUSE: Installation = Installation::new(8);
/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A client that is connected, with its clock measured.
pub(crate) struct Scene {
    pub(crate) bench: Box<dyn Bench>,
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) account: Box<dyn VenueAccount>,
    last_order: AtomicU16,
}

/// The machine's clock, off by as much as a test says.
#[derive(Debug, Default)]
pub(crate) struct Host {
    clock: SystemClock,
    ahead_ms: AtomicI64,
}

impl Host {
    pub(crate) fn set_ahead(&self, ms: i64) {
        self.ahead_ms.store(ms, Ordering::SeqCst);
    }
}

impl Clock for Host {
    fn wall(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(Ordering::SeqCst);
        Timestamp::from_ms(self.clock.wall().ms().saturating_add(ahead))
    }

    fn steady(&self) -> Duration {
        self.clock.steady()
    }
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub(crate) fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

pub(crate) fn limit(at: &str, size: &str) -> OrderKind {
    let time_in_force = TimeInForce::GoodTillCancelled;
    OrderKind::Limit { price: price(at), qty: qty(size), time_in_force }
}

pub(crate) fn market(size: &str) -> OrderKind {
    OrderKind::Market { size: Size::Base(qty(size)) }
}

/// A setting of a client that looks in the right place.
pub(crate) fn wiring() -> Wiring {
    Wiring {
        catalog: Arc::new(Catalog::default()),
        host: Arc::new(Host::default()),
        patience: Duration::from_secs(5),
        place: Place::Right,
    }
}

impl Scene {
    pub(crate) async fn new(bench: Box<dyn Bench>) -> Self {
        let venue = connect(&*bench, wiring());
        venue.sync_clock().await.unwrap();
        let account = venue.account(bench.keys().remove(0), HOUSE).unwrap();
        let scene = Self { bench, venue, account, last_order: AtomicU16::new(0) };
        scene.price("50000");
        scene.bench.trade(ETH, price("2000"), Qty::ZERO);
        scene
    }

    /// Somebody else's hand on the same account.
    pub(crate) fn stranger(&self) -> Box<dyn VenueAccount> {
        self.venue.account(self.bench.keys().remove(0), OTHER_HOUSE).unwrap()
    }

    /// An order as the stranger would send it.
    pub(crate) fn foreign(&self, side: Side, kind: OrderKind) -> OrderRequest {
        let ours = self.order(side, kind);
        let number = ours.client_id.key().generation.get();
        OrderRequest { client_id: id(OTHER_HOUSE, number), ..ours }
    }

    /// BTC trades at this price, as much as anybody likes.
    pub(crate) fn price(&self, at: &str) {
        self.bench.trade(BTC, price(at), Qty::ZERO);
    }

    /// An order of ours that was not sent before.
    pub(crate) fn order(&self, side: Side, kind: OrderKind) -> OrderRequest {
        let number = self.last_order.fetch_add(1, Ordering::SeqCst);
        OrderRequest { client_id: id(HOUSE, number), instrument: BTC, side, kind }
    }

    /// A buy far below the market.
    pub(crate) fn resting(&self) -> OrderRequest {
        self.order(Side::Buy, limit("40000", "0.01"))
    }

    pub(crate) async fn call(&self, call: Call) -> Report {
        self.account.call(call).await
    }

    /// Sends an order that may leave for a while.
    pub(crate) async fn send(&self, request: OrderRequest) -> Outcome {
        self.call(self.placement(request)).await.outcome
    }

    pub(crate) fn placement(&self, request: OrderRequest) -> Call {
        Call::Place { request, send_by: self.venue.now().plus(Millis::from_secs(10)) }
    }

    /// Places an order that is taken.
    pub(crate) async fn place(&self, request: OrderRequest) -> (OrderReport, Vec<Fill>) {
        order_of(self.send(request).await)
    }

    /// Places an order that is not.
    pub(crate) async fn refused(&self, request: OrderRequest) -> Refusal {
        let outcome = self.send(request).await;
        let Outcome::Refused(refusal) = outcome else { panic!("{request:?}: {outcome:?}") };
        refusal
    }

    pub(crate) async fn cancel(&self, client_id: ClientOrderId) -> Outcome {
        self.call(Call::Cancel { client_id, instrument: BTC }).await.outcome
    }

    pub(crate) async fn query(&self, client_id: ClientOrderId) -> Outcome {
        self.call(Call::QueryOrder { client_id, instrument: BTC }).await.outcome
    }

    /// All executions on BTC from `since` on.
    pub(crate) async fn trades(&self, since: Timestamp) -> Vec<Fill> {
        let outcome = self.call(Call::Trades { instrument: BTC, since }).await.outcome;
        let Outcome::Done(Answer::Trades(fills)) = outcome else { panic!("{outcome:?}") };
        fills
    }

    /// Time passes on the exchange, and the client measures it.
    pub(crate) async fn hurry(&self, span: Millis) {
        self.bench.pass(span.ms());
        self.venue.sync_clock().await.unwrap();
    }

    /// Waits until the venue's clock has passed a moment.
    pub(crate) async fn wait_past(&self, moment: Timestamp) {
        while self.venue.now() <= moment {
            let left = moment.since(self.venue.now()).ms();
            tokio::time::sleep(Duration::from_millis(u64::from(left) + 1)).await;
        }
    }
}

/// A client whose catalogue knows the bench's instruments, and one that the exchange does not list.
pub(crate) fn connect(bench: &dyn Bench, wiring: Wiring) -> Arc<dyn Venue> {
    let instruments = bench.instruments();
    let mut nowhere = instruments[0].clone();
    nowhere.id = NOWHERE;
    nowhere.symbol = tranche_model::asset::Symbol::parse("NOSUCH/USDT").unwrap();
    nowhere.status = TradingStatus::Trading;
    for instrument in instruments.into_iter().chain([nowhere]) {
        wiring.catalog.put(Listed { text: bench.text(&instrument), instrument });
    }
    bench.connect(wiring)
}

/// The id of the order with a number, of an installation.
fn id(installation: Installation, number: u16) -> ClientOrderId {
    let origin = Origin { installation, incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(5),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(number),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

/// The order in an answer.
pub(crate) fn order_of(outcome: Outcome) -> (OrderReport, Vec<Fill>) {
    let Outcome::Done(Answer::Order { report, fills }) = outcome else { panic!("{outcome:?}") };
    (report, fills)
}

pub(crate) fn is_not_found(outcome: &Outcome) -> bool {
    *outcome == Outcome::Done(Answer::OrderNotFound)
}

/// Everything that the fills bought or sold.
pub(crate) fn sum(fills: &[Fill]) -> Qty {
    fills.iter().fold(Qty::ZERO, |sum, fill| sum.plus(fill.qty).unwrap())
}
