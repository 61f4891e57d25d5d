//! Hands what libFuzzer makes up to one target, which the environment names.
#![no_main]

mod targets;

use std::sync::OnceLock;

use targets::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let read = TARGET.get_or_init(chosen);
    let _ = read(data);
});

fn chosen() -> Target {
    let name = std::env::var("TRANCHE_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("TRANCHE_FUZZ_TARGET names no target: `{name}`")).1
}
