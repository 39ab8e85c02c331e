//! Nothing of a message survives but what is known, and of the recorded ones all does.

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;

fn told(message: &str) -> String {
    Words::of(message).map_or_else(String::new, |words| words.as_str().to_owned())
}

/// Every message in the recordings, also in bodies that were kept as text.
fn recorded(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
            Some(text) if matches!(&**name, "message" | "error") => found.push(text.to_owned()),
            _ => recorded(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| recorded(item, found)),
        Value::String(text) => {
            if let Ok(inner @ Value::Object(_)) = serde_json::from_str(text) {
                recorded(&inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_recorded_messages_are_told_without_what_they_echo() {
    let mut messages = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    for version in ["v0.23.6", "v0.26.6"] {
        for file in std::fs::read_dir(folder.join(version)).unwrap() {
            let text = std::fs::read(file.unwrap().path()).unwrap();
            recorded(&serde_json::from_slice(&text).unwrap(), &mut messages);
        }
    }
    messages.sort();
    messages.dedup();
    assert!(messages.len() > 25, "{messages:?}");
    for message in messages {
        // What was sent, or where to.
        let echoes = ["Undeliverable email address: ", "Unknown domain: "];
        let wanted = match echoes.iter().find(|start| message.starts_with(**start)) {
            Some(start) => format!("{start}…"),
            None if message.starts_with("/api/") => "… is not available".to_owned(),
            None => message.replace(['[', ']'], "").replace(" :", " …"),
        };
        assert_eq!(told(&message), wanted);
    }
}

#[test]
fn what_others_say() {
    for (message, wanted) in [
        (
            "Passphrase must contain at least one uppercase letter, number, symbol",
            "Passphrase must contain at least one uppercase letter, number, symbol",
        ),
        (
            "You do not have permission to use domain: links.example.com",
            "You do not have permission to use domain: …",
        ),
        (
            "Value 'hunter2' of size 12345 is not at most 10",
            "Value … of size … is not at most 10",
        ),
        ("PIN of 1234567890", "… of …"),
        ("a number of 4321.", "a number of 4321."),
        // In no form that a sentence has.
        ("seCret SECRET secret,, secret/value", ""),
        ("<html><title>hunter2</title>", ""),
        ("", ""),
    ] {
        assert_eq!(told(message), wanted, "{message:?}");
    }
}

#[test]
fn the_list_is_sorted() {
    assert!(KNOWN.is_sorted());
}

proptest! {
    /// Whatever a message is made of, nothing of more than three characters is told but words of the list and numbers.
    #[test]
    fn nothing_else_is_told(parts in proptest::collection::vec(
        prop_oneof![
            proptest::sample::select(KNOWN).prop_map(str::to_owned),
            "[a-zA-Z0-9_.:/@-]{1,20}",
            ".{0,30}",
        ], 0..60), between in "[ \t\n,.;]{0,2}") {
        let told = told(&parts.join(&between));
        prop_assert!(told.chars().count() <= TOLD);
        let mut before = String::new();
        for token in told.split_whitespace() {
            let word = token.trim_end_matches(['.', ',', ':', ';', '!', '?']);
            let limit = BEFORE_A_LIMIT.contains(&&*before) && word.parse::<u32>().is_ok();
            let known = KNOWN.contains(&&*word.to_lowercase());
            prop_assert!(known || limit || word == LEFT_OUT, "{:?}", token);
            before = word.to_lowercase();
        }
    }
}
