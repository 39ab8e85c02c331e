//! The admission policies about authors: nobody reads a Secret through a share or a provider.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use serde_json::{Value, json};

use crate::helm::SYSTEM;
use crate::people::{Person, TEAM};
use crate::release::Cluster;

const GITOPS: &str = "system:serviceaccount:flux-system:kustomize-controller";

/// What a share can name besides its Secret, and what is said to somebody who may not get it.
fn references() -> [(&'static str, Value, &'static str); 6] {
    let own = json!({"name": "own"});
    [
        (
            "secret",
            json!({"secretRef": {"name": "theirs"}}),
            "get Secret team/theirs, which spec.secretRef names",
        ),
        (
            "passphrase",
            json!({"secretRef": own, "passphraseSecretRef": {"name": "phrase", "key": "p"}}),
            "get Secret team/phrase, which spec.passphraseSecretRef names",
        ),
        (
            "recipient-secret",
            json!({"secretRef": own, "recipientFrom": {"secretKeyRef": {"name": "mail", "key": "m"}}}),
            "get Secret team/mail, which spec.recipientFrom.secretKeyRef names",
        ),
        (
            "recipient-map",
            // A right to a Secret of that name is no right to the ConfigMap.
            json!({"secretRef": own, "recipientFrom": {"configMapKeyRef": {"name": "own", "key": "m"}}}),
            "get ConfigMap team/own, which spec.recipientFrom.configMapKeyRef names",
        ),
        (
            "generate",
            json!({"generate": {"length": 24, "targetSecretRef": {"name": "fresh", "key": "p"}}}),
            "create Secret team/fresh, which spec.generate.targetSecretRef names",
        ),
        (
            "generate-writable",
            // May create Secrets of this name, and not change them.
            json!({"generate": {"length": 24, "targetSecretRef": {"name": "half", "key": "p"}}}),
            "update Secret team/half, which spec.generate.targetSecretRef names",
        ),
    ]
}

fn share(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": name, "namespace": TEAM}, "spec": spec,
    })
}

fn provider(name: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {"region": "eu", "credentialsSecretRef": {"name": secret}},
    })
}

/// A user who may write shares and providers, and get one Secret.
async fn outsider(cluster: &Cluster, name: &str, groups: &[&str]) -> Result<Person> {
    let person = Person::new(cluster, name, groups).await?;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "outsider", "namespace": TEAM},
        "rules": [
            {"apiGroups": ["onetimeshare.dev"], "resources": ["onetimeshares", "shareproviders"],
             "verbs": ["get", "create", "update", "patch", "delete"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["own"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["half"], "verbs": ["create"]},
        ],
    });
    cluster::apply_one(&cluster.client, role).await?;
    person.bind(cluster, TEAM, "Role", "outsider").await?;
    Ok(person)
}

pub async fn authors(cluster: &Cluster) -> Result<()> {
    cluster::namespace(&cluster.client, TEAM).await?;
    let outsider = outsider(cluster, "oscar", &[]).await?;
    bites(&outsider).await?;
    let insider = Person::new(cluster, "alice", &[]).await?;
    insider.bind(cluster, TEAM, "ClusterRole", "admin").await?;
    // The role admin has got the rights on shares once the controller has aggregated them.
    settled(async || {
        !insider
            .would_create(&share("first", &json!({"secretRef": {"name": "x"}})))
            .await
            .is_denied()
    })
    .await
    .context("the role admin cannot create shares")?;

    let own = json!({"secretRef": {"name": "own"}});
    outsider
        .create(&share("mine", &own))
        .await
        .allowed("their own Secret")?;
    for (name, spec, sentence) in references() {
        let sentence = format!("user oscar may not {sentence}");
        let object = share(name, &spec);
        outsider
            .create(&object)
            .await
            .denied(&format!("create {name}"), &sentence)?;
        insider.create(&object).await.allowed(&format!("create {name}"))?;
        // Labels are no new spec; and the share of somebody else is not to be turned elsewhere.
        let labels = json!({"metadata": {"labels": {"seen": "yes"}}});
        outsider
            .patch(&object, labels)
            .await
            .allowed(&format!("label {name}"))?;
        let again = json!({"spec": {"requestID": "2"}});
        outsider
            .patch(&object, again)
            .await
            .denied(&format!("change {name}"), &sentence)?;
        // A share that exists cannot be turned to it either.
        let mut turned = spec.clone();
        if turned.get("generate").is_some() {
            turned["secretRef"] = Value::Null;
        }
        let turned = json!({"spec": turned});
        outsider
            .patch(&share("mine", &own), turned)
            .await
            .denied(&format!("turn to {name}"), &sentence)?;
    }
    // A field that is there and null names nothing.
    let nulls = json!({
        "secretRef": {"name": "own"}, "generate": null, "passphraseSecretRef": null, "recipientFrom": null,
    });
    outsider
        .create(&share("nulls", &nulls))
        .await
        .allowed("fields that are null")?;

    providers(cluster, &outsider, &insider).await?;
    roles(cluster).await?;
    exempt(cluster).await
}

async fn providers(cluster: &Cluster, outsider: &Person, insider: &Person) -> Result<()> {
    let sentence = "user oscar may not get Secret team/account, which spec.credentialsSecretRef names";
    outsider
        .create(&provider("theirs", "account"))
        .await
        .denied("a provider", sentence)?;
    outsider
        .create(&provider("own", "own"))
        .await
        .allowed("a provider with their own Secret")?;
    let turned = json!({"spec": {"credentialsSecretRef": {"name": "account"}}});
    outsider
        .patch(&provider("own", "own"), turned)
        .await
        .denied("turning a provider", sentence)?;
    insider
        .create(&provider("theirs", "account"))
        .await
        .allowed("the provider of an admin")?;

    let keeper = Person::new(cluster, "carol", &[]).await?;
    for object in [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "keeper"},
            "rules": [{"apiGroups": ["onetimeshare.dev"], "resources": ["clustershareproviders"], "verbs": ["create"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "keeper"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "keeper"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "carol"}],
        }),
    ] {
        cluster::apply_one(&cluster.client, object).await?;
    }
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider", "metadata": {"name": "account"},
        "spec": {"region": "eu", "credentialsSecretRef": {"name": "account"}},
    });
    let sentence =
        format!("user carol may not get Secret {SYSTEM}/account, which spec.credentialsSecretRef names");
    keeper
        .create(&object)
        .await
        .denied("a provider for all", &sentence)?;
    keeper.bind(cluster, SYSTEM, "ClusterRole", "edit").await?;
    settled(async || !keeper.would_create(&object).await.is_denied())
        .await
        .context("with the right")
}

/// What the roles that come with Kubernetes have got.
async fn roles(cluster: &Cluster) -> Result<()> {
    let own = share("by-role", &json!({"secretRef": {"name": "own"}}));
    let editor = Person::new(cluster, "eve", &[]).await?;
    editor.bind(cluster, TEAM, "ClusterRole", "edit").await?;
    settled(async || !editor.would_create(&own).await.is_denied())
        .await
        .context("edit creates shares")?;
    editor.create(&own).await.allowed("edit creates shares")?;
    editor
        .create(&provider("by-role", "own"))
        .await
        .without_right("edit creates a provider")?;
    let status = json!({"status": {"state": "Received"}});
    editor
        .patch(&own, status.clone())
        .await
        .without_right("edit writes a status")?;
    let admin = Person::new(cluster, "alice", &[]).await?;
    admin
        .patch(&own, status)
        .await
        .without_right("admin writes a status")?;
    let viewer = Person::new(cluster, "vera", &[]).await?;
    viewer.bind(cluster, TEAM, "ClusterRole", "view").await?;
    let shares = cluster::shares(&cluster.plane.client_for("vera", &[]).await?, TEAM);
    ensure!(
        shares.get("by-role").await.is_err(),
        "view reads a share, and so its link"
    );
    Ok(())
}

async fn exempt(cluster: &Cluster) -> Result<()> {
    let groups = ["system:serviceaccounts", "system:serviceaccounts:flux-system"];
    let gitops = outsider(cluster, GITOPS, &groups).await?;
    let object = share("from-git", &json!({"secretRef": {"name": "theirs"}}));
    let sentence = format!("user {GITOPS} may not get Secret team/theirs");
    gitops
        .create(&object)
        .await
        .denied("a controller that is not exempt", &sentence)?;
    let said = cluster.helm(
        "upgrade",
        &[
            "provider.region=eu".into(),
            format!("policy.exemptUsers[0]={GITOPS}"),
        ],
    )?;
    ensure!(
        said.contains("WARNING") && said.contains("requireShareableLabel"),
        "{said}"
    );
    settled(async || !gitops.would_create(&object).await.is_denied())
        .await
        .context("an exempt controller")?;
    let oscar = Person::new(cluster, "oscar", &[]).await?;
    oscar
        .create(&object)
        .await
        .denied("somebody else", "user oscar may not get Secret team/theirs")
}

/// A new policy is heeded a moment after it is there.
async fn bites(outsider: &Person) -> Result<()> {
    let begin = std::time::Instant::now();
    let (_, spec, _) = &references()[0];
    let ledger = json!({"secretRef": {"name": "own"}});
    settled(async || !outsider.would_create(&share("probe", &ledger)).await.is_denied())
        .await
        .context("no rights")?;
    settled(async || outsider.would_create(&share("probe", spec)).await.is_denied())
        .await
        .context("the policy denies nothing")?;
    println!("the policy was heeded after {:?}", begin.elapsed());
    Ok(())
}

/// Waits until a condition holds.
pub async fn settled(condition: impl AsyncFn() -> bool) -> Result<()> {
    let poll = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), poll)
        .await
        .context("not within 30 s")
}
