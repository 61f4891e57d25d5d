//! The engine with the real client, over loopback, against the simulated exchange.
#![cfg(test)]

mod faults;
mod golden;
mod paper;
mod scene;
mod wire;
