//! Receipts and secrets: look, burn, open, and the JSON of a receipt in its many shapes.
//!
//! It must not create shares; lists of receipts are in `listing`.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::config::Version;
use super::dispatch::{Call, Caller};
use super::journal::{Share, State};
use super::recipient;
use super::state::Memory;

/// bcrypt reads no more of a passphrase than this (`v1-share-passphrase-limits`, last exchange).
const BCRYPT_BYTES: usize = 72;

/// What differs between the places that show a receipt.
#[allow(
    clippy::struct_excessive_bools,
    reason = "one flag per field that a place leaves out"
)]
pub(super) struct Shown {
    /// `secret_key` is there.
    pub(super) secret_key: bool,
    /// The secret's remaining time, where it is not null.
    pub(super) secret_ttl: bool,
    /// `passphrase_required` is there.
    pub(super) passphrase: bool,
    /// v0.26: `metadata_url` ends with the key. A look leaves it out.
    pub(super) url_with_key: bool,
    /// The value, where it is given.
    pub(super) value: Option<Vec<u8>>,
}

impl Shown {
    pub(super) fn created(share: &Share) -> Self {
        let value = share.generated.then(|| share.value.clone());
        Self {
            secret_key: true,
            secret_ttl: true,
            passphrase: true,
            url_with_key: true,
            value,
        }
    }

    fn looked_at(live: bool, value: Option<Vec<u8>>) -> Self {
        Self {
            secret_key: true,
            secret_ttl: live,
            passphrase: live,
            url_with_key: false,
            value,
        }
    }

    fn burning() -> Self {
        Self {
            secret_key: true,
            secret_ttl: false,
            passphrase: false,
            url_with_key: true,
            value: None,
        }
    }

    pub(super) fn listed() -> Self {
        Self {
            secret_key: false,
            secret_ttl: false,
            passphrase: false,
            url_with_key: true,
            value: None,
        }
    }
}

/// Redis rounds what is left to whole seconds.
pub(super) fn seconds_left(left_ms: i64) -> i64 {
    (left_ms + 500).max(0) / 1000
}

pub(super) fn render(memory: &Memory, share: &Share, caller: &Caller, now: i64, shown: &Shown) -> Value {
    let version = memory.config.version;
    let received = share.state == State::Received;
    let owner = share.account.as_deref().unwrap_or("anon");
    let value = shown
        .value
        .as_ref()
        .map(|value| json!(String::from_utf8_lossy(value)));
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    // v0.26 names the caller here, not the owner (`v1-burn`, `v1-metadata-states`).
    put(
        "custid",
        json!(if version == Version::V0_26 {
            caller.custid()
        } else {
            owner
        }),
    );
    put("metadata_key", json!(share.metadata_key));
    if shown.secret_key && !received {
        put("secret_key", json!(visible_key(share)));
    }
    put("ttl", json!(share.ttl));
    put("metadata_ttl", json!(seconds_left(share.receipt_left_ms(now))));
    if !received {
        let left = seconds_left(share.secret_left_ms(now));
        put(
            "secret_ttl",
            if shown.secret_ttl {
                json!(left)
            } else {
                Value::Null
            },
        );
    }
    put("state", json!(share.state.word()));
    put("updated", json!(share.updated_ms / 1000));
    put("created", json!(share.created_ms / 1000));
    if received {
        put("received", json!(share.received_ms.unwrap_or_default() / 1000));
    }
    put("recipient", json!(masks(version, share)));
    put(
        "share_domain",
        json!(share.share_domain.clone().unwrap_or_default()),
    );
    if let Some(value) = value {
        put("value", value);
    }
    if shown.passphrase {
        put("passphrase_required", json!(share.passphrase.is_some()));
    }
    if version == Version::V0_26 {
        add_v0_26(&mut map, memory, share, shown);
    }
    Value::Object(map)
}

/// The second names that v0.26 has for most fields.
fn add_v0_26(map: &mut Map<String, Value>, memory: &Memory, share: &Share, shown: &Shown) {
    let key = if shown.url_with_key {
        share.metadata_key.as_str()
    } else {
        ""
    };
    let url = format!("{}/receipt/{key}", memory.base_url(None));
    let copies = [
        ("recipient", "recipients"),
        ("metadata_ttl", "receipt_ttl"),
        ("metadata_key", "identifier"),
        ("passphrase_required", "has_passphrase"),
        ("value", "secret_value"),
    ];
    for (old, new) in copies {
        if let Some(value) = map.get(old).cloned() {
            map.insert(new.to_owned(), value);
        }
    }
    if share.state != State::Received {
        map.insert("secret_identifier".to_owned(), json!(visible_key(share)));
    }
    map.insert("metadata_url".to_owned(), json!(url));
    map.insert("receipt_url".to_owned(), json!(url));
}

/// A burned or expired secret has no key any more.
fn visible_key(share: &Share) -> &str {
    if matches!(share.state, State::Burned | State::Expired) {
        ""
    } else {
        &share.secret_key
    }
}

fn masks(version: Version, share: &Share) -> Vec<String> {
    share
        .recipients
        .iter()
        .map(|address| recipient::mask(version, address))
        .collect()
}

/// A look changes things: v0.23 turns `new` into `viewed` and gives the value that once; both
/// notice an expiry only now (`v1-metadata-states`, `v1-metadata-get-first`, `v1-expired-secret`).
pub(super) fn look(memory: &mut Memory, key: &str, caller: &Caller) -> Answer {
    let version = memory.config.version;
    let now = memory.now_ms();
    let Some(share) = memory.receipt(key) else {
        return Answer::unknown_secret(key);
    };
    let live = share.is_live(now);
    if !live && matches!(share.state, State::New | State::Viewed) {
        share.state = State::Expired;
        share.updated_ms = now;
    }
    let open = live && share.passphrase.is_none();
    let value = match version {
        Version::V0_23 => open && share.state == State::New,
        Version::V0_26 => open && share.generated,
    }
    .then(|| share.value.clone());
    if version == Version::V0_23 && share.state == State::New {
        share.state = State::Viewed;
        share.viewed_ms = Some(now);
    }
    let share = share.clone();
    Answer::ok(&render(
        memory,
        &share,
        caller,
        now,
        &Shown::looked_at(live, value),
    ))
}

/// The key is enough; the answer shows the state before the burn (`v1-burn`).
pub(super) fn burn(memory: &mut Memory, key: &str, call: &Call, caller: &Caller) -> Answer {
    let version = memory.config.version;
    let now = memory.now_ms();
    let Some(share) = memory.receipt(key).filter(|share| share.is_live(now)) else {
        return Answer::unknown_secret(key);
    };
    let given = call.params.text("passphrase");
    if matches!(unlock(version, share, given.as_deref()), Lock::Closed) {
        return Answer::form_error(version, "Double check that passphrase");
    }
    let before = share.clone();
    share.state = State::Burned;
    share.burned_ms = Some(now);
    share.updated_ms = now;
    let short: String = before
        .secret_key
        .chars()
        .take(version.short_key_length())
        .collect();
    let state = render(memory, &before, caller, now, &Shown::burning());
    Answer::ok(&json!({ "state": state, "secret_shortkey": short }))
}

/// What a recipient does (`v1-share-anonymous`, `v1-share-passphrase`).
pub(super) fn open(memory: &mut Memory, key: &str, passphrase: Option<&str>) -> Answer {
    let version = memory.config.version;
    let now = memory.now_ms();
    let Some(share) = memory.live_secret(key) else {
        return Answer::unknown_secret(key);
    };
    match unlock(version, share, passphrase) {
        Lock::Open => {}
        Lock::Closed => return Answer::unknown_secret(key),
        Lock::Broken => return Answer::unexpected(version),
    }
    share.state = State::Received;
    share.received_ms = Some(now);
    share.updated_ms = now;
    let share = share.clone();
    Answer::ok(&json!({
        "value": String::from_utf8_lossy(&share.value),
        "secret_key": share.secret_key,
        "share_domain": memory.base_url(share.share_domain.as_deref()),
    }))
}

enum Lock {
    Open,
    Closed,
    /// v0.23: the hash fits, the cipher does not.
    Broken,
}

fn unlock(version: Version, share: &Share, given: Option<&str>) -> Lock {
    let Some(wanted) = share.passphrase.as_deref() else {
        return Lock::Open;
    };
    let given = given.unwrap_or_default();
    let head = |text: &str| text.bytes().take(BCRYPT_BYTES).collect::<Vec<_>>();
    if given == wanted {
        Lock::Open
    } else if version == Version::V0_23 && head(given) == head(wanted) {
        Lock::Broken
    } else {
        Lock::Closed
    }
}

/// v2 calls on a key: an unknown one is answered (`v2-basics`, `v2-burn-and-recent`).
pub(super) fn look_v2(memory: &mut Memory, key: &str) -> Answer {
    if memory.receipt(key).is_some() || memory.live_secret(key).is_some() {
        return Answer::not_imitated();
    }
    Answer::unknown_secret(key)
}
