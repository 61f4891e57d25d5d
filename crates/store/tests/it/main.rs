//! The contract of the store, on both databases.
#![cfg(test)]

mod bench;
mod ground;
