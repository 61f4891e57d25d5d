//! One way to speak to both databases: statements with neutral values in, rows of neutral cells out.
//!
//! Columns have four types only: whole number, text, bytes, decimal. SQLite keeps decimals as text,
//! because its own numbers are binary fractions.

mod cells;
mod insert;
mod moves;
mod pool;
mod server;
mod statement;
mod value;

pub(crate) use cells::Cells;
pub(crate) use insert::Insert;
pub(crate) use moves::{Move, write, write_alone};
pub(crate) use pool::{Pool, Tx};
pub(crate) use server::Server;
pub(crate) use statement::{Statement, in_lists, padded, places};
pub(crate) use value::Value;
