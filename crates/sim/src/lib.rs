//! The simulated world: an exchange, a store and the line between them.
//!
//! Invariants: pure (no clock, no randomness, no threads, no floating point numbers); the same inputs
//! give the same outputs; every fault is written in a plan. Start with [`exchange`].

pub mod exchange;

pub mod line;
pub mod memory;

pub mod driver;

pub mod audit;

pub mod world;

pub mod backtest;
pub mod replay;
