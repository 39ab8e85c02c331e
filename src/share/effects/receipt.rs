//! From what the service says of a link to what the ledger keeps of it: PURE but for the clock where the service tells
//! no time.

use super::post::Answer;
use crate::ledger::{Attempt, Link, LinkFacts, SecretText, Undelivered};
use crate::onetime::{Created, MaskOf, Receipt, SecretKey, State, mask_of};
use crate::provider::Resolved;
use jiff::{SignedDuration, Timestamp};

/// What the ledger keeps of an answer.
pub(super) fn shared(attempt: &Attempt, provider: &Resolved, answer: Answer) -> Link {
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
    } = answer.created;
    let undelivered = attempt
        .target
        .clone()
        .zip(answer.generated)
        .map(|(target, value)| Undelivered {
            value: SecretText::from(&value),
            target,
        });
    let told = Receipt {
        custid,
        metadata_key,
        secret_key: Some(secret_key.clone()),
        state: State::New,
        ttl_seconds,
        metadata_ttl_seconds: None,
        secret_ttl_seconds: None,
        recipient,
        created_at,
        updated_at: None,
        received_at: None,
        passphrase_required: Some(passphrase_required),
        share_domain,
    };
    let mut link = from_receipt(attempt, provider, &told, &secret_key, undelivered);
    // The answer arrived just now: what it says of its time is the service's clock.
    let offset = created_at.map(|created| Timestamp::now().duration_until(created).as_secs());
    link.facts.clock_offset_seconds = offset;
    link
}

/// A link, from what its receipt tells.
pub(super) fn from_receipt(
    attempt: &Attempt,
    provider: &Resolved,
    receipt: &Receipt,
    secret_key: &SecretKey,
    undelivered: Option<Undelivered>,
) -> Link {
    let facts = facts(attempt, provider, receipt);
    let link = provider
        .settings
        .endpoint
        .link(facts.share_domain.as_deref(), secret_key);
    Link {
        attempt: attempt.nonce.clone(),
        route: attempt.route.clone(),
        metadata_key: Some(SecretText::new(receipt.metadata_key.expose())),
        secret_key: SecretText::new(secret_key.expose()),
        url: SecretText::new(link.expose()),
        passphrase: attempt.passphrase.clone(),
        undelivered,
        facts,
        outcome_unknown: false,
    }
}

/// What a receipt tells that is not secret.
pub(super) fn facts(attempt: &Attempt, provider: &Resolved, receipt: &Receipt) -> LinkFacts {
    let ttl_seconds = receipt.ttl_seconds.unwrap_or(attempt.ttl_seconds);
    let created_at = receipt.created_at.unwrap_or_else(Timestamp::now);
    LinkFacts {
        asked_ttl_seconds: attempt.ttl_seconds,
        ttl_seconds,
        created_at,
        expires_at: after(created_at, ttl_seconds),
        mail_asked: attempt.mails(),
        recipients: receipt.recipient.clone(),
        mailed_elsewhere: mailed_elsewhere(attempt, receipt),
        passphrase_required: receipt
            .passphrase_required
            .unwrap_or(attempt.passphrase.is_some()),
        share_domain: trusted_domain(receipt.share_domain.clone(), attempt, provider),
        custid: receipt.custid.clone(),
        clock_offset_seconds: None,
    }
}

/// Seen in v1-share-recipient (v0.23): it picks what it takes for an address out of the text, and mails that.
fn mailed_elsewhere(attempt: &Attempt, receipt: &Receipt) -> bool {
    let Some(recipient) = &attempt.recipient else {
        return false;
    };
    // What is told in a form that nobody knows can be this very recipient: the link is kept.
    let another = |told: &String| mask_of(told, &recipient.forms) == MaskOf::Another;
    !receipt.recipient.is_empty() && receipt.recipient.iter().all(another)
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
