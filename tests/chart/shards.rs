//! Two releases that share the work, with the values of `examples/sharding`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer, Operation, Version};
use harness::operator::Operator;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use onetimeshare::shard::LABEL;
use serde_json::{Value, json};

use crate::helm::{self, CHART, RELEASE, SYSTEM, of_kind};
use crate::least::{PATIENCE, launch_of, secret};
use crate::release::Cluster;

/// Each release with the file of its values, in the order of their installation.
const RELEASES: [(&str, &str); 2] = [
    (RELEASE, "examples/sharding/default.yaml"),
    ("onetimeshare-blue", "examples/sharding/blue.yaml"),
];

const HERE: &str = "onboarding";

fn of_release(release: &str, values: &str, more: &[&str]) -> Result<Vec<Value>> {
    let mut args = vec![
        "template",
        release,
        CHART,
        "--namespace",
        SYSTEM,
        "--values",
        values,
    ];
    args.extend(more);
    helm::objects(&args)
}

/// No release takes an object from the other one, and the second one brings nothing that counts for the whole cluster.
pub fn rendered() -> Result<()> {
    let mut all = BTreeSet::new();
    let more = ["--set=metrics.prometheusRule.enabled=true", "--set=replicas=2"];
    for (release, values) in RELEASES {
        for object in of_release(release, values, &more)? {
            let meta = &object["metadata"];
            let name = format!("{} {} {}", object["kind"], meta["namespace"], meta["name"]);
            ensure!(all.insert(name.clone()), "both releases have {name}");
        }
    }
    let [first, second] = RELEASES.map(|(release, values)| of_release(release, values, &[]));
    let (first, second) = (first?, second?);
    let of_cluster: Vec<_> = second
        .iter()
        .filter(|object| object["metadata"]["namespace"].is_null())
        .map(|object| &object["kind"])
        .collect();
    ensure!(of_cluster.is_empty(), "{of_cluster:?}");

    for (objects, selector) in [(&first, format!("!{LABEL}")), (&second, format!("{LABEL}=blue"))] {
        let deployment = of_kind(objects, "Deployment").pop().context("a Deployment")?;
        let pod = &deployment["spec"]["template"]["spec"];
        ensure!(
            pod["serviceAccountName"] == RELEASE,
            "whom the ledger's policy admits"
        );
        let args = pod["containers"][0]["args"].as_array().context("args")?;
        for wanted in [format!("--watch-label-selector={selector}"), "--shards=2".into()] {
            ensure!(args.contains(&json!(wanted)), "{wanted} is not in {args:?}");
        }
    }
    leases(&first)
}

/// The account may renew the lease of each shard, and the default shard may look at them.
fn leases(objects: &[Value]) -> Result<()> {
    let roles = of_kind(objects, "Role").into_iter();
    let named: Vec<&Value> = roles
        .filter(|role| role["metadata"]["namespace"] == SYSTEM)
        .flat_map(|role| role["rules"].as_array().into_iter().flatten())
        .filter(|rule| rule["resources"] == json!(["leases"]) && rule["verbs"] == json!(["get", "update"]))
        .map(|rule| &rule["resourceNames"])
        .collect();
    ensure!(
        named == [&json!(["onetimeshare", "onetimeshare-blue"])],
        "{named:?}"
    );
    Ok(())
}

/// Both on a real API server, as the one service account: each sends its own shares, and one whose label moves is sent once.
pub async fn installed() -> Result<()> {
    let plane = Box::pin(ControlPlane::start(Options::default())).await?;
    let cluster = Cluster {
        client: plane.client().await?,
        plane,
    };
    let service = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let user = format!("system:serviceaccount:{SYSTEM}:{RELEASE}");
    let url = format!("--set=provider.url={},provider.region=", service.url());
    let mut operators = Vec::new();
    for (release, values) in RELEASES {
        let more: &[&str] = if release == RELEASE { &[&url] } else { &[] };
        let mut args = vec![
            "install",
            release,
            CHART,
            "--namespace",
            SYSTEM,
            "--create-namespace",
            "--values",
            values,
        ];
        args.extend(more);
        let said = helm::run_with(cluster.plane.kubeconfig(), &args)?;
        ensure!(!said.contains("WARNING"), "{said}");
        let launch = launch_of(&cluster, release, &user).await?;
        operators.push(Operator::start(&launch).await?);
    }
    let done = Box::pin(each_sends_its_own(&cluster, &service)).await;
    if done.is_err() {
        operators
            .iter()
            .for_each(|operator| println!("{}", operator.log()));
    }
    done?;
    for operator in operators {
        let log = operator.log();
        ensure!(!log.contains("Forbidden"), "something is not allowed:\n{log}");
        ensure!(operator.stop().await?.success());
    }
    cluster.plane.stop().await
}

async fn each_sends_its_own(cluster: &Cluster, service: &OnetimeServer) -> Result<()> {
    cluster::namespace(&cluster.client, HERE).await?;
    let value = secret(HERE, "value", &json!({"value": "a value"}));
    cluster::apply_one(&cluster.client, value).await?;
    let shares = cluster::shares(&cluster.client, HERE);
    let ready = async |name: &str| {
        Box::pin(cluster::wait_for(
            &shares,
            name,
            "ready",
            PATIENCE,
            cluster::is_ready,
        ))
        .await
    };
    for (name, shard) in [("plain", None), ("blue", Some("blue"))] {
        let share = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": HERE, "labels": shard.map(|shard| json!({LABEL: shard}))},
            "spec": {"secretRef": {"name": "value"}},
        });
        cluster::apply_one(&cluster.client, share).await?;
        ready(name).await?;
    }
    let moved = Patch::Merge(json!({
        "metadata": {"labels": {LABEL: "blue"}}, "spec": {"requestID": "2"},
    }));
    shares.patch("plain", &PatchParams::default(), &moved).await?;
    let again = |share: &Value| cluster::is_ready(share) && share["status"]["observedGeneration"] == 2;
    Box::pin(cluster::wait_for(
        &shares,
        "plain",
        "ready again",
        PATIENCE,
        again,
    ))
    .await?;
    let posts = service.journal().count(Operation::Share);
    ensure!(posts == 3, "{posts} POSTs for three requests");
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), SYSTEM);
    for (lease, _) in RELEASES {
        leases.get(lease).await.with_context(|| lease.to_owned())?;
    }
    Ok(())
}
