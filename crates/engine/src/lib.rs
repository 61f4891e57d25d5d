//! The IO around a shard: it owns sockets, the store's handle, tasks and clocks, feeds inputs to the shard
//! and carries out what it wants. It holds no rule about money or order.
//!
//! Invariants: nothing is sent that was not committed; every queue has a bound; every call in flight has a
//! reserved place for its answer, so that nothing can wait for itself; a task that dies is noticed. Start with
//! [`Engine`].

pub mod database;
pub mod notes;
pub mod paper;
pub mod store;

mod engine;
mod handle;
mod lease;
mod measure;
mod tasks;
mod worth;

pub use engine::{Engine, Setup};
pub use handle::{Ending, Gone, Handle, Owning, Running, Told};
pub use measure::Slowest;
