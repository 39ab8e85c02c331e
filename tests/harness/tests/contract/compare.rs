//! What counts as the same answer: status, content type, intended status, and JSON field by field.
//!
//! Keys, times, shrimps and generated values are compared by form; everything else by value.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use crate::not_claimed;
use crate::recording::Wanted;

/// Lists that hold receipts of other scenarios: compared by fields and types only.
const SHAPE_ONLY: &[&str] = &["v0.26.6/v2-basics#9", "v0.26.6/v2-basics#10"];

/// Recorded keys and generated values, and what the fake server has in their place.
pub struct Keys {
    known: BTreeMap<String, String>,
    base: String,
}

impl Keys {
    pub fn new(base: &str) -> Self {
        Self {
            known: BTreeMap::new(),
            base: base.to_owned(),
        }
    }

    pub fn learn(&mut self, recorded: &str, ours: &str) {
        self.known.insert(recorded.to_owned(), ours.to_owned());
    }

    /// A recorded text as the fake server would write it.
    pub fn ours(&self, recorded: &str) -> String {
        let mut text = recorded
            .replace("http://127.0.0.1:7143", &self.base)
            .replace("http://127.0.0.1:7144", &self.base);
        for (key, ours) in self
            .known
            .iter()
            .filter(|(key, _)| text.contains(key.as_str()))
            .collect::<Vec<_>>()
        {
            text = text.replace(key, ours);
        }
        text
    }

    pub fn translate(&self, wanted: Wanted) -> Wanted {
        let body = if wanted.body.len() > 10_000 {
            wanted.body
        } else {
            self.ours(&wanted.body)
        };
        Wanted {
            path: self.ours(&wanted.path),
            body,
            ..wanted
        }
    }

    pub fn compare(&mut self, name: &str, exchange: &Value, response: &Response<Bytes>) -> Vec<String> {
        let mut problems = Vec::new();
        let recorded = &exchange["response"];
        let mut differ = |what: &str, wanted: &str, got: &str| {
            if wanted != got {
                problems.push(format!("{what}: recorded {wanted}, got {got}"));
            }
        };
        differ(
            "status",
            &recorded["status"].to_string(),
            &response.status().as_u16().to_string(),
        );
        for header in [
            "content-type",
            "x-ots-intended-status",
            "location",
            "retry-after",
            "date",
        ] {
            let got = response
                .headers()
                .get(header)
                .map(|v| v.to_str().unwrap())
                .unwrap_or_default();
            differ(header, &recorded_header(recorded, header), got);
        }
        let got: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        let json = &recorded["json"];
        if json.is_null() {
            let text = recorded["body"].as_str().unwrap_or_default();
            // The page of an error outside the API is not copied.
            if !text.trim_start().starts_with('<') {
                differ("body", text, &String::from_utf8_lossy(response.body()));
            }
        } else if SHAPE_ONLY.contains(&name) {
            shape("", json, &got, &mut problems);
        } else {
            let generates = exchange["request"]["path"].as_str().unwrap().contains("generate");
            Comparison {
                keys: self,
                name,
                generates,
                problems: &mut problems,
            }
            .value("", json, &got);
        }
        problems
    }
}

fn recorded_header(response: &Value, wanted: &str) -> String {
    let headers = response["headers"].as_array().unwrap();
    let found = headers
        .iter()
        .find(|h| h[0].as_str().unwrap().eq_ignore_ascii_case(wanted));
    found
        .map(|h| h[1].as_str().unwrap().to_owned())
        .unwrap_or_default()
}

struct Comparison<'a> {
    keys: &'a mut Keys,
    name: &'a str,
    generates: bool,
    problems: &'a mut Vec<String>,
}

impl Comparison<'_> {
    fn value(&mut self, field: &str, recorded: &Value, got: &Value) {
        if not_claimed(&format!("{}:{field}", self.name)) {
            return;
        }
        match (recorded, got) {
            (Value::Object(wanted), Value::String(text)) if wanted.contains_key("head") => {
                let head = text.starts_with(wanted["head"].as_str().unwrap());
                let tail = text.ends_with(wanted["tail"].as_str().unwrap());
                let length = Some(text.chars().count() as u64) == wanted["length"].as_u64();
                self.check(field, head && tail && length, recorded, &Value::from(text.len()));
            }
            (Value::Object(wanted), Value::Object(have)) => {
                let (names, had): (Vec<_>, Vec<_>) = (sorted(wanted.keys()), sorted(have.keys()));
                if names != had {
                    self.problems
                        .push(format!("fields of {field:?}: recorded {names:?}, got {had:?}"));
                }
                for (name, value) in wanted {
                    if let Some(got) = have.get(name) {
                        self.value(name, value, got);
                    }
                }
            }
            (Value::Array(wanted), Value::Array(have)) => {
                self.check(field, wanted.len() == have.len(), recorded, got);
                wanted.iter().zip(have).for_each(|(w, h)| self.value(field, w, h));
            }
            _ => {
                let same = self.scalar(field, recorded, got);
                self.check(field, same, recorded, got);
            }
        }
    }

    fn check(&mut self, field: &str, same: bool, recorded: &Value, got: &Value) {
        if !same {
            self.problems
                .push(format!("{field}: recorded {recorded}, got {got}"));
        }
    }

    fn scalar(&mut self, field: &str, recorded: &Value, got: &Value) -> bool {
        match (field, recorded, got) {
            (
                "created" | "updated" | "received" | "burned" | "viewed" | "since" | "now" | "timestamp",
                ..,
            ) => same_time_form(recorded, got),
            ("metadata_ttl" | "secret_ttl" | "receipt_ttl", Value::Number(w), Value::Number(g)) => {
                // A second or two pass between exchanges, there and here.
                w.as_i64()
                    .zip(g.as_i64())
                    .is_some_and(|(w, g)| (w - g).abs() <= 2)
            }
            ("shrimp", Value::String(_), Value::String(g)) => (45..=50).contains(&g.len()) && is_key(g),
            ("value" | "secret_value", Value::String(w), Value::String(g)) if self.generates => {
                self.keys.learn(w, g);
                w.chars().count() == g.chars().count() && g.chars().all(|c| c.is_ascii_graphic())
            }
            ("secret_shortkey" | "shortkey", Value::String(w), Value::String(g)) => {
                let whole = self
                    .keys
                    .known
                    .iter()
                    .find(|(key, _)| key.starts_with(w.as_str()));
                whole.is_some_and(|(_, ours)| ours.starts_with(g.as_str())) && w.len() == g.len()
            }
            (_, Value::String(w), Value::String(g)) => {
                if is_key(w) && matches!(w.len(), 31 | 62) && !self.keys.known.contains_key(w) {
                    self.keys.learn(w, g);
                    return is_key(g) && w.len() == g.len();
                }
                self.keys.ours(w) == *g
            }
            _ => recorded == got,
        }
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn is_key(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// The same kind of thing: both null or empty, both a whole number, both digits in a text, …
fn same_time_form(recorded: &Value, got: &Value) -> bool {
    let form = |value: &Value| match value {
        Value::Number(n) if n.is_f64() => format!("fraction {}", n.as_f64().is_some_and(|n| n > 1e9)),
        Value::Number(n) => format!("seconds {}", n.as_i64().is_some_and(|n| n > 1_000_000_000)),
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect(),
        other => other.to_string(),
    };
    form(recorded) == form(got)
}

/// Fields and types only; of arrays the first element.
fn shape(field: &str, recorded: &Value, got: &Value, problems: &mut Vec<String>) {
    match (recorded, got) {
        (Value::Object(wanted), Value::Object(have)) => {
            if sorted(wanted.keys()) != sorted(have.keys()) {
                problems.push(format!(
                    "fields of {field:?}: recorded {:?}, got {:?}",
                    wanted.keys(),
                    have.keys()
                ));
            }
            wanted
                .iter()
                .filter_map(|(n, w)| Some((n, w, have.get(n)?)))
                .for_each(|(n, w, g)| shape(n, w, g, problems));
        }
        (Value::Array(wanted), Value::Array(have)) => match (wanted.first(), have.first()) {
            (Some(wanted), Some(have)) => shape(field, wanted, have, problems),
            (None, _) => {}
            (Some(_), None) => problems.push(format!("{field}: nothing in it")),
        },
        _ if std::mem::discriminant(recorded) == std::mem::discriminant(got) => {}
        _ => problems.push(format!("{field}: recorded {recorded}, got {got}")),
    }
}
