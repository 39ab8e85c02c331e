//! What a definite refusal means for the user: PURE. In our own words, because the service's echo its input.

use crate::api::condition::Reason;
use crate::onetime::Refusal;
use crate::problem::Problem;
use crate::provider::ProviderId;

/// The problem behind a refusal.
pub(super) fn refused(refusal: &Refusal, id: &ProviderId) -> Problem {
    let (reason, remedy) = match refusal {
        Refusal::EmptySecret => (Reason::SecretEmpty, "give the key of spec.secretRef a value"),
        Refusal::TooLarge { .. } | Refusal::TooLong { .. } => (
            Reason::SecretTooLarge,
            "share something smaller, and lower the provider's spec.maxSecretBytes to its real limit",
        ),
        Refusal::PassphraseTooShort { .. }
        | Refusal::PassphraseTooLong { .. }
        | Refusal::PassphraseTooSimple(_) => (
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
        Refusal::ShareDomainNotPermitted => (
            Reason::ShareDomainRefused,
            "give the account permission at the service, or correct spec.shareDomain of the share or the provider",
        ),
        Refusal::ShareDomainNotVerified => (
            Reason::ShareDomainRefused,
            "verify the domain at the service, or correct spec.shareDomain of the share or the provider",
        ),
        Refusal::ShareDomainNotPublic => (
            Reason::ShareDomainRefused,
            "enable it at the service or use an account of the domain, or correct spec.shareDomain of the share or the provider",
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
    let problem = Problem::edit(reason, format!("{id}: {refusal}; {remedy}"));
    match refusal {
        Refusal::PassphraseTooSimple(Some(words)) => problem.saying(words.as_str()),
        _ => problem,
    }
}
