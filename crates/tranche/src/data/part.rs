//! A file that is on its way: whether it may begin, and whether what is there of it belongs to it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tranche_lab::candles::{Ends, Growing};
use tranche_model::time::{Millis, Timestamp};

/// Refuses names that no file can have, and files that would be lost.
pub(super) fn check(out: &Path, force: bool) -> Result<()> {
    let name = out.display();
    if out.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("csv")) {
        bail!("out: {name} does not end in .csv; candles are written as .csv");
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("out: there is no folder {}; make it, or name another file", folder.display());
    }
    if out.exists() && !force {
        bail!("out: {name} is there already; add --force to replace it, or name another file");
    }
    Ok(())
}

/// Begins the file, or goes on with what is there of it. With `force` a whole one goes first.
pub(super) fn open(out: &Path, interval: Millis, force: bool) -> Result<Growing> {
    if force && out.exists() {
        for path in [with_ending(out, "sha256"), of(out), out.to_owned()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    let what = format!("out: {} cannot be removed", path.display());
                    return Err(anyhow::Error::from(error).context(what));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Growing::open(out, interval).context("out")
}

/// The name of the file until it is whole.
pub(super) fn of(out: &Path) -> PathBuf {
    with_ending(out, "part")
}

/// A header without candles is of no use to anybody; a later fetch does not mind it either.
pub(super) fn remove_empty(out: &Path) {
    fs::remove_file(of(out)).unwrap_or_default();
}

/// What is there must begin where it is asked to, and not behind the end.
pub(super) fn fits(ends: &Ends, out: &Path, (from, to): (Timestamp, Timestamp)) -> Result<()> {
    let (first, last) = (ends.first.open_at, ends.last.open_at);
    if first < from || to <= last {
        bail!(
            "out: {} holds candles from {first} to {last}, not from {from} to {to}; ask for what it \
             was begun with, or remove it",
            of(out).display()
        );
    }
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
