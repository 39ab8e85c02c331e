//! A provider whose spec was checked and whose account was read: what a request goes through.

use super::gates::Target;
use super::settings::{ProviderId, Settings};
use crate::api::provider::ProviderSpec;
use crate::api::share::ProviderRef;
use crate::ledger::Route;
use crate::onetime::{Account, Client};

/// A provider that can be used now.
pub struct Resolved {
    /// Which provider.
    pub id: ProviderId,
    /// What its spec says.
    pub spec: ProviderSpec,
    /// Its spec, checked.
    pub settings: Settings,
    /// The client for its server.
    pub client: Client,
    /// The account, or anonymous.
    pub account: Account,
}

impl Resolved {
    /// The account's name; None when anonymous.
    #[must_use]
    pub fn account_name(&self) -> Option<&str> {
        match &self.account {
            Account::Anonymous => None,
            Account::Basic { username, .. } => Some(username),
        }
    }

    /// Whom its calls reach.
    pub(super) fn target(&self) -> Target {
        self.settings
            .target(&self.id, self.spec.ca_bundle.as_deref(), self.account_name())
    }

    /// Where a share goes, in the form that the ledger keeps.
    #[must_use]
    pub fn route(&self, share_domain: Option<String>) -> Route {
        Route {
            provider: ProviderRef {
                kind: self.id.kind(),
                name: self.id.name.clone(),
            },
            endpoint: self.settings.endpoint.base().to_string(),
            ca_bundle: self.spec.ca_bundle.clone(),
            account: self.account_name().map(str::to_owned),
            share_domain,
        }
    }
}
