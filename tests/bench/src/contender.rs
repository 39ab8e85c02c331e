//! Who is measured, and how each is started: a process that has the cluster's kubeconfig and the service's address.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use harness::operator::{Launch, Operator, repository};
use tokio::process::{Child, Command};

use crate::options::Run;
use crate::stage::{self, Stage};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    /// The requests of the operator and nothing else.
    Raw,
    /// The operator as it is installed.
    #[value(name = "onetimeshare")]
    Operator,
    /// The operator with the number of workers that the tuned peers have.
    #[value(name = "onetimeshare-tuned")]
    OperatorTuned,
    /// A plain controller with controller-runtime, tuned.
    ControllerRuntime,
    /// The same with the library's defaults.
    ControllerRuntimeDefault,
    /// A plain controller with kopf, tuned.
    Kopf,
    /// The same with the library's defaults.
    KopfDefault,
}

/// A contender at work. Dropping it kills it.
pub(crate) enum Running {
    Operator(Box<Operator>),
    Other(Child),
}

impl Contender {
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    pub(crate) fn is_operator(self) -> bool {
        matches!(self, Self::Operator | Self::OperatorTuned)
    }

    /// Starts it. Only the operator says when it is ready; of the others, the first link tells.
    pub(crate) async fn start(self, run: &Run, stage: &Stage) -> Result<Running> {
        let workers = run.workers.to_string();
        let kopf = repository().join("tests/bench/peers/kopf/main.py");
        let missing = "this peer was not given";
        let mut command = match self {
            Self::Operator => return operator(run, stage, Vec::new()).await,
            Self::OperatorTuned => {
                let more = vec![format!("--max-concurrent-reconciles={workers}")];
                return operator(run, stage, more).await;
            }
            Self::Raw => Command::new(std::env::current_exe().context("the path of this program")?),
            Self::ControllerRuntime | Self::ControllerRuntimeDefault => {
                Command::new(run.controller_runtime.as_ref().context(missing)?)
            }
            Self::Kopf | Self::KopfDefault => Command::new(run.kopf.as_ref().context(missing)?),
        };
        match self {
            Self::Raw => command.args(["raw", "--workers", &workers]),
            Self::ControllerRuntime => command.args(["--workers", &workers]),
            Self::Kopf => command.arg(kopf).args(["--tuned", "--workers", &workers]),
            Self::KopfDefault => command.arg(kopf),
            Self::Operator | Self::OperatorTuned | Self::ControllerRuntimeDefault => &mut command,
        };
        spawn(command, run, stage, &self.name())
    }
}

/// How the operator is started.
pub(crate) fn launch(run: &Run, stage: &Stage, args: Vec<String>) -> Result<Launch> {
    Ok(Launch {
        binary: run.operator.clone(),
        kubeconfig: stage.kubeconfig()?,
        args,
        env: Vec::new(),
    })
}

async fn operator(run: &Run, stage: &Stage, args: Vec<String>) -> Result<Running> {
    let operator = Operator::start(&launch(run, stage, args)?).await?;
    Ok(Running::Operator(Box::new(operator)))
}

fn spawn(mut command: Command, run: &Run, stage: &Stage, name: &str) -> Result<Running> {
    let folder = run.out.join("logs");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let log = File::create(folder.join(format!("{name}.log"))).context("creating a log")?;
    // The person's own proxies lead nowhere that the bench knows.
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let child = command
        .env("KUBECONFIG", stage.kubeconfig()?)
        .env("ONETIME_URL", stage.service.url())
        .env("ONETIME_USERNAME", stage::USERNAME)
        .env("ONETIME_TOKEN", stage::TOKEN)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing a log")?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    Ok(Running::Other(child))
}

impl Running {
    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn pid(&self) -> Result<u32> {
        let pid = match self {
            Self::Operator(operator) => operator.pid(),
            Self::Other(child) => child.id(),
        };
        pid.context("it has ended")
    }

    /// Ends it; what is under way is of no interest.
    pub(crate) async fn stop(self) -> Result<()> {
        match self {
            Self::Operator(operator) => operator.kill().await,
            Self::Other(mut child) => {
                if let Some(status) = child.try_wait()? {
                    bail!("it had ended before, with {status}: see its log");
                }
                let killed = tokio::time::timeout(Duration::from_secs(10), child.kill()).await;
                killed.context("it does not end")?.context("ending it")
            }
        }
    }
}
