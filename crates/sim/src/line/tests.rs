//! Each fault of the line does what it says.

use tranche_model::order::Side;

use super::*;
use crate::exchange::{
    Settings,
    tests::{ANN, BTC, at, exchange, exchange_with, id, limit, request, tick},
};

const TIMEOUT: Millis = Millis::new(1000);

fn place() -> Call {
    let request = request(1, Side::Buy, limit("100", "1"));
    Call::Place { request, send_by: at(3000) }
}

fn query() -> Call {
    Call::QueryOrder { client_id: id(1), instrument: BTC }
}

fn line(fault: CallFault) -> Line {
    let plan = LinePlan { calls: BTreeMap::from([(1, fault)]), ..LinePlan::default() };
    Line::new(plan, TIMEOUT)
}

fn replies(come: Vec<(AccountId, FromVenue)>) -> Vec<Outcome> {
    let mut replies = Vec::new();
    for (_, what) in come {
        if let FromVenue::Reply(reply) = what {
            replies.push(reply.outcome);
        }
    }
    replies
}

#[test]
fn lost_requests_and_lost_replies_look_the_same_to_the_caller() {
    for (fault, orders) in [(CallFault::LoseRequest, 0), (CallFault::LoseReply, 1)] {
        let mut exchange = exchange();
        let mut line = line(fault);
        line.submit(&mut exchange, ANN, place(), at(0));

        assert!(replies(line.take(&mut exchange, at(999))).is_empty());
        assert_eq!(replies(line.take(&mut exchange, at(1000))), vec![Outcome::Unknown]);
        assert_eq!(exchange.open_orders(ANN).len(), orders);
    }
}

#[test]
fn late_and_double_replies_carry_the_truth() {
    let mut exchange = exchange();
    let mut late = line(CallFault::LateReply(Millis::new(500)));
    late.submit(&mut exchange, ANN, query(), at(0));
    assert!(replies(late.take(&mut exchange, at(0))).is_empty());
    assert_eq!(late.next_at(), Some(at(500)));
    assert_eq!(replies(late.take(&mut exchange, at(500))).len(), 1);

    let mut double = line(CallFault::DoubleReply);
    double.submit(&mut exchange, ANN, query(), at(0));
    assert_eq!(replies(double.take(&mut exchange, at(0))).len(), 2);
}

#[test]
fn a_lagging_read_does_not_find_a_young_order() {
    let mut exchange = exchange();
    let mut lagging = line(CallFault::LaggingRead(Millis::new(100)));
    exchange.place(ANN, &request(1, Side::Buy, limit("100", "1")), at(1000)).unwrap();

    lagging.submit(&mut exchange, ANN, query(), at(1050));
    let young = replies(lagging.take(&mut exchange, at(1050)));
    lagging.submit(&mut exchange, ANN, query(), at(1050));
    let fresh = replies(lagging.take(&mut exchange, at(1050)));

    assert_eq!(young, vec![Outcome::Done(Answer::OrderNotFound)]);
    assert!(matches!(fresh.as_slice(), [Outcome::Done(Answer::Order { .. })]));
}

#[test]
fn events_are_dropped_doubled_and_delayed_by_number() {
    let mut exchange = exchange();
    let events = BTreeMap::from([
        (1, EventFault::Drop),
        (2, EventFault::Double),
        (3, EventFault::Delay(Millis::new(50))),
    ]);
    let mut line = Line::new(LinePlan { events, ..LinePlan::default() }, TIMEOUT);
    exchange.place(ANN, &request(1, Side::Buy, limit("100", "1")), at(0)).unwrap();
    exchange.trade(&tick("99", 0));

    // Order and balances of the placement, then order, fill and balances of the execution.
    let first = line.take(&mut exchange, at(0));
    let second = line.take(&mut exchange, at(50));

    assert_eq!(first.len(), 4);
    assert_eq!(first.first(), first.get(1));
    assert!(matches!(
        second.as_slice(),
        [(ANN, FromVenue::Event(PrivateEvent::Order(report)))] if report.status.is_terminal()
    ));
}

#[test]
fn a_fault_follows_its_call_through_the_latency() {
    let latency = Millis::new(100);
    let mut exchange = exchange_with(Settings { latency, ..Settings::default() });
    let mut line = line(CallFault::DoubleReply);
    line.submit(&mut exchange, ANN, place(), at(0));
    line.submit(&mut exchange, ANN, query(), at(0));

    assert_eq!(replies(line.take(&mut exchange, at(100))).len(), 3);
}
