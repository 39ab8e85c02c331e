//! Burning a link that is no longer wanted: first the ledger says so, then the service is asked.
//!
//! Burning needs only the metadata key and the passphrase, if there is one (recorded in v1-burn). The ledger has both, so
//! it works when the provider is gone.

use crate::api::condition::Reason;
use crate::backoff;
use crate::clock::Deadline;
use crate::ledger::{
    BurnReason, Burning, Ending, Entry, LedgerError, Link, Phase, Retry, SecretText, Versioned,
};
use crate::onetime::{Account, CallError, MetadataKey, Receipt, State};
use crate::problem::Problem;
use crate::share::context::Context;
use fail::fail_point;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

/// Marks the link as one to burn. Only from here on is the service asked.
///
/// # Errors
/// [`LedgerError`]; nothing was burned.
pub async fn begin(context: &Context, read: &Versioned, why: BurnReason) -> Result<Versioned, LedgerError> {
    let Phase::Shared(link) = &read.entry.phase else {
        return Ok(read.clone());
    };
    let phase = Phase::Burning(Burning {
        link: link.clone(),
        why,
    });
    if mutant!("burn-unmarked") {
        let _ = burn(context, &read.entry.owner.namespace, link).await;
    }
    fail_point!("burn.mark.before");
    let marked = context
        .ledger
        .replace(
            read,
            Entry {
                phase,
                retry: Retry::default(),
                ..read.entry.clone()
            },
        )
        .await;
    fail_point!("burn.mark.after");
    marked
}

/// Burns a link that is marked, and writes down how it ended: the recipient may have been faster.
///
/// # Errors
/// [`LedgerError`] when the outcome could not be written.
pub async fn go_on(context: &Context, read: Versioned, burning: &Burning) -> Result<Versioned, LedgerError> {
    let Burning { link, why } = burning;
    let now = Timestamp::now();
    fail_point!("burn.before");
    let burned = burn(context, &read.entry.owner.namespace, link).await;
    fail_point!("burn.after");
    let (how, at) = match burned {
        Ok(ended) => ended,
        // The link is gone by the clock; whether it was opened can no longer be asked for.
        Err(_) if link.facts.expires_at < now => (Ending::Expired, link.facts.expires_at),
        Err(problem) => {
            let failures = read.entry.retry.failures.saturating_add(1);
            let wait =
                SignedDuration::try_from(backoff::delay(failures, &read.entry.write)).unwrap_or_default();
            let retry = Retry {
                failures,
                not_before: now.checked_add(wait).ok(),
                problem: Some(problem),
                ..Retry::default()
            };
            let phase = read.entry.phase.clone();
            return context.ledger.record(read, phase, retry).await;
        }
    };
    let finished = Phase::Finished(link.finish(how, at, Some(*why)));
    step!("burned", context.ledger.record(read, finished, Retry::default()))
}

async fn burn(context: &Context, namespace: &str, link: &Link) -> Result<(Ending, Timestamp), Problem> {
    let Some(key) = link
        .metadata_key
        .as_ref()
        .and_then(|key| MetadataKey::parse(key.expose()).ok())
    else {
        return Err(Problem::passing(
            Reason::Burning,
            "the old link cannot be burned, because its key is not known; it dies when it expires",
        ));
    };
    let client = context.providers.client_for_route(&link.route, namespace)?;
    let deadline = || Deadline::after(context.options.request_timeout);
    let passphrase: Option<&SecretString> = link.passphrase.as_ref().map(SecretText::secret);
    let request = context.metrics.service_request("burn");
    let burned = client
        .burn(&Account::Anonymous, &key, passphrase, deadline())
        .await;
    request.ended(CallError::label(burned.as_ref().err()));
    match burned {
        Ok(()) => Ok((Ending::Burned, Timestamp::now())),
        // Gone says that the link is dead, and the receipt says why.
        Err(CallError::Gone) => {
            let request = context.metrics.service_request("look");
            let receipt = client.receipt(&Account::Anonymous, &key, deadline()).await;
            request.ended(CallError::label(receipt.as_ref().err()));
            Ok(ending(receipt.ok().as_ref(), link))
        }
        Err(error) => Err(Problem::passing(
            Reason::Burning,
            format!("the old link could not be burned yet ({error}); the operator will retry automatically"),
        )),
    }
}

fn ending(told: Option<&Receipt>, link: &Link) -> (Ending, Timestamp) {
    let now = Timestamp::now();
    match told {
        Some(receipt) if receipt.state == State::Received => {
            (Ending::Received, receipt.received_at.unwrap_or(now))
        }
        Some(receipt) if receipt.state == State::Expired => (Ending::Expired, link.facts.expires_at),
        _ if link.facts.expires_at < now => (Ending::Expired, link.facts.expires_at),
        _ => (Ending::Burned, now),
    }
}
