//! Which files the compiler reaches, and which of them in tests only.

use std::collections::BTreeMap;

use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit};
use toml::{Table, Value};

use super::tree::{Source, Tree};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Tests,
    Product,
}

/// How each reached file is reached; the stronger way where there are two.
pub(super) fn reached(tree: &Tree) -> BTreeMap<&str, Reach> {
    let sources: BTreeMap<&str, &Source> =
        tree.sources.iter().map(|source| (source.path.as_str(), source)).collect();
    let mut walk = Walk { sources, reached: BTreeMap::new() };
    for source in &tree.sources {
        if let Some(reach) = root_reach(&source.path) {
            walk.visit(&source.path, reach, true);
        }
    }
    for (path, reach) in named_roots(tree) {
        walk.visit(&path, reach, true);
    }
    walk.reached
}

/// Whether Cargo finds the file by itself.
fn root_reach(path: &str) -> Option<Reach> {
    let inner = match path.strip_prefix("crates/") {
        Some(rest) => rest.split_once('/')?.1,
        None => path.strip_prefix("xtask/")?,
    };
    let parts: Vec<&str> = inner.split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => Some(Reach::Product),
        ["src", "bin", _] | ["src", "bin", _, "main.rs"] => Some(Reach::Product),
        ["tests" | "benches" | "examples", _] => Some(Reach::Tests),
        ["tests" | "benches" | "examples", _, "main.rs"] => Some(Reach::Tests),
        _ => None,
    }
}

/// The roots that a manifest names with `path = "…"`.
fn named_roots(tree: &Tree) -> Vec<(String, Reach)> {
    let mut roots = Vec::new();
    for (path, text) in &tree.texts {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        let Ok(manifest) = text.parse::<Table>() else { continue };
        for (kind, reach) in [
            ("lib", Reach::Product),
            ("bin", Reach::Product),
            ("test", Reach::Tests),
            ("bench", Reach::Tests),
            ("example", Reach::Tests),
        ] {
            let targets = match manifest.get(kind) {
                Some(Value::Array(targets)) => targets.iter().collect(),
                other => Vec::from_iter(other),
            };
            let paths = targets.iter().filter_map(|target| target.get("path")?.as_str());
            roots.extend(paths.map(|file| (format!("{folder}/{file}"), reach)));
        }
    }
    roots
}

struct Walk<'a> {
    sources: BTreeMap<&'a str, &'a Source>,
    reached: BTreeMap<&'a str, Reach>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, path: &str, reach: Reach, is_root: bool) {
        let Some((path, source)) = self.sources.get_key_value(path) else { return };
        let (path, source) = (*path, *source);
        let reach = if is_test_only(&source.syntax.attrs) { Reach::Tests } else { reach };
        if self.reached.get(path).is_some_and(|former| reach <= *former) {
            return;
        }
        self.reached.insert(path, reach);
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let inner = match file.strip_suffix(".rs") {
            Some(stem) if !is_root && stem != "mod" => format!("{folder}/{stem}"),
            _ => folder.to_owned(),
        };
        self.visit_items(&source.syntax.items, folder, &inner, reach);
    }

    /// `folder` is where a `#[path]` starts, `inner` where the files of plain modules lie.
    fn visit_items(&mut self, items: &'a [Item], folder: &str, inner: &str, reach: Reach) {
        for item in items {
            if let Item::Mod(module) = item {
                self.visit_module(module, folder, inner, reach);
            }
        }
    }

    fn visit_module(&mut self, module: &'a ItemMod, folder: &str, inner: &str, reach: Reach) {
        let reach = if is_test_only(&module.attrs) { Reach::Tests } else { reach };
        let name = module.ident.to_string();
        if let Some((_, items)) = &module.content {
            let inner = format!("{inner}/{name}");
            self.visit_items(items, &inner, &inner, reach);
        } else if let Some(file) = path_attribute(&module.attrs) {
            // The file owns its folder, as `mod.rs` does.
            self.visit(&normal(&format!("{folder}/{file}")), reach, true);
        } else {
            self.visit(&format!("{inner}/{name}.rs"), reach, false);
            self.visit(&format!("{inner}/{name}/mod.rs"), reach, false);
        }
    }
}

/// Whether the attributes say `#[cfg(test)]`.
pub(super) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let value = &attribute.meta.require_name_value().ok()?.value;
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else { return None };
    Some(text.value())
}

/// The path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_followed_from_the_root() {
        let tree = Tree::of(&[
            ("crates/sim/src/lib.rs", "mod world;\nmod exchange { mod book; }\n"),
            ("crates/sim/src/world/mod.rs", "mod faults;\n#[cfg(test)] mod tests;\n"),
            ("crates/sim/src/world/faults.rs", "mod wire;\n"),
            ("crates/sim/src/world/faults/wire.rs", ""),
            ("crates/sim/src/world/tests.rs", ""),
            ("crates/sim/src/exchange/book.rs", ""),
        ]);

        let reached = reached(&tree);

        assert_eq!(reached.len(), 6);
        assert_eq!(reached.get("crates/sim/src/world/faults/wire.rs"), Some(&Reach::Product));
        assert_eq!(reached.get("crates/sim/src/world/tests.rs"), Some(&Reach::Tests));
    }

    #[test]
    fn path_attribute_is_followed() {
        let tree = Tree::of(&[
            ("crates/sim/tests/it/main.rs", "#[path = \"../../fixtures/tape.rs\"] mod tape;\n"),
            ("crates/sim/fixtures/tape.rs", ""),
        ]);

        assert!(reached(&tree).contains_key("crates/sim/fixtures/tape.rs"));
    }

    #[test]
    fn root_named_in_the_manifest_is_found() {
        let tree = Tree::of(&[
            ("crates/sim/Cargo.toml", "[[bench]]\nname = \"scan\"\npath = \"speed/scan.rs\"\n"),
            ("crates/sim/speed/scan.rs", ""),
        ]);

        assert!(reached(&tree).contains_key("crates/sim/speed/scan.rs"));
    }

    #[test]
    fn file_that_nobody_names_is_not_reached() {
        let tree =
            Tree::of(&[("crates/sim/src/lib.rs", "//! Sim.\n"), ("crates/sim/src/old.rs", "")]);

        assert!(!reached(&tree).contains_key("crates/sim/src/old.rs"));
    }
}
