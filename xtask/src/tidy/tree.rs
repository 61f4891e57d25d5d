//! The files that `tidy` looks at, read once; the rules see no disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use proc_macro2::TokenStream;

use super::Fault;

/// The text that the rules read, by path from the root, with `/` between the parts.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) sources: Vec<Source>,
    /// The folders in `crates/`, with or without a manifest in them.
    pub(super) crates: BTreeSet<String>,
    pub(super) unreadable: Vec<Fault>,
}

/// One Rust file.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) syntax: syn::File,
    pub(super) tokens: TokenStream,
}

const ROOMS: [&str; 4] = ["crates", "xtask", "docs", ".cargo"];
const NOT_OURS: [&str; 2] = ["target", "node_modules"];

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if ROOMS.contains(&name.as_str()) {
                tree.read_folder(&entry.path(), &name)?;
            } else if entry.file_type()?.is_file() {
                tree.read_file(&entry.path(), &name);
            }
        }
        for entry in fs::read_dir(root.join("crates"))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                tree.crates.insert(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, path: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let inner = format!("{path}/{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                self.read_folder(&entry.path(), &inner)?;
            } else if kind.is_file() {
                self.read_file(&entry.path(), &inner);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: &str) {
        if !["rs", "toml", "md"].contains(&extension(path)) {
            return;
        }
        match fs::read_to_string(file) {
            Ok(text) => self.add(path, &text),
            Err(error) => {
                let what = format!("unreadable, every source is UTF-8 text: {error}");
                self.unreadable.push(Fault::new(path, 1, what));
            }
        }
    }

    fn add(&mut self, path: &str, text: &str) {
        if extension(path) == "rs" {
            match Source::parse(path, text) {
                Ok(source) => self.sources.push(source),
                Err(fault) => self.unreadable.push(fault),
            }
        }
        self.texts.insert(path.to_owned(), text.to_owned());
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, text);
            if let Some(inner) = path.strip_prefix("crates/") {
                tree.crates.extend(inner.split('/').next().map(ToOwned::to_owned));
            }
        }
        tree
    }
}

impl Source {
    fn parse(path: &str, text: &str) -> Result<Self, Fault> {
        let unreadable = |error: &syn::Error| {
            let what = format!("does not parse as Rust: {error}");
            Fault::new(path, error.span().start().line, what)
        };
        let syntax = syn::parse_file(text).map_err(|error| unreadable(&error))?;
        let tokens = syn::parse_str(text).map_err(|error| unreadable(&error))?;
        Ok(Self { path: path.to_owned(), text: text.to_owned(), syntax, tokens })
    }

    /// The last part of the path.
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the file holds tests or benchmarks only, by where it lies.
    pub(super) fn is_test_by_place(&self) -> bool {
        self.file_name() == "tests.rs"
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
    }
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_source_is_a_fault() {
        let tree = Tree::of(&[("crates/sim/src/lib.rs", "//! Broken.\nfn {}\n")]);

        assert_eq!(tree.unreadable.first().map(|fault| fault.line), Some(2));
    }

    #[test]
    fn good_source_is_read() {
        let tree = Tree::of(&[("crates/sim/src/lib.rs", "//! Good.\n")]);

        assert!(tree.unreadable.is_empty());
        assert_eq!(tree.sources.len(), 1);
    }
}
