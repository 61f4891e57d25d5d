//! AES-256-GCM, and what each seal is bound to.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use zeroize::Zeroizing;

use super::CredentialId;
use crate::{chance, error::StoreError};

/// The only way of sealing so far, as the database names it.
pub(super) const AES_256_GCM: u16 = 1;

pub(super) const NONCE_LEN: usize = 12;
pub(super) const KEY_LEN: usize = 32;

/// A key for sealing, wiped when dropped.
pub(super) struct Key {
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

/// What does not open: changed, moved, or sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unopened;

/// What a seal is bound to.
pub(super) struct Binding<'a> {
    pub(super) user: &'a str,
    pub(super) credential: &'a str,
    pub(super) venue: &'a str,
}

impl Key {
    pub(super) const fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self { bytes }
    }

    pub(super) fn draw() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        chance::fill(bytes.as_mut_slice())?;
        Ok(Self { bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Reads an unwrapped key.
    pub(super) fn from_plain(plain: &[u8]) -> Result<Self, Unopened> {
        let bytes: [u8; KEY_LEN] = plain.try_into().map_err(|_| Unopened)?;
        Ok(Self { bytes: Zeroizing::new(bytes) })
    }

    /// Seals `plain` under a nonce that this key never had.
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        plain: &[u8],
        aad: &str,
    ) -> Result<Vec<u8>, StoreError> {
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        self.cipher()
            .encrypt(&nonce.into(), payload)
            .map_err(|_| StoreError::Failed("a secret is too long to seal".to_owned()))
    }

    pub(super) fn open(
        &self,
        nonce: &[u8],
        sealed: &[u8],
        aad: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| Unopened)?;
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        let plain = self.cipher().decrypt(&nonce.into(), payload).map_err(|_| Unopened)?;
        Ok(Zeroizing::new(plain))
    }

    fn cipher(&self) -> Aes256Gcm {
        let bytes: &[u8; KEY_LEN] = &self.bytes;
        Aes256Gcm::new(bytes.into())
    }
}

impl Binding<'_> {
    /// For a field of the credential.
    pub(super) fn field(&self, field: &str) -> String {
        let Self { user, credential, venue } = self;
        format!("tranche/v1|cred|user={user}|cred={credential}|venue={venue}|field={field}")
    }

    /// For its data key, which is bound to the master key as well.
    pub(super) fn data_key(&self, kek: u32, field: &str) -> String {
        format!("tranche/v1|dek|kek={kek}|{}", self.field(field))
    }
}

/// For the proof that a master key is the one that it was.
pub(super) fn proof(kek: u32) -> String {
    format!("tranche/v1|proof|kek={kek}|")
}

/// Whether it can stand in a binding without being taken for another part of it.
pub(super) fn is_name(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// The words of a credential's binding.
pub(super) struct Words {
    user: String,
    credential: String,
    venue: String,
}

impl Words {
    pub(super) fn new(user: u32, credential: CredentialId, venue: &str) -> Self {
        Self { user: user.to_string(), credential: credential.to_string(), venue: venue.to_owned() }
    }

    pub(super) fn binding(&self) -> Binding<'_> {
        Binding { user: &self.user, credential: &self.credential, venue: &self.venue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding<'_> = Binding {
        user: "018f6d2e-0000-7000-8000-000000000001",
        credential: "018f6d2e-0000-7000-8000-0000000000aa",
        venue: "binance",
    };

    fn key(first: u8) -> Key {
        let mut bytes = [0; KEY_LEN];
        (first..).zip(&mut bytes).for_each(|(value, byte)| *byte = value);
        Key::new(Zeroizing::new(bytes))
    }

    fn nonce(first: u8) -> [u8; NONCE_LEN] {
        let mut bytes = [0; NONCE_LEN];
        (first..).zip(&mut bytes).for_each(|(value, byte)| *byte = value);
        bytes
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// Computed with another implementation of AES-GCM.
    #[test]
    fn seals_are_those_of_the_test_vector() {
        let (kek, dek) = (key(0x00), key(0x20));

        let aad = BINDING.data_key(1, "secret");
        let wrapped = kek.seal(nonce(0x00), dek.bytes(), &aad).unwrap();
        let sealed = dek.seal(nonce(0x0c), b"example-exchange-secret", &BINDING.field("secret"));

        assert_eq!(
            hex(&wrapped),
            "6723f438e1c0e43ca568bda09dc45642b3e7b507c44e694b005edfbe21543e8d\
             5d6dec524eb87301802ea9804de61fa3"
        );
        assert_eq!(
            hex(&sealed.unwrap()),
            "87422f5844516592bb2d879c93bb84a283e54ed4b9c9ed46772b208ad0004ab63608f85cc14459"
        );
    }

    #[test]
    fn moved_or_changed_seal_does_not_open() {
        let dek = key(0x20);
        let sealed = dek.seal(nonce(1), b"secret", &BINDING.field("secret")).unwrap();

        let opened = dek.open(&nonce(1), &sealed, &BINDING.field("secret")).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        let elsewhere = [
            Binding { user: "2", ..BINDING }.field("secret"),
            Binding { credential: "2", ..BINDING }.field("secret"),
            Binding { venue: "bybit", ..BINDING }.field("secret"),
            BINDING.field("passphrase"),
            BINDING.data_key(1, "secret"),
        ];
        for aad in elsewhere {
            assert_eq!(dek.open(&nonce(1), &sealed, &aad).err(), Some(Unopened), "{aad}");
        }
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            let aad = BINDING.field("secret");
            assert_eq!(dek.open(&nonce(1), &changed, &aad).err(), Some(Unopened), "{place}");
        }
        assert_eq!(dek.open(&nonce(1)[..11], &sealed, "").err(), Some(Unopened));
        assert_eq!(
            key(0x21).open(&nonce(1), &sealed, &BINDING.field("secret")).err(),
            Some(Unopened)
        );
    }

    #[test]
    fn names_cannot_forge_a_binding() {
        assert!(is_name("binance-spot_2"));
        for bad in ["", "a|field=x", "a=b", "A", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
