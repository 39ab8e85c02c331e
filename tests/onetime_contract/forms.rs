//! Recorded forms as requests of the client.

use std::collections::BTreeMap;

use onetimeshare::onetime::{GenerateRequest, ShareRequest};
use serde_json::Value;

pub type Form = serde_json::Map<String, Value>;

/// None when the form has fields or a ttl that our requests don't have.
fn fields(form: &Form, known: &[&str]) -> Option<(u64, BTreeMap<String, String>)> {
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .or_else(|| value.as_u64().map(|n| n.to_string()))
    };
    let mut fields = BTreeMap::new();
    for (name, value) in form {
        if !known.contains(&name.as_str()) {
            return None;
        }
        fields.insert(name.clone(), text(value)?);
    }
    let ttl = fields.get("ttl")?;
    let number = ttl
        .parse::<u64>()
        .ok()
        .filter(|number| number.to_string() == *ttl)?;
    Some((number, fields))
}

pub fn share_form(form: &Form) -> Option<Vec<u8>> {
    let (ttl_seconds, mut fields) = fields(
        form,
        &["secret", "ttl", "passphrase", "recipient", "share_domain"],
    )?;
    let request = ShareRequest {
        secret: fields.remove("secret")?.into(),
        passphrase: fields.remove("passphrase").map(Into::into),
        ttl_seconds,
        recipient: fields.remove("recipient"),
        share_domain: fields.remove("share_domain"),
    };
    Some(request.form().to_vec())
}

pub fn generate_form(form: &Form) -> Option<Vec<u8>> {
    let (ttl_seconds, mut fields) = fields(
        form,
        &["length", "ttl", "passphrase", "recipient", "share_domain"],
    )?;
    let length = match fields.remove("length") {
        Some(length) => Some(length.parse().ok()?),
        None => None,
    };
    let request = GenerateRequest {
        length,
        passphrase: fields.remove("passphrase").map(Into::into),
        ttl_seconds,
        recipient: fields.remove("recipient"),
        share_domain: fields.remove("share_domain"),
    };
    Some(request.form().to_vec())
}
