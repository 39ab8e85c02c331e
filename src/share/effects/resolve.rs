//! Finding out about a lost answer: looks at the service's list, claims what is ours, writes down what came of it.

use super::consequence::after_loss;
use super::look;
use super::receipt;
use crate::clock::Deadline;
use crate::ledger::{
    Attempt, BurnReason, Burning, Ending, Entry, Finished, LedgerError, Phase, Retry, SecretText,
    Undelivered, Versioned, key_hash,
};
use crate::onetime::{CallError, MetadataKey, Receipt, State};
use crate::provider::{ProviderId, Resolved};
use crate::share::context::Context;
use crate::share::decide::recover::{self, History, Lookup, LookupResult, Patience, Resolution};
use crate::share::look::Look;
use crate::share::looks::Account;
use jiff::Timestamp;
use secrecy::SecretString;
use std::sync::Arc;
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
    // Boxed: two looks and a write are large.
    Box::pin(resolve_and_tell(context, read, attempt, |_| ())).await
}

/// As [`resolve`], and tells how the service answered when it was asked for its list.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_and_tell(
    context: &Context,
    read: Versioned,
    attempt: &Attempt,
    tell: impl FnOnce(Option<&CallError>),
) -> Result<Outcome, LedgerError> {
    let (history, look, lookup) = match attempt.mails() {
        false => (history(context, attempt, Duration::ZERO), None, None),
        true => match listed(context, &read.entry.owner.namespace, attempt, tell).await? {
            Some(Seen {
                history,
                look,
                lookup,
            }) => (history, look, Some(lookup)),
            None => return Ok(Outcome::Later(SOON)),
        },
    };
    let resolution = recover::resolve(attempt, lookup.as_ref(), history, patience(context));
    context.metrics.resolution(label(&resolution));
    match (resolution, look) {
        (Resolution::LookAgain(wait), _) => {
            if lookup == Some(Lookup::Found(LookupResult::None)) {
                context.sightings.found_none(&attempt.nonce);
            }
            Ok(Outcome::Later(wait))
        }
        (Resolution::SendAgain, _) => send_again(context, read, attempt).await,
        (Resolution::Adopt(key), Some(look)) => {
            match adopt(context, &read.entry, attempt, &key, &look.provider).await? {
                Some(phase) => record(context, read, attempt, phase, Outcome::Adopted).await,
                // Claimed by another attempt meanwhile, or not to be had just now: the next look knows more.
                None if history.known_for < patience(context).unreachable => {
                    Ok(Outcome::Later(patience(context).interval))
                }
                None => hold(context, read, attempt).await,
            }
        }
        (Resolution::Hold | Resolution::Adopt(_), _) => hold(context, read, attempt).await,
    }
}

/// What an account's list says of one attempt.
struct Seen {
    /// What was known before the request for the list.
    history: History,
    /// The look. None when the provider could not be asked.
    look: Option<Arc<Look>>,
    lookup: Lookup,
}

/// How long to wait for the look of another attempt.
const SOON: Duration = Duration::from_secs(1);

/// Looks at the account's list, or uses a look that began a moment ago. None while another attempt looks: very many answers
/// may be lost together, and one list tells of all of them.
async fn listed(
    context: &Context,
    namespace: &str,
    attempt: &Attempt,
    tell: impl FnOnce(Option<&CallError>),
) -> Result<Option<Seen>, LedgerError> {
    let known_for = context.sightings.known_for(&attempt.nonce);
    let settled_for = known_for.saturating_sub(attempt.safe_after());
    let account = Account {
        provider: ProviderId::of(&attempt.route.provider, namespace),
        name: attempt.route.account.clone(),
    };
    // One that began before nothing could arrive any more may lack what arrived since.
    if let Some((look, age)) = context.looks.recent(&account)
        && age <= settled_for
    {
        let lookup = look.of(&context.sightings, attempt);
        // What others did since is not in it, and could make anything else certain.
        if matches!(lookup, Lookup::Found(LookupResult::One(_) | LookupResult::None)) {
            return Ok(Some(Seen {
                history: history(context, attempt, age),
                look: Some(look),
                lookup,
            }));
        }
    }
    let Some(turn) = context.looks.begin(account) else {
        return Ok(None);
    };
    let history = history(context, attempt, Duration::ZERO);
    let look = Box::pin(look::at_list(context, namespace, attempt)).await?;
    Ok(Some(match look {
        Ok(look) => {
            if let Some(answer) = look.answer() {
                tell(answer.err());
            }
            let look = Arc::new(look);
            turn.done(Arc::clone(&look));
            Seen {
                history,
                lookup: look.of(&context.sightings, attempt),
                look: Some(look),
            }
        }
        Err(lookup) => Seen {
            history,
            look: None,
            lookup,
        },
    }))
}

/// What was known so long ago, when the look began: a list that was read while the settling time ran is no second look.
fn history(context: &Context, attempt: &Attempt, ago: Duration) -> History {
    let found_none = context.sightings.found_none_for(&attempt.nonce);
    History {
        found_none: found_none.map(|none| none.saturating_sub(ago)),
        known_for: context.sightings.known_for(&attempt.nonce).saturating_sub(ago),
    }
}

/// What nobody could tell may be told later: adopts the link of an attempt that is on hold, if a look shows it. True when
/// it did.
///
/// # Errors
/// [`LedgerError`]; the entry then still holds the attempt.
pub async fn heal(
    context: &Context,
    read: Versioned,
    attempt: &Attempt,
    look: &Look,
) -> Result<bool, LedgerError> {
    let Lookup::Found(LookupResult::One(key)) = look.of(&context.sightings, attempt) else {
        return Ok(false);
    };
    let Some(phase) = adopt(context, &read.entry, attempt, &key, &look.provider).await? else {
        return Ok(false);
    };
    context.metrics.resolution("adopt");
    record(context, read, attempt, phase, Outcome::Adopted).await?;
    Ok(true)
}

async fn hold(context: &Context, read: Versioned, attempt: &Attempt) -> Result<Outcome, LedgerError> {
    let phase = Phase::Intent(Attempt {
        needs_decision: true,
        ..attempt.clone()
    });
    record(context, read, attempt, phase, Outcome::OnHold).await
}

async fn record(
    context: &Context,
    read: Versioned,
    attempt: &Attempt,
    phase: Phase,
    outcome: Outcome,
) -> Result<Outcome, LedgerError> {
    let retry = retry(&read.entry, attempt.mails(), outcome);
    step!("resolved", context.ledger.record(read, phase, retry))?;
    context.sightings.forget(&attempt.nonce);
    Ok(outcome)
}

/// Frees the entry. An attempt that may have mailed somebody is kept until its link would be dead: a receipt that turns up
/// later is burned.
async fn send_again(context: &Context, read: Versioned, attempt: &Attempt) -> Result<Outcome, LedgerError> {
    let keeps = attempt.mails() && !mutant!("forget-none");
    let superseded = match keeps {
        true => read.entry.superseded_with(Attempt {
            found_none: true,
            ..attempt.clone()
        }),
        false => read.entry.superseded.clone(),
    };
    let entry = Entry {
        phase: Phase::Idle,
        retry: retry(&read.entry, attempt.mails(), Outcome::SendAgain),
        superseded,
        ..read.entry.clone()
    };
    // Nothing is lost when this is not written: the next look finds the same.
    step!("resolved", context.ledger.replace(&read, entry))?;
    context.sightings.forget(&attempt.nonce);
    Ok(Outcome::SendAgain)
}

/// What the entry knows of its failures from now on. A hold keeps what came back.
fn retry(entry: &Entry, mails: bool, outcome: Outcome) -> Retry {
    match outcome {
        Outcome::SendAgain => after_loss(&entry.retry, mails, Timestamp::now(), &entry.write),
        Outcome::OnHold => entry.retry.clone(),
        Outcome::Adopted | Outcome::Later(_) => Retry::default(),
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
    // Where it was found is where it is burned: the server may have had another address when the attempt was sent.
    let found_at = provider.route(attempt.route.share_domain.clone());
    let attempt = Attempt {
        route: found_at,
        ..attempt.clone()
    };
    Ok(phase(&attempt, provider, &receipt, value.as_ref()))
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
            account: Some(attempt.route.account_hash()),
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
