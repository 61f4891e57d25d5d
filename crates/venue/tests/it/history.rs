//! Reading what happened: nothing lost, nothing cut off, each execution with its owner.

use tranche_model::{
    record::{Answer, Call, Outcome},
    time::{Millis, Timestamp},
};
use tranche_venue::venue::{CandleRange, Interval, Venue as _};

use crate::{
    http_peer::{Request, answer},
    scene::{BTC, NOW, account, exchange, ms, order_row, own_id, settings, start},
};

const DAY: i64 = 86_400_000;

fn number(request: &Request, name: &str) -> Option<i64> {
    request.param(name).map(|text| text.parse().unwrap())
}

/// Executions of an account: number, order, time.
type Trades = Vec<(i64, i64, i64)>;

/// Answers as the documents say: by number, or by time in a window of a day.
fn my_trades(trades: &Trades, request: &Request) -> String {
    let limit = usize::try_from(number(request, "limit").unwrap()).unwrap();
    let (from, to) = (number(request, "startTime"), number(request, "endTime"));
    if let (Some(from), Some(to)) = (from, to) {
        assert!(to - from < DAY, "a window of more than a day");
    }
    let id = number(request, "fromId");
    assert!(id.is_none() || from.is_none(), "fromId goes without times");
    let is_in = |&&(number, _, at): &&(i64, i64, i64)| {
        id.is_none_or(|id| id <= number)
            && from.is_none_or(|from| from <= at)
            && to.is_none_or(|to| at <= to)
    };
    let row = |(number, order, at): &(i64, i64, i64)| {
        format!(
            r#"{{"symbol":"BTCUSDT","id":{number},"orderId":{order},"price":"50000","qty":"0.001","quoteQty":"50","commission":"0","commissionAsset":"USDT","time":{at},"isBuyer":true,"isMaker":true}}"#
        )
    };
    let rows: Vec<String> = trades.iter().filter(is_in).take(limit).map(row).collect();
    format!("[{}]", rows.join(","))
}

/// Reads executions since `since` from an account that has `trades`; orders 1 to 9 are ours, the others
/// somebody's.
async fn read(trades: Trades, since: i64) -> (Vec<(u128, Option<u16>)>, Vec<Request>) {
    let peer = exchange(move |request| match request.path.as_str() {
        "/api/v3/myTrades" => answer(200, my_trades(&trades, request)),
        "/api/v3/order" => answer(200, order_of(number(request, "orderId").unwrap())),
        "/api/v3/allOrders" => {
            let first = number(request, "orderId").unwrap();
            let rows: Vec<String> = (first..60).map(order_of).collect();
            answer(200, format!("[{}]", rows.join(",")))
        }
        _ => answer(404, ""),
    })
    .await;
    let mut settings = settings(peer.port, 1);
    settings.http.total = ms(5000);
    let binance = start(settings);
    let call = Call::Trades { instrument: BTC, since: Timestamp::from_ms(since) };
    let outcome = account(&binance, "key").call(call).await.outcome;
    let Outcome::Done(Answer::Trades(fills)) = outcome else { panic!("{outcome:?}") };
    let generation = |id: tranche_model::client_order_id::ClientOrderId| id.key().generation.get();
    let found = fills.iter().map(|fill| (fill.trade_id.get(), fill.client_id.map(generation)));
    (found.collect(), peer.requests("/api/v3/myTrades"))
}

fn order_of(order: i64) -> String {
    let number = u64::try_from(order).unwrap();
    let row = order_row(number, u16::try_from(order).unwrap());
    let id = own_id(u16::try_from(order).unwrap()).to_string();
    if order < 10 { row } else { row.replace(&id, "web_abc") }
}

#[tokio::test]
async fn quiet_days_are_walked_through() {
    let now = NOW.ms();
    let trades = vec![(1, 3, now - 9 * DAY), (2, 3, now - 2 * DAY), (3, 12, now - 1000)];

    let (found, asked) = read(trades, now - 5 * DAY).await;

    assert_eq!(found, [(2, Some(3)), (3, None)]);
    assert!(asked.len() < 8, "{}", asked.len());
}

#[tokio::test]
async fn busy_days_are_read_page_by_page() {
    let now = NOW.ms();
    let at = |place: i64| now - DAY + place * 10;
    let trades: Trades = (0..2500).map(|place| (place + 1, place % 50 + 1, at(place))).collect();

    let (found, _) = read(trades, at(7)).await;

    let ids: Vec<u128> = found.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, (8..=2500).collect::<Vec<u128>>());
    for (id, owner) in found {
        let order = u16::try_from((id - 1) % 50 + 1).unwrap();
        assert_eq!(owner, (order < 10).then_some(order), "{id}");
    }
}

#[tokio::test]
async fn far_back_all_executions_are_walked() {
    let now = NOW.ms();
    let trades = vec![(1, 3, now - 400 * DAY), (2, 4, now - 300 * DAY), (3, 5, now - 5)];

    let (found, asked) = read(trades, now - 350 * DAY).await;

    assert_eq!(found, [(2, Some(4)), (3, Some(5))]);
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn an_execution_without_its_order_is_no_answer_yet() {
    let peer = exchange(|request| match request.path.as_str() {
        "/api/v3/myTrades" => answer(200, my_trades(&vec![(1, 3, NOW.ms() - 10)], request)),
        _ => answer(400, r#"{"code":-2013,"msg":"Order does not exist."}"#),
    })
    .await;
    let binance = start(settings(peer.port, 1));
    let call = Call::Trades { instrument: BTC, since: NOW.minus(Millis::from_secs(60)) };
    assert_eq!(account(&binance, "key").call(call).await.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn the_highest_price_is_found_in_three_questions() {
    let peer = exchange(|request| {
        let from = number(request, "startTime").unwrap();
        let high = match request.param("interval").as_deref() {
            Some("1m") => "52000",
            Some("1h") => "53000.5",
            _ => "51000",
        };
        answer(200, format!(r#"[[{from},"50000","{high}","49000","50000","1",{from},"0"]]"#))
    })
    .await;
    let binance = start(settings(peer.port, 1));
    let since = Timestamp::from_ms(NOW.ms() - 3 * DAY - 1234);
    let call = Call::Highs { instrument: BTC, since };

    let outcome = account(&binance, "key").call(call).await.outcome;

    let Outcome::Done(Answer::Highs(Some(high))) = outcome else { panic!("{outcome:?}") };
    assert_eq!(high.to_string(), "53000.5");
    let asked = peer.requests("/api/v3/klines");
    let span = |request: &Request| {
        (number(request, "startTime").unwrap(), number(request, "endTime").unwrap() + 1)
    };
    let [minutes, hours, days] = asked.as_slice() else { panic!("{asked:?}") };
    let (minutes, hours, days) = (span(minutes), span(hours), span(days));
    assert_eq!(minutes.0, since.ms() / 60_000 * 60_000);
    assert_eq!((minutes.1, hours.1), (hours.0, days.0));
    assert_eq!((hours.0 % 3_600_000, days.0 % DAY), (0, 0));
    assert!(NOW.ms() < days.1);
}

#[tokio::test]
async fn candles_are_paged_and_the_running_one_is_left_out() {
    let peer = exchange(|request| {
        let minute = 60_000;
        let from = number(request, "startTime").unwrap();
        let first = (from + minute - 1) / minute * minute;
        let end = number(request, "endTime").unwrap().min(NOW.ms());
        let opens = (0..1000).map(|place| first + place * minute).filter(|open| *open <= end);
        let row = |open| format!(r#"[{open},"1","2","0.5","1.5","3",{},"0"]"#, open + minute - 1);
        answer(200, format!("[{}]", opens.map(row).collect::<Vec<_>>().join(",")))
    })
    .await;
    let mut settings = settings(peer.port, 1);
    settings.http.total = ms(5000);
    let binance = start(settings);
    let from = Timestamp::from_ms(NOW.ms() / 60_000 * 60_000 - 2500 * 60_000);
    let range =
        CandleRange { instrument: BTC, interval: Interval::Minute1, from, to: Timestamp::MAX };

    let candles = binance.candles(range).await.unwrap();

    assert_eq!(candles.len(), 2500);
    let is_next = |pair: &[tranche_model::candle::Candle]| {
        pair[1].open_at == pair[0].open_at.plus(Millis::from_secs(60))
    };
    assert!(candles.windows(2).all(is_next));
}

#[tokio::test]
async fn a_page_that_is_exactly_full_is_the_last_question() {
    const MINUTE: i64 = 60_000;
    let peer = exchange(|request| {
        let from = number(request, "startTime").unwrap();
        let row = |open| format!(r#"[{open},"1","2","0.5","1.5","3",{},"0"]"#, open + MINUTE - 1);
        let rows: Vec<String> = (0..1000).map(|place| row(from + place * MINUTE)).collect();
        answer(200, format!("[{}]", rows.join(",")))
    })
    .await;
    let binance = start(settings(peer.port, 1));
    let from = NOW.ms() / DAY * DAY - 2 * DAY;
    let to = Timestamp::from_ms(from + 1000 * MINUTE);
    let from = Timestamp::from_ms(from);
    let range = CandleRange { instrument: BTC, interval: Interval::Minute1, from, to };

    let candles = binance.candles(range).await.unwrap();

    assert_eq!(candles.len(), 1000);
    assert_eq!(peer.requests("/api/v3/klines").len(), 1);
}
