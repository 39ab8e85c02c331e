//! One try to create a link: intent, POST, outcome. The only place that sends.
//!
//! The order is the promise: nothing is sent before the intent is in the ledger, and the intent is a compare-and-swap
//! with what was read before the sources were.

use crate::api::condition::Reason;
use crate::api::share::OneTimeShare;
use crate::onetime::{
    Account, CreateError, Created, Deadline, Endpoint, Refusal, ShareRequest, mask_class, mask_forms,
};
use crate::provider::{ProviderId, Resolved};
use crate::share::backoff;
use crate::share::context::Context;
use crate::share::ledger::{
    Attempt, Entry, FORMAT, Hidden, LedgerError, Owner, Phase, Recipient, RequestKey, Retry, Share,
    ShareFacts, Versioned, random_id,
};
use crate::share::problem::Problem;
use crate::share::request::Request;
use crate::share::source::{self, Sources};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use std::time::Duration;

/// Everything that a try needs, gathered and checked.
pub struct Prepared {
    provider: Resolved,
    sources: Sources,
    share_domain: Option<String>,
}

/// Gathers what a request needs and checks it.
///
/// # Errors
/// A problem; nothing was sent and nothing written.
pub async fn prepare(context: &Context, owner: &Owner, request: &Request) -> Result<Prepared, Problem> {
    let id = ProviderId::of(&request.provider, &owner.namespace);
    let provider = context.providers.resolve(&id).await?;
    check_recipient(&provider, request)?;
    let max_bytes = provider.settings.max_secret_bytes;
    let sources = source::gather(&context.kubernetes, &owner.namespace, request, max_bytes).await?;
    let share_domain = request
        .share_domain
        .clone()
        .or_else(|| provider.spec.share_domain.clone());
    Ok(Prepared {
        provider,
        sources,
        share_domain,
    })
}

fn check_recipient(provider: &Resolved, request: &Request) -> Result<(), Problem> {
    let Some(recipient) = &request.recipient else {
        return Ok(());
    };
    if matches!(provider.account, Account::Anonymous) {
        return Err(Problem::edit(
            Reason::RecipientNeedsAccount,
            format!(
                "{} has no account, and the service mails links only for accounts: give the provider spec.credentialsSecretRef, or remove spec.recipient and hand over the link yourself",
                provider.id
            ),
        ));
    }
    let allowed = &provider.spec.allowed_recipient_domains;
    let domain = recipient
        .rsplit_once('@')
        .map(|(_, domain)| domain)
        .unwrap_or_default();
    if !allowed.is_empty() && !allowed.iter().any(|name| name.eq_ignore_ascii_case(domain)) {
        return Err(Problem::edit(
            Reason::RecipientNotAllowed,
            format!(
                "{} does not allow the domain of the recipient: use an address in one of its spec.allowedRecipientDomains, or have the domain added there",
                provider.id
            ),
        ));
    }
    Ok(())
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
) -> Result<Versioned, LedgerError> {
    // The deadline runs from before the intent, so that whoever sees the intent can tell when nothing is sent any more.
    let deadline = Deadline::after(context.options.attempt_deadline);
    let attempt = attempt(context, request, &prepared);
    context.attempts.saw(&attempt.nonce);
    let intent = intent(context, share, read, key, attempt.clone());
    let intent = match read {
        None => context.ledger.create(intent).await?,
        Some(read) => context.ledger.replace(read, intent).await?,
    };
    let Prepared {
        provider,
        sources,
        share_domain,
    } = prepared;
    let form = ShareRequest {
        secret: sources.value,
        passphrase: sources.passphrase,
        ttl_seconds: request.ttl_seconds,
        recipient: request.recipient.clone(),
        share_domain,
    };
    let answer = provider.client.share(&provider.account, &form, deadline).await;
    drop(form);
    context.metrics.service_request("share", outcome_label(&answer));
    let outcome = match answer {
        Ok(created) => Phase::Shared(shared(&attempt, &provider, created)),
        Err(CreateError::UnknownOutcome(why)) => {
            tracing::warn!(%why, "the service's answer was lost");
            return Ok(intent);
        }
        Err(error) => return not_created(context, intent, &provider, error).await,
    };
    let recorded = record(context, intent, outcome, Retry::default()).await?;
    context.attempts.forget(&attempt.nonce);
    Ok(recorded)
}

fn attempt(context: &Context, request: &Request, prepared: &Prepared) -> Attempt {
    Attempt {
        nonce: random_id(),
        started_at: Timestamp::now(),
        deadline_seconds: context.options.attempt_deadline.as_secs(),
        route: prepared.provider.route(prepared.share_domain.clone()),
        ttl_seconds: request.ttl_seconds,
        recipient: request.recipient.as_deref().map(|address| Recipient {
            class: mask_class(address),
            forms: mask_forms(address),
        }),
        passphrase: prepared.sources.passphrase.as_ref().map(Hidden::from),
        held: false,
    }
}

fn intent(
    context: &Context,
    share: &OneTimeShare,
    read: Option<&Versioned>,
    key: RequestKey,
    attempt: Attempt,
) -> Entry {
    let retry = read
        .filter(|read| read.entry.request == key)
        .map(|read| read.entry.retry.clone());
    Entry {
        format: FORMAT,
        write: String::new(), // the ledger gives each write its own
        owner: Owner {
            namespace: share.namespace().unwrap_or_default(),
            name: share.name_any(),
        },
        cluster: context.cluster.clone(),
        share_uid: share.uid().unwrap_or_default(),
        generation: share.metadata.generation.unwrap_or_default(),
        request: key,
        phase: Phase::Intent(attempt),
        retry: retry.unwrap_or_default(),
    }
}

/// What the ledger keeps of an answer.
fn shared(attempt: &Attempt, provider: &Resolved, created: Created) -> Share {
    let Created {
        custid,
        metadata_key,
        secret_key,
        ttl_seconds,
        metadata_ttl_seconds: _, // twice the ttl
        secret_ttl_seconds: _,   // the ttl, at this moment
        recipient,
        created_at,
        updated_at: _, // the moment of creation
        passphrase_required,
        share_domain,
        state: _, // new
    } = created;
    let ttl_seconds = ttl_seconds.unwrap_or(attempt.ttl_seconds);
    let created_at = created_at.unwrap_or_else(Timestamp::now);
    let share_domain = trusted_domain(share_domain, attempt, provider);
    let endpoint: &Endpoint = &provider.settings.endpoint;
    let link = endpoint.link(share_domain.as_deref(), &secret_key);
    Share {
        attempt: attempt.nonce.clone(),
        route: attempt.route.clone(),
        metadata_key: Some(Hidden::new(metadata_key.expose())),
        secret_key: Hidden::new(secret_key.expose()),
        link: Hidden::new(link.expose()),
        passphrase: attempt.passphrase.clone(),
        facts: ShareFacts {
            asked_ttl_seconds: attempt.ttl_seconds,
            ttl_seconds,
            created_at,
            expires_at: after(created_at, ttl_seconds),
            mail_asked: attempt.mails(),
            recipients: recipient,
            passphrase_required,
            share_domain,
            custid,
        },
    }
}

/// The answer's domain is used only if it is the one that was asked for or the provider's own: a server must not be
/// able to point a link elsewhere.
fn trusted_domain(answered: Option<String>, attempt: &Attempt, provider: &Resolved) -> Option<String> {
    answered.filter(|domain| {
        let is = |known: &Option<String>| {
            known
                .as_ref()
                .is_some_and(|known| known.eq_ignore_ascii_case(domain))
        };
        is(&attempt.route.share_domain) || is(&provider.spec.share_domain)
    })
}

/// A time so many seconds later, or the latest there is.
fn after(time: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    time.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// A definite no: the ledger goes back to idle, and remembers when to try again.
async fn not_created(
    context: &Context,
    intent: Versioned,
    provider: &Resolved,
    error: CreateError,
) -> Result<Versioned, LedgerError> {
    let failures = intent.entry.retry.failures.saturating_add(1);
    let mut wait = backoff::delay(failures, &intent.entry.write);
    let problem = match error {
        CreateError::Unauthorized => {
            context.providers.refused(provider);
            context.providers.recheck(&provider.id);
            wait = Duration::ZERO; // the provider's health check decides when to go on
            provider.spec.credentials_secret_ref.as_ref().map_or_else(
                || Problem::administrator(Reason::Unauthorized, format!("the service of {} allows no anonymous shares: give the provider spec.credentialsSecretRef", provider.id)),
                |reference| crate::provider::registry::unauthorized(&provider.id, reference),
            )
        }
        CreateError::RateLimited { retry_after_seconds } => {
            wait = wait.max(Duration::from_secs(retry_after_seconds.unwrap_or(60)));
            Problem::passing(
                Reason::RateLimited,
                format!(
                    "the service limits the rate of {}; it is tried again by itself",
                    provider.id
                ),
            )
        }
        CreateError::NotSent(transport) => Problem::passing(
            Reason::Unavailable,
            format!(
                "the service of {} cannot be reached ({transport}); it is tried again by itself",
                provider.id
            ),
        ),
        CreateError::Refused(refusal) => refused(&refusal, provider),
        CreateError::UnknownOutcome(_) => return Ok(intent),
    };
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
    let not_before = (!wait.is_zero()).then(|| Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX));
    record(
        context,
        intent,
        Phase::Idle,
        Retry {
            failures,
            not_before,
            problem: Some(problem),
        },
    )
    .await
}

fn refused(refusal: &Refusal, provider: &Resolved) -> Problem {
    let id = &provider.id;
    let (reason, cure) = match refusal {
        Refusal::EmptySecret => (Reason::SecretEmpty, "share a value that is more than blanks"),
        Refusal::TooLarge { .. } => (
            Reason::SecretTooLarge,
            "share something smaller, and lower the provider's spec.maxSecretBytes to its real limit",
        ),
        Refusal::PassphraseTooShort { .. } | Refusal::PassphraseTooLong { .. } => (
            Reason::PassphraseInvalid,
            "change the passphrase in the Secret of spec.passphraseSecretRef",
        ),
        Refusal::PassphraseRequired => (Reason::PassphraseRequired, "name one in spec.passphraseSecretRef"),
        Refusal::RecipientNeedsAccount => (
            Reason::RecipientNeedsAccount,
            "give the provider spec.credentialsSecretRef, or remove spec.recipient",
        ),
        Refusal::RecipientUndeliverable => (Reason::RecipientRefused, "correct spec.recipient"),
        Refusal::UnknownShareDomain => (
            Reason::ShareDomainRefused,
            "register the domain with the service, or correct spec.shareDomain of the share or the provider",
        ),
        Refusal::LengthTooLong { .. } => (Reason::Refused, "ask for a shorter value"),
        Refusal::NotAvailable | Refusal::UnknownRoute | Refusal::Forbidden => {
            return Problem::administrator(Reason::Refused, format!("{id}: {refusal}"));
        }
        _ => (
            Reason::Refused,
            "see what is unusual about this share, and change it",
        ),
    };
    Problem::edit(reason, format!("{id}: {refusal}; {cure}"))
}

/// For how long the outcome of a POST is tried to be written: it exists nowhere else.
const RECORD_FOR: Duration = Duration::from_secs(300);

/// Writes an outcome, again and again if need be.
pub(super) async fn record(
    context: &Context,
    mut read: Versioned,
    phase: Phase,
    retry: Retry,
) -> Result<Versioned, LedgerError> {
    let give_up = tokio::time::Instant::now() + RECORD_FOR;
    let mut failures = 0;
    loop {
        let entry = Entry {
            phase: phase.clone(),
            retry: retry.clone(),
            ..read.entry.clone()
        };
        match context.ledger.replace(&read, entry).await {
            Err(LedgerError::Api(error)) if tokio::time::Instant::now() < give_up => {
                failures += 1;
                tracing::warn!(%error, failures, "the outcome could not be written to the ledger; trying again");
                tokio::time::sleep(backoff::delay(failures, &read.entry.write).min(Duration::from_secs(5)))
                    .await;
            }
            // Somebody touched the entry and left the phase alone: the outcome still belongs to it.
            Err(LedgerError::Conflict) => match context.ledger.read_live(&read.entry.owner).await? {
                Some(found) if found.entry.phase == read.entry.phase => read = found,
                _ => return Err(LedgerError::Conflict),
            },
            result => return result,
        }
    }
}

fn outcome_label(answer: &Result<Created, CreateError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(CreateError::NotSent(_)) => "not_sent",
        Err(CreateError::Unauthorized) => "unauthorized",
        Err(CreateError::Refused(_)) => "refused",
        Err(CreateError::RateLimited { .. }) => "rate_limited",
        Err(CreateError::UnknownOutcome(_)) => "unknown",
    }
}
