//! The engine with the real client, over loopback, against the simulated exchange.
#![cfg(test)]

mod database;
mod exact;
mod faults;
mod fees;
mod golden;
#[path = "../../../venue/tests/conformance/impostor.rs"]
mod impostor;
mod notes;
mod outages;
mod paper;
mod scene;
mod wire;
