//! The fields of a request, each with a hash: which of them an edit changed, and whether it asks for a new link: PURE.
//!
//! They are kept in the ledger entry beside the fingerprint, which only tells that something changed. The values
//! themselves (addresses, templates) are not kept.

use super::request::{Recipient, Request, Source};
use crate::api::share::SecretKeyRef;
use crate::ledger::Owner;
use crate::ledger::hash::short_hash;
use std::collections::BTreeMap;

/// The field that asks for a new link.
const REQUEST_ID: &str = "requestID";

/// Stands for all other fields in an entry whose writer did not record them.
const UNRECORDED: &str = "spec";

/// The name of a field, as in the spec, to the hash of its value. A field that is not set is not in it.
pub type Fields = BTreeMap<String, String>;

impl Request {
    /// The fields that the fingerprint covers, hashed together with the name of the share's entry.
    #[must_use]
    pub fn fields(&self, owner: &Owner) -> Fields {
        let mut values: Vec<(&str, String)> = vec![
            ("ttl", self.ttl_seconds.to_string()),
            (
                "providerRef",
                format!("{}/{}", self.provider.kind.as_str(), self.provider.name),
            ),
        ];
        let mut set = |name, value: Option<&str>| {
            if let Some(value) = value {
                values.push((name, value.to_owned()));
            }
        };
        match &self.source {
            Source::Secret(source) => {
                set("secretRef.name", Some(&source.name));
                set("secretRef.key", source.key.as_deref());
                set("secretRef.template", source.template.as_deref());
            }
            Source::Generate(generate) => {
                set("generate.length", Some(&generate.length.to_string()));
                set(
                    "generate.targetSecretRef",
                    Some(&reference(&generate.target_secret_ref)),
                );
            }
        }
        match &self.recipient {
            Some(Recipient::Address(address)) => set("recipient", Some(address)),
            Some(Recipient::SecretKey(key)) => {
                set("recipientFrom", Some(&format!("Secret/{}", reference(key))));
            }
            Some(Recipient::ConfigMapKey(key)) => {
                set(
                    "recipientFrom",
                    Some(&format!("ConfigMap/{}/{}", key.name, key.key)),
                );
            }
            None => {}
        }
        set(
            "passphraseSecretRef",
            self.passphrase.as_ref().map(reference).as_deref(),
        );
        set("shareDomain", self.share_domain.as_deref());
        set(REQUEST_ID, self.request_id.as_deref());
        let salt = owner.entry_name();
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), short_hash(&["field", &salt, name, &value])))
            .collect()
    }

    /// What an entry records of this request when its writer did not record the fields of the one that was sent: from now on a
    /// new `requestID` is one.
    #[must_use]
    pub fn baseline(&self, owner: &Owner) -> Fields {
        let mut fields = self.fields(owner);
        fields.retain(|name, _| name == REQUEST_ID);
        fields.insert(UNRECORDED.to_owned(), String::new());
        fields
    }
}

/// Whether a request names itself, and otherwise than the recorded one. Removing the name asks for nothing.
#[must_use]
pub fn asks_anew(recorded: &Fields, now: &Fields) -> bool {
    let id = now.get(REQUEST_ID);
    !recorded.is_empty() && id.is_some() && id != recorded.get(REQUEST_ID)
}

/// The names of the fields that differ, in order.
#[must_use]
pub fn changed(recorded: &Fields, now: &Fields) -> Vec<String> {
    if recorded.is_empty() || recorded.contains_key(UNRECORDED) {
        return vec![UNRECORDED.to_owned()];
    }
    let mut names: Vec<String> = recorded
        .keys()
        .chain(now.keys())
        .filter(|name| recorded.get(*name) != now.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

fn reference(key: &SecretKeyRef) -> String {
    format!("{}/{}", key.name, key.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn owner() -> Owner {
        Owner {
            namespace: "ns".into(),
            name: "alice".into(),
        }
    }

    fn fields(spec: &Value) -> Fields {
        let spec = serde_json::from_value(spec.clone()).expect("a spec");
        Request::parse(&spec).expect("a valid spec").fields(&owner())
    }

    /// The fields and the fingerprint tell the same changes.
    #[test]
    fn every_change_of_the_fingerprint_has_its_field() {
        let base = json!({"secretRef": {"name": "alice"}, "ttl": "24h", "requestID": "1"});
        let generate = json!({"generate": {"length": 20, "targetSecretRef": {"name": "a", "key": "k"}}, "secretRef": null});
        for (edit, names) in [
            (json!({"ttl": "1440m"}), vec![]),
            (json!({"suspend": true, "deletionPolicy": "Retain"}), vec![]),
            (json!({"requestID": null, "requestId": "1"}), vec![]),
            (json!({"ttl": "48h"}), vec!["ttl"]),
            (
                json!({"secretRef": {"name": "alice", "key": "password"}}),
                vec!["secretRef.key"],
            ),
            (
                json!({"secretRef": {"name": "bob", "template": "{{ a }}"}}),
                vec!["secretRef.name", "secretRef.template"],
            ),
            (json!({"recipient": "alice@example.com"}), vec!["recipient"]),
            (
                json!({"recipientFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}),
                vec!["recipientFrom"],
            ),
            (
                json!({"recipientFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}),
                vec!["recipientFrom"],
            ),
            (
                json!({"passphraseSecretRef": {"name": "a", "key": "k"}}),
                vec!["passphraseSecretRef"],
            ),
            (json!({"shareDomain": "a.example.com"}), vec!["shareDomain"]),
            (
                json!({"providerRef": {"kind": "ShareProvider", "name": "default"}}),
                vec!["providerRef"],
            ),
            (json!({"requestID": "2"}), vec!["requestID"]),
            (json!({"requestID": null}), vec!["requestID"]),
            (
                generate,
                vec!["generate.length", "generate.targetSecretRef", "secretRef.name"],
            ),
        ] {
            let mut spec = base.clone();
            for (name, value) in edit.as_object().expect("an object") {
                spec[name] = value.clone();
            }
            assert_eq!(changed(&fields(&base), &fields(&spec)), names, "{edit}");
            let print = |spec: &Value| {
                let spec = serde_json::from_value(spec.clone()).expect("a spec");
                Request::parse(&spec).expect("a valid spec").fingerprint(1)
            };
            assert_eq!(print(&base) == print(&spec), names.is_empty(), "{edit}");
        }
    }

    #[test]
    fn only_another_request_id_asks_for_a_link() {
        let with = |id: Option<&str>| fields(&json!({"secretRef": {"name": "a"}, "requestID": id}));
        let baseline = |id: Option<&str>| {
            let spec = json!({"secretRef": {"name": "a"}, "requestID": id});
            let spec = serde_json::from_value(spec).expect("a spec");
            Request::parse(&spec).expect("a valid spec").baseline(&owner())
        };
        for (recorded, now, asks) in [
            (with(None), None, false),
            (with(None), Some("1"), true),
            (with(Some("1")), Some("1"), false),
            (with(Some("1")), None, false),
            (with(Some("1")), Some("2"), true),
            // Nothing is known of the one that was sent: nothing is sent beside it.
            (Fields::new(), Some("1"), false),
            (baseline(Some("1")), Some("1"), false),
            (baseline(Some("1")), Some("2"), true),
            (baseline(None), Some("1"), true),
        ] {
            assert_eq!(asks_anew(&recorded, &with(now)), asks, "{recorded:?} {now:?}");
        }
        assert_eq!(changed(&baseline(Some("1")), &with(Some("1"))), ["spec"]);
        assert_eq!(changed(&Fields::new(), &with(Some("1"))), ["spec"]);
    }

    #[test]
    fn a_value_cannot_be_read_from_its_hash_or_compared_between_shares() {
        let spec = json!({"secretRef": {"name": "a"}, "recipient": "canary@example.com"});
        let mine = fields(&spec);
        assert!(!format!("{mine:?}").contains("canary"));
        let other = Owner {
            namespace: "ns".into(),
            name: "bob".into(),
        };
        let spec = serde_json::from_value(spec).expect("a spec");
        let theirs = Request::parse(&spec).expect("a valid spec").fields(&other);
        assert_ne!(mine["recipient"], theirs["recipient"]);
    }
}
