//! The exchange's client against a peer on this machine that answers, lies, hangs and dies.
#![cfg(test)]

mod calls;
mod history;
mod http_peer;
mod scene;
mod socket_peer;
mod streams;
