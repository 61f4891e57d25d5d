//! Which crate may know which.

use toml::{Table, Value};

use super::{Fault, tree::Tree};

/// Each crate with what it may use of ours. Lower floors first; nothing points up.
const FLOORS: [(&str, &[&str]); 10] = [
    ("model", &[]),
    ("trading", &["model"]),
    ("sim", &["model", "trading"]),
    ("simserver", &["model", "sim"]),
    ("venue", &["model"]),
    ("store", &["model"]),
    ("lab", &["model", "trading", "sim"]),
    ("engine", &["model", "trading", "sim", "venue", "store"]),
    ("api", &["model", "trading", "sim", "store", "lab", "engine"]),
    (
        "tranche",
        &["model", "trading", "sim", "simserver", "venue", "store", "lab", "engine", "api"],
    ),
];

/// What tests may use on top: the simulated exchange stands in for a real one.
const DEV_ARROWS: [(&str, &str); 2] = [("venue", "simserver"), ("engine", "simserver")];

/// The crates that never wait, read a clock or touch the world.
pub(super) const PURE: [&str; 3] = ["model", "trading", "sim"];
/// The whole outside world that a pure crate may use.
const PURE_OUTSIDE: [&str; 5] = ["rust_decimal", "serde", "thiserror", "indexmap", "postcard"];
const PURE_OUTSIDE_IN_TESTS: [&str; 4] = ["proptest", "serde_json", "criterion", "insta"];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    Dev,
    Build,
}

const KINDS: [(&str, Kind); 3] = [
    ("dependencies", Kind::Normal),
    ("dev-dependencies", Kind::Dev),
    ("build-dependencies", Kind::Build),
];

struct Dependency {
    /// How the manifest calls it.
    key: String,
    package: String,
    kind: Kind,
}

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let shared = tree.texts.get("Cargo.toml").and_then(|text| text.parse::<Table>().ok());
    let shared = shared.as_ref().and_then(|root| table(root, &["workspace", "dependencies"]));
    tree.crates.iter().flat_map(|name| check_crate(tree, name, shared)).collect()
}

fn check_crate(tree: &Tree, name: &str, shared: Option<&Table>) -> Vec<Fault> {
    let path = format!("crates/{name}/Cargo.toml");
    let Some((_, allowed)) = FLOORS.iter().find(|(floor, _)| *floor == name) else {
        let what = format!("crate `{name}` has no floor, add it to the table in xtask with an ADR");
        return vec![Fault::new(&path, 1, what)];
    };
    let Some(text) = tree.texts.get(&path) else {
        return vec![Fault::new(&path, 1, "no manifest, a folder in crates/ is a crate")];
    };
    let manifest = match text.parse::<Table>() {
        Ok(manifest) => manifest,
        Err(error) => {
            let what = format!("unreadable manifest: {}", error.message());
            return vec![Fault::new(&path, 1, what)];
        }
    };
    let mut faults: Vec<Fault> = check_name(name, &path, &manifest).into_iter().collect();
    for Dependency { key, package, kind } in dependencies(&manifest, shared) {
        let refusal = match package.strip_prefix("tranche-") {
            Some(ours) => refuse_ours(name, allowed, ours, kind),
            None if package == "tranche" => Some(format!("{name} must not use the binary")),
            None => refuse_outside(name, &package, kind),
        };
        faults.extend(refusal.map(|what| Fault::new(&path, line_of(text, &key), what)));
    }
    faults
}

fn check_name(name: &str, path: &str, manifest: &Table) -> Option<Fault> {
    let wanted = if name == "tranche" { name.to_owned() } else { format!("tranche-{name}") };
    let given = table(manifest, &["package"])?.get("name")?.as_str()?;
    let what = format!("package `{given}` in the folder `{name}`, call it `{wanted}`");
    (given != wanted).then(|| Fault::new(path, 1, what))
}

fn refuse_ours(name: &str, allowed: &[&str], ours: &str, kind: Kind) -> Option<String> {
    // A crate uses itself in tests for a feature that only tests need.
    let is_for_tests = DEV_ARROWS.contains(&(name, ours)) || name == ours;
    let is_allowed = allowed.contains(&ours) || kind == Kind::Dev && is_for_tests;
    let may = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
    (!is_allowed)
        .then(|| format!("{name} must not use {ours} (it may: {may}), move the code or drop it"))
}

fn refuse_outside(name: &str, package: &str, kind: Kind) -> Option<String> {
    let is_allowed = !PURE.contains(&name)
        || PURE_OUTSIDE.contains(&package)
        || kind == Kind::Dev && PURE_OUTSIDE_IN_TESTS.contains(&package);
    let may = PURE_OUTSIDE.join(", ");
    (!is_allowed).then(|| {
        format!("{name} is pure and must not use {package} (it may: {may}), do it a floor higher")
    })
}

fn dependencies(manifest: &Table, shared: Option<&Table>) -> Vec<Dependency> {
    let mut found = Vec::new();
    let targets = table(manifest, &["target"]).into_iter().flat_map(Table::values);
    for section in targets.filter_map(Value::as_table).chain([manifest]) {
        for (title, kind) in KINDS {
            for (key, value) in table(section, &[title]).into_iter().flatten() {
                found.push(Dependency {
                    key: key.clone(),
                    package: package(key, value, shared),
                    kind,
                });
            }
        }
    }
    found
}

/// The package behind a key, which may be a new name for it, here or in the workspace.
fn package(key: &str, value: &Value, shared: Option<&Table>) -> String {
    let renamed = |value: &Value| Some(value.get("package")?.as_str()?.to_owned());
    let in_workspace = || renamed(shared?.get(key)?);
    renamed(value).or_else(in_workspace).unwrap_or_else(|| key.to_owned())
}

fn table<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

fn line_of(manifest: &str, key: &str) -> usize {
    let names_key = |line: &str| {
        let rest = line.trim_start().trim_start_matches('"').strip_prefix(key);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
    };
    manifest.lines().position(names_key).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, sections: &str) -> Vec<String> {
        let shown = if name == "tranche" { name.to_owned() } else { format!("tranche-{name}") };
        let manifest = format!("[package]\nname = \"{shown}\"\n{sections}");
        faults_of_tree(&[(&format!("crates/{name}/Cargo.toml"), &manifest)])
    }

    fn faults_of_tree(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrow_down_passes() {
        let sections = "[dependencies]\ntranche-model.workspace = true\nserde = \"1\"\n";

        assert!(faults("trading", sections).is_empty());
    }

    #[test]
    fn arrow_up_is_caught() {
        assert_eq!(
            faults("trading", "[dependencies]\ntranche-venue.workspace = true\n"),
            ["crates/trading/Cargo.toml:4: trading must not use venue (it may: model), \
              move the code or drop it"]
        );
    }

    #[test]
    fn arrows_for_tests_builds_and_targets_are_read() {
        for title in [
            "dev-dependencies",
            "build-dependencies",
            "target.'cfg(unix)'.dependencies",
            "target.'cfg(unix)'.dev-dependencies",
        ] {
            let sections = format!("[{title}]\ntranche-engine.workspace = true\n");

            assert_eq!(faults("lab", &sections).len(), 1, "{title}");
        }
    }

    #[test]
    fn simulated_exchange_may_serve_tests_only() {
        let tests = "[dev-dependencies]\ntranche-simserver.workspace = true\n";
        let product = "[dependencies]\ntranche-simserver.workspace = true\n";

        assert!(faults("venue", tests).is_empty());
        assert!(faults("engine", tests).is_empty());
        assert_eq!(faults("venue", product).len(), 1);
        assert_eq!(faults("store", tests).len(), 1);
    }

    #[test]
    fn crate_uses_itself_in_tests_only() {
        let tests = "[dev-dependencies]\ntranche-store.workspace = true\n";
        let product = "[dependencies]\ntranche-store.workspace = true\n";

        assert!(faults("store", tests).is_empty());
        assert_eq!(faults("store", product).len(), 1);
    }

    #[test]
    fn new_name_hides_nothing() {
        let here = "[dependencies]\nshelf = { package = \"tranche-store\", path = \"../store\" }\n";
        assert_eq!(faults("trading", here).len(), 1);

        let root =
            "[workspace.dependencies]\nshelf = { package = \"tranche-store\", path = \"x\" }\n";
        let manifest = "[dependencies]\nshelf.workspace = true\n";
        let files = [("Cargo.toml", root), ("crates/trading/Cargo.toml", manifest)];
        assert_eq!(faults_of_tree(&files).len(), 1);
    }

    #[test]
    fn pure_crate_keeps_the_outside_out() {
        assert_eq!(faults("sim", "[dependencies]\ntokio = \"1\"\n").len(), 1);
        assert_eq!(faults("sim", "[build-dependencies]\ncc = \"1\"\n").len(), 1);
        assert_eq!(faults("sim", "[dependencies]\nproptest = \"1\"\n").len(), 1);
        assert!(faults("sim", "[dev-dependencies]\nproptest = \"1\"\n").is_empty());
        assert!(faults("venue", "[dependencies]\ntokio = \"1\"\n").is_empty());
    }

    #[test]
    fn crate_without_a_floor_is_caught() {
        assert_eq!(faults("attic", "").len(), 1);
    }

    #[test]
    fn folder_without_a_manifest_is_caught() {
        assert_eq!(faults_of_tree(&[("crates/model/src/lib.rs", "//! Nouns.\n")]).len(), 1);
    }

    #[test]
    fn unreadable_manifest_is_caught() {
        assert_eq!(faults_of_tree(&[("crates/model/Cargo.toml", "[package\n")]).len(), 1);
    }

    #[test]
    fn package_is_called_like_its_folder() {
        let manifest = "[package]\nname = \"tranche-nouns\"\n";

        assert_eq!(faults_of_tree(&[("crates/model/Cargo.toml", manifest)]).len(), 1);
    }

    #[test]
    fn binary_is_used_by_nobody() {
        assert_eq!(faults("api", "[dependencies]\ntranche = { path = \"x\" }\n").len(), 1);
    }
}
