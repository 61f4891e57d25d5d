//! Planted secrets, and the search for them in whatever a world writes or says.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use memchr::memmem;
use tracing_subscriber::fmt::MakeWriter;

/// Secrets are made of one word over and over, so that a part of one is found as well.
const KEY: &str = "tKn7Qz4W";
const SECRET: &str = "sVr5Xb2M";
const TOKEN: &str = "lTj9Pc6D";
/// How often; the exchange's keys and secrets have 64 letters.
const TIMES: usize = 8;
/// Letters of a signature in hexadecimal digits.
const SIGNATURE: usize = 64;

/// The planted API key.
pub(super) fn key() -> String {
    KEY.repeat(TIMES)
}

/// The planted secret of the key.
pub(super) fn secret() -> String {
    SECRET.repeat(TIMES)
}

/// The planted token, such as those that private streams had.
pub(super) fn token() -> String {
    TOKEN.repeat(TIMES)
}

/// What of the secrets stands in the bytes.
pub(super) fn find(bytes: &[u8]) -> Option<&'static str> {
    const PLANTED: [(&str, &str); 3] =
        [(KEY, "the API key"), (SECRET, "the secret of the key"), (TOKEN, "a listen token")];
    let holds = |word: &str| memmem::find(bytes, word.as_bytes()).is_some();
    let planted = PLANTED.into_iter().find(|(word, _)| holds(word)).map(|(_, name)| name);
    planted.or_else(|| has_signature(bytes).then_some("a signature"))
}

/// Whether so many hexadecimal digits follow one another. One of them is at each place looked at.
fn has_signature(bytes: &[u8]) -> bool {
    let is_digit = |byte: &&u8| byte.is_ascii_hexdigit();
    let mut places = (0..bytes.len()).step_by(SIGNATURE);
    places.any(|place| {
        let (before, after) = bytes.split_at(place);
        let after = after.iter().take_while(is_digit).count();
        let before = before.iter().rev().take_while(is_digit).count();
        after != 0 && SIGNATURE <= before.saturating_add(after)
    })
}

/// Takes logs in and keeps nothing but the first secret in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ear(Arc<Mutex<Option<&'static str>>>);

impl Ear {
    /// The first secret that was logged.
    pub(super) fn heard(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Ear {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(secret) = find(line) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(secret);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Ear {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
