//! Keys of accounts: HMAC secrets and public keys, and the check of a signature.
//!
//! Binance spot API documents, "SIGNED endpoint security" (2026-07-21): HMAC-SHA256 in hex of any
//! case, RSA PKCS#1 v1.5 with SHA-256 and Ed25519 in base64.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{hmac, signature};
use serde::Deserialize;

/// What a signature is checked with.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySecret {
    /// The shared secret as text.
    Hmac(String),
    /// A public key, PEM of `SubjectPublicKeyInfo`.
    Ed25519(String),
    /// A public key, PEM of `SubjectPublicKeyInfo`.
    Rsa(String),
}

/// Why a public key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not a PEM block")]
    Pem,
    #[error("not a public key of the stated kind")]
    Kind,
    #[error("the secret is empty")]
    Empty,
}

/// A key that is ready to check.
#[derive(Clone)]
pub(crate) enum Verifier {
    Hmac(hmac::Key),
    Ed25519(Vec<u8>),
    Rsa(Vec<u8>),
}

/// `SubjectPublicKeyInfo` of an Ed25519 key before its 32 bytes (RFC 8410, section 4).
const ED25519_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_BYTES: usize = 32;
/// The object identifier of rsaEncryption (RFC 8017, appendix C) as it stands in DER.
const RSA_OID: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

impl KeySecret {
    pub(crate) fn verifier(&self) -> Result<Verifier, KeyError> {
        match self {
            Self::Hmac(secret) if secret.is_empty() => Err(KeyError::Empty),
            Self::Hmac(secret) => {
                Ok(Verifier::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
            }
            Self::Ed25519(pem) => {
                let der = pem_bytes(pem)?;
                let key = der.strip_prefix(&ED25519_HEAD).ok_or(KeyError::Kind)?;
                if key.len() != ED25519_BYTES {
                    return Err(KeyError::Kind);
                }
                Ok(Verifier::Ed25519(key.to_vec()))
            }
            Self::Rsa(pem) => rsa_key(&pem_bytes(pem)?).map(Verifier::Rsa),
        }
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac",
            Self::Ed25519(_) => "Ed25519",
            Self::Rsa(_) => "Rsa",
        })
    }
}

impl Verifier {
    /// Whether `given` (already percent-decoded) signs `payload`.
    pub(crate) fn accepts(&self, payload: &[u8], given: &str) -> bool {
        match self {
            Self::Hmac(key) => {
                hex(given).is_some_and(|tag| hmac::verify(key, payload, &tag).is_ok())
            }
            Self::Ed25519(key) => Self::public(&signature::ED25519, key, payload, given),
            Self::Rsa(key) => {
                Self::public(&signature::RSA_PKCS1_2048_8192_SHA256, key, payload, given)
            }
        }
    }

    fn public(
        algorithm: &'static dyn signature::VerificationAlgorithm,
        key: &[u8],
        payload: &[u8],
        given: &str,
    ) -> bool {
        let key = signature::UnparsedPublicKey::new(algorithm, key);
        STANDARD.decode(given).is_ok_and(|bytes| key.verify(payload, &bytes).is_ok())
    }

    /// Only these keys may log on to a session (Binance WebSocket API, "Session authentication").
    pub(crate) const fn may_log_on(&self) -> bool {
        matches!(self, Self::Ed25519(_))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let pairs = digits?;
    let bytes =
        pairs.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, half| byte << 4 | half));
    Some(bytes.collect())
}

fn pem_bytes(pem: &str) -> Result<Vec<u8>, KeyError> {
    let lines: Vec<&str> = pem.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_block = lines.first().is_some_and(|line| line.starts_with("-----BEGIN"))
        && lines.last().is_some_and(|line| line.starts_with("-----END"));
    if !is_block {
        return Err(KeyError::Pem);
    }
    let body: String = lines.into_iter().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).map_err(|_| KeyError::Pem)
}

/// Takes the `RSAPublicKey` out of a `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
fn rsa_key(der: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (info, _) = der_value(der, SEQUENCE).ok_or(KeyError::Kind)?;
    let (algorithm, rest) = der_value(info, SEQUENCE).ok_or(KeyError::Kind)?;
    if !algorithm.starts_with(&RSA_OID) {
        return Err(KeyError::Kind);
    }
    let (bits, _) = der_value(rest, BIT_STRING).ok_or(KeyError::Kind)?;
    // The first byte of a bit string counts the bits that its last one does not use.
    let key = bits.strip_prefix(&[0]).ok_or(KeyError::Kind)?;
    Ok(key.to_vec())
}

/// The value under a tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    if *short < 0x80 {
        return rest.split_at_checked(usize::from(*short));
    }
    let (length, rest) = rest.split_at_checked(usize::from(*short & 0x7f))?;
    let length = length
        .iter()
        .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair of RFC 8032, section 7.1, test 1.
    const RFC_8032: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn the_published_hmac_example_is_accepted_in_any_case() {
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let verifier = KeySecret::Hmac(secret.to_owned()).verifier().unwrap();
        let payload = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1\
            &recvWindow=5000&timestamp=1499827319559";
        let tag = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";

        assert!(verifier.accepts(payload, tag));
        assert!(verifier.accepts(payload, &tag.to_uppercase()));
        assert!(!verifier.accepts(payload, &tag.replace('c', "d")));
        assert!(!verifier.accepts(payload, "xyz"));
    }

    #[test]
    fn the_ed25519_vector_is_accepted() {
        let verifier = KeySecret::Ed25519(RFC_8032.to_owned()).verifier().unwrap();
        let payload = b"symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2\
            &timestamp=1668481559918&recvWindow=5000";
        let given = "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9\
            zgTDBg==";

        assert!(verifier.accepts(payload, given));
        assert!(!verifier.accepts(b"another", given));
    }

    #[test]
    fn what_is_no_key_of_the_kind_is_refused() {
        assert_eq!(KeySecret::Hmac(String::new()).verifier().unwrap_err(), KeyError::Empty);
        assert_eq!(KeySecret::Ed25519("key".to_owned()).verifier().unwrap_err(), KeyError::Pem);
        assert_eq!(KeySecret::Rsa(RFC_8032.to_owned()).verifier().unwrap_err(), KeyError::Kind);
    }

    #[test]
    fn a_secret_prints_its_kind_only() {
        assert_eq!(format!("{:?}", KeySecret::Hmac("deep".to_owned())), "Hmac");
    }
}
