//! The server over its sockets, with clients written here and with stock clients of others.
#![cfg(test)]

mod account;
mod amends;
mod clients;
mod control;
mod faults;
mod garbage;
mod keys;
mod limits;
mod lists;
mod market;
mod orders;
mod python;
mod scene;
mod sessions;
mod stops;
mod streams;
mod wire;
