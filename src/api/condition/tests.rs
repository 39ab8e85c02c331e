//! The reasons and their documentation.

use super::*;
use std::collections::BTreeSet;

#[test]
fn the_documentation_has_every_reason_once() {
    let text = include_str!("../../../docs/conditions.md");
    let mut documented = BTreeSet::new();
    for section in text.split("\n## ").skip(1) {
        for row in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [reason, meaning, who, how] = cells[..] else {
                panic!("not four cells: {row}")
            };
            let reason = reason.trim_matches('`');
            assert!(documented.insert(reason), "{reason} is there twice");
            assert!(!meaning.is_empty() && !who.is_empty(), "{reason} says too little");
            assert!(
                who == "nobody" || who == "itself" || !how.is_empty(),
                "{reason} names no cure"
            );
        }
    }
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        documented, reasons,
        "docs/conditions.md (left) and the code (right)"
    );
}

/// The form that the API server demands of a condition's reason.
#[test]
fn reasons_are_camel_case_words() {
    for reason in Reason::ALL {
        let word = reason.as_str();
        assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
        assert!(
            word.chars().all(|c| c.is_ascii_alphanumeric()) && word.len() <= 64,
            "{word}"
        );
    }
}
