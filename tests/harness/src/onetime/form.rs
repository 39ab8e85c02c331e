//! Parameters of a request, the way a Rack application sees them.
//!
//! It must not know what the parameters mean.

use serde_json::Value;

use super::config::Version;

/// Rack refuses bodies of more bytes than this (`v1-share-size`, 5,000,000 bytes).
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Decoded parameters in the order sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) Vec<(String, Vec<u8>)>);

impl Params {
    /// The last value of that name, as Rack has it, garbled where it is not UTF-8.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.bytes(name)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_slice())
    }

    /// `name` once, or `name[]` any number of times.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let many = format!("{name}[]");
        let listed: Vec<String> = self
            .0
            .iter()
            .filter(|(n, _)| *n == many)
            .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
            .collect();
        if listed.is_empty() {
            self.text(name).into_iter().collect()
        } else {
            listed
        }
    }

    /// The parameters inside `name[...]`; none when there are no such.
    pub(super) fn nested(&self, name: &str) -> Option<Self> {
        let open = format!("{name}[");
        let inner: Vec<_> = self
            .0
            .iter()
            .filter_map(|(n, v)| {
                let key = n.strip_prefix(&open)?.strip_suffix(']')?;
                (!key.is_empty()).then(|| (key.to_owned(), v.clone()))
            })
            .collect();
        (!inner.is_empty()).then_some(Self(inner))
    }
}

/// The body was larger than the web server takes.
pub(super) struct TooLarge;

/// Which content types are understood differs by version (`v1-content-types`).
pub(super) fn parse(version: Version, content_type: Option<&str>, body: &[u8]) -> Result<Params, TooLarge> {
    if body.len() > BODY_LIMIT {
        return Err(TooLarge);
    }
    let kind = content_type.map(|t| {
        t.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    match (version, kind.as_deref()) {
        (_, None | Some("application/x-www-form-urlencoded")) | (Version::V0_26, Some("text/plain")) => {
            Ok(Params(urlencoded(body)))
        }
        (Version::V0_26, Some("application/json")) => Ok(Params(json(body))),
        _ => Ok(Params::default()),
    }
}

fn json(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(Value::Object(map)) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    map.into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text.into_bytes()),
            other => (name, other.to_string().into_bytes()),
        })
        .collect()
}

fn urlencoded(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            (String::from_utf8_lossy(&decode(name)).into_owned(), decode(value))
        })
        .collect()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let hex = |at: usize| {
        text.get(at)
            .and_then(|b| char::from(*b).to_digit(16))
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'+', ..) => out.push(b' '),
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 2;
            }
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// Ruby's `String#to_i`: leading blanks, a sign, digits with single underscores, the rest ignored
/// (`v1-share-ttl`: `3600s`, `3_600`, `+3600`, `1e3`, `0x10`, `abc`).
pub(super) fn ruby_integer(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i64 = 0;
    let mut underscore_allowed = false;
    for letter in digits.chars() {
        match letter.to_digit(10) {
            Some(digit) => {
                value = value.saturating_mul(10).saturating_add(i64::from(digit));
                underscore_allowed = true;
            }
            None if letter == '_' && underscore_allowed => underscore_allowed = false,
            None => break,
        }
    }
    if negative { -value } else { value }
}
