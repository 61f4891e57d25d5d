//! The contract of the store, on both databases.
#![cfg(test)]

mod bench;

mod commands;
mod commit;
mod leases;
mod life;
mod schema;
mod vault;
