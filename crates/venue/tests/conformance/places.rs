//! Addresses where the exchange is not: each wrong one has its own error, and nothing is sent there.

use std::{future::pending, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tranche_model::record::Outcome;
use tranche_venue::{
    net::{
        http::{BadCertificate, HttpFault},
        socket::SocketFault,
        tasks::{Task, spawn},
    },
    venue::{
        GapReason, LostReason, Market, MarketEvent, PrivateMessage, ReadError, Topic, Venue,
        Watched,
    },
};

use crate::{
    bench::{Place, Wiring},
    ear::Ear,
    impostor::Impostor,
    scene::{BTC, HOUSE, Scene, connect, wiring},
};

fn at(scene: &Scene, http: String, socket: String) -> Arc<dyn Venue> {
    let place = Place::Wrong { http, socket };
    connect(&*scene.bench, Wiring { place, ..wiring() })
}

/// Neither a question nor an order reaches anybody, and both streams say the same.
async fn is_nobody(scene: &Scene, venue: &dyn Venue, fault: HttpFault) {
    let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();

    assert_eq!(venue.server_time().await, Err(ReadError::Http(fault)));
    assert_eq!(venue.sync_clock().await, Err(ReadError::Http(fault)));
    assert_eq!(account.check_key().await, Err(ReadError::Http(fault)));
    let placed = account.call(scene.placement(scene.resting())).await.outcome;
    assert_eq!(placed, Outcome::NotSent);
    let (gap, lost) = streams(venue, &*account).await;
    assert_eq!(gap, GapReason::Connection(SocketFault::Connect(fault)));
    assert_eq!(lost, LostReason::Connection(SocketFault::Connect(fault)));
}

/// What both streams say first.
async fn streams(
    venue: &dyn Venue,
    account: &dyn tranche_venue::venue::VenueAccount,
) -> (GapReason, LostReason) {
    let Market { events, control } = venue.market();
    control.watch(Watched::from([(BTC, Topic::Trades)])).unwrap();
    let (mut market, mut private) = (Ear::new(events), Ear::new(account.private_stream()));
    let MarketEvent::Gap { reason: gap, .. } = market.until("a gap", |_| true).await.clone() else {
        panic!("{:?}", market.heard)
    };
    let lost = private.until("a loss", |_| true).await.clone();
    let PrivateMessage::Lost { reason: lost } = lost else { panic!("{lost:?}") };
    (gap, lost)
}

/// A web server that knows nothing of exchanges.
async fn other_service() -> (u16, Task) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = spawn("other service", async move {
        let page = "<html>Welcome to nginx!</html>";
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
        let answer = format!("{head}Content-Length: {}\r\n\r\n{page}", page.len());
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return pending().await };
            let mut heard = [0; 4096];
            if stream.read(&mut heard).await.is_ok() {
                stream.write_all(answer.as_bytes()).await.unwrap_or_default();
            }
        }
    });
    (port, task)
}

pub(crate) async fn a_closed_port_is_named(scene: Scene) {
    // Taken and given back: nobody listens there now.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let venue = at(&scene, format!("http://127.0.0.1:{port}"), format!("ws://127.0.0.1:{port}"));

    is_nobody(&scene, &*venue, HttpFault::ConnectionRefused).await;
}

pub(crate) async fn another_service_is_named(scene: Scene) {
    let (port, _task) = other_service().await;
    let venue = at(&scene, format!("http://127.0.0.1:{port}"), format!("ws://127.0.0.1:{port}"));
    let account = venue.account(scene.bench.keys().remove(0), HOUSE).unwrap();

    let name = venue.name();
    assert_eq!(venue.server_time().await, Err(ReadError::NotThisVenue { name }));
    assert_eq!(venue.listings().await, Err(ReadError::NotThisVenue { name }));
    assert_eq!(account.check_key().await, Err(ReadError::NotThisVenue { name }));
    let placed = account.call(scene.placement(scene.resting())).await.outcome;
    assert_eq!(placed, Outcome::Unknown, "it may be a page in front of the exchange");
    let (gap, lost) = streams(&*venue, &*account).await;
    let denied = SocketFault::Denied { status: 200, retry_after: None };
    assert_eq!((gap, lost), (denied.into(), denied.into()));
}

pub(crate) async fn a_port_without_encryption_is_named(scene: Scene) {
    let (port, _task) = other_service().await;
    let venue = at(&scene, format!("https://127.0.0.1:{port}"), format!("wss://127.0.0.1:{port}"));

    is_nobody(&scene, &*venue, HttpFault::Tls).await;
}

pub(crate) async fn a_certificate_that_nobody_trusts_is_named(scene: Scene) {
    let impostor = Impostor::start("127.0.0.1");
    let port = impostor.port();
    let venue = at(&scene, format!("https://127.0.0.1:{port}"), format!("wss://127.0.0.1:{port}"));

    is_nobody(&scene, &*venue, HttpFault::Certificate(BadCertificate::Untrusted)).await;

    assert_eq!(impostor.heard(), 0, "not a byte of a request left");
}

pub(crate) async fn an_unknown_host_is_named(scene: Scene) {
    // RFC 2606 promises that it has no address, and a label of 64 letters needs no network to fail.
    let host = format!("{}.invalid", "a".repeat(64));
    let venue = at(&scene, format!("http://{host}"), format!("ws://{host}"));

    is_nobody(&scene, &*venue, HttpFault::Dns).await;
}
