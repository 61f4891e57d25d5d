//! The engine with the real client, over loopback, against the simulated exchange.
#![cfg(test)]

mod scene;
mod wire;
