//! The nouns: money, ids, instruments, orders, fills.
//!
//! Invariants: every number has a kind; arithmetic on money is exact, ends in a named rounding, or is
//! an error; nothing here waits, reads a clock or touches the world. Start with [`money`] and
//! [`order`].

pub mod decimal;
pub mod money;

pub mod time;

pub mod asset;
pub mod client_order_id;
pub mod ids;

pub mod filter;
pub mod instrument;

pub mod balance;
pub mod candle;
pub mod fill;
pub mod order;

pub mod record;

pub mod cast;
