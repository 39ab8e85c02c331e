//! The problems that follow from the ledger alone: PURE.

use crate::api::condition::Reason;
use crate::kubernetes::ApiError;
use crate::problem::Problem;

pub(super) fn ledger_lost() -> Problem {
    Problem::edit(
        Reason::LedgerLost,
        "the status tells of a link that the operator's ledger does not know, so nothing is sent; set spec.requestID to a new value to ask for a new link",
    )
}

/// The API server refuses to write the ledger, so nothing may be sent. Says what kind of refusal it was: the API server's
/// own words may quote an object.
#[must_use]
pub fn ledger_unavailable(error: &ApiError) -> Problem {
    let why = match error {
        ApiError::Status { code: 403, .. } => {
            "Forbidden: look for a quota, an admission policy, a right that the operator lacks, or a namespace that is being deleted"
        }
        ApiError::Status { code: 404, .. } => "NotFound: the namespace does not exist",
        ApiError::Status { code: 413, .. } => "RequestEntityTooLarge",
        ApiError::Status { .. } => "Invalid: look for an admission policy or webhook",
        ApiError::Deadline | ApiError::Transport => "no answer",
    };
    Problem::administrator(
        Reason::LedgerUnavailable,
        format!(
            "the API server refuses writes to the namespace of the operator's ledger ({why}), so nothing is sent; an administrator must allow them, then the operator goes on automatically"
        ),
    )
}

pub(super) fn attempt_lost() -> Problem {
    Problem::edit(
        Reason::LedgerLost,
        "the ledger entry was deleted while the outcome of an attempt was not known, so nothing is sent; ask the recipient, or set spec.requestID to a new value to send a new link",
    )
}

/// Nothing more is sent for this request, because somebody may already have the mail.
#[must_use]
pub fn uncertain() -> Problem {
    Problem::edit(
        Reason::Uncertain,
        "the service's answer was lost and the recipient may have been mailed, so nothing more is sent; ask the recipient, or set spec.requestID to a new value to send a new link",
    )
}

pub(super) fn too_many_lost() -> Problem {
    Problem::edit(
        Reason::Uncertain,
        "too many attempts of earlier requests are unresolved; wait until the service can be asked about them, or delete this share and create it under another name",
    )
}

pub(super) fn newer_operator() -> Problem {
    Problem::administrator(
        Reason::LedgerMismatch,
        "the ledger entry of this share was written by a newer version of the operator: upgrade this one",
    )
}

pub(super) fn other_cluster() -> Problem {
    Problem::edit(
        Reason::LedgerMismatch,
        "the ledger entry of this share was restored from another cluster, where its link may exist, so nothing is sent from here; set spec.requestID to a new value to ask for a new link",
    )
}

pub(super) fn suspended() -> Problem {
    Problem::passing(
        Reason::Suspended,
        "spec.suspend is true: set it to false to create the link",
    )
}

pub(super) fn waited_too_long() -> Problem {
    Problem::edit(
        Reason::WaitedTooLong,
        "this spec has waited for its link longer than the operator's --max-wait, so nothing is sent; edit the spec to confirm it: any change lets it go on",
    )
}

pub(super) fn value_lost() -> Problem {
    Problem::edit(
        Reason::Uncertain,
        "the generated value was lost with the service's answer after the recipient was mailed, so that link was burned and nothing more is sent; set spec.requestID to a new value to send a new one",
    )
}

pub(super) fn mailed_elsewhere() -> Problem {
    Problem::edit(
        Reason::MailedElsewhere,
        "the service does not understand the recipient's address and mailed the link to another one, so the link was burned; give another address in spec.recipient, or hand over the link yourself",
    )
}
