//! Burning a link that is no longer wanted: first the ledger says so, then the service is asked.
//!
//! Burning needs only the metadata key and the passphrase, if there is one (recorded in v1-burn). The ledger has both, so
//! it works when the provider is gone.

use super::look;
use crate::api::condition::Reason;
use crate::clock::Deadline;
use crate::ledger::{
    BurnReason, Burning, Ending, Entry, LedgerError, Link, Phase, Retry, SecretText, Versioned,
};
use crate::onetime::{Account, CallError, Client, MetadataKey};
use crate::problem::Problem;
use crate::provider::Kind;
use crate::share::context::Context;
use crate::share::decide::ends::{Verdict, Word, is_past_its_ttl, judge};
use fail::fail_point;
use jiff::Timestamp;
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
    context.may_begin()?;
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

/// Burns a link that is marked, and writes down how it ended: the recipient may have been faster. What the service does
/// not say is not written: the link stays marked, and is asked for again after a growing pause.
///
/// # Errors
/// [`LedgerError`] when the outcome could not be written.
pub async fn go_on(context: &Context, read: Versioned, burning: &Burning) -> Result<Versioned, LedgerError> {
    let (written, _) = go_on_and_tell(context, read, burning).await?;
    Ok(written)
}

/// What a burn came to: the entry as it was written, and how the service answered. None: nothing could be asked.
pub type Told = (Versioned, Option<Result<(), CallError>>);

/// As [`go_on`], and tells how the service answered.
///
/// # Errors
/// As [`go_on`].
pub async fn go_on_and_tell(
    context: &Context,
    read: Versioned,
    burning: &Burning,
) -> Result<Told, LedgerError> {
    let Burning { link, why } = burning;
    fail_point!("burn.before");
    context.may_begin()?;
    // Boxed: the futures of two HTTP exchanges are large.
    let (word, problem, answer) = Box::pin(burn(context, &read.entry.owner.namespace, link)).await;
    fail_point!("burn.after");
    match word {
        Word::Failed => context.hearing.failed(link),
        _ => context.hearing.answered(link),
    }
    let (how, at) = match judge(&link.facts, &word, &context.hearing.clocks(link)) {
        Verdict::Ended(how, at) => (how, at),
        Verdict::Lives | Verdict::Unknown | Verdict::Open => {
            let retry = read
                .entry
                .retry
                .after_failure(problem, Timestamp::now(), &read.entry.write);
            let phase = read.entry.phase.clone();
            return Ok((context.ledger.record(read, phase, retry).await?, answer));
        }
    };
    let finished = Phase::Finished(link.finish(how, at, Some(*why)));
    let written = step!("burned", context.ledger.record(read, finished, Retry::default()))?;
    Ok((written, answer))
}

/// Burns the link. What the service says of it, what to tell while that is no end, and how it answered, if it was asked.
async fn burn(
    context: &Context,
    namespace: &str,
    link: &Link,
) -> (Word, Problem, Option<Result<(), CallError>>) {
    let key = link.metadata_key.as_ref();
    let Some(key) = key.and_then(|key| MetadataKey::parse(key.expose()).ok()) else {
        return (
            Word::Failed,
            problem(
                "the old link cannot be burned, because its key is not known; it expires at the end of its TTL",
            ),
            None,
        );
    };
    let client = match context.providers.client_for_route(&link.route, namespace) {
        Ok(client) => client,
        Err(problem) => return (Word::Failed, problem, None),
    };
    let call = match context.providers.begin(Kind::Burn, &link.route, namespace).await {
        Ok(call) => call,
        Err(problem) => return (Word::Failed, problem, None),
    };
    let passphrase: Option<&SecretString> = link.passphrase.as_ref().map(SecretText::secret);
    let request = context.metrics.service_request("burn");
    let deadline = Deadline::after(context.options.request_timeout);
    let burned = client.burn(&Account::Anonymous, &key, passphrase, deadline).await;
    request.ended(CallError::label(burned.as_ref().err()));
    call.ended(burned.as_ref().err());
    let answer = burned.clone();
    let (word, problem) = match burned {
        Ok(()) => (
            Word::Over(Ending::Burned, None),
            problem("the old link was burned"),
        ),
        Err(CallError::Gone) if mutant!("gone-is-burned") => (
            Word::Over(Ending::Burned, None),
            problem("the old link was burned"),
        ),
        // Gone says that nobody can open the link any more, and only the receipt says why.
        Err(CallError::Gone) => ending(context, &client, link, &key).await,
        Err(error) => {
            let text = format!(
                "the old link could not be burned yet ({error}); the operator will retry automatically"
            );
            let is_past = is_past_its_ttl(&link.facts, &context.hearing.clocks(link));
            let word = match is_past {
                // It may have ended by itself.
                true => match ending(context, &client, link, &key).await.0 {
                    Word::Lives => Word::NotAsked,
                    word => word,
                },
                false => Word::Failed,
            };
            (word, problem(text))
        }
    };
    (word, problem, Some(answer))
}

/// Asks how a link that cannot be burned ended.
async fn ending(context: &Context, client: &Client, link: &Link, key: &MetadataKey) -> (Word, Problem) {
    let receipt = look::at_receipt(context, client, link, key).await;
    let unknown = "the old link cannot be opened any more, and the service does not say yet how it ended";
    match receipt {
        Ok(receipt) => {
            let text = format!("{unknown}; the operator will retry automatically");
            (Word::of_unburnable(&receipt), problem(text))
        }
        Err(error) => {
            let word = match error {
                CallError::Gone => Word::Gone,
                _ => Word::Failed,
            };
            let text = format!("{unknown} ({error}); the operator will retry automatically");
            (word, problem(text))
        }
    }
}

fn problem(message: impl Into<String>) -> Problem {
    Problem::passing(Reason::Burning, message)
}
