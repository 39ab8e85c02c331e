//! Answers of the service: the recorded errors by name, and the headers around a body.
//!
//! It must not decide which answer is due.

use bytes::Bytes;
use rand::distr::Distribution;
use rand::distr::slice::Choose;
use serde_json::{Map, Value, json};

use super::config::Version;
use super::fault::Canned;

pub(super) const JSON_UTF8: &str = "application/json; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// One answer, before the version's own headers are put around it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// v0.26's `x-ots-intended-status`.
    pub(super) intended: Option<u16>,
    /// None: the web server's own answer, without any header of the application.
    pub(super) content_type: Option<String>,
    pub(super) extra: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn raw(status: u16, content_type: Option<&str>, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            intended: None,
            content_type: content_type.map(str::to_owned),
            extra: Vec::new(),
            body: body.into(),
        }
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::raw(status, Some(JSON_UTF8), value.to_string())
    }

    pub(super) fn ok(value: &Value) -> Self {
        Self::json(200, value)
    }

    fn intended(mut self, version: Version, status: u16) -> Self {
        self.intended = (version == Version::V0_26).then_some(status);
        self
    }

    /// A refusal of the form: 404 with a message, and on v0.23 a `shrimp`.
    pub(super) fn form_error(version: Version, message: &str) -> Self {
        let mut map = Map::new();
        if version == Version::V0_23 {
            map.insert("shrimp".into(), json!(random_key(50)));
        }
        map.insert("message".into(), json!(message));
        Self::json(404, &Value::Object(map)).intended(version, 400)
    }

    pub(super) fn unexpected(version: Version) -> Self {
        Self::form_error(version, "An unexpected error occurred :[")
    }

    pub(super) fn message(version: Version, intended: u16, message: &str) -> Self {
        Self::json(404, &json!({ "message": message })).intended(version, intended)
    }

    pub(super) fn not_authorized(version: Version) -> Self {
        Self::message(version, 401, "Not authorized")
    }

    pub(super) fn rate_limited(version: Version) -> Self {
        match version {
            Version::V0_23 => Self::message(version, 400, "Cripes! You have been rate limited."),
            Version::V0_26 => Self::message(version, 400, "Rate limit exceeded. Please try again later."),
        }
    }

    pub(super) fn unknown_secret(key: &str) -> Self {
        Self::json(404, &json!({ "secret_key": key, "message": "Unknown secret" }))
    }

    pub(super) fn no_route() -> Self {
        Self::raw(404, Some(JSON), json!({ "error": "Not Found" }).to_string())
    }

    pub(super) fn server_error(version: Version) -> Self {
        match version {
            Version::V0_23 => Self::raw(
                500,
                Some(JSON),
                json!({ "error": "Internal Server Error" }).to_string(),
            ),
            Version::V0_26 => Self::raw(500, None, Bytes::new()),
        }
    }

    /// Over the web server's own limit (`v1-share-size`).
    pub(super) fn too_large(version: Version) -> Self {
        match version {
            Version::V0_23 => Self::server_error(version),
            Version::V0_26 => Self::raw(400, None, Bytes::new()),
        }
    }

    /// Outside the API (`v1-routing`).
    pub(super) fn outside(version: Version, method: &str, path: &str) -> Self {
        match version {
            Version::V0_23 if method == "GET" => Self::raw(
                500,
                Some("text/html"),
                "<!DOCTYPE html><title>500 Internal Server Error</title>",
            ),
            Version::V0_23 => Self::raw(404, Some("text/html"), "Not Found"),
            Version::V0_26 => Self::raw(404, Some("text/plain"), format!("Not Found: {path}")),
        }
    }

    /// An endpoint that exists and is not imitated: loud, so that no test leans on it.
    pub(super) fn not_imitated() -> Self {
        Self::raw(
            501,
            Some(JSON),
            json!({ "error": "the fake server does not imitate this endpoint" }).to_string(),
        )
    }

    pub(super) fn canned(version: Version, canned: Canned) -> Self {
        match canned {
            // With Redis away there is no shrimp to give (`v1-redis-stopped`).
            Canned::Unexpected => {
                let mut answer = Self::message(version, 400, "An unexpected error occurred :[");
                if version == Version::V0_23 {
                    answer.body = json!({ "shrimp": null, "message": "An unexpected error occurred :[" })
                        .to_string()
                        .into();
                }
                answer
            }
            Canned::ServerError => Self::server_error(version),
            Canned::BadGateway => Self::page(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
            Canned::Unavailable => Self::page(503, "<html>503 Service Unavailable</html>").later(),
            Canned::TooManyRequests => Self::page(429, "<html>429 Too Many Requests</html>").later(),
            Canned::TooManyRequestsNow => Self::page(429, "<html>429 Too Many Requests</html>").later_by("0"),
            Canned::RateLimited => Self::rate_limited(version),
            Canned::NotAuthorized => Self::not_authorized(version),
            Canned::Redirect(to) => {
                let mut answer = Self::page(302, "");
                answer.extra.push(("location", to));
                answer
            }
            Canned::Empty => Self::raw(200, Some(JSON_UTF8), Bytes::new()),
            Canned::WrongJson => Self::raw(200, Some(JSON_UTF8), r#"{"custid":"anon","metadata_key":"#),
            Canned::OtherJson => Self::raw(200, Some(JSON_UTF8), r#"["not", "what", {"you": "think"}]"#),
            Canned::Raw(status, content_type, body) => Self::raw(status, Some(&content_type), body),
        }
    }

    fn page(status: u16, body: &'static str) -> Self {
        Self::raw(status, Some("text/html"), body)
    }

    fn later(self) -> Self {
        self.later_by("7")
    }

    fn later_by(mut self, seconds: &str) -> Self {
        self.extra.push(("retry-after", seconds.to_owned()));
        self
    }

    /// The headers as recorded; neither version sends a `Date`.
    pub(super) fn headers(&self, version: Version, host: &str) -> Vec<(&'static str, String)> {
        let mut headers: Vec<(&'static str, String)> = Vec::new();
        let from_application = self.content_type.is_some();
        if let Some(kind) = &self.content_type {
            headers.push(("content-type", kind.clone()));
        }
        if let Some(intended) = self.intended {
            headers.push(("x-ots-intended-status", intended.to_string()));
        }
        match version {
            Version::V0_23 => {
                headers.push(("connection", "keep-alive".into()));
                headers.push(("server", "thin".into()));
            }
            Version::V0_26 if from_application => headers.extend([
                ("x-content-type-options", "nosniff".to_owned()),
                ("x-xss-protection", "1; mode=block".to_owned()),
                ("referrer-policy", "strict-origin-when-cross-origin".to_owned()),
                ("strict-transport-security", "max-age=31536000".to_owned()),
                ("o-domain-strategy", "canonical".to_owned()),
                ("o-display-domain", host.to_owned()),
                ("x-request-id", random_key(13)),
            ]),
            Version::V0_26 => {}
        }
        headers.extend(self.extra.iter().cloned());
        headers
    }
}

/// A key as the service makes them: lower-case letters and digits.
pub(super) fn random_key(length: usize) -> String {
    pick(b"0123456789abcdefghijklmnopqrstuvwxyz", length)
}

/// A generated secret: printable ASCII without the blank (`v1-generate`).
pub(super) fn random_secret(length: usize) -> String {
    let alphabet: Vec<u8> = (b'!'..=b'~').collect();
    pick(&alphabet, length)
}

fn pick(alphabet: &[u8], length: usize) -> String {
    let mut rng = rand::rng();
    Choose::new(alphabet)
        .map(|choose| {
            (0..length)
                .map(|_| char::from(*choose.sample(&mut rng)))
                .collect()
        })
        .unwrap_or_default()
}
