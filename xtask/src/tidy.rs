//! `cargo xtask tidy`: the rules of the house that neither the compiler nor Clippy can hold.

mod failures;
mod leftovers;
mod manifests;
mod modules;
mod names;
mod purity;
mod sources;
mod tree;

// The table of crates stands alone: it is what a reader looks for.
mod layers;

use std::fmt;

use crate::steps::{root, say};
use tree::Tree;

/// What is wrong, where, which limit it breaks and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    line: usize,
    what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

pub(crate) fn run() -> Result<(), String> {
    let tree = Tree::read(root()).map_err(|error| format!("cannot read the tree: {error}"))?;
    let faults = faults(&tree);
    for fault in &faults {
        say(&fault.to_string());
    }
    match faults.len() {
        0 => Ok(()),
        count => Err(format!("tidy: {count} to put right")),
    }
}

fn faults(tree: &Tree) -> Vec<Fault> {
    let rules: [fn(&Tree) -> Vec<Fault>; 7] = [
        layers::check,
        manifests::check,
        sources::check,
        purity::check,
        names::check,
        leftovers::check,
        failures::check,
    ];
    let mut faults = tree.unreadable.clone();
    faults.extend(rules.iter().flat_map(|check| check(tree)));
    faults.sort();
    faults.dedup();
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_reads_as_a_place_an_editor_can_jump_to() {
        let fault = Fault::new("crates/sim/src/lib.rs", 7, "`f64` in a pure crate");

        assert_eq!(fault.to_string(), "crates/sim/src/lib.rs:7: `f64` in a pure crate");
    }

    #[test]
    fn this_tree_is_tidy() {
        let tree = Tree::read(root()).unwrap();

        assert_eq!(faults(&tree), []);
    }
}
