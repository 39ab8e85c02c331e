//! The model's mutations: deliberate mistakes, each of which an exploration must find.

/// A mutation. The first four and the last tell production code false facts; the others change the
/// order of effects that this model mirrors.
///
/// None leaves out the lane: without the lane nobody gets a second e-mail, because a rival in the
/// ledger keeps a receipt from being adopted. It only leaves more attempts for a person to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// A lost answer is resolved at once: the deadline is not waited for.
    NoDeadline,
    /// One look that found nothing is enough to send again.
    OneLook,
    /// A share from the cache is believed to be read live.
    EverythingLive,
    /// What the status tells is ignored when the entry is missing.
    NothingTold,
    /// Whether the settling time has passed is asked after the look instead of before.
    HistoryAfterLook,
    /// A status is written over whatever stands there, as long as it is of the same uid.
    BlindStatus,
    /// A status that is ahead of the ledger's cache is written over.
    StaleStatus,
    /// An entry is replaced whatever its version is.
    NoVersion,
    /// The POST goes before the intent.
    PostFirst,
    /// The status is written before the outcome is in the ledger.
    StatusFirst,
    /// That there was an entry is forgotten when it is lost.
    EntryForgotten,
    /// The age of a receipt is measured with the operator's clock instead of the list's.
    ClockOfOurs,
    /// A receipt does not fit when the service granted more than was asked for.
    TtlFits,
    /// A list is believed though it lacks what the ledger knows.
    AnyList,
    /// A receipt that may be ours counts as none.
    UnclearIsNone,
    /// An attempt that was not found is forgotten, so that its late link lives on.
    ForgetNone,
    /// An attempt on hold is never looked for again.
    NoHeal,
    /// A link whose service does not answer counts as expired, and one that cannot be burned as burned.
    EndAssumed,
    /// Nobody asks whose the namespace is.
    IgnoreNeighbour,
    /// The Lease of another ledger is taken for the own one.
    LeaseConflictWon,
    /// What the other operator tells of a share is written over.
    ContradictNeighbour,
}

impl Mutation {
    /// Every mistake.
    pub const ALL: [Mutation; 21] = [
        Mutation::NoDeadline,
        Mutation::OneLook,
        Mutation::EverythingLive,
        Mutation::NothingTold,
        Mutation::HistoryAfterLook,
        Mutation::BlindStatus,
        Mutation::StaleStatus,
        Mutation::NoVersion,
        Mutation::PostFirst,
        Mutation::StatusFirst,
        Mutation::EntryForgotten,
        Mutation::ClockOfOurs,
        Mutation::TtlFits,
        Mutation::AnyList,
        Mutation::UnclearIsNone,
        Mutation::ForgetNone,
        Mutation::NoHeal,
        Mutation::EndAssumed,
        Mutation::IgnoreNeighbour,
        Mutation::LeaseConflictWon,
        Mutation::ContradictNeighbour,
    ];
}
