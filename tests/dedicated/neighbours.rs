//! Two operators, each with its own ledger, over one namespace; and an operator that may not read whose a namespace is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use harness::cluster;
use harness::operator::Operator;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use onetimeshare::share::decide::NEIGHBOUR_GRACE;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

const LEDGER: &str = "onetimeshare-ledger";
const ANOTHER: &str = "another-ledger";

/// The longest pause before the Lease is read again after the few times of this test, and some more.
const RELEASED: Duration = Duration::from_secs(120);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "shared-team").await?;
    let told = Told::watch(&scope);
    scope.share("first", mailed("first")).await?;
    scope.all_ready(1).await?;
    ensure!(holder(&fixture.client).await? == uid(&fixture.client, LEDGER).await?);

    let second = fixture.start_neighbour(ANOTHER).await?;
    second.wait_for_log(PATIENCE, |log| knows_of_another(log)).await?;
    one_sends(&fixture, &scope).await?;
    ensure!(
        told.others().is_empty(),
        "told beside the other's status: {:#?}",
        told.others()
    );
    nobody_is_there(&mut fixture, &scope).await?;
    it_is_released(&fixture, &scope, &second).await?;
    the_first_comes_back(&mut fixture, &scope, &told).await?;
    ensure!(second.stop().await?.success());
    fixture.end().await
}

fn mailed(name: &str) -> Value {
    json!({"recipient": format!("{name}@example.com")})
}

fn knows_of_another(log: &str) -> bool {
    log.contains("another operator, with another ledger, sends for this namespace")
}

fn is_another(share: &Value) -> bool {
    cluster::is(share, "Stalled", "True", "OtherOperator")
        && cluster::is(share, "Ready", "False", "OtherOperator")
}

/// Of new shares and edited ones each gets one link and one e-mail, and the other's ledger knows of none.
async fn one_sends(fixture: &Fixture, scope: &Scope) -> Result<()> {
    for number in 0..8 {
        scope
            .share(&format!("more-{number}"), mailed(&format!("m{number}")))
            .await?;
    }
    scope.all_ready(9).await?;
    let edit = Patch::Merge(json!({"spec": {"requestID": "2"}}));
    scope
        .shares
        .patch("first", &PatchParams::default(), &edit)
        .await?;
    let again = |share: &Value| cluster::is_ready(share) && share["status"]["observedGeneration"] == 2;
    scope.wait("first", "ready again", again).await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 10 && journal.mails.len() == 10,
        "{} links and {} e-mails for ten requests",
        journal.shares.len(),
        journal.mails.len()
    );
    let entries: Api<Secret> = Api::namespaced(fixture.client.clone(), ANOTHER);
    let found = entries.list(&ListParams::default()).await?.items.len();
    ensure!(found == 0, "the other ledger has {found} objects");
    Ok(())
}

/// The operator that sends is gone: the other one says why nothing happens, once the first had its time.
async fn nobody_is_there(fixture: &mut Fixture, scope: &Scope) -> Result<()> {
    fixture.stop_operator().await?;
    scope.share("third", mailed("third")).await?;
    let limit = NEIGHBOUR_GRACE + PATIENCE;
    let share = cluster::wait_for(&scope.shares, "third", "told", limit, is_another).await?;
    let ready = cluster::condition(&share, "Ready").context("Ready")?;
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("only one of them") && message.contains("delete the Lease"),
        "{message}"
    );
    ensure!(scope.service.journal().shares.len() == 10, "nothing is sent");
    Ok(())
}

/// The Lease is deleted, as the message says: the second one takes the namespace, and what lives is left as it is.
async fn it_is_released(fixture: &Fixture, scope: &Scope, second: &Operator) -> Result<()> {
    let before = scope.shares.get("more-1").await?.data["status"]["link"].clone();
    leases(&fixture.client, scope.name)
        .delete("onetimeshare-ledger", &DeleteParams::default())
        .await?;
    let ready = cluster::wait_for(&scope.shares, "third", "ready", RELEASED, cluster::is_ready).await;
    if ready.is_err() {
        println!("{}", second.log());
    }
    ready?;
    ensure!(holder(&fixture.client).await? == uid(&fixture.client, ANOTHER).await?);
    let after = scope.shares.get("more-1").await?.data["status"]["link"].clone();
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 11 && journal.mails.len() == 11,
        "one more"
    );
    ensure!(before == after, "the link of another share changed");
    Ok(())
}

/// Now the first one may begin nothing, and takes nothing back that the second one wrote.
async fn the_first_comes_back(fixture: &mut Fixture, scope: &Scope, told: &Told) -> Result<()> {
    fixture.start_operator(&[]).await?;
    fixture
        .operator()?
        .wait_for_log(PATIENCE, |log| knows_of_another(log))
        .await?;
    scope.share("fourth", mailed("fourth")).await?;
    scope.wait("fourth", "ready", cluster::is_ready).await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 12 && journal.mails.len() == 12,
        "one more"
    );
    let others = told.others();
    ensure!(others == ["third"], "told of another operator: {others:?}");
    Ok(())
}

fn leases(client: &Client, namespace: &str) -> Api<Lease> {
    Api::namespaced(client.clone(), namespace)
}

async fn holder(client: &Client) -> Result<String> {
    let lease = leases(client, "shared-team").get("onetimeshare-ledger").await?;
    lease
        .spec
        .and_then(|spec| spec.holder_identity)
        .context("a holder")
}

async fn uid(client: &Client, namespace: &str) -> Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.get(namespace).await?.uid().context("a uid")
}

/// The shares whose status began to tell of another operator, one name for each time.
struct Told {
    names: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Told {
    fn watch(scope: &Scope) -> Self {
        let names = Arc::new(Mutex::new(Vec::new()));
        let (shares, found) = (scope.shares.clone(), Arc::clone(&names));
        let task = tokio::spawn(async move {
            let changes = watcher(shares, watcher::Config::default())
                .default_backoff()
                .applied_objects();
            let mut changes = std::pin::pin!(changes);
            let mut telling = std::collections::BTreeMap::new();
            while let Some(change) = changes.next().await {
                let Ok(share) = change else { continue };
                let tells = serde_json::to_value(&share).is_ok_and(|share| is_another(&share));
                let told = telling.insert(share.name_any(), tells).unwrap_or_default();
                if tells && !told {
                    found.lock().unwrap().push(share.name_any());
                }
            }
        });
        Self { names, task }
    }

    fn others(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

/// The operator may do everything but create and read the Lease: nothing is sent, and the status names the right. Once it
/// is granted the share heals.
pub async fn without_the_right() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let user = "narrow-operator";
    fixture.launch.kubeconfig = fixture.kubeconfig_for(user)?;
    let all = |groups: &[&str]| json!({"apiGroups": groups, "resources": ["*"], "verbs": ["*"]});
    let groups = ["", "onetimeshare.dev", "events.k8s.io", "apiextensions.k8s.io"];
    grant(&fixture, user, "all-but-leases", all(&groups)).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "unheld").await?;
    scope.share("one", mailed("one")).await?;
    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "ApiUnavailable");
    let share = scope.wait("one", "refused", refused).await?;
    let message = cluster::condition(&share, "Ready").context("Ready")?["message"].to_string();
    ensure!(message.contains("create and get on leases"), "{message}");
    ensure!(scope.service.journal().shares.is_empty(), "nothing is sent");
    grant(&fixture, user, "leases", all(&["coordination.k8s.io"])).await?;
    scope.wait("one", "ready", cluster::is_ready).await?;
    fixture.end().await
}

async fn grant(fixture: &Fixture, user: &str, name: &str, rule: Value) -> Result<()> {
    let kind = |kind: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}});
    let (mut role, mut binding) = (kind("ClusterRole"), kind("ClusterRoleBinding"));
    role["rules"] = json!([rule]);
    binding["roleRef"] =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
    binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]);
    for object in [role, binding] {
        cluster::apply_one(&fixture.client, object).await?;
    }
    Ok(())
}
