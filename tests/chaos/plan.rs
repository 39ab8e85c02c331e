//! What a plan is: an operation of a user, a kind of server and account, and one thing that goes wrong.
//!
//! Data only. `catalog` makes the plans, `run` carries one out, `judge` says whether the promises were kept.

use crate::api_faults::ApiFault;
use crate::faults::{ServiceFault, Target};
use harness::onetime::Version;
use std::fmt;

/// What the user does, and what is already wrong when the fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    CreatePlain,
    CreateMailing,
    PollOpened,
    PollExpired,
    EditPlain,
    EditMailing,
    /// Edited after the link was opened, without a new `requestID`: nothing is sent.
    EditFinished,
    DeletePlain,
    DeleteMailing,
    /// Created again after its link was burned, because it was deleted: a new epoch.
    Recreate,
    /// Deleted, and created again while its link is being burned.
    DeleteReturn,
    GeneratePlain,
    GenerateMailing,
    EditGenerate,
    /// The first answer of the service is lost.
    LostPlain,
    LostMailing,
    LostGenerate,
    LostGenerateMailing,
    /// Deleted while its first answer is lost.
    LostDelete,
    /// Edited after a lost answer could not be resolved: the old attempt is superseded.
    HeldEdit,
}

impl Operation {
    pub const ALL: [Self; 20] = [
        Self::CreatePlain,
        Self::CreateMailing,
        Self::PollOpened,
        Self::PollExpired,
        Self::EditPlain,
        Self::EditMailing,
        Self::EditFinished,
        Self::DeletePlain,
        Self::DeleteMailing,
        Self::Recreate,
        Self::DeleteReturn,
        Self::GeneratePlain,
        Self::GenerateMailing,
        Self::EditGenerate,
        Self::LostPlain,
        Self::LostMailing,
        Self::LostGenerate,
        Self::LostGenerateMailing,
        Self::LostDelete,
        Self::HeldEdit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::CreatePlain => "create-plain",
            Self::CreateMailing => "create-mailing",
            Self::PollOpened => "poll-opened",
            Self::PollExpired => "poll-expired",
            Self::EditPlain => "edit-plain",
            Self::EditMailing => "edit-mailing",
            Self::EditFinished => "edit-finished",
            Self::DeletePlain => "delete-plain",
            Self::DeleteMailing => "delete-mailing",
            Self::Recreate => "recreate",
            Self::DeleteReturn => "delete-return",
            Self::GeneratePlain => "generate-plain",
            Self::GenerateMailing => "generate-mailing",
            Self::EditGenerate => "edit-generate",
            Self::LostPlain => "lost-plain",
            Self::LostMailing => "lost-mailing",
            Self::LostGenerate => "lost-generate",
            Self::LostGenerateMailing => "lost-generate-mailing",
            Self::LostDelete => "lost-delete",
            Self::HeldEdit => "held-edit",
        }
    }

    pub fn mails(self) -> bool {
        matches!(
            self,
            Self::CreateMailing
                | Self::EditMailing
                | Self::EditFinished
                | Self::DeleteMailing
                | Self::Recreate
                | Self::DeleteReturn
                | Self::GenerateMailing
                | Self::LostMailing
                | Self::LostGenerateMailing
                | Self::LostDelete
                | Self::HeldEdit
        )
    }

    pub fn generates(self) -> bool {
        matches!(
            self,
            Self::GeneratePlain
                | Self::GenerateMailing
                | Self::EditGenerate
                | Self::LostGenerate
                | Self::LostGenerateMailing
        )
    }

    /// Whether a share has its link before anything goes wrong.
    pub fn is_prepared(self) -> bool {
        matches!(
            self,
            Self::PollOpened
                | Self::PollExpired
                | Self::EditPlain
                | Self::EditMailing
                | Self::EditFinished
                | Self::EditGenerate
                | Self::DeletePlain
                | Self::DeleteMailing
                | Self::Recreate
                | Self::DeleteReturn
                | Self::HeldEdit
        )
    }

    pub fn edits(self) -> bool {
        matches!(
            self,
            Self::EditPlain | Self::EditMailing | Self::EditGenerate | Self::HeldEdit
        )
    }

    /// Whether the first answer to a creating request is lost after the share was stored.
    pub fn loses(self) -> bool {
        matches!(
            self,
            Self::LostPlain
                | Self::LostMailing
                | Self::LostGenerate
                | Self::LostGenerateMailing
                | Self::LostDelete
                | Self::HeldEdit
        )
    }

    /// What must have become of the share in the end.
    pub fn goal(self) -> Goal {
        match self {
            Self::PollOpened | Self::EditFinished => Goal::Ended("Received"),
            Self::PollExpired => Goal::Ended("Expired"),
            Self::DeletePlain | Self::DeleteMailing | Self::LostDelete => Goal::Gone,
            _ => Goal::Ready,
        }
    }

    pub fn flavors(self) -> &'static [Flavor] {
        match self {
            // With an account the list is asked, which does not notice an expiry of the fake server's own clock.
            Self::PollExpired => &[Flavor::Anonymous26, Flavor::Anonymous23],
            _ if self.mails() => &[Flavor::Account26, Flavor::Account23],
            _ => &[
                Flavor::Account26,
                Flavor::Anonymous23,
                Flavor::Anonymous26,
                Flavor::Account23,
            ],
        }
    }
}

/// How a plan must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The share has a link that lives.
    Ready,
    /// The link's life is over in this way.
    Ended(&'static str),
    /// The share is gone and no link lives.
    Gone,
}

/// A server and an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    Account26,
    Account23,
    Anonymous26,
    Anonymous23,
}

impl Flavor {
    pub fn version(self) -> Version {
        match self {
            Self::Account26 | Self::Anonymous26 => Version::V0_26,
            Self::Account23 | Self::Anonymous23 => Version::V0_23,
        }
    }

    pub fn has_account(self) -> bool {
        matches!(self, Self::Account26 | Self::Account23)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Account26 => "v26",
            Self::Account23 => "v23",
            Self::Anonymous26 => "v26-anonymous",
            Self::Anonymous23 => "v23-anonymous",
        }
    }
}

/// How an operator ends or freezes at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// SIGKILL; another one is started.
    Kill,
    /// SIGTERM; another one is started when it has ended.
    Term,
    /// Frozen for three seconds, alone: its deadline passes meanwhile.
    Nap,
    /// Frozen for nine seconds while another one runs, longer than deadline and slack.
    Stop,
    /// Frozen until another one has settled everything.
    Coma,
}

impl Crash {
    pub const ALL: [Self; 5] = [Self::Kill, Self::Term, Self::Nap, Self::Stop, Self::Coma];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Nap => "nap",
            Self::Stop => "stop",
            Self::Coma => "coma",
        }
    }

    /// What the operator does to itself.
    pub fn action(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Nap | Self::Stop | Self::Coma => "stop",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Nothing,
    /// At a named point of the operator, the so-many-th time that it is reached.
    Crash(&'static str, u32, Crash),
    Service(ServiceFault),
    Api(ApiFault),
    /// Two operators without election.
    Twins,
}

impl Fault {
    /// The column of the table that it is counted in.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Crash(_, _, crash) => crash.name(),
            Self::Service(fault) => fault.target.name(),
            Self::Api(_) => "api",
            Self::Twins => "twins",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Crash(point, 1, crash) => write!(f, "{}@{point}", crash.name()),
            Self::Crash(point, nth, crash) => write!(f, "{}@{point}@{nth}", crash.name()),
            Self::Service(fault) => write!(f, "{}:{}", fault.target.name(), fault.name),
            Self::Api(fault) => write!(f, "api:{fault}"),
            Self::Twins => f.write_str("twins"),
        }
    }
}

/// One plan.
#[derive(Clone, Debug)]
pub struct Plan {
    pub operation: Operation,
    pub flavor: Flavor,
    pub fault: Fault,
    pub passphrase: bool,
}

impl Plan {
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.operation.name(), self.flavor.name(), self.fault)
    }

    /// Whether it may end with a share that waits for a person: only where nobody can tell what happened.
    pub fn may_hold(&self) -> bool {
        match self.fault {
            Fault::Service(fault) if fault.blinds => true,
            _ => self.value_may_be_lost() || self.two_may_be_lost(),
        }
    }

    /// Whether the share surely was there again before anything was done about its deletion: a killed operator does
    /// no more, and a frozen one only goes on when the share is back.
    pub fn returns_in_time(&self) -> bool {
        match (self.operation, self.fault) {
            (Operation::DeleteReturn, Fault::Crash(point, _, crash)) => {
                point == "gone.before" && crash != Crash::Term
            }
            _ => false,
        }
    }

    /// A generated value that was lost with the answer is not told again by v0.23, and by no version when there is a
    /// passphrase; and the recipient has the mail already.
    fn value_may_be_lost(&self) -> bool {
        let lost = match (self.operation, self.fault) {
            (Operation::LostGenerateMailing, _) => true,
            (Operation::GenerateMailing, Fault::Crash(point, _, _)) => {
                point.starts_with("post") || point == "outcome.before"
            }
            (Operation::GenerateMailing, Fault::Service(_)) => true,
            _ => false,
        };
        lost && (self.passphrase || self.flavor == Flavor::Account23)
    }

    /// Two attempts for one recipient without an answer: nobody can tell whose a receipt is.
    fn two_may_be_lost(&self) -> bool {
        let unknown = ["intent.after", "lane", "post", "outcome.before"];
        match (self.operation, self.fault) {
            (Operation::HeldEdit, Fault::Crash(point, _, _)) => {
                unknown.iter().any(|prefix| point.starts_with(prefix))
            }
            (Operation::HeldEdit, Fault::Service(fault)) => fault.target == Target::Post,
            _ => false,
        }
    }
}
