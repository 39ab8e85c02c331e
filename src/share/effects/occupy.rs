//! Whose a namespace is: asked before anything begins in it, and known from then on.

use crate::api::condition::Reason;
use crate::kubernetes::ApiError;
use crate::kubernetes::ledger_lease::{HoldError, Holder, LEDGER_LEASE, hold};
use crate::problem::Problem;
use crate::share::context::Context;
use crate::share::occupancy::Refused;

/// Makes sure that a namespace belongs to this operator's ledger. Costs nothing once that is known.
///
/// # Errors
/// [`Refused`], when it belongs to another one or nobody can tell: nothing may begin there.
pub async fn occupy(context: &Context, namespace: &str) -> Result<(), Refused> {
    let ask = async {
        let held = hold(&context.kubernetes, namespace, context.occupancy.ledger_uid());
        match step!("occupy", held) {
            Ok(Holder::Ours) => Ok(()),
            Ok(Holder::Another) => {
                tracing::warn!(
                    namespace,
                    "another operator, with another ledger, sends for this namespace; nothing is sent there"
                );
                Err(another())
            }
            Err(error) => {
                tracing::warn!(namespace, %error, "the Lease of the namespace cannot be created or read; nothing is sent there");
                Err(unknown(&error))
            }
        }
    };
    context.occupancy.enter(namespace, ask).await
}

fn another() -> Problem {
    Problem::administrator(
        Reason::OtherOperator,
        format!(
            "the Lease {LEDGER_LEASE:?} in this namespace says that another operator, with another ledger, sends for it, so this one sends nothing: let only one of them work here, or delete the Lease if the other one is gone"
        ),
    )
}

fn unknown(error: &HoldError) -> Problem {
    match error {
        HoldError::Terminating => Problem::passing(
            Reason::ApiUnavailable,
            "this namespace is being deleted, so nothing is sent",
        ),
        HoldError::Api(error) if error.is_forbidden() => forbidden(error),
        HoldError::Api(error) => Problem::passing(
            Reason::ApiUnavailable,
            format!(
                "whether another operator sends for this namespace cannot be read ({error}); the operator will retry automatically"
            ),
        ),
    }
}

fn forbidden(error: &ApiError) -> Problem {
    Problem::administrator(
        Reason::ApiUnavailable,
        format!(
            "the operator can neither create nor read the Lease {LEDGER_LEASE:?} in this namespace ({error}), so nothing is sent: its administrator must grant create and get on leases (coordination.k8s.io) here"
        ),
    )
}
