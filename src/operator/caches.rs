//! The caches that a leader waits for, as `/readyz` names them.

use crate::config::ControllerArgs;

pub(super) const LEDGER: &str = "the ledger";
pub(super) const CLUSTER_PROVIDERS: &str = "ClusterShareProviders";
pub(super) const PROVIDERS: &str = "ShareProviders";
pub(super) const SHARES: &str = "OneTimeShares";
/// Nothing is kept of it: its first list only shows that the watch works.
pub(super) const SECRETS: &str = "the metadata of Secrets";

/// All of them, as the settings say.
pub(super) fn all(args: &ControllerArgs) -> impl Iterator<Item = &'static str> + use<> {
    [LEDGER, CLUSTER_PROVIDERS, PROVIDERS, SHARES]
        .into_iter()
        .chain(args.watch_secrets.then_some(SECRETS))
}
