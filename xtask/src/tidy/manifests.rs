//! What each manifest must say for the other limits to hold.

use toml::{Table, Value};

use super::{Fault, tree::Tree};

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in &tree.texts {
        // One below the root replaces the one at the root: its limits would be gone.
        if path.ends_with("/clippy.toml") {
            faults.push(Fault::new(path, 1, "one clippy.toml, at the root, move the lines there"));
        }
        let Ok(manifest) = text.parse::<Table>() else { continue };
        if path == "Cargo.toml" {
            faults.extend(check_profiles(path, &manifest));
        } else if path.ends_with("/Cargo.toml") {
            faults.extend(check_member(path, &manifest));
        }
    }
    faults
}

/// A shard catches what an account throws, and an integer that wraps is money that vanishes.
fn check_profiles(path: &str, root: &Table) -> Vec<Fault> {
    let profiles = root.get("profile").and_then(Value::as_table).into_iter().flatten();
    let mut faults = Vec::new();
    for (name, profile) in profiles {
        if profile.get("panic").is_some_and(|panic| panic.as_str() != Some("unwind")) {
            let what = format!("profile {name} aborts, an account's panic is caught, drop `panic`");
            faults.push(Fault::new(path, 1, what));
        }
        let checks = profile.get("overflow-checks").and_then(Value::as_bool);
        if checks == Some(false) || name == "release" && checks.is_none() {
            let what = format!("profile {name} lets integers wrap, set `overflow-checks = true`");
            faults.push(Fault::new(path, 1, what));
        }
    }
    faults
}

fn check_member(path: &str, manifest: &Table) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(Value::as_bool) != Some(true) {
        faults.push(Fault::new(path, 1, "the lints do not apply, add `[lints] workspace = true`"));
    }
    let entries = SECTIONS.iter().filter_map(|title| manifest.get(*title)?.as_table()).flatten();
    for (key, value) in entries {
        if value.get("workspace").and_then(Value::as_bool) != Some(true) {
            let what = format!(
                "version of {key}: versions stand in the root's table, say `{key}.workspace = true`"
            );
            faults.push(Fault::new(path, 1, what));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n";

    #[test]
    fn good_member_passes() {
        assert_eq!(check(&Tree::of(&[("crates/sim/Cargo.toml", GOOD)])), []);
    }

    #[test]
    fn member_without_the_lints_is_caught() {
        assert_eq!(check(&Tree::of(&[("crates/sim/Cargo.toml", "")])).len(), 1);
    }

    #[test]
    fn version_outside_the_root_is_caught() {
        let manifest = GOOD.replace("serde.workspace = true", "serde = \"1\"");

        assert_eq!(check(&Tree::of(&[("crates/sim/Cargo.toml", &manifest)])).len(), 1);
    }

    #[test]
    fn second_clippy_toml_is_caught() {
        assert_eq!(check(&Tree::of(&[("crates/sim/clippy.toml", "")])).len(), 1);
        assert_eq!(check(&Tree::of(&[("clippy.toml", "")])), []);
    }

    #[test]
    fn aborting_profile_is_caught() {
        let root = "[profile.fast]\npanic = \"abort\"\n";

        assert_eq!(check(&Tree::of(&[("Cargo.toml", root)])).len(), 1);
    }

    #[test]
    fn wrapping_release_is_caught() {
        let wraps = "[profile.release]\nlto = true\n";
        let traps = "[profile.release]\noverflow-checks = true\n";

        assert_eq!(check(&Tree::of(&[("Cargo.toml", wraps)])).len(), 1);
        assert_eq!(check(&Tree::of(&[("Cargo.toml", traps)])), []);
    }
}
