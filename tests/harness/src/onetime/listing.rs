//! Lists of receipts, v1 and v2, and the small answers of v2.
//!
//! It must not change anything: unlike a look, a list leaves states as they are.

use serde_json::{Value, json};

use super::answer::{Answer, JSON};
use super::config::Version;
use super::dispatch::Caller;
use super::journal::{Share, State};
use super::receipt::{self, Shown};
use super::recipient;
use super::state::Memory;

const THIRTY_DAYS: i64 = 30 * 86_400;

/// v1: oldest first, no paging, parameters ignored. Broken on v0.23 (`v1-recent` of both versions).
pub(super) fn recent(memory: &Memory, caller: &Caller) -> Answer {
    let version = memory.config.version;
    let Some(username) = caller.username() else {
        return Answer::not_authorized(version);
    };
    if version == Version::V0_23 {
        return Answer::unexpected(version);
    }
    let now = memory.now_ms();
    let list: Vec<Value> = memory
        .recent(username)
        .into_iter()
        .map(|share| receipt::render(memory, share, caller, now, &Shown::listed()))
        .collect();
    Answer::ok(&Value::Array(list))
}

/// v2: newest first (`v2-burn-and-recent` of v0.23, `v2-basics` of v0.26).
pub(super) fn recent_v2(memory: &Memory, caller: &Caller) -> Answer {
    let version = memory.config.version;
    let Some(username) = caller.username() else {
        return refused(version, true, false);
    };
    let shares: Vec<&Share> = memory.recent(username).into_iter().rev().collect();
    let records: Vec<Value> = shares.iter().map(|share| record(version, share)).collect();
    let of = |received: bool| -> Vec<Value> {
        let wanted = shares
            .iter()
            .filter(|share| (share.state == State::Received) == received);
        wanted.map(|share| record(version, share)).collect()
    };
    let now = memory.now_ms();
    let since = now / 1000 - THIRTY_DAYS;
    let (custid, details) = match version {
        Version::V0_23 => {
            let text = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
            let details = json!({
                "type": "list", "since": since, "now": text.strftime("%Y-%m-%d %H:%M:%S +0000").to_string(),
                "has_items": !records.is_empty(), "received": of(true), "notreceived": of(false),
            });
            (username.to_owned(), details)
        }
        Version::V0_26 => {
            let details = json!({
                "type": "list", "scope": null, "scope_label": null, "since": since, "now": float(now),
                "has_items": !records.is_empty(), "revealed_receipts": of(true),
                "pending_receipts": of(false),
            });
            (owner_id(username), details)
        }
    };
    v2(
        version,
        200,
        &json!({
            "success": true, "custid": custid, "count": records.len(), "records": records, "details": details,
        }),
    )
}

fn record(version: Version, share: &Share) -> Value {
    match version {
        Version::V0_23 => record_v0_23(share),
        Version::V0_26 => record_v0_26(share),
    }
}

/// Everything is text here, as Redis stores it.
fn record_v0_23(share: &Share) -> Value {
    let time = |at: Option<i64>| at.map_or_else(String::new, |ms| (ms / 1000).to_string());
    let lifespan = (2 * share.ttl).to_string();
    let seen = share.state == State::Viewed;
    json!({
        "identifier": share.metadata_key, "key": share.metadata_key,
        "custid": share.account.as_deref().unwrap_or("anon"), "state": share.state.word(),
        "secret_shortkey": prefix(&share.secret_key, 6),
        "secret_ttl": share.ttl.to_string(), "metadata_ttl": lifespan, "lifespan": lifespan,
        "share_domain": share.share_domain.clone().unwrap_or_default(),
        "created": time(Some(share.created_ms)), "updated": time(Some(share.updated_ms)), "shared": "",
        "received": time(share.received_ms), "burned": time(share.burned_ms), "viewed": time(share.viewed_ms),
        "recipients": masks(Version::V0_23, share), "memo": null, "shortkey": prefix(&share.metadata_key, 8),
        "show_recipients": !share.recipients.is_empty(), "is_viewed": seen,
        "is_received": share.state == State::Received, "is_burned": share.state == State::Burned,
        "is_expired": share.state == State::Expired, "is_orphaned": false, "is_destroyed": is_over(share),
        "is_truncated": false, "has_passphrase": share.passphrase.is_some(),
    })
}

/// Every lifetime is the secret's here, and times are fractions.
fn record_v0_26(share: &Share) -> Value {
    let received = share.received_ms.map(|ms| ms / 1000);
    let is_received = share.state == State::Received;
    let secret_identifier = if is_over(share) {
        ""
    } else {
        share.secret_key.as_str()
    };
    let state = if is_received {
        "revealed"
    } else {
        share.state.word()
    };
    json!({
        "identifier": share.metadata_key, "key": share.metadata_key, "custid": null,
        "owner_id": share.account.as_deref().map(owner_id), "state": state,
        "secret_shortid": prefix(&share.secret_key, 8), "secret_identifier": secret_identifier,
        "secret_ttl": share.ttl, "metadata_ttl": share.ttl, "receipt_ttl": share.ttl, "lifespan": share.ttl,
        "share_domain": share.share_domain, "created": float(share.created_ms),
        "updated": float(share.updated_ms),
        "shared": null, "recipients": masks(Version::V0_26, share), "recipient_name": null, "memo": null,
        "shortid": prefix(&share.metadata_key, 8), "show_recipients": !share.recipients.is_empty(),
        "previewed": null, "revealed": received, "is_previewed": false, "viewed": null, "received": received,
        "burned": share.burned_ms.map(|ms| ms / 1000), "is_viewed": false, "is_received": is_received,
        "is_revealed": is_received, "is_burned": share.state == State::Burned,
        "is_expired": share.state == State::Expired, "is_orphaned": false, "is_destroyed": is_over(share),
        "has_passphrase": share.passphrase.is_some(),
        "kind": if share.generated { "generate" } else { "conceal" }, "source": "standard",
    })
}

fn is_over(share: &Share) -> bool {
    !matches!(share.state, State::New | State::Viewed)
}

fn masks(version: Version, share: &Share) -> String {
    let masks: Vec<String> = share
        .recipients
        .iter()
        .map(|r| recipient::mask(version, r))
        .collect();
    masks.join(", ")
}

fn prefix(key: &str, length: usize) -> String {
    key.chars().take(length).collect()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit a float exactly"
)]
fn float(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// v0.26 knows accounts by an id; any stable text of that form will do.
fn owner_id(username: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(username.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32]
    )
}

fn v2(version: Version, status: u16, value: &Value) -> Answer {
    match version {
        Version::V0_23 => Answer::json(status, value),
        Version::V0_26 => Answer::raw(status, Some(JSON), value.to_string()),
    }
}

/// Wrong or missing credentials: v2 answers with 403 or 401 where v1 says 404.
pub(super) fn refused(version: Version, v2_path: bool, given: bool) -> Answer {
    match (version, v2_path) {
        (_, false) => Answer::not_authorized(version),
        (Version::V0_23, true) => v2(version, 403, &json!({ "message": "Not authorized" })),
        (Version::V0_26, true) => {
            let message = if given {
                "[CREDENTIALS_INVALID] Invalid credentials"
            } else {
                "[AUTH_HEADER_MISSING] No authorization header"
            };
            let now = jiff::Timestamp::now().as_second();
            v2(
                version,
                401,
                &json!({ "error": "Authentication Required", "message": message, "timestamp": now }),
            )
        }
    }
}

pub(super) fn unknown_v2(version: Version) -> Answer {
    match version {
        Version::V0_23 => Answer::no_route(),
        Version::V0_26 => v2(
            version,
            404,
            &json!({ "error": "Not Found", "error_type": "NotFound" }),
        ),
    }
}

pub(super) fn status_v2(version: Version) -> Answer {
    match version {
        Version::V0_23 => v2(version, 200, &json!({ "status": "nominal", "locale": "en" })),
        Version::V0_26 => v2(
            version,
            200,
            &json!({ "success": true, "status": "nominal", "locale": "en" }),
        ),
    }
}

/// v0.26 wants credentials for it; what it says then is not among the recordings.
pub(super) fn version_v2(memory: &Memory, caller: &Caller) -> Answer {
    let version = memory.config.version;
    match version {
        Version::V0_23 => v2(
            version,
            200,
            &json!({ "version": ["0", "23", "6"], "locale": "en" }),
        ),
        Version::V0_26 if caller.account.is_none() => refused(version, true, false),
        Version::V0_26 => v2(
            version,
            200,
            &json!({ "version": ["0", "26", "6"], "locale": "en" }),
        ),
    }
}

/// v0.23 tells the whole account (`v2-basics`); its counters are not imitated.
pub(super) fn authcheck_v2(memory: &Memory, caller: &Caller) -> Answer {
    let version = memory.config.version;
    let Some(username) = caller.username() else {
        return refused(version, true, false);
    };
    let now = (memory.now_ms() / 1000).to_string();
    let options = json!({
        "ttl": 1_209_600.0, "size": 1_000_000, "api": true, "name": "Basic Plan", "email": true,
        "custom_domains": false, "dark_mode": true,
    });
    let plan =
        json!({ "identifier": "basic", "planid": "basic", "price": 0, "discount": 0, "options": options });
    let record = json!({
        "identifier": username, "custid": username, "email": username, "role": "customer", "verified": "true",
        "last_login": "", "locale": "", "updated": now, "created": now, "stripe_customer_id": "",
        "stripe_subscription_id": "", "stripe_checkout_email": "", "plan": plan, "secrets_created": "0",
        "secrets_burned": "0", "secrets_shared": "0", "emails_sent": "0", "active": true,
    });
    v2(
        version,
        200,
        &json!({ "record": record, "details": { "authenticated": true } }),
    )
}
