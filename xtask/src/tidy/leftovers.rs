//! What was left lying about: unfinished work, tests that do not run, files that nobody reaches.

use super::{Fault, modules::reached, tree::Tree};

/// Marks of unfinished work.
const MARKS: [&str; 4] = ["FIXME", "TODO", "XXX", "HACK"];
const IGNORE: &str = "#[ignore";
/// This file has to name them.
const OWN_TABLE: &str = "xtask/src/tidy/leftovers.rs";

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.sources.iter().filter(|source| source.path != OWN_TABLE) {
        for (index, line) in source.text.lines().enumerate() {
            faults.extend(check_line(line).map(|what| Fault::new(&source.path, index + 1, what)));
        }
    }
    faults.extend(check_reached(tree));
    faults
}

fn check_line(line: &str) -> Option<String> {
    if line.contains(IGNORE) {
        return Some(format!("`{IGNORE}]`: a test runs or goes, delete it or make it run"));
    }
    let mut words = line.split(|letter: char| !letter.is_alphanumeric());
    let mark = words.find(|word| MARKS.contains(word))?;
    Some(format!("`{mark}`: nothing unfinished is merged, do it or open an issue"))
}

fn check_reached(tree: &Tree) -> Vec<Fault> {
    let reached = reached(tree);
    let is_dead = |path: &&str| !reached.contains_key(path);
    let what = "no `mod` reaches the file, so it is not compiled, name it or delete it";
    let paths = tree.sources.iter().map(|source| source.path.as_str());
    paths.filter(is_dead).map(|path| Fault::new(path, 1, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> usize {
        check(&Tree::of(&[("crates/sim/src/lib.rs", text)])).len()
    }

    #[test]
    fn finished_work_passes() {
        assert_eq!(faults("//! A todo list is a shortlist; HACKNEY is a place.\n"), 0);
    }

    #[test]
    fn marks_are_caught() {
        for mark in MARKS {
            assert_eq!(faults(&format!("// {mark}: later.\n")), 1, "{mark}");
            assert_eq!(faults(&format!("fn a() {{ b(\"{mark}\") }}\n")), 1, "{mark}");
        }
    }

    #[test]
    fn ignored_test_is_caught() {
        assert_eq!(faults("#[test]\n#[ignore = \"slow\"]\nfn a() {}\n"), 1);
    }

    #[test]
    fn dead_file_is_caught() {
        let tree = Tree::of(&[
            ("crates/sim/src/lib.rs", "mod world;\n"),
            ("crates/sim/src/world.rs", ""),
            ("crates/sim/src/old.rs", ""),
        ]);

        let paths: Vec<String> = check(&tree).into_iter().map(|fault| fault.path).collect();

        assert_eq!(paths, ["crates/sim/src/old.rs"]);
    }
}
