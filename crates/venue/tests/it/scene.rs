//! A client with a clock that stands still, two instruments and short limits.

use std::{sync::Arc, time::Duration};

use tranche_model::{
    asset::Symbol,
    client_order_id::{ClientOrderId, OrderKey, Origin},
    ids::{BotId, DealNo, Generation, Incarnation, Installation, InstrumentId, Slot},
    instrument::Instrument,
    money::{Price, Qty},
    order::{OrderKind, OrderRequest, Side, TimeInForce},
    record::Call,
    time::{Millis, Timestamp},
};
use tranche_venue::{
    address::Address,
    binance::{Binance, Settings, TESTNET},
    catalog::{Catalog, Listed},
    net::{
        clock::Clock, http::HttpLimits, reconnect::BackoffLimits, relay::RelayLimits,
        socket::SocketLimits,
    },
    secret::{ApiKey, ApiSecret, Credentials},
    venue::{Venue as _, VenueAccount},
};

use crate::http_peer::{HttpPeer, Reply, Request, answer};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_795_000_003_000);
pub(crate) const BTC: InstrumentId = InstrumentId::new(0);
pub(crate) const HOUSE: Installation = Installation::new(7);

/// A clock that stands.
#[derive(Debug)]
pub(crate) struct Still;

impl Clock for Still {
    fn wall(&self) -> Timestamp {
        NOW
    }

    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Settings for peers on this machine; port 1 is where nobody listens.
pub(crate) fn settings(http: u16, socket: u16) -> Settings {
    Settings {
        rest: Address::http(&format!("http://127.0.0.1:{http}"), false).unwrap(),
        market_socket: Address::socket(&format!("ws://127.0.0.1:{socket}"), false).unwrap(),
        api_socket: Address::socket(&format!("ws://127.0.0.1:{socket}/ws-api/v3"), false).unwrap(),
        http: HttpLimits { total: ms(400), ..HttpLimits::default() },
        relay: RelayLimits {
            socket: SocketLimits { silence: ms(300), pong: ms(200), ..SocketLimits::default() },
            overlap: ms(150),
            ..RelayLimits::default()
        },
        backoff: BackoffLimits { first: ms(20), most: ms(100) },
        ..TESTNET.settings().unwrap()
    }
}

pub(crate) fn start(settings: Settings) -> Binance {
    let listed = |id, text: &str, symbol| {
        let symbol = Symbol::parse(symbol).unwrap();
        let instrument = Instrument::new(InstrumentId::new(id), symbol, Vec::new());
        Listed { text: text.to_owned(), instrument }
    };
    let catalog =
        Catalog::new([listed(0, "BTCUSDT", "BTC/USDT"), listed(1, "ETHUSDT", "ETH/USDT")]);
    Binance::start(settings, Arc::new(catalog), Arc::new(Still)).unwrap()
}

pub(crate) fn account(binance: &Binance, key: &str) -> Box<dyn VenueAccount> {
    let credentials = Credentials {
        name: "test".to_owned(),
        key: ApiKey::new(key).unwrap(),
        secret: ApiSecret::new("secret".to_owned()).unwrap(),
    };
    binance.account(credentials, HOUSE).unwrap()
}

/// A peer that knows the time and answers everything else with `reply`.
pub(crate) async fn exchange(
    reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> HttpPeer {
    HttpPeer::start(move |request| match request.path.as_str() {
        "/api/v3/time" => answer(200, format!(r#"{{"serverTime":{}}}"#, NOW.ms())),
        _ => reply(request),
    })
    .await
}

pub(crate) fn own_id(generation: u16) -> ClientOrderId {
    let origin = Origin { installation: HOUSE, incarnation: Incarnation::new(1) };
    let key = OrderKey {
        bot: BotId::new(5),
        deal: DealNo::new(1),
        slot: Slot::BASE,
        generation: Generation::new(generation),
    };
    ClientOrderId::pack(origin, key).unwrap()
}

/// A limit order that may leave for three more seconds.
pub(crate) fn place() -> Call {
    let request = OrderRequest {
        client_id: own_id(0),
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Limit {
            price: Price::parse("48000").unwrap(),
            qty: Qty::parse("0.0021").unwrap(),
            time_in_force: TimeInForce::GoodTillCancelled,
        },
    };
    Call::Place { request, send_by: NOW.plus(Millis::from_secs(2)) }
}

/// An order of ours in the exchange's words.
pub(crate) fn order_row(number: u64, generation: u16) -> String {
    let id = own_id(generation);
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":{number},"clientOrderId":"{id}","transactTime":1795000000123,"updateTime":1795000000123,"price":"48000.00","origQty":"0.0021","executedQty":"0.00","cummulativeQuoteQty":"0.00","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[]}}"#
    )
}
