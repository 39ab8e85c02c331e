//! Which address a `recipient` means, and how the service masks it. Source: `v1-share-recipient`
//! of both versions.
//!
//! It must not send or store anything.

use super::config::Version;

/// What the service makes of one `recipient` value.
pub(super) enum Understood {
    /// Mail goes there.
    Address(String),
    /// Silently no mail (v0.23), or an empty value.
    Nobody,
    /// v0.26: `Undeliverable email address: …` with this text.
    Refused(String),
}

pub(super) fn understand(version: Version, asked: &str) -> Understood {
    if asked.is_empty() {
        return Understood::Nobody;
    }
    match version {
        Version::V0_23 => find_address(asked).map_or(Understood::Nobody, Understood::Address),
        Version::V0_26 => {
            let clean = sanitized(asked);
            if is_deliverable(&clean) {
                Understood::Address(clean)
            } else {
                Understood::Refused(clean)
            }
        }
    }
}

pub(super) fn mask(version: Version, address: &str) -> String {
    match version {
        Version::V0_23 => mask_v0_23(address),
        Version::V0_26 => mask_v0_26(address),
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// v0.23 takes the first thing that looks like an address, with a last label of two to four
/// letters. The label need not be the last one of the host: `a@b.info.example` goes to `a@b.info`!
fn find_address(text: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    letters
        .iter()
        .enumerate()
        .filter(|(_, c)| **c == '@')
        .find_map(|(at, _)| address_around(&letters, at))
}

fn address_around(letters: &[char], at: usize) -> Option<String> {
    let local_letter = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let run = letters[..at]
        .iter()
        .rev()
        .take_while(|c| local_letter(**c))
        .count();
    let boundary =
        |i: usize| i == 0 && is_word(letters[0]) || i > 0 && is_word(letters[i - 1]) != is_word(letters[i]);
    let start = (at - run..at).find(|i| boundary(*i))?;
    let host_letter = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let host_end = at + 1 + letters[at + 1..].iter().take_while(|c| host_letter(**c)).count();
    let end = (at + 2..host_end)
        .rev()
        .filter(|dot| letters[*dot] == '.')
        .find_map(|dot| {
            (2..=4).rev().map(|n| dot + 1 + n).find(|end| {
                *end <= letters.len()
                    && letters[dot + 1..*end].iter().all(char::is_ascii_alphabetic)
                    && letters.get(*end).is_none_or(|c| !is_word(*c))
            })
        })?;
    Some(letters[start..end].iter().collect())
}

/// Two characters, `*****`, `@`, one character, `*****`, the last label. What stands before the
/// last `+` of the local part stays in the clear (`dave.o-x+ta*****@m*****.uk`).
fn mask_v0_23(address: &str) -> String {
    let Some((local, host)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    let (clear, tail) = match local.rfind('+') {
        Some(plus) => local.split_at(plus + 1),
        None => ("", local),
    };
    let head: String = tail
        .chars()
        .take(2)
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let first: String = host.chars().take(1).collect();
    let last = host.rsplit('.').next().unwrap_or_default();
    format!("{clear}{head}*****@{first}*****.{last}")
}

/// Markup and line breaks go, letters become small, blanks at the ends go.
fn sanitized(text: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag || letter.is_control() => {}
            _ => out.extend(letter.to_lowercase()),
        }
    }
    out.trim().to_owned()
}

fn is_deliverable(address: &str) -> bool {
    let Some((local, host)) = address.split_once('@') else {
        return false;
    };
    let labels: Vec<&str> = host.split('.').collect();
    let plain = |c: char| !c.is_whitespace() && !"@,:;<>()[]\"\\".contains(c);
    !local.is_empty()
        && local.chars().all(plain)
        && labels.len() >= 2
        && labels
            .iter()
            .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
        && labels
            .last()
            .is_some_and(|last| last.chars().count() >= 2 && last.chars().all(char::is_alphabetic))
}

/// Two characters and `***`, one character and `***`, the public suffix; what is not longer than
/// that stays whole. The suffix list is cut down to the usual second levels below a country.
fn mask_v0_26(address: &str) -> String {
    let Some((local, host)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    let labels: Vec<&str> = host.split('.').collect();
    let second_level = labels.len() > 2
        && labels[labels.len() - 1].len() == 2
        && matches!(
            labels[labels.len() - 2],
            "co" | "com" | "org" | "net" | "gov" | "ac" | "edu"
        );
    let suffix_at = labels.len().saturating_sub(if second_level { 2 } else { 1 });
    let name = labels[..suffix_at].join(".");
    format!(
        "{}@{}.{}",
        head(local, 2),
        head(&name, 1),
        labels[suffix_at..].join(".")
    )
}

fn head(text: &str, keep: usize) -> String {
    if text.chars().count() <= keep {
        return text.to_owned();
    }
    format!("{}***", text.chars().take(keep).collect::<String>())
}
