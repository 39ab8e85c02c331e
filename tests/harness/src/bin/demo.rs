//! The operator's main job, shown from end to end on a real API server: `make demo`.
//!
//! Runs the show in order. The real operator does all the work; only the Onetime Secret server is a fake.
#![allow(clippy::print_stdout, reason = "printing is what a demo is for")]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer, Version};
use harness::operator::{Launch, Operator, binary_beside, repository};
use kube::Client;
use serde_json::{Value, json};

const ACCOUNT: (&str, &str) = ("ops@example.com", "demo-api-token");
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    plane: ControlPlane,
    client: Client,
    service: OnetimeServer,
    operator: Operator,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut clock = Steps::new();
    let stage = set_up(&mut clock).await?;
    let result = show(&stage, &mut clock).await;
    let ended = clean_up(stage, &mut clock).await;
    result.and(ended)?;
    clock.end();
    Ok(())
}

async fn set_up(clock: &mut Steps) -> Result<Stage> {
    clock.begin("control plane: a real kube-apiserver, etcd and kube-controller-manager");
    let plane = ControlPlane::start(Options {
        audit: false,
        ..Options::default()
    })
    .await?;
    let client = plane.client().await?;

    clock.begin("Onetime Secret: a fake server that behaves as recorded from v0.26");
    let service = OnetimeServer::start(Config::new(Version::V0_26).account(ACCOUNT.0, ACCOUNT.1)).await?;
    println!("   listening on {}", service.url());

    clock.begin("custom resource definitions, namespaces and providers");
    let binary = binary_beside()?;
    let crds = std::process::Command::new(&binary)
        .arg("crds")
        .output()
        .context("onetimeshare crds")?;
    cluster::install_crds(&client, &String::from_utf8(crds.stdout)?).await?;
    for name in ["onetimeshare-system", "onetimeshare-ledger", "onboarding"] {
        cluster::namespace(&client, name).await?;
    }
    providers(&client, &service.url()).await?;

    clock.begin("operator: the real binary");
    let launch = Launch {
        binary,
        kubeconfig: plane.kubeconfig().to_path_buf(),
        args: Vec::new(),
        env: Vec::new(),
    };
    let operator = Operator::start(&launch).await?;
    Ok(Stage {
        plane,
        client,
        service,
        operator,
    })
}

/// The providers of `examples/providers.yaml`, but at the fake server.
async fn providers(client: &Client, url: &str) -> Result<()> {
    let (username, token) = ACCOUNT;
    let credentials = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "onetime-account", "namespace": "onetimeshare-system"},
        "stringData": {"username": username, "token": token},
    });
    let provider = |name: &str, spec: Value| {
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
            "metadata": {"name": name}, "spec": spec,
        })
    };
    let account =
        json!({"url": url, "pollInterval": "1s", "credentialsSecretRef": {"name": "onetime-account"}});
    for object in [
        credentials,
        provider("default", json!({"url": url, "pollInterval": "1s"})),
        provider("account", account),
    ] {
        cluster::apply_one(client, object).await?;
    }
    Ok(())
}

async fn show(stage: &Stage, clock: &mut Steps) -> Result<()> {
    let shares = cluster::shares(&stage.client, "onboarding");

    clock.begin("an anonymous share");
    kubectl(stage, &["apply", "-f", &example("anonymous.yaml")])?;
    let database = cluster::wait_for(&shares, "database", "Ready", PATIENCE, cluster::is_ready).await?;
    println!("   link: {}", link(&database)?);

    clock.begin("a share with recipient and a lifetime of one hour, through an account");
    kubectl(stage, &["apply", "-f", &example("email.yaml")])?;
    let alice = cluster::wait_for(&shares, "alice", "Ready", PATIENCE, cluster::is_ready).await?;
    println!("   link: {}", link(&alice)?);
    println!(
        "   mailed to {} for {} s",
        alice["status"]["recipient"], alice["status"]["ttlSeconds"]
    );
    ensure!(
        stage.service.journal().mails.len() == 1,
        "exactly one e-mail was sent"
    );

    clock.begin("a share of a Secret that does not exist yet");
    kubectl(stage, &["apply", "-f", &example("secret-comes-later.yaml")])?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    let late = cluster::wait_for(&shares, "late", "waiting", PATIENCE, waits).await?;
    println!(
        "   {}",
        cluster::condition(&late, "Ready").map_or(&Value::Null, |ready| &ready["message"])
    );
    println!("   ... now the Secret appears, and the share heals by itself (within 15 s)");
    kubectl(
        stage,
        &[
            "-n",
            "onboarding",
            "create",
            "secret",
            "generic",
            "late",
            "--from-literal=token=s3cr3t",
        ],
    )?;
    cluster::wait_for(&shares, "late", "Ready", PATIENCE, cluster::is_ready).await?;

    clock.begin("what kubectl shows");
    kubectl(stage, &["-n", "onboarding", "get", "onetimeshares"])?;

    clock.begin("the recipient opens the link, once");
    let key = database["status"]["secretKey"]
        .as_str()
        .context("the secret key")?;
    let value = stage.service.open(key, None).context("the link opens")?;
    println!("   the value: {}", String::from_utf8_lossy(&value));
    ensure!(
        stage.service.open(key, None).is_none(),
        "the link opens only once"
    );
    println!("   a second try finds nothing");
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    cluster::wait_for(&shares, "database", "Received", PATIENCE, received).await?;
    kubectl(stage, &["-n", "onboarding", "get", "onetimeshare", "database"])?;
    ensure!(
        stage.service.journal().shares.len() == 3,
        "exactly three links were created for three shares"
    );
    Ok(())
}

async fn clean_up(stage: Stage, clock: &mut Steps) -> Result<()> {
    clock.begin("cleaning up");
    let Stage {
        plane,
        client,
        service,
        operator,
    } = stage;
    let status = operator.stop().await?;
    if !status.success() {
        bail!("the operator ended with {status}");
    }
    if plane.bin_dir().is_none() {
        leave_no_trace(&client, &plane)?;
    }
    drop(service);
    plane.stop().await
}

/// An existing cluster is left as it was found.
fn leave_no_trace(_: &Client, plane: &ControlPlane) -> Result<()> {
    let crds = ["onetimeshares", "shareproviders", "clustershareproviders"]
        .map(|name| format!("{name}.onetimeshare.dev"));
    let namespaces = ["onboarding", "onetimeshare-ledger", "onetimeshare-system"].map(String::from);
    for (kind, names) in [("crd", crds), ("namespace", namespaces)] {
        let status = plane
            .kubectl()?
            .args(["delete", kind, "--ignore-not-found"])
            .args(names)
            .status()?;
        ensure!(status.success(), "kubectl delete {kind} failed");
    }
    Ok(())
}

fn link(share: &Value) -> Result<&str> {
    share["status"]["link"].as_str().context("the share has a link")
}

fn example(name: &str) -> String {
    repository()
        .join(Path::new("examples").join(name))
        .display()
        .to_string()
}

/// Runs kubectl and shows the command and what it prints.
fn kubectl(stage: &Stage, args: &[&str]) -> Result<()> {
    let shown: Vec<&str> = args
        .iter()
        .map(|arg| arg.rsplit_once("/examples/").map_or(*arg, |(_, name)| name))
        .collect();
    println!("   $ kubectl {}", shown.join(" "));
    let output = stage
        .plane
        .kubectl()?
        .args(args)
        .stderr(Stdio::inherit())
        .output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("     {line}");
    }
    ensure!(output.status.success(), "kubectl {} failed", shown.join(" "));
    Ok(())
}

/// Says what is done, and how long each step took.
struct Steps {
    start: Instant,
    step: Option<Instant>,
    count: u32,
}

impl Steps {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            step: None,
            count: 0,
        }
    }

    fn begin(&mut self, what: &str) {
        self.finish_step();
        self.count += 1;
        println!("{}. {what}", self.count);
        self.step = Some(Instant::now());
    }

    fn finish_step(&mut self) {
        if let Some(since) = self.step.take() {
            println!("   [{:.1} s]", since.elapsed().as_secs_f64());
        }
    }

    fn end(mut self) {
        self.finish_step();
        println!(
            "Done in {:.1} s: each share has exactly one link, and the opened one opened once.",
            self.start.elapsed().as_secs_f64()
        );
    }
}
