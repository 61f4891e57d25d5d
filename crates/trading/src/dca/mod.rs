//! Dollar-cost averaging: settings, the ladder of safety orders, the position and its targets.

pub mod config;
pub mod draft;

pub mod ladder;
pub mod position;
pub mod targets;

pub mod deal;
mod fills;
mod price;
mod taken;
mod waits;
mod wants;

pub use config::{Config, ConfigError};
pub use deal::{Deal, Fact, Phase, Scene};
pub use draft::Draft;
pub use wants::Permission;

mod check;
mod instrument;
mod levels;

mod digits;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
