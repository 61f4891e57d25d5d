//! Names of assets and pairs.

use std::{fmt, str};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest name of an asset that we hold, in bytes.
pub const ASSET_LEN_MAX: usize = 15;

/// The name of an asset, such as `BTC`: upper-case letters and digits, held in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asset {
    text: [u8; ASSET_LEN_MAX],
    len: u8,
}

/// The text name of an instrument: `BTC/USDT`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Symbol {
    pub base: Asset,
    pub quote: Asset,
}

/// Why a text is not the name of an asset or a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("an asset is 1 to {ASSET_LEN_MAX} letters and digits: `{0}`")]
    Asset(String),
    #[error("a symbol is BASE/QUOTE, such as BTC/USDT: `{0}`")]
    Symbol(String),
}

impl Asset {
    /// Reads a name; lower case is raised.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let refused = || NameError::Asset(name.chars().take(40).collect());
        let mut text = [0; ASSET_LEN_MAX];
        if name.is_empty() || ASSET_LEN_MAX < name.len() {
            return Err(refused());
        }
        for (place, byte) in text.iter_mut().zip(name.bytes()) {
            if !byte.is_ascii_alphanumeric() {
                return Err(refused());
            }
            *place = byte.to_ascii_uppercase();
        }
        let len = u8::try_from(name.len()).map_err(|_| refused())?;
        Ok(Self { text, len })
    }

    pub fn as_str(&self) -> &str {
        let bytes = self.text.get(..usize::from(self.len)).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Symbol {
    /// Reads `BASE/QUOTE`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Symbol(text.chars().take(40).collect());
        let (base, quote) = text.split_once('/').ok_or_else(refused)?;
        Ok(Self { base: Asset::parse(base)?, quote: Asset::parse(quote)? })
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.base.as_str(), self.quote.as_str()))
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base.as_str(), self.quote.as_str())
    }
}

impl Serialize for Asset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Asset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_door() {
        assert_eq!(Symbol::parse("btc/usdt").unwrap().to_string(), "BTC/USDT");
        for wrong in ["", "BTCUSDT", "BTC/", "/USDT", "B-C/USDT", "BTC/USDT/X"] {
            assert!(Symbol::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Asset::parse("ABCDEFGHIJKLMNOP").is_err());
    }
}
