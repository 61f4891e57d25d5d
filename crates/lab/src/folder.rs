//! The folder of recorded data that is not part of the project.
//!
//! Tests and benchmarks use it when it is there, say which data they used, and fall back to
//! [`crate::excerpt`].

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Names the folder of recorded data.
pub const VARIABLE: &str = "TRANCHE_DATA";

/// Beside the workspace.
const DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

/// What became of the search for a recorded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    Found(PathBuf),
    /// It is at none of these places.
    Missing {
        searched: Vec<PathBuf>,
    },
}

/// The folder that `TRANCHE_DATA` names, else `../shared/data` beside the workspace; the first that
/// exists.
pub fn data_folder() -> Option<PathBuf> {
    candidates(variable()).into_iter().find(|folder| folder.is_dir())
}

/// Looks for a recorded file in the data folder.
pub fn recorded(name: &str) -> Recorded {
    search(&candidates(variable()), name)
}

fn candidates(named: Option<PathBuf>) -> Vec<PathBuf> {
    named.into_iter().chain([PathBuf::from(DEFAULT)]).collect()
}

fn search(folders: &[PathBuf], name: &str) -> Recorded {
    let folder = folders.iter().find(|folder| folder.is_dir());
    match folder.map(|folder| folder.join(name)) {
        Some(path) if path.is_file() => Recorded::Found(path),
        Some(path) => Recorded::Missing { searched: vec![path] },
        None => Recorded::Missing { searched: joined(folders, name) },
    }
}

fn joined(folders: &[PathBuf], name: &str) -> Vec<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of this variable, which only tests, benchmarks and tools follow"
)]
fn variable() -> Option<PathBuf> {
    std::env::var(VARIABLE).ok().filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

impl Recorded {
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Found(path) => Some(path),
            Self::Missing { .. } => None,
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(path) => write!(f, "recorded data: {}", path.display()),
            Self::Missing { searched } => {
                write!(f, "no recorded data, set {VARIABLE} to its folder; searched")?;
                searched.iter().try_for_each(|path| write!(f, " {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_folder_goes_first() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));

        let found = search(&candidates(Some(here.clone())), "Cargo.toml");

        assert_eq!(found, Recorded::Found(here.join("Cargo.toml")));
    }

    #[test]
    fn what_is_missing_says_where_it_was_sought() {
        let nowhere = PathBuf::from("/nowhere/at/all");

        let missing = search(&[nowhere], "x.csv");

        let words = "no recorded data, set TRANCHE_DATA to its folder; searched \
                     /nowhere/at/all/x.csv";
        assert_eq!(missing.to_string(), words);
    }
}
