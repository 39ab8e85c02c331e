//! One try to create a link: intent, POST, outcome. The only place that sends.
//!
//! The order is the promise: nothing is sent before the intent is in the ledger, and the intent is a compare-and-swap
//! with what was read before the sources were.

use super::consequence::{self, Consequence, Trust};
use super::post::{self, Form};
use super::prepare::{Prepared, Value, is_current, lane_is_taken};
use super::receipt::shared;
use crate::api::share::{OneTimeShare, RefreshPolicy};
use crate::backoff;
use crate::clock::Deadline;
use crate::ledger::{
    Attempt, BurnReason, Burning, ContentMark, Entry, FORMAT, LedgerError, Link, Owner, Phase, RequestKey,
    Retry, SecretText, Versioned, random_id, slack_seconds,
};
use crate::onetime::CreateError;
use crate::provider::Resolved;
use crate::share::context::Context;
use crate::share::inputs::request::Request;
use crate::share::turns::Turn;
use fail::fail_point;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use secrecy::ExposeSecret;
use std::time::Duration;

/// How often taking an intent back is tried again.
const TAKE_BACK_TRIES: u32 = 4;

/// Before a lane is looked at again that another attempt has.
const LANE_PAUSE: Duration = Duration::from_secs(3);

/// The longest such pause.
const LONGEST_LANE_PAUSE: Duration = Duration::from_secs(60);

/// How a try ended.
pub enum Sent {
    /// As the ledger tells.
    Ended,
    /// The share or its sources changed after the intent was written: nothing was sent, and the entry is as it was before.
    TakenBack,
}

/// Writes the intent, sends, and writes the outcome. The ledger tells what came of it.
///
/// # Errors
/// [`LedgerError`]: of the intent, when nothing was sent; or of the outcome, when it could not be written for a long
/// time, so that the entry still holds the intent.
pub async fn send(
    context: &Context,
    share: &OneTimeShare,
    read: Option<&Versioned>,
    key: RequestKey,
    request: &Request,
    prepared: Prepared,
    turn: &Turn,
) -> Result<Sent, LedgerError> {
    // The deadline runs from before the intent, so that whoever sees the intent can tell when nothing is sent any more.
    let deadline = Deadline::after(context.options.attempt_deadline);
    let form = Form::new(&prepared, request);
    let attempt = attempt(context, request, &prepared, &form);
    context.sightings.saw(&attempt.nonce);
    let early = match mutant!("post-first") {
        true => Some(post::post(&prepared, &form, deadline.clone()).await),
        false => None,
    };
    fail_point!("intent.before");
    context.may_begin()?;
    let intent = intent(context, share, read, key, attempt.clone(), request, &prepared);
    let intent = match read {
        None => context.ledger.create(intent).await?,
        Some(read) => context.ledger.replace(read, intent).await?,
    };
    fail_point!("intent.after");
    if attempt.mails()
        && !mutant!("skip-lane")
        && !step!(
            "lane",
            context
                .ledger
                .is_oldest_in_lane(&intent, &attempt, deadline.remaining())
        )?
    {
        yield_lane(context, intent).await?;
        return Ok(Sent::Ended);
    }
    if !step!(
        "recheck",
        is_current(context, &intent.entry.owner, request, &prepared)
    ) {
        return take_back(context, read, intent).await;
    }
    fail_point!("post.before");
    // What follows waits for the service, and then for the ledger as long as it takes: others need not.
    turn.leave();
    // Before and after: nothing else of this share is sent within a moment of either.
    context.sightings.sent(&intent.entry.owner);
    let answer = post::once(context, &prepared, &form, deadline, early).await;
    context.sightings.sent(&intent.entry.owner);
    let phase = match answer {
        Ok(answer) => made(shared(&attempt, &prepared.provider, answer)),
        Err(error) => {
            if let CreateError::UnknownOutcome(why) = &error {
                tracing::warn!(%why, "the service's answer was lost");
            }
            step!(
                "refused",
                not_created(context, intent, &prepared.provider, &error)
            )?;
            return Ok(Sent::Ended);
        }
    };
    context.sightings.made(&intent.entry.owner);
    context.providers.answered(&prepared.provider);
    #[cfg(feature = "mutants")]
    super::mutated::status_first(context, share, &intent, &phase).await;
    fail_point!("outcome.before");
    context.ledger.record(intent, phase, Retry::default()).await?;
    fail_point!("outcome.after");
    context.sightings.forget(&attempt.nonce);
    Ok(Sent::Ended)
}

/// A link that somebody else was mailed is burned at once.
fn made(link: Link) -> Phase {
    if link.facts.mailed_elsewhere {
        Phase::Burning(Burning {
            link,
            why: BurnReason::MailedElsewhere,
        })
    } else {
        Phase::Shared(link)
    }
}

/// An older attempt that could be mistaken for this one is under way: nothing was sent, and this one goes back.
async fn yield_lane(context: &Context, intent: Versioned) -> Result<Versioned, LedgerError> {
    tracing::info!("an older attempt of the same lane is under way; this one takes its intent back");
    let before = intent.entry.retry.failures;
    let (failures, wait) = match context.ledger.shard().is_part() {
        // It may be another shard's, which nobody tells of its end.
        true => {
            let failures = before.saturating_add(1);
            (
                failures,
                backoff::delay(failures, &intent.entry.write).min(LONGEST_LANE_PAUSE),
            )
        }
        // Those that wait in the queue of this process are called.
        false => (before, LANE_PAUSE),
    };
    let wait = SignedDuration::try_from(wait).unwrap_or_default();
    let retry = Retry {
        failures,
        not_before: Timestamp::now().checked_add(wait).ok(),
        problem: Some(lane_is_taken()),
        ..intent.entry.retry.clone()
    };
    context.ledger.record(intent, Phase::Idle, retry).await
}

/// Nothing was sent, so the entry tells again of what it told before: with the new request in it, an edit that is taken
/// back would look like another one.
async fn take_back(
    context: &Context,
    read: Option<&Versioned>,
    intent: Versioned,
) -> Result<Sent, LedgerError> {
    tracing::info!("the share or its Secret changed before it was sent; nothing was sent");
    let before = read.map_or_else(
        || Entry {
            phase: Phase::Idle,
            ..intent.entry.clone()
        },
        |read| read.entry.clone(),
    );
    let mut tries = 0;
    loop {
        match context.ledger.replace(&intent, before.clone()).await {
            // An intent that stays is taken for one whose answer was lost.
            Err(LedgerError::Api(error)) if tries < TAKE_BACK_TRIES => {
                tries += 1;
                tracing::warn!(%error, tries, "taking an intent back failed; will retry");
                tokio::time::sleep(backoff::delay(tries, &intent.entry.write)).await;
            }
            result => return result.map(|_| Sent::TakenBack),
        }
    }
}

fn attempt(context: &Context, request: &Request, prepared: &Prepared, form: &Form) -> Attempt {
    Attempt {
        nonce: random_id(),
        started_at: Timestamp::now(),
        deadline_seconds: context.options.attempt_deadline.as_secs(),
        slack_seconds: slack_seconds(form.body_bytes()),
        route: prepared.route.clone(),
        ttl_seconds: request.ttl_seconds,
        recipient: prepared.recipient.as_ref().map(|(_, listed)| listed.clone()),
        passphrase: prepared.passphrase.as_ref().map(SecretText::from),
        target: match &prepared.value {
            Value::Given(_) => None,
            Value::Generated(_, target) => Some(target.clone()),
        },
        needs_decision: false,
        found_none: false,
        metadata_key: None,
        boot: context.sightings.boot_time(),
    }
}

fn intent(
    context: &Context,
    share: &OneTimeShare,
    read: Option<&Versioned>,
    key: RequestKey,
    attempt: Attempt,
    request: &Request,
    prepared: &Prepared,
) -> Entry {
    let before = read.map(|read| &read.entry);
    let owner = Owner {
        namespace: share.namespace().unwrap_or_default(),
        name: share.name_any(),
    };
    let retry = before.filter(|entry| entry.request == key).map(|entry| Retry {
        // Sending ends the pause. A pause that is later found beside an intent was set by its response.
        not_before: None,
        inputs: prepared.inputs.clone(),
        ..entry.retry.clone()
    });
    // A lost attempt of an earlier request is kept, to be burned when it is found.
    let superseded = before.map(|entry| match &entry.phase {
        Phase::Intent(lost) if !mutant!("drop-superseded") => entry.superseded_with(lost.clone()),
        _ => entry.superseded.clone(),
    });
    Entry {
        format: FORMAT,
        write: String::new(), // the ledger gives each write its own
        owner: owner.clone(),
        cluster: context.cluster.clone(),
        share_uid: share.uid().unwrap_or_default(),
        generation: share.metadata.generation.unwrap_or_default(),
        request: key,
        phase: Phase::Intent(attempt),
        retry: retry.unwrap_or_default(),
        deletion: request.deletion,
        content: match (request.refresh, &prepared.value) {
            (RefreshPolicy::OnChange, Value::Given(value)) => Some(ContentMark::new(value.expose_secret())),
            _ => None,
        },
        superseded: superseded.unwrap_or_default(),
        past: before
            .map(|entry| entry.past_with(entry.key_hash()))
            .unwrap_or_default(),
        resolved: before.map(|entry| entry.resolved.clone()).unwrap_or_default(),
        fields: request.fields(&owner),
        crd_uid: context.crd_uid(),
    }
}

/// No link, or nobody knows: writes down what follows. An intent in doubt costs a write only when there is something to
/// tell.
async fn not_created(
    context: &Context,
    intent: Versioned,
    provider: &Resolved,
    error: &CreateError,
) -> Result<Versioned, LedgerError> {
    let sent = consequence::Sent {
        provider: &provider.id,
        credentials: provider.spec.credentials_secret_ref.as_ref(),
        before: &intent.entry.retry,
        now: Timestamp::now(),
        seed: &intent.entry.write,
    };
    let (consequence, trust) = consequence::of(error, &sent);
    match trust {
        Trust::Kept => {}
        Trust::CredentialsRefused => {
            context.providers.refused(provider);
            context.providers.recheck(&provider.id);
        }
        Trust::ApiDoubted => {
            context.providers.doubted(provider);
            context.providers.recheck(&provider.id);
        }
    }
    match consequence {
        Consequence::Idle(retry) => context.ledger.record(intent, Phase::Idle, retry).await,
        Consequence::InDoubt(None) => Ok(intent),
        Consequence::InDoubt(Some(retry)) => {
            let phase = intent.entry.phase.clone();
            context.ledger.record(intent, phase, retry).await
        }
    }
}
