//! Finding out about a lost answer: looks at the service's list, claims what is ours, writes down what came of it.

use super::receipt;
use crate::api::condition::Reason;
use crate::backoff;
use crate::clock::Deadline;
use crate::ledger::{
    Attempt, BurnReason, Burning, Ending, Entry, Finished, LedgerError, Phase, Retry, SecretText,
    Undelivered, Versioned, key_hash,
};
use crate::onetime::{CallError, MetadataKey, Receipt, State};
use crate::problem::Problem;
use crate::provider::{ProviderId, Resolved};
use crate::share::context::Context;
use crate::share::decide::recover::{self, History, Lookup, LookupResult, Patience, Resolution};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::time::Duration;

/// What a resolution came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The link was found and is in the ledger.
    Adopted,
    /// The entry is free to send again.
    SendAgain,
    /// Not known yet: again after this long.
    Later(Duration),
    /// A person must act.
    OnHold,
}

/// Resolves the attempt that an entry holds.
///
/// # Errors
/// [`LedgerError`]; the entry then still holds the attempt.
pub async fn resolve(context: &Context, read: Versioned, attempt: &Attempt) -> Result<Outcome, LedgerError> {
    let owner = read.entry.owner.clone();
    let provider = provider(context, &owner.namespace, attempt).await;
    // Before the look: a list that was read while the settling time ran is no second look.
    let history = History {
        found_none: context.sightings.found_none_for(&attempt.nonce),
        known_for: context.sightings.known_for(&attempt.nonce),
    };
    let look = match &provider {
        _ if !attempt.mails() => None,
        Ok(provider) => Some(look(context, provider, attempt).await?),
        Err(look) => Some(look.clone()),
    };
    let resolution = recover::resolve(attempt, look.as_ref(), history, patience(context));
    context.metrics.resolution(label(&resolution));
    let phase = match resolution {
        Resolution::LookAgain(wait) => {
            if look == Some(Lookup::Found(LookupResult::None)) {
                context.sightings.found_none(&attempt.nonce);
            }
            return Ok(Outcome::Later(wait));
        }
        Resolution::SendAgain => Phase::Idle,
        Resolution::Hold => Phase::Intent(Attempt {
            needs_decision: true,
            ..attempt.clone()
        }),
        Resolution::Adopt(key) => {
            let adopted = match &provider {
                Ok(provider) => adopt(context, &read.entry, attempt, &key, provider).await?,
                Err(_) => None,
            };
            match adopted {
                Some(phase) => phase,
                // Claimed by another attempt meanwhile, or not to be had just now: the next look knows more.
                None => return Ok(Outcome::Later(patience(context).interval)),
            }
        }
    };
    let outcome = match &phase {
        Phase::Idle => Outcome::SendAgain,
        Phase::Intent(_) => Outcome::OnHold,
        _ => Outcome::Adopted,
    };
    let retry = retry(&read.entry, outcome);
    step!("resolved", context.ledger.record(read, phase, retry))?;
    context.sightings.forget(&attempt.nonce);
    Ok(outcome)
}

/// The first time it is sent again at once. A service that keeps losing answers is asked ever more seldom: each may
/// leave a link behind.
fn retry(entry: &Entry, outcome: Outcome) -> Retry {
    let failures = entry.retry.failures;
    match outcome {
        Outcome::SendAgain if failures == 0 => Retry {
            failures: 1,
            not_before: None,
            problem: None,
            ..Retry::default()
        },
        Outcome::SendAgain => {
            let wait = SignedDuration::try_from(backoff::delay(failures, &entry.write)).unwrap_or_default();
            let note = "answers of the service keep being lost; the operator will retry automatically";
            Retry {
                failures: failures.saturating_add(1),
                not_before: Timestamp::now().checked_add(wait).ok(),
                problem: Some(Problem::passing(Reason::LinkLost, note)),
                ..Retry::default()
            }
        }
        Outcome::Adopted | Outcome::OnHold | Outcome::Later(_) => Retry::default(),
    }
}

fn patience(context: &Context) -> Patience {
    Patience {
        settling: context.options.settling_time,
        unreachable: Duration::from_secs(3600),
        interval: Duration::from_secs(10).min(context.options.settling_time),
    }
}

fn label(resolution: &Resolution) -> &'static str {
    match resolution {
        Resolution::Adopt(_) => "adopt",
        Resolution::SendAgain => "send_again",
        Resolution::LookAgain(_) => "look_again",
        Resolution::Hold => "hold",
    }
}

/// Looks for the link of a lost attempt in the service's list.
///
/// # Errors
/// [`LedgerError`] when the ledger could not be read.
pub async fn look_for(context: &Context, namespace: &str, attempt: &Attempt) -> Result<Lookup, LedgerError> {
    match provider(context, namespace, attempt).await {
        Ok(provider) => look(context, &provider, attempt).await,
        Err(look) => Ok(look),
    }
}

/// The provider, if it still is where the attempt was sent: another account's list says nothing.
async fn provider(context: &Context, namespace: &str, attempt: &Attempt) -> Result<Resolved, Lookup> {
    let id = ProviderId::of(&attempt.route.provider, namespace);
    let provider = context.providers.resolve(&id).await.map_err(|_| Lookup::NotYet)?;
    let same = provider.account_name() == attempt.route.account.as_deref()
        && provider.settings.endpoint.base().as_str() == attempt.route.endpoint;
    if same { Ok(provider) } else { Err(Lookup::NotYet) }
}

/// Reads the account's list and compares it with the ledger as it is at the API server, not in the cache.
async fn look(context: &Context, provider: &Resolved, attempt: &Attempt) -> Result<Lookup, LedgerError> {
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("recent");
    let answer = step!("look", provider.client.recent(&provider.account, deadline));
    request.ended(CallError::label(answer.as_ref().err()));
    let recent = match answer {
        Ok(recent) => recent,
        Err(CallError::Malformed(_)) => return Ok(Lookup::Never),
        Err(error) => {
            tracing::warn!(%error, "the list of receipts could not be had");
            return Ok(Lookup::NotYet);
        }
    };
    // After the list: whatever of ours was in it and had its answer by then is in the ledger by now.
    let mut entries = step!("known", context.ledger.of_route(&attempt.route))?;
    // An entry whose request went on to another account may still hold a lost attempt of this one.
    entries.extend(
        context
            .ledger
            .all()
            .into_iter()
            .map(|read| read.entry)
            .filter(|entry| !entry.superseded.is_empty()),
    );
    let mut known = recover::gather(attempt, &entries);
    // An entry that is idle now, or went on to another account, still knows its earlier links of this one.
    let all = context
        .ledger
        .all()
        .into_iter()
        .filter(|_| !mutant!("forget-past"));
    known.keys.extend(all.flat_map(|read| read.entry.past));
    Ok(Lookup::Found(recover::find(attempt, &recent.receipts, &known)))
}

/// Claims the receipt for this attempt, and makes the entry's next phase from it. None when it cannot be had now.
async fn adopt(
    context: &Context,
    entry: &Entry,
    attempt: &Attempt,
    key: &MetadataKey,
    provider: &Resolved,
) -> Result<Option<Phase>, LedgerError> {
    let hash = key_hash(key.expose());
    if !step!("claim", context.ledger.claim(&hash, &entry.owner, &attempt.nonce))? {
        return Ok(None);
    }
    let deadline = Deadline::after(context.options.request_timeout);
    let (client, account) = (&provider.client, &provider.account);
    let request = context.metrics.service_request("look");
    let answer = step!("receipt", client.receipt_with_value(account, key, deadline));
    request.ended(CallError::label(answer.as_ref().err()));
    let Ok((receipt, value)) = answer else {
        return Ok(None);
    };
    Ok(phase(attempt, provider, &receipt, value.as_ref()))
}

/// None when the receipt tells neither the link nor its end.
fn phase(
    attempt: &Attempt,
    provider: &Resolved,
    receipt: &Receipt,
    value: Option<&SecretString>,
) -> Option<Phase> {
    let facts = receipt::facts(attempt, provider, receipt);
    let ended = |how, at: Option<Timestamp>| {
        Some(Phase::Finished(Finished {
            attempt: attempt.nonce.clone(),
            how,
            at: at.unwrap_or_else(Timestamp::now),
            burned_for: None,
            route: attempt.route.hash(),
            key_hash: Some(key_hash(receipt.metadata_key.expose())),
            facts: facts.clone(),
        }))
    };
    match receipt.state {
        State::Received => return ended(Ending::Received, receipt.received_at),
        State::Burned => return ended(Ending::Burned, receipt.updated_at),
        State::Expired => return ended(Ending::Expired, Some(facts.expires_at)),
        _ => {}
    }
    let undelivered = attempt
        .target
        .clone()
        .zip(value)
        .map(|(target, value)| Undelivered {
            value: SecretText::from(value),
            target,
        });
    // The value went out with the lost answer and the service does not give it again: the link is of no use.
    let value_lost = attempt.target.is_some() && undelivered.is_none();
    let link = receipt::from_receipt(
        attempt,
        provider,
        receipt,
        receipt.secret_key.as_ref()?,
        undelivered,
    );
    Some(if value_lost {
        Phase::Burning(Burning {
            link,
            why: BurnReason::ValueLost,
        })
    } else {
        Phase::Shared(link)
    })
}
