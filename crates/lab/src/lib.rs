//! Market data for tests, benchmarks and backtests: recorded files, and generated markets.
//!
//! Invariants: what is read is exact or refused, with file, line, field, value and what to do; bytes
//! of any kind never stop the program; a generated market is the same for the same seed on every
//! platform, and says that it is generated wherever its [`source::Source`] is shown.
//!
//! Start with [`candles::read`] for files, [`depot::Depot`] for the data folder, [`sweep::Study`] for
//! searches, [`excerpt`] for what every clone carries, and
//! [`generate::Generator`] for endless markets. Floats live in [`stats`] alone.

pub mod candles;
pub mod frames;
pub mod import;
pub mod trades;

pub mod depot;
pub mod resample;

pub mod excerpt;
pub mod folder;
pub mod source;

pub mod instruments;

pub mod generate;

pub mod export;
pub mod report;
pub mod stats;
pub mod sweep;
pub mod trial;

pub mod fault;

mod bytes;
mod guarded;
mod memory;
mod number;
mod table;

#[doc(hidden)]
pub use bytes::unpack;
