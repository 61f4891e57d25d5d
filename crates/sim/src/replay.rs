//! Recordings: what accounts were told and what came of it, written so that a run can be repeated.
//!
//! A recording is a line of text, a header, and one part for each event; each part is its length in
//! four bytes, a checksum in eight, and what `trading::codec` wrote. The checksum is there for
//! accidents and careless hands; nobody is kept from computing it anew. Bytes in, bytes out: files
//! are somebody else's.

mod story;
mod verify;

use serde::{Deserialize, Serialize};
use tranche_model::{
    cast,
    ids::{AccountId, BotId},
    instrument::Instruments,
    record::Snapshot,
    time::Timestamp,
};
use tranche_trading::{
    codec::{self, CodecError},
    event::Settings,
    shard::Output,
};

pub use story::{event_in_words, lines};
pub use verify::{Difference, Verifier};

/// What each recording begins with, so that other files are told apart.
const MAGIC: &[u8] = b"tranche recording 1\n";
const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 8;

/// What stands before the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of Tranche that wrote it.
    pub written_by: String,
    /// Where the prices came from, in words.
    pub market: String,
    pub instruments: Instruments,
}

/// What an account was loaded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub settings: Settings,
    /// The state as the store held it; empty for a new account.
    pub desk: Vec<u8>,
    pub bots: Vec<(BotId, Vec<u8>)>,
}

/// One event of an account, with what left the account because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub account: AccountId,
    pub at: Timestamp,
    /// Of the first event after a load: what the account was loaded from. Events whose commit failed
    /// are not recorded, and what became of one whose answer was lost shows here.
    pub start: Option<Start>,
    pub event: Vec<u8>,
    pub trace: Vec<u8>,
}

/// Why bytes are no recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("this is not a recording of Tranche: give a file that --record wrote")]
    NotOurs,
    #[error("the recording is cut short after {events} events: record it again")]
    CutShort { events: u64 },
    #[error("the header was changed after it was written: record it again")]
    HeaderChanged,
    #[error("the header cannot be read: {0}")]
    Header(CodecError),
    #[error("event {event} cannot be read: {error}")]
    Entry { event: u64, error: CodecError },
}

/// The parts of a recording, one after the other.
#[derive(Debug, Clone)]
pub struct Recording<'a> {
    pub header: Header,
    rest: &'a [u8],
    events: u64,
    is_intact: bool,
}

impl Start {
    /// As the store held it; an empty snapshot is a new account.
    pub fn new(settings: Settings, snapshot: Snapshot) -> Self {
        Self { settings, desk: snapshot.account, bots: snapshot.bots }
    }
}

impl Entry {
    /// What a shard recorded; `None` for its other outputs.
    pub fn of(told: &Output) -> Option<Self> {
        let Output::Recorded { account, at, event, trace, start } = told else { return None };
        let start = start.as_deref().cloned();
        Some(Self {
            account: *account,
            at: *at,
            event: event.clone(),
            trace: trace.clone(),
            start: start.map(|(settings, snapshot)| Start::new(settings, snapshot)),
        })
    }
}

/// The bytes that a recording begins with.
pub fn begin(header: &Header) -> Result<Vec<u8>, CodecError> {
    let mut bytes = MAGIC.to_vec();
    push(&mut bytes, &codec::encode(header)?);
    Ok(bytes)
}

/// The bytes of one event, to be put behind those before.
pub fn entry(entry: &Entry) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    push(&mut bytes, &codec::encode(entry)?);
    Ok(bytes)
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend(cast::u32_saturating(part.len()).to_le_bytes());
    bytes.extend(checksum(part).to_le_bytes());
    bytes.extend_from_slice(part);
}

impl<'a> Recording<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ReadError::NotOurs)?;
        let (header, rest) = part(rest).ok_or(ReadError::CutShort { events: 0 })?;
        if !header.is_intact() {
            return Err(ReadError::HeaderChanged);
        }
        let header = codec::decode(header.body).map_err(ReadError::Header)?;
        Ok(Self { header, rest, events: 0, is_intact: true })
    }

    /// Whether the event that was read last is as it was written. One that was changed can still be
    /// repeated, to see what differs.
    pub const fn is_intact(&self) -> bool {
        self.is_intact
    }

    fn read(&mut self) -> Result<Entry, ReadError> {
        let cut = ReadError::CutShort { events: self.events };
        let (part, rest) = part(self.rest).ok_or(cut)?;
        self.rest = rest;
        self.is_intact = part.is_intact();
        self.events = self.events.saturating_add(1);
        codec::decode(part.body).map_err(|error| ReadError::Entry { event: self.events, error })
    }
}

impl Iterator for Recording<'_> {
    type Item = Result<Entry, ReadError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.rest = &[];
        }
        Some(read)
    }
}

struct Part<'a> {
    checksum: u64,
    body: &'a [u8],
}

impl Part<'_> {
    fn is_intact(&self) -> bool {
        checksum(self.body) == self.checksum
    }
}

/// The next part and what is behind it.
fn part(bytes: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    let (body, rest) = rest.split_at_checked(cast::index(u32::from_le_bytes(*length)))?;
    Some((Part { checksum: u64::from_le_bytes(*sum), body }, rest))
}

/// FNV-1a by Fowler, Noll and Vo, with 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
