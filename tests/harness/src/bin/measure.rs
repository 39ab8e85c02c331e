//! How soon an operator works, and how much memory it needs: `make measure`.
//!
//! Owns the order and the arithmetic. Each round has a new control plane and a new fake Onetime Secret server, so that no
//! round finds what an earlier one left.
#![allow(clippy::print_stdout, reason = "printing is what a measurement is for")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer, Version};
use harness::operator::{Launch, Operator};
use kube::Client;
use serde_json::json;

const ROUNDS: usize = 5;
const SHARES: usize = 100;
/// So long nothing happens before the memory is read.
const IDLE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "measured";

/// What one round shows. Times in milliseconds, memory in MiB.
struct Round {
    leading: f64,
    ready: f64,
    idle: f64,
    settled: f64,
    peak: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let binary = std::env::args().nth(1).map(PathBuf::from);
    let binary = binary.context("usage: measure BINARY")?;
    println!("{ROUNDS} rounds with {}", binary.display());
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let round = round(&binary).await?;
        println!(
            "round {number} (load {}): leading after {:.0} ms, ready after {:.0} ms; resident {:.1} MiB idle, {:.1} MiB \
             idle with {SHARES} settled shares, {:.1} MiB at most",
            load()?,
            round.leading,
            round.ready,
            round.idle,
            round.settled,
            round.peak
        );
        rounds.push(round);
    }
    let median = |of: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("median of {ROUNDS}:");
    println!(
        "  process start to leadership         {:.0} ms",
        median(|round| round.leading)
    );
    println!(
        "  process start to ready              {:.0} ms",
        median(|round| round.ready)
    );
    println!(
        "  resident, idle, no share            {:.1} MiB",
        median(|round| round.idle)
    );
    println!(
        "  resident, idle, {SHARES} settled shares {:.1} MiB",
        median(|round| round.settled)
    );
    println!(
        "  resident, at most                   {:.1} MiB",
        median(|round| round.peak)
    );
    Ok(())
}

async fn round(binary: &Path) -> Result<Round> {
    let plane = ControlPlane::start(Options {
        audit: false,
        ..Options::default()
    })
    .await?;
    let client = plane.client().await?;
    let service = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    prepare(&client, binary, &service.url()).await?;

    let begin = Instant::now();
    let operator = Operator::spawn(&Launch {
        binary: binary.to_path_buf(),
        kubeconfig: plane.kubeconfig().to_path_buf(),
        args: Vec::new(),
        env: Vec::new(),
    })
    .await?;
    operator
        .wait_for_log(PATIENCE, |log| said(log, "leading"))
        .await?;
    let leading = milliseconds(begin);
    // While it waits for the lease it calls itself ready too; what counts is that it works.
    operator.wait_for_log(PATIENCE, |log| said(log, "ready")).await?;
    ensure!(operator.ready().await?, "/readyz says that it is not ready");
    let ready = milliseconds(begin);

    tokio::time::sleep(IDLE).await;
    let idle = memory(&operator, "VmRSS")?;
    settle(&client).await?;
    tokio::time::sleep(IDLE).await;
    let (settled, peak) = (memory(&operator, "VmRSS")?, memory(&operator, "VmHWM")?);
    ensure!(
        service.journal().shares.len() == SHARES,
        "one link for each share"
    );

    let status = operator.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    drop(service);
    plane.stop().await?;
    Ok(Round {
        leading,
        ready,
        idle,
        settled,
        peak,
    })
}

/// Everything the operator needs, and the provider `default` at the fake server with the settings of a real one.
async fn prepare(client: &Client, binary: &Path, url: &str) -> Result<()> {
    let crds = std::process::Command::new(binary).arg("crds").output();
    let crds = crds.with_context(|| format!("starting {}", binary.display()))?;
    cluster::install_crds(client, &String::from_utf8(crds.stdout)?).await?;
    for name in ["onetimeshare-system", "onetimeshare-ledger", NAMESPACE] {
        cluster::namespace(client, name).await?;
    }
    let provider = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
        "metadata": {"name": "default"}, "spec": {"url": url},
    });
    cluster::apply_one(client, provider).await.map(drop)
}

/// Creates the shares, with a Secret each, and waits until all have their link.
async fn settle(client: &Client) -> Result<()> {
    stream::iter(0..SHARES)
        .map(|number| async move {
            let name = format!("share-{number:03}");
            let metadata = json!({"name": name, "namespace": NAMESPACE});
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": name},
            });
            cluster::apply_one(client, secret).await?;
            let share = json!({
                "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare", "metadata": metadata,
                "spec": {"secretRef": {"name": name}},
            });
            cluster::apply_one(client, share).await
        })
        .buffer_unordered(8)
        .try_collect::<Vec<_>>()
        .await?;
    let shares = cluster::shares(client, NAMESPACE);
    cluster::wait_for_many(&shares, SHARES, "ready", PATIENCE, cluster::is_ready).await
}

fn said(log: &str, message: &str) -> bool {
    log.contains(&format!("\"message\":\"{message}\""))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// A line of what the kernel says of the process, in MiB.
fn memory(operator: &Operator, line: &str) -> Result<f64> {
    let id = operator.pid().context("the operator has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("the operator's memory")?;
    let found = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kibibytes = found.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    Ok(kibibytes.with_context(|| format!("no {line}"))? / 1024.0)
}

fn load() -> Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg").context("the load")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}
