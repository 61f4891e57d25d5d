//! Signatures of requests.
//!
//! Binance spot API documents, "Request security" (2026-07-21): the payload is the query followed by the
//! body, percent-encoded before signing (since 2026-01-15); on the WebSocket API it is the parameters
//! sorted by name, not encoded.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::{rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{secret::ApiSecret, venue::BadKey};

/// A secret, ready to sign.
pub(super) enum Signer {
    Hmac(Box<Hmac<Sha256>>),
    Ed25519(Box<SigningKey>),
    Rsa(Box<rsa::KeyPair>),
}

/// The parameters of a request, in the order in which they are sent.
#[derive(Debug, Default, Clone)]
pub(super) struct Params {
    text: String,
}

impl Signer {
    /// A private key in PEM is used as what it is, anything else is a shared secret.
    pub(super) fn new(secret: &ApiSecret) -> Result<Self, BadKey> {
        let text = secret.expose();
        if text.contains("-----BEGIN") {
            return Self::from_pem(text);
        }
        // Any length is a key for HMAC.
        let mac = Hmac::new_from_slice(text.as_bytes()).map_err(|_| BadKey::PrivateKey)?;
        Ok(Self::Hmac(Box::new(mac)))
    }

    fn from_pem(text: &str) -> Result<Self, BadKey> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        let body = Zeroizing::new(lines.collect::<String>());
        let der = Zeroizing::new(STANDARD.decode(&*body).map_err(|_| BadKey::PrivateKey)?);
        if let Ok(key) = SigningKey::from_pkcs8_der(&der) {
            return Ok(Self::Ed25519(Box::new(key)));
        }
        let key = rsa::KeyPair::from_pkcs8(&der).map_err(|_| BadKey::PrivateKey)?;
        Ok(Self::Rsa(Box::new(key)))
    }

    /// The signature as text, not percent-encoded. `None` when the machine has no randomness for the
    /// blinding of RSA.
    pub(super) fn sign(&self, payload: &[u8]) -> Option<String> {
        match self {
            Self::Hmac(mac) => {
                let mut mac = mac.clone();
                mac.update(payload);
                Some(hex(&mac.finalize().into_bytes()))
            }
            Self::Ed25519(key) => Some(STANDARD.encode(key.sign(payload).to_bytes())),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload, &mut signature).ok()?;
                Some(STANDARD.encode(signature))
            }
        }
    }

    /// The parameters with their signature at the end, as they are sent in a query or a form.
    pub(super) fn seal(&self, params: Params) -> Option<String> {
        let signature = self.sign(params.text.as_bytes())?;
        Some(params.with("signature", &signature).text)
    }

    /// The signature over parameters of the WebSocket API.
    pub(super) fn sign_sorted(&self, params: &BTreeMap<&str, String>) -> Option<String> {
        let pairs: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.sign(pairs.join("&").as_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Signer(HMAC)",
            Self::Ed25519(_) => "Signer(Ed25519)",
            Self::Rsa(_) => "Signer(RSA)",
        })
    }
}

impl Params {
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        percent_encode(value, &mut self.text);
        self
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// RFC 3986: only unreserved characters stay.
fn percent_encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [digit(byte >> 4), digit(byte & 15)].map(|digit| digit.to_ascii_uppercase()),
            );
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests;
