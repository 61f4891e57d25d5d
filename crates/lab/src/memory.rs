//! Whether there is room for what is about to be loaded. It is said beforehand and in words, where a program
//! that runs out of memory ends without any.

use std::{fs, hint::black_box};

use crate::fault::Fault;

/// What a candle takes that is kept for runs: itself, its columns, and its part of the tree over them.
const CANDLE_BYTES: u64 = 200;
const MIB: u64 = 1 << 20;
/// Of a group of processes, such as a container.
const GROUP_MOST: &str = "/sys/fs/cgroup/memory.max";
const GROUP_USED: &str = "/sys/fs/cgroup/memory.current";
const SYSTEM: &str = "/proc/meminfo";

/// Refuses so many candles if they do not fit into the memory that can be had now.
pub(crate) fn room_for(candles: u64) -> Result<(), Fault> {
    let bytes = candles.saturating_mul(CANDLE_BYTES);
    let (meminfo, most, used) = (text(SYSTEM), text(GROUP_MOST), text(GROUP_USED));
    let free = [of_system(&meminfo), of_group(&most, &used)].into_iter().flatten().min();
    if free.is_none_or(|free| bytes <= free) && can_be_reserved(bytes) {
        return Ok(());
    }
    Err(Fault::NoRoom { candles, mib: bytes.div_ceil(MIB) })
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A limit on the process's own addresses shows only when it is reached.
fn can_be_reserved(bytes: u64) -> bool {
    let mut trial: Vec<u8> = Vec::new();
    let is_there = usize::try_from(bytes).is_ok_and(|bytes| trial.try_reserve_exact(bytes).is_ok());
    black_box(&trial);
    is_there
}

/// What the machine could give without taking from others.
fn of_system(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What the group may still take; `None` without a limit.
fn of_group(most: &str, used: &str) -> Option<u64> {
    let most: u64 = most.trim().parse().ok()?;
    Some(most.saturating_sub(used.trim().parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_to_do() {
        assert_eq!(room_for(525_600), Ok(()));

        let fault = room_for(1 << 40).unwrap_err();

        let text = fault.to_string();
        assert!(text.starts_with("1099511627776 candles take about 209715200 MiB"), "{text}");
        assert!(text.contains("--from and --to"), "{text}");
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let meminfo = "MemTotal:       24684000 kB\nMemAvailable:   1024 kB\nBuffers: 1 kB\n";

        assert_eq!(of_system(meminfo), Some(1 << 20));
        assert_eq!((of_system(""), of_system("MemAvailable: many kB")), (None, None));
        assert_eq!(of_group("1000\n", "400\n"), Some(600));
        assert_eq!((of_group("max\n", "400\n"), of_group("", "")), (None, None));
        assert_eq!(of_group("1000\n", "4000\n"), Some(0));
    }
}
