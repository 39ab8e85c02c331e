//! The status of a `OneTimeShare`: what the operator tells its user. Owns field names and bounds.

#![allow(
    clippy::duplicated_attributes,
    reason = "the lint takes the columns of a CRD for repetitions"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of a share. Written by the operator alone; a status that differs from its ledger is overwritten.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeShareStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Pending, Shared, Received, Burned, Expired or Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ShareState>,

    /// Since when the spec of this generation has waited for its link. Absent when there is a link, or was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Time>,

    /// The key of the secret at the service: the last part of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub secret_key: Option<String>,

    /// The link. Whoever has it (and the passphrase, if there is one) can read the value once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub link: Option<String>,

    /// The recipient's address as the service obscures it. Absent when the service mailed nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub recipient: Option<String>,

    /// The lifetime of the link in seconds, as the service granted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,

    /// When the service created the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,

    /// When the link stops working if nobody opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// When the link was received, burned or expired, as the service tells it; where it does not, when that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,

    /// Whether the reader must enter a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_required: Option<bool>,

    /// The custom domain of the link, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub share_domain: Option<String>,

    /// The account under which the service keeps the share; "anon" when it was made without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub custid: Option<String>,

    /// Identifies the request that this status answers. Opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub request_hash: Option<String>,

    /// Identifies the attempt that made the link, or whose outcome is not known. Opaque. To have this link burned, and nothing
    /// else done, set the annotation onetimeshare.dev/burn of the share to this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub attempt: Option<String>,

    /// Ready, Received, Finished and EmailRequested; Reconciling and Stalled while they are True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Where a share stands.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ShareState {
    /// There is no link yet.
    Pending,
    /// The link exists and can be opened.
    Shared,
    /// The link was opened; the service does not tell by whom.
    Received,
    /// The link was burned unread.
    Burned,
    /// The link expired unread.
    Expired,
    /// A person must act: see the Stalled condition.
    Failed,
}

impl ShareState {
    /// The state as the status shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Shared => "Shared",
            Self::Received => "Received",
            Self::Burned => "Burned",
            Self::Expired => "Expired",
            Self::Failed => "Failed",
        }
    }
}
