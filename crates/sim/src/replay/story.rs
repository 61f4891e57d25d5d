//! A recording as a story: what an account was told, and what it decided.

use tranche_model::{
    ids::InstrumentId,
    instrument::Instruments,
    order::OrderRequest,
    record::{Answer, Call, Outcome, PrivateEvent, Reply},
};
use tranche_trading::{
    codec::{self, CodecError, Trace},
    event::{Command, CommandBody, Event, Scope},
    watch::Cause,
};

use super::Entry;

/// The lines of one event: what came in, then each decision. Events that are only answers to
/// questions and change nothing give no line.
pub fn lines(entry: &Entry, instruments: &Instruments) -> Result<Vec<String>, CodecError> {
    let event = codec::decode_event(&entry.event)?;
    let trace = codec::decode_trace(&entry.trace)?;
    let told = event_in_words(&event, instruments);
    if trace.whys.is_empty() && trace.verdicts.is_empty() && trace.deals.is_empty() {
        return Ok(if is_routine(&event) { Vec::new() } else { vec![line(entry, &told)] });
    }
    let mut lines = vec![line(entry, &told)];
    lines.extend(decisions(&trace, instruments));
    Ok(lines)
}

fn line(entry: &Entry, text: &str) -> String {
    format!("{}  account {}  {text}", entry.at, entry.account)
}

fn decisions(trace: &Trace, instruments: &Instruments) -> Vec<String> {
    let whys = trace.whys.iter().map(|record| {
        let mut place = String::new();
        if let Some(bot) = record.bot {
            place = format!("bot {bot} ");
        }
        if let Some(instrument) = record.instrument {
            place = format!("{place}{} ", name(instrument, instruments));
        }
        if let Some(deal) = record.deal {
            place = format!("{place}deal {deal} ");
        }
        format!("    {place}→ {}", record.why)
    });
    let verdicts = trace.verdicts.iter().map(|row| match &row.verdict {
        Ok(()) => format!("    → command {} carried out", row.command),
        Err(reason) => format!("    → command {} refused: {reason}", row.command),
    });
    whys.chain(verdicts).collect()
}

/// Answers and clocks come all the time; they are told only when something follows from them.
const fn is_routine(event: &Event) -> bool {
    match event {
        Event::Timer
        | Event::Reply(_)
        | Event::Granted { .. }
        | Event::Wake { .. }
        | Event::Private(PrivateEvent::Balances(_) | PrivateEvent::Order(_))
        | Event::FillKnown { .. } => true,
        Event::Command(_)
        | Event::Private(PrivateEvent::Fill(_))
        | Event::Stream { .. }
        | Event::Loaded { .. }
        | Event::Key { .. }
        | Event::Rules(_)
        | Event::Quarantine { .. } => false,
    }
}

/// What an account is told, in a few words.
pub fn event_in_words(event: &Event, instruments: &Instruments) -> String {
    match event {
        Event::Wake { lane, cause, price } => {
            let price = price.map_or_else(String::new, |price| format!(" at {price}"));
            format!("bot {} woken{price}: {}", lane.bot, cause_in_words(*cause))
        }
        Event::Timer => "the account's time has come".to_owned(),
        Event::Command(Command { id, body }) => format!("command {id}: {}", command(body)),
        Event::Reply(reply) => reply_in_words(reply, instruments),
        Event::Private(event) => private(event, instruments),
        Event::Granted { places, .. } => format!("{places} places granted"),
        Event::FillKnown { fill, known } => {
            let known = if *known { "known" } else { "not known" };
            format!("the store says that trade {} is {known}", fill.trade_id)
        }
        Event::Stream { live: true } => "the private stream is up".to_owned(),
        Event::Stream { live: false } => "the private stream is gone".to_owned(),
        Event::Loaded { .. } => "account loaded; what happened meanwhile is read".to_owned(),
        Event::Rules(instrument) => format!("new rules of {}", instrument.symbol),
        Event::Quarantine { bot, reason } => format!("bot {bot} put aside: {reason}"),
        Event::Key { may_withdraw: true } => "the key may withdraw: no deal begins".to_owned(),
        Event::Key { may_withdraw: false } => "the key may not withdraw".to_owned(),
    }
}

fn cause_in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Below => "the price fell to what it waited for",
        Cause::Above => "the price rose to what it waited for",
        Cause::AnyPrice => "a fresh price",
        Cause::Time => "its time has come",
        Cause::Retraced { .. } => "the price fell from its peak",
        Cause::Checkpoint { .. } => "the peak is written down",
    }
}

fn command(body: &CommandBody) -> String {
    match body {
        CommandBody::CreateBot { bot, config } => format!("create bot {bot} `{}`", config.name()),
        CommandBody::EditBot { bot, .. } => format!("edit bot {bot}"),
        CommandBody::DeleteBot { bot } => format!("delete bot {bot}"),
        CommandBody::PauseEntries { scope } => format!("pause entries of {}", scoped(*scope)),
        CommandBody::Resume { scope } => format!("resume entries of {}", scoped(*scope)),
        CommandBody::StopBot { bot } => format!("stop bot {bot}"),
        CommandBody::StartBot { bot } => format!("start bot {bot}"),
        CommandBody::StartDeal { bot, .. } => format!("start a deal of bot {bot}"),
        CommandBody::CancelDeal { bot, deal } => format!("cancel deal {deal} of bot {bot}"),
        CommandBody::CloseDeal { bot, deal } => format!("close deal {deal} of bot {bot}"),
        CommandBody::Kill { level } => format!("kill switch, {level}"),
        CommandBody::Rearm => "lift the kill switch".to_owned(),
        CommandBody::SetRisk(_) => "set limits".to_owned(),
        CommandBody::Unreadable { error } => format!("unreadable: {error}"),
    }
}

fn scoped(scope: Scope) -> String {
    match scope {
        Scope::Account => "the account".to_owned(),
        Scope::Bot(bot) => format!("bot {bot}"),
    }
}

fn reply_in_words(reply: &Reply, instruments: &Instruments) -> String {
    let call = call(&reply.call, instruments);
    let outcome = match &reply.outcome {
        Outcome::Done(Answer::OrderNotFound) => "no such order".to_owned(),
        Outcome::Done(_) => "done".to_owned(),
        Outcome::Refused(refusal) => format!("refused: {} ({})", refusal.text, refusal.code),
        Outcome::NotSent => "not sent".to_owned(),
        Outcome::Throttled { retry_at } => format!("too many requests until {retry_at}"),
        Outcome::Unknown => "no answer".to_owned(),
    };
    format!("answer to {call}: {outcome}")
}

fn call(call: &Call, instruments: &Instruments) -> String {
    let at = |instrument| name(instrument, instruments);
    match call {
        Call::Place { request, .. } => order(request, instruments),
        Call::Cancel { client_id, .. } => format!("cancel {client_id}"),
        Call::CancelByVenueId { venue_id, .. } => format!("cancel number {venue_id}"),
        Call::QueryOrder { client_id, .. } => format!("question about {client_id}"),
        Call::OpenOrders => "question about open orders".to_owned(),
        Call::Trades { instrument, .. } => format!("question about trades on {}", at(*instrument)),
        Call::Balances => "question about balances".to_owned(),
        Call::Highs { instrument, .. } => format!("question about highs of {}", at(*instrument)),
    }
}

fn order(request: &OrderRequest, instruments: &Instruments) -> String {
    format!("{} {} {}", request.side, name(request.instrument, instruments), request.kind)
}

fn private(event: &PrivateEvent, instruments: &Instruments) -> String {
    match event {
        PrivateEvent::Order(report) => format!("the exchange tells of order {}", report.client_id),
        PrivateEvent::Fill(fill) => {
            let symbol = name(fill.instrument, instruments);
            format!("fill: {} {} {symbol} at {}", fill.side, fill.qty, fill.price)
        }
        PrivateEvent::Balances(_) => "the exchange tells of balances".to_owned(),
    }
}

fn name(id: InstrumentId, instruments: &Instruments) -> String {
    let known = instruments.get(id);
    known.map_or_else(|| format!("instrument {id}"), |known| known.symbol.to_string())
}
