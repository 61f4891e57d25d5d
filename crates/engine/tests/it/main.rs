//! The engine with the real client, over loopback, against the simulated exchange.
#![cfg(test)]

mod exact;
#[path = "../../../venue/tests/conformance/impostor.rs"]
mod impostor;
mod outages;
mod scene;
mod wire;
