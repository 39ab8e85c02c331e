//! What can go wrong with a request.
//!
//! Names only: `plan` chooses who is struck, `serve` carries a fault out, and the rules of the
//! service do not know of faults.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// When, in the life of a request, a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// After the headers, the body unread. Rules with a recipient never match here.
    BeforeReading,
    /// The request is read, nothing is done.
    BeforeCommit,
    /// Everything is done: stored, mailed, burned.
    AfterCommit,
}

/// An answer that stands in for the real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canned {
    /// 404 `An unexpected error occurred :[`, as when Redis refuses (`v1-redis-stopped`).
    Unexpected,
    /// 500 as the version gives it: JSON on v0.23, nothing on v0.26 (`v1-redis-stopped`).
    ServerError,
    /// 502 with a page of HTML, as a proxy in front gives it.
    BadGateway,
    /// 503 of a proxy, with `Retry-After: 7`.
    Unavailable,
    /// 429 of a proxy, with `Retry-After: 7`. The service itself never sends it.
    TooManyRequests,
    /// 429 of a proxy, with `Retry-After: 0`.
    TooManyRequestsNow,
    /// The service's own message for too many requests (`v1-rate-limit`).
    RateLimited,
    /// 404 `Not authorized` (`v1-authcheck`).
    NotAuthorized,
    /// 302 to that address.
    Redirect(String),
    /// 200 without a body.
    Empty,
    /// 200 and JSON that is cut off, with a right length.
    WrongJson,
    /// 200 and JSON of another shape.
    OtherJson,
    /// Anything: status, content type, body.
    Raw(u16, String, Vec<u8>),
}

/// How long a request hangs.
#[derive(Clone, Debug)]
pub enum Hold {
    /// That long.
    For(Duration),
    /// Until [`Gate::open`].
    Until(Gate),
}

impl Hold {
    pub(super) async fn wait(&self) {
        match self {
            Self::For(time) => tokio::time::sleep(*time).await,
            Self::Until(gate) => gate.passed().await,
        }
    }
}

/// Holds requests until it is opened; it never closes again.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything pass, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is reset (RST).
    Reset(Stage),
    /// The connection is closed (FIN) without an answer.
    Close(Stage),
    /// Another answer than the real one; with [`Stage::AfterCommit`] the work is done nevertheless.
    Answer(Stage, Canned),
    /// The request hangs. It goes on when released, also when the client has gone meanwhile: that
    /// is the late commit.
    Hang(Stage, Hold),
    /// The real answer, in pieces with pauses.
    SlowBody {
        /// Bytes in a piece.
        chunk: usize,
        /// The pause before each piece.
        pause: Duration,
    },
    /// The real answer, cut after so many bytes of its body; `Content-Length` promises all.
    TruncateBody {
        /// The bytes that arrive.
        keep: usize,
    },
    /// The work is done; the answer is one endless JSON string of so many bytes.
    HugeBody {
        /// The size.
        bytes: u64,
    },
    /// The share is stored with that lifetime, whatever was asked.
    GrantTtl(u64),
    /// The real answer's JSON, edited.
    Edit(fn(&mut Value)),
}

impl Fault {
    /// The share exists, the answer never arrives.
    #[must_use]
    pub fn commit_then_reset() -> Self {
        Self::Reset(Stage::AfterCommit)
    }

    /// The share exists, the answer says 500.
    #[must_use]
    pub fn commit_then_500() -> Self {
        Self::Answer(Stage::AfterCommit, Canned::ServerError)
    }

    /// The share exists, the answer says `An unexpected error occurred :[`.
    #[must_use]
    pub fn commit_then_unexpected() -> Self {
        Self::Answer(Stage::AfterCommit, Canned::Unexpected)
    }

    pub(super) fn is_early(&self) -> bool {
        matches!(
            self,
            Self::Reset(Stage::BeforeReading)
                | Self::Close(Stage::BeforeReading)
                | Self::Answer(Stage::BeforeReading, _)
                | Self::Hang(Stage::BeforeReading, _)
        )
    }
}
