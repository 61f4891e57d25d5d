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

/// What became of the search for a recorded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    Found(PathBuf),
    /// It is not here; nor anywhere, when no folder is named.
    Missing(Option<PathBuf>),
}

/// Looks for a recorded file in the folder that `TRANCHE_DATA` names.
pub fn recorded(name: &str) -> Recorded {
    search(variable(), name)
}

fn search(folder: Option<PathBuf>, name: &str) -> Recorded {
    match folder.map(|folder| folder.join(name)) {
        Some(path) if path.is_file() => Recorded::Found(path),
        missing => Recorded::Missing(missing),
    }
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
            Self::Missing(_) => None,
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(path) => write!(f, "recorded data: {}", path.display()),
            Self::Missing(None) => {
                write!(f, "no recorded data, set {VARIABLE} to its folder")
            }
            Self::Missing(Some(path)) => write!(f, "no recorded data at {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sought_in_the_named_folder() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));

        let found = search(Some(here.clone()), "Cargo.toml");

        assert_eq!(found, Recorded::Found(here.join("Cargo.toml")));
    }

    #[test]
    fn what_is_missing_says_what_to_do() {
        let nowhere = PathBuf::from("/nowhere/at/all");

        let missing = search(Some(nowhere), "x.csv");
        assert_eq!(missing.to_string(), "no recorded data at /nowhere/at/all/x.csv");

        let missing = search(None, "x.csv");
        assert_eq!(missing.to_string(), "no recorded data, set TRANCHE_DATA to its folder");
    }
}
