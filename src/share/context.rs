//! What every reconcile has at hand.

use crate::api::share::OneTimeShare;
use crate::kubernetes::definition::Definition;
use crate::kubernetes::leadership::Leadership;
use crate::kubernetes::namespaces::{Namespaces, Unlisted};
use crate::kubernetes::{ApiError, bounded};
use crate::ledger::{Ledger, LedgerError, Owner};
use crate::provider::Providers;
use crate::share::deletions::Deletions;
use crate::share::freshness::Freshness;
use crate::share::hearing::Hearing;
use crate::share::inputs::read::Sources;
use crate::share::look::Look;
use crate::share::looks::Looks;
use crate::share::occupancy::Occupancy;
use crate::share::quota::Quota;
use crate::share::sightings::Sightings;
use crate::share::status::events::Events;
use crate::telemetry::Metrics;
use kube::Api;
use std::sync::Arc;
use std::time::Duration;

/// The settings that a share's life depends on.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an attempt may take from before its intent to the last byte of its answer. Whole seconds.
    pub attempt_deadline: Duration,
    /// How long any other request to the service may take.
    pub request_timeout: Duration,
    /// The namespaces that are worked on.
    pub namespaces: Namespaces,
    /// How many shares are worked on at once.
    pub concurrency: u16,
    /// Between the two looks that must both find no trace of a lost answer before anything is sent again.
    pub settling_time: Duration,
    /// How long a share may wait for its link before somebody must confirm it with an edit.
    pub max_wait: Duration,
    /// Whether values may be generated, and so Secrets written.
    pub generate: bool,
    /// Whether every Secret that a share names needs the label [`crate::kubernetes::secret::SHAREABLE`].
    pub labelled_only: bool,
    /// How long the entry of a deleted share is kept after its link's end.
    pub ledger_retention: Duration,
    /// Whether shares that are missing in large numbers are believed to be deleted.
    pub allow_mass_burn: bool,
}

/// What every reconcile has at hand.
pub struct Context {
    /// The API server.
    pub kubernetes: kube::Client,
    /// The uid of the namespace `kube-system`: names this cluster.
    pub cluster: String,
    /// Whether this replica may begin anything.
    pub leadership: Leadership,
    /// The ledger.
    pub ledger: Ledger,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The namespaces whose shares could not be listed.
    pub unlisted: Unlisted,
    /// The shares that were seen to go.
    pub deletions: Deletions,
    /// How fresh the cache of shares is.
    pub freshness: Arc<Freshness>,
    /// The custom resource definition of shares.
    pub definition: Arc<Definition>,
    /// Whose the namespaces are.
    pub occupancy: Occupancy,
    /// How many links the namespaces may have.
    pub quota: Quota,
    /// For how long attempts have been known.
    pub sightings: Sightings,
    /// The looks at accounts' lists of the last moments.
    pub looks: Looks<Look>,
    /// For how long links were asked for in vain, and what time it is at their services.
    pub hearing: Hearing,
    /// Events for users.
    pub events: Events,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Settings.
    pub options: Options,
}

impl Context {
    /// Asked right before an intent is written, and before a burn is marked or sent.
    ///
    /// # Errors
    /// [`LedgerError::Paused`] when nothing may begin at this moment.
    pub fn may_begin(&self) -> Result<(), LedgerError> {
        match self.leadership.may_begin() || mutant!("begin-anyway") {
            true => Ok(()),
            false => Err(LedgerError::Paused),
        }
    }

    /// The uid of the definition that shares are acted upon under, for what is written now.
    #[must_use]
    pub fn crd_uid(&self) -> Option<String> {
        self.definition.cached().map(|seen| seen.uid)
    }

    /// A share as the API server has it. None also when it is another shard's by now, so that this does not say that it is
    /// gone.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn live_share(&self, owner: &Owner) -> Result<Option<OneTimeShare>, ApiError> {
        let api: Api<OneTimeShare> = Api::namespaced(self.kubernetes.clone(), &owner.namespace);
        let found = bounded(api.get_opt(&owner.name)).await?;
        Ok(found.filter(|share| self.ledger.shard().works_on(&share.metadata.labels)))
    }

    /// What a share can name.
    #[must_use]
    pub fn sources<'a>(&'a self, owner: &'a Owner) -> Sources<'a> {
        Sources {
            client: &self.kubernetes,
            namespace: &owner.namespace,
            labelled_only: self.options.labelled_only,
        }
    }
}
