//! `OneTimeShare`: what a user asks for, and what came of it.
//!
//! Owns field names, bounds and CEL rules. Rules that CEL cannot see are in `share::inputs::request`.

#![allow(
    clippy::duplicated_attributes,
    reason = "the lint takes the columns of a CRD for repetitions"
)]

mod status;

pub use status::{OneTimeShareStatus, ShareState};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to share, with whom, for how long, and through which provider.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "onetimeshare.dev",
    version = "v1alpha1",
    kind = "OneTimeShare",
    plural = "onetimeshares",
    shortname = "ots",
    category = "onetimesecret",
    namespaced,
    status = "OneTimeShareStatus",
    derive = "PartialEq",
    doc = "A one-time link at Onetime Secret for the value of a Secret. The operator creates exactly one link for a request and writes it to the status. Whoever can read this resource can open the link.",
    selectable = ".status.state",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(name = "Recipient", type_ = "string", json_path = ".status.recipient"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason",
        priority = 1
    ),
    printcolumn(name = "Link", type_ = "string", json_path = ".status.link", priority = 1)
)]
#[x_kube(
    validation = Rule::new("has(self.secretRef) != has(self.generate)").message("set exactly one of secretRef and generate"),
    validation = Rule::new("!has(self.recipient) || !has(self.recipientFrom)").message("set at most one of recipient and recipientFrom"),
    validation = Rule::new("!has(self.requestID) || !has(self.requestId)").message("set at most one of requestID and requestId, its deprecated name"),
    validation = Rule::new("!has(self.generate) || !has(self.refreshPolicy) || self.refreshPolicy == 'Once'").message("refreshPolicy OnChange needs secretRef: a generated value never changes")
)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeShareSpec {
    /// The Secret whose value is put behind the link. It must be in the namespace of this resource. Set this or
    /// generate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretSource>,

    /// Let the service generate a value, put it behind the link, and write it to a Secret. Set this or secretRef. The
    /// operator's administrator must have switched it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,

    /// How long the link lives when nobody opens it: whole seconds as a Go-style duration such as "24h" or
    /// "90m", at least one minute. The service may grant less (anonymous shares: at most 7 days); the status says
    /// what was granted, and an event warns when it differs.
    #[serde(default = "default_ttl")]
    #[schemars(
        length(min = 2, max = 32),
        regex(pattern = "^([0-9]{1,8}h)?([0-9]{1,8}m)?([0-9]{1,8}s)?$")
    )]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('8760h')").message("ttl must be between 1m and 8760h"))]
    pub ttl: String,

    /// The one e-mail address to which the service mails the link. Needs a provider with an account. Leave it out
    /// to hand over the link yourself. Set this or recipientFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 3, max = 254),
        regex(pattern = "^[^@\\s,;<>()\\x00-\\x1f]+@[^@\\s,;<>()\\x00-\\x1f]+$")
    )]
    pub recipient: Option<String>,

    /// Where the recipient's address is, instead of in this resource: a key of a Secret or ConfigMap in this
    /// namespace. It is read when a link is created; a later change of it makes no new link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_from: Option<RecipientSource>,

    /// A key of a Secret in this namespace that holds the passphrase which the reader must enter. Tell it to the
    /// recipient through another channel: it is not part of the e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_secret_ref: Option<SecretKeyRef>,

    /// The custom domain of the link, such as secrets.example.com. It must be registered with the service. The
    /// default is the provider's shareDomain, or else the provider's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 4, max = 253),
        regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
    )]
    pub share_domain: Option<String>,

    /// The provider that creates the link.
    #[serde(default)]
    pub provider_ref: ProviderRef,

    /// An arbitrary text that names this request. Change it to burn the current link and ask for a new one.
    #[serde(rename = "requestID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub request_id: Option<String>,

    /// Deprecated: use requestID, which means the same. Version 0.3 no longer accepts this name. Renaming the field
    /// keeps the link and sends nothing. Set at most one of the two.
    #[serde(rename = "requestId", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub deprecated_request_id: Option<String>,

    /// Once: a link is created once for a request. OnChange: a new link is created, and the old one burned, when the
    /// value of the Secret changes; the Secret then needs the label onetimeshare.dev/shareable: "true".
    #[serde(default)]
    pub refresh_policy: RefreshPolicy,

    /// What happens to a link that can still be opened when this resource is deleted. Burn: nobody can open it any
    /// more. Retain: it lives until it is opened or expires.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// While true no new link is created. What was sent before is still followed to its end.
    #[serde(default)]
    pub suspend: bool,
}

fn default_ttl() -> String {
    "24h".into()
}

/// A Secret and what of it is shared: one key, or a text made from its keys.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.key) || !has(self.template)").message("set at most one of key and template"))]
#[serde(rename_all = "camelCase")]
pub struct SecretSource {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key whose value is shared. May be left out when the Secret has exactly one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,

    /// A text to share instead of one key: a Jinja template over all keys of the Secret, such as
    /// "Login: {{ username }}, password: {{ password }}". A key that is no plain name is written
    /// {{ secret["tls.crt"] }}. A key that the Secret does not have is an error, unless the template asks with "is
    /// defined" or gives a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub template: Option<String>,
}

/// Where the recipient's address is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)").message("set exactly one of secretKeyRef and configMapKeyRef"))]
#[serde(rename_all = "camelCase")]
pub struct RecipientSource {
    /// A key of a Secret. The address is then shown only as the service obscures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,

    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}

/// One key of a ConfigMap in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// The name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key in the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A value that the service generates.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generate {
    /// The number of characters. Servers have limits of their own: v0.26 generates at most 128, none fewer than 4.
    #[serde(default = "default_length")]
    #[schemars(range(min = 4, max = 1024))]
    pub length: i64,
    /// The Secret and key that the generated value is written to. The Secret must not exist yet, or have been made by
    /// this resource before. It stays when this resource is deleted.
    pub target_secret_ref: SecretKeyRef,
}

fn default_length() -> i64 {
    24
}

/// When a link is created anew.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefreshPolicy {
    /// Never for the same request.
    #[default]
    Once,
    /// When the value changes.
    OnChange,
}

/// What happens to a living link when its share is deleted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// It is burned.
    #[default]
    Burn,
    /// It lives on.
    Retain,
}

/// One key of a Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Which provider creates the link.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderRef {
    /// ClusterShareProvider, or ShareProvider for one in the namespace of this resource.
    pub kind: ProviderKind,
    /// The name of the provider.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

impl Default for ProviderRef {
    fn default() -> Self {
        Self {
            kind: ProviderKind::ClusterShareProvider,
            name: "default".into(),
        }
    }
}

/// The kinds of provider.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderKind {
    /// A provider for all namespaces.
    #[default]
    ClusterShareProvider,
    /// A provider of one namespace.
    ShareProvider,
}

impl ProviderKind {
    /// The kind as the API names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterShareProvider => "ClusterShareProvider",
            Self::ShareProvider => "ShareProvider",
        }
    }
}
