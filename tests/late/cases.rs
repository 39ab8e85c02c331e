//! The cases: who sends, what stalls, how the sender ends, when it heals, and what must come of it.

use std::time::Duration;

/// The client that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The operator's.
    Operator,
    /// A socket without options: the control group.
    Plain,
}

/// What keeps the body in the kernel of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The path loses every packet in both directions, from before the body is handed to the kernel.
    Path,
    /// The path loses every packet in both directions, from the middle of the transfer.
    PathMidway,
    /// The server's kernel answers, but the server does not read, so that its window is closed.
    Window,
    /// Nothing stalls; the path is slow: kbit/s. On loopback the server reads slowly instead.
    SlowPath(u32),
    /// Nothing stalls; the server reads slowly: kbit/s.
    SlowReader(u32),
}

/// How the sender ends once its body is in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By SIGKILL.
    Killed,
    /// It lives, and gives up at its deadline what has no answer then.
    GivesUp,
    /// It is stopped with SIGSTOP, as a frozen container is, and stays so.
    Stopped,
}

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No whole POST after deadline and slack.
    NoneLate,
    /// One at least: shows that the case can fail.
    SomeLate,
    /// All of them, in time: a sender that lives is not hindered.
    AllInTime,
    /// Whatever comes: a gap, or a fact about the kernel.
    Shown,
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The client.
    pub sender: Sender,
    /// What stalls.
    pub stall: Stall,
    /// How the sender ends.
    pub end: End,
    /// When it heals, counted from the POST.
    pub heals: Duration,
    /// How many connections, each with one POST.
    pub connections: usize,
    /// The size of the secret.
    pub bytes: usize,
    /// The deadline of the POST.
    pub deadline: Duration,
    /// The shortest retransmission timeout of the path, in ms; 200 is Linux's own.
    pub rto: u32,
    /// What must come of it.
    pub expected: Expected,
}

impl Case {
    /// Its name, in one line.
    pub fn name(&self) -> String {
        let stall = match self.stall {
            Stall::Path => "path".to_owned(),
            Stall::PathMidway => "midway".to_owned(),
            Stall::Window => "window".to_owned(),
            Stall::SlowPath(rate) => format!("slow-path-{rate}kbit"),
            Stall::SlowReader(rate) => format!("slow-reader-{rate}kbit"),
        };
        let heals = if self.heals.is_zero() {
            String::new()
        } else {
            format!("/{}s", self.heals.as_secs())
        };
        let rto = if self.rto == RTO {
            String::new()
        } else {
            format!("/rto-{}ms", self.rto)
        };
        let sender = &self.sender;
        let end = match self.end {
            End::Killed => "killed",
            End::GivesUp if self.expected == Expected::AllInTime => "lives",
            End::GivesUp => "gives-up",
            End::Stopped => "stopped",
        };
        format!("{stall}/{end}{heals}{rto}/{sender:?}").to_lowercase()
    }

    /// Whether loopback cannot show it.
    pub fn needs_a_path(&self) -> bool {
        matches!(self.stall, Stall::Path | Stall::PathMidway)
    }

    /// What a successor waits after the deadline, as the intent records it.
    pub fn slack(&self) -> Duration {
        Duration::from_secs(onetimeshare::ledger::slack_seconds(self.bytes))
    }

    /// From when on, counted from the POST, a whole POST is late.
    pub fn late_after(&self) -> Duration {
        self.deadline + self.slack()
    }
}

const KIB: usize = 1024;
const RTO: u32 = 200;

fn case(sender: Sender, stall: Stall, end: End, heals: u64) -> Case {
    Case {
        sender,
        stall,
        end,
        heals: Duration::from_secs(heals),
        connections: if stall == Stall::PathMidway { 10 } else { 40 },
        bytes: if stall == Stall::Path { KIB } else { 32 * KIB },
        deadline: Duration::from_secs(8),
        rto: RTO,
        expected: match sender {
            Sender::Operator => Expected::NoneLate,
            Sender::Plain => Expected::SomeLate,
        },
    }
}

/// The same with both clients.
fn both(stall: Stall, end: End, heals: u64) -> [Case; 2] {
    [Sender::Operator, Sender::Plain].map(|sender| case(sender, stall, end, heals))
}

/// A path with a round trip of 100 ms, as far as its timeouts are concerned.
fn distant(case: Case) -> Case {
    Case { rto: 300, ..case }
}

/// A path on which the kernel waits 2 s before it sends again: it gives up that much later.
fn congested(case: Case) -> Case {
    Case { rto: 2000, ..case }
}

/// One POST with something slow, with both clients.
fn slow(stall: Stall, end: End, bytes: usize, deadline: u64, expected: Expected) -> [Case; 2] {
    both(stall, end, 0).map(|case| Case {
        connections: 1,
        bytes,
        deadline: Duration::from_secs(deadline),
        expected,
        ..case
    })
}

/// What `make test` runs: half a minute.
pub fn quick() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(both(Stall::Path, End::Killed, 20));
    cases.extend(both(Stall::Path, End::GivesUp, 20));
    cases.extend(both(Stall::Window, End::Killed, 28));
    cases
}

/// What `make late` runs: three minutes.
pub fn full() -> Vec<Case> {
    let mut cases = quick();
    cases.extend(both(Stall::PathMidway, End::Killed, 20));
    cases.extend(both(Stall::Path, End::Stopped, 20));
    cases.extend(both(Stall::Path, End::Killed, 20).map(congested));
    cases.extend(both(Stall::Path, End::Killed, 45));
    cases.extend(both(Stall::Path, End::Killed, 60).map(distant));
    // A kernel gives up a connection without owner after about 100 s anyway, and one with an owner after 15 minutes.
    cases.extend(both(Stall::Path, End::Killed, 150).map(|mut case| {
        if case.sender == Sender::Plain {
            case.expected = Expected::Shown;
        }
        distant(case)
    }));
    cases.extend(both(Stall::Path, End::Stopped, 150).map(distant));
    cases.extend(both(Stall::Window, End::GivesUp, 60));
    cases.extend(both(Stall::Window, End::Killed, 60));
    cases.extend(both(Stall::Window, End::Killed, 150));
    cases.extend(one_by_one());
    cases
}

/// One large or slow POST each. A path that trickles, and a server that does, are gaps.
fn one_by_one() -> Vec<Case> {
    let mut cases = Vec::new();
    let (none_late, large) = (Expected::NoneLate, 1024 * KIB);
    cases.extend(slow(Stall::SlowPath(256), End::Killed, large, 30, none_late));
    cases.extend(slow(Stall::SlowPath(256), End::GivesUp, large, 10, none_late));
    cases.extend(slow(
        Stall::SlowPath(256),
        End::GivesUp,
        large,
        60,
        Expected::AllInTime,
    ));
    cases.extend(slow(
        Stall::SlowReader(256),
        End::GivesUp,
        large,
        60,
        Expected::AllInTime,
    ));
    cases.extend(slow(
        Stall::SlowPath(8),
        End::Killed,
        32 * KIB,
        8,
        Expected::Shown,
    ));
    cases.extend(slow(
        Stall::SlowReader(8),
        End::Killed,
        32 * KIB,
        8,
        Expected::Shown,
    ));
    cases
}
