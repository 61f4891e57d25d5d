//! Where prices come from, said wherever a result made from them is shown.

use std::fmt;

/// The origin of a market.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody traded at these prices.
    Generated { seed: u64 },
    /// An exchange printed these prices.
    Recorded { file: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { seed } => write!(f, "generated market (seed {seed})"),
            Self::Recorded { file } => write!(f, "recorded market ({file})"),
        }
    }
}
