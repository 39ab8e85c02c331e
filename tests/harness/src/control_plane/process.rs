//! One server of the control plane as a child process: start, wait until it is ready, kill, end. Knows
//! nothing of what the server is.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to become ready.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How long one question whether it is ready may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// How often it is asked, and how often an ending process is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// How long a server may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// How much of a log an error carries.
const TAIL_LINES: usize = 20;

/// A server and how to start it (again). Dropping it kills it.
///
/// Not tokio's `Child`: that belongs to one runtime, and tests of several runtimes share a control plane.
pub(super) struct Server {
    name: &'static str,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts `name` from the folder `binaries`. Its log is `<scratch>/<name>.log`.
    pub(super) fn start(
        name: &'static str,
        binaries: &Path,
        arguments: Vec<String>,
        scratch: &Path,
        keep: bool,
    ) -> Result<Self> {
        let program = binaries.join(name);
        if !program.is_file() {
            bail!("{} has no {name}", binaries.display());
        }
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        // etcd reads every flag from ETCD_*, and proxies come from the environment too: it inherits nothing.
        command
            .env_clear()
            .env("HOME", scratch)
            .env("ONETIMESHARE_PARENT_PID", std::process::id().to_string());
        if !keep {
            command.env("ONETIMESHARE_SCRATCH", scratch);
        }
        let log = scratch.join(format!("{name}.log"));
        let mut server = Self {
            name,
            command,
            log,
            child: None,
        };
        server.restart()?;
        Ok(server)
    }

    /// Kills it if it runs, and starts it again.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.kill()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("opening {}", self.log.display()))?;
        let copy = log.try_clone().context("sharing a log file")?;
        let child = self.command.stdout(copy).stderr(log).spawn();
        self.child = Some(child.with_context(|| format!("starting {}", self.name))?);
        Ok(())
    }

    /// Waits until `probe` succeeds. An early end of the process, or the deadline, is an error with the log's
    /// end.
    pub(super) async fn ready(&mut self, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                bail!("{} ended with {status}:\n{}", self.name, tail(&self.log));
            }
            let error = match tokio::time::timeout(PROBE_DEADLINE, probe()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer".to_owned(),
            };
            if begin.elapsed() > READY_DEADLINE {
                let seconds = READY_DEADLINE.as_secs();
                bail!(
                    "{} is not ready after {seconds} s ({error}):\n{}",
                    self.name,
                    tail(&self.log)
                );
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// SIGKILL, and waits until the process is gone. No error when it does not run.
    pub(super) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().with_context(|| format!("killing {}", self.name))?;
            child
                .wait()
                .with_context(|| format!("waiting for {}", self.name))?;
        }
        Ok(())
    }

    /// SIGTERM, and SIGKILL if that does not end it in time.
    pub(super) async fn stop(mut self) -> Result<()> {
        if self.ended()?.is_none()
            && let Some(child) = &self.child
        {
            kill_process(Pid::from_child(child), Signal::TERM)
                .with_context(|| format!("sending SIGTERM to {}", self.name))?;
        }
        let begin = Instant::now();
        while self.ended()?.is_none() && begin.elapsed() < GRACE {
            tokio::time::sleep(INTERVAL).await;
        }
        self.kill()
    }

    /// How it ended, or `None` while it runs. One that was killed counts as ended without a word.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            None => Ok(Some(ExitStatus::default())),
            Some(child) => child
                .try_wait()
                .with_context(|| format!("looking at {}", self.name)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended by itself, which is as good.
        self.kill().ok();
    }
}

/// The last lines of a log, for an error.
pub(super) fn tail(log: &Path) -> String {
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("(no log at {}: {error})", log.display()),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
