//! What the benchmarks share: the prices, the bots, the shard that they run in, what stands beside them,
//! and how time and memory are read.

pub(crate) mod core_time;
pub(crate) mod figures;
pub(crate) mod market;
pub(crate) mod plans;
pub(crate) mod process;
pub(crate) mod world;

#[path = "../limits/dca.rs"]
pub(crate) mod dca;
#[path = "../limits/levels.rs"]
pub(crate) mod levels;
#[path = "../limits/state.rs"]
pub(crate) mod state;
