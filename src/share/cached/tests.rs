//! What the cache keeps of a share, and what it leaves out.

use super::*;
use serde_json::{Value, json};

fn golden() -> Value {
    let text = include_str!("../../../tests/golden/share.json");
    serde_json::from_str(text).expect("JSON")
}

fn cached(object: &Value) -> CachedShare {
    serde_json::from_str(&object.to_string()).expect("a share")
}

#[test]
fn a_share_comes_back_as_it_was_but_for_what_is_never_used() {
    let mut object = golden();
    object["metadata"]["resourceVersion"] = json!("7");
    object["metadata"]["creationTimestamp"] = json!("2026-09-21T14:13:20Z");
    object["metadata"]["deletionTimestamp"] = json!("2026-09-21T14:13:21Z");
    object["metadata"]["annotations"] = json!({crate::api::BURN: "nonce"});
    let kept: OneTimeShare = serde_json::from_value(object.clone()).expect("a share");
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!("{}");
    object["metadata"]["annotations"]["onetimeshare.dev.example.com/burn"] = json!("of others");
    object["metadata"]["labels"] = json!({"a": "b"});
    object["metadata"]["managedFields"] = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]);
    let cached = cached(&object);
    assert_eq!(cached.open(), Ok(kept));
    assert_eq!(cached.meta().name.as_deref(), Some("alice"));
    assert_eq!(cached.meta().namespace.as_deref(), Some("onboarding"));
    assert_eq!(
        cached.meta().resource_version.as_deref(),
        Some("7"),
        "a watch goes on from there"
    );
    assert_eq!(cached.state(), Some(ShareState::Shared));
    assert_eq!(cached.provider(), &ProviderRef::default());
}

#[test]
fn a_share_without_a_status_comes_back_too() {
    let mut object = golden();
    object.as_object_mut().expect("an object").remove("status");
    let kept: OneTimeShare = serde_json::from_value(object.clone()).expect("a share");
    let cached = cached(&object);
    assert_eq!(cached.open(), Ok(kept));
    assert_eq!(cached.state(), None);
}

#[test]
fn every_secret_that_it_names_is_told() {
    let mut object = golden();
    object["spec"] = json!({
        "secretRef": {"name": "value"},
        "passphraseSecretRef": {"name": "passphrase", "key": "k"},
        "recipientFrom": {"secretKeyRef": {"name": "recipient", "key": "k"}},
    });
    let names: Vec<String> = cached(&object).secrets().map(str::to_owned).collect();
    assert_eq!(names, ["value", "passphrase", "recipient"]);
    object["spec"] = json!({"generate": {"targetSecretRef": {"name": "target", "key": "k"}}});
    let names: Vec<String> = cached(&object).secrets().map(str::to_owned).collect();
    assert_eq!(names, ["target"]);
}

#[test]
fn a_link_does_not_show() {
    let object = golden();
    let link = object["status"]["link"].as_str().expect("a link");
    let key = object["status"]["secretKey"].as_str().expect("a key");
    let shown = format!("{:?}", cached(&object));
    assert!(!shown.contains(link) && !shown.contains(key), "{shown}");
}

#[test]
fn the_sample_is_json_as_it_is_packed() {
    let samples = serde_json::Deserializer::from_str(SAMPLE).into_iter::<Value>();
    let samples: Vec<Value> = samples.map(|sample| sample.expect("JSON")).collect();
    assert!(!samples.is_empty());
    for sample in samples {
        let again = serde_json::to_string(&serde_json::from_value::<Object>(sample).expect("a share"));
        let again = again.expect("JSON");
        assert!(
            SAMPLE.contains(&again),
            "the order of the fields differs: {again}"
        );
    }
}
