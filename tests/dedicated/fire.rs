//! The ledger under fire: the definition of shares is replaced, entries of attempts without an outcome are deleted, and a
//! list loses very many shares.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::api_proxy::{ApiProxy, Fault as ApiFault, Rule, Seen};
use harness::cluster;
use harness::onetime::{Canned, Fault, Operation, Stage, State};
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use onetimeshare::ledger::Owner;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope, in_state};

/// So many living links.
const LINKS: usize = 12;

const CRD: &str = "onetimeshares.onetimeshare.dev";

/// `kubectl replace --force` of the definition with living links: none is burned, whether the operator runs or not, and all
/// are taken over when their shares are there again.
pub async fn replaced_definition() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "team").await?;
    for stopped in [false, true] {
        scope.share_many(LINKS).await?;
        scope.all_ready(LINKS).await?;
        if stopped {
            fixture.stop_operator().await?;
        }
        replace_definition(&fixture.client).await?;
        if stopped {
            fixture.start_operator(&[]).await?;
        }
        let told = |metrics: &str| metrics.contains(&format!("onetimeshare_older_definition_links {LINKS}"));
        fixture
            .operator()?
            .wait_for_metrics("the links in the metric", PATIENCE, told)
            .await?;
    }
    // What is deleted from now on is burned, so those would have been too.
    let other = Scope::open(&fixture, "other").await?;
    other.share_many(2).await?;
    other.all_ready(2).await?;
    other.delete_shares().await?;
    other.burned(2).await?;
    ensure!(
        scope.service.journal().count(Operation::Burn) == 0,
        "a link of a share that nobody deleted was burned"
    );

    scope.share_many(LINKS).await?;
    scope.all_ready(LINKS).await?;
    let taken = |metrics: &str| metrics.contains("onetimeshare_older_definition_links 0");
    fixture
        .operator()?
        .wait_for_metrics("none of an older definition", PATIENCE, taken)
        .await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == LINKS && in_state(&journal, State::New) == LINKS,
        "nothing was sent again, and every link lives"
    );
    let uid = definitions(&fixture.client).get(CRD).await?.uid();
    for number in 0..LINKS {
        let entry = entry(&fixture.client, "team", &format!("share-{number}")).await?;
        ensure!(
            entry["crd_uid"].as_str() == uid.as_deref(),
            "share {number} is taken over"
        );
    }
    scope.shares.delete("share-3", &DeleteParams::default()).await?;
    scope.burned(1).await?;
    fixture.end().await
}

fn definitions(client: &Client) -> Api<CustomResourceDefinition> {
    Api::all(client.clone())
}

async fn replace_definition(client: &Client) -> Result<()> {
    let uid = definitions(client).get(CRD).await?.uid().context("a uid")?;
    definitions(client).delete(CRD, &DeleteParams::default()).await?;
    let gone = await_condition(definitions(client), CRD, is_deleted(&uid));
    tokio::time::timeout(PATIENCE, gone)
        .await
        .context("the definition is not gone")??;
    let crds: String = onetimeshare::api::manifests()?
        .into_iter()
        .map(|(_, yaml)| yaml)
        .collect();
    cluster::install_crds(client, &crds).await
}

fn entries(client: &Client) -> Api<Secret> {
    Api::namespaced(client.clone(), "onetimeshare-ledger")
}

fn entry_name(namespace: &str, name: &str) -> String {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Owner { namespace, name }.entry_name()
}

async fn entry(client: &Client, namespace: &str, name: &str) -> Result<Value> {
    let secret = entries(client).get(&entry_name(namespace, name)).await?;
    let data = secret.data.as_ref().and_then(|data| data.get("entry"));
    Ok(serde_json::from_slice(&data.context("an entry")?.0)?)
}

/// The entry of an attempt that is in doubt, and of one that is on hold, is deleted, and the operator starts anew: nobody
/// is mailed twice. A new requestID mails.
pub async fn lost_entries() -> Result<()> {
    let quick = ["--attempt-deadline=2s", "--settling-time=1s"];
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&quick).await?;
    let cases = [
        ("doubt", Canned::Unavailable, "Ready", "Unknown", "InDoubt"),
        ("hold", Canned::WrongJson, "Stalled", "True", "Uncertain"),
    ];
    let mut scopes = Vec::new();
    for (name, list, kind, status, reason) in cases {
        let scope = Scope::open(&fixture, name).await?;
        let plan = scope.service.plan();
        plan.once(Operation::Share, Fault::commit_then_reset());
        for operation in [Operation::Recent, Operation::RecentV2] {
            plan.always(operation, Fault::Answer(Stage::AfterCommit, list.clone()));
        }
        scope
            .share("alice", json!({"recipient": "dave@example.com"}))
            .await?;
        let shown = |share: &Value| cluster::is(share, kind, status, reason);
        let share = scope.wait("alice", reason, shown).await?;
        ensure!(
            share["status"]["attempt"].is_string(),
            "the status names the attempt"
        );
        scopes.push(scope);
    }
    fixture.stop_operator().await?;
    for scope in &scopes {
        let name = entry_name(scope.name, "alice");
        entries(&fixture.client)
            .delete(&name, &DeleteParams::default())
            .await?;
        scope.service.plan().clear();
    }
    fixture.start_operator(&quick).await?;
    for scope in &scopes {
        let lost = |share: &Value| cluster::is(share, "Stalled", "True", "LedgerLost");
        scope.wait("alice", "LedgerLost", lost).await?;
        let journal = scope.service.journal();
        ensure!(
            journal.shares.len() == 1 && journal.mails.len() == 1,
            "{}: sent again",
            scope.name
        );
        let again = json!({"recipient": "dave@example.com", "requestID": "2"});
        scope.share("alice", again).await?;
        scope.wait("alice", "ready", cluster::is_ready).await?;
        ensure!(
            scope.service.journal().mails.len() == 2,
            "a new request is mailed"
        );
    }
    fixture.end().await
}

fn is_watch_of_shares(seen: &Seen) -> bool {
    seen.is_watch() && seen.path.ends_with("/onetimeshares")
}

/// A watch begins anew with a list that has lost very many shares, as after a restore of etcd: nobody saw them deleted, so
/// that they are waited for. Few are burned, and so are those that are deleted afterwards.
pub async fn missing_from_a_list() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    fixture.launch.kubeconfig = proxy.kubeconfig().to_path_buf();
    fixture.start_operator(&[]).await?;
    let many = Scope::open(&fixture, "many").await?;
    let few = Scope::open(&fixture, "few").await?;
    many.share_many(LINKS).await?;
    few.share_many(2 * LINKS).await?;
    many.all_ready(LINKS).await?;
    few.all_ready(2 * LINKS).await?;
    for (times, fault) in [(3, ApiFault::Refuse(500, "InternalError")), (1, ApiFault::TooOld)] {
        proxy.push(Rule {
            matches: is_watch_of_shares,
            skip: 0,
            times,
            fault,
        });
    }
    proxy.cut_watches();
    let cut = async {
        while proxy.hits() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, cut).await?;
    many.delete_shares().await?;
    few.shares.delete("share-1", &DeleteParams::default()).await?;
    let told = |log: &String| log.contains("very many shares went missing at once");
    fixture.operator()?.wait_for_log(PATIENCE, told).await?;
    ensure!(proxy.hits() == 4, "the list was read anew");
    few.burned(1).await?;
    let held = |metrics: &str| metrics.contains(&format!("onetimeshare_quarantined_links {LINKS}"));
    fixture
        .operator()?
        .wait_for_metrics("the links in the metric", PATIENCE, held)
        .await?;
    // One is seen to go: it is burned at once, and the others still wait.
    few.shares.delete("share-2", &DeleteParams::default()).await?;
    few.burned(2).await?;
    // One comes back with its link, and is burned when it is deleted.
    many.share("share-5", json!({})).await?;
    many.wait("share-5", "ready", cluster::is_ready).await?;
    many.shares.delete("share-5", &DeleteParams::default()).await?;
    many.burned(1).await?;
    ensure!(
        many.service.journal().shares.len() == LINKS,
        "nothing was sent again"
    );
    fixture.end().await
}

/// A quota, and a namespace that is being deleted, refuse the intent: nothing is sent, and the share says why. Once writes
/// are allowed it goes on.
pub async fn refused_writes() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "team").await?;
    let quotas: Api<ResourceQuota> = Api::namespaced(fixture.client.clone(), "onetimeshare-ledger");
    let none = json!({"hard": {"count/secrets": "0"}});
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "spec": none,
        "metadata": {"name": "none", "namespace": "onetimeshare-ledger"},
    });
    cluster::apply_one(&fixture.client, quota).await?;
    // As the quota controller would.
    let status = json!({"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "0"}}});
    quotas
        .patch_status("none", &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    let refused = |share: &Value| {
        cluster::is(share, "Stalled", "True", "LedgerUnavailable")
            && cluster::is(share, "Ready", "False", "LedgerUnavailable")
    };
    scope
        .share("quota", json!({"recipient": "dave@example.com"}))
        .await?;
    let share = scope.wait("quota", "refused", refused).await?;
    let message = cluster::condition(&share, "Ready").context("Ready")?["message"].to_string();
    ensure!(
        message.contains("Forbidden") && message.contains("quota"),
        "{message}"
    );
    ensure!(
        scope.service.journal().count(Operation::Share) == 0,
        "nothing is sent"
    );
    quotas.delete("none", &DeleteParams::default()).await?;
    scope.wait("quota", "ready", cluster::is_ready).await?;

    // Without a namespace controller it goes no further than that.
    let namespaces: Api<Namespace> = Api::all(fixture.client.clone());
    namespaces
        .delete("onetimeshare-ledger", &DeleteParams::default())
        .await?;
    scope
        .share("going", json!({"recipient": "dave@example.com"}))
        .await?;
    scope.wait("going", "refused", refused).await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1 && journal.mails.len() == 1 && journal.count(Operation::Share) == 1,
        "nothing is sent"
    );
    fixture.end().await
}
