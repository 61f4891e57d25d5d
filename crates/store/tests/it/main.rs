//! The contract of the store, on both databases.
#![cfg(test)]

mod bench;

mod backup;
mod commands;
mod commit;
mod faults;
mod leases;
mod life;
mod market;
mod model;
mod places;
mod retention;
mod schema;
mod vault;
