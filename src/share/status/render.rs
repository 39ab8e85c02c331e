//! How a share's state looks to its user: PURE. The status is a projection of the ledger entry and of the problem at
//! hand; nothing is read back from it but the times at which conditions changed.

use super::conditions::conditions;
use super::standing::{Standing, standing, state};
use super::view::{View, seconds};
use crate::api::share::OneTimeShareStatus;
use crate::ledger::{BurnReason, Burning, Link, LinkFacts, Phase};
use crate::onetime::obscured;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Makes the status.
#[must_use]
pub fn render(view: &View<'_>) -> OneTimeShareStatus {
    let standing = standing(view);
    let phase = view.entry.map(|entry| &entry.phase);
    let link = phase.and_then(living);
    let facts = phase.and_then(facts);
    let attempt = phase.and_then(attempt);
    OneTimeShareStatus {
        observed_generation: Some(view.generation),
        state: Some(state(&standing)),
        waiting_since: waiting_since(view, &standing),
        secret_key: link.map(|share| share.secret_key.expose().to_owned()),
        link: link.map(|share| share.url.expose().to_owned()),
        recipient: facts.and_then(|facts| facts.recipients.first().map(|told| obscured(told))),
        ttl_seconds: facts.and_then(|facts| i64::try_from(facts.ttl_seconds).ok()),
        created_at: facts.map(|facts| seconds(facts.created_at)),
        expires_at: facts.map(|facts| seconds(facts.expires_at)),
        finished_at: phase.and_then(finished_at).map(seconds),
        passphrase_required: facts.map(|facts| facts.passphrase_required),
        share_domain: facts.and_then(|facts| facts.share_domain.clone()),
        custid: facts.map(|facts| facts.custid.clone()),
        // Also of an attempt whose outcome is not known: an entry that gets lost must not let it be sent again.
        request_hash: attempt.and(view.entry).map(|entry| entry.request.status_form()),
        attempt: attempt.map(str::to_owned),
        conditions: conditions(view, &standing, facts),
    }
}

/// Since when the request of this generation has waited for its link.
fn waiting_since(view: &View<'_>, standing: &Standing<'_>) -> Option<Time> {
    match standing {
        Standing::Alive(_) | Standing::Unknown(_) | Standing::Over(_) => None,
        Standing::NeedsPerson(_) | Standing::Waits(_) | Standing::Works(..) => view
            .previous
            .filter(|status| status.observed_generation == Some(view.generation))
            .and_then(|status| status.waiting_since.clone())
            .or_else(|| Some(seconds(view.now))),
    }
}

fn living(phase: &Phase) -> Option<&Link> {
    match phase {
        // A generated value that could still be lost makes its link worthless: it is not shown before.
        Phase::Shared(link) if link.undelivered.is_some() => None,
        Phase::Shared(link) => Some(link),
        // One that was burned before it was ever shown is not shown now.
        Phase::Burning(Burning {
            link,
            why: BurnReason::Replaced | BurnReason::Deleted | BurnReason::Asked,
        }) => Some(link),
        Phase::Burning(_) | Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
    }
}

/// What the service said of the link, if there is or was one.
#[must_use]
pub fn facts(phase: &Phase) -> Option<&LinkFacts> {
    match phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some(&link.facts),
        Phase::Finished(finished) => Some(&finished.facts),
        Phase::Idle | Phase::Intent(_) => None,
    }
}

/// The attempt that the status names. One that is plainly under way is not shown, so that one which is shown is in doubt
/// or on hold.
fn attempt(phase: &Phase) -> Option<&str> {
    match phase {
        Phase::Intent(_) if mutant!("forget-attempt") => None,
        phase => phase.attempt(),
    }
}

fn finished_at(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Finished(finished) => Some(finished.at),
        Phase::Idle | Phase::Intent(_) | Phase::Shared(_) | Phase::Burning(_) => None,
    }
}

#[cfg(test)]
mod tests;
