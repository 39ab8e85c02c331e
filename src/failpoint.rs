//! Named points of a share's life at which a test ends, freezes or delays the operator. Only with the feature
//! `failpoints`; without it nothing of this is compiled.
//!
//! `ONETIMESHARE_FAILPOINTS` holds `NAME=ACTION[@N]`, separated by semicolons: the action is `kill`, `stop`, `term` or
//! `sleep:MILLISECONDS`, at the Nth time the point is reached (the first without a number).

use anyhow::{Context as _, bail};
use rustix::process::{Signal, getpid, kill_process};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Within this time a process that stops itself stands still.
const TO_STOP: Duration = Duration::from_millis(200);

#[derive(Clone, Copy)]
enum Action {
    Signal(Signal),
    Sleep(Duration),
}

/// Arms the points that the environment names. The scenario must be kept for as long as they should work.
///
/// # Errors
/// When the text cannot be read.
pub fn arm() -> anyhow::Result<fail::FailScenario<'static>> {
    let scenario = fail::FailScenario::setup();
    let Ok(text) = std::env::var("ONETIMESHARE_FAILPOINTS") else {
        return Ok(scenario);
    };
    for rule in text.split(';').filter(|rule| !rule.is_empty()) {
        let (name, action) = rule.split_once('=').context("a failpoint is NAME=ACTION")?;
        let (action, at) = action.split_once('@').unwrap_or((action, "1"));
        let (action, at) = (
            parse(action)?,
            at.parse::<u64>().context("the count of a failpoint")?,
        );
        let reached = AtomicU64::new(0);
        let point = name.to_owned();
        let hit = move || {
            if reached.fetch_add(1, Ordering::SeqCst) + 1 == at {
                tracing::warn!(point, "failpoint reached");
                act(action);
            }
        };
        if let Err(error) = fail::cfg_callback(name, hit) {
            bail!("failpoint {name}: {error}");
        }
    }
    Ok(scenario)
}

fn parse(action: &str) -> anyhow::Result<Action> {
    Ok(match action.split_once(':') {
        None if action == "kill" => Action::Signal(Signal::KILL),
        None if action == "stop" => Action::Signal(Signal::STOP),
        None if action == "term" => Action::Signal(Signal::TERM),
        Some(("sleep", milliseconds)) => Action::Sleep(Duration::from_millis(milliseconds.parse()?)),
        _ => bail!("a failpoint's action is kill, stop, term or sleep:MILLISECONDS"),
    })
}

fn act(action: Action) {
    match action {
        Action::Signal(signal) => {
            let _ = kill_process(getpid(), signal);
            // Another thread may be the one that takes the signal: this one does nothing until it has.
            if signal == Signal::STOP {
                std::thread::sleep(TO_STOP);
            }
        }
        // The whole thread sleeps: that is what a stalled machine looks like to this task.
        Action::Sleep(time) => std::thread::sleep(time),
    }
}
