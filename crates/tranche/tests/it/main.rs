//! The real binary: what it prints, how it refuses, what its exit code says.
#![cfg(test)]

mod backtest;
mod demo;
mod place;
mod refusals;
mod replay;
