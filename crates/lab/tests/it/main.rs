//! Whole backtests on recorded and generated prices.
#![cfg(test)]

mod market;
mod modes;
mod plain;
