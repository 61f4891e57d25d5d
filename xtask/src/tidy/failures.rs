//! Holds the list of what went wrong with other bots to the tests and bugs that it names.

use std::collections::BTreeSet;

use super::{Fault, tree::Tree};

const LIST: &str = "docs/reliability/failures.md";
/// Each of these is a row.
const LAST_ROW: usize = 94;
/// Tests that are named after a row stand here, and each is on the list.
const NAMED_AFTER_ROWS: &str = "crates/sim/tests/it/failures/";
/// Cases that a suite runs; a function of these files is one.
const CASES: &str = "crates/venue/tests/conformance/";
const MARKS: [&str; 2] = ["#[test]", "#[tokio::test"];
const BUGS: &str = "xtask/drill/";
/// The last column says which planted bugs have made the tests of a row fail.
const COLUMN_OF_BUGS: usize = 3;

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let Some(list) = tree.texts.get(LIST) else { return Vec::new() };
    let tests = tests(tree);
    let mut faults = Vec::new();
    let mut rows = BTreeSet::new();
    let mut named = BTreeSet::new();
    for (index, line) in list.lines().enumerate() {
        let Some(row) = Row::of(line) else { continue };
        let mut fault = |what: String| faults.push(Fault::new(LIST, index + 1, what));
        for test in row.tests() {
            if !tests.iter().any(|known| known.is(test)) {
                fault(format!("`{test}` is no test, name one that there is"));
            }
            named.insert(test.rsplit("::").next().unwrap_or(test).to_owned());
        }
        for bug in row.bugs().filter(|bug| !is_bug(tree, bug)) {
            fault(format!("`{bug}` is no bug of {BUGS}, name one that there is"));
        }
        if !row.says_anything() {
            fault(format!("{} names no test and no reason", row.name));
        }
        rows.insert(row.name);
    }
    let wanted = (1..=LAST_ROW).map(|number| format!("F-{number:02}"));
    let missing = wanted.filter(|row| !rows.contains(row));
    faults.extend(missing.map(|row| Fault::new(LIST, 1, format!("{row} is missing, list it"))));
    let unnamed = tests.iter().filter(|test| test.path.starts_with(NAMED_AFTER_ROWS));
    let unnamed = unnamed.filter(|test| !named.contains(&test.name));
    let what = |name: &str| format!("{LIST} does not name `{name}`, add it to its row");
    faults.extend(unnamed.map(|test| Fault::new(test.path, 1, what(&test.name))));
    faults
}

/// A line of the table, `| F-01 | what happened | tests or a reason | bugs |`.
struct Row<'a> {
    name: String,
    cells: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix("| F-")?.split('|').map(str::trim).collect();
        Some(Self { name: format!("F-{}", cells.first()?), cells })
    }

    fn cell(&self, place: usize) -> &'a str {
        self.cells.get(place).copied().unwrap_or_default()
    }

    fn tests(&self) -> impl Iterator<Item = &'a str> {
        quoted(self.cell(COLUMN_OF_BUGS - 1)).filter(|text| text.contains("::"))
    }

    fn bugs(&self) -> impl Iterator<Item = &'a str> {
        quoted(self.cell(COLUMN_OF_BUGS))
    }

    fn says_anything(&self) -> bool {
        !self.cell(COLUMN_OF_BUGS - 1).is_empty()
    }
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

struct Test<'a> {
    path: &'a str,
    name: String,
}

impl Test<'_> {
    /// Whether `crate::file or folder::function` means it.
    fn is(&self, named: &str) -> bool {
        let parts: Vec<&str> = named.split("::").collect();
        let [room, place, name] = parts.as_slice() else { return false };
        let in_crate = self.path.strip_prefix("crates/").and_then(|path| path.strip_prefix(*room));
        let places = in_crate.map(|path| path.trim_end_matches(".rs"));
        self.name == *name && places.is_some_and(|path| path.split('/').any(|part| part == *place))
    }
}

/// All tests, also those inside a macro, and all cases of suites.
fn tests(tree: &Tree) -> Vec<Test<'_>> {
    let mut tests = Vec::new();
    for source in &tree.sources {
        let mut is_marked = source.path.starts_with(CASES);
        for line in source.text.lines().map(str::trim_start) {
            is_marked |= MARKS.iter().any(|mark| line.starts_with(mark));
            let Some(name) = function_of(line).filter(|_| is_marked) else { continue };
            tests.push(Test { path: &source.path, name: name.to_owned() });
            is_marked = source.path.starts_with(CASES);
        }
    }
    tests
}

/// The function that begins on the line.
fn function_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// Whether a bug of the drill has this name behind its number.
fn is_bug(tree: &Tree, name: &str) -> bool {
    let files = tree.texts.keys().filter_map(|path| path.strip_prefix(BUGS)?.strip_suffix(".toml"));
    files.filter_map(|file| file.split_once('-')).any(|(_, known)| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "//! Text.\n#[test]\nfn f_001_a() {}\nfn no_test() {}\n\
    proptest! {\n    #[test]\n    fn drawn(a in b()) {}\n}\n";
    const PATH: &str = "crates/sim/tests/it/failures/sends.rs";
    const BOTH: &str = "`sim::sends::f_001_a`, `sim::sends::drawn`";

    /// Faults of a list whose first row is this, the others being in order.
    fn faults(first: &str) -> Vec<String> {
        let rest = (2..=LAST_ROW).map(|number| format!("| F-{number:02} | x | none: y | |\n"));
        let list = format!("# List\n\n{first}\n{}", rest.collect::<String>());
        let files = [(LIST, list.as_str()), (PATH, TEST), ("xtask/drill/07-bug.toml", "")];
        check(&Tree::of(&files)).into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn a_list_that_names_what_there_is_passes() {
        assert!(faults(&format!("| F-01 | x | {BOTH} | `bug` |")).is_empty());
        let by_folder = BOTH.replace("sends", "failures");
        assert!(faults(&format!("| F-01 | x | {by_folder} | |")).is_empty());
    }

    #[test]
    fn what_is_not_there_is_caught() {
        for (row, word) in [
            ("| F-01 | x | `sim::sends::f_001_b`, BOTH | |", "no test"),
            ("| F-01 | x | `sim::sends::no_test`, BOTH | |", "no test"),
            ("| F-01 | x | `lab::sends::f_001_a`, BOTH | |", "no test"),
            ("| F-01 | x | BOTH | `other` |", "no bug"),
            ("| F-01 | x | `sim::sends::drawn` | |", "does not name `f_001_a`"),
            ("| F-95 | x | BOTH | |", "F-01 is missing"),
        ] {
            let faults = faults(&row.replace("BOTH", BOTH));
            assert!(faults.len() == 1 && faults[0].contains(word), "{row}: {faults:?}");
        }
        assert!(faults("| F-01 | x | | |").iter().any(|what| what.contains("no reason")));
    }
}
