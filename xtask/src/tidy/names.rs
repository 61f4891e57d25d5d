//! What things are called: one word for one meaning, and names that say something.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use super::{
    Fault,
    tree::{Source, Tree},
};

/// Endings of type names that say nothing of what the type is.
const EMPTY_ENDINGS: [&str; 6] = ["Manager", "Helper", "Helpers", "Utils", "Util", "Impl"];
/// File and folder names that invite everything.
const EMPTY_FILES: [&str; 6] = ["utils", "util", "helpers", "helper", "misc", "common"];
/// Words that are short for something, with the whole word.
const SHORT: [(&str, &str); 4] =
    [("amt", "qty or notional"), ("pos", "position"), ("cfg", "config"), ("mgr", "what it does")];
const TYPE_KEYWORDS: [&str; 5] = ["struct", "enum", "trait", "union", "type"];

pub(super) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults: Vec<Fault> = tree.sources.iter().flat_map(check_source).collect();
    faults.extend(check_decisions(tree));
    faults.extend(check_changelog(tree));
    faults
}

fn check_source(source: &Source) -> Vec<Fault> {
    let stem = source.path.trim_end_matches(".rs");
    let mut faults = Vec::new();
    if let Some(part) = stem.split('/').find(|part| EMPTY_FILES.contains(part)) {
        let what = format!("`{part}` says not what is inside, name the file by its subject");
        faults.push(Fault::new(&source.path, 1, what));
    }
    // There the names are the exchange's own.
    let is_foreign = source.file_name() == "wire.rs";
    let mut names = Names { path: &source.path, is_foreign, faults };
    names.look_at(source.tokens.clone());
    names.faults
}

struct Names<'a> {
    path: &'a str,
    is_foreign: bool,
    faults: Vec<Fault>,
}

impl Names<'_> {
    fn look_at(&mut self, tokens: TokenStream) {
        let mut keyword = String::new();
        let mut is_test = false;
        let mut in_attribute = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    if !(name == "cfg" && tokens.peek().is_some_and(is_bang)) {
                        self.look_at_ident(&ident);
                    }
                    if TYPE_KEYWORDS.contains(&keyword.as_str()) {
                        self.look_at_type(&ident);
                    }
                    if keyword == "fn" {
                        self.look_at_function(&ident, is_test);
                        is_test = false;
                    }
                    keyword = name;
                    in_attribute = false;
                }
                TokenTree::Group(group) if in_attribute => {
                    is_test |= group.delimiter() == Delimiter::Bracket
                        && is_test_attribute(&group.stream());
                    in_attribute = false;
                }
                TokenTree::Group(group) => {
                    self.look_at(group.stream());
                    keyword.clear();
                }
                TokenTree::Punct(mark) => {
                    in_attribute = mark.as_char() == '#' || in_attribute && mark.as_char() == '!';
                    keyword.clear();
                }
                TokenTree::Literal(_) => keyword.clear(),
            }
        }
    }

    fn look_at_ident(&mut self, ident: &Ident) {
        if self.is_foreign {
            return;
        }
        let name = ident.to_string();
        for word in words(&name) {
            if let Some((short, whole)) = SHORT.iter().find(|(short, _)| word == *short) {
                self.report(
                    ident,
                    format!("`{short}` in `{name}` is short for {whole}, write it out"),
                );
            }
        }
        let lower = name.to_lowercase();
        if lower.contains("canceled") || lower.contains("canceling") {
            self.report(ident, format!("`{name}`: we write cancelled with two l"));
        }
    }

    fn look_at_type(&mut self, ident: &Ident) {
        let name = ident.to_string();
        if let Some(ending) = EMPTY_ENDINGS.iter().find(|ending| name.ends_with(**ending)) {
            self.report(ident, format!("type `{name}`: `{ending}` says nothing, name what it is"));
        }
    }

    fn look_at_function(&mut self, ident: &Ident, is_test: bool) {
        let name = ident.to_string();
        if is_test && name.starts_with("test_") {
            let what = format!("test `{name}`: its name is the claim, drop `test_`");
            self.report(ident, what);
        }
    }

    fn report(&mut self, ident: &Ident, what: String) {
        self.faults.push(Fault::new(self.path, ident.span().start().line, what));
    }
}

fn is_bang(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == '!')
}

/// `#[test]`, `#[tokio::test]`, `#[test_case(…)]`.
fn is_test_attribute(attribute: &TokenStream) -> bool {
    attribute.clone().into_iter().any(
        |token| matches!(token, TokenTree::Ident(ident) if ident == "test" || ident == "test_case"),
    )
}

/// The words of `snake_case`, `SCREAMING_CASE` and `CamelCase`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() && was_lower {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words
}

/// A decision is found by its number.
fn check_decisions(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut path_by_number: BTreeMap<&str, &str> = BTreeMap::new();
    for path in tree.texts.keys() {
        let Some(file) = path.strip_prefix("docs/adr/") else { continue };
        let Some(number) = decision_number(file) else {
            let what = "name of a decision, NNNN-title.md in lower case";
            faults.push(Fault::new(path, 1, what));
            continue;
        };
        if let Some(former) = path_by_number.insert(number, path) {
            let what = format!("number {number} is taken by {former}, take the next free one");
            faults.push(Fault::new(path, 1, what));
        }
    }
    faults
}

fn decision_number(file: &str) -> Option<&str> {
    let (number, title) = file.strip_suffix(".md")?.split_once('-')?;
    let is_number = number.len() == 4 && number.chars().all(|digit| digit.is_ascii_digit());
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_title = title.split('-').all(|word| !word.is_empty() && word.chars().all(is_plain));
    (is_number && is_title).then_some(number)
}

fn check_changelog(tree: &Tree) -> Option<Fault> {
    let has_section =
        tree.texts.get("CHANGELOG.md")?.lines().any(|line| line.trim_end() == "## [Unreleased]");
    let what = "no section `## [Unreleased]`, the next change needs a place";
    (!has_section).then(|| Fault::new("CHANGELOG.md", 1, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        assert_eq!(tree.unreadable, []);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    fn faults_in(text: &str) -> usize {
        faults("crates/sim/src/lib.rs", text).len()
    }

    #[test]
    fn names_that_say_something_pass() {
        let text = "
            #[cfg(test)]
            #[cfg_attr(test, derive(Debug))]
            struct Position { qty: Qty, is_cancelled: bool, compose: u8 }
            type Held = Position;
            fn config() -> bool { cfg!(debug_assertions) }
            #[test]
            fn position_grows_with_a_fill() {}
            impl Position {}
        ";

        assert_eq!(faults_in(text), 0);
    }

    #[test]
    fn empty_endings_are_caught() {
        for item in [
            "struct OrderManager;",
            "enum PriceHelper {}",
            "trait ClockUtils {}",
            "type VenueImpl = u8;",
            "macro_rules! a { () => { struct BookUtil; } }",
        ] {
            assert_eq!(faults_in(item), 1, "{item}");
        }
    }

    #[test]
    fn abbreviations_are_caught_inside_names() {
        for item in [
            "fn a(amt: u8) {}",
            "struct A { open_pos: u8 }",
            "struct BotCfg;",
            "const MGR: u8 = 1;",
        ] {
            assert_eq!(faults_in(item), 1, "{item}");
        }
    }

    #[test]
    fn cancelled_has_two_l() {
        assert_eq!(faults_in("enum Stage { Canceled }"), 1);
        assert_eq!(faults_in("enum Stage { Cancelled, Cancelling }"), 0);
    }

    #[test]
    fn exchange_names_may_stand_in_wire_files() {
        let text = "struct WireOrder { pos: u8, canceled: bool }";

        assert_eq!(faults("crates/venue/src/okx/wire.rs", text).len(), 0);
        assert_eq!(faults("crates/venue/src/okx/parse.rs", text).len(), 2);
    }

    #[test]
    fn prefix_of_tests_is_caught() {
        assert_eq!(faults_in("#[test] fn test_fill() {}"), 1);
        assert_eq!(faults_in("proptest! { #[test] fn test_fill(a in 0..9) {} }"), 1);
        assert_eq!(faults_in("#[tokio::test] async fn test_fill() {}"), 1);
        assert_eq!(faults_in("fn test_net_address() {}"), 0);
    }

    #[test]
    fn drawer_files_are_caught() {
        for path in ["crates/sim/src/utils.rs", "crates/sim/src/common/mod.rs"] {
            assert_eq!(faults(path, "").len(), 1, "{path}");
        }
    }

    #[test]
    fn decisions_have_a_number_and_a_title() {
        assert_eq!(faults("docs/adr/0001-pure-floors.md", "").len(), 0);
        for path in ["docs/adr/pure-floors.md", "docs/adr/1-pure.md", "docs/adr/0001-Pure.md"] {
            assert_eq!(faults(path, "").len(), 1, "{path}");
        }
    }

    #[test]
    fn decision_number_is_given_once() {
        let tree = Tree::of(&[("docs/adr/0001-one.md", ""), ("docs/adr/0001-two.md", "")]);

        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn changelog_has_a_place_for_the_next_change() {
        assert_eq!(faults("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n").len(), 0);
        assert_eq!(faults("CHANGELOG.md", "# Changelog\n\n## [0.1.0]\n").len(), 1);
    }
}
