//! Lost attempts of earlier requests, and those whose links were looked for and not found: looked for until their links
//! would be dead, only to be burned, never shown to anybody.

use super::accounts::{Looks, share_of};
use super::unit::Unit;
use crate::api::condition::Reason;
use crate::clock::Deadline;
use crate::ledger::{Attempt, Entry, LedgerError, SecretText, Versioned, key_hash};
use crate::onetime::{Account, CallError, MetadataKey};
use crate::share::CachedShare;
use crate::share::context::Context;
use crate::share::decide::recover::{Lookup, LookupResult};
use crate::share::status::events::Notice;
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use std::time::Duration;

/// The longest lifetime that a site is expected to grant to a link that was to be shorter.
const LONGEST_MINIMUM: Duration = Duration::from_secs(24 * 3600);

/// No service grants a link a longer life (30 days).
const LONGEST_LIFE: Duration = Duration::from_secs(31 * 24 * 3600);

/// Deals with a superseded attempt whose time has come.
pub(super) async fn settle(
    context: &Context,
    shares: &Store<CachedShare>,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    looks: &mut Looks,
) -> Result<(), LedgerError> {
    if follow(context, unit, read, attempt, looks).await? && attempt.found_none {
        tell(context, shares, read).await;
    }
    Ok(())
}

/// Whether its link may be looked for. Pauses between two looks are another matter.
pub(super) fn may_be_sought(context: &Context, attempt: &Attempt) -> bool {
    // A link whose key is known need not be looked for.
    let safe_after = match attempt.metadata_key {
        Some(_) => Duration::ZERO,
        None => attempt.safe_after(),
    };
    context.sightings.known_for(&attempt.nonce) >= safe_after
}

/// True when its link was found and burned.
async fn follow(
    context: &Context,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    looks: &mut Looks,
) -> Result<bool, LedgerError> {
    if let Some(key) = &attempt.metadata_key {
        return burn_known(context, unit, read, attempt, key).await;
    }
    // Nobody holds a link that was not mailed, and one whose time is over cannot be opened.
    if !attempt.mails() || is_over(context, attempt) {
        forget(context, read, attempt, None).await?;
        return Ok(false);
    }
    let namespace = &read.entry.owner.namespace;
    let Some(looked) = looks.at(context, unit, namespace, attempt).await? else {
        return Ok(false);
    };
    let found_none = looked.found_none_before(context, attempt);
    match looked.look.of(&context.sightings, attempt) {
        Lookup::Found(LookupResult::One(key)) => {
            if claims(context, read, attempt, &key).await? {
                return burn_and_forget(context, unit, read, attempt, &key).await;
            }
        }
        Lookup::Found(LookupResult::None) if !attempt.found_none => match found_none {
            Some(ago) if ago >= context.options.settling_time => {
                found_no_trace(context, read, attempt).await?;
            }
            Some(_) => {}
            None => context.sightings.found_none(&attempt.nonce),
        },
        Lookup::Found(_) | Lookup::NotYet | Lookup::Never => {}
    }
    Ok(false)
}

/// The answer came after the entry had gone on without the attempt. Another attempt may have adopted its link meanwhile.
async fn burn_known(
    context: &Context,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    key: &SecretText,
) -> Result<bool, LedgerError> {
    let over = context.sightings.age(attempt, Timestamp::now()) > LONGEST_LIFE;
    if let (Ok(key), false) = (MetadataKey::parse(key.expose()), over)
        && claims(context, read, attempt, &key).await?
    {
        return burn_and_forget(context, unit, read, attempt, &key).await;
    }
    forget(context, read, attempt, None).await?;
    Ok(false)
}

/// Whether a receipt is this attempt's.
async fn claims(
    context: &Context,
    read: &Versioned,
    attempt: &Attempt,
    key: &MetadataKey,
) -> Result<bool, LedgerError> {
    let hash = key_hash(key.expose());
    let owner = &read.entry.owner;
    context.ledger.claim(&hash, owner, &attempt.nonce).await
}

async fn burn_and_forget(
    context: &Context,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    key: &MetadataKey,
) -> Result<bool, LedgerError> {
    context.may_begin()?;
    if !burn(context, unit, read, attempt, key).await {
        return Ok(false);
    }
    let hash = key_hash(key.expose());
    step!("superseded.forget", forget(context, read, attempt, Some(hash)))?;
    Ok(true)
}

/// The granted lifetime is not known: a site may have raised it.
fn is_over(context: &Context, attempt: &Attempt) -> bool {
    let life = Duration::from_secs(attempt.ttl_seconds).max(LONGEST_MINIMUM);
    let age = context.sightings.age(attempt, Timestamp::now());
    age > life.saturating_add(attempt.safe_after())
}

async fn tell(context: &Context, shares: &Store<CachedShare>, read: &Versioned) {
    if let Some(Ok(share)) = share_of(shares, &read.entry.owner).map(|share| share.open()) {
        let note = "a link of a lost response turned up at the service after another one had been created, and was burned; the recipient may have two e-mails, of which the newer one counts";
        let notice = Notice::warning(Reason::LateDuplicate, note);
        context.metrics.notice(notice.reason);
        context.events.publish(&share, notice).await;
    }
}

/// It stays until its link would be dead: a receipt may turn up late.
async fn found_no_trace(context: &Context, read: &Versioned, attempt: &Attempt) -> Result<(), LedgerError> {
    let mut entry = read.entry.clone();
    for other in &mut entry.superseded {
        other.found_none |= other.nonce == attempt.nonce;
    }
    context.ledger.replace(read, entry).await.map(drop)
}

/// True when the link cannot be opened any more.
async fn burn(
    context: &Context,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    key: &MetadataKey,
) -> bool {
    let Ok(client) = context
        .providers
        .client_for_route(&attempt.route, &read.entry.owner.namespace)
    else {
        return false;
    };
    let passphrase = attempt.passphrase.as_ref().map(SecretText::secret);
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("burn");
    let burned = step!(
        "superseded.burn",
        client.burn(&Account::Anonymous, key, passphrase, deadline)
    );
    request.ended(CallError::label(burned.as_ref().err()));
    unit.heard(burned.as_ref().err());
    matches!(burned, Ok(()) | Err(CallError::Gone))
}

/// Takes the attempt out of the entry, which remembers the link that was found and burned.
async fn forget(
    context: &Context,
    read: &Versioned,
    attempt: &Attempt,
    burned: Option<String>,
) -> Result<(), LedgerError> {
    let mut superseded = read.entry.superseded.clone();
    superseded.retain(|other| other.nonce != attempt.nonce);
    context
        .ledger
        .replace(
            read,
            Entry {
                superseded,
                past: read.entry.past_with(burned),
                ..read.entry.clone()
            },
        )
        .await?;
    context.sightings.forget(&attempt.nonce);
    Ok(())
}
