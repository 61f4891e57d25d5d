//! Properties of the exchange under random orders and a random tape, and of the whole heart.
#![cfg(test)]

mod books;
mod evidence;
mod guards;
mod heart;
mod market;
mod properties;
mod scene;
mod storms;
