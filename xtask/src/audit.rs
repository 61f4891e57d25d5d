//! `cargo xtask audit`: licences, sources, bans and known holes of what we depend on.

use crate::steps::{Action, Step, cargo, has_cargo, run_all, say};

pub(crate) fn audit() -> Result<(), String> {
    run_all(&[
        Step { name: "cargo-deny at hand", action: Action::Run(install) },
        Step {
            name: "bans, licences, sources",
            action: Action::Cargo(&["deny", "check", "bans", "licenses", "sources"]),
        },
        Step { name: "advisories", action: Action::Run(advisories) },
    ])
}

fn install() -> Result<(), String> {
    if has_cargo("deny") {
        return Ok(());
    }
    cargo(&["install", "cargo-deny", "--locked"])
}

/// The database is fetched from the network. Without it nothing is known, which is said and is not
/// the same as "nothing found".
fn advisories() -> Result<(), String> {
    if cargo(&["deny", "fetch", "db"]).is_err() {
        say("    NOT CHECKED: the advisory database cannot be had from here");
        return Ok(());
    }
    cargo(&["deny", "check", "--disable-fetch", "advisories"])
}
