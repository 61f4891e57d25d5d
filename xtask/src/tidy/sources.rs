//! How long a source file is and how it begins.

use super::{
    Fault,
    modules::is_test_only,
    tree::{Source, Tree},
};

const LINES_MAX: usize = 500;

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    tree.sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = source.text.lines().take_while(|line| *line != "mod tests {").count();
    if LINES_MAX < lines && !source.is_test_by_place() {
        let what = format!("{lines} lines, at most {LINES_MAX}, split it by subject");
        faults.push(Fault::new(&source.path, LINES_MAX, what));
    }
    if !source.text.starts_with("//!") && source.file_name() != "tests.rs" {
        let what = "says not what it is for, begin the file with one or two lines of `//!`";
        faults.push(Fault::new(&source.path, 1, what));
    }
    if is_integration_root(&source.path) && !is_test_only(&source.syntax.attrs) {
        let what = "Clippy takes its helpers for product code, put `#![cfg(test)]` below the `//!`";
        faults.push(Fault::new(&source.path, 1, what));
    }
    faults
}

/// `tests/replay.rs` or `tests/it/main.rs` of a crate.
fn is_integration_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        ["crates", _, "tests", _]
            | ["crates", _, "tests", _, "main.rs"]
            | ["xtask", "tests", _]
            | ["xtask", "tests", _, "main.rs"]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    fn long() -> String {
        format!("//! Long.\n{}", "// More.\n".repeat(LINES_MAX))
    }

    #[test]
    fn short_file_passes() {
        assert_eq!(faults("crates/sim/src/lib.rs", "//! Short.\n"), 0);
    }

    #[test]
    fn long_file_is_caught() {
        assert_eq!(faults("crates/sim/src/lib.rs", &long()), 1);
        assert_eq!(faults("crates/sim/src/dca/tests.rs", &long()), 0);
        assert_eq!(faults("crates/sim/benches/scan.rs", &long()), 0);
    }

    #[test]
    fn inline_tests_do_not_count() {
        let body = "// More.\n".repeat(LINES_MAX);
        let text = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{body}}}\n");

        assert_eq!(faults("crates/sim/src/lib.rs", &text), 0);
    }

    #[test]
    fn file_without_its_purpose_is_caught() {
        assert_eq!(faults("crates/sim/src/lib.rs", "mod world;\n"), 1);
        assert_eq!(faults("crates/sim/src/tests.rs", "use super::*;\n"), 0);
    }

    #[test]
    fn integration_test_says_that_it_is_one() {
        assert_eq!(faults("crates/sim/tests/it/main.rs", "//! Tests.\n"), 1);
        assert_eq!(faults("crates/sim/tests/it/main.rs", "//! Tests.\n#![cfg(test)]\n"), 0);
        assert_eq!(faults("crates/sim/tests/it/golden.rs", "//! Tests.\n"), 0);
    }
}
