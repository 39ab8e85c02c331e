//! Mistakes that the API server refuses at once, with a message that names the field.

use anyhow::{Result, ensure};
use harness::cluster;
use kube::Api;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams, ValidationDirective,
};
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::merged;

const NAMESPACE: &str = "admission";

integration_test!(admission_rejects_bad_specs);
async fn admission_rejects_bad_specs(env: &Env) -> Result<()> {
    cluster::namespace(&env.client, NAMESPACE).await?;
    let good_share = json!({"secretRef": {"name": "s"}, "suspend": true});
    let good_provider = json!({"url": "https://secrets.example.com"});
    for (kind, good) in [
        ("OneTimeShare", &good_share),
        ("ShareProvider", &good_provider),
        ("ClusterShareProvider", &good_provider),
    ] {
        try_create(env, kind, good)
            .await
            .map_err(|said| anyhow::anyhow!("{kind} {good}: {said}"))?;
    }
    for (bad, words) in shares() {
        refused(env, "OneTimeShare", merged(good_share.clone(), bad), words).await?;
    }
    for (bad, words) in providers() {
        for kind in ["ShareProvider", "ClusterShareProvider"] {
            refused(env, kind, bad.clone(), words).await?;
        }
    }
    unknown_fields(env).await
}

type Mistake = (Value, &'static [&'static str]);

fn shares() -> Vec<Mistake> {
    let long = |characters: usize| "a".repeat(characters);
    vec![
        (json!({"secretRef": null}), &["spec:", "secretRef and generate"]),
        (
            json!({"generate": {"targetSecretRef": {"name": "t", "key": "k"}}}),
            &["spec:", "secretRef and generate"],
        ),
        (
            json!({"secretRef": null, "generate": {"length": 3, "targetSecretRef": {"name": "t", "key": "k"}}}),
            &["spec.generate.length"],
        ),
        (json!({"refreshPolicy": "Sometimes"}), &["spec.refreshPolicy"]),
        (json!({"deletionPolicy": "Keep"}), &["spec.deletionPolicy"]),
        (json!({"secretRef": {}}), &["spec.secretRef.name"]),
        (json!({"secretRef": {"name": ""}}), &["spec.secretRef.name"]),
        (
            json!({"secretRef": {"name": long(254)}}),
            &["spec.secretRef.name"],
        ),
        (
            json!({"secretRef": {"name": "s", "key": ""}}),
            &["spec.secretRef.key"],
        ),
        (
            json!({"secretRef": {"name": "s", "key": "k", "template": "{{ k }}"}}),
            &["spec.secretRef", "key and template"],
        ),
        (
            json!({"secretRef": {"name": "s", "template": long(16_385)}}),
            &["spec.secretRef.template"],
        ),
        (
            json!({"recipient": "a@example.com", "recipientFrom": {"secretKeyRef": {"name": "r", "key": "k"}}}),
            &["spec:", "recipient and recipientFrom"],
        ),
        (
            json!({"recipientFrom": {}}),
            &["spec.recipientFrom", "secretKeyRef and configMapKeyRef"],
        ),
        (
            json!({"recipientFrom": {"secretKeyRef": {"name": "r"}}}),
            &["spec.recipientFrom.secretKeyRef.key"],
        ),
        (json!({"ttl": ""}), &["spec.ttl"]),
        (json!({"ttl": "10s"}), &["spec.ttl", "between 1m and 8760h"]),
        (json!({"ttl": "59s"}), &["spec.ttl", "between 1m and 8760h"]),
        (json!({"ttl": "8761h"}), &["spec.ttl", "between 1m and 8760h"]),
        (json!({"ttl": "1d"}), &["spec.ttl"]),
        (json!({"ttl": "90"}), &["spec.ttl"]),
        (json!({"ttl": "1.5h"}), &["spec.ttl"]),
        (json!({"ttl": "-1h"}), &["spec.ttl"]),
        (json!({"ttl": 3600}), &["spec.ttl"]),
        (json!({"recipient": ""}), &["spec.recipient"]),
        (json!({"recipient": "nobody"}), &["spec.recipient"]),
        (
            json!({"recipient": "a@example.com,b@example.com"}),
            &["spec.recipient"],
        ),
        (
            json!({"recipient": "a@example.com b@example.com"}),
            &["spec.recipient"],
        ),
        (json!({"recipient": "Alice <a@example.com>"}), &["spec.recipient"]),
        (
            json!({"recipient": "a@example.com\nBcc: b@example.com"}),
            &["spec.recipient"],
        ),
        (
            json!({"recipient": format!("{}@example.com", long(250))}),
            &["spec.recipient"],
        ),
        (json!({"recipient": ["a@example.com"]}), &["spec.recipient"]),
        (
            json!({"passphraseSecretRef": {"name": "p"}}),
            &["spec.passphraseSecretRef.key"],
        ),
        (
            json!({"passphraseSecretRef": {"name": "", "key": "k"}}),
            &["spec.passphraseSecretRef.name"],
        ),
        (json!({"shareDomain": "example.com/path"}), &["spec.shareDomain"]),
        (
            json!({"shareDomain": "https://example.com"}),
            &["spec.shareDomain"],
        ),
        (json!({"shareDomain": "example.com:8443"}), &["spec.shareDomain"]),
        (json!({"shareDomain": "Example.com"}), &["spec.shareDomain"]),
        (json!({"shareDomain": "localhost"}), &["spec.shareDomain"]),
        (
            json!({"providerRef": {"kind": "Secret", "name": "p"}}),
            &["spec.providerRef.kind", "ShareProvider"],
        ),
        (json!({"providerRef": {"name": ""}}), &["spec.providerRef.name"]),
        (json!({"requestID": ""}), &["spec.requestID"]),
        (
            json!({"requestID": "1", "requestId": "1"}),
            &["at most one of requestID and requestId"],
        ),
        (json!({"requestID": long(129)}), &["spec.requestID"]),
        (json!({"suspend": "yes"}), &["spec.suspend"]),
    ]
}

fn providers() -> Vec<Mistake> {
    let with = |more: Value| merged(json!({"region": "eu"}), more);
    vec![
        (json!({}), &["exactly one of region and url"]),
        (
            json!({"region": "eu", "url": "https://secrets.example.com"}),
            &["exactly one of region and url"],
        ),
        (json!({"region": "de"}), &["spec.region", "\"nz\""]),
        (json!({"url": "secrets.example.com"}), &["spec.url"]),
        (json!({"url": "ftp://secrets.example.com"}), &["spec.url"]),
        (json!({"url": "https://secrets.example.com/path"}), &["spec.url"]),
        (json!({"url": "https://user@secrets.example.com"}), &["spec.url"]),
        (json!({"url": "https://secrets.example.com?x=y"}), &["spec.url"]),
        (
            with(json!({"credentialsSecretRef": {}})),
            &["spec.credentialsSecretRef.name"],
        ),
        (
            with(json!({"credentialsSecretRef": {"name": "c", "tokenKey": ""}})),
            &["spec.credentialsSecretRef.tokenKey"],
        ),
        (with(json!({"caBundle": ""})), &["spec.caBundle"]),
        (
            with(json!({"shareDomain": "https://example.com"})),
            &["spec.shareDomain"],
        ),
        (with(json!({"maxSecretBytes": 0})), &["spec.maxSecretBytes"]),
        (
            with(json!({"maxSecretBytes": 2_000_000})),
            &["spec.maxSecretBytes"],
        ),
        (
            with(json!({"allowedRecipientDomains": ["@example.com"]})),
            &["spec.allowedRecipientDomains[0]"],
        ),
        (
            with(json!({"allowedRecipientDomains": "example.com"})),
            &["spec.allowedRecipientDomains"],
        ),
        (
            with(json!({"maxSharesPerNamespace": 0})),
            &["spec.maxSharesPerNamespace"],
        ),
        (
            with(json!({"pollInterval": "0s"})),
            &["spec.pollInterval", "between 1s and 24h"],
        ),
        (
            with(json!({"pollInterval": "25h"})),
            &["spec.pollInterval", "between 1s and 24h"],
        ),
        (with(json!({"pollInterval": "often"})), &["spec.pollInterval"]),
    ]
}

async fn refused(env: &Env, kind: &str, spec: Value, words: &[&str]) -> Result<()> {
    let Err(said) = try_create(env, kind, &spec).await else {
        anyhow::bail!("{kind} {spec} was accepted");
    };
    for word in words {
        ensure!(
            said.contains(word),
            "the answer to {kind} {spec} does not name {word:?}: {said}"
        );
    }
    Ok(())
}

fn api(env: &Env, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", kind));
    match kind {
        "ClusterShareProvider" => Api::all_with(env.client.clone(), &resource),
        _ => Api::namespaced_with(env.client.clone(), NAMESPACE, &resource),
    }
}

fn object(kind: &str, spec: &Value) -> Result<DynamicObject, serde_json::Error> {
    serde_json::from_value(json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": kind,
        "metadata": {"name": "admission"}, "spec": spec,
    }))
}

/// Asks for all checks, and keeps nothing. The error is what the API server says.
async fn try_create(env: &Env, kind: &str, spec: &Value) -> Result<(), String> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let object = object(kind, spec).map_err(|error| error.to_string())?;
    match api(env, kind).create(&params, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => Err(format!("no answer of the API server: {error}")),
    }
}

/// kubectl asks for strict checks; without them an unknown field is dropped, not kept as if it meant something.
async fn unknown_fields(env: &Env) -> Result<()> {
    let shares = api(env, "OneTimeShare");
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("tests").dry_run()
    };
    let elsewhere = json!({"name": "s", "namespace": "kube-system"});
    for (spec, field) in [
        (json!({"secretRef": elsewhere}), ".spec.secretRef.namespace"),
        (
            json!({"secretRef": {"name": "s"}, "recipients": []}),
            ".spec.recipients",
        ),
    ] {
        let object = Patch::Apply(object("OneTimeShare", &spec)?);
        let Err(error) = shares.patch("admission", &strict, &object).await else {
            anyhow::bail!("{field} was accepted");
        };
        let said = format!("{error:?}");
        ensure!(said.contains(field), "{field} is not named: {said}");
    }
    let object = object("OneTimeShare", &json!({"secretRef": elsewhere, "recipients": []}))?;
    let lenient = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let kept = shares.create(&lenient, &object).await?;
    ensure!(
        kept.data["spec"]["secretRef"] == json!({"name": "s"}),
        "{:#}",
        kept.data
    );
    ensure!(kept.data["spec"]["recipients"].is_null(), "{:#}", kept.data);
    Ok(())
}
