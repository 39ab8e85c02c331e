//! The fixture that all plans share, and the scope of one plan: two namespaces, a fake server, a provider,
//! its operators.

use crate::history::Watches;
use crate::objects;
use crate::plan::{Flavor, Plan};
use anyhow::{Context as _, Result, bail};
use harness::api_proxy::ApiProxy;
use harness::clock::NodeClock;
use harness::cluster;
use harness::onetime::{Config, OnetimeServer};
use harness::operator::{Launch, Operator};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject};
use rustix::process::Signal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What all plans share: the control plane and the binary of the operator.
#[derive(Clone)]
pub struct Fixture {
    pub client: Client,
    pub kubeconfig: PathBuf,
    pub binary: PathBuf,
    pub scopes: Arc<AtomicU32>,
    /// The deliberate mistake that the operators make.
    pub mutant: Option<&'static str>,
}

/// What one plan has for itself.
pub struct Scope {
    pub client: Client,
    pub namespace: String,
    pub service: OnetimeServer,
    pub watches: Watches,
    pub shares: Api<DynamicObject>,
    /// Between the operators and the API server, where that goes wrong.
    pub proxy: Option<ApiProxy>,
    /// Every operator that ever ran, the dead ones too: their logs are evidence.
    pub operators: Vec<Operator>,
    launch: Launch,
}

impl Scope {
    pub async fn new(fixture: &Fixture, flavor: Flavor, proxied: bool) -> Result<Self> {
        let number = fixture.scopes.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("chaos-{number}");
        let ledger = format!("{namespace}-ledger");
        let mut config = Config::new(flavor.version());
        if flavor.has_account() {
            config = config.account(objects::ACCOUNT, objects::TOKEN);
        }
        let service = OnetimeServer::start(config).await?;
        for name in [&namespace, &ledger] {
            cluster::namespace(&fixture.client, name).await?;
        }
        for object in objects::surroundings(&namespace, &service.url(), flavor) {
            cluster::apply_one(&fixture.client, object).await?;
        }
        let proxy = match proxied {
            true => Some(ApiProxy::start(fixture.client.clone()).await?),
            false => None,
        };
        let kubeconfig = proxy.as_ref().map_or(&*fixture.kubeconfig, ApiProxy::kubeconfig);
        Ok(Self {
            watches: Watches::start(&fixture.client, &namespace, &ledger).await?,
            shares: cluster::shares(&fixture.client, &namespace),
            client: fixture.client.clone(),
            operators: Vec::new(),
            launch: Launch {
                binary: fixture.binary.clone(),
                kubeconfig: kubeconfig.to_path_buf(),
                args: arguments(&namespace, &ledger),
                env: environment(fixture),
            },
            namespace,
            service,
            proxy,
        })
    }

    /// Starts an operator and waits until it is ready. Gives its place among the operators.
    pub async fn start(&mut self) -> Result<usize> {
        let operator = Operator::start(&self.launch).await?;
        self.operators.push(operator);
        Ok(self.operators.len() - 1)
    }

    /// Starts an operator that will do something to itself, perhaps before it is ready.
    pub async fn start_armed(&mut self, failpoints: &str) -> Result<usize> {
        let mut launch = self.launch.clone();
        launch
            .env
            .push(("ONETIMESHARE_FAILPOINTS".to_owned(), failpoints.to_owned()));
        let operator = Operator::spawn(&launch).await?;
        self.operators.push(operator);
        Ok(self.operators.len() - 1)
    }

    /// Waits until an armed operator does something to itself.
    pub async fn reached(&mut self, armed: usize, limit: Duration) -> Result<()> {
        let reached = |log: &String| log.contains("failpoint reached");
        self.operator(armed)?.wait_for_log(limit, reached).await?;
        Ok(())
    }

    pub fn operator(&mut self, number: usize) -> Result<&mut Operator> {
        self.operators.get_mut(number).context("no such operator")
    }

    /// Changes an argument of the operators that are started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.launch.args.retain(|arg| !arg.starts_with(name));
        self.launch.args.push(format!("{name}{value}"));
    }

    /// The operators that are started from now on run by this clock.
    pub fn run_by(&mut self, clock: &NodeClock) {
        clock.install(&mut self.launch);
    }

    /// The operators that have not been seen to end.
    pub fn alive(&self) -> impl Iterator<Item = usize> {
        let operators = self.operators.iter().enumerate();
        operators
            .filter(|(_, operator)| operator.pid().is_some())
            .map(|(number, _)| number)
    }

    /// Gives the operators that are started from now on a ledger of their own, in this namespace.
    pub async fn another_ledger(&mut self, ledger: &str) -> Result<()> {
        cluster::namespace(&self.client, ledger).await?;
        self.set("--ledger-namespace=", ledger);
        Ok(())
    }

    pub async fn stop_all(&mut self) -> Result<()> {
        for number in self.alive().collect::<Vec<_>>() {
            self.stop(number).await?;
        }
        Ok(())
    }

    /// Ends an operator as a rollout does.
    pub async fn stop(&mut self, number: usize) -> Result<()> {
        let operator = self.operator(number)?;
        operator.signal(Signal::TERM)?;
        let status = operator.wait(Duration::from_secs(40)).await?;
        if !status.success() {
            bail!("an operator ended with {status} after SIGTERM");
        }
        Ok(())
    }

    pub async fn apply(&self, plan: &Plan, request: u64) -> Result<()> {
        let object = objects::share(plan, &self.namespace, request);
        cluster::apply_one(&self.client, object).await.map(drop)
    }

    pub async fn delete(&self) -> Result<()> {
        self.shares
            .delete(objects::SHARE, &DeleteParams::default())
            .await?;
        Ok(())
    }
}

fn environment(fixture: &Fixture) -> Vec<(String, String)> {
    let threads = ("TOKIO_WORKER_THREADS", "2");
    let mutant = fixture.mutant.map(|name| ("ONETIMESHARE_MUTANT", name));
    let all = [Some(threads), mutant].into_iter().flatten();
    all.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn arguments(namespace: &str, ledger: &str) -> Vec<String> {
    let pairs = [
        ("--watch-namespaces", namespace),
        ("--ledger-namespace", ledger),
        ("--namespace", namespace),
        ("--leader-elect", "false"),
        ("--attempt-deadline", "2s"),
        ("--settling-time", "1s"),
        ("--request-timeout", "2s"),
        ("--allowed-provider-hosts", "127.0.0.1"),
        ("--log", "info,onetimeshare=debug"),
    ];
    let mut all: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    all.extend(["--allow-private-addresses", "--enable-generate"].map(str::to_owned));
    all
}
