//! How much memory waiting bots take, and how long a tick takes to find those that must act.
//!
//! Prints figures as they come; `--json FILE` writes all of them for the table. For a profiler,
//! `--only memory|index|hits` measures one part, and `--bots N` the index at one size.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark: its input is its own, it looks at the clock, and not all use all of the scene"
)]

#[path = "../scene/mod.rs"]
mod scene;

mod hits;
mod index;
mod memory;

use self::scene::{figures::Figures, market, process::argument};

fn main() {
    let mut figures = Figures::default();
    let only = argument("--only");
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    // First of all: memory that others gave back would hide growth.
    if wanted("memory") {
        memory::measure(&mut figures);
    }
    let (source, trades) = market::trades();
    println!("{source}: {} ticks", trades.len());
    figures.note("market", &source.to_string());
    if wanted("index") {
        let bots = argument("--bots").map(|bots| bots.parse().unwrap());
        index::measure(&trades, bots, &mut figures);
    }
    if wanted("hits") {
        hits::measure(&trades, &mut figures);
    }
    if let Some(path) = argument("--json") {
        std::fs::write(path, figures.json()).unwrap();
    }
}
