//! The objects of a plan as a user would write them.

use crate::plan::{Flavor, Operation, Plan};
use serde_json::{Value, json};

pub const SHARE: &str = "alice";
pub const TARGET: &str = "generated";
pub const ACCOUNT: &str = "ops@example.com";
pub const TOKEN: &str = "canary-token-5f1c";
pub const PASSPHRASE: &str = "canary-passphrase-77";
pub const RECIPIENT: &str = "alice.liddell@example.com";

/// The lifetime tells which request a link at the service belongs to: the n-th asks for n hours.
pub fn ttl_seconds(request: u64) -> u64 {
    request * 3600
}

/// The value that the n-th request shares.
pub fn value(request: u64) -> String {
    format!("canary-value-{request} \"quoted\" & <odd> {}", "x".repeat(20))
}

/// The Secrets and the provider that are there before the share.
pub fn surroundings(namespace: &str, url: &str, flavor: Flavor) -> Vec<Value> {
    let secret = |name: &str, data: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": {"name": name, "namespace": namespace},
        })
    };
    let mut spec = json!({"url": url, "pollInterval": "1s"});
    if flavor.has_account() {
        spec["credentialsSecretRef"] = json!({"name": "account"});
    }
    vec![
        secret("value-1", json!({"password": value(1)})),
        secret("value-2", json!({"password": value(2)})),
        secret("passphrase", json!({"passphrase": PASSPHRASE})),
        secret("account", json!({"username": ACCOUNT, "token": TOKEN})),
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
            "metadata": {"name": "fake", "namespace": namespace}, "spec": spec,
        }),
    ]
}

/// The share, asking for the n-th time.
pub fn share(plan: &Plan, namespace: &str, request: u64) -> Value {
    let mut spec = json!({
        "ttl": format!("{request}h"),
        "requestID": request.to_string(),
        "providerRef": {"kind": "ShareProvider", "name": "fake"},
    });
    if plan.operation == Operation::EditFinished {
        spec["requestID"] = json!("1");
    }
    if plan.operation.generates() {
        spec["generate"] = json!({"length": 20, "targetSecretRef": {"name": TARGET, "key": "password"}});
    } else {
        spec["secretRef"] = json!({"name": format!("value-{request}"), "key": "password"});
    }
    if plan.operation.mails() {
        spec["recipient"] = json!(RECIPIENT);
    }
    if plan.passphrase {
        spec["passphraseSecretRef"] = json!({"name": "passphrase", "key": "passphrase"});
    }
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": SHARE, "namespace": namespace}, "spec": spec,
    })
}
