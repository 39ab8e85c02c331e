//! The raw loop: for each share the requests of the operator, in its order, and nothing else. No cache, no ledger that is
//! read, no retries, no gates: the most that this control plane and this service give to anybody who asks for the same.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::observer::{Share, has_link, resource, shares};
use crate::options::Raw;
use crate::stage::LEDGER;

/// As long as what the operator stores of an attempt.
const INTENT_BYTES: usize = 900;
/// As much more as an outcome has.
const OUTCOME_BYTES: usize = 500;

const TYPE: &str = "onetimeshare.dev/raw";
const LANE: &str = "lane";

struct Loop {
    kubernetes: Client,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    authorization: String,
}

/// Sends every share that has no link, until it is killed.
pub(crate) async fn run(settings: &Raw) -> Result<()> {
    let env = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let account = format!("{}:{}", env("ONETIME_USERNAME")?, env("ONETIME_TOKEN")?);
    let worker = Arc::new(Loop {
        kubernetes: Client::try_default().await.context("a client for the cluster")?,
        http: HttpClient::builder(TokioExecutor::new()).build_http(),
        url: env("ONETIME_URL")?,
        authorization: format!("Basic {}", STANDARD.encode(account)),
    });
    let places = Arc::new(Semaphore::new(settings.workers));
    let mut begun = HashSet::new();
    let mut changes = watcher(shares(&worker.kubernetes), watcher::Config::default())
        .applied_objects()
        .boxed();
    while let Some(share) = changes.try_next().await.context("watching shares")? {
        if has_link(&share) || !begun.insert(share.uid()) {
            continue;
        }
        let place = Arc::clone(&places).acquire_owned().await?;
        let worker = Arc::clone(&worker);
        tokio::spawn(async move {
            if let Err(error) = worker.share(&share).await {
                println!("{}: {error:#}", share.name_any());
            }
            drop(place);
        });
    }
    Ok(())
}

impl Loop {
    async fn share(&self, share: &Share) -> Result<()> {
        let (namespace, name) = (share.namespace().context("a namespace")?, share.name_any());
        let secrets: Api<Secret> = Api::namespaced(self.kubernetes.clone(), &namespace);
        let secret = secrets.get(&share.spec.secret_ref.name).await?;
        let value = secret.data.as_ref().and_then(|data| data.values().next());
        let value = value.context("an empty Secret")?.0.clone();

        let ledger: Api<Secret> = Api::namespaced(self.kubernetes.clone(), LEDGER);
        let entry = entry(&format!("{namespace}.{name}"))?;
        let mut written = ledger.create(&PostParams::default(), &entry).await?;
        let recipient = share.spec.recipient.as_deref();
        let receipt = self.post(&value, recipient).await?;

        // An outcome leaves the lane.
        written.metadata.labels.get_or_insert_default().remove(LANE);
        written.data = data(INTENT_BYTES + OUTCOME_BYTES);
        ledger
            .replace(&written.name_any(), &PostParams::default(), &written)
            .await?;
        let status = status(share, &self.url, &receipt)?;
        let api: Api<Share> = Api::namespaced_with(self.kubernetes.clone(), &namespace, &resource());
        let patched = api
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
            .await;
        patched.context("the status")?;
        self.event(&namespace, share).await
    }

    async fn post(&self, value: &[u8], recipient: Option<&str>) -> Result<Value> {
        let form = form(value, recipient)?;
        let request = http::Request::post(format!("{}/api/v1/share", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", &self.authorization)
            .body(Full::new(Bytes::from(form)))?;
        let answer = self.http.request(request).await.context("the service")?;
        ensure!(
            answer.status().is_success(),
            "the service answered {}",
            answer.status()
        );
        let body = answer.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&body).context("the answer of the service")
    }

    async fn event(&self, namespace: &str, share: &Share) -> Result<()> {
        let event: Event = serde_json::from_value(json!({
            "metadata": {"generateName": "raw-", "namespace": namespace},
            "action": "Share", "eventTime": now("%Y-%m-%dT%H:%M:%S.%6fZ"),
            "note": "The link is ready. It can be opened once, until 2026-01-01T00:00:00Z.", "reason": "Shared",
            "regarding": {
                "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare", "name": share.name_any(),
                "namespace": namespace, "uid": share.uid(),
            },
            "reportingController": "raw", "reportingInstance": "raw", "type": "Normal",
        }))?;
        let api: Api<Event> = Api::namespaced(self.kubernetes.clone(), namespace);
        api.create(&PostParams::default(), &event)
            .await
            .map(drop)
            .context("the event")
    }
}

fn form(value: &[u8], recipient: Option<&str>) -> Result<String> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("secret", std::str::from_utf8(value)?);
    form.append_pair("ttl", "86400");
    if let Some(recipient) = recipient {
        form.append_pair("recipient", recipient);
    }
    Ok(form.finish())
}

/// A Secret like those of the ledger, of an attempt that is under way.
fn entry(name: &str) -> Result<Secret> {
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let mut entry: Secret = serde_json::from_value(json!({
        "type": TYPE,
        "metadata": {
            "name": name, "namespace": LEDGER,
            "labels": {LANE: hash, "phase": "intent", "route": hash, "account": hash, "managed-by": "raw"},
        },
    }))?;
    entry.data = data(INTENT_BYTES);
    Ok(entry)
}

fn data(bytes: usize) -> Option<BTreeMap<String, ByteString>> {
    Some(BTreeMap::from([(
        "entry".to_owned(),
        ByteString(vec![b'x'; bytes]),
    )]))
}

/// A status with what the operator's has.
fn status(share: &Share, url: &str, receipt: &Value) -> Result<Value> {
    let key = receipt["secret_key"].as_str().context("a key")?;
    let (now, hash) = (now("%Y-%m-%dT%H:%M:%SZ"), "1:0123456789abcdef0123456789abcdef:1");
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "observedGeneration": share.metadata.generation,
            "message": "What a person wants to know of it, in a sentence.", "lastTransitionTime": now,
        })
    };
    let conditions = [
        condition("Ready", "True", "Shared"),
        condition("Received", "False", "Waiting"),
        condition("Finished", "False", "Waiting"),
    ];
    Ok(json!({"status": {
        "observedGeneration": share.metadata.generation, "state": "Shared", "requestHash": hash,
        "attempt": "0123456789abcdef0123456789abcdef", "link": format!("{url}/secret/{key}"), "secretKey": key,
        "createdAt": now, "expiresAt": now, "ttlSeconds": receipt["secret_ttl"], "custid": "ops@example.com",
        "passphraseRequired": false, "conditions": conditions,
    }}))
}

fn now(format: &str) -> String {
    jiff::Timestamp::now().strftime(format).to_string()
}
