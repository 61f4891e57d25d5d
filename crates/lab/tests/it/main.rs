//! Whole backtests on recorded and generated prices.
#![cfg(test)]

mod browser;
mod market;
mod memory;
mod modes;
mod page;
mod plain;
