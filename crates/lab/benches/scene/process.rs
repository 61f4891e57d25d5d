//! What the system tells of this process.

use std::fs;

/// Processor time of all threads so far, user and system, in nanoseconds.
pub(crate) fn core_nanos() -> f64 {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return 0.0 };
    // Behind the name, which may hold spaces: state is the first field, the two times are 12 and 13.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
    ticks * 1e7
}

pub(crate) fn peak_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0);
    kib * 1024.0
}

/// What follows this word on the command line.
pub(crate) fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
