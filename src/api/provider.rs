//! `ShareProvider` and `ClusterShareProvider`: which Onetime Secret server, which account, which limits.
#![allow(
    clippy::duplicated_attributes,
    reason = "the lint takes the columns of a CRD for repetitions"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "kubectl explain shows these texts in a terminal"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An Onetime Secret server for the shares of one namespace.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "onetimeshare.dev",
    version = "v1alpha1",
    kind = "ShareProvider",
    plural = "shareproviders",
    category = "onetimesecret",
    namespaced,
    status = "ProviderStatus",
    derive = "PartialEq",
    doc = "An Onetime Secret server and account for the shares of this namespace. Whoever can write it can read every Secret that is shared through it.",
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("has(self.region) != has(self.url)").message("set exactly one of region and url"))]
#[serde(rename_all = "camelCase")]
pub struct ShareProviderSpec {
    /// The settings of the provider.
    #[serde(flatten)]
    pub provider: ProviderSpec,
}

/// An Onetime Secret server for the shares of all namespaces.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "onetimeshare.dev",
    version = "v1alpha1",
    kind = "ClusterShareProvider",
    plural = "clustershareproviders",
    category = "onetimesecret",
    status = "ProviderStatus",
    derive = "PartialEq",
    doc = "An Onetime Secret server and account for the shares of all namespaces. Whoever can write it can read every Secret that is shared through it.",
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("has(self.region) != has(self.url)").message("set exactly one of region and url"))]
#[serde(rename_all = "camelCase")]
pub struct ClusterShareProviderSpec {
    /// The settings of the provider.
    #[serde(flatten)]
    pub provider: ProviderSpec,

    /// The namespaces whose shares may use this provider, by their labels. Without it all may. Links that exist are
    /// followed and burned whatever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
}

/// The settings that both kinds of provider have.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderSpec {
    /// The region of onetimesecret.com: us, eu, ca, nz or uk. Each region has its own accounts. Set this or url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,

    /// The address of a self-hosted server, such as https://secrets.example.com. Set this or region. The url of a
    /// ShareProvider must be on a host that the operator's administrator allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512), regex(pattern = "^https?://[^\\s/?#@]+/?$"))]
    pub url: Option<String>,

    /// The Secret with the account's name and API token. Without it shares are anonymous: no e-mail, at most 7 days.
    /// For a ShareProvider it is in the same namespace, for a ClusterShareProvider in the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<CredentialsRef>,

    /// PEM certificates to trust for this server, besides the public authorities: those of CAs, or the server's own
    /// certificate if it is self-signed. To print what a server sends: openssl s_client -connect HOST:443 -showcerts
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,

    /// The custom domain of links, unless a share names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 4, max = 253),
        regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
    )]
    pub share_domain: Option<String>,

    /// The largest value in bytes that is sent. Servers refuse or silently truncate larger ones.
    #[serde(default = "default_max_secret_bytes")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_secret_bytes: i64,

    /// When set, links are mailed only to addresses in these domains. Subdomains must be named themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        inner(length(min = 1, max = 253), regex(pattern = "^[a-z0-9.-]+$"))
    )]
    pub allowed_recipient_domains: Vec<String>,

    /// How many links are created at once, at most 8 of them for one namespace.
    #[serde(default = "default_max_concurrent_requests")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_requests: i64,

    /// At most so many links are created a minute. onetimesecret.com allows 1000 in 20 minutes from one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_minute: Option<i64>,

    /// How many shares of one namespace may have a link at a time: one that is being created or can still be opened. Further
    /// shares wait until a link is received, burned or expired. Without it there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_shares_per_namespace: Option<i64>,

    /// How often the state of the links is asked for: whole seconds as a Go-style duration, at least 1s.
    #[serde(default = "default_poll_interval")]
    #[schemars(
        length(min = 2, max = 32),
        regex(pattern = "^([0-9]{1,8}h)?([0-9]{1,8}m)?([0-9]{1,8}s)?$")
    )]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('24h')").message("pollInterval must be between 1s and 24h"))]
    pub poll_interval: String,
}

fn default_max_secret_bytes() -> i64 {
    10_000
}

fn default_max_concurrent_requests() -> i64 {
    8
}

fn default_poll_interval() -> String {
    "1m".into()
}

/// Where the account's name and API token are.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key that holds the account's name (an e-mail address).
    #[serde(default = "default_username_key")]
    #[schemars(length(min = 1, max = 253))]
    pub username_key: String,
    /// The key that holds the API token.
    #[serde(default = "default_token_key")]
    #[schemars(length(min = 1, max = 253))]
    pub token_key: String,
}

fn default_username_key() -> String {
    "username".into()
}

fn default_token_key() -> String {
    "token".into()
}

/// The regions of onetimesecret.com.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// United States.
    Us,
    /// European Union.
    Eu,
    /// Canada.
    Ca,
    /// New Zealand.
    Nz,
    /// United Kingdom.
    Uk,
}

/// Whether the provider can be used.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The server that links are created at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint: Option<String>,
    /// The version of the server. Absent where the server does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub server_version: Option<String>,
    /// Ready says whether the server answers and accepts the credentials; Stalled is there, and True, while a person must
    /// act for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What both kinds of provider have in common.
pub trait Provider: kube::Resource<DynamicType = ()> {
    /// The settings.
    fn settings(&self) -> &ProviderSpec;
    /// The status.
    fn status(&self) -> Option<&ProviderStatus>;
    /// An API handle for where a provider of this kind is.
    fn api(client: kube::Client, namespace: Option<&str>) -> kube::Api<Self>
    where
        Self: Sized;
}

impl Provider for ShareProvider {
    fn api(client: kube::Client, namespace: Option<&str>) -> kube::Api<Self> {
        match namespace {
            Some(namespace) => kube::Api::namespaced(client, namespace),
            None => kube::Api::all(client),
        }
    }

    fn settings(&self) -> &ProviderSpec {
        &self.spec.provider
    }

    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }
}

impl Provider for ClusterShareProvider {
    fn api(client: kube::Client, _: Option<&str>) -> kube::Api<Self> {
        kube::Api::all(client)
    }

    fn settings(&self) -> &ProviderSpec {
        &self.spec.provider
    }

    fn status(&self) -> Option<&ProviderStatus> {
        self.status.as_ref()
    }
}
