//! The faults of the API server: which request of the operator is struck, and how.

use harness::api_proxy::{Fault, Rule, Seen};
use std::fmt;
use std::time::Duration;

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first write of a ledger entry, or, after it, of a claim.
    LedgerCreate(u32),
    /// The so-many-th change of a ledger entry, counted from zero.
    LedgerUpdate(u32),
    LedgerList,
    Status,
    Source,
    LiveRead,
    Kind,
    TargetRead,
    TargetWrite,
    /// Every watch.
    Watch,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::LedgerCreate(_) => "ledger-create",
            Self::LedgerUpdate(_) => "ledger-update",
            Self::LedgerList => "ledger-list",
            Self::Status => "status",
            Self::Source => "source",
            Self::LiveRead => "live-read",
            Self::Kind => "kind",
            Self::TargetRead => "target-read",
            Self::TargetWrite => "target-write",
            Self::Watch => "watch",
        }
    }

    fn skip(self) -> u32 {
        match self {
            Self::LedgerCreate(skip) | Self::LedgerUpdate(skip) => skip,
            _ => 0,
        }
    }

    fn matches(self) -> fn(&Seen) -> bool {
        match self {
            Self::LedgerCreate(_) => |seen| seen.method == "POST" && seen.path.ends_with("-ledger/secrets"),
            Self::LedgerUpdate(_) => |seen| seen.method == "PUT" && seen.path.contains("-ledger/secrets/"),
            Self::LedgerList => |seen| {
                seen.method == "GET"
                    && seen.path.ends_with("-ledger/secrets")
                    && seen.query.contains("labelSelector")
            },
            Self::Status => {
                |seen| seen.method == "PATCH" && seen.path.ends_with("/onetimeshares/alice/status")
            }
            Self::Source => |seen| seen.method == "GET" && seen.path.contains("/secrets/value-"),
            Self::LiveRead => |seen| seen.method == "GET" && seen.path.ends_with("/onetimeshares/alice"),
            Self::Kind => |seen| seen.method == "GET" && seen.path.contains("/customresourcedefinitions/"),
            Self::TargetRead => |seen| seen.method == "GET" && seen.path.ends_with("/secrets/generated"),
            Self::TargetWrite => |seen| {
                matches!(seen.method.as_str(), "POST" | "PUT")
                    && seen.path.contains("/secrets")
                    && !seen.path.contains("-ledger/")
            },
            Self::Watch => Seen::is_watch,
        }
    }
}

/// One fault at one place.
#[derive(Clone, Copy, Debug)]
pub struct ApiFault {
    place: Place,
    how: &'static str,
    times: u32,
    fault: Fault,
    /// Every watch is ended again and again meanwhile.
    pub cuts: bool,
}

impl ApiFault {
    pub fn rule(&self) -> Rule {
        Rule {
            matches: self.place.matches(),
            skip: self.place.skip(),
            times: self.times,
            fault: self.fault,
        }
    }

    /// A second fault that makes the operator send the request in the first place: it lists a lane only when the
    /// watch of the ledger is late.
    pub fn also(&self) -> Option<Rule> {
        (self.place == Place::LedgerList).then_some(Rule {
            matches: |seen| seen.is_watch() && seen.path.ends_with("-ledger/secrets"),
            skip: 0,
            times: u32::MAX,
            fault: Fault::Late(LATE),
        })
    }
}

impl fmt::Display for ApiFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.skip() {
            0 => write!(f, "{}-{}", self.place.name(), self.how),
            skip => write!(f, "{}-{}@{}", self.place.name(), self.how, skip + 1),
        }
    }
}

/// Longer than the deadline of an attempt.
const LATE: Duration = Duration::from_secs(3);

const AT_REQUESTS: [(&str, u32, Fault); 10] = [
    ("conflict", 1, Fault::Refuse(409, "Conflict")),
    ("forbidden", 1, Fault::Refuse(403, "Forbidden")),
    ("too-many", 1, Fault::Refuse(429, "TooManyRequests")),
    ("500", 1, Fault::Refuse(500, "InternalError")),
    ("503", 3, Fault::Refuse(503, "ServiceUnavailable")),
    ("500-done", 1, Fault::DoneBut(500, "InternalError")),
    ("504-done", 1, Fault::DoneBut(504, "Timeout")),
    ("close", 1, Fault::Close),
    ("close-done", 1, Fault::DoneButClose),
    ("late", 1, Fault::Late(LATE)),
];

const AT_WATCHES: [(&str, u32, Fault); 4] = [
    ("stale", u32::MAX, Fault::Late(Duration::from_millis(1500))),
    ("410", 4, Fault::TooOld),
    ("500", 4, Fault::Refuse(500, "InternalError")),
    ("cut", 0, Fault::Close),
];

/// Every fault at a place.
pub fn at(place: Place) -> Vec<ApiFault> {
    let kinds = if place == Place::Watch {
        &AT_WATCHES[..]
    } else {
        &AT_REQUESTS[..]
    };
    let make = |(how, times, fault): &(&'static str, u32, Fault)| ApiFault {
        place,
        how,
        times: *times,
        fault: *fault,
        cuts: place == Place::Watch && *how == "cut",
    };
    kinds.iter().map(make).collect()
}
