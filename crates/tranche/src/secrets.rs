//! Keys of users, from where nobody else sees them: a file, or the environment.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use tranche_venue::secret::{ApiKey, ApiSecret, Credentials};

use crate::console;

const VARIABLE: &str = "TRANCHE_SECRET";

/// The secret in `TRANCHE_SECRET`.
#[expect(clippy::disallowed_methods, reason = "the one reader of this variable")]
pub(crate) fn from_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty())
}

/// The master keys in `TRANCHE_MASTER_KEY`.
#[expect(clippy::disallowed_methods, reason = "the one reader of this variable")]
pub(crate) fn master_key_from_environment() -> Option<String> {
    std::env::var("TRANCHE_MASTER_KEY").ok().filter(|text| !text.trim().is_empty())
}

/// The master key that is to follow, in `TRANCHE_MASTER_KEY_NEXT`.
#[expect(clippy::disallowed_methods, reason = "the one reader of this variable")]
pub(crate) fn next_master_key_from_environment() -> Option<String> {
    std::env::var("TRANCHE_MASTER_KEY_NEXT").ok().filter(|text| !text.trim().is_empty())
}

/// A key with its secret; `None` when nobody named a key.
pub(crate) fn credentials(key: Option<&str>, file: Option<&Path>) -> Result<Option<Credentials>> {
    let Some(key) = key.filter(|key| !key.trim().is_empty()) else {
        if let Some(file) = file {
            bail!(
                "key: none, but --secret-file {}; set TRANCHE_KEY to the key, or leave both out",
                file.display()
            );
        }
        return Ok(None);
    };
    // What was wrong with a key is said without the key.
    let key = ApiKey::new(key).context("key: copy it again from the exchange")?;
    let secret =
        ApiSecret::new(secret_text(file)?).context("secret: give the file the secret's text")?;
    Ok(Some(Credentials { name: "command line".to_owned(), key, secret }))
}

/// Both halves of a key to be sealed, checked; `None` when nobody named a key.
pub(crate) fn pair(key: Option<&str>, file: Option<&Path>) -> Result<Option<(String, String)>> {
    if credentials(key, file)?.is_none() {
        return Ok(None);
    }
    let key = key.unwrap_or_default().trim().to_owned();
    Ok(Some((key, secret_text(file)?)))
}

fn secret_text(file: Option<&Path>) -> Result<String> {
    match file {
        Some(path) => from_file(path),
        None => from_environment().with_context(|| {
            format!("secret: none for the key; add --secret-file FILE, or set {VARIABLE}")
        }),
    }
}

fn from_file(path: &Path) -> Result<String> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| {
        format!("secret-file: {name} cannot be read; give a file with the secret")
    })?;
    if is_open_to_others(path) {
        console::complain(&format!(
            "note: others on this machine may read {name}; close it with `chmod 600 {name}`"
        ));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

/// Other systems say this in other ways.
#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
