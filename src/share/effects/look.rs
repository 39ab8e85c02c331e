//! Looks at what the service says: at an account's list of receipts, beside what the ledger knows, and at one receipt. One
//! look at the list serves every lost attempt of the account; what it says of one is decided in `recover`.

use crate::clock::Deadline;
use crate::ledger::{Attempt, LedgerError, Link, Route};
use crate::onetime::{Account, CallError, Client, MetadataKey, Receipt};
use crate::provider::{ProviderId, Resolved};
use crate::share::context::Context;
use crate::share::decide::recover::Lookup;
use crate::share::look::{Listed, Look};
use jiff::Timestamp;

/// Looks at the list of the account that an attempt was sent with.
///
/// # Errors
/// [`LedgerError`] when the ledger could not be read. `Ok(Err(_))` when the provider cannot be asked: it is gone, or
/// has another account by now, whose list says nothing.
pub async fn at_list(
    context: &Context,
    namespace: &str,
    attempt: &Attempt,
) -> Result<Result<Look, Lookup>, LedgerError> {
    let id = ProviderId::of(&attempt.route.provider, namespace);
    let Ok(provider) = context.providers.resolve(&id).await else {
        return Ok(Err(Lookup::NotYet));
    };
    if provider.account_name() != attempt.route.account.as_deref() {
        return Ok(Err(Lookup::NotYet));
    }
    let (listed, answer) = match listed(context, &provider, &attempt.route).await? {
        Ok(listed) => (Ok(listed), Some(Ok(()))),
        Err((lookup, error)) => (Err(lookup), error.map(Err)),
    };
    Ok(Ok(Look::new(provider, listed, answer)))
}

async fn listed(
    context: &Context,
    provider: &Resolved,
    route: &Route,
) -> Result<Result<Listed, (Lookup, Option<CallError>)>, LedgerError> {
    // Before the list: what the ledger knows by now must be in it.
    let before = context.ledger.expected_of_account(route).await?;
    let Ok(call) = context.providers.begin_list(provider).await else {
        return Ok(Err((Lookup::NotYet, None)));
    };
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("recent");
    let answer = step!("look", provider.client.recent(&provider.account, deadline));
    request.ended(CallError::label(answer.as_ref().err()));
    call.ended(answer.as_ref().err());
    let recent = match answer {
        Ok(recent) => recent,
        Err(error @ CallError::Malformed(_)) => return Ok(Err((Lookup::Never, Some(error)))),
        Err(error) => {
            tracing::warn!(%error, "the list of receipts could not be had");
            return Ok(Err((Lookup::NotYet, Some(error))));
        }
    };
    let at = Timestamp::now();
    // After the list: whatever of ours was in it and had its answer by then is in the ledger by now. At the API server, not
    // in the cache.
    let mut after = step!("known", context.ledger.of_account(route))?;
    // An entry that is idle now, or went on to another account, may still hold a lost attempt of this one, and knows its
    // earlier links.
    let others = context.ledger.of_all_shards(route).await?;
    after.extend(others.into_iter().map(|mut entry| {
        if mutant!("forget-past") {
            entry.past.clear();
        }
        entry
    }));
    let claimed = context.ledger.claimed().await?;
    Ok(Ok(Listed {
        recent,
        at,
        before,
        after,
        keys: context.ledger.key_hashes(),
        claimed,
    }))
}

/// Looks at one receipt, and hears what time it is at its service. The metadata key is enough for that.
///
/// # Errors
/// [`CallError`]
pub async fn at_receipt(
    context: &Context,
    client: &Client,
    link: &Link,
    key: &MetadataKey,
) -> Result<Receipt, CallError> {
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("look");
    let answer = client.receipt(&Account::Anonymous, key, deadline).await;
    request.ended(CallError::label(answer.as_ref().err()));
    if let Some(now) = answer.as_ref().ok().and_then(Receipt::now) {
        context.hearing.told_time(link, now);
    }
    answer
}
