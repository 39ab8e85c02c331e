//! An entry from a status: when the ledger lost what a status still tells of. PURE.
//!
//! Without the metadata key the link can neither be looked at nor burned. It is shown, and nobody can say how it ends.

use crate::api::share::{DeletionPolicy, OneTimeShare, OneTimeShareStatus, ShareState};
use crate::ledger::{
    Ending, Entry, FORMAT, Finished, Link, LinkFacts, Owner, Phase, RequestKey, Retry, Route, SecretText,
};
use kube::ResourceExt;
use std::collections::BTreeMap;

/// Whether a status tells enough.
#[must_use]
pub fn is_complete(status: &OneTimeShareStatus) -> bool {
    let living = status.link.is_some() && status.secret_key.is_some();
    status.attempt.is_some()
        && status.created_at.is_some()
        && status.expires_at.is_some()
        && (living || ending(status).is_some())
}

fn ending(status: &OneTimeShareStatus) -> Option<Ending> {
    match status.state? {
        ShareState::Received => Some(Ending::Received),
        ShareState::Burned => Some(Ending::Burned),
        ShareState::Expired => Some(Ending::Expired),
        ShareState::Pending | ShareState::Shared | ShareState::Failed => None,
    }
}

/// The entry that a status tells of. None when it does not tell enough.
#[must_use]
pub fn rebuild(
    share: &OneTimeShare,
    request: RequestKey,
    cluster: &str,
    deletion: DeletionPolicy,
) -> Option<Entry> {
    let status = share.status.as_ref()?;
    Some(Entry {
        format: FORMAT,
        write: String::new(), // the ledger gives each write its own
        owner: Owner::of(share)?,
        cluster: cluster.to_owned(),
        share_uid: share.uid()?,
        generation: share.metadata.generation.unwrap_or_default(),
        request,
        phase: phase(share, status)?,
        retry: Retry::default(),
        deletion,
        content: None,
        superseded: Vec::new(),
        past: Vec::new(),
        resolved: Vec::new(),
        fields: BTreeMap::new(),
        crd_uid: None,
    })
}

fn phase(share: &OneTimeShare, status: &OneTimeShareStatus) -> Option<Phase> {
    let attempt = status.attempt.clone()?;
    let facts = facts(status)?;
    if let Some(how) = ending(status) {
        let at = status
            .finished_at
            .as_ref()
            .map_or(facts.expires_at, |time| time.0);
        let route = route(share).hash();
        return Some(Phase::Finished(Finished {
            attempt,
            how,
            at,
            burned_for: None,
            route,
            account: None,
            key_hash: None,
            facts,
        }));
    }
    Some(Phase::Shared(Link {
        attempt,
        route: route(share),
        metadata_key: None,
        secret_key: SecretText::new(status.secret_key.clone()?),
        url: SecretText::new(status.link.clone()?),
        passphrase: None,
        undelivered: None,
        facts,
        outcome_unknown: false,
    }))
}

/// Nothing is asked through this route: without a metadata key there is nothing to ask for.
fn route(share: &OneTimeShare) -> Route {
    Route {
        provider: share.spec.provider_ref.clone(),
        endpoint: String::new(),
        ca_bundle: None,
        account: None,
        share_domain: None,
    }
}

fn facts(status: &OneTimeShareStatus) -> Option<LinkFacts> {
    let ttl_seconds = u64::try_from(status.ttl_seconds.unwrap_or_default()).unwrap_or_default();
    Some(LinkFacts {
        asked_ttl_seconds: ttl_seconds,
        ttl_seconds,
        created_at: status.created_at.as_ref()?.0,
        expires_at: status.expires_at.as_ref()?.0,
        mail_asked: status.recipient.is_some(),
        recipients: status.recipient.clone().into_iter().collect(),
        mailed_elsewhere: false,
        passphrase_required: status.passphrase_required.unwrap_or_default(),
        share_domain: status.share_domain.clone(),
        custid: status.custid.clone().unwrap_or_default(),
        clock_offset_seconds: None,
    })
}
