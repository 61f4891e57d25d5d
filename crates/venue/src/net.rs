//! The wire: clocks, requests, sockets, reconnects. Knows no exchange.

pub mod clock;
pub mod http;
pub mod reconnect;
pub mod relay;
pub mod socket;
pub mod tasks;
pub(crate) mod tls;
