//! What a failed exchange means for its caller. PURE.

use super::exchange::Failure;
use crate::onetime::error::{CallError, CreateError, Flaw, Transport, Unavailable, Why};

/// What a failed exchange of a creating call means.
pub(in crate::onetime) fn not_created(failure: Failure) -> CreateError {
    match failure {
        Failure::NotSent(transport) => CreateError::NotSent(transport),
        Failure::Lost => CreateError::UnknownOutcome(Why::ConnectionLost),
        Failure::Timeout => CreateError::UnknownOutcome(Why::Timeout),
        Failure::TooLarge => CreateError::UnknownOutcome(Why::TooLarge),
    }
}

/// What a failed exchange of any other call means.
pub(in crate::onetime) fn not_answered(failure: Failure) -> CallError {
    match failure {
        Failure::NotSent(Transport::Deadline) | Failure::Timeout => CallError::Timeout,
        Failure::NotSent(transport) => CallError::Unavailable(Unavailable::Transport(transport)),
        Failure::Lost => CallError::Unavailable(Unavailable::ConnectionLost),
        Failure::TooLarge => CallError::Malformed(Flaw::TooLarge),
    }
}
