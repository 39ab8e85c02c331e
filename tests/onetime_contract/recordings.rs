//! The recorded exchanges, and which call of the client each belongs to. Must not: judge.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use onetimeshare::onetime::answer::Answer;
use serde_json::Value;

const VERSIONS: [&str; 2] = ["v0.23.6", "v0.26.6"];

/// One recorded exchange.
pub struct Exchange {
    pub name: String,
    pub request: Value,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
    pub body: Vec<u8>,
}

impl Exchange {
    pub fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

pub fn recorded() -> Vec<Exchange> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let mut exchanges = Vec::new();
    for version in VERSIONS {
        let files = std::fs::read_dir(folder.join(version)).expect("tests/contract holds the recordings");
        for file in files.map(|file| file.unwrap().path()) {
            let scenario: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            for (number, exchange) in scenario["exchanges"].as_array().unwrap().iter().enumerate() {
                let name = format!(
                    "{version}/{stem}#{number} ({})",
                    exchange["note"].as_str().unwrap_or("")
                );
                exchanges.push(parse(name, exchange));
            }
        }
    }
    exchanges
}

fn parse(name: String, exchange: &Value) -> Exchange {
    let response = &exchange["response"];
    let mut headers = HeaderMap::new();
    for header in response["headers"].as_array().unwrap() {
        let (field, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        let field: HeaderName = field.parse().unwrap();
        headers.append(field, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let mut json = response["json"].clone();
    unabridge(&mut json);
    let body = match (&response["body_raw"], &response["body"]) {
        (Value::String(raw), _) => raw.clone().into_bytes(),
        (_, Value::String(text)) => text.clone().into_bytes(),
        _ if json.is_null() => Vec::new(),
        _ => serde_json::to_vec(&json).unwrap(),
    };
    let status = StatusCode::from_u16(response["status"].as_u64().unwrap().try_into().unwrap()).unwrap();
    Exchange {
        name,
        request: exchange["request"].clone(),
        status,
        headers,
        json,
        body,
    }
}

/// The recorder put `"... 1392 in all"` in place of most entries of long lists.
fn unabridge(json: &mut Value) {
    match json {
        Value::Array(items) => {
            items.retain(|item| !item.as_str().is_some_and(|text| text.ends_with(" in all")));
            items.iter_mut().for_each(unabridge);
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(unabridge);
            if let Some(records) = fields.get("records").and_then(Value::as_array).map(Vec::len) {
                fields.insert("count".into(), records.into());
            }
        }
        _ => {}
    }
}

/// Which call of the client an exchange belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Share,
    Generate,
    Receipt(String),
    Burn(String),
    RecentV1,
    RecentV2,
    Status,
    Authcheck,
    Version,
}

impl Call {
    /// The routes have aliases on one or both versions; the answers are the same.
    pub fn of(request: &Value) -> Option<Self> {
        let path = request["path"]
            .as_str()
            .unwrap()
            .split('?')
            .next()
            .unwrap()
            .trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_key = |part: &str| part.len() > 25;
        match (request["method"].as_str().unwrap(), parts.as_slice()) {
            ("POST", ["api", "v1", "share"]) => Some(Self::Share),
            ("POST", ["api", "v1", "generate"]) => Some(Self::Generate),
            ("GET", ["api", "v1", "private" | "receipt" | "metadata", "recent"]) => Some(Self::RecentV1),
            ("GET", ["api", "v2", "private" | "receipt", "recent"]) => Some(Self::RecentV2),
            ("GET" | "POST", ["api", "v1", "private" | "receipt" | "metadata", key]) if is_key(key) => {
                Some(Self::Receipt((*key).to_owned()))
            }
            ("POST", ["api", "v1", "private", key, "burn"]) => Some(Self::Burn((*key).to_owned())),
            ("GET", ["api", "v1", "status"]) => Some(Self::Status),
            ("GET", ["api", "v1", "authcheck"]) => Some(Self::Authcheck),
            ("GET", ["api", "v2", "version"]) => Some(Self::Version),
            _ => None,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Generate => "generate",
            Self::Receipt(_) => "receipt",
            Self::Burn(_) => "burn",
            Self::RecentV1 => "recent v1",
            Self::RecentV2 => "recent v2",
            Self::Status => "status",
            Self::Authcheck => "authcheck",
            Self::Version => "version",
        }
    }
}
