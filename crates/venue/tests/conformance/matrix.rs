//! Holds the documents to the suite: a capability that is claimed names the case that proves it.

use std::collections::BTreeSet;

/// Every case stands in the document, and each `topic::case` of the document is one.
pub(crate) fn check(document: &str, cases: &[&str]) {
    let named: BTreeSet<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.split("::").count() == 2 && !text.contains(' '))
        .collect();
    let cases: BTreeSet<&str> = cases.iter().copied().collect();
    let missing: Vec<_> = cases.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&cases).collect();
    assert!(missing.is_empty(), "the document does not name {missing:#?}");
    assert!(unknown.is_empty(), "the document names what is no case: {unknown:#?}");
}
