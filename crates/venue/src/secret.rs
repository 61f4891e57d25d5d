//! Keys of users. They print their name only and are wiped when dropped.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

/// The public half of a key, as the venue names it. Not secret by itself, but never shown: it is one
/// half of what a thief needs.
#[derive(Clone)]
pub struct ApiKey {
    text: Zeroizing<String>,
}

/// The secret half: the text of a shared secret, or a private key in PEM.
pub struct ApiSecret {
    text: Zeroizing<String>,
}

/// A user's key at a venue.
pub struct Credentials {
    /// What the user calls it; the only part that is ever printed.
    pub name: String,
    pub key: ApiKey,
    pub secret: ApiSecret,
}

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    #[error("the key is empty")]
    Empty,
    #[error("the key holds a character that keys do not have")]
    BadCharacter,
}

impl ApiKey {
    /// Spaces around it, as copying leaves them, are dropped.
    pub fn new(text: &str) -> Result<Self, KeyTextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(KeyTextError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyTextError::BadCharacter);
        }
        Ok(Self { text: Zeroizing::new(text.to_owned()) })
    }

    /// For the one header, or the one field, that it goes into.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl ApiSecret {
    /// Spaces around it are dropped; the text handed in is wiped.
    pub fn new(mut text: String) -> Result<Self, KeyTextError> {
        let held = Zeroizing::new(text.trim().to_owned());
        text.zeroize();
        if held.is_empty() { Err(KeyTextError::Empty) } else { Ok(Self { text: held }) }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey")
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_their_name_only() {
        let credentials = Credentials {
            name: "main".to_owned(),
            key: ApiKey::new(" vmPUZE6mv9 ").unwrap(),
            secret: ApiSecret::new("NhqPtmdSJY\n".to_owned()).unwrap(),
        };

        let shown = format!("{credentials:?} {:?} {:?}", credentials.key, credentials.secret);

        assert_eq!(shown, "Credentials(main) ApiKey ApiSecret");
        assert_eq!(credentials.key.expose(), "vmPUZE6mv9");
        assert_eq!(credentials.secret.expose(), "NhqPtmdSJY");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(ApiKey::new(" ").err(), Some(KeyTextError::Empty));
        assert_eq!(ApiKey::new("a b").err(), Some(KeyTextError::BadCharacter));
        assert_eq!(ApiKey::new("a\r\nX-Other: b").err(), Some(KeyTextError::BadCharacter));
        assert_eq!(ApiSecret::new(String::new()).err(), Some(KeyTextError::Empty));
    }
}
