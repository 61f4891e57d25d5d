//! Files that nobody but their owner may read.

use std::fs::OpenOptions;

/// How such a file is opened for writing; one that is made by it is its owner's alone.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
