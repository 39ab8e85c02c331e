//! Which words of an unknown answer may be told: PURE.
//!
//! Owns: the allow-list. A message of the service can echo what it was sent, so nothing of it is told but words that are
//! known to be the service's own, and numbers that stand where its limits stand. Must not: judge an answer.

use std::fmt;

/// How much of a message is looked at, in characters.
const LOOKED_AT: usize = 4096;

/// How much is told, in characters.
const TOLD: usize = 200;

/// Stands for everything that is not told.
const LEFT_OUT: &str = "…";

/// A number is told directly after one of these: there it is a limit of the service.
const BEFORE_A_LIMIT: &[&str] = &["least", "most", "than", "of"];

/// The longest number that is told, in digits.
const DIGITS: usize = 9;

/// The words of the messages that were recorded, without what they echoed, and of those that other releases and settings are
/// known to give. In the order of the alphabet.
const KNOWN: &[&str] = &[
    "a",
    "account",
    "address",
    "again",
    "all",
    "an",
    "and",
    "anything",
    "at",
    "auth_header_missing",
    "authentication",
    "authorization",
    "authorized",
    "available",
    "be",
    "been",
    "burned",
    "bytes",
    "characters",
    "check",
    "contain",
    "could",
    "credentials",
    "credentials_invalid",
    "cripes",
    "custom",
    "did",
    "disabled",
    "do",
    "domain",
    "double",
    "email",
    "emails",
    "error",
    "exceeded",
    "exceeds",
    "for",
    "format",
    "found",
    "generated",
    "have",
    "header",
    "incorrect",
    "internal",
    "invalid",
    "is",
    "later",
    "least",
    "length",
    "letter",
    "limit",
    "limited",
    "long",
    "lowercase",
    "maximum",
    "more",
    "most",
    "must",
    "no",
    "not",
    "number",
    "occurred",
    "of",
    "one",
    "or",
    "page",
    "passphrase",
    "password",
    "payload",
    "permission",
    "please",
    "provide",
    "public",
    "rate",
    "refresh",
    "required",
    "secret",
    "secrets",
    "send",
    "server",
    "share",
    "sharing",
    "size",
    "symbol",
    "than",
    "that",
    "the",
    "to",
    "try",
    "undeliverable",
    "unexpected",
    "unknown",
    "uppercase",
    "use",
    "value",
    "verified",
    "you",
];

/// The words of an answer that may be told.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Words(String);

impl Words {
    /// What may be told of a message. None when nothing may.
    #[must_use]
    pub fn of(message: &str) -> Option<Self> {
        let looked_at: String = message.chars().take(LOOKED_AT).collect();
        let mut told: Vec<String> = Vec::new();
        let mut before = String::new();
        for token in looked_at.split_whitespace() {
            let known = known(token, &before);
            before = core(token).0.to_lowercase();
            match known {
                Some(word) => told.push(word),
                None if told.last().is_some_and(|last| last == LEFT_OUT) => {}
                None => told.push(LEFT_OUT.to_owned()),
            }
        }
        if told.iter().all(|word| word == LEFT_OUT) {
            return None;
        }
        Some(Self(shortened(&told)))
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The words belong into the condition of a share and nowhere else.
impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(..)")
    }
}

fn shortened(words: &[String]) -> String {
    let whole = words.join(" ");
    if whole.chars().count() <= TOLD {
        return whole;
    }
    let mut short = String::new();
    for word in words {
        if short.chars().count() + word.chars().count() + 3 > TOLD {
            break;
        }
        short.push_str(word);
        short.push(' ');
    }
    short.push_str(LEFT_OUT);
    short
}

/// The token, when it may be told, with one mark of punctuation at most.
fn known(token: &str, before: &str) -> Option<String> {
    let (word, mark) = core(token);
    let limit = BEFORE_A_LIMIT.contains(&before)
        && !word.is_empty()
        && word.len() <= DIGITS
        && word.bytes().all(|byte| byte.is_ascii_digit());
    if !limit && !is_a_word(word) {
        return None;
    }
    Some(mark.map_or_else(|| word.to_owned(), |mark| format!("{word}{mark}")))
}

/// As a sentence writes it: small, or with a capital letter. A code of the service is written in capitals.
fn is_a_word(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let mut rest = word.chars();
    rest.next();
    let as_in_a_sentence = rest.as_str().bytes().all(|byte| byte.is_ascii_lowercase());
    let as_a_code = lower.contains('_') && word == word.to_ascii_uppercase();
    (as_in_a_sentence || as_a_code) && KNOWN.binary_search(&lower.as_str()).is_ok()
}

/// A token without the brackets around it and the mark behind it.
fn core(token: &str) -> (&str, Option<char>) {
    let token = token.strip_prefix('[').unwrap_or(token);
    let token = token.strip_suffix(']').unwrap_or(token);
    match token.char_indices().next_back() {
        Some((at, mark @ ('.' | ',' | ':' | ';' | '!' | '?'))) => (&token[..at], Some(mark)),
        _ => (token, None),
    }
}

#[cfg(test)]
mod tests;
