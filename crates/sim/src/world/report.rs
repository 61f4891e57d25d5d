//! What a run came to.

use super::{Counts, Fault, State, plan::Wish};
use crate::audit::Violation;

/// One world, lived through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub wish: Wish,
    /// How far it came.
    pub minutes: u32,
    pub bots: usize,
    pub accounts: usize,
    pub ticks: u64,
    /// Ticks, commits, calls, events of the exchange.
    pub events: u64,
    /// How often a process died.
    pub kills: u64,
    pub faults: Counts<Fault>,
    pub states: Counts<State>,
    /// How many acts of the plan came to pass.
    pub acts: usize,
    pub trace_hash: u64,
    /// Whether everything said passed as text, and how many texts there were.
    pub is_spoken: bool,
    pub texts: u64,
    pub violations: Vec<Violation>,
    /// The last that happened before the first of them.
    pub tail: Vec<String>,
}

impl Report {
    /// Minutes that bots have lived, all together.
    pub fn bot_minutes(&self) -> u64 {
        u64::from(self.minutes).saturating_mul(u64::try_from(self.bots).unwrap_or(0))
    }
}
