//! Each way in which a call can end.

use tranche_model::{
    ids::VenueOrderId,
    record::{Answer, Call, Outcome, RefusalReason},
    time::Millis,
};
use tranche_venue::{
    address::Address,
    net::http::HttpFault,
    venue::{ReadError, Report, Venue as _},
};

use crate::{
    http_peer::{HttpPeer, Reply, answer},
    scene::{BTC, NOW, account, exchange, ms, order_row, own_id, place, settings, start},
};

const ORDER: &str = "/api/v3/order";
/// Nobody listens there.
const CLOSED_PORT: u16 = 1;

/// Places an order with a peer that gives `reply`; also how often the order arrived.
async fn placed(reply: Reply) -> (Report, usize) {
    let peer = exchange(move |_| reply.clone()).await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let report = account(&binance, "key").call(place()).await;
    (report, peer.requests(ORDER).len())
}

fn is_unknown(report: &Report) -> bool {
    report.outcome == Outcome::Unknown
}

#[tokio::test]
async fn an_answer_about_another_order_is_none() {
    let about = |generation| {
        let body = order_row(9, generation);
        placed(Reply::Answer { status: 200, headers: "", body })
    };

    assert!(matches!(about(0).await.0.outcome, Outcome::Done(_)));
    assert!(is_unknown(&about(1).await.0));
}

#[tokio::test]
async fn a_placement_is_signed_stamped_and_counted() {
    let headers = "X-MBX-USED-WEIGHT: 3\r\nX-MBX-USED-WEIGHT-1M: 5\r\n\
                   x-mbx-order-count-10s: 1\r\nX-MBX-ORDER-COUNT-1D: 44\r\n";
    let peer = exchange(move |_| Reply::Answer { status: 200, headers, body: order_row(9, 0) });
    let peer = peer.await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let report = account(&binance, "key").call(place()).await;

    let Outcome::Done(Answer::Order { report: order, fills }) = &report.outcome else {
        panic!("{report:?}")
    };
    assert_eq!((order.client_id, order.venue_id), (own_id(0), VenueOrderId::new(9)));
    assert!(fills.is_empty());
    assert_eq!(report.used_weight, Some(5));
    let mut counts = report.order_counts.clone();
    counts.sort();
    assert_eq!(counts, [(Millis::from_secs(10), 1), (Millis::from_secs(86_400), 44)]);
    let [request] = peer.requests(ORDER).try_into().unwrap();
    assert_eq!((request.method.as_str(), request.query.as_str()), ("POST", ""));
    assert!(request.headers.to_lowercase().contains("x-mbx-apikey: key"));
    let sent = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0021&price=48000\
         &newClientOrderId={}&newOrderRespType=FULL&recvWindow=5000&timestamp={}&signature=",
        own_id(0),
        NOW.ms() - 1000,
    );
    assert!(request.body.starts_with(&sent), "{}", request.body);
}

#[tokio::test]
async fn what_is_too_late_does_not_leave() {
    let peer = exchange(|_| answer(200, order_row(9, 0))).await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let Call::Place { request, .. } = place() else { panic!() };
    let late = Call::Place { request, send_by: NOW.minus(Millis::new(1)) };

    let report = account(&binance, "key").call(late).await;

    assert_eq!(report.outcome, Outcome::NotSent);
    assert!(peer.requests(ORDER).is_empty());
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown_and_never_sent_twice() {
    let timeout = r#"{"code":-1007,"msg":"Timeout waiting for response from backend server."}"#;
    let replies = [
        answer(504, "<html>gateway"),
        answer(500, ""),
        answer(200, "<html>hello"),
        answer(200, r#"{"symbol":"BTCUSDT","orderId":9}"#),
        answer(200, order_row(9, 0).replace("0.0021", "many")),
        answer(400, timeout),
        answer(302, ""),
        Reply::Silence,
        Reply::HangUp,
    ];
    for reply in replies {
        let (report, arrived) = placed(reply.clone()).await;
        assert!(is_unknown(&report), "{reply:?}: {report:?}");
        assert_eq!(arrived, 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_definite_no_is_refused() {
    let poor = r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#;
    let (report, _) = placed(answer(400, poor)).await;
    let Outcome::Refused(refusal) = report.outcome else { panic!("{report:?}") };
    assert_eq!((refusal.reason, refusal.code), (RefusalReason::InsufficientFunds, -2010));
}

#[tokio::test]
async fn limits_and_bans_are_told() {
    let busy = Reply::Answer {
        status: 429,
        headers: "Retry-After: 7\r\n",
        body: r#"{"code":-1003,"msg":"Too many requests."}"#.to_owned(),
    };
    let (report, _) = placed(busy).await;
    assert_eq!(report.outcome, Outcome::Throttled { retry_at: NOW.plus(Millis::from_secs(7)) });
    assert_eq!(report.banned_until, None);

    let (report, _) =
        placed(Reply::Answer { status: 418, headers: "Retry-After: 120\r\n", body: String::new() })
            .await;
    let until = NOW.plus(Millis::from_secs(120));
    assert_eq!(report.outcome, Outcome::Throttled { retry_at: until });
    assert_eq!(report.banned_until, Some(until));
}

#[tokio::test]
async fn a_call_says_what_all_its_requests_weighed() {
    let since = NOW.minus(Millis::from_secs(3 * 86_400));
    let peer = exchange(|request| match request.path.as_str() {
        ORDER => answer(200, order_row(9, 0)),
        _ => answer(200, "[]"),
    });
    let peer = peer.await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let account = account(&binance, "key");

    let placed = account.call(place()).await;
    let trades = account.call(Call::Trades { instrument: BTC, since }).await;
    let highs = account.call(Call::Highs { instrument: BTC, since }).await;

    let days = u32::try_from(peer.requests("/api/v3/myTrades").len()).unwrap();
    assert!(3 <= days);
    assert_eq!((placed.spent, trades.spent, highs.spent), (1, 20 * days, 6));
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let binance = start(settings(CLOSED_PORT, CLOSED_PORT));
    let report = account(&binance, "key").call(place()).await;
    assert_eq!(report.outcome, Outcome::NotSent);
    let error = binance.server_time().await;
    assert_eq!(error, Err(ReadError::Http(HttpFault::ConnectionRefused)));
}

#[tokio::test]
async fn tls_to_a_plain_port_is_told_apart() {
    let plain = HttpPeer::start_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let silent = HttpPeer::start_raw(b"").await;
    for (port, fault) in [(plain.port, HttpFault::Tls), (silent.port, HttpFault::Unreachable)] {
        let mut settings = settings(port, CLOSED_PORT);
        settings.rest = Address::http(&format!("https://127.0.0.1:{port}"), false).unwrap();
        settings.http.connect = ms(300);
        settings.http.total = ms(3000);
        let binance = start(settings);

        assert_eq!(binance.server_time().await, Err(ReadError::Http(fault)));
        assert_eq!(account(&binance, "key").call(place()).await.outcome, Outcome::NotSent);
    }
}

#[tokio::test]
async fn something_else_at_the_address_is_named() {
    let peer = HttpPeer::start(|_| answer(200, "<html>router")).await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let error = binance.server_time().await.unwrap_err();
    assert_eq!(error, ReadError::NotThisVenue { name: "binance-testnet" });
}

#[tokio::test]
async fn silence_ends_in_time() {
    let peer = HttpPeer::start(|_| Reply::Silence).await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    assert_eq!(binance.server_time().await, Err(ReadError::Http(HttpFault::Timeout)));
}

#[tokio::test]
async fn an_order_that_is_not_there_is_an_answer() {
    let gone = exchange(|request| match request.method.as_str() {
        "DELETE" => answer(400, r#"{"code":-2011,"msg":"Unknown order sent."}"#),
        _ => answer(400, r#"{"code":-2013,"msg":"Order does not exist."}"#),
    })
    .await;
    let binance = start(settings(gone.port, CLOSED_PORT));
    let account = account(&binance, "key");
    let (client_id, instrument) = (own_id(0), BTC);
    for call in [
        Call::Cancel { client_id, instrument },
        Call::CancelByVenueId { venue_id: VenueOrderId::new(4), instrument },
        Call::QueryOrder { client_id, instrument },
    ] {
        let outcome = account.call(call).await.outcome;
        assert_eq!(outcome, Outcome::Done(Answer::OrderNotFound), "{call:?}");
    }
    let cancels = gone.requests(ORDER);
    assert_eq!(cancels[0].param("origClientOrderId"), Some(own_id(0).to_string()));
    assert_eq!(cancels[1].param("orderId").as_deref(), Some("4"));
}

#[tokio::test]
async fn one_bad_order_does_not_spoil_the_list() {
    let peer = exchange(|_| {
        let foreign = order_row(11, 0).replace(&own_id(0).to_string(), "web_abc");
        let unlisted = order_row(12, 0).replace("BTCUSDT", "NEWUSDT");
        let bad = r#"{"symbol":"BTCUSDT"}"#;
        answer(200, format!("[{},{bad},{foreign},{unlisted}]", order_row(10, 0)))
    })
    .await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    let outcome = account(&binance, "key").call(Call::OpenOrders).await.outcome;

    let Outcome::Done(Answer::OpenOrders { own, foreign }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(own.iter().map(|it| it.venue_id.get()).collect::<Vec<_>>(), [10]);
    assert_eq!(foreign.iter().map(|it| it.venue_id.get()).collect::<Vec<_>>(), [11]);
}

#[tokio::test]
async fn a_stamp_out_of_time_is_a_definite_no() {
    let late = r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#;
    let peer = exchange(move |_| answer(400, late)).await;
    let binance = start(settings(peer.port, CLOSED_PORT));
    binance.sync_clock().await.unwrap();
    assert_eq!(binance.clock_offset_ms(), Some(0));
    let outcome = account(&binance, "key").call(place()).await.outcome;
    assert!(matches!(outcome, Outcome::Refused(refusal) if refusal.code == -1021));
    assert_eq!(peer.requests(ORDER).len(), 1);
}

#[tokio::test]
async fn a_key_is_asked_what_it_may_do() {
    let peer = exchange(|request| match request.path.as_str() {
        "/api/v3/account" => {
            answer(200, r#"{"canTrade":true,"permissions":["SPOT"],"balances":[]}"#)
        }
        _ => answer(
            200,
            r#"{"ipRestrict":true,"enableWithdrawals":true,"enableSpotAndMarginTrading":false}"#,
        ),
    })
    .await;
    let mut live = settings(peer.port, CLOSED_PORT);
    let report = account(&start(live.clone()), "key").check_key().await.unwrap();
    assert_eq!((report.can_trade, report.can_withdraw), (true, None));
    live.has_key_restrictions = true;
    let report = account(&start(live), "key").check_key().await.unwrap();
    assert_eq!((report.can_trade, report.can_withdraw), (false, Some(true)));
    assert_eq!(report.is_ip_restricted, Some(true));
    assert_eq!(report.permissions, ["SPOT"]);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let peer = exchange(|_| answer(200, "x".repeat((8 << 20) + 1))).await;
    let mut settings = settings(peer.port, CLOSED_PORT);
    settings.http.total = ms(5000);
    let outcome = account(&start(settings), "key").call(Call::Balances).await.outcome;
    assert_eq!(outcome, Outcome::Unknown);
}
