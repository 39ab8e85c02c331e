//! The recipient's address: exactly one plain address, wherever it came from: PURE.

#[cfg(test)]
mod tests;

use crate::api::condition::Reason;
use crate::problem::Problem;

/// Takes exactly one plain address and lower-cases its domain.
///
/// # Errors
/// A problem that says what is wrong, without the address itself: it may have come from a Secret.
pub fn parse_recipient(address: &str) -> Result<String, Problem> {
    let wrong = |what: &str| {
        Err(Problem::edit(
            Reason::RecipientInvalid,
            format!("the recipient {what}; give one plain address such as name@example.com"),
        ))
    };
    if address.len() > 254 {
        return wrong("is longer than 254 bytes");
    }
    if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return wrong("holds a space or control character");
    }
    if address.contains([',', ';']) {
        return wrong("is a list");
    }
    if address.contains(['<', '>', '(', ')', '"']) {
        return wrong("has a display name or quotes");
    }
    match address.split_once('@') {
        // v0.23 picks what it takes for an address out of the text: it mails o'brien@example.com's link to
        // brien@example.com (seen in v1-share-recipient for lists and display names).
        Some((local, _))
            if local
                .chars()
                .any(|c| !(c.is_ascii_alphanumeric() || "._%+-".contains(c))) =>
        {
            wrong("has a character before the @ that some servers cut the address at")
        }
        Some((local, domain)) if !local.is_empty() && is_domain(domain) => {
            Ok(format!("{local}@{}", domain.to_lowercase()))
        }
        _ => wrong("is no e-mail address"),
    }
}

fn is_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}
