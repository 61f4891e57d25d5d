//! Master keys: outside of the database, from a file that nobody else reads or from the environment.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use super::seal::{KEY_LEN, Key};
use crate::{chance, error::StoreError, private};

/// The master keys at hand. The one with the highest number wraps; the others only unwrap what they
/// wrapped, until that was wrapped anew.
pub struct MasterKeys {
    keys: BTreeMap<u32, Master>,
}

struct Master {
    key: Key,
    /// Tells keys apart, and says nothing of them.
    fingerprint: String,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("the master key file {path} cannot be used")]
    File { path: String, source: io::Error },
    #[error("the master key file {path} can be read by others (mode {mode:o}); chmod 600 {path}")]
    OpenToOthers { path: String, mode: u32 },
    /// The line itself is not shown.
    #[error("line {0} is no master key; say `<number> <32 bytes in base64>`")]
    BadLine(usize),
    #[error("there is no master key")]
    Absent,
    #[error("two master keys have the number {0}")]
    Twice(u32),
    #[error(
        "master key {number} does not come after those that are there; give it the number {next}"
    )]
    NotNext { number: u32, next: u32 },
    #[error("{0} is being changed by another process; wait for it")]
    Changing(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the wrapping key is derived for.
const PURPOSE: &[u8] = b"tranche/v1|kek";
const FINGERPRINT: &[u8] = b"tranche/v1|fingerprint";
const FINGERPRINT_LEN: usize = 8;

impl MasterKeys {
    /// Reads lines of `<number> <base64 of 32 bytes>`. A single line may leave the number out: it is 1.
    /// Empty lines, and lines that begin with `#`, are skipped. The text is wiped.
    pub fn parse(mut text: String) -> Result<Self, MasterKeyError> {
        let keys = parse_lines(&text, 1);
        text.zeroize();
        let keys = keys?;
        if keys.is_empty() { Err(MasterKeyError::Absent) } else { Ok(Self { keys }) }
    }

    /// Reads a file that only its owner may read.
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        check_mode(path)?;
        Self::parse(fs::read_to_string(path).map_err(|error| failed(path, error))?)
    }

    /// Draws a master key and writes it to a new file, which only its owner may read. A file that is
    /// there stays, and this fails.
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let line = Self::draw_line(1)?;
        let created = private::options().create_new(true).open(path);
        let mut file = created.map_err(|error| failed(path, error))?;
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| failed(path, error))?;
        Self::read(path)
    }

    /// With one more, such as a second variable brings it: the next one, unless its text says a number. One
    /// that is there already is not added again. The text is wiped.
    pub fn with_next(mut self, mut text: String) -> Result<Self, MasterKeyError> {
        let next = self.current().saturating_add(1);
        let added = parse_lines(&text, next);
        text.zeroize();
        for (number, master) in added? {
            if self.keys.values().any(|known| known.fingerprint == master.fingerprint) {
                continue;
            }
            if number < next {
                return Err(MasterKeyError::NotNext { number, next });
            }
            self.keys.insert(number, master);
        }
        Ok(self)
    }

    /// The number of the key that wraps.
    pub fn current(&self) -> u32 {
        self.keys.last_key_value().map_or(0, |(number, _)| *number)
    }

    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    /// What people tell it apart by from others of its number.
    pub fn fingerprint(&self, number: u32) -> Option<&str> {
        self.keys.get(&number).map(|master| master.fingerprint.as_str())
    }

    pub(super) fn key(&self, number: u32) -> Option<&Key> {
        self.keys.get(&number).map(|master| &master.key)
    }

    pub(super) fn draw_line(number: u32) -> Result<Zeroizing<String>, MasterKeyError> {
        let bytes = Zeroizing::new(chance::bytes::<KEY_LEN>()?);
        let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        Ok(Zeroizing::new(format!("{number} {}\n", text.as_str())))
    }
}

/// `first` is the number of a line without one.
fn parse_lines(text: &str, first: u32) -> Result<BTreeMap<u32, Master>, MasterKeyError> {
    let mut keys = BTreeMap::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = || MasterKeyError::BadLine(place.saturating_add(1));
        let (number, key) = match line.split_once(char::is_whitespace) {
            Some((number, key)) => (number.parse().map_err(|_| bad())?, key.trim()),
            None => (first, line),
        };
        let key = derive(key).ok_or_else(bad)?;
        if keys.insert(number, key).is_some() {
            return Err(MasterKeyError::Twice(number));
        }
    }
    Ok(keys)
}

/// The wrapping key of a master key, so that the master key can serve other purposes too.
fn derive(text: &str) -> Option<Master> {
    let master = Zeroizing::new(STANDARD.decode(text).ok()?);
    if master.len() != KEY_LEN {
        return None;
    }
    let purposes = Hkdf::<Sha256>::new(None, &master);
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    purposes.expand(PURPOSE, bytes.as_mut_slice()).ok()?;
    let mut fingerprint = [0; FINGERPRINT_LEN];
    purposes.expand(FINGERPRINT, &mut fingerprint).ok()?;
    let fingerprint = format!("{:016x}", u64::from_be_bytes(fingerprint));
    Some(Master { key: Key::new(bytes), fingerprint })
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::OpenToOthers { path: path.display().to_string(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}

pub(super) fn failed(path: &Path, source: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.display().to_string(), source }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::MasterKeyFile, *};

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn highest_number_wraps() {
        let text = format!("# the first\n1 {KEY}\n\n 3\t{KEY} \n2 {KEY}");

        let keys = MasterKeys::parse(text).unwrap();

        assert_eq!(keys.current(), 3);
        assert_eq!(keys.numbers().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(format!("{keys:?}"), "{1, 2, 3}");
        assert_eq!(MasterKeys::parse(KEY.to_owned()).unwrap().current(), 1);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for bad in ["x", "1 AAEC", "one AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "1"] {
            let error = MasterKeys::parse(format!("# key\n{bad}")).unwrap_err();
            assert_eq!(
                error.to_string(),
                "line 2 is no master key; say `<number> <32 bytes in base64>`"
            );
        }
        assert!(matches!(MasterKeys::parse(String::new()), Err(MasterKeyError::Absent)));
        let twice = MasterKeys::parse(format!("1 {KEY}\n1 {KEY}"));
        assert!(matches!(twice, Err(MasterKeyError::Twice(1))));
    }

    /// Computed with another implementation of HKDF.
    #[test]
    fn wrapping_key_is_derived_for_its_purpose() {
        let keys = MasterKeys::parse(KEY.to_owned()).unwrap();

        let key = keys.key(1).unwrap();

        assert_eq!(STANDARD.encode(key.bytes()), "ZVQOSk+eGXelBmLT/Wyym3vgYNILa+YEHUNeBXwv7l0=");
    }

    #[test]
    fn fingerprint_is_no_part_of_the_key() {
        let keys = MasterKeys::parse(KEY.to_owned()).unwrap();

        // Computed with another implementation of HKDF.
        assert_eq!(keys.fingerprint(1), Some("9067cc663874ccda"));
        assert_eq!(keys.fingerprint(2), None);
    }

    #[test]
    fn next_key_gets_the_next_number_and_none_is_there_twice() {
        const OTHER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
        let keys = |next: String| MasterKeys::parse(format!("4 {KEY}")).unwrap().with_next(next);
        let numbers = |next: String| keys(next).unwrap().numbers().collect::<Vec<_>>();

        assert_eq!(numbers(OTHER.to_owned()), [4, 5]);
        assert_eq!(numbers(format!("9 {OTHER}")), [4, 9]);
        assert_eq!(numbers(KEY.to_owned()), [4]);
        assert!(matches!(
            keys(format!("4 {OTHER}")),
            Err(MasterKeyError::NotNext { number: 4, next: 5 })
        ));
        assert!(matches!(keys("x".to_owned()), Err(MasterKeyError::BadLine(1))));
    }

    #[cfg(unix)]
    #[test]
    fn key_is_added_to_a_file_whole_or_not_at_all() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("tranche-adding-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.key");
        MasterKeys::create(&path).unwrap();
        fs::write(&path, format!("# mine\n2 {KEY}")).unwrap();
        // Left by somebody who was killed.
        fs::write(folder.join("master.key.new"), "half a li").unwrap();

        let file = MasterKeyFile::take(&path).unwrap();
        assert!(matches!(MasterKeyFile::take(&path), Err(MasterKeyError::Changing(_))));
        assert_eq!(file.add(0).unwrap().numbers().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(file.add(7).unwrap().numbers().collect::<Vec<_>>(), [2, 3, 8]);
        drop(file);

        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("# mine\n2 {KEY}\n3 ")), "{text}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.join("master.key.new").exists());
        drop(MasterKeyFile::take(&path).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn file_that_others_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("tranche-master-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.key");
        drop(fs::remove_file(&path));

        let keys = MasterKeys::create(&path).unwrap();

        assert_eq!(keys.current(), 1);
        assert!(matches!(MasterKeys::create(&path), Err(MasterKeyError::File { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = MasterKeys::read(&path).unwrap_err();
        assert!(matches!(error, MasterKeyError::OpenToOthers { mode: 0o640, .. }), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
