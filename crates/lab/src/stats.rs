//! What a run was worth: the figures that people compare bots by.
//!
//! The island of floats. What comes in is exact; what goes out describes it and never becomes an
//! order.

pub mod baseline;
pub mod deals;
pub mod equity;
pub mod figures;
pub mod metrics;

pub(crate) mod float;

#[cfg(test)]
mod tests;

pub use self::{
    deals::{Deal, DealFill},
    equity::{Equity, Sample},
    figures::Figures,
    metrics::{Better, METRICS, Metric, Unit, metric},
};
