//! Secrets that are planted in every run, and may not be found anywhere.

use std::{fmt::Write as _, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;

use super::{
    tally::{Finding, Kind},
    world::World,
};

pub(crate) const KEY: &str = "canaryKey8Jt2Vw9Lx4Rb6Qs3Ny7";
pub(crate) const SECRET: &str = "canarySecret5Hn3Gd7Pm1Zc8Wf4";
pub(crate) const PASSWORD: &str = "canaryPassword6Bq4Tk2Xv9";
/// Thirty-two bytes that seal the others.
const MASTER_KEY: [u8; 32] = *b"canaryMaster0Uy5Ej8Ra3Lp7Kd2Mt9!";

/// The master key as the environment has it.
pub(crate) fn master_key() -> String {
    STANDARD.encode(MASTER_KEY)
}

/// Everything that the world's processes wrote, and what their server keeps.
pub(super) fn look(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    in_folder(&world.place.path("."), &mut found);
    if let Some(database) = &world.database {
        in_bytes("the dump", &database.dump().unwrap(), &mut found);
        in_bytes("the server's log", &database.log().unwrap(), &mut found);
    }
    found
}

fn in_folder(folder: &Path, found: &mut Vec<Finding>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_folder(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            in_bytes(&path.display().to_string(), &bytes, found);
        }
    }
}

fn in_bytes(place: &str, bytes: &[u8], found: &mut Vec<Finding>) {
    let named = [
        ("the key", KEY.as_bytes()),
        ("the secret", SECRET.as_bytes()),
        ("the password", PASSWORD.as_bytes()),
        ("the master key", &MASTER_KEY),
    ];
    for (name, secret) in named {
        for form in forms(secret) {
            if memmem::find(bytes, form.as_bytes()).is_some() {
                found.push(Finding::new(Kind::Secret, format!("{name} in {place}")));
            }
        }
    }
}

/// A secret as people and programs write bytes: as they are, in base 64, in hexadecimal, as a list.
fn forms(secret: &[u8]) -> [String; 4] {
    let hex = secret.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let list = format!("{secret:?}");
    let list = list.trim_matches(['[', ']']).to_owned();
    [String::from_utf8(secret.to_owned()).unwrap(), STANDARD.encode(secret), hex, list]
}

#[test]
fn secret_is_found_in_every_form() {
    let bytes = format!("{:?}", PASSWORD.as_bytes());
    let hex = "63616e6172794d6173746572305579"; // the first half of the master key only
    let text = format!("{KEY} {} {bytes} {hex}", STANDARD.encode(SECRET));
    let mut found = Vec::new();

    in_bytes("a text", text.as_bytes(), &mut found);

    let found: Vec<String> = found.into_iter().map(|finding| finding.what).collect();
    assert_eq!(found, ["the key in a text", "the secret in a text", "the password in a text"]);
}
