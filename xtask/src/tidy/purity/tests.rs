use super::*;

const LIB: &str = "crates/sim/src/lib.rs";

fn faults(text: &str) -> Vec<String> {
    faults_at(LIB, text)
}

fn faults_at(path: &str, text: &str) -> Vec<String> {
    let tree = Tree::of(&[(path, text)]);
    assert_eq!(tree.unreadable, []);
    check(&tree).iter().map(ToString::to_string).collect()
}

#[test]
fn exact_code_passes() {
    let text = "
        //! Words such as async, f64 and std::fs in a comment do no harm.
        use std::{collections::BTreeMap, sync::Arc, time::Duration};
        /// Nor in a doc comment: std::env.
        fn half(price: i128) -> i128 { let text = \"f64\"; price / 2 }
        fn fee() -> Decimal { dec!(0.001) }
    ";

    assert_eq!(faults(text), [""; 0]);
}

#[test]
fn clock_in_a_path_is_caught() {
    assert_eq!(
        faults("\nfn now() { std::time::Instant::now(); }"),
        ["crates/sim/src/lib.rs:2: `std::time::Instant` in a pure crate, hand it in as an input"]
    );
}

#[test]
fn grouped_imports_are_expanded() {
    for import in [
        "use std::{fs, sync::Arc};",
        "use std::{sync::{Arc, Mutex}};",
        "use std::{time::{Duration, SystemTime as Wall}};",
        "use std::{net::{self, IpAddr}};",
        "pub use ::std::{thread::spawn};",
        "use core::{net};",
    ] {
        assert!(!faults(import).is_empty(), "{import}");
    }
}

#[test]
fn globs_that_bring_in_the_world_are_caught() {
    for import in ["use std::*;", "use std::sync::*;", "use std::fs::*;"] {
        assert_eq!(faults(import).len(), 1, "{import}");
    }
    assert_eq!(faults("use std::collections::*;"), [""; 0]);
}

#[test]
fn imported_parent_hides_nothing() {
    assert_eq!(faults("use std::sync;\nstruct A { b: sync::Mutex<u8> }").len(), 1);
    assert_eq!(faults("use std::time as t;\nfn a() { t::SystemTime::now(); }").len(), 1);
    assert_eq!(faults("use std as s;\nfn a() { s::env::args(); }").len(), 1);
}

#[test]
fn macros_hide_nothing() {
    assert_eq!(faults("fn a() { vec![std::env::args()]; }").len(), 1);
    assert_eq!(faults("macro_rules! a { () => { 1_f64 } }").len(), 1);
    assert_eq!(faults("macro_rules! a { ($b:ident) => { $b.await } }").len(), 1);
}

#[test]
fn waiting_is_caught() {
    assert_eq!(faults("async fn a() {}").len(), 1);
    assert_eq!(faults("fn a() { let b = async { 1 }; }").len(), 1);
    assert_eq!(faults("fn a() { b.await; }").len(), 1);
    assert_eq!(faults("fn a() { let b = async move || 1; }").len(), 1);
}

#[test]
fn floats_are_caught() {
    for text in [
        "fn a(b: f64) {}",
        "struct A(Vec<f32>);",
        "fn a() { let b = 1.5; }",
        "fn a() { let b = 1e3; }",
        "fn a() { let b = 1f32; }",
        "fn a() { let b = std::f64::consts::PI; }",
        "fn a() { price.to_f64(); }",
    ] {
        assert_eq!(faults(text).len(), 1, "{text}");
    }
    assert_eq!(faults("fn a() { let b = 0xff64; let c = d.0.1; }"), [""; 0]);
    assert_eq!(faults("fn a() { for b in 0..1.5 {} }").len(), 1);
}

#[test]
fn indicators_may_be_floats_and_nothing_else() {
    let island = "crates/trading/src/signal/rsi.rs";

    assert_eq!(faults_at(island, "fn rsi(closes: &[f64]) -> f64 { 0.5 }"), [""; 0]);
    assert_eq!(faults_at(island, "use std::fs;").len(), 1);
    assert_eq!(faults_at("crates/trading/src/signals.rs", "fn a(b: f64) {}").len(), 1);
}

#[test]
fn code_for_tests_is_free() {
    let text = "
        #[cfg(test)] mod tests { use std::fs; fn a(b: f64) { let c = 1.5; } }
        /// Described.
        #[cfg(test)] use std::env;
        struct A { #[cfg(test)] log: std::sync::Mutex<f64>, plain: u8 }
        impl A { #[cfg(test)] fn b(&self) -> f64 { 0.5 } }
        fn c() { #[cfg(test)] let d = 1.5; }
    ";

    assert_eq!(faults(text), [""; 0]);
}

#[test]
fn code_beside_tests_is_not_free() {
    let text = "#[cfg(test)] mod tests { fn a(b: f64) {} } fn c(d: f64) {}";

    assert_eq!(faults(text).len(), 1);
    assert_eq!(faults("#[cfg(not(test))] fn a(b: f64) {}").len(), 1);
}

#[test]
fn file_for_tests_is_free() {
    let tree = Tree::of(&[
        (LIB, "#[cfg(test)] mod fixtures;"),
        ("crates/sim/src/fixtures.rs", "fn a(b: f64) {}"),
    ]);

    assert_eq!(check(&tree), []);
}

#[test]
fn other_crates_are_free() {
    assert_eq!(faults_at("crates/lab/src/lib.rs", "use std::fs; fn a(b: f64) {}"), [""; 0]);
    assert_eq!(faults_at("crates/sim/tests/it/main.rs", "use std::fs;"), [""; 0]);
}
