//! What became of a request, read from status, code and text.
//!
//! Binance spot API documents, "Error codes" and "HTTP return codes" (2026-07-21). The code decides
//! first, then the status, then the text.

use tranche_model::{
    filter::Rule,
    record::{Refusal, RefusalReason},
    time::{Millis, Timestamp},
};

use super::{filters::window, wire};
use crate::{net::http::HttpAnswer, venue::ReadError};

/// The word of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A body to be read.
    Yes,
    /// It did nothing.
    No(Refusal),
    /// It did nothing, because of its limits.
    Wait { retry_at: Timestamp, is_ban: bool },
    /// Nobody knows what it did.
    Unknown { status: u16 },
    /// The answer is none of this exchange. Nobody knows what was done.
    Alien,
}

/// Without a word on how long, after a limit was passed.
const WAIT_DEFAULT: Millis = Millis::from_secs(60);
/// A ban lasts at least this long ("IP Limits").
const BAN_DEFAULT: Millis = Millis::from_secs(120);
/// After the exchange's firewall has refused a request.
const FIREWALL_WAIT: Millis = Millis::from_secs(300);

/// Letters of an error's text that are kept, and bytes of it that are looked at.
const TEXT_MAX: usize = 300;
const TEXT_READ: usize = 1200;
/// Our client order ids have at most 36 letters, keys and signatures 64 or more.
const LONG_WORD: usize = 37;

/// Reads an answer. `now` is the venue's time.
pub(super) fn word(answer: &HttpAnswer, now: Timestamp) -> Word {
    if (200..300).contains(&answer.status) {
        return Word::Yes;
    }
    let retry_after = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    let wait = retry_after.map(|secs: u32| now.plus(Millis::from_secs(secs)));
    match serde_json::from_slice::<wire::Error<'_>>(&answer.body) {
        Ok(error) => of_error(answer.status, &error, wait, now),
        Err(_) => of_status(answer.status, wait, now),
    }
}

/// Reads an error with a code: of a request, or on the WebSocket API.
pub(super) fn of_error(
    status: u16,
    error: &wire::Error<'_>,
    wait: Option<Timestamp>,
    now: Timestamp,
) -> Word {
    let text = error.msg.as_ref();
    let told = error.data.and_then(|data| data.retry_after).map(Timestamp::from_ms);
    let wait = wait.max(told).max(banned_until(text));
    match error.code {
        -1003 if status == 418 || banned_until(text).is_some() => {
            Word::Wait { retry_at: wait.unwrap_or_else(|| now.plus(BAN_DEFAULT)), is_ban: true }
        }
        -1015 => {
            let retry_at = wait.unwrap_or_else(|| order_window_end(text, now));
            Word::Wait { retry_at, is_ban: false }
        }
        -1003 => {
            Word::Wait { retry_at: wait.unwrap_or_else(|| now.plus(WAIT_DEFAULT)), is_ban: false }
        }
        code if is_definite(code) => Word::No(refusal(code, text)),
        _ if matches!(status, 403 | 418 | 429) => of_status(status, wait, now),
        // Unexpected response, timeout, overloaded, shutting down, and what a later day may add.
        -1099..=-1000 => Word::Unknown { status },
        _ if 500 <= status || status == 408 => Word::Unknown { status },
        code => Word::No(refusal(code, text)),
    }
}

/// Codes of the general range, and others, that say for sure that nothing was done.
const fn is_definite(code: i32) -> bool {
    matches!(
        code,
        -1002 | -1004 | -1005 | -1010 | -1011 | -1013 | -1014 | -1020 | -1021 | -1022 | -1099
    ) || matches!(code, -1299..=-1100 | -2010 | -2011 | -2013 | -2014 | -2015 | -2017 | -2026)
}

fn of_status(status: u16, wait: Option<Timestamp>, now: Timestamp) -> Word {
    match status {
        418 => Word::Wait { retry_at: wait.unwrap_or_else(|| now.plus(BAN_DEFAULT)), is_ban: true },
        429 => {
            Word::Wait { retry_at: wait.unwrap_or_else(|| now.plus(WAIT_DEFAULT)), is_ban: false }
        }
        403 => {
            Word::Wait { retry_at: wait.unwrap_or_else(|| now.plus(FIREWALL_WAIT)), is_ban: true }
        }
        408 | 500.. => Word::Unknown { status },
        _ => Word::Alien,
    }
}

/// From "…IP banned until 1795000120000. Please…".
fn banned_until(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once("banned until ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Timestamp::from_ms)
}

/// From "…limit is 100 orders per 10 SECOND.": windows are aligned to UTC ("Unfilled order count").
fn order_window_end(text: &str, now: Timestamp) -> Timestamp {
    let length = text.split_once(" per ").and_then(|(_, rest)| {
        let mut words = rest.trim_end_matches('.').split_whitespace();
        let (count, unit) = (words.next()?.parse().ok()?, words.next()?);
        window(unit.trim_end_matches('S'), count)
    });
    let length = i64::from(length.unwrap_or(Millis::from_secs(10)).ms().max(1));
    let into = now.ms().rem_euclid(length);
    Timestamp::from_ms(now.ms().saturating_add(length.saturating_sub(into)))
}

pub(super) fn refusal(code: i32, text: &str) -> Refusal {
    Refusal { reason: reason(code, text), code, text: shown(text) }
}

/// The text for people's eyes, at most 300 letters. Whatever answers may repeat what it was sent: words
/// as long as keys and signatures are left out.
fn shown(text: &str) -> String {
    let is_of_key = |letter: char| letter.is_ascii_alphanumeric() || "+/_-".contains(letter);
    let mut shown = String::new();
    let mut rest = text.get(..text.floor_char_boundary(TEXT_READ)).unwrap_or_default();
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_of_key(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        shown.push_str(if LONG_WORD <= word.len() { "…" } else { word });
        let mut letters = after.chars();
        shown.extend(letters.next());
        rest = letters.as_str();
    }
    shown.chars().take(TEXT_MAX).collect()
}

fn reason(code: i32, text: &str) -> RefusalReason {
    match code {
        -1013 => filter_rule(text).map_or(RefusalReason::Other, RefusalReason::Rule),
        -1111 => RefusalReason::Rule(Rule::Precision),
        -2038 => RefusalReason::Rule(Rule::MaxNumOrderAmends),
        -1122 | -1220 => RefusalReason::MarketClosed,
        -1002 | -1004 | -1005 | -1011 | -1022 | -2014 | -2015 | -2017 => RefusalReason::Key,
        -2010 => engine_reason(text),
        _ => RefusalReason::Other,
    }
}

/// The engine has one code and many texts ("Messages for -1010, -2010, -2011, -2038").
fn engine_reason(text: &str) -> RefusalReason {
    const TEXTS: [(&str, RefusalReason); 6] = [
        ("insufficient balance", RefusalReason::InsufficientFunds),
        ("Duplicate order sent", RefusalReason::DuplicateId),
        ("immediately match and take", RefusalReason::WouldTrade),
        ("Market is closed", RefusalReason::MarketClosed),
        ("action is disabled on this account", RefusalReason::Key),
        ("account may not place or cancel", RefusalReason::Key),
    ];
    let found = TEXTS.iter().find(|(part, _)| text.contains(part));
    found.map_or(RefusalReason::Other, |(_, reason)| *reason)
}

/// From "Filter failure: NOTIONAL" and its like.
fn filter_rule(text: &str) -> Option<Rule> {
    const RULES: [Rule; 20] = [
        Rule::PriceFilter,
        Rule::PercentPrice,
        Rule::PercentPriceBySide,
        Rule::LotSize,
        Rule::MarketLotSize,
        Rule::MinNotional,
        Rule::Notional,
        Rule::IcebergParts,
        Rule::MaxNumOrders,
        Rule::MaxNumAlgoOrders,
        Rule::MaxNumIcebergOrders,
        Rule::MaxPosition,
        Rule::TrailingDelta,
        Rule::MaxNumOrderAmends,
        Rule::MaxNumOrderLists,
        Rule::ExchangeMaxNumOrders,
        Rule::ExchangeMaxNumAlgoOrders,
        Rule::ExchangeMaxNumIcebergOrders,
        Rule::ExchangeMaxNumOrderLists,
        Rule::MaxAsset,
    ];
    if let Some((_, name)) = text.split_once("Filter failure: ") {
        let name = name.trim();
        return RULES.into_iter().find(|rule| rule.to_string() == name);
    }
    match text {
        "Invalid price." => Some(Rule::PriceFilter),
        "Invalid quantity." | "Invalid quote order quantity." => Some(Rule::LotSize),
        _ => None,
    }
}

impl Word {
    /// For questions outside of a call. `Yes` has no error.
    pub(super) fn error(self, name: &'static str) -> Option<ReadError> {
        Some(match self {
            Self::Yes => return None,
            Self::No(refusal) => ReadError::Refused(refusal),
            Self::Wait { retry_at, is_ban } => ReadError::Throttled { retry_at, banned: is_ban },
            Self::Unknown { status } => ReadError::Failed { status },
            Self::Alien => ReadError::NotThisVenue { name },
        })
    }
}

#[cfg(test)]
mod tests;
