//! The real binary: what it prints, how it refuses, what its exit code says.
#![cfg(test)]

mod backtest;
mod crash;
mod data;
mod demo;
mod doctor;
mod patience;
mod peer;
mod place;
mod refusals;
mod replay;
mod serve;
mod server;
mod simserver;
