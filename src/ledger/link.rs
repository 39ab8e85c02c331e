//! A link as the ledger holds it, while it lives and after its end. PURE.

use super::attempt::Route;
use super::hash::key_hash;
use super::secret_text::SecretText;
use crate::api::share::SecretKeyRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A link that exists, or did until it is seen to be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The try that made it.
    pub attempt: String,
    /// Where it is.
    pub route: Route,
    /// The capability to look at it and to burn it. None after a rebuild from a status.
    pub metadata_key: Option<SecretText>,
    /// The last part of the link.
    pub secret_key: SecretText,
    /// The address that opens it.
    #[serde(rename = "link")]
    pub url: SecretText,
    /// The passphrase, needed to burn the link.
    pub passphrase: Option<SecretText>,
    /// A generated value that is not in its Secret yet.
    pub undelivered: Option<Undelivered>,
    /// What the service said of it.
    pub facts: LinkFacts,
    /// Whether its time is over and the service could not be asked how it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outcome_unknown: bool,
}

/// A generated value on its way to its Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The value.
    pub value: SecretText,
    /// Where it goes.
    pub target: SecretKeyRef,
}

/// A link that is being burned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burning {
    /// The link.
    #[serde(rename = "share")]
    pub link: Link,
    /// Why.
    pub why: BurnReason,
}

/// Why a link is burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BurnReason {
    /// The spec asks for another one.
    Replaced,
    /// The share was deleted.
    Deleted,
    /// The generated value was lost with the answer.
    ValueLost,
    /// The service mailed it to another address than the one that was asked for.
    MailedElsewhere,
    /// A user asked for it.
    Asked,
}

impl BurnReason {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Replaced,
        Self::Deleted,
        Self::ValueLost,
        Self::MailedElsewhere,
        Self::Asked,
    ];
}

/// What the service said of a share: nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// The lifetime in seconds that was asked for.
    pub asked_ttl_seconds: u64,
    /// The lifetime in seconds that was granted.
    pub ttl_seconds: u64,
    /// When the service created it, by the service's clock.
    pub created_at: Timestamp,
    /// When it stops working, by the service's clock.
    pub expires_at: Timestamp,
    /// Whether mailing was asked for.
    pub mail_asked: bool,
    /// The recipients whom the service says it mailed, obscured by the service.
    pub recipients: Vec<String>,
    /// Whether none of them can be the one that was asked for: v0.23 cuts addresses that it does not understand.
    pub mailed_elsewhere: bool,
    /// Whether a passphrase is needed.
    pub passphrase_required: bool,
    /// The custom domain of the link.
    pub share_domain: Option<String>,
    /// The account as the service names it.
    pub custid: String,
    /// The service's clock minus ours in seconds when it answered, where it told its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_seconds: Option<i64>,
}

/// The end of a link's life. Carries no key any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The try that made the link.
    pub attempt: String,
    /// How it ended.
    pub how: Ending,
    /// When, as exactly as the service tells.
    pub at: Timestamp,
    /// Why it was burned by us; None when it ended by itself.
    pub burned_for: Option<BurnReason>,
    /// The hash of server and account.
    pub route: String,
    /// The hash of the account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The hash of its metadata key, by which the service's list is compared with the ledger.
    pub key_hash: Option<String>,
    /// What the service said of it.
    pub facts: LinkFacts,
}

/// How a link's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ending {
    /// Somebody opened it.
    Received,
    /// Burned unread.
    Burned,
    /// Expired unread.
    Expired,
}

impl Link {
    /// What remains when the link's life is over: no key, no passphrase, no value.
    #[must_use]
    pub fn finish(&self, how: Ending, at: Timestamp, burned_for: Option<BurnReason>) -> Finished {
        Finished {
            attempt: self.attempt.clone(),
            how,
            at,
            burned_for,
            route: self.route.hash(),
            account: Some(self.route.account_hash()),
            key_hash: self.metadata_key.as_ref().map(|key| key_hash(key.expose())),
            facts: self.facts.clone(),
        }
    }
}
