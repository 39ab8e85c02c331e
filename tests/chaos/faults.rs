//! The faults of the service: names, and what they do to which request.

use harness::onetime::{Canned, Fault, Hold, Matcher, OnetimeServer, Operation as Call, Rule, Stage};
use std::time::Duration;

/// Which call of the service is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Post,
    Burn,
    Recent,
    Look,
}

impl Target {
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Burn => "burn",
            Self::Recent => "recent",
            Self::Look => "look",
        }
    }

    fn calls(self) -> &'static [Call] {
        match self {
            Self::Post => &[Call::Share, Call::Generate],
            Self::Burn => &[Call::Burn],
            Self::Recent => &[Call::Recent, Call::RecentV2],
            Self::Look => &[Call::Look],
        }
    }
}

/// One fault of the service at one call.
#[derive(Clone, Copy, Debug)]
pub struct ServiceFault {
    pub target: Target,
    pub name: &'static str,
    /// Whether the service's list cannot be trusted after it, so that a person must decide.
    pub blinds: bool,
    make: fn() -> Fault,
}

impl ServiceFault {
    /// Arms it for the next such call.
    pub fn arm(&self, service: &OnetimeServer) {
        for call in self.target.calls() {
            let matcher = Matcher::operation(*call);
            service.plan().push(Rule::once(matcher, (self.make)()));
        }
    }

    /// Whether the service must be left alone for a minute, which makes the plan slow.
    pub fn is_slow(&self) -> bool {
        self.name == "rate-limited"
    }
}

/// Longer than a deadline, shorter than deadline and slack.
const LATE: Duration = Duration::from_secs(4);

type Named = (&'static str, fn() -> Fault);

const ANY_CALL: [Named; 24] = [
    ("reset-at-once", || Fault::Reset(Stage::BeforeReading)),
    ("reset-before", || Fault::Reset(Stage::BeforeCommit)),
    ("reset-after", || Fault::Reset(Stage::AfterCommit)),
    ("close-before", || Fault::Close(Stage::BeforeCommit)),
    ("close-after", || Fault::Close(Stage::AfterCommit)),
    ("500-before", || {
        Fault::Answer(Stage::BeforeCommit, Canned::ServerError)
    }),
    ("500-after", Fault::commit_then_500),
    ("unexpected-before", || {
        Fault::Answer(Stage::BeforeCommit, Canned::Unexpected)
    }),
    ("unexpected-after", Fault::commit_then_unexpected),
    ("502-before", || {
        Fault::Answer(Stage::BeforeCommit, Canned::BadGateway)
    }),
    ("502-after", || {
        Fault::Answer(Stage::AfterCommit, Canned::BadGateway)
    }),
    ("503", || Fault::Answer(Stage::BeforeCommit, Canned::Unavailable)),
    ("429", || {
        Fault::Answer(Stage::BeforeReading, Canned::TooManyRequests)
    }),
    ("rate-limited", || {
        Fault::Answer(Stage::BeforeCommit, Canned::RateLimited)
    }),
    ("unauthorized", || {
        Fault::Answer(Stage::BeforeReading, Canned::NotAuthorized)
    }),
    ("redirect", || {
        Fault::Answer(
            Stage::BeforeCommit,
            Canned::Redirect("http://127.0.0.1:1/elsewhere".to_owned()),
        )
    }),
    ("redirect-after", || {
        Fault::Answer(
            Stage::AfterCommit,
            Canned::Redirect("http://127.0.0.1:1/elsewhere".to_owned()),
        )
    }),
    ("empty-before", || {
        Fault::Answer(Stage::BeforeCommit, Canned::Empty)
    }),
    ("late-commit", || {
        Fault::Hang(Stage::BeforeCommit, Hold::For(LATE))
    }),
    ("late-answer", || Fault::Hang(Stage::AfterCommit, Hold::For(LATE))),
    ("slow-body", || Fault::SlowBody {
        chunk: 16,
        pause: Duration::from_millis(400),
    }),
    ("patient-body", || Fault::SlowBody {
        chunk: 200,
        pause: Duration::from_millis(100),
    }),
    ("late-reading", || {
        Fault::Hang(Stage::BeforeReading, Hold::For(LATE))
    }),
    ("close-at-once", || Fault::Close(Stage::BeforeReading)),
];

/// After these a list is there but cannot be trusted.
const SPOILT: [Named; 5] = [
    ("truncated", || Fault::TruncateBody { keep: 40 }),
    ("wrong-json", || {
        Fault::Answer(Stage::AfterCommit, Canned::WrongJson)
    }),
    ("other-json", || {
        Fault::Answer(Stage::AfterCommit, Canned::OtherJson)
    }),
    ("huge-json", || Fault::HugeBody { bytes: 40 << 20 }),
    ("empty-after", || Fault::Answer(Stage::AfterCommit, Canned::Empty)),
];

/// Answers to a create that no recording has, or that its account never gets.
const AT_A_POST: [Named; 4] = [
    ("page", || {
        let page = b"<html><body>Welcome</body></html>".to_vec();
        Fault::Answer(Stage::AfterCommit, Canned::Raw(200, "text/html".to_owned(), page))
    }),
    ("new-message", || {
        let message = br#"{"message":"The secret is not what it must be"}"#.to_vec();
        Fault::Answer(
            Stage::BeforeCommit,
            Canned::Raw(404, "application/json".to_owned(), message),
        )
    }),
    ("429-now", || {
        Fault::Answer(Stage::BeforeCommit, Canned::TooManyRequestsNow)
    }),
    ("not-authorized", || {
        Fault::Answer(Stage::BeforeCommit, Canned::NotAuthorized)
    }),
];

/// Every fault at one call.
pub fn at(target: Target) -> Vec<ServiceFault> {
    let make = |blinds| {
        move |(name, make): Named| ServiceFault {
            target,
            name,
            blinds,
            make,
        }
    };
    let plain = ANY_CALL.into_iter().map(make(false));
    let spoilt = SPOILT.into_iter().map(make(target == Target::Recent));
    let posts = AT_A_POST
        .into_iter()
        .filter(|_| target == Target::Post)
        .map(make(false));
    let mut all: Vec<ServiceFault> = plain.chain(spoilt).chain(posts).collect();
    for fault in &mut all {
        // A list without content is a list that cannot be read.
        fault.blinds |= target == Target::Recent && fault.name == "empty-before";
    }
    all
}
