//! The fault world: whole processes, a store and the exchange, moved by one virtual clock, while
//! everything goes wrong that a seed can think of.
//!
//! The shard, dispatch and account are the real ones; only what is around them is simulated. One seed
//! fixes a run: the market, the bots, each fault and its time. Two runs of one seed leave the same
//! trace. Start with [`World::run`]; [`Fault`] lists what can go wrong, [`check::INVARIANTS`] what must
//! hold all the same.

pub mod chance;
pub mod check;
pub mod fault;
pub mod plan;
pub mod report;
pub mod shrink;
pub mod state;
pub mod trace;
pub mod wire;

mod acts;
mod line;
mod market;
mod node;
mod people;
mod pump;
mod run;
mod secrets;
mod tamper;

use std::{collections::BTreeMap, fmt};

use tranche_model::{
    client_order_id::Origin,
    ids::{AccountId, Incarnation, Installation, UserId},
    time::Timestamp,
};
use tranche_trading::event::{Settings, Timing};

pub use fault::{Counts, Fault};
pub use plan::{Choice, Keep, Plan, Wish};
pub use report::Report;
pub use state::State;
pub use wire::{Message, Passage, Wire};

use self::{
    check::Checks, line::Line, market::Market, node::Node, people::People, plan::Act, trace::Trace,
};
use crate::{exchange::Exchange, memory::Memory};

/// See the module's text.
pub struct World<'w> {
    plan: Plan,
    now: Timestamp,
    minute: u32,
    exchange: Exchange,
    line: Line<'w>,
    /// The same that the line has: prices and rules do not pass there.
    wire: Option<&'w dyn Wire>,
    memory: Memory,
    /// An older copy of the store.
    backup: Memory,
    /// Processes, each in a place of its own; the owner is the last that started.
    nodes: Vec<Option<Box<Node>>>,
    owner: usize,
    lives: u64,
    /// When the owner starts again after it died.
    starts_at: Option<Timestamp>,
    settings: BTreeMap<AccountId, Settings>,
    market: Market,
    frozen: BTreeMap<u32, Timestamp>,
    gaps: BTreeMap<u32, Timestamp>,
    dry_until: Timestamp,
    thin_until: Timestamp,
    /// Rules that are put back then.
    mended_at: BTreeMap<u32, Timestamp>,
    people: People,
    next_act: usize,
    /// Deaths that wait for their moment, and faults of the store that wait for a commit.
    deaths: Vec<Act>,
    store_faults: Vec<Act>,
    /// Counts of the venue that wait for a call.
    weights: Vec<Act>,
    struck: Counts<Fault>,
    states: Counts<State>,
    checks: Checks,
    trace: Trace,
    kills: u64,
    ticks: u64,
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("wish", &self.plan.wish)
            .field("now", &self.now)
            .field("kills", &self.kills)
            .finish_non_exhaustive()
    }
}

/// What an account's owner tells it.
fn settings_of(plan: &Plan, incarnation: u16) -> Settings {
    Settings {
        user: UserId::new(1),
        origin: Origin {
            installation: Installation::new(3),
            incarnation: Incarnation::new(incarnation),
        },
        fees: plan.fees,
        fee_asset: plan.fee_asset,
        timing: Timing::default(),
    }
}

#[cfg(test)]
mod tests;
