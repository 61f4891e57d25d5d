//! What every exchange must do, written once against the traits and run on the bench of each.
//!
//! `suite` lists the cases; a new exchange adds a file with its [`bench::Bench`] and one line of
//! `suite!`. The rows of `docs/venues/*.md` name their case.
#![cfg(test)]

#[macro_use]
mod suite;

mod bench;
mod binance;
mod ear;
mod events;
mod evidence;
mod impostor;
mod keys;
mod lists;
mod lost;
mod matrix;
mod orders;
mod places;
mod refusals;
mod scene;
mod streams;
mod throttling;
mod timing;
