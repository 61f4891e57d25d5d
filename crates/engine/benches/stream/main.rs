//! The recorded stream of an exchange, for 500 instruments at once, over a loopback socket: the real
//! client reads it, a shard with 100,000 bots decides on it. Another process has encoded the frames
//! beforehand and writes them in blocks.
//!
//! Needs the recording, which is no part of the project: without it nothing is measured, and that is
//! said. `--json FILE` writes the figures, `--seconds N` measures less of the recording.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a benchmark: its input is its own, and it looks at the clock"
)]

mod live;
mod tape;
mod writer;

#[path = "../../../lab/benches/scene/figures.rs"]
mod figures;
#[cfg_attr(test, expect(unused_imports, reason = "its tests run where it lives"))]
#[path = "../../../lab/src/folder.rs"]
mod folder;
#[path = "../../../lab/benches/scene/world.rs"]
mod world;

use figures::Figures;
use folder::Recorded;
use tape::Tape;

const RECORDING: &str = "binance-spot-BTCUSDT-ws-20240808.txt.zst";
/// How much of the recording passes.
const SECONDS: u64 = 60;

fn main() {
    let mut figures = Figures::default();
    if let Recorded::Found(path) = folder::recorded(RECORDING) {
        let seconds = argument("--seconds").map_or(SECONDS, |text| text.parse().unwrap());
        let tape = Tape::read(&path, seconds);
        if let Some(speed) = argument("--write") {
            writer::run(&tape, speed.parse().unwrap());
            return;
        }
        println!("{seconds} s of {RECORDING}: {} frames, {} trades", tape.len(), tape.trades());
        figures.note("stream", &format!("recording, {seconds} s of {RECORDING}"));
        for speed in [1, 10] {
            live::measure(&tape, (speed, seconds), &mut figures);
        }
    } else {
        println!("no recording ({RECORDING}, see TRANCHE_DATA): the stream is not measured");
    }
    if let Some(path) = argument("--json") {
        std::fs::write(path, figures.json()).unwrap();
    }
}

/// What follows this word on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
