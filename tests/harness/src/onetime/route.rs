//! Which operation a method and path mean, per version.
//!
//! It must not look at bodies, accounts or stored shares.

use super::config::Version;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// v1 `share` and `create`.
    Share,
    /// v1 `generate`.
    Generate,
    /// v1 `private/KEY` and its aliases.
    Look,
    /// v1 `private/KEY/burn`.
    Burn,
    /// v1 `private/recent`.
    Recent,
    /// v2 `private/recent`.
    RecentV2,
    /// v1 `status`.
    Status,
    /// v1 `authcheck`.
    AuthCheck,
    /// v1 `secret/KEY`: a recipient opens the link.
    Open,
    /// Anything else.
    Other,
}

/// A route of the imitated server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Share,
    Create,
    Generate,
    Look(String),
    Burn(String),
    Recent,
    Status,
    AuthCheck,
    Open(String),
    /// v2: status.
    StatusV2,
    VersionV2,
    AuthCheckV2,
    RecentV2,
    LocalesV2,
    /// v2 calls on an unknown key are answered; on a known one they are not imitated.
    KeyV2(String),
    /// A path below `/api/v1` or `/api/v2` that the server does not know.
    UnknownV1,
    UnknownV2,
    /// Not the API at all.
    Outside,
}

impl Route {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Self::Share | Self::Create => Operation::Share,
            Self::Generate => Operation::Generate,
            Self::Look(_) => Operation::Look,
            Self::Burn(_) => Operation::Burn,
            Self::Recent => Operation::Recent,
            Self::RecentV2 => Operation::RecentV2,
            Self::Status => Operation::Status,
            Self::AuthCheck => Operation::AuthCheck,
            Self::Open(_) => Operation::Open,
            _ => Operation::Other,
        }
    }

    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Look(key) | Self::Burn(key) | Self::Open(key) | Self::KeyV2(key) => Some(key),
            _ => None,
        }
    }
}

/// Double and trailing slashes do not matter; HEAD is GET without a body (`v1-routing`, `v1-status`).
pub(super) fn route(version: Version, method: &str, path: &str) -> Route {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let method = if method == "HEAD" { "GET" } else { method };
    match parts.as_slice() {
        ["api", "v1", rest @ ..] => v1(version, method, rest),
        ["api", "v2", rest @ ..] => v2(version, method, rest),
        _ => Route::Outside,
    }
}

fn v1(version: Version, method: &str, rest: &[&str]) -> Route {
    let receipt_word = |word: &str| {
        matches!(word, "private" | "metadata") || (word == "receipt" && version == Version::V0_26)
    };
    match (method, rest) {
        ("POST", ["share"]) => Route::Share,
        ("POST", ["create"]) => Route::Create,
        ("POST", ["generate"]) => Route::Generate,
        ("GET", ["status"]) => Route::Status,
        ("GET", ["authcheck"]) => Route::AuthCheck,
        ("POST", ["secret", key]) => Route::Open((*key).to_owned()),
        ("GET", [word, "recent"]) if receipt_word(word) => Route::Recent,
        ("GET" | "POST", [word, key]) if receipt_word(word) => Route::Look((*key).to_owned()),
        ("POST", [word, key, "burn"]) if receipt_word(word) => Route::Burn((*key).to_owned()),
        _ => Route::UnknownV1,
    }
}

fn v2(version: Version, method: &str, rest: &[&str]) -> Route {
    match (method, rest, version) {
        ("GET", ["status"], _) => Route::StatusV2,
        ("GET", ["version"], _) => Route::VersionV2,
        ("GET", ["authcheck"], Version::V0_23) => Route::AuthCheckV2,
        ("GET", ["supported-locales"], Version::V0_23) => Route::LocalesV2,
        ("GET", ["private" | "receipt", "recent"], _) => Route::RecentV2,
        ("GET", ["secret" | "private" | "receipt", key], Version::V0_23)
        | ("POST", ["private", key, "burn"], Version::V0_23) => Route::KeyV2((*key).to_owned()),
        _ => Route::UnknownV2,
    }
}

/// The path with the key hidden, and without the query.
pub(super) fn masked(path: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => path.replace(key, "{key}"),
        None => path.to_owned(),
    }
}
