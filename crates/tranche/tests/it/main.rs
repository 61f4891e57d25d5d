//! The real binary: what it prints, how it refuses, what its exit code says.
#![cfg(test)]

mod backtest;
mod data;
mod demo;
mod depot;
mod doctor;
mod fuzz;
#[path = "../../../venue/tests/conformance/impostor.rs"]
mod impostor;
mod peer;
mod place;
mod python;
mod refusals;
mod replay;
mod server;
mod simserver;
mod simulate;
mod sweep;
