//! The real operator binary as a child process: start, wait until ready, look at it, end it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;

use crate::http::request;

/// How to start an operator.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The operator's binary.
    pub binary: PathBuf,
    /// The cluster and the identity.
    pub kubeconfig: PathBuf,
    /// Arguments after `controller`.
    pub args: Vec<String>,
    /// Further environment variables.
    pub env: Vec<(String, String)>,
}

/// A running operator. Dropping it kills it.
pub struct Operator {
    child: Child,
    log: watch::Receiver<String>,
    http: SocketAddr,
}

/// The operator's binary beside the running program, as cargo lays them out.
///
/// # Errors
/// When there is none: the message names the command that builds it.
pub fn binary_beside() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("onetimeshare"))
        .find(|path| path.is_file());
    found.context("the operator's binary is missing: run `cargo build --bin onetimeshare`")
}

impl Operator {
    /// Starts an operator and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready within 30 seconds; the message carries its log.
    pub async fn start(launch: &Launch) -> Result<Self> {
        let operator = Self::spawn(launch).await?;
        operator.wait_until_ready().await?;
        Ok(operator)
    }

    /// Starts an operator that may end before it is ready, and waits only until it serves HTTP.
    ///
    /// # Errors
    /// When it ends before, or does not within 30 seconds; the message carries its log.
    pub async fn spawn(launch: &Launch) -> Result<Self> {
        let mut command = Command::new(&launch.binary);
        // The person's own proxies lead nowhere that a test knows.
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        let mut child = command
            .arg("controller")
            .args(["--http-address", "127.0.0.1:0"])
            .args(&launch.args)
            .env("KUBECONFIG", &launch.kubeconfig)
            .envs(launch.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::inherit())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", launch.binary.display()))?;
        let stderr = child.stderr.take().context("the operator's log")?;
        let log = collect(stderr);
        let http = wait_for_address(log.clone()).await?;
        Ok(Self { child, log, http })
    }

    /// Everything that it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Where it serves HTTP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.http
    }

    /// Its metrics.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        request(self.http, "GET", "/metrics").await.map(|(_, body)| body)
    }

    /// Waits for its metrics to fulfil a condition, and returns them.
    ///
    /// # Errors
    /// When they do not within the time, or it does not answer; the message carries them.
    pub async fn wait_for_metrics(
        &self,
        what: &str,
        timeout: Duration,
        condition: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let give_up = tokio::time::Instant::now() + timeout;
        loop {
            let metrics = self.metrics().await?;
            if condition(&metrics) {
                return Ok(metrics);
            }
            if tokio::time::Instant::now() > give_up {
                bail!("the metrics did not show {what} within {timeout:?}:\n{metrics}");
            }
            // They can only be asked for.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether it says of itself that it is ready.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ready(&self) -> Result<bool> {
        request(self.http, "GET", "/readyz")
            .await
            .map(|(status, _)| status == 200)
    }

    /// The status code of /readyz, and what it says.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn readiness(&self) -> Result<(u16, String)> {
        request(self.http, "GET", "/readyz").await
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        kill_process(pid.context("the operator has ended")?, signal).context("signalling the operator")
    }

    /// Waits for its log to fulfil a condition.
    ///
    /// # Errors
    /// When it does not within the time; the message carries the log.
    pub async fn wait_for_log(
        &self,
        timeout: Duration,
        condition: impl FnMut(&String) -> bool,
    ) -> Result<()> {
        let mut log = self.log.clone();
        match tokio::time::timeout(timeout, log.wait_for(condition)).await {
            Ok(Ok(_)) => Ok(()),
            _ => bail!("the log did not show it within {timeout:?}:\n{}", self.log()),
        }
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// When it does not end within 30 seconds.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.terminate().await
    }

    /// As [`Self::stop`], for one whose log is still wanted.
    ///
    /// # Errors
    /// As [`Self::stop`], and when it had ended before.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the operator had ended before, with {status}");
        }
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the operator did not end within 30 s of SIGTERM:\n{}", self.log()),
        }
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("killing the operator")
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not within the time.
    pub async fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        match tokio::time::timeout(timeout, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the operator did not end within {timeout:?}"),
        }
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let poll = async {
            while !self.ready().await.unwrap_or(false) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), poll).await {
            Ok(()) => Ok(()),
            Err(_) => bail!("the operator was not ready within 30 s:\n{}", self.log()),
        }
    }
}

fn collect(stderr: ChildStderr) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        let echo = std::env::var_os("ONETIMESHARE_ECHO_LOGS").is_some();
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if echo {
                eprintln!("operator: {line}");
            }
            sender.send_modify(|log| {
                log.push_str(&line);
                log.push('\n');
            });
        }
    });
    receiver
}

/// The operator takes a free port and logs which.
async fn wait_for_address(mut log: watch::Receiver<String>) -> Result<SocketAddr> {
    let find = |log: &String| log.lines().find_map(address);
    let found = tokio::time::timeout(Duration::from_secs(30), log.wait_for(|log| find(log).is_some())).await;
    let found = found.ok().and_then(Result::ok).and_then(|log| find(&log));
    found.with_context(|| format!("the operator did not start:\n{}", log.borrow().as_str()))
}

fn address(line: &str) -> Option<SocketAddr> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.get("address")?.as_str()?.parse().ok()
}

/// The folder of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
