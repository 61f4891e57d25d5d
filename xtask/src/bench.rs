//! `cargo xtask bench`: runs the benchmarks.

use crate::steps::{Action, Step, run_all};

const BENCHES: Step = Step { name: "benchmarks", action: Action::Cargo(&["bench", "--workspace"]) };

pub(crate) fn bench() -> Result<(), String> {
    run_all(&[BENCHES])
}
