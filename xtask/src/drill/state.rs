//! What was found so far, kept so that a drill that was interrupted goes on.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::shown;

#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    known: Map<String, Value>,
}

/// What became of a bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Found {
        tests: Vec<String>,
        /// What it took to build and to test.
        seconds: u64,
    },
    Missed,
    /// It does not compile: an error of the drill, and no finding.
    Broken(String),
}

impl State {
    /// What an earlier drill has left, when this one goes on with it.
    pub(super) fn open(path: PathBuf, resume: bool) -> Self {
        let text = if resume { fs::read_to_string(&path).ok() } else { None };
        let known = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Self { path, known }
    }

    /// What was found for the bug under this mark.
    pub(super) fn known(&self, name: &str, mark: u64) -> Option<Finding> {
        let row = self.known.get(name)?;
        if row.get("mark")?.as_u64()? != mark {
            return None;
        }
        let tests: Vec<String> = row
            .get("found_by")?
            .as_array()?
            .iter()
            .filter_map(|test| test.as_str().map(str::to_owned))
            .collect();
        if tests.is_empty() {
            return Some(Finding::Missed);
        }
        Some(Finding::Found { tests, seconds: row.get("seconds")?.as_u64()? })
    }

    /// Writes down what became of a bug.
    pub(super) fn note(&mut self, name: &str, mark: u64, finding: &Finding) -> Result<(), String> {
        let (tests, seconds) = match finding {
            Finding::Found { tests, seconds } => (tests.as_slice(), *seconds),
            Finding::Missed | Finding::Broken(_) => (&[][..], 0),
        };
        let row = json!({ "mark": mark, "found_by": tests, "seconds": seconds });
        self.known.insert(name.to_owned(), row);
        let text = serde_json::to_string_pretty(&self.known).map_err(|error| error.to_string())?;
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", shown(&self.path));
        fs::write(&self.path, text).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_kept_for_its_tree_only() {
        let path = std::env::temp_dir().join(format!("drill-{}.json", std::process::id()));
        let found = Finding::Found { tests: vec!["a::b".to_owned()], seconds: 7 };
        let mut state = State::open(path.clone(), false);
        state.note("01-a", 5, &found).unwrap();
        state.note("02-b", 5, &Finding::Missed).unwrap();

        let state = State::open(path.clone(), true);
        assert_eq!(state.known("01-a", 5), Some(found));
        assert_eq!(state.known("02-b", 5), Some(Finding::Missed));
        assert_eq!((state.known("01-a", 6), state.known("03-c", 5)), (None, None));
        assert_eq!(State::open(path.clone(), false).known("01-a", 5), None);
        fs::remove_file(path).unwrap();
    }
}
