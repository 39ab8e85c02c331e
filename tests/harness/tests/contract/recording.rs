//! Reading the recorded scenarios, and the requests in them.
//!
//! It must not compare anything.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::onetime::Version;
use serde_json::Value;

use crate::setup;

/// One recorded file.
pub struct Scenario {
    /// `v0.23.6/v1-burn`.
    pub name: String,
    pub version: Version,
    pub exchanges: Vec<Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract")
}

fn files() -> Vec<(Version, PathBuf)> {
    let mut files = Vec::new();
    for (version, name) in [(Version::V0_23, "v0.23.6"), (Version::V0_26, "v0.26.6")] {
        for entry in std::fs::read_dir(folder().join(name)).unwrap() {
            files.push((version, entry.unwrap().path()));
        }
    }
    files.sort_by(|a, b| a.1.cmp(&b.1));
    files
}

pub fn count_files() -> usize {
    files().len()
}

pub fn all() -> Vec<Scenario> {
    files()
        .into_iter()
        .map(|(version, path)| {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut json: Value = serde_json::from_str(&text).unwrap();
            let number = path
                .parent()
                .and_then(Path::file_name)
                .and_then(|n| n.to_str())
                .unwrap();
            let stem = path.file_stem().and_then(|n| n.to_str()).unwrap();
            let Value::Array(exchanges) = json["exchanges"].take() else {
                panic!("{stem}: no exchanges")
            };
            Scenario {
                name: format!("{number}/{stem}"),
                version,
                exchanges,
            }
        })
        .collect()
}

/// A request to send, still with the recorded keys.
pub struct Wanted {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

pub fn request(exchange: &Value) -> Wanted {
    let request = &exchange["request"];
    let mut headers: Vec<(String, String)> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
        .filter(|(name, value)| {
            name != "content-length" && !(name == "host" && value.starts_with("127.0.0.1"))
        })
        .collect();
    if let Some(credentials) = authorization(&request["auth"], exchange["note"].as_str().unwrap_or_default())
    {
        headers.push(("authorization".to_owned(), credentials));
    }
    Wanted {
        method: request["method"].as_str().unwrap().to_owned(),
        path: request["path"].as_str().unwrap().to_owned(),
        headers,
        body: body(request),
    }
}

/// The recorder kept user names only; what else was wrong with the header stands in the note.
fn authorization(auth: &Value, note: &str) -> Option<String> {
    let Some(username) = auth["username"].as_str() else {
        return match note {
            "Bearer" | "Bearer scheme" => Some("Bearer abcdef".to_owned()),
            "broken base64" => Some("Basic %%%".to_owned()),
            _ => None,
        };
    };
    let token = match auth["token"].as_str() {
        Some("valid") => setup::token(username),
        _ if note == "empty token" => String::new(),
        _ => "0123456789abcdef".to_owned(),
    };
    Some(format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{token}"))
    ))
}

/// Long bodies were kept as length, head and tail; their secret is `0123456789` over and over.
fn body(request: &Value) -> String {
    let body = &request["body"];
    let Some(length) = body["length"].as_u64() else {
        return body.as_str().unwrap_or_default().to_owned();
    };
    let secret_length = request["form"]["secret"]["length"].as_u64().unwrap();
    let secret: String = "0123456789"
        .chars()
        .cycle()
        .take(usize::try_from(secret_length).unwrap())
        .collect();
    let rebuilt = format!("secret={secret}&ttl=3600");
    assert_eq!(rebuilt.len() as u64, length);
    assert!(rebuilt.starts_with(body["head"].as_str().unwrap()));
    assert!(rebuilt.ends_with(body["tail"].as_str().unwrap()));
    rebuilt
}

/// The recipients of the mails that arrived; none when nobody looked.
pub fn recorded_mails(exchange: &Value) -> Option<Vec<(String, String)>> {
    if let Some(mails) = exchange["emails"].as_array() {
        return Some(mails.iter().map(|mail| mail_of(mail.as_str().unwrap())).collect());
    }
    // The notes of `v1-share-recipient` say: e-mails 1.
    (exchange["note"] == "recipient[] twice").then(|| vec![("dave@example.com".to_owned(), String::new())])
}

fn mail_of(text: &str) -> (String, String) {
    let to = text
        .split("RCPT TO:<")
        .nth(1)
        .and_then(|rest| rest.split('>').next())
        .unwrap()
        .to_owned();
    // Quoted-printable breaks lines with `=`.
    let plain = text.replace("=\n", "").replace("=3D", "=");
    let end = plain.find("/secret/").unwrap();
    let start = plain[..end].rfind("http").unwrap();
    let key: String = plain[end + 8..]
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (to, format!("{}/secret/{key}", &plain[start..end]))
}
