//! Finds values in a text in whatever form they may have got there.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// So many bytes are looked up at once.
const PREFIX: usize = 16;

/// Values to search for, each in all forms.
#[derive(Default)]
pub struct Needles {
    /// By the first bytes of a form: the form and what it is of.
    long: HashMap<Vec<u8>, Vec<(String, &'static str)>>,
    short: Vec<(String, &'static str)>,
    count: usize,
}

impl Needles {
    /// Adds a value; `what` says what it is, for the error.
    pub fn add(&mut self, what: &'static str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.count += 1;
        for form in forms(value) {
            match form.as_bytes().get(..PREFIX) {
                Some(prefix) => self.long.entry(prefix.to_vec()).or_default().push((form, what)),
                None => self.short.push((form, what)),
            }
        }
    }

    /// How many values there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What is in the text, each with the line that has it.
    pub fn in_text(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut report = |what: &str, at: usize| {
            let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
            let line: String = text[start..]
                .chars()
                .take_while(|c| *c != '\n')
                .take(2000)
                .collect();
            found.push(format!("{what} in: {line}"));
        };
        for (form, what) in &self.short {
            if let Some(at) = text.find(form.as_str()) {
                report(what, at);
            }
        }
        for (at, window) in text.as_bytes().windows(PREFIX).enumerate() {
            for (form, what) in self.long.get(window).into_iter().flatten() {
                if text.as_bytes()[at..].starts_with(form.as_bytes()) {
                    report(what, at);
                }
            }
        }
        found
    }
}

/// Raw, JSON-escaped once and twice, URL-encoded both ways, hexadecimal, and base64 at every alignment.
fn forms(value: &str) -> BTreeSet<String> {
    let escaped = json(value);
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut forms = BTreeSet::from([
        value.to_owned(),
        json(&escaped),
        escaped,
        form.replace('+', "%20"),
        form,
        hex::encode(value),
    ]);
    for before in 0..3 {
        let bytes = [&[0; 2][..before], value.as_bytes()].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            // The first and last characters depend on the neighbours.
            let start = [0, 2, 3][before];
            let end = text.len() - usize::from(!bytes.len().is_multiple_of(3));
            forms.insert(text[start..end].to_owned());
        }
    }
    forms
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every form is found where it is, so that a search that finds nothing means something.
pub fn check_itself(value: &str) -> Result<(), String> {
    let mut needles = Needles::default();
    needles.add("itself", value);
    let quoted = serde_json::Value::from(value).to_string();
    for text in [
        format!("a {value} b"),
        serde_json::json!({"message": value}).to_string(),
        serde_json::json!({"message": quoted}).to_string(),
        url::Url::parse_with_params("http://x/", [("secret", value)])
            .map_err(|error| error.to_string())?
            .to_string(),
        STANDARD_NO_PAD.encode(value),
        STANDARD_NO_PAD.encode(format!("u:{value}")),
        URL_SAFE_NO_PAD.encode(format!("u:{value}, and more")),
        STANDARD_NO_PAD.encode(format!("{{\"value\":{value}")),
    ] {
        if needles.in_text(&text).is_empty() {
            return Err(format!("the search does not find {value:?} in {text:?}"));
        }
    }
    if needles
        .in_text("nothing of it is here, nor anywhere near")
        .is_empty()
    {
        Ok(())
    } else {
        Err("the search finds what is not there".to_owned())
    }
}
