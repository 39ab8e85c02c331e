//! The control plane that the other tests stand on: it serves, it cleans up, it keeps its data, it logs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::control_plane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

const DEADLINE: Duration = Duration::from_secs(60);

fn existing_cluster() -> bool {
    std::env::var("USE_EXISTING_CLUSTER").is_ok_and(|value| value == "true")
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

async fn new_namespace(client: &Client) -> Result<String> {
    let wanted = ObjectMeta {
        generate_name: Some("control-plane-".to_owned()),
        ..ObjectMeta::default()
    };
    let namespace = Namespace {
        metadata: wanted,
        ..Namespace::default()
    };
    let made = Api::<Namespace>::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await?;
    made.metadata.name.context("a namespace without a name")
}

async fn new_config_map(client: &Client, namespace: &str, name: &str) -> Result<()> {
    let data = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    let map = ConfigMap {
        metadata: named(name),
        data: Some(data),
        ..ConfigMap::default()
    };
    Api::namespaced(client.clone(), namespace)
        .create(&PostParams::default(), &map)
        .await?;
    Ok(())
}

async fn delete_namespace(client: &Client, name: &str) -> Result<()> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let uid = namespaces
        .get(name)
        .await?
        .metadata
        .uid
        .context("a namespace without a uid")?;
    namespaces.delete(name, &DeleteParams::default()).await?;
    tokio::time::timeout(DEADLINE, await_condition(namespaces, name, is_deleted(&uid))).await??;
    Ok(())
}

/// The requests in the audit log that are for the config map `name`: user and verb.
async fn audited(control_plane: &ControlPlane, name: &str, count: usize) -> Result<Vec<(String, String)>> {
    let log = control_plane.audit_log().context("no audit log")?;
    let attempt = async || -> Result<Vec<(String, String)>> {
        let text = std::fs::read_to_string(&log)?;
        let whole = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let of_ours = whole.filter(|event| event["objectRef"]["name"] == name);
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok(of_ours
            .map(|event| (word(&event["user"]["username"]), word(&event["verb"])))
            .collect())
    };
    tokio::time::timeout(DEADLINE, async {
        loop {
            let found = attempt().await?;
            if found.len() >= count {
                return Ok(found);
            }
            // The line may come after the answer.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await?
}

#[tokio::test]
async fn serves_cleans_up_and_logs() -> Result<()> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let client = control_plane.client().await?;
    let namespace = new_namespace(&client).await?;

    new_config_map(&client, &namespace, "one").await?;
    let read = Api::<ConfigMap>::namespaced(client.clone(), &namespace)
        .get("one")
        .await?;
    assert_eq!(read.data.unwrap_or_default()["key"], "value");

    if !existing_cluster() {
        let seen = audited(&control_plane, "one", 2).await?;
        let by_admin = |verb: &str| ("admin".to_owned(), verb.to_owned());
        assert_eq!(seen[..2], [by_admin("create"), by_admin("get")]);
    }

    let output = control_plane
        .kubectl()?
        .args(["version", "--output=json"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "kubectl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let versions: serde_json::Value = serde_json::from_str(&said)?;
    assert_eq!(versions["serverVersion"]["major"], "1", "{said}");
    assert_ne!(versions["serverVersion"]["gitVersion"], "v0.0.0", "{said}");

    // The controller manager's part: without it a namespace stays in Terminating.
    delete_namespace(&client, &namespace).await?;
    control_plane.stop().await
}

#[tokio::test]
async fn users_have_only_the_rights_they_are_given() -> Result<()> {
    if existing_cluster() {
        return Ok(());
    }
    let options = Options {
        controller_manager: false,
        ..Options::default()
    };
    let control_plane = ControlPlane::start(options).await?;

    let groups = ["system:serviceaccounts", "system:serviceaccounts:default"];
    let user = "system:serviceaccount:default:nobody";
    let nobody = control_plane.client_for(user, &groups).await?;
    let review = control_plane
        .kubectl()?
        .args(["auth", "whoami", "--output=json", "--kubeconfig"])
        .arg(control_plane.kubeconfig_for(user, &groups)?)
        .output()?;
    let review: serde_json::Value = serde_json::from_slice(&review.stdout)?;
    let info = &review["status"]["userInfo"];
    assert_eq!(info["username"], user);
    assert_eq!(
        info["groups"],
        serde_json::json!([groups[0], groups[1], "system:authenticated"])
    );

    match Api::<ConfigMap>::namespaced(nobody, "default").get("one").await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403),
        other => panic!("expected to be refused, got {other:?}"),
    }
    assert!(control_plane.kubeconfig_for("a", &["b", "c", "d"]).is_err());
    Ok(())
}

#[tokio::test]
async fn keeps_its_data_when_etcd_is_killed() -> Result<()> {
    if existing_cluster() {
        return Ok(());
    }
    let mut control_plane = ControlPlane::start(Options {
        audit: false,
        controller_manager: false,
    })
    .await?;
    assert!(control_plane.audit_log().is_none());
    let client = control_plane.client().await?;
    new_config_map(&client, "default", "kept").await?;
    let maps = Api::<ConfigMap>::namespaced(client, "default");

    control_plane.kill_etcd().await?;
    let refused = tokio::time::timeout(Duration::from_secs(2), maps.get("kept")).await;
    assert!(!matches!(refused, Ok(Ok(_))), "read without etcd: {refused:?}");

    control_plane.restart_etcd().await?;
    let kept = tokio::time::timeout(DEADLINE, maps.get("kept")).await??;
    assert_eq!(kept.data.unwrap_or_default()["key"], "value");

    let scratch = control_plane
        .kubeconfig()
        .parent()
        .context("no folder")?
        .to_owned();
    drop(control_plane);
    assert!(!scratch.exists(), "{} is left", scratch.display());
    Ok(())
}
