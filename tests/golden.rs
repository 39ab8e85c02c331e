//! What an earlier version stored must decode and act the same for ever: ledger entries of each phase, the
//! fingerprints of ten specs, a status, and the words that are stored.
//!
//! The files in `tests/golden` were written by the first version. They are never changed. A new kind of entry gets a
//! new file: `ONETIMESHARE_WRITE=1 cargo test --test golden` writes the files that do not exist, and no others.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, outside of #[test]"
)]

#[path = "golden/acts.rs"]
mod acts;
#[path = "golden/entries.rs"]
mod entries;

use entries::{CLUSTER, NAMESPACE, golden};
use k8s_openapi::api::core::v1::Secret;
use onetimeshare::api::OneTimeShare;
use onetimeshare::api::condition::Reason;
use onetimeshare::api::share::{DeletionPolicy, OneTimeShareStatus};
use onetimeshare::ledger::rebuild::{is_complete, rebuild};
use onetimeshare::ledger::{self, BurnReason, Ending, Entry, Phase, RequestKey};
use onetimeshare::problem::Problem;
use onetimeshare::share::inputs::request::Request;
use onetimeshare::share::status::{View, render};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes a file that does not exist, when asked to. One that exists is never touched.
fn write_missing(name: &str, value: &Value) {
    if std::env::var_os("ONETIMESHARE_WRITE").is_some() && !path(name).exists() {
        let text = serde_json::to_string_pretty(value).expect("JSON");
        std::fs::write(path(name), text + "\n").expect("written");
    }
}

/// The stored entry of this name.
fn stored(name: &str) -> Entry {
    let secret: Secret = serde_json::from_value(read(&format!("ledger/{name}.json"))).expect("a Secret");
    ledger::decode(&secret).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn entries_decode_to_what_was_written() {
    for (name, entry) in golden() {
        let secret = ledger::encode(&entry, NAMESPACE, None).expect("encodable");
        write_missing(
            &format!("ledger/{name}.json"),
            &serde_json::to_value(&secret).expect("JSON"),
        );
        assert_eq!(stored(name), entry, "{name}");
    }
}

/// The labels are what the watch, the lanes and the routes are selected by: an entry that a newer version rewrites must
/// still be found by an older replica.
#[test]
fn entries_keep_their_name_type_and_labels() {
    for (name, entry) in golden() {
        let before = read(&format!("ledger/{name}.json"));
        let after = ledger::encode(&entry, NAMESPACE, None).expect("encodable");
        let after = serde_json::to_value(&after).expect("JSON");
        assert_eq!(after["type"], before["type"], "{name}");
        assert_eq!(after["metadata"]["name"], before["metadata"]["name"], "{name}");
        let (Some(after), Some(before)) = (
            after["metadata"]["labels"].as_object(),
            before["metadata"]["labels"].as_object(),
        ) else {
            panic!("{name}: no labels");
        };
        for (label, value) in before {
            assert_eq!(after.get(label), Some(value), "{name}: {label}");
        }
    }
}

#[test]
fn every_phase_ending_and_burn_reason_has_an_entry() {
    let mut seen = BTreeMap::<String, usize>::new();
    let mut count = |word: String| *seen.entry(word).or_default() += 1;
    for (_, entry) in golden() {
        match &entry.phase {
            Phase::Idle => count("idle".into()),
            Phase::Intent(_) => count("intent".into()),
            Phase::Shared(_) => count("shared".into()),
            Phase::Burning(burning) => count(format!("burning {:?}", burning.why)),
            Phase::Finished(finished) => count(format!("finished {:?}", finished.how)),
        }
    }
    let burning = BurnReason::ALL.map(|why| format!("burning {why:?}"));
    let finished = [Ending::Received, Ending::Burned, Ending::Expired].map(|how| format!("finished {how:?}"));
    let plain = ["idle", "intent", "shared"].map(String::from);
    for word in plain.into_iter().chain(burning).chain(finished) {
        assert!(seen.contains_key(&word), "no golden entry is {word}");
    }
}

/// What users see of each entry, but for the wording of messages.
#[test]
fn entries_look_the_same_in_a_status() {
    for (name, entry) in golden() {
        let file = format!("status/{name}.json");
        let status = shown(&entry);
        write_missing(&file, &status);
        // A later version may tell more: each field and condition of the file must be there as it was.
        let golden = read(&file);
        for (field, value) in golden.as_object().expect("an object") {
            if field != "conditions" {
                assert_eq!(&status[field], value, "{name}: {field}");
            }
        }
        let list = |status: &Value| status["conditions"].as_array().cloned().unwrap_or_default();
        for condition in list(&golden) {
            assert!(
                list(&status).contains(&condition),
                "{name}: {condition} is not in {status}"
            );
        }
    }
}

fn shown(entry: &Entry) -> Value {
    let status = render(&View {
        generation: entry.generation,
        entry: Some(entry),
        current: true,
        edited: &[],
        problem: entry.retry.problem.as_ref(),
        previous: None,
        now: entries::now(),
    });
    let mut status = serde_json::to_value(status).expect("JSON");
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        assert!(condition["message"].is_string());
        condition
            .as_object_mut()
            .map(|condition| condition.remove("message"));
    }
    status
}

#[test]
fn specs_keep_their_fingerprints() {
    let specs = read("specs.json");
    let specs = specs.as_array().expect("a list");
    assert!(specs.len() >= 10, "{} specs", specs.len());
    for golden in specs {
        let spec = serde_json::from_value(golden["spec"].clone()).expect("a spec");
        let request = Request::parse(&spec).unwrap_or_else(|problem| panic!("{golden}: {}", problem.message));
        let fingerprint = request.fingerprint(1).expect("the first algorithm stays known");
        assert_eq!(json!(fingerprint), golden["fingerprint"], "{}", golden["spec"]);
        // The files have the name that the field had then.
        let mut renamed = golden["spec"].clone();
        if let Some(id) = renamed["requestId"].as_str().map(str::to_owned) {
            let fields = renamed.as_object_mut().expect("an object");
            fields.remove("requestId");
            fields.insert("requestID".into(), json!(id));
            let spec = serde_json::from_value(renamed.clone()).expect("a spec");
            let request = Request::parse(&spec).expect("a valid spec");
            assert_eq!(json!(request.fingerprint(1)), golden["fingerprint"], "{renamed}");
        }
    }
}

/// A status that the first version wrote, from which a lost entry is made again.
#[test]
fn a_stored_status_is_read_the_same() {
    let share: OneTimeShare = serde_json::from_value(read("share.json")).expect("a share");
    let status: &OneTimeShareStatus = share.status.as_ref().expect("a status");
    assert!(is_complete(status));
    let hash = status.request_hash.as_deref().expect("a hash");
    let key = RequestKey::from_status_form(hash).expect("a key");
    assert_eq!(key.status_form(), hash);
    let request = Request::parse(&share.spec).expect("a request");
    assert_eq!(request.fingerprint(key.version).as_ref(), Some(&key.fingerprint));
    let entry = rebuild(&share, key, CLUSTER, DeletionPolicy::Burn).expect("complete");
    let Phase::Shared(link) = &entry.phase else {
        panic!("{:?}", entry.phase);
    };
    assert_eq!(Some(link.url.expose()), status.link.as_deref());
    assert_eq!(Some(&link.attempt), status.attempt.as_ref());
}

/// Alerts, dashboards and the ledger hold these words. A word may be added; none may go or change.
#[test]
fn stored_words_stay() {
    let words = read("words.json");
    let all = |list: &str| -> Vec<String> {
        serde_json::from_value(words[list].clone()).unwrap_or_else(|error| panic!("{list}: {error}"))
    };
    let now: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    for word in all("reasons") {
        assert!(now.contains(&word.as_str()), "reason {word} is gone");
        let reason: Reason = serde_json::from_value(json!(word)).expect("a reason");
        assert_eq!(json!(reason), json!(word));
    }
    for word in all("burnReasons") {
        let why: BurnReason = serde_json::from_value(json!(word)).expect("a burn reason");
        assert_eq!(json!(why), json!(word));
    }
    for word in all("deletionPolicies") {
        let policy: DeletionPolicy = serde_json::from_value(json!(word)).expect("a deletion policy");
        assert_eq!(json!(policy), json!(word));
    }
    for word in all("remedies") {
        let stored = json!({"reason": "Unavailable", "message": "m", "cure": word});
        let problem: Problem = serde_json::from_value(stored.clone()).expect("a problem");
        assert_eq!(json!(problem), stored);
    }
    for word in all("endings") {
        let how: Ending = serde_json::from_value(json!(word)).expect("an ending");
        assert_eq!(json!(how), json!(word));
    }
}
