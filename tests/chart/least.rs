//! The operator with exactly the rights and the arguments that the chart gives it: what it may do is what it does.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::audit::{AuditLog, Call};
use harness::cluster;
use harness::onetime::{Config, Fault, Gate, Hold, OnetimeServer, Operation, Stage, State, Version};
use harness::operator::{Launch, Operator};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::guards::settled;
use crate::helm::{LEDGER, RELEASE, SYSTEM, template};
use crate::release::Cluster;
use crate::rights::{Right, of_the_operator};
use crate::{queries, smoke};

pub const PATIENCE: Duration = Duration::from_secs(60);
const HERE: &str = "onboarding";
pub const USERNAME: &str = "ops@example.com";
pub const TOKEN: &str = "a token of the fake server";

const GROUPS: [&str; 2] = [
    "system:serviceaccounts",
    "system:serviceaccounts:onetimeshare-system",
];

pub async fn run(cluster: &Cluster) -> Result<()> {
    let service = OnetimeServer::start(Config::new(Version::V0_26).account(USERNAME, TOKEN)).await?;
    let values = [
        format!("provider.url={}", service.url()),
        "provider.credentialsSecretName=account".into(),
        "provider.extraSpec.pollInterval=1s".into(),
        // So that the labels of a namespace are asked for.
        "provider.extraSpec.namespaceSelector.matchLabels.share=yes".into(),
        "allowedProviderHosts[0]=127.0.0.1".into(),
        "allowPrivateAddresses=true".into(),
        "generate.enabled=true".into(),
    ];
    cluster.helm("upgrade", &values)?;
    let audit = AuditLog::open(&cluster.plane).await?;
    let user = format!("system:serviceaccount:{SYSTEM}:{RELEASE}");
    let before = audit.calls_and_watches_of(&user).await?.len();
    let operator = Operator::start(&launch(cluster, &user).await?).await?;
    prepare(cluster, &service).await?;
    let lived = async {
        Box::pin(shares_live(cluster, &service)).await?;
        Box::pin(entry_lost(cluster, &service, &user)).await?;
        Box::pin(refused(cluster)).await
    };
    let lived = lived.await;
    if lived.is_err() {
        println!("{}", operator.log());
    }
    lived?;
    queries::answered(&operator.metrics().await?)?;
    Box::pin(smoke::run(cluster, &operator)).await?;
    let status = operator.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    let calls = audit.calls_and_watches_of(&user).await?.split_off(before);
    let refs: Vec<&str> = values.iter().map(String::as_str).collect();
    judge(
        &calls,
        &of_the_operator(&template(&refs)?)?
            .into_iter()
            .collect::<Vec<_>>(),
    )
}

/// As the Deployment says, but for the address: the port may be taken here.
pub async fn launch(cluster: &Cluster, user: &str) -> Result<Launch> {
    launch_of(cluster, RELEASE, user).await
}

/// As the Deployment of another release says.
pub async fn launch_of(cluster: &Cluster, release: &str, user: &str) -> Result<Launch> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let deployment = serde_json::to_value(deployments.get(release).await?)?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"]
        .as_array()
        .context("args")?
        .iter()
        .filter_map(Value::as_str);
    Ok(Launch {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
        kubeconfig: cluster.plane.kubeconfig_for(user, &GROUPS)?,
        args: args
            .filter(|arg| *arg != "controller" && !arg.starts_with("--http-address"))
            .map(str::to_owned)
            .collect(),
        env: vec![("POD_NAME".into(), "onetimeshare-0".into())],
    })
}

/// A Secret with these texts.
pub fn secret(namespace: &str, name: &str, texts: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace}, "stringData": texts,
    })
}

/// Runs the operator as the Deployment says until a share of this namespace is ready and seen by it.
pub async fn share_lives(cluster: &Cluster, namespace: &str, more: &Value) -> Result<Value> {
    let user = format!("system:serviceaccount:{SYSTEM}:{RELEASE}");
    let operator = Operator::start(&launch(cluster, &user).await?).await?;
    cluster::namespace(&cluster.client, namespace).await?;
    let shares = cluster::shares(&cluster.client, namespace);
    let mut share = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": "one", "namespace": namespace}, "spec": {"secretRef": {"name": "value"}},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        share["spec"][field] = value.clone();
    }
    for object in [secret(namespace, "value", &json!({"value": "a value"})), share] {
        cluster::apply_one(&cluster.client, object).await?;
    }
    let is_ready_now = |share: &Value| {
        cluster::is_ready(share) && share["status"]["observedGeneration"] == share["metadata"]["generation"]
    };
    let ready = cluster::wait_for(&shares, "one", "ready", PATIENCE, is_ready_now);
    let ready = Box::pin(ready).await;
    if ready.is_err() {
        println!("{}", operator.log());
    }
    let status = operator.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    ready
}

async fn prepare(cluster: &Cluster, service: &OnetimeServer) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let ledger = namespaces.get(LEDGER).await?.metadata.uid;
    let account = json!({"username": USERNAME, "token": TOKEN});
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HERE, "labels": {"share": "yes"}}}),
        // As after a restart: it is there, and is read.
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "onetimeshare-ledger", "namespace": HERE}, "spec": {"holderIdentity": ledger},
        }),
        secret(SYSTEM, "account", &account),
        secret(HERE, "account", &account),
        secret(HERE, "value", &json!({"value": "a value"})),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "people", "namespace": HERE},
            "data": {"grace": "grace@example.com"},
        }),
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
            "metadata": {"name": "here", "namespace": HERE},
            "spec": {"url": service.url(), "credentialsSecretRef": {"name": "account"}, "pollInterval": "1s"},
        }),
    ] {
        cluster::apply_one(&cluster.client, object).await?;
    }
    let providers = cluster.providers();
    // It was told before the Secret was there.
    let touched = Patch::Merge(
        json!({"metadata": {"labels": {"touched": "yes"}}, "spec": {"maxConcurrentRequests": 7}}),
    );
    providers
        .patch("default", &PatchParams::default(), &touched)
        .await?;
    Box::pin(cluster::wait_for(
        &providers,
        "default",
        "ready",
        PATIENCE,
        cluster::is_ready,
    ))
    .await
    .map(drop)
}

async fn shares_live(cluster: &Cluster, service: &OnetimeServer) -> Result<()> {
    let shares = cluster::shares(&cluster.client, HERE);
    let value = json!({"name": "value"});
    let target = json!({"name": "fresh", "key": "password"});
    let mailed = json!({"configMapKeyRef": {"name": "people", "key": "grace"}});
    let here = json!({"kind": "ShareProvider", "name": "here"});
    for (name, spec) in [
        ("opened", json!({"secretRef": value, "recipientFrom": mailed})),
        ("deleted", json!({"secretRef": value, "providerRef": here})),
        (
            "generated",
            json!({"generate": {"length": 24, "targetSecretRef": target}}),
        ),
    ] {
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": HERE}, "spec": spec,
        });
        cluster::apply_one(&cluster.client, object).await?;
    }
    for name in ["opened", "deleted", "generated"] {
        Box::pin(cluster::wait_for(
            &shares,
            name,
            "ready",
            PATIENCE,
            cluster::is_ready,
        ))
        .await?;
    }
    let key = key_of(&shares, "opened").await?;
    ensure!(
        service.open(&key, None).as_deref() == Some(b"a value"),
        "the link opens"
    );
    let received = |share: &Value| share["status"]["state"] == "Received";
    Box::pin(cluster::wait_for(
        &shares, "opened", "received", PATIENCE, received,
    ))
    .await?;

    let burned = key_of(&shares, "deleted").await?;
    shares.delete("deleted", &DeleteParams::default()).await?;
    let is_burned = |journal: &harness::onetime::Journal| {
        journal
            .by_secret(&burned)
            .is_some_and(|share| share.state == State::Burned)
    };
    service
        .wait_for("the deleted share's link burned", PATIENCE, is_burned)
        .await?;

    // A new request writes the target again, and tells the same once more.
    let first = key_of(&shares, "generated").await?;
    let again = Patch::Merge(json!({"spec": {"requestID": "2"}}));
    shares.patch("generated", &PatchParams::default(), &again).await?;
    let renewed = |share: &Value| {
        cluster::is_ready(share)
            && share["status"]["secretKey"]
                .as_str()
                .is_some_and(|key| key != first)
    };
    Box::pin(cluster::wait_for(
        &shares,
        "generated",
        "generated again",
        PATIENCE,
        renewed,
    ))
    .await
    .map(drop)
}

/// An entry that is deleted while its request is under way is looked for. The policy lets only the operator delete one.
async fn entry_lost(cluster: &Cluster, service: &OnetimeServer, user: &str) -> Result<()> {
    let gate = Gate::new();
    let hang = Fault::Hang(Stage::AfterCommit, Hold::Until(gate.clone()));
    service.plan().once(Operation::Share, hang);
    let before = service.journal().shares.len();
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": "lost", "namespace": HERE}, "spec": {"secretRef": {"name": "value"}},
    });
    cluster::apply_one(&cluster.client, object).await?;
    let stored = |journal: &harness::onetime::Journal| journal.shares.len() > before;
    service.wait_for("a link", PATIENCE, stored).await?;
    let operator = cluster.plane.client_for(user, &GROUPS).await?;
    let (namespace, name) = (HERE.to_owned(), "lost".to_owned());
    let entry = onetimeshare::ledger::Owner { namespace, name }.entry_name();
    let entries: Api<Secret> = Api::namespaced(operator, LEDGER);
    entries.delete(&entry, &DeleteParams::default()).await?;
    gate.open();
    let shares = cluster::shares(&cluster.client, HERE);
    let ready = cluster::wait_for(&shares, "lost", "ready", PATIENCE, cluster::is_ready);
    Box::pin(ready).await.map(drop)
}

/// What was never made is forgotten with its share.
async fn refused(cluster: &Cluster) -> Result<()> {
    let shares = cluster::shares(&cluster.client, HERE);
    // v0.26 generates at most 128 characters, and says so.
    let target = json!({"name": "long", "key": "password"});
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": "long", "namespace": HERE},
        "spec": {"generate": {"length": 129, "targetSecretRef": target}},
    });
    cluster::apply_one(&cluster.client, object).await?;
    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "Refused");
    Box::pin(cluster::wait_for(&shares, "long", "refused", PATIENCE, refused)).await?;
    let entries: Api<Secret> = Api::namespaced(cluster.client.clone(), LEDGER);
    let idle = ListParams::default().labels("onetimeshare.dev/phase=idle");
    let count = async || entries.list(&idle).await.map(|found| found.items.len());
    ensure!(count().await? == 1, "one entry of a share that was refused");
    shares.delete("long", &DeleteParams::default()).await?;
    settled(async || count().await.is_ok_and(|count| count == 0))
        .await
        .context("its entry is still there")
}

async fn key_of(shares: &Api<DynamicObject>, name: &str) -> Result<String> {
    let share = shares.get(name).await?;
    Ok(share.data["status"]["secretKey"]
        .as_str()
        .context("a key")?
        .to_owned())
}

fn judge(calls: &[Call], granted: &[Right]) -> Result<()> {
    let refused: Vec<_> = calls.iter().filter(|call| call.code == 403).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let wide = calls.iter().find(|call| {
        call.resource == "secrets"
            && call.namespace != LEDGER
            && ["list", "watch"].contains(&call.verb.as_str())
    });
    ensure!(wide.is_none(), "outside of the ledger: {wide:?}");
    let unused: Vec<_> = granted
        .iter()
        .filter(|right| !calls.iter().any(|call| uses(call, right)))
        .map(|right| {
            (
                right.namespace.as_str(),
                right.resource.as_str(),
                right.verb.as_str(),
            )
        })
        .collect();
    ensure!(unused.is_empty(), "granted and not used: {unused:?}");
    println!(
        "{} calls of the operator use all {} rights",
        calls.len(),
        granted.len()
    );
    Ok(())
}

fn uses(call: &Call, right: &Right) -> bool {
    // What the role of a namespace grants anyway needs no right everywhere.
    let within = match right.namespace.as_str() {
        "*" => call.namespace != LEDGER,
        namespace => call.namespace == namespace,
    };
    within && call.resource == right.resource && call.verb == right.verb
}
