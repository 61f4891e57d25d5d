//! Whether what came out is what went in, as far as the protocol tells it.

use tranche_model::{
    instrument::{Instrument, TradingStatus},
    record::{Answer, Call, Outcome, PrivateEvent},
};
use tranche_sim::{audit::Violation, world::Fault};

/// Waits are told in whole seconds.
const SECOND_MS: i64 = 1_000;

/// A call as the exchange read it. Until when it may leave is not told; of what is asked in pages only
/// the first page is here, and its beginning.
pub(super) fn call(sent: &Call, read: &Call) -> Option<Violation> {
    let is_same = match (*sent, *read) {
        (Call::Place { request, .. }, Call::Place { request: read, .. }) => request == read,
        (Call::Trades { instrument, since }, Call::Trades { instrument: read, since: from }) => {
            instrument == read && from <= since
        }
        (Call::Highs { instrument, since }, Call::Highs { instrument: read, since: from }) => {
            instrument == read && from <= since
        }
        (sent, read) => sent == read,
    };
    (!is_same).then(|| found("I-03", format!("{sent:?} left and {read:?} arrived")))
}

/// What became of a call.
pub(super) fn outcome(
    call: &Call,
    told: &Outcome,
    read: &Outcome,
    fault: Option<Fault>,
) -> Option<Violation> {
    let is_same = match (told, read) {
        (Outcome::Done(told), Outcome::Done(read)) => {
            told == read || is_about_nothing(call, told, read)
        }
        (Outcome::Refused(told), Outcome::Refused(read)) => {
            (told.reason, told.code, &told.text) == (read.reason, read.code, &read.text)
        }
        // The answer of an endpoint that is gone has no form.
        (Outcome::Refused(_), Outcome::Unknown) => fault == Some(Fault::EndpointRemoved),
        (Outcome::Throttled { retry_at: told }, Outcome::Throttled { retry_at: read }) => {
            told.ms().abs_diff(read.ms()) <= SECOND_MS.unsigned_abs()
        }
        (told, read) => told == read,
    };
    let id = match told {
        Outcome::Done(Answer::Trades(_)) => "I-04",
        Outcome::Done(Answer::Balances(_)) => "I-06",
        Outcome::Throttled { .. } => "I-21",
        Outcome::Done(_) | Outcome::Refused(_) | Outcome::NotSent | Outcome::Unknown => "I-05",
    };
    (!is_same).then(|| found(id, format!("to {call:?} {told:?} was said and {read:?} was heard")))
}

/// A high since a moment that is yet to come is not asked for.
fn is_about_nothing(call: &Call, told: &Answer, read: &Answer) -> bool {
    matches!((call, told, read), (Call::Highs { .. }, Answer::Highs(Some(_)), Answer::Highs(None)))
}

/// A message of the private stream.
pub(super) fn message(said: &[PrivateEvent], heard: &[PrivateEvent]) -> Option<Violation> {
    let is_fill = said.iter().any(|event| matches!(event, PrivateEvent::Fill(_)));
    let is_balance = said.iter().any(|event| matches!(event, PrivateEvent::Balances(_)));
    let id = match (is_fill, is_balance) {
        (true, _) => "I-04",
        (false, true) => "I-06",
        (false, false) => "I-05",
    };
    (said != heard).then(|| found(id, format!("{said:?} was said and {heard:?} was heard")))
}

/// The rules of an instrument. One that is not listed any more reads as halted.
pub(super) fn rules(told: &Instrument, read: &Instrument) -> Option<Violation> {
    let mut told = told.clone();
    if told.status == TradingStatus::Delisted {
        told.status = TradingStatus::Halted;
    }
    (told != *read).then(|| found("I-19", format!("the rules {told:?} read as {read:?}")))
}

pub(super) const fn found(invariant: &'static str, text: String) -> Violation {
    Violation { invariant, text }
}
