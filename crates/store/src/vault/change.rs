//! A file of master keys gets one more, whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::master::{MasterKeyError, MasterKeys, failed};
use crate::private;

/// A file of master keys that nobody else changes while this lives; also a killed process gives it back.
#[derive(Debug)]
pub struct MasterKeyFile {
    path: PathBuf,
    _lock: File,
}

impl MasterKeyFile {
    /// Takes the file for a change.
    pub fn take(path: &Path) -> Result<Self, MasterKeyError> {
        // Where it is a link, the file that it leads to is replaced.
        let path = fs::canonicalize(path).map_err(|error| failed(path, error))?;
        let name = beside(&path, ".lock");
        let lock = private::options().create(true).truncate(false).open(&name);
        let lock = lock.map_err(|error| failed(&name, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(MasterKeyError::Changing(shown(&path))),
            Err(TryLockError::Error(error)) => Err(failed(&name, error)),
        }
    }

    pub fn read(&self) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::read(&self.path)
    }

    /// Draws a master key, with a number above all in the file and above `above`: the first step of changing
    /// it. [`crate::Store::rotate`] is the second; when nothing is left under the former one, its line can go.
    /// Who is killed in between leaves the file as it was.
    pub fn add(&self, above: u32) -> Result<MasterKeys, MasterKeyError> {
        let number = self.read()?.current().max(above).saturating_add(1);
        let former = fs::read(&self.path).map_err(|error| failed(&self.path, error))?;
        let former = Zeroizing::new(former);
        let line = MasterKeys::draw_line(number)?;
        // The last line may have been written by hand, without an end.
        let end: &[u8] = if former.ends_with(b"\n") { b"" } else { b"\n" };
        self.replace(&[&former, end, line.as_bytes()])
            .map_err(|error| failed(&self.path, error))?;
        self.read()
    }

    fn replace(&self, parts: &[&[u8]]) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        // What somebody left who was killed. Nothing was ever sealed with it.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = private::options().create_new(true).open(&new)?;
        keep_owner(&self.path, &file)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// Who runs the command may not be who runs the engine.
#[cfg(unix)]
fn keep_owner(former: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (former, own) = (fs::metadata(former)?, file.metadata()?);
    if (former.uid(), former.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    fchown(file, Some(former.uid()), Some(former.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_former: &Path, _file: &File) -> io::Result<()> {
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
