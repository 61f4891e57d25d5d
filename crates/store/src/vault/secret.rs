//! Text that is never shown.

use std::fmt;

use zeroize::Zeroizing;

/// Prints its name only, and is wiped when dropped.
pub struct Secret {
    text: Zeroizing<String>,
}

impl Secret {
    pub fn new(text: String) -> Self {
        Self { text: Zeroizing::new(text) }
    }

    /// For the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
