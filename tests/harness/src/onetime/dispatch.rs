//! Who is calling, is that allowed, and which rule answers.
//!
//! It must not know sockets or faults: a call goes in, an answer comes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::Answer;
use super::config::{Account, Version};
use super::form::Params;
use super::route::Route;
use super::state::{Counted, Memory};
use super::{create, listing, receipt};

/// One request, read and decoded.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) route: Route,
    pub(super) params: Params,
    pub(super) too_large: bool,
    pub(super) credentials: Credentials,
    /// A session cookie came along.
    pub(super) session: bool,
    /// The address that counts for rate limits.
    pub(super) address: String,
    pub(super) order: u64,
    /// A fault: grant this lifetime.
    pub(super) grant: Option<u64>,
    /// False by a fault: store, but send no mail.
    pub(super) mail: bool,
}

/// The `Authorization` header, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    None,
    Basic(String, String),
    /// Another scheme, or not base64.
    Unreadable,
}

impl Credentials {
    pub(super) fn parse(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::None };
        let decoded = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, rest)| STANDARD.decode(rest.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((username, token)) => Self::Basic(username.to_owned(), token.to_owned()),
            None => Self::Unreadable,
        }
    }

    pub(super) fn username(&self) -> Option<&str> {
        match self {
            Self::Basic(username, _) => Some(username),
            Self::None | Self::Unreadable => None,
        }
    }
}

/// Who the server takes the caller for.
pub(super) struct Caller {
    pub(super) account: Option<Account>,
    /// The key of its rate limits.
    pub(super) identity: String,
}

impl Caller {
    pub(super) fn username(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.username.as_str())
    }

    /// `custid` in answers.
    pub(super) fn custid(&self) -> &str {
        self.username().unwrap_or("anon")
    }
}

pub(super) fn handle(memory: &mut Memory, call: &Call) -> Answer {
    let version = memory.config.version;
    match &call.route {
        Route::Outside => return Answer::outside(version, &call.method, &call.path),
        Route::UnknownV1 => return Answer::no_route(),
        Route::UnknownV2 => return listing::unknown_v2(version),
        _ if call.too_large => return Answer::too_large(version),
        _ => {}
    }
    if let Some(answer) = without_accounts(memory, call) {
        return answer;
    }
    let caller = match identify(memory, call) {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    if !allowed(memory, &call.route, &caller) {
        return Answer::rate_limited(version);
    }
    answer(memory, call, &caller)
}

fn answer(memory: &mut Memory, call: &Call, caller: &Caller) -> Answer {
    let version = memory.config.version;
    match &call.route {
        Route::Share | Route::Create | Route::Generate => create::create(memory, call, caller),
        Route::Look(key) => receipt::look(memory, key, caller),
        Route::Burn(key) => receipt::burn(memory, key, call, caller),
        Route::Open(key) => receipt::open(memory, key, call.params.text("passphrase").as_deref()),
        Route::Status => Answer::ok(&json!({ "status": "nominal", "locale": "en" })),
        Route::AuthCheck if caller.account.is_none() => Answer::not_authorized(version),
        Route::AuthCheck => Answer::ok(&json!({ "status": "nominal", "locale": "en" })),
        Route::Recent => listing::recent(memory, caller),
        Route::RecentV2 => listing::recent_v2(memory, caller),
        Route::StatusV2 => listing::status_v2(version),
        Route::VersionV2 => listing::version_v2(memory, caller),
        Route::AuthCheckV2 => listing::authcheck_v2(memory, caller),
        Route::LocalesV2 => Answer::ok(&json!({ "locales": ["en"], "default_locale": "en", "locale": "en" })),
        Route::KeyV2(key) => receipt::look_v2(memory, key),
        Route::UnknownV1 | Route::UnknownV2 | Route::Outside => Answer::no_route(),
    }
}

/// `AUTH_ENABLED=false` refuses credentials, not anonymous callers (`v1-auth-disabled`).
fn without_accounts(memory: &Memory, call: &Call) -> Option<Answer> {
    if memory.config.auth_enabled || call.credentials == Credentials::None {
        return None;
    }
    let message = format!("{} is not available", call.path);
    Some(Answer::message(memory.config.version, 404, &message))
}

/// Wrong credentials are refused everywhere, also where none are needed (`v1-status`).
fn identify(memory: &Memory, call: &Call) -> Result<Caller, Answer> {
    let version = memory.config.version;
    let v2 = call.path.contains("/v2/");
    let account = match &call.credentials {
        Credentials::None => None,
        Credentials::Basic(username, token) => match memory.account(username, token) {
            Some(account) => Some(account.clone()),
            None => return Err(listing::refused(version, v2, true)),
        },
        Credentials::Unreadable => return Err(listing::refused(version, v2, true)),
    };
    // An anonymous form of v0.23 with a session cookie needs its shrimp (`v1-bad-credentials-share`).
    let form = matches!(call.route, Route::Share | Route::Create | Route::Generate);
    if version == Version::V0_23 && call.session && form && account.is_none() {
        let mut answer = Answer::json(
            404,
            &json!({ "reason": "Bad shrimp 🍤", "message": "Please refresh the page and try again" }),
        );
        let cookie = format!("sess={}; path=/", super::answer::random_key(49));
        answer.extra.push(("set-cookie", cookie));
        return Err(answer);
    }
    let identity = account
        .as_ref()
        .map_or_else(|| call.address.clone(), |a| a.username.clone());
    Ok(Caller { account, identity })
}

/// v0.23 counts everything before it looks at it; v0.26 only anonymous creations (`v1-rate-limit`).
fn allowed(memory: &mut Memory, route: &Route, caller: &Caller) -> bool {
    let counted = match route {
        Route::Share | Route::Create | Route::Generate => Counted::Create,
        Route::Look(_) => Counted::Look,
        Route::Open(_) => Counted::Open,
        Route::Burn(_) => Counted::Burn,
        Route::Status => Counted::Status,
        _ => return true,
    };
    let counts = match memory.config.version {
        Version::V0_23 => true,
        Version::V0_26 => counted == Counted::Create && caller.account.is_none(),
    };
    !counts || memory.allow(&caller.identity, counted)
}
