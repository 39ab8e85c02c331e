//! A try to create a link, as its intent holds it: enough to recognise its link at the service and to tell when nothing
//! is sent any more. PURE.

use super::hash::short_hash;
use super::secret_text::SecretText;
use crate::api::share::{ProviderKind, ProviderRef, SecretKeyRef};
use crate::onetime::user_timeout;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The shortest time after an attempt's deadline within which nobody may act on it.
pub const SLACK: Duration = Duration::from_secs(10);

/// The slack in seconds of the first version, which did not record it.
fn unrecorded_slack() -> u64 {
    5
}

/// How long after the last acknowledgement the kernel may begin to count its user timeout (the time to its first
/// retransmission: 3 s after a lost SYN, more on a slow path), and the difference of two boot-time clocks, in seconds.
const RETRANSMISSION: u64 = 6;

/// The slack in seconds of an attempt whose body has so many bytes: what the kernel still delivers of a request whose
/// sender gave up or was killed. Its timers are coarse: a long one ends up to an eighth later.
#[must_use]
pub fn slack_seconds(body_bytes: usize) -> u64 {
    let timeout = user_timeout(body_bytes).as_secs();
    timeout + timeout / 8 + RETRANSMISSION
}

/// One try to create a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names this try. Random.
    pub nonce: String,
    /// Wall clock of the writer when the intent was written.
    pub started_at: Timestamp,
    /// Seconds after which the writer certainly sends no more.
    pub deadline_seconds: u64,
    /// Seconds after the deadline during which the request may still be delivered. Entries of the first version omit it.
    #[serde(default = "unrecorded_slack")]
    pub slack_seconds: u64,
    /// Where it is sent.
    pub route: Route,
    /// The lifetime in seconds that is asked for.
    pub ttl_seconds: u64,
    /// By what the recipient can be recognised in the service's list. None when nobody is mailed.
    pub recipient: Option<Recipient>,
    /// The passphrase, needed to burn the link.
    pub passphrase: Option<SecretText>,
    /// Where a generated value goes; None when the value is that of a Secret.
    pub target: Option<SecretKeyRef>,
    /// Whether a person must decide about a lost answer: the attempt is on hold.
    #[serde(rename = "held")]
    pub needs_decision: bool,
    /// Whether two looks at the service's list found no trace of it. It is kept only so that a receipt that turns up later
    /// is burned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found_none: bool,
    /// The capability to burn its link, where the answer came after the entry had gone on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<SecretText>,
    /// When it began, on the clock of the machine's boot: the wall clock may be set while an answer is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootTime>,
}

/// A point in time that the wall clock has no part in. Only processes on the same machine, since its last boot, understand
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootTime {
    /// Names the boot of the machine.
    pub id: String,
    /// Seconds since then.
    pub seconds: u64,
}

impl Attempt {
    /// Whether the service was asked to mail somebody.
    #[must_use]
    pub fn mails(&self) -> bool {
        self.recipient.is_some()
    }

    /// How long after its intent was first seen nothing of this attempt can reach the service any more.
    #[must_use]
    pub fn safe_after(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds).saturating_add(Duration::from_secs(self.slack_seconds))
    }

    /// The lane of this attempt of a share in this namespace.
    #[must_use]
    pub fn lane(&self, namespace: &str) -> String {
        lane(&self.route, namespace, self.recipient.as_ref())
    }

    /// Whether a receipt of one can look like one of the other: the account has the same name, and the recipients are shown
    /// alike. The lifetime says nothing, because a site grants what it likes; nor does the server's address, because one
    /// server may have several.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        self.route.account == other.route.account
            && class(self.recipient.as_ref()) == class(other.recipient.as_ref())
    }
}

/// The hash of what a lost answer can be recognised by: attempts of one lane go one at a time. Those through a
/// `ShareProvider` wait only for others of its namespace: whoever writes one chooses the account's name, and must not
/// make other namespaces wait.
#[must_use]
pub fn lane(route: &Route, namespace: &str, recipient: Option<&Recipient>) -> String {
    let scope = match route.provider.kind {
        ProviderKind::ClusterShareProvider => "",
        ProviderKind::ShareProvider => namespace,
    };
    let account = route.account.as_deref().unwrap_or_default();
    short_hash(&["lane", scope, account, class(recipient)])
}

/// What an intent under way is labelled with: the lane as the first version understood it, which told servers apart.
#[must_use]
pub(super) fn lane_label(route: &Route, recipient: Option<&Recipient>) -> String {
    let account = route.account.as_deref().unwrap_or_default();
    short_hash(&["lane", &route.endpoint, account, class(recipient)])
}

fn class(recipient: Option<&Recipient>) -> &str {
    recipient
        .map(|recipient| recipient.class.as_str())
        .unwrap_or_default()
}

/// By what a recipient can be recognised in the service's list of receipts. The address itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Two addresses that the service may show alike are of one class.
    pub class: String,
    /// The forms in which the service may show the address.
    pub forms: Vec<String>,
}

/// Where a share was sent: enough to burn it when the provider is gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The provider at that time.
    pub provider: ProviderRef,
    /// Base URL of the server.
    pub endpoint: String,
    /// Additional authorities, PEM.
    pub ca_bundle: Option<String>,
    /// The account's name; None for anonymous.
    pub account: Option<String>,
    /// The custom domain that was asked for.
    pub share_domain: Option<String>,
}

impl Route {
    /// Stands for a route that is held elsewhere.
    pub(super) fn blank() -> Self {
        Self {
            provider: ProviderRef::default(),
            endpoint: String::new(),
            ca_bundle: None,
            account: None,
            share_domain: None,
        }
    }

    /// The hash of the account's name: links of one account may be known by several addresses of its server.
    #[must_use]
    pub fn account_hash(&self) -> String {
        short_hash(&["account", self.account.as_deref().unwrap_or_default()])
    }

    /// The hash of server and account: whose links are in one list of the service.
    #[must_use]
    pub fn hash(&self) -> String {
        short_hash(&[
            "route",
            &self.endpoint,
            self.account.as_deref().unwrap_or_default(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slack_grows_with_the_body() {
        assert_eq!(slack_seconds(0), SLACK.as_secs());
        assert_eq!(slack_seconds(16 * 1024), 10);
        assert_eq!(slack_seconds(16 * 1024 + 1), 15);
        assert_eq!(slack_seconds(1024 * 1024), 82);
        for bytes in [0, 100_000, usize::MAX] {
            let longest = user_timeout(bytes) + Duration::from_secs(5);
            assert!(Duration::from_secs(slack_seconds(bytes)) > longest, "{bytes}");
        }
    }
}
