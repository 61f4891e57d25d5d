//! The pure brain: facts come in, wishes go out.
//!
//! Invariants: nothing here waits, reads a clock, draws a number or touches the world; the same
//! inputs give the same outputs, byte for byte. A venue cannot be seen from here. Start with
//! [`shard`], then follow an event down: [`account`], [`bot`], [`dca`].

pub mod dispatch;
pub mod shard;

pub mod account;
pub mod bot;
pub mod dca;

pub mod event;
pub mod order;
pub mod watch;
pub mod why;

pub mod codec;

mod few;
