//! One case: senders post, the path or the server stalls, the sender ends, it heals, and what arrives is counted.

use crate::cases::{Case, End, Sender, Stall};
use crate::place::{Ground, Place};
use crate::sender::{ORDERS, Orders};
use crate::server::Server;
use crate::sockets::{Buffers, Side, buffers};
use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::{sleep, timeout};

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Once the sender has ended. Reading the table of connections costs milliseconds.
const WATCH_AGAIN: Duration = Duration::from_millis(500);
/// How long a sender may take to start and to open its connections, with all the others beside it.
const WARM: Duration = Duration::from_secs(60);
/// How long nothing must have been read before nothing more is waited for.
const QUIET: Duration = Duration::from_secs(3);
/// How long what still arrives is waited for.
const WATCH: Duration = Duration::from_secs(80);
/// The speed of a path that is cut in the middle of a transfer, in kbit/s.
const MIDWAY: u32 = 512;
/// The size of a small receive buffer, in bytes.
const SMALLEST: u32 = 4096;

/// What came of a case. All times are counted from the POST.
#[derive(Debug)]
pub struct Outcome {
    /// When each whole POST arrived.
    pub arrived: Vec<Duration>,
    /// When the sender ended.
    pub ended: Duration,
    /// When its kernel held nothing any more, delivered or given up.
    pub emptied: Option<Duration>,
    /// Whether a slow reader stood in for a slow path.
    pub reader_instead: bool,
}

/// Runs a case.
pub async fn run(case: &Case, ground: Ground, number: usize) -> Result<Outcome> {
    let place = Place::make(ground, number, case.rto).await?;
    let reader_instead = match case.stall {
        Stall::SlowPath(rate) => !place.slow(rate).await,
        Stall::PathMidway => !place.slow(MIDWAY).await,
        _ => false,
    };
    let server = server(case, reader_instead)?;
    let mut process = Process::start(case, &place, server.port).await?;
    match case.stall {
        Stall::Path => place.cut().await?,
        Stall::Window => server.read(false),
        _ => {}
    }
    let running = Running {
        case,
        place: &place,
        server: &server,
        read_before: server.seen().bytes,
        begin: Instant::now(),
    };
    process.input.write_all(b"go\n").await?;
    if case.end != End::GivesUp || case.heals > Duration::ZERO {
        running.hand_over().await?;
    }
    match case.end {
        End::Killed => process.child.kill().await?,
        End::GivesUp => {
            let within = case.deadline + Duration::from_secs(10);
            process.hear("ended", within).await?;
        }
        End::Stopped => process.stop()?,
    }
    let ended = running.begin.elapsed();
    let emptied = running.heal_and_watch().await?;
    let arrived = server.seen().posts.iter().map(|at| *at - running.begin).collect();
    Ok(Outcome {
        arrived,
        ended,
        emptied,
        reader_instead,
    })
}

/// A server for a case. Where it reads slowly, its kernel takes no more than it reads in two seconds.
fn server(case: &Case, reader_instead: bool) -> Result<Server> {
    let slow = |kbit: u32| {
        let rate = kbit * 1000 / 8;
        Server::start(Some((2 * rate).max(SMALLEST)), Some(rate))
    };
    match case.stall {
        Stall::SlowPath(rate) if reader_instead => slow(rate),
        Stall::PathMidway if reader_instead => slow(MIDWAY / 10),
        Stall::SlowReader(rate) => slow(rate),
        Stall::Window => Server::start(Some(SMALLEST), None),
        _ => Server::start(None, None),
    }
}

/// A sender's process, which is killed when this is dropped.
struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it, and returns when its connections are open.
    async fn start(case: &Case, place: &Place, port: u16) -> Result<Self> {
        let orders = Orders {
            operator: case.sender == Sender::Operator,
            address: place.address(port),
            connections: case.connections,
            bytes: case.bytes,
            deadline: case.deadline,
        };
        let mut child = place
            .there(std::env::current_exe()?)
            .env(crate::ROLE, "sender")
            .env(ORDERS, serde_json::to_string(&orders)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut process = Self { child, input, output };
        process.hear("warm", WARM).await?;
        Ok(process)
    }

    async fn hear(&mut self, word: &str, within: Duration) -> Result<()> {
        let line = timeout(within, self.output.next_line()).await;
        let line = line.with_context(|| format!("the sender did not say {word}"))??;
        ensure!(
            line.as_deref() == Some(word),
            "the sender said {line:?}, not {word}"
        );
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(kill_process(id.context("the sender ended")?, Signal::STOP)?)
    }
}

/// A case whose POSTs have begun.
struct Running<'a> {
    case: &'a Case,
    place: &'a Place,
    server: &'a Server,
    read_before: usize,
    begin: Instant,
}

impl Running<'_> {
    fn at_the_sender(&self) -> Result<Buffers> {
        buffers(&self.place.process(), Side::Client, self.server.port)
    }

    fn read(&self) -> usize {
        self.server.seen().bytes - self.read_before
    }

    /// Waits until the kernel has all bodies, and cuts the path that is to be cut on the way.
    async fn hand_over(&self) -> Result<()> {
        if self.case.stall == Stall::PathMidway {
            let some = || Ok(self.read() > 0);
            ensure!(self.until(some).await?, "nothing arrived");
            self.place.cut().await?;
            let holding = self.at_the_sender()?.holding;
            ensure!(holding > 0, "void: all had arrived when the path was cut");
        }
        let expected = self.case.connections * self.case.bytes;
        let all = || {
            let mut there = self.at_the_sender()?.unacknowledged + self.read();
            if there < expected {
                there += buffers("self", Side::Server, self.server.port)?.unread;
            }
            Ok(there >= expected)
        };
        let handed_over = self.until(all).await?;
        // A large body is never as a whole in the buffers of a slow path before its deadline: that is for the report.
        let large = matches!(self.case.stall, Stall::SlowPath(_));
        ensure!(
            handed_over || large,
            "void: the kernel never had all bodies. Did a POST need a new connection, which a cut path does not give?"
        );
        Ok(())
    }

    /// Waits until something is true; false when it is not until shortly before the deadline.
    async fn until(&self, mut is_true: impl FnMut() -> Result<bool>) -> Result<bool> {
        let latest = self.case.deadline.saturating_sub(Duration::from_millis(500));
        while !is_true()? {
            if self.begin.elapsed() > latest {
                return Ok(false);
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(true)
    }

    /// Heals what stalls when it is time, and waits for what still arrives. When the sender's kernel held nothing any more.
    async fn heal_and_watch(&self) -> Result<Option<Duration>> {
        let (mut healed, mut emptied) = (false, None);
        let limit = self.case.heals + WATCH;
        while self.begin.elapsed() < limit {
            if !healed && self.begin.elapsed() >= self.case.heals {
                match self.case.stall {
                    Stall::Path | Stall::PathMidway => self.place.heal().await?,
                    Stall::Window => self.server.read(true),
                    Stall::SlowPath(_) | Stall::SlowReader(_) => {}
                }
                healed = true;
            }
            let holding = self.at_the_sender()?.holding;
            emptied = (holding == 0).then(|| emptied.unwrap_or_else(|| self.begin.elapsed()));
            if healed && emptied.is_some_and(|at| self.is_quiet(at)) {
                break;
            }
            sleep(WATCH_AGAIN).await;
        }
        Ok(emptied)
    }

    /// Whether nothing more can come, when the sender's kernel has held nothing since this time.
    fn is_quiet(&self, emptied: Duration) -> bool {
        let seen = self.server.seen();
        let since = seen.last_read.map_or(QUIET, |at| at.elapsed());
        let at = self.case.heals.max(emptied) + QUIET;
        seen.posts.len() == self.case.connections || (since >= QUIET && self.begin.elapsed() >= at)
    }
}
