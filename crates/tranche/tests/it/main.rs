//! The real binary: what it prints, how it refuses, what its exit code says.
#![cfg(test)]

mod alerts;
mod backtest;
mod crash;
mod data;
mod demo;
mod depot;
mod doctor;
mod egress;
mod fuzz;
#[path = "../../../venue/tests/conformance/impostor.rs"]
mod impostor;
mod pandas;
mod patience;
mod peer;
mod place;
#[path = "../../../simserver/tests/it/python.rs"]
mod python;
mod refusals;
mod replay;
mod serve;
mod server;
mod simserver;
mod simulate;
mod sweep;
mod upgrade;
