//! Streams that break, fall silent, end and are replaced.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tranche_model::record::{PrivateEvent, RefusalReason};
use tranche_venue::{
    binance::Settings,
    net::socket::SocketFault,
    venue::{
        GapReason, LostReason, Market, MarketEvent, PrivateMessage, Topic, Venue as _, Watched,
    },
};

use crate::{
    scene::{BTC, account, ms, own_id, settings, start},
    socket_peer::{Act, SocketPeer, yes},
};

/// More than any of these tests needs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn next<T>(events: &mut mpsc::Receiver<T>) -> T {
    timeout(PATIENCE, events.recv()).await.unwrap().unwrap()
}

/// Waits until the peer has seen that many connections.
async fn opened(peer: &SocketPeer, count: usize) {
    for _ in 0..1000 {
        if count <= peer.opened() {
            return;
        }
        tokio::time::sleep(ms(10)).await;
    }
    panic!("{} connections, not {count}", peer.opened());
}

fn trades_of_btc() -> Watched {
    Watched::from([(BTC, Topic::Trades)])
}

fn trade(id: u64) -> Act {
    Act::Say(format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"50000.00","q":"0.1","T":1,"m":true,"M":true}}}}"#
    ))
}

/// A client whose trades of BTC are live.
async fn live(settings: Settings) -> (tranche_venue::binance::Binance, Market) {
    let binance = start(settings);
    let mut market = binance.market();
    market.control.watch(trades_of_btc()).unwrap();
    assert_eq!(next(&mut market.events).await, MarketEvent::Live(vec![BTC]));
    (binance, market)
}

fn trade_id(event: &MarketEvent) -> u128 {
    let MarketEvent::Trade { trade_id, .. } = event else { panic!("{event:?}") };
    trade_id.get()
}

#[tokio::test]
async fn what_is_watched_is_subscribed_and_can_change() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;

    peer.act(trade(7));
    assert_eq!(trade_id(&next(&mut market.events).await), 7);
    peer.act(trade(7));
    peer.act(trade(8));
    assert_eq!(trade_id(&next(&mut market.events).await), 8);

    market.control.watch(Watched::from([(BTC, Topic::Trades), (BTC, Topic::Best)])).unwrap();
    assert_eq!(next(&mut market.events).await, MarketEvent::Live(vec![BTC]));
    market.control.watch(Watched::from([(BTC, Topic::Best)])).unwrap();
    for _ in 0..500 {
        if peer.heard().len() == 3 {
            break;
        }
        tokio::time::sleep(ms(10)).await;
    }
    let asked: Vec<_> =
        peer.heard().iter().map(|it| (it["method"].clone(), it["params"].clone())).collect();
    let wanted = [
        (json!("SUBSCRIBE"), json!(["btcusdt@trade"])),
        (json!("SUBSCRIBE"), json!(["btcusdt@bookTicker"])),
        (json!("UNSUBSCRIBE"), json!(["btcusdt@trade"])),
    ];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn a_broken_stream_is_a_gap_until_it_is_live_again() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;

    peer.act(Act::HangUp);

    let event = next(&mut market.events).await;
    let is_gap = matches!(&event, MarketEvent::Gap { instruments, reason: GapReason::Connection(_) }
        if *instruments == [BTC]);
    assert!(is_gap, "{event:?}");
    assert_eq!(next(&mut market.events).await, MarketEvent::Live(vec![BTC]));
    peer.act(trade(9));
    assert_eq!(trade_id(&next(&mut market.events).await), 9);
}

#[tokio::test]
async fn a_deaf_stream_is_noticed() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;

    peer.act(Act::GoDeaf);

    let reason = GapReason::Connection(SocketFault::Deaf);
    let gap = MarketEvent::Gap { instruments: vec![BTC], reason };
    assert_eq!(next(&mut market.events).await, gap);
    assert_eq!(next(&mut market.events).await, MarketEvent::Live(vec![BTC]));
}

#[tokio::test]
async fn a_silent_stream_that_answers_pings_is_alive() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;

    tokio::time::sleep(ms(1200)).await;
    peer.act(trade(3));

    assert_eq!(trade_id(&next(&mut market.events).await), 3);
    assert_eq!(peer.opened(), 1);
}

#[tokio::test]
async fn nothing_is_missing_when_a_stream_is_replaced() {
    let peer = SocketPeer::start(yes).await;
    let mut settings = settings(1, peer.port);
    settings.relay.rotate_after = ms(500);
    let (_binance, mut market) = live(settings).await;

    let mut told = Vec::new();
    for id in 1..=600 {
        peer.act(trade(id));
        tokio::time::sleep(ms(4)).await;
        while let Ok(event) = market.events.try_recv() {
            told.push(trade_id(&event));
        }
    }
    while told.last() != Some(&600) {
        told.push(trade_id(&next(&mut market.events).await));
    }

    assert_eq!(told, (1..=600).collect::<Vec<u128>>());
    assert!(3 <= peer.opened(), "{}", peer.opened());
}

/// Waits until the peer has heard that many requests.
async fn heard(peer: &SocketPeer, count: usize) {
    for _ in 0..1000 {
        if count <= peer.heard().len() {
            return;
        }
        tokio::time::sleep(ms(10)).await;
    }
    panic!("{} requests, not {count}", peer.heard().len());
}

fn on(connection: usize, act: Act) -> Act {
    let Act::Say(text) = act else { panic!("{act:?}") };
    Act::SayOn(connection, text)
}

#[tokio::test]
async fn what_only_the_new_stream_heard_is_told_after_it_took_over() {
    let peer = SocketPeer::start(yes).await;
    let mut settings = settings(1, peer.port);
    settings.relay.overlap = ms(1000);
    let (_binance, mut market) = live(settings).await;
    peer.act(on(1, Act::Say(r#"{"e":"serverShutdown","E":1}"#.to_owned())));
    heard(&peer, 2).await;

    peer.act(on(2, trade(5)));
    peer.act(on(2, trade(6)));
    tokio::time::sleep(ms(100)).await;
    peer.act(on(1, trade(4)));
    peer.act(on(1, trade(5)));

    for id in 4..=6 {
        assert_eq!(trade_id(&next(&mut market.events).await), id);
    }
    peer.act(trade(7));
    assert_eq!(trade_id(&next(&mut market.events).await), 7);
}

#[tokio::test]
async fn what_only_the_new_private_stream_heard_is_told_after_it_took_over() {
    let peer = SocketPeer::start(numbers()).await;
    let mut settings = settings(1, peer.port);
    settings.relay.overlap = ms(1000);
    let binance = start(settings);
    let mut stream = account(&binance, "first").private_stream();
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);
    peer.act(on(1, Act::Say(r#"{"event":{"e":"serverShutdown","E":1}}"#.to_owned())));
    heard(&peer, 2).await;
    tokio::time::sleep(ms(100)).await;

    peer.act(on(2, filled(0, 5)));
    peer.act(on(2, filled(0, 6)));
    tokio::time::sleep(ms(100)).await;
    peer.act(on(1, filled(0, 4)));
    peer.act(on(1, filled(0, 5)));

    for id in 4..=6 {
        assert_eq!(fill(&mut stream).await, id);
    }
}

#[tokio::test]
async fn a_new_stream_that_is_ready_covers_for_one_that_breaks() {
    let peer = SocketPeer::start(yes).await;
    let mut settings = settings(1, peer.port);
    settings.relay.overlap = ms(8000);
    let (_binance, mut market) = live(settings).await;
    peer.act(on(1, Act::Say(r#"{"e":"serverShutdown","E":1}"#.to_owned())));
    heard(&peer, 2).await;
    tokio::time::sleep(ms(100)).await;

    peer.act(on(2, trade(5)));
    tokio::time::sleep(ms(100)).await;
    peer.act(Act::HangUpOn(1));

    assert_eq!(trade_id(&next(&mut market.events).await), 5);
    peer.act(trade(6));
    assert_eq!(trade_id(&next(&mut market.events).await), 6);
}

#[tokio::test]
async fn an_announced_shutdown_is_no_gap() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;

    peer.act(Act::Say(r#"{"e":"serverShutdown","E":1}"#.to_owned()));
    opened(&peer, 2).await;
    tokio::time::sleep(ms(600)).await;
    peer.act(trade(5));

    assert_eq!(trade_id(&next(&mut market.events).await), 5);
}

#[tokio::test]
async fn a_subscription_that_is_not_acknowledged_is_never_live() {
    let peer = SocketPeer::start(|_| None).await;
    let mut settings = settings(1, peer.port);
    settings.relay.ready_within = ms(300);
    let binance = start(settings);
    let mut market = binance.market();
    market.control.watch(trades_of_btc()).unwrap();

    opened(&peer, 3).await;

    assert!(market.events.try_recv().is_err());
}

#[tokio::test]
async fn a_refused_subscription_is_told() {
    let refuse = |frame: &Value| {
        Some(json!({ "error": { "code": 2, "msg": "Invalid request" }, "id": frame["id"] }))
    };
    let peer = SocketPeer::start(refuse).await;
    let binance = start(settings(1, peer.port));
    let mut market = binance.market();
    market.control.watch(trades_of_btc()).unwrap();

    let gap = MarketEvent::Gap { instruments: vec![BTC], reason: GapReason::Refused };
    assert_eq!(next(&mut market.events).await, gap);
}

#[tokio::test]
async fn an_address_without_a_socket_is_a_gap_and_tried_again() {
    let binance = start(settings(1, 1));
    let mut market = binance.market();
    market.control.watch(trades_of_btc()).unwrap();
    for _ in 0..2 {
        let event = next(&mut market.events).await;
        let is_refused = matches!(
            event,
            MarketEvent::Gap { reason: GapReason::Connection(SocketFault::Connect(_)), .. }
        );
        assert!(is_refused, "{event:?}");
    }
}

#[tokio::test]
async fn events_that_nobody_takes_are_a_gap() {
    let peer = SocketPeer::start(yes).await;
    let (_binance, mut market) = live(settings(1, peer.port)).await;
    for id in 1..=10_000 {
        peer.act(trade(id));
        if id % 500 == 0 {
            tokio::time::sleep(ms(30)).await;
        }
    }
    tokio::time::sleep(ms(300)).await;

    let mut last = 0;
    let gap = loop {
        let event = next(&mut market.events).await;
        let MarketEvent::Trade { trade_id, .. } = event else { break event };
        last = trade_id.get();
    };

    let overrun = MarketEvent::Gap { instruments: vec![BTC], reason: GapReason::Overrun };
    assert_eq!(gap, overrun);
    assert!(last < 10_000);
    assert_eq!(next(&mut market.events).await, MarketEvent::Live(vec![BTC]));
}

/// Gives each key a number, the same on every connection.
fn numbers() -> impl Fn(&Value) -> Option<Value> + Send + Sync {
    let (known, last) = (Mutex::new(BTreeMap::new()), AtomicU64::new(0));
    move |frame| {
        if frame["method"] != "userDataStream.subscribe.signature" {
            return None;
        }
        let key = frame["params"]["apiKey"].as_str()?.to_owned();
        assert_eq!(frame["params"]["signature"].as_str()?.len(), 64);
        if key == "bad" {
            let error = json!({ "code": -2015, "msg": "Invalid API-key." });
            return Some(json!({ "id": frame["id"], "status": 401, "error": error }));
        }
        let mut known = known.lock().unwrap();
        let number = *known.entry(key).or_insert_with(|| last.fetch_add(1, Ordering::SeqCst));
        let result = json!({ "subscriptionId": number });
        Some(json!({ "id": frame["id"], "status": 200, "result": result, "rateLimits": [] }))
    }
}

fn filled(subscription: u64, trade: u64) -> Act {
    let id = own_id(0);
    Act::Say(format!(
        r#"{{"subscriptionId":{subscription},"event":{{"e":"executionReport","E":{trade},"s":"BTCUSDT","c":"{id}","S":"BUY","o":"LIMIT","f":"GTC","q":"1000","p":"50000","C":"","x":"TRADE","X":"PARTIALLY_FILLED","i":7,"l":"0.001","z":"0.001","L":"50000","n":"0","N":null,"T":{trade},"t":{trade},"I":{trade},"m":true,"Z":"50","Y":"50","Q":"0"}}}}"#
    ))
}

/// The fill of the next message; its order report is taken out as well.
async fn fill(stream: &mut mpsc::Receiver<PrivateMessage>) -> u128 {
    let message = next(stream).await;
    let PrivateMessage::Event(PrivateEvent::Fill(fill)) = message else { panic!("{message:?}") };
    let report = next(stream).await;
    assert!(matches!(report, PrivateMessage::Event(PrivateEvent::Order(_))), "{report:?}");
    assert_eq!(fill.client_id, Some(own_id(0)));
    fill.trade_id.get()
}

#[tokio::test]
async fn keys_share_a_connection_and_hear_their_own_events() {
    let peer = SocketPeer::start(numbers()).await;
    let binance = start(settings(1, peer.port));
    let mut first = account(&binance, "first").private_stream();
    assert_eq!(next(&mut first).await, PrivateMessage::Live);
    let mut second = account(&binance, "second").private_stream();
    assert_eq!(next(&mut second).await, PrivateMessage::Live);

    peer.act(filled(1, 21));
    peer.act(filled(0, 11));

    assert_eq!(fill(&mut first).await, 11);
    assert_eq!(fill(&mut second).await, 21);
    assert_eq!(peer.opened(), 1);
    assert!(first.try_recv().is_err());
}

#[tokio::test]
async fn a_broken_private_stream_is_lost_until_it_is_live_again() {
    let peer = SocketPeer::start(numbers()).await;
    let binance = start(settings(1, peer.port));
    let mut stream = account(&binance, "first").private_stream();
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);

    peer.act(Act::HangUp);

    let lost = next(&mut stream).await;
    let is_lost = matches!(lost, PrivateMessage::Lost { reason: LostReason::Connection(_) });
    assert!(is_lost, "{lost:?}");
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);
}

#[tokio::test]
async fn an_ended_subscription_is_asked_for_again() {
    let peer = SocketPeer::start(numbers()).await;
    let binance = start(settings(1, peer.port));
    let mut stream = account(&binance, "first").private_stream();
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);

    let ended = r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#;
    peer.act(Act::Say(ended.to_owned()));

    assert_eq!(next(&mut stream).await, PrivateMessage::Lost { reason: LostReason::Ended });
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);
    assert_eq!(peer.opened(), 1);
}

#[tokio::test]
async fn a_key_that_is_refused_does_not_stop_the_others() {
    let peer = SocketPeer::start(numbers()).await;
    let binance = start(settings(1, peer.port));
    let mut bad = account(&binance, "bad").private_stream();
    let mut good = account(&binance, "good").private_stream();

    let lost = next(&mut bad).await;
    let PrivateMessage::Lost { reason: LostReason::Refused(refusal) } = lost else {
        panic!("{lost:?}")
    };
    assert_eq!(refusal.reason, RefusalReason::Key);
    assert_eq!(next(&mut good).await, PrivateMessage::Live);
}

#[tokio::test]
async fn no_fill_is_missing_or_doubled_when_a_private_stream_is_replaced() {
    let peer = SocketPeer::start(numbers()).await;
    let mut settings = settings(1, peer.port);
    settings.relay.rotate_after = ms(500);
    let binance = start(settings);
    let mut stream = account(&binance, "first").private_stream();
    let mut other = account(&binance, "bad").private_stream();
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);

    for id in 1..=300 {
        peer.act(filled(0, id));
        tokio::time::sleep(ms(8)).await;
    }
    for id in 1..=300 {
        assert_eq!(fill(&mut stream).await, id);
    }

    assert!(3 <= peer.opened(), "{}", peer.opened());
    let refused = next(&mut other).await;
    assert!(matches!(refused, PrivateMessage::Lost { reason: LostReason::Refused(_) }));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_calls_for_a_new_look() {
    let peer = SocketPeer::start(numbers()).await;
    let binance = start(settings(1, peer.port));
    let mut stream = account(&binance, "first").private_stream();
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);

    let torn = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1,"s":"BTCUSDT"}}"#;
    peer.act(Act::Say(torn.to_owned()));

    assert_eq!(next(&mut stream).await, PrivateMessage::Lost { reason: LostReason::Unreadable });
    assert_eq!(next(&mut stream).await, PrivateMessage::Live);
}
