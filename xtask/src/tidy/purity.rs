//! The pure crates never wait, read a clock, touch the world or count in floats.
//!
//! Looked at are the tokens of a file, so that macros hide nothing, without what is compiled for
//! tests only. Imports are looked at with their groups expanded.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use syn::{
    Attribute, Field, ImplItem, Item, ItemUse, Local, TraitItem, UseTree, Variant,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{
    Fault,
    layers::PURE,
    modules::{Reach, is_test_only, reached},
    tree::{Source, Tree},
};

/// Places in the standard library that are the world. `core` and `alloc` count as `std`.
const WORLD: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::mpsc",
];

/// Indicators are floats by nature; they never become money.
const FLOAT_ISLANDS: [&str; 2] = ["crates/trading/src/signal/", "crates/trading/src/signal.rs"];

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let reached = reached(tree);
    let product = |source: &&Source| {
        is_pure(&source.path) && reached.get(source.path.as_str()) != Some(&Reach::Tests)
    };
    tree.sources.iter().filter(product).flat_map(check_source).collect()
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|pure| path.starts_with(&format!("crates/{pure}/src/")))
}

fn check_source(source: &Source) -> Vec<Fault> {
    let mut outline = Outline::default();
    outline.visit_file(&source.syntax);
    let mut search = Search { path: &source.path, outline: &outline, faults: Vec::new() };
    for (import, span) in &outline.imports {
        search.look_at_path(import, *span);
    }
    search.look_at_tokens(source.tokens.clone(), false);
    search.faults.sort();
    search.faults.dedup();
    search.faults
}

/// What of a file is for tests only, and what it imports.
#[derive(Default)]
struct Outline {
    test_only: Vec<(Span, Span)>,
    imports: Vec<(Vec<String>, Span)>,
    /// The whole path behind a name in this file.
    names: BTreeMap<String, Vec<String>>,
}

impl Outline {
    /// Notes the node if it is for tests only, and tells so.
    fn skips(&mut self, attributes: &[Attribute], node: &impl Spanned) -> bool {
        let skips = is_test_only(attributes);
        if skips {
            let first = attributes.first().map_or_else(|| node.span(), Spanned::span);
            self.test_only.push((first, node.span()));
        }
        skips
    }

    fn is_test_only(&self, span: Span) -> bool {
        let place = |span: Span| (span.start().line, span.start().column);
        let end = |span: Span| (span.end().line, span.end().column);
        let is_within =
            |(first, last): &(Span, Span)| place(*first) <= place(span) && place(span) < end(*last);
        self.test_only.iter().any(is_within)
    }

    fn import(&mut self, prefix: &[String], tree: &UseTree) {
        let longer = |ident: &Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&longer(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                let short = prefix.last().cloned().unwrap_or_default();
                self.note(prefix.to_vec(), short, name.ident.span());
            }
            UseTree::Name(name) => {
                self.note(longer(&name.ident), name.ident.to_string(), name.ident.span());
            }
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.note(prefix.to_vec(), rename.rename.to_string(), rename.ident.span());
            }
            UseTree::Rename(rename) => {
                let short = rename.rename.to_string();
                self.note(longer(&rename.ident), short, rename.ident.span());
            }
            UseTree::Glob(glob) => {
                let whole = [prefix, &["*".to_owned()]].concat();
                self.imports.push((whole, glob.span()));
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(prefix, tree);
                }
            }
        }
    }

    fn note(&mut self, whole: Vec<String>, short: String, span: Span) {
        self.imports.push((whole.clone(), span));
        self.names.insert(short, whole);
    }
}

impl<'ast> Visit<'ast> for Outline {
    fn visit_item(&mut self, item: &'ast Item) {
        if !self.skips(attributes(item), item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => item.attrs.as_slice(),
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Verbatim(_) | _ => &[],
        };
        if !self.skips(attributes, item) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => item.attrs.as_slice(),
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            TraitItem::Verbatim(_) | _ => &[],
        };
        if !self.skips(attributes, item) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !self.skips(&field.attrs, field) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !self.skips(&variant.attrs, variant) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !self.skips(&local.attrs, local) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&[], &item.tree);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Verbatim(_) | _ => &[],
    }
}

struct Search<'a> {
    path: &'a str,
    outline: &'a Outline,
    faults: Vec<Fault>,
}

impl Search<'_> {
    /// `is_decimal` inside `dec!(…)`, whose literals are exact.
    fn look_at_tokens(&mut self, tokens: TokenStream, is_decimal: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        let mut dots = 0;
        while let [token, after @ ..] = rest {
            rest = after;
            // In `pair.0.1` the tokens are a dot and what looks like a float.
            let is_field = dots == 1;
            dots = if is_dot(token) { dots + 1 } else { 0 };
            match token {
                TokenTree::Literal(_) if is_field => {}
                TokenTree::Ident(ident) if !self.outline.is_test_only(ident.span()) => {
                    let (path, after) = path_from(ident, after);
                    rest = after;
                    self.look_at_idents(&path);
                    let is_dec = path.last().is_some_and(|last| *last == "dec");
                    if let [TokenTree::Punct(mark), TokenTree::Group(group), after @ ..] = rest
                        && is_dec
                        && mark.as_char() == '!'
                    {
                        self.look_at_tokens(group.stream(), true);
                        rest = after;
                    }
                }
                TokenTree::Group(group) => self.look_at_tokens(group.stream(), is_decimal),
                TokenTree::Literal(literal) => self.look_at_literal(literal, is_decimal),
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    fn look_at_idents(&mut self, path: &[Ident]) {
        for ident in path {
            let text = ident.to_string();
            if text == "async" || text == "await" {
                let what = format!("`{text}` in a pure crate, waiting is the drivers' work");
                self.report(ident.span(), what);
            }
            if text.split('_').any(|word| word == "f32" || word == "f64") {
                self.report_float(ident.span(), &text);
            }
        }
        if let Some(first) = path.first() {
            let names: Vec<String> = path.iter().map(ToString::to_string).collect();
            self.look_at_path(&self.whole(names), first.span());
        }
    }

    /// The path with its first name replaced by what the file imports under it.
    fn whole(&self, path: Vec<String>) -> Vec<String> {
        match path.split_first() {
            Some((first, rest)) => match self.outline.names.get(first) {
                Some(import) => [import, rest].concat(),
                None => path,
            },
            None => path,
        }
    }

    fn look_at_path(&mut self, path: &[String], span: Span) {
        let mut path = path.to_vec();
        if let Some(first) = path.first_mut().filter(|first| *first == "core" || *first == "alloc")
        {
            "std".clone_into(first);
        }
        let path = path.join("::");
        let is_world = |place: &&&str| match path.strip_suffix('*') {
            // A glob brings in what lies below it as well.
            Some(prefix) => place.starts_with(prefix) || path.starts_with(&format!("{place}::")),
            None => path == ***place || path.starts_with(&format!("{place}::")),
        };
        if let Some(place) = WORLD.iter().find(is_world) {
            let what = format!("`{place}` in a pure crate, hand it in as an input");
            self.report(span, what);
        }
    }

    fn look_at_literal(&mut self, literal: &Literal, is_decimal: bool) {
        let text = literal.to_string();
        let has_suffix = text.ends_with("f32") || text.ends_with("f64");
        let is_float = matches!(syn::parse_str(&text), Ok(syn::Lit::Float(_)));
        let is_hex = text.starts_with("0x");
        if !is_hex && (is_float && !is_decimal || has_suffix && text.starts_with(char::is_numeric))
        {
            self.report_float(literal.span(), &text);
        }
    }

    fn report_float(&mut self, span: Span, text: &str) {
        if !FLOAT_ISLANDS.iter().any(|island| self.path.starts_with(island)) {
            let what = format!("`{text}` in a pure crate, money is exact, use the `model` types");
            self.report(span, what);
        }
    }

    fn report(&mut self, span: Span, what: String) {
        if !self.outline.is_test_only(span) {
            self.faults.push(Fault::new(self.path, span.start().line, what));
        }
    }
}

fn is_dot(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == '.')
}

/// The idents joined by `::` from the first one on, and the tokens after them.
fn path_from<'a>(first: &Ident, mut rest: &'a [TokenTree]) -> (Vec<Ident>, &'a [TokenTree]) {
    let mut path = vec![first.clone()];
    while let [TokenTree::Punct(one), TokenTree::Punct(two), TokenTree::Ident(ident), after @ ..] =
        rest
        && (one.as_char(), two.as_char()) == (':', ':')
    {
        path.push(ident.clone());
        rest = after;
    }
    (path, rest)
}

#[cfg(test)]
mod tests;
