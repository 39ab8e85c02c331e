//! A JSON value of any type, read forgivingly.
//!
//! Owns: numbers as strings, missing and null fields. Must not: know which fields
//! there are (see `json.rs`). Texts are wiped on drop, as any of them may be a key;
//! the parser's own scratch memory is not.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::onetime::keys::{MetadataKey, SecretKey};

/// A field of any type. v2 of v0.23 sends numbers as strings (v2-burn-and-recent.json).
#[derive(Default)]
pub(super) enum LenientValue {
    #[default]
    Nothing,
    Number(f64),
    Flag(bool),
    Text(Zeroizing<String>),
    List(Vec<LenientValue>),
}

impl LenientValue {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        // Seconds and counts are far below; above, f64 is not exact any more.
        (number.is_finite() && number.abs() < 9e15).then_some(number)
    }

    /// A count or a number of seconds, without its fraction.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn whole(&self) -> Option<u64> {
        self.number()
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64)
    }

    /// A point in time in unix seconds; v2 of v0.26 sends fractions (v2-basics.json).
    pub(super) fn time(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.whole()?).ok()?;
        Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)
    }

    /// A point in time in words, as v2 of v0.23 tells its own (`2026-11-23 03:31:14 +0000`).
    pub(super) fn date(&self) -> Option<Timestamp> {
        Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", self.text()?.trim()).ok()
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) if text.as_str() == "true" => Some(true),
            Self::Text(text) if text.as_str() == "false" => Some(false),
            _ => None,
        }
    }

    /// Recipients: a list in v1, one string in v2.
    pub(super) fn texts(&self) -> Vec<String> {
        let texts: Vec<&str> = match self {
            Self::Text(text) => text.split(',').collect(),
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => Vec::new(),
        };
        texts
            .into_iter()
            .map(str::trim)
            .filter(|text| is_plain(text))
            .map(str::to_owned)
            .collect()
    }

    /// A text that may be shown: one line, at most 254 bytes.
    pub(super) fn plain(&self) -> String {
        self.text()
            .filter(|text| is_plain(text))
            .unwrap_or_default()
            .to_owned()
    }

    pub(super) fn secret_key(&self) -> Option<SecretKey> {
        self.text().and_then(|text| SecretKey::parse(text).ok())
    }

    pub(super) fn metadata_key(&self) -> Option<MetadataKey> {
        self.text().and_then(|text| MetadataKey::parse(text).ok())
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 254 && !text.chars().any(char::is_control)
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = LenientValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<LenientValue, E> {
        Ok(LenientValue::Flag(value))
    }
    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, value: i64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(value as f64))
    }
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, value: u64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(value as f64))
    }
    fn visit_f64<E>(self, value: f64) -> Result<LenientValue, E> {
        Ok(LenientValue::Number(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<LenientValue, E> {
        Ok(LenientValue::Text(Zeroizing::new(value.to_owned())))
    }
    fn visit_string<E>(self, value: String) -> Result<LenientValue, E> {
        Ok(LenientValue::Text(Zeroizing::new(value)))
    }
    fn visit_unit<E>(self) -> Result<LenientValue, E> {
        Ok(LenientValue::Nothing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LenientValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(LenientValue::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LenientValue, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LenientValue::Nothing)
    }
}

impl<'de> Deserialize<'de> for LenientValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}
