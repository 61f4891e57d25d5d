//! What the candles of one file are of.

use std::fmt;

use tranche_model::{asset::Symbol, time::Millis};

use super::interval_name;

/// An exchange, a pair and an interval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    venue: String,
    symbol: Symbol,
    interval: Millis,
}

/// A name that could not be one of a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an exchange is called by 1 to 40 lower-case letters, digits and -: `{0}`")]
pub struct VenueNameError(String);

impl Series {
    pub fn new(venue: &str, symbol: Symbol, interval: Millis) -> Result<Self, VenueNameError> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=40).contains(&venue.len()) || !venue.bytes().all(is_plain) {
            return Err(VenueNameError(
                venue.chars().take(40).flat_map(char::escape_debug).collect(),
            ));
        }
        Ok(Self { venue: venue.to_owned(), symbol, interval })
    }

    pub fn venue(&self) -> &str {
        &self.venue
    }

    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    pub const fn interval(&self) -> Millis {
        self.interval
    }

    /// The file's name without its ending.
    pub(super) fn stem(&self) -> String {
        let Symbol { base, quote } = self.symbol;
        format!("{base}-{quote}-{}", interval_name(self.interval))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.venue, self.symbol, interval_name(self.interval))
    }
}
