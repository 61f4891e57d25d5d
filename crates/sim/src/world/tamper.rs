//! Which calls and events a fault suits, and what it makes of an answer.

use tranche_model::{
    ids::AccountId,
    order::{OrderStatus, Side},
    record::{Answer, Call, Outcome, PrivateEvent, Reply},
    time::Timestamp,
};

use super::{chance::Chance, fault::Fault};
use crate::{exchange::Exchange, line::acknowledge};

/// The bit of a detail that says that a fault strikes events and not answers.
const TO_EVENTS: u64 = 8;

/// An answer on its way.
pub(super) struct Case<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) account: AccountId,
    /// When the exchange gave it.
    pub(super) at: Timestamp,
    pub(super) detail: u64,
}

/// Whether the fault can strike the call.
pub(super) fn suits_call(fault: Fault, detail: u64, call: &Call) -> bool {
    let strikes_any = matches!(
        fault,
        Fault::RequestLost
            | Fault::ResponseLost
            | Fault::ConnectRefused
            | Fault::TlsFailure
            | Fault::LatencySpike
            | Fault::SlowBody
            | Fault::ServerErrorAfter
            | Fault::ServerErrorBefore
            | Fault::HtmlErrorPage
            | Fault::TruncatedJson
            | Fault::TooManyRequests
    );
    let is_reply = detail & TO_EVENTS == 0;
    match call {
        _ if strikes_any => is_meant(call, detail),
        _ if fault == Fault::FieldChanged => is_reply && is_meant(call, detail),
        Call::Place { request, .. } => match request.side {
            Side::Sell if fault == Fault::ExitRefused => true,
            Side::Sell | Side::Buy => matches!(fault, Fault::FeeLater | Fault::EventBeforeAck),
        },
        Call::QueryOrder { .. } => {
            let is_word = matches!(fault, Fault::UnknownStatus | Fault::WrongTransientStatus);
            fault == Fault::ReadLag || (is_word && is_reply)
        }
        Call::OpenOrders => matches!(fault, Fault::ReadLag | Fault::MissingFromList),
        Call::Trades { .. } => fault == Fault::ReadLag,
        Call::Cancel { .. }
        | Call::CancelByVenueId { .. }
        | Call::Balances
        | Call::Highs { .. } => false,
    }
}

/// Whether the fault can strike the event.
pub(super) fn suits_event(fault: Fault, detail: u64, event: &PrivateEvent) -> bool {
    let strikes_any = matches!(
        fault,
        Fault::DropEvent
            | Fault::DuplicateNow
            | Fault::DuplicateLater
            | Fault::Reorder
            | Fault::Delay
            | Fault::ReplayOld
    );
    if strikes_any {
        return detail.is_multiple_of(8) || !matches!(event, PrivateEvent::Balances(_));
    }
    if detail & TO_EVENTS == 0 {
        return false;
    }
    match event {
        _ if fault == Fault::FieldChanged => true,
        PrivateEvent::Order(report) => {
            let is_word = matches!(fault, Fault::UnknownStatus | Fault::WrongTransientStatus);
            is_word && !report.status.is_terminal()
        }
        PrivateEvent::Fill(_) | PrivateEvent::Balances(_) => false,
    }
}

fn is_meant(call: &Call, detail: u64) -> bool {
    match detail & 3 {
        0 => true,
        1 => matches!(call, Call::Place { .. }),
        2 => matches!(call, Call::Cancel { .. } | Call::Place { .. }),
        _ => call.is_question(),
    }
}

/// Whether the call asks a question of the kind that `detail` names.
pub(super) const fn is_kind(call: &Call, detail: u64) -> bool {
    let kind = detail % 5;
    match call {
        Call::OpenOrders => kind == 0,
        Call::Balances => kind == 1,
        Call::Trades { .. } => kind == 2,
        Call::QueryOrder { .. } => kind == 3,
        Call::Highs { .. } => kind == 4,
        Call::Place { .. } | Call::Cancel { .. } | Call::CancelByVenueId { .. } => false,
    }
}

/// What becomes of an answer.
pub(super) fn reply(fault: Fault, case: &Case<'_>, reply: &mut Reply) {
    let is_unreadable = matches!(
        fault,
        Fault::ServerErrorAfter | Fault::HtmlErrorPage | Fault::TruncatedJson | Fault::FieldChanged
    );
    if is_unreadable {
        reply.outcome = Outcome::Unknown;
    } else if fault == Fault::FeeLater {
        acknowledge(reply);
    } else if fault == Fault::ReadLag {
        let old = case.at.minus(Chance::new(case.detail).span(1, 30_000));
        if let Ok(answer) = case.exchange.answer(case.account, &reply.call, Some(old)) {
            reply.outcome = Outcome::Done(answer);
        }
    } else if fault == Fault::MissingFromList {
        leave_one_out(case.detail, reply);
    } else if fault == Fault::UnknownStatus {
        restate_reply(reply, OrderStatus::Unrecognized);
    } else if fault == Fault::WrongTransientStatus {
        let has_expired = case.detail.is_multiple_of(32);
        let wrong = if has_expired { OrderStatus::Expired } else { OrderStatus::Cancelled };
        restate_reply(reply, wrong);
    }
}

fn leave_one_out(detail: u64, reply: &mut Reply) {
    if let Outcome::Done(Answer::OpenOrders { own, .. }) = &mut reply.outcome
        && !own.is_empty()
    {
        let count = u64::try_from(own.len()).unwrap_or(u64::MAX);
        let gone = usize::try_from(detail % count).unwrap_or(0);
        own.remove(gone);
    }
}

fn restate_reply(reply: &mut Reply, status: OrderStatus) {
    if let Outcome::Done(Answer::Order { report, .. }) = &mut reply.outcome
        && (!report.status.is_terminal() || report.status == OrderStatus::Filled)
    {
        report.status = status;
    }
}

/// Another word for the state of an order.
pub(super) fn restate(events: &mut [PrivateEvent], status: OrderStatus) {
    for event in events {
        if let PrivateEvent::Order(report) = event {
            report.status = status;
        }
    }
}
