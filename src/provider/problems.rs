//! The problems that both the registry and the health check find: PURE.

use super::settings::ProviderId;
use crate::api::condition::Reason;
use crate::api::provider::CredentialsRef;
use crate::problem::Problem;

/// The service refuses the credentials.
#[must_use]
pub fn unauthorized(id: &ProviderId, reference: &CredentialsRef) -> Problem {
    Problem::administrator(
        Reason::Unauthorized,
        format!(
            "the service refuses the credentials of {id}: correct the keys {:?} and {:?} of Secret {:?}, and see that they belong to this server or region",
            reference.username_key, reference.token_key, reference.name
        ),
    )
}
