//! A text made from all keys of a Secret: PURE. Jinja (MiniJinja), where a missing key is an error, without access to
//! files or other templates, and with bounded work and memory.
//!
//! Problems name the line and the key, never a value: the engine's own messages may quote one and are not shown.

#[cfg(test)]
mod tests;

use crate::api::condition::Reason;
use crate::problem::Problem;
use base64::Engine as _;
use k8s_openapi::ByteString;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bounds what one rendering may do: a step costs one, and so do 64 bytes that it makes or reads. About 6 MB in all.
const FUEL: u64 = 100_000;

/// The name under which all keys are found, for those that are no identifiers: `secret["tls.crt"]`.
const ALL_KEYS: &str = "secret";

/// Only a name for the engine: its errors are told in our words.
const NAME: &str = "template";

/// Checks that a template can be read, before there is any Secret.
///
/// # Errors
/// A problem that names the line.
pub fn check(text: &str) -> Result<(), Problem> {
    environment(text).map(drop)
}

/// Renders a template over the keys of the Secret of this name.
///
/// # Errors
/// A problem that names the line, and the key when one is missing or is no text.
pub fn render(
    text: &str,
    secret: &str,
    data: &BTreeMap<String, ByteString>,
) -> Result<SecretString, Problem> {
    let environment = environment(text)?;
    let keys = Arc::new(Keys::new(data));
    environment
        .get_template(NAME)
        .and_then(|template| template.render(Value::from_dyn_object(Arc::clone(&keys))))
        .map(SecretString::from)
        .map_err(|error| {
            // A key that was computed may be a value.
            let missing = keys.fault(|faults| faults.missing.clone());
            let missing = missing.filter(|key| is_written(key, text, &environment));
            problem(&error, secret, &keys, missing)
        })
}

/// Whether a template names a key in so many words.
fn is_written(key: &str, text: &str, environment: &Environment<'_>) -> bool {
    let names = environment
        .get_template(NAME)
        .map(|template| template.undeclared_variables(true))
        .unwrap_or_default();
    names.contains(key)
        || names.contains(&format!("{ALL_KEYS}.{key}"))
        || ['\'', '"']
            .iter()
            .any(|quote| text.contains(&format!("[{quote}{key}{quote}]")))
}

fn environment(text: &str) -> Result<Environment<'_>, Problem> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_syntax(syntax());
    environment.add_filter("b64encode", |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(text)
    });
    environment
        .add_template(NAME, text)
        .map_err(|error| invalid(&error, "cannot be read as a Jinja template"))?;
    Ok(environment)
}

/// What is written is what is sent, but for lines that hold only a tag.
fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true);
    // Only delimiters could be wrong, and they are the usual ones.
    builder.build().unwrap_or_default()
}

/// The keys as the template sees them, and what it asked for in vain.
struct Keys {
    texts: BTreeMap<String, Value>,
    faults: Mutex<Faults>,
}

/// The last fault of each kind is the one that ended the rendering.
#[derive(Default)]
struct Faults {
    missing: Option<String>,
    no_text: Option<String>,
}

impl Keys {
    fn new(data: &BTreeMap<String, ByteString>) -> Self {
        let text = |bytes: &ByteString| match std::str::from_utf8(&bytes.0) {
            Ok(text) => Value::from(text),
            // Only a template that uses it fails.
            Err(_) => Value::from(Error::new(ErrorKind::InvalidOperation, "no text")),
        };
        Self {
            texts: data
                .iter()
                .map(|(key, bytes)| (key.clone(), text(bytes)))
                .collect(),
            faults: Mutex::default(),
        }
    }

    fn find(&self, key: &str) -> Option<Value> {
        let found = self.texts.get(key).cloned();
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            None => faults.missing = Some(key.to_owned()),
            Some(value) if value.kind() == minijinja::value::ValueKind::Invalid => {
                faults.no_text = Some(key.to_owned());
            }
            Some(_) => {}
        }
        found
    }

    fn fault(&self, of: impl FnOnce(&Faults) -> Option<String>) -> Option<String> {
        of(&self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys([redacted])")
    }
}

impl Object for Keys {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            // A key of that name comes first.
            ALL_KEYS if !self.texts.contains_key(ALL_KEYS) => Some(Value::from_dyn_object(Arc::clone(self))),
            key => self.find(key),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.texts.keys().map(Value::from).collect())
    }
}

fn problem(error: &Error, secret: &str, keys: &Keys, missing: Option<String>) -> Problem {
    let at = place(error);
    if let Some(key) = keys.fault(|faults| faults.no_text.clone()) {
        return Problem::edit(
            Reason::SecretNotUtf8,
            format!(
                "{at}: key {key:?} of Secret {secret:?} is not valid UTF-8, which the service cannot carry: encode the value, for instance as base64"
            ),
        );
    }
    match (error.kind(), missing) {
        (ErrorKind::UndefinedError, Some(key)) => Problem::missing(
            Reason::SecretKeyNotFound,
            format!("{at}: Secret {secret:?} has no key {key:?}: add it, or correct the template"),
        ),
        (ErrorKind::UndefinedError, None) => invalid(error, "uses something that is not there"),
        (ErrorKind::OutOfFuel, _) => invalid(error, "does more work than a template may: make it simpler"),
        (kind, _) => invalid(error, word(kind)),
    }
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnknownFilter => "uses a filter that is not known",
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => "calls something that is not known",
        ErrorKind::UnknownTest => "uses a test that is not known",
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => "calls something with wrong arguments",
        _ => "does something that is not possible with such a value",
    }
}

fn invalid(error: &Error, what: &str) -> Problem {
    Problem::edit(
        Reason::TemplateInvalid,
        format!("{}: it {what}; correct it", place(error)),
    )
}

fn place(error: &Error) -> String {
    match error.line() {
        Some(line) => format!("spec.secretRef.template, line {line}"),
        None => "spec.secretRef.template".to_owned(),
    }
}
