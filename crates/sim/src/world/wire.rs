//! What passes between a process and the exchange as a real line carries it: as text. The text is known
//! to whoever hands the hook in; here is only what is asked of it.

use tranche_model::{
    candle::Tick,
    ids::AccountId,
    instrument::Instrument,
    record::{Call, Outcome, PrivateEvent, Reply},
    time::Timestamp,
};

use super::fault::Fault;
use crate::audit::Violation;

/// Who speaks, when, and what goes wrong with the text.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    /// Which process, counted from 1.
    pub life: u64,
    pub account: AccountId,
    /// When the call left; of an event, when it was told.
    pub left_at: Timestamp,
    /// When the call arrives at the exchange.
    pub arrives_at: Timestamp,
    /// A fault that strikes the text itself, and what is left to chance in it.
    pub fault: Option<(Fault, u64)>,
}

/// One message of the private stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub text: String,
    /// What the exchange meant by it.
    pub said: Vec<PrivateEvent>,
}

/// Writes what one side says and reads it on the other. What comes out is what the world goes on with.
pub trait Wire {
    /// A call as the exchange reads it, or what its door answers at once.
    fn call(&self, passage: &Passage, call: &Call) -> Result<Call, Box<Outcome>>;

    /// What became of a call, as the process reads it.
    fn reply(&self, passage: &Passage, reply: &Reply) -> Outcome;

    /// What the exchange says unasked, in its order, each message with its text.
    fn messages(
        &self,
        account: AccountId,
        events: Vec<PrivateEvent>,
        at: Timestamp,
    ) -> Vec<Message>;

    /// A message as the process reads it; `None` when it cannot be read.
    fn hear(&self, passage: &Passage, message: &Message) -> Option<Vec<PrivateEvent>>;

    /// A price as the process reads it; `None` when it cannot be read.
    fn tick(&self, tick: &Tick) -> Option<Tick>;

    /// The rules of an instrument as the process reads them; `None` when they cannot be read.
    fn rules(&self, rules: &Instrument, at: Timestamp) -> Option<Instrument>;

    /// The first thing that came out otherwise than it went in, although nothing struck it, or that
    /// told a secret.
    fn violation(&self) -> Option<Violation>;

    /// What secret the bytes hold, if any.
    fn secret_in(&self, bytes: &[u8]) -> Option<&'static str>;

    /// How many texts have passed.
    fn passed(&self) -> u64;
}

/// Whether the fault damages a text, where there is text, so that it may read otherwise.
pub const fn strikes_text(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ServerErrorAfter
            | Fault::HtmlErrorPage
            | Fault::TruncatedJson
            | Fault::FieldChanged
            | Fault::UnknownStatus
            | Fault::WrongTransientStatus
    )
}

/// Whether what the fault answers at once is text; the others are silence.
pub(super) const fn has_text(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::ServerErrorBefore
            | Fault::HtmlErrorPage
            | Fault::TooManyRequests
            | Fault::ExitRefused
            | Fault::Banned
            | Fault::Maintenance
            | Fault::KeyRevoked
            | Fault::EndpointRemoved
            | Fault::HistoryLimit
    )
}
