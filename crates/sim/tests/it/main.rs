//! Properties of the exchange under random orders and a random tape, and of the whole heart.
#![cfg(test)]

mod attack;
mod backtests;
mod books;
mod evidence;
mod failures;
mod forgotten;
mod guards;
mod heart;
mod journals;
mod market;
mod owners;
mod properties;
mod recordings;
mod restored;
mod rules;
mod scene;
mod scope;
mod starts;
mod storms;
mod wishes;
