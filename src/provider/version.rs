//! The version of a provider's server, where the server tells it. v0.23 tells everybody, v0.26 only accounts (recorded
//! in v2-basics). For people: nothing is decided by it.

use super::resolved::Resolved;
use super::settings::ProviderId;
use crate::clock::Deadline;
use crate::onetime::CallError;
use crate::telemetry::Metrics;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a server is asked: it changes with an upgrade.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How long a server is waited for: the rest of the check is more important.
const PATIENCE: Duration = Duration::from_secs(3);

/// What servers said of their version.
#[derive(Default)]
pub struct Versions(Mutex<HashMap<ProviderId, KnownVersion>>);

struct KnownVersion {
    at: Instant,
    /// Which server was asked, and as whom.
    asked: Asked,
    version: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
struct Asked {
    endpoint: String,
    account: Option<String>,
}

impl Versions {
    /// The version of a provider's server. None where it does not say.
    pub(super) async fn of(
        &self,
        metrics: &Metrics,
        request_timeout: Duration,
        provider: &Resolved,
    ) -> Option<String> {
        let asked = Asked {
            endpoint: provider.settings.endpoint.base().to_string(),
            account: provider.account_name().map(str::to_owned),
        };
        let known = self.known(&provider.id, &asked);
        if let Some((true, version)) = known {
            return version;
        }
        // The status waits for it.
        let deadline = Deadline::after(request_timeout.min(PATIENCE));
        let request = metrics.service_request("version");
        let answer = provider.client.version(&provider.account, deadline).await;
        request.ended(CallError::label(answer.as_ref().err()));
        // Asked again at the next check, and until then what was known before.
        let Ok(version) = answer else {
            return known.and_then(|(_, version)| version);
        };
        let known_version = KnownVersion {
            at: Instant::now(),
            asked,
            version: version.clone(),
        };
        let mut all = self.all();
        all.retain(|_, known| known.at.elapsed() < 2 * INTERVAL);
        all.insert(provider.id.clone(), known_version);
        version
    }

    /// Forgets a provider that is gone.
    pub(super) fn forget(&self, id: &ProviderId) {
        self.all().remove(id);
    }

    /// What is known, and whether that is recent.
    fn known(&self, id: &ProviderId, asked: &Asked) -> Option<(bool, Option<String>)> {
        self.all()
            .get(id)
            .filter(|known| &known.asked == asked)
            .map(|known| (known.at.elapsed() < INTERVAL, known.version.clone()))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ProviderId, KnownVersion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
