//! What the kernel delivers after the process is dead: a POST whose sender was killed, stopped or gave up, while its
//! body was in the kernel's send buffer and the path or the server stalled. Real processes, real connections.
//!
//! Each case runs with the client of the operator and, as a control group, with a plain client without the socket option
//! `TCP_USER_TIMEOUT`, which must be seen to deliver late. With network namespaces where they are permitted (no root
//! needed), else on loopback, which leaves out the cases that need a path; the report says which. `ONETIMESHARE_LATE` is
//! `quick` (the default, half a minute), `full` (three minutes) or `off`. An argument chooses cases by a part of their name.
#![allow(missing_docs, reason = "a program, not a library")]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "late/cases.rs"]
mod cases;
#[path = "late/place.rs"]
mod place;
#[path = "late/report.rs"]
mod report;
#[path = "late/run.rs"]
mod run;
#[path = "late/sender.rs"]
mod sender;
#[path = "late/server.rs"]
mod server;
#[path = "late/sockets.rs"]
mod sockets;

use anyhow::{Context as _, Result, bail};
use cases::Case;
use place::Ground;
use std::process::ExitCode;

/// What this process is, when this program started it.
const ROLE: &str = "ONETIMESHARE_LATE_ROLE";

fn main() -> ExitCode {
    let ended = match std::env::var(ROLE).as_deref() {
        Ok("sender") => sender::main().map(|()| true),
        Ok("inside") => try_all(Ground::Namespaces),
        _ => begin(),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("late: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again inside a network namespace of its own, or goes on on loopback where that is not permitted.
fn begin() -> Result<bool> {
    if std::env::args().any(|argument| argument == "--list") {
        for case in cases::full() {
            println!("{}: test", case.name());
        }
        return Ok(true);
    }
    if chosen()?.is_empty() {
        println!("late: nothing to try");
        return Ok(true);
    }
    if let Some(why) = place::no_namespaces() {
        println!("late: no network namespaces ({why}): on loopback, without the cases that need a path");
        return try_all(Ground::Loopback);
    }
    place::need_ip()?;
    let inside = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(ROLE, "inside")
        .status()
        .context("unshare")?;
    Ok(inside.success())
}

/// The cases that the environment and the arguments ask for.
fn chosen() -> Result<Vec<Case>> {
    let mut cases = match std::env::var("ONETIMESHARE_LATE").as_deref() {
        Err(_) | Ok("quick") => cases::quick(),
        Ok("full") => cases::full(),
        Ok("off") => Vec::new(),
        Ok(other) => bail!("ONETIMESHARE_LATE is {other}, not quick, full or off"),
    };
    if let Some(part) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'))
    {
        cases.retain(|case| case.name().contains(&part));
    }
    Ok(cases)
}

fn try_all(ground: Ground) -> Result<bool> {
    // One thread: the senders are to end with the thread that started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    sender::end_with_parent()?;
    let (cases, left_out): (Vec<_>, Vec<_>) = chosen()?
        .into_iter()
        .partition(|case| ground == Ground::Namespaces || !case.needs_a_path());
    println!("{}", report::head(ground)?);
    let results = tokio::task::LocalSet::new().block_on(&runtime, async {
        if ground == Ground::Namespaces {
            place::ip(&["link", "set", "lo", "up"]).await?;
        }
        let all = cases.iter().enumerate();
        let all = all.map(|(number, case)| Box::pin(run::run(case, ground, number + 1)));
        anyhow::Ok(futures::future::join_all(all).await)
    })?;
    for case in left_out {
        println!("left out, needs a path: {}", case.name());
    }
    Ok(report::tell(&cases, &results))
}
