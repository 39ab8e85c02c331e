//! What a definite refusal means for the user: our own words, because the service's echo its input.

use crate::api::condition::Reason;
use crate::onetime::Refusal;
use crate::problem::Problem;
use crate::provider::Resolved;

/// The problem behind a refusal.
pub(super) fn refused(refusal: &Refusal, provider: &Resolved) -> Problem {
    let id = &provider.id;
    let (reason, remedy) = match refusal {
        Refusal::EmptySecret => (Reason::SecretEmpty, "give the key of spec.secretRef a value"),
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
    Problem::edit(reason, format!("{id}: {refusal}; {remedy}"))
}
