//! Calls, latency, and reads of an old state.

use tranche_model::{
    record::{Answer, Call, Outcome, Reply},
    time::Millis,
};

use super::*;

fn place(generation: u16, send_by: i64) -> Call {
    let request = request(generation, Side::Buy, limit("100", "1"));
    Call::Place { request, send_by: at(send_by) }
}

fn query(generation: u16) -> Call {
    Call::QueryOrder { client_id: id(generation), instrument: BTC }
}

fn outcomes(replies: Vec<(AccountId, Reply)>) -> Vec<Outcome> {
    replies.into_iter().map(|(_, reply)| reply.outcome).collect()
}

#[test]
fn calls_arrive_after_the_latency_in_order() {
    let latency = Millis::new(100);
    let mut exchange = exchange_with(Settings { latency, ..Settings::default() });
    exchange.trade(&tick("200", 0));
    exchange.submit(ANN, place(1, 3000), at(0));
    exchange.submit(ANN, query(1), at(10));

    assert_eq!(exchange.next_arrival(), Some(at(100)));
    assert!(exchange.take_replies(at(99)).is_empty());
    exchange.trade(&tick("99", 100));

    let answers = outcomes(exchange.take_replies(at(110)));
    assert!(matches!(
        answers.as_slice(),
        [
            Outcome::Done(Answer::Order { report: placed, .. }),
            Outcome::Done(Answer::Order { report: asked, .. }),
        ] if placed.status == OrderStatus::Open && asked.status == OrderStatus::Filled
    ));
}

#[test]
fn an_order_past_its_time_is_not_sent_or_refused() {
    let latency = Millis::new(5000);
    let mut exchange = exchange_with(Settings { latency, ..Settings::default() });
    exchange.submit(ANN, place(1, 10), at(11));
    exchange.submit(ANN, place(2, 11), at(11));

    let answers = outcomes(exchange.take_replies(at(9000)));

    assert_eq!(answers.first(), Some(&Outcome::NotSent));
    assert!(matches!(answers.get(1), Some(Outcome::Refused(refusal)) if refusal.code == -1021));
    assert!(exchange.open_orders(ANN).is_empty());
}

#[test]
fn every_question_has_its_answer() {
    let mut exchange = exchange();
    exchange.trade(&tick("110", 30_000));
    exchange.trade(&tick("105", 90_000));
    exchange.submit(ANN, place(1, 91_000), at(91_000));
    let since = at(60_000);
    for call in [
        query(2),
        Call::OpenOrders,
        Call::Highs { instrument: BTC, since },
        Call::Trades { instrument: BTC, since },
        Call::Cancel { client_id: id(1), instrument: InstrumentId::new(5) },
        Call::Cancel { client_id: id(1), instrument: BTC },
        Call::Cancel { client_id: id(1), instrument: BTC },
    ] {
        exchange.submit(ANN, call, at(92_000));
    }

    let answers = outcomes(exchange.take_replies(at(92_000)));

    assert!(matches!(
        answers.as_slice(),
        [
            Outcome::Done(Answer::Order { .. }),
            Outcome::Done(Answer::OrderNotFound),
            Outcome::Done(Answer::OpenOrders { own, .. }),
            Outcome::Done(Answer::Highs(Some(high))),
            Outcome::Done(Answer::Trades(_)),
            Outcome::Refused(_),
            Outcome::Done(Answer::Order { .. }),
            Outcome::Done(Answer::OrderNotFound),
        ] if own.len() == 1 && *high == price("105")
    ));
}

#[test]
fn the_past_of_an_order_can_be_read() {
    let volume_cap = Some(Fraction::ONE);
    let mut exchange = exchange_with(Settings { volume_cap, ..Settings::default() });
    exchange.place(ANN, &request(1, Side::Buy, limit("100", "1")), at(10)).unwrap();
    exchange.trade(&Tick { qty: qty("0.4"), ..tick("99", 20) });
    exchange.cancel(ANN, id(1), at(30)).unwrap();

    let past = |ms| {
        let report = exchange.order_as_of(ANN, id(1), at(ms));
        report.map(|report| (report.status, report.executed))
    };

    assert_eq!(past(9), None);
    assert_eq!(past(10), Some((OrderStatus::Open, qty("0"))));
    assert_eq!(past(25), Some((OrderStatus::PartiallyFilled, qty("0.4"))));
    assert_eq!(past(30), Some((OrderStatus::Cancelled, qty("0.4"))));
    assert_eq!(exchange.open_orders_as_of(ANN, at(25)).0.len(), 1);
    assert_eq!(exchange.open_orders_as_of(ANN, at(30)).0.len(), 0);
}

#[test]
fn what_ended_long_ago_can_be_forgotten() {
    let mut exchange = exchange();
    exchange.put(ANN, 1, Side::Buy, limit("100", "1")).unwrap();
    exchange.put(ANN, 2, Side::Buy, limit("90", "1")).unwrap();
    exchange.trade(&tick("99", 10));

    exchange.forget_closed_before(at(11));

    assert_eq!(exchange.order(ANN, id(1)), None);
    assert!(exchange.trades(ANN, BTC, at(0)).is_empty());
    assert_eq!(exchange.status(ANN, 2), OrderStatus::Open);
    assert_eq!(exchange.audit(), Ok(()));
}
