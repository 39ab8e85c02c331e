//! The condition types that a status may carry, and why they have the value they have.
//!
//! One `Reason` serves the condition, the event and the metric label, so that a person who reads one finds the others.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `Ready`: the link exists (True), is on its way (Unknown), or needs a person (False).
pub const READY: &str = "Ready";
/// `Received`: the recipient opened the link (True), cannot any more (False), or still may (Unknown).
pub const RECEIVED: &str = "Received";
/// `Finished`: the link was received, was burned or has expired.
pub const FINISHED: &str = "Finished";
/// `EmailRequested`: the service was asked to e-mail the link, and its answer says whether it accepted that.
pub const EMAIL_REQUESTED: &str = "EmailRequested";
/// `UpToDate`: the link is what the spec asks for. Present only while False.
pub const UP_TO_DATE: &str = "UpToDate";
/// `Reconciling`: work is going on or waits for something that comes by itself. Present only while True.
pub const RECONCILING: &str = "Reconciling";
/// `Stalled`: a person must act; the message says how. Present only while True.
pub const STALLED: &str = "Stalled";

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Why a condition has its value: the one vocabulary of conditions, events and metric labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])+ $name,)+ }

        impl Reason {
            /// Every reason, for bounded metric labels and documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The CamelCase word that conditions and events carry.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// The link was created and is in the status.
    Shared,
    /// The recipient opened the link.
    Received,
    /// The link was burned before anybody opened it.
    Burned,
    /// The link expired before anybody opened it.
    Expired,
    /// The link can still be opened.
    Waiting,
    /// The operator is working on it.
    InProgress,
    /// `spec.suspend` holds back new links.
    Suspended,
    /// The Secret of `spec.secretRef` does not exist.
    SecretNotFound,
    /// The Secret has no such key.
    SecretKeyNotFound,
    /// The Secret has several keys and `spec.secretRef.key` names none of them.
    SecretKeyAmbiguous,
    /// The value is empty.
    SecretEmpty,
    /// The value holds a NUL byte, which the service would strip.
    SecretHasNul,
    /// The value is not valid UTF-8, which the service would garble.
    SecretNotUtf8,
    /// The value is larger than the provider accepts.
    SecretTooLarge,
    /// Secrets of this type are never shared.
    SecretTypeRefused,
    /// The Secret lacks the label that sharing it needs.
    SecretNotShareable,
    /// The template of `spec.secretRef.template` cannot be read or rendered.
    TemplateInvalid,
    /// The Secret that a generated value should be written to belongs to somebody else.
    TargetNotOurs,
    /// The generated value cannot be written to its Secret.
    TargetNotWritten,
    /// Generating values is not switched on in this operator.
    GenerateDisabled,
    /// The operator may not read the Secret.
    SecretForbidden,
    /// The passphrase's Secret or key does not exist.
    PassphraseNotFound,
    /// The passphrase cannot be used: empty, not UTF-8, or too short or long for the site.
    PassphraseInvalid,
    /// The site demands a passphrase.
    PassphraseRequired,
    /// The Secret, ConfigMap or key of `spec.recipientFrom` does not exist.
    RecipientNotFound,
    /// The recipient is not one plain e-mail address.
    RecipientInvalid,
    /// The provider does not allow the recipient's domain.
    RecipientNotAllowed,
    /// The service refused the recipient's address.
    RecipientRefused,
    /// The service e-mails links only for accounts.
    RecipientNeedsAccount,
    /// The service was asked to e-mail the link and did.
    Requested,
    /// The service accepted the share and did not mail the link.
    NotMailed,
    /// Not exactly one of `spec.secretRef` and `spec.generate` is set.
    SourceInvalid,
    /// The service mailed the link to another address than the recipient's.
    MailedElsewhere,
    /// `spec.ttl` cannot be read.
    TtlInvalid,
    /// The service granted another lifetime than the one asked for.
    TtlClamped,
    /// The service does not know the share domain.
    ShareDomainRefused,
    /// The provider of `spec.providerRef` does not exist.
    ProviderNotFound,
    /// The provider's spec cannot be used.
    ProviderInvalid,
    /// The provider does not serve the share's namespace.
    NamespaceNotAllowed,
    /// The namespace has as many shares with a link as the provider allows.
    TooManyShares,
    /// The provider's credentials' Secret or key does not exist.
    CredentialsNotFound,
    /// The service refuses the provider's credentials.
    Unauthorized,
    /// The service does not accept the request for another reason.
    Refused,
    /// The service's rate limit is reached.
    RateLimited,
    /// The service cannot be reached.
    Unavailable,
    /// The Kubernetes API cannot be reached or refuses a call.
    ApiUnavailable,
    /// An answer was lost, and whether a link exists is being found out.
    InDoubt,
    /// The link of a lost answer was found at the service.
    Adopted,
    /// An answer was lost, nobody holds that link, and a new one is created.
    LinkLost,
    /// It cannot be found out whether the recipient got an e-mail; nothing more is sent.
    Uncertain,
    /// The ledger entry of this share belongs to another share.
    LedgerMismatch,
    /// The ledger has lost what this status tells of.
    LedgerLost,
    /// An earlier attempt whose answer was lost is set aside for a changed request.
    Superseded,
    /// The old link is being burned.
    Burning,
    /// The service answered in a way that nobody knows. The message carries the code and the known words of the answer.
    UnexpectedAnswer,
    /// The link's time is over, and the service cannot be asked how it ended.
    OutcomeUnknown,
    /// A link of a lost answer turned up after another one was created for it, and was burned.
    LateDuplicate,
    /// Another operator, with another ledger, sends for this namespace.
    OtherOperator,
    /// The ledger refuses writes, so nothing is sent.
    LedgerUnavailable,
    /// The spec was edited after the link's life was over. Only a new `spec.requestID` asks for another link.
    NeedsNewRequestID,
    /// The share waited so long that somebody must confirm it with an edit.
    WaitedTooLong,
    /// The credentials were accepted.
    CredentialsAccepted,
    /// The service answers; no credentials are configured.
    Anonymous,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
