//! Exchanges in our nouns: a folder for each, and the wire that they share.
//!
//! Invariants: only here are foreign field names; nothing is decided here, not what is sent, not when,
//! not what an unknown outcome means; a placement is never sent twice; all foreign text is read without
//! a panic; each wait ends; each queue has a bound; secrets print their name only. Start with [`venue`],
//! then [`binance`].

pub mod address;
pub mod catalog;
pub mod secret;
pub mod venue;

pub mod binance;
pub mod net;
