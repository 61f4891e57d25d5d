//! The copy of the tree in which bugs are planted: the pure crates, and what Cargo needs for them.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

const CRATES: [&str; 3] = ["crates/model", "crates/trading", "crates/sim"];
const MANIFESTS: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

#[derive(Debug)]
pub(super) struct Copy {
    from: PathBuf,
    to: PathBuf,
}

type Files = BTreeMap<String, Vec<u8>>;

impl Copy {
    pub(super) fn new(from: &Path, to: PathBuf) -> Self {
        Self { from: from.to_owned(), to }
    }

    pub(super) fn place(&self) -> &Path {
        &self.to
    }

    /// Makes the copy what the tree is. Files that are the same are left alone, so that they are not
    /// built again.
    pub(super) fn restore(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot copy the tree: {error}");
        let wanted = self.wanted().map_err(failed)?;
        let mut known = Files::new();
        read(&self.to, "crates", &mut known).map_err(failed)?;
        for path in known.keys().filter(|path| !wanted.contains_key(*path)) {
            fs::remove_file(self.to.join(path)).map_err(failed)?;
        }
        for (path, bytes) in &wanted {
            let place = self.to.join(path);
            if fs::read(&place).is_ok_and(|known| known == *bytes) {
                continue;
            }
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder).map_err(failed)?;
            }
            fs::write(&place, bytes).map_err(failed)?;
        }
        Ok(())
    }

    /// A number for all that is copied.
    pub(super) fn fingerprint(&self) -> Result<u64, String> {
        let mut hasher = DefaultHasher::new();
        for (path, bytes) in self.wanted().map_err(|error| format!("cannot copy: {error}"))? {
            (path, bytes).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    fn wanted(&self) -> io::Result<Files> {
        let mut files = Files::new();
        for folder in CRATES {
            read(&self.from, folder, &mut files)?;
        }
        for name in MANIFESTS {
            files.insert(name.to_owned(), fs::read(self.from.join(name))?);
        }
        if let Some(manifest) = files.get_mut("Cargo.toml") {
            let text = String::from_utf8_lossy(manifest);
            *manifest = text.replace(r#", "xtask"]"#, "]").into_bytes();
        }
        Ok(files)
    }
}

/// Reads a folder whole; one that is not there is empty.
fn read(root: &Path, folder: &str, files: &mut Files) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(root, &path, files)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::root;

    #[test]
    fn the_copy_holds_the_pure_crates_only() {
        let files = Copy::new(root(), PathBuf::new()).wanted().unwrap();

        let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
        assert!(text("Cargo.toml").contains("members = [\"crates/*\"]"));
        assert!(text("crates/trading/src/lib.rs").contains("pub mod shard;"));
        assert!(!files.keys().any(|path| path.starts_with("crates/venue")));
    }
}
