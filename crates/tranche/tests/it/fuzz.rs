//! The fuzz targets without a fuzzer: every file of the corpora, and damaged copies of it.

#[path = "../../../../fuzz/src/targets.rs"]
mod targets;

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use targets::TARGETS;

/// Damaged copies of each file.
const COPIES: u64 = 300;
/// What is put in the place of a part.
const STRANGE: [&str; 14] = [
    "null",
    "-1",
    "18446744073709551616",
    "1e999",
    "\"\"",
    "\"-0\"",
    "[]",
    "{}",
    "\"\\u0000\"",
    "\"99999999999999999999999999999\"",
    "\n",
    "%",
    "9223372036854775807",
    "测",
];

#[test]
fn every_file_of_the_corpora_is_read_as_its_name_says() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        let (wrong, right): (Vec<_>, Vec<_>) = files
            .iter()
            .filter(|(file, _)| kind(file) != "any")
            .partition(|(file, _)| kind(file) == "no");
        assert!(!right.is_empty() || files.iter().any(|(file, _)| kind(file) == "any"), "{name}");
        assert!(!wrong.is_empty(), "{name} has no file that is refused");
        for (file, bytes) in right {
            assert!(target(bytes), "{name} does not understand {file}");
        }
        for (file, bytes) in wrong {
            assert!(!target(bytes), "{name} takes {file} for good");
        }
    }
}

#[test]
fn damaged_copies_of_the_corpora_stop_nobody() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        let others: Vec<&Vec<u8>> = files.values().collect();
        for (file, bytes) in &files {
            for number in 0..COPIES {
                let copy = damaged(bytes, &others, number);
                let end = catch_unwind(AssertUnwindSafe(|| target(&copy)));
                assert!(
                    end.is_ok(),
                    "{name}, copy {number} of {file}: {:?}",
                    copy.escape_ascii().to_string()
                );
            }
        }
    }
}

#[test]
fn every_corpus_has_its_target() {
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "{name} is read by no target");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn corpus(name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder().join(name)).unwrap_or_else(|_| panic!("{name}: no corpus"));
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    entries.map(|entry| read(entry.unwrap())).collect()
}

/// `no-…` is refused; `any-…` was written by a program of some version, or once stopped one.
fn kind(file: &str) -> &str {
    file.split_once('-').map_or("", |(kind, _)| kind)
}

/// The copy with this number: cut, changed, or with a part of something else in it.
fn damaged(bytes: &[u8], others: &[&Vec<u8>], number: u64) -> Vec<u8> {
    let mut dice =
        Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::try_from(bytes.len()).unwrap());
    let mut copy = bytes.to_vec();
    for _ in 0..=dice.next(3) {
        let place = dice.next(copy.len() + 1);
        match dice.next(5) {
            0 => copy.truncate(place),
            1 => {
                if let Some(byte) = copy.get_mut(place) {
                    *byte = u8::try_from(dice.next(256)).unwrap();
                }
            }
            2 => {
                let end = (place + dice.next(12)).min(copy.len());
                copy.splice(place..end, STRANGE[dice.next(STRANGE.len())].bytes());
            }
            3 => {
                let other = others[dice.next(others.len())];
                let from = dice.next(other.len() + 1);
                copy.splice(place.., other[from..].iter().copied());
            }
            _ => {
                let end = (place + dice.next(40)).min(copy.len());
                let part = copy[place..end].to_vec();
                copy.extend(part);
            }
        }
    }
    copy
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}
